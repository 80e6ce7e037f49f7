//! An attempt as a conversation for the terminal: the wire log in two lanes, then the verdicts.
//!
//! Lines fit into 80 columns. Reads and writes are shown where no frame says the same.

mod rows;

use wsproof_engine::{Accept, Case, Entry, Logged, Timer, What};
use wsproof_proto::Role;

use crate::{
    JudgeKind, Results, account,
    causes::{self, Cause, Rule},
    contract::Attempt,
    log,
    summary::{Mark, Span, sides},
    words::{judge_name, other, visible},
};
use rows::{Out, Rows, SHIFT, View};

/// Rows of octets and frames that are printed of a case that goes on.
const ROWS: usize = 250;

/// The whole of it: what happened, what was expected and observed, and both judgements.
/// `results` are those that the attempt is of.
pub fn render(
    results: &Results,
    case: Option<&Case>,
    attempt: &Attempt,
    judge: JudgeKind,
) -> Vec<Span> {
    let mut out = Out(lanes());
    let found = case.and_then(|case| causes::cause_of(results, judge, case, attempt));
    let marked = marked(case, attempt, judge, found.as_ref());
    let mut rows = Rows::default();
    rows.advance(&mut out, &View::from(&attempt.outcome), marked, true);
    rows.left_out(&mut out, &attempt.outcome);
    conclusion(&mut out, case, attempt, judge, found.as_ref());
    out.0
}

/// A conversation while it goes on: each row as soon as it is certain.
#[derive(Debug, Default)]
pub struct Live {
    rows: Rows,
    entries: Vec<Entry>,
}

impl Live {
    /// A conversation of which nothing is known yet, and what stands above it.
    pub fn begin() -> (Self, Vec<Span>) {
        (Self { rows: Rows::at_most(ROWS), entries: Vec::new() }, lanes())
    }

    /// The rows that are new. The tester dials.
    pub fn take(&mut self, logged: &Logged) -> Vec<Span> {
        let mut out = Out(Vec::new());
        self.entries.extend_from_slice(&logged.entries);
        let view = View {
            role: Role::Client,
            entries: &self.entries,
            openings: &logged.openings,
            deviations: &logged.deviations,
        };
        self.rows.advance(&mut out, &view, None, false);
        out.0
    }

    /// The rest, when it is over and judged: the entry that decides once more, and all that
    /// [`render`] says below the rows. `results` have other cases of the same peer.
    pub fn conclude(
        mut self,
        results: &Results,
        case: Option<&Case>,
        attempt: &Attempt,
        judge: JudgeKind,
    ) -> Vec<Span> {
        let mut out = Out(Vec::new());
        let view = View::from(&attempt.outcome);
        self.rows.advance(&mut out, &view, None, true);
        self.rows.left_out(&mut out, &attempt.outcome);
        let found = case.and_then(|case| causes::cause_of(results, judge, case, attempt));
        if let Some(marked) = marked(case, attempt, judge, found.as_ref()) {
            out.add(Mark::Plain, "\n");
            out.add(Mark::Muted, "what decides\n");
            Rows::alone(&mut out, &view, marked);
        }
        conclusion(&mut out, case, attempt, judge, found.as_ref());
        out.0
    }
}

/// What stands above the lanes.
fn lanes() -> Vec<Span> {
    vec![Span { mark: Mark::Muted, text: format!("{:>9}  {:SHIFT$}peer\n", "ms", "tester") }]
}

