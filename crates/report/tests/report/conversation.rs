//! The conversation for the terminal, whole and while it goes on.

use std::sync::Arc;

use wsproof_engine::{Logged, Outcome, What};
use wsproof_report::{
    JudgeKind,
    contract::Attempt,
    conversation::{self, Live},
    summary::Span,
};

use crate::sample::{HOSTILE, both, catalogue};

fn text(spans: &[Span]) -> String {
    spans.iter().map(|span| &*span.text).collect()
}

/// What is told of an outcome when its entries from `from` to `to` are new.
fn logged(outcome: &Outcome, from: usize, to: usize) -> Logged {
    Logged {
        entries: outcome.transcript.entries[from..to].to_vec(),
        openings: Arc::from(&*outcome.openings),
        deviations: outcome.deviations.clone(),
    }
}

#[test]
fn rows_that_come_one_by_one_are_those_of_the_whole() {
    let (results, cases) = (both(), catalogue());
    let mut compared = 0;
    for peer in results.peers() {
        for (id, record) in results.records(&peer.peer) {
            let case = cases.iter().find(|case| case.id == *id);
            for attempt in record.attempts() {
                let whole = text(&conversation::render(&results, case, attempt, JudgeKind::Rfc));
                let (whole_rows, whole_rest) = whole.split_once("\n\n").unwrap();
                let (mut live, heading) = Live::begin();
                let mut rows = text(&heading);
                // What happens at once is told at once.
                let mut from = 0;
                for part in attempt.outcome.transcript.entries.chunk_by(|a, b| a.at == b.at) {
                    let to = from + part.len();
                    rows += &text(&live.take(&logged(&attempt.outcome, from, to)));
                    from = to;
                }
                rows += &text(&live.conclude(&results, case, attempt, JudgeKind::Rfc));
                let (rows, rest) = rows.split_once("\n\n").unwrap();
                // What decides is marked afterwards.
                let plain = |rows: &str| rows.replace('✗', " ");
                assert_eq!(plain(rows), plain(whole_rows), "{id} with {}", peer.peer);
                let deviates = attempt.rfc.deviates();
                let rest = if deviates { rest.split_once("\n\n").unwrap().1 } else { rest };
                assert_eq!(rest, whole_rest, "{id} with {}", peer.peer);
                compared += 1;
            }
        }
    }
    assert!(compared > 5, "{compared}");
}

/// Rows are there as soon as they are certain, and what decides is told at the end.
#[test]
fn what_decides_is_told_once_more() {
    let (results, cases) = (both(), catalogue());
    let attempts = results
        .records(HOSTILE)
        .flat_map(|(id, record)| record.attempts().iter().map(move |attempt| (id, attempt)));
    let failed = |attempt: &Attempt| attempt.rfc.deviates() && attempt.outcome.opened_at.is_some();
    let (id, attempt) = attempts.into_iter().find(|(_, attempt)| failed(attempt)).unwrap();
    let entries = &attempt.outcome.transcript.entries;
    let is_first = |what: &What| matches!(what, What::Read { .. });
    let read = entries.iter().position(|entry| is_first(&entry.what)).unwrap();
    let (mut live, _) = Live::begin();
    let asked = text(&live.take(&logged(&attempt.outcome, 0, read)));
    assert!(asked.contains("GET / HTTP/1.1"), "{asked}");
    // A first read alone may be a part of the answer.
    assert_eq!(text(&live.take(&logged(&attempt.outcome, read, read + 1))), "");
    let answered = text(&live.take(&logged(&attempt.outcome, read + 1, entries.len())));
    assert!(answered.contains("HTTP/1.1 "), "{answered}");
    let case = cases.iter().find(|case| case.id == *id);
    let rest = text(&live.conclude(&results, case, attempt, JudgeKind::Rfc));
    assert!(rest.contains("\nwhat decides\n") && rest.contains("✗ "), "{rest}");
    assert!(!rest.contains("GET / HTTP/1.1"), "{rest}");
}

/// One case says nothing of all cases.
#[test]
fn one_attempt_is_told_of_alone() {
    let (results, cases) = (both(), catalogue());
    let mut told = 0;
    for peer in results.peers() {
        for (id, record) in results.records(&peer.peer) {
            let case = cases.iter().find(|case| case.id == *id);
            for attempt in record.attempts().iter().filter(|attempt| attempt.rfc.deviates()) {
                let whole = text(&conversation::render(&results, case, attempt, JudgeKind::Rfc));
                assert!(!whole.contains("cause     Every"), "{whole}");
                told += usize::from(whole.contains("cause     "));
            }
        }
    }
    assert!(told > 2, "{told}");
}