/// Cause, what was expected and observed, and both judgements.
fn conclusion(
    out: &mut Out,
    case: Option<&Case>,
    attempt: &Attempt,
    judge: JudgeKind,
    found: Option<&Cause>,
) {
    out.add(Mark::Plain, "\n");
    if let Some(found) = found {
        let Rule { rfc, section, .. } = found.rule;
        let rule = format!("{} (RFC {rfc}, {section})", visible(&found.sentence));
        out.paragraph(Mark::Fail, "cause     ", &rule);
        for (name, side) in sides(found) {
            out.paragraph(Mark::Muted, &format!("{name:<10}"), &side);
        }
        let place = found.place.map(|place| place.words()).filter(|place| !place.is_empty());
        out.block("at", place.into_iter());
    } else if let Some(case) = case {
        let expected = account::expected(case).into_iter().map(|(name, events)| {
            let lead = if name == "Accepted" { String::new() } else { format!("{name}: ") };
            format!("{lead}{}", events.join(", then "))
        });
        out.block("expected", expected.chain(account::close_expected(case)));
    }
    let outcome = &attempt.outcome;
    let closing = account::close_observed(&outcome.closing);
    out.block("observed", account::observed(outcome).into_iter().chain(closing));
    for kind in [judge, other(judge)] {
        let judgement = attempt.judgement(kind);
        let mark = if judgement.deviates() { Mark::Fail } else { Mark::Pass };
        let half = |name: &str, why: &str| match why {
            "" => name.to_owned(),
            why => format!("{name}: {}", visible(why)),
        };
        let lead = format!("{:<10}", judge_name(kind));
        out.paragraph(mark, &lead, &half(judgement.behavior.name(), &judgement.reason));
        let close = half(judgement.close.name(), &judgement.close_reason);
        out.paragraph(mark, &" ".repeat(10), &format!("closing {close}"));
    }
}

/// A line that stands with the rest, wrapped beside its lead.
pub fn line(lead: &str, text: &str) -> Vec<Span> {
    let mut out = Out(Vec::new());
    out.paragraph(Mark::Muted, &format!("{lead:<10}"), &visible(text));
    out.0
}

/// In what a later attempt differs from an earlier one: verdicts, codes, events. Nothing if it
/// came out the same.
pub fn differences(before: &Attempt, after: &Attempt) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in [JudgeKind::Rfc, JudgeKind::Classic] {
        let (was, is) = (before.judgement(kind), after.judgement(kind));
        let name = judge_name(kind);
        let mut differ = |what: &str, was: &str, is: &str| {
            if was != is {
                lines.push(format!("{name} {what} was {}, is {}", visible(was), visible(is)));
            }
        };
        differ("judgement", was.behavior.name(), is.behavior.name());
        differ("judgement of the closing", was.close.name(), is.close.name());
    }
    let code = |attempt: &Attempt| {
        let code = attempt.outcome.closing.remote_code;
        code.map_or_else(|| "none".to_owned(), account::code_words)
    };
    let status = |attempt: &Attempt| {
        let status = attempt.outcome.openings.first().and_then(|opening| opening.status);
        status.map_or_else(|| "none".to_owned(), |status| status.to_string())
    };
    let end = |attempt: &Attempt| {
        attempt.outcome.closing.tcp_end.map_or("nothing said", log::tcp_end).to_owned()
    };
    let events = |attempt: &Attempt| {
        let events = attempt.outcome.events.iter().map(|event| event.what.describe());
        let events: Vec<_> = events.collect();
        if events.is_empty() { "none".to_owned() } else { events.join(", then ") }
    };
    for (what, of) in [
        ("the status of the answer", &status as &dyn Fn(&Attempt) -> String),
        ("what was received", &events),
        ("the peer's close code", &code),
        ("the end of TCP", &end),
    ] {
        let (was, is) = (visible(&of(before)), visible(&of(after)));
        if was != is {
            lines.push(format!("{what}: was {was}; is {is}"));
        }
    }
    lines
}

/// The entry that decides, if the attempt deviates: what its cause says, else where the tester's
/// patience ended, else where TCP did.
fn marked(
    case: Option<&Case>,
    attempt: &Attempt,
    judge: JudgeKind,
    found: Option<&Cause>,
) -> Option<usize> {
    if !attempt.judgement(judge).deviates() {
        return None;
    }
    let entries = &attempt.outcome.transcript.entries;
    let deciding = found.and_then(|found| found.deciding);
    let limit = |what: &What| match what {
        What::TimerExpired { timer, .. } => *timer != Timer::Wait,
        _ => false,
    };
    let is_class = case.is_some_and(|case| matches!(case.accept, Accept::Class(_)));
    let first = |is: &dyn Fn(&What) -> bool| entries.iter().position(|entry| is(&entry.what));
    let answer = || first(&|what| matches!(what, What::Read { .. }));
    let refused = attempt.outcome.opened_at.is_none() || is_class;
    deciding
        .or_else(|| answer().filter(|_| refused))
        .or_else(|| first(&limit))
        .or_else(|| first(&|what| matches!(what, What::TcpEnded { .. })))
}
