//! `results.jsonl`: written, read back, cut off and damaged.

use proptest::prelude::*;
use serde_json::Value;
use wsproof_engine::CaseId;
use wsproof_report::{
    Counts, JudgeKind, Line, Missing, Results,
    contract::{Confirmation, End, Excluded, JudgeKind as Judge},
};

use crate::sample::{HOSTILE, bad, bad_lines, both, catalogue, gate, good, good_lines};

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.to_json() + "\n").collect()
}

#[test]
fn what_is_written_is_read_back() {
    let lines: Vec<_> = good_lines("AB-SUT").into_iter().chain(bad_lines(HOSTILE)).collect();
    assert_eq!(Results::parse(text(&lines)).unwrap(), both());
    assert!(text(&lines).lines().all(|line| line.starts_with("{\"type\":\"")));
    assert_eq!(Results::parse("").unwrap(), Results::default());
}

#[test]
fn the_attempt_that_counts() {
    let results = bad();
    let number = |id: &str| results.final_attempt(HOSTILE, &CaseId::new(id)).map(|a| a.attempt);
    assert_eq!((number("6.4.1"), number("9.1.1"), number("1.1.2")), (Some(2), None, Some(1)));
    let record = results.record(HOSTILE, &CaseId::new("6.4.1")).unwrap();
    assert!(record.is_unstable() && record.confirmation() == Confirmation::Confirmed);
    // Without a verdict the last attempt counts.
    let lines: Vec<_> =
        bad_lines(HOSTILE).into_iter().filter(|line| !matches!(line, Line::Verdict(_))).collect();
    let results = crate::sample::results(lines);
    let record = results.record(HOSTILE, &CaseId::new("6.4.1")).unwrap();
    assert_eq!(record.final_attempt().unwrap().attempt, 2);
    assert_eq!(record.confirmation(), Confirmation::Missing);
}

#[test]
fn a_missing_result_has_a_reason() {
    let id = |index: usize| catalogue()[index].id.clone();
    let mut lines = good_lines("x");
    lines.truncate(2);
    lines.push(Line::Excluded(Excluded { peer: "x".to_owned(), cases: vec![id(4)] }));
    let why = |lines: &[Line], id: &CaseId| {
        Results::parse(text(lines)).unwrap().why_missing("x", id).map(Missing::words)
    };
    assert_eq!(why(&lines, &id(0)), Some("not run: interrupted"));
    assert_eq!(why(&lines, &id(4)), Some("excluded"));
    assert_eq!(why(&lines, &CaseId::new("9.9.9")), Some("not selected"));
    lines.push(Line::End(End { ended: String::new(), interrupted: false }));
    assert_eq!(why(&lines, &id(0)), Some("peer unreachable"));
    let results = Results::parse(text(&lines)).unwrap();
    assert_eq!((results.missing("x").len(), results.excluded("x").len()), (4, 1));
    assert_eq!(why(&good_lines("x"), &id(0)), None);
}

#[test]
fn counts_follow_the_judgement() {
    let five = Counts { total: 5, ok: 5, ..Counts::default() };
    assert_eq!(good().counts("AB-SUT", JudgeKind::Rfc), five);
    let bad = bad().counts(HOSTILE, Judge::Classic);
    let expected =
        Counts { total: 4, ok: 2, failed: 2, deviating: 2, unstable: 1, ..Counts::default() };
    assert_eq!(bad, expected);
    assert_eq!(good().counts("nobody", JudgeKind::Rfc), Counts::default());
    let close_only =
        crate::sample::results(bad_lines(HOSTILE).into_iter().take(10).skip(7).take(1));
    let expected = Counts { total: 1, close_only: 1, deviating: 1, ..Counts::default() };
    assert_eq!(close_only.counts(HOSTILE, JudgeKind::Classic), expected);
}

#[test]
fn a_last_line_that_was_cut_off_is_left_out_with_a_note() {
    let whole = text(&bad_lines(HOSTILE));
    let cut = &whole.as_bytes()[..whole.len() - 10];
    let results = Results::parse(cut).unwrap();
    assert!(results.is_interrupted());
    assert!(results.notes().last().unwrap().text.contains("in the middle of line 15"));
    // Complete but for its line feed, it is a line.
    let results = Results::parse(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(results, bad());
}

fn check_error(line: &str, message: &str) {
    let text = format!("{{\"type\":\"note\",\"peer\":null,\"text\":\"\"}}\n{line}\n");
    let error = Results::parse(text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn errors_name_the_line_the_field_and_the_mend() {
    let end = "mend or remove that line, or run the cases again";
    check_error(
        "{\"type\":\"end\",\"ended\":1,\"interrupted\":true}",
        "line 2 of the results, field `ended`",
    );
    check_error("{\"type\":\"note\"", end);
    check_error("{\"type\":\"notes\"}", "field `type`: \"notes\" is none of");
    check_error("{\"type\":\"run\",\"format\":2}", "field `format`: 2 is newer than 1");
    let attempt = bad_lines(HOSTILE)[2].to_json();
    check_error(&attempt.replace("\"role\":\"client\"", "\"role\":\"x\""), "field `outcome.role`");
    check_error("[]", end);
}

/// Renders the results in every way.
fn render_all(results: &Results) {
    let cases = catalogue();
    wsproof_report::classic::files(results, &cases);
    wsproof_report::html::files(results, &cases, JudgeKind::Rfc, |_| None);
    wsproof_report::text_summary(&gate(results, None), None);
    wsproof_report::pcapng::files(results, &cases).for_each(drop);
    for peer in results.peers() {
        for attempt in results.records(&peer.peer).flat_map(|(_, r)| r.attempts()) {
            let case = cases.iter().find(|case| case.id == attempt.case);
            wsproof_report::conversation::render(results, case, attempt, JudgeKind::Rfc);
        }
    }
}

/// Sets all numbers under a name.
fn set(value: &mut Value, name: &str, number: u64) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == name && value.is_u64() {
                    *value = number.into();
                }
                set(value, name, number);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set(item, name, number)),
        _ => {}
    }
}

#[test]
fn numbers_without_bounds_never_panic() {
    let lines = text(&bad_lines(HOSTILE));
    for name in ["offset", "len", "length", "first_difference", "octets_received"] {
        for number in [u64::MAX, u64::MAX - 1, u64::from(u32::MAX)] {
            let damaged = lines.lines().map(|line| {
                let mut line: Value = serde_json::from_str(line).unwrap();
                set(&mut line, name, number);
                format!("{line}\n")
            });
            let results = Results::parse(damaged.collect::<String>().as_bytes()).unwrap();
            render_all(&results);
        }
    }
}

proptest! {
    #[test]
    fn damaged_results_never_panic(at in 0usize..20_000, octet: u8) {
        let mut octets = text(&bad_lines(HOSTILE)).into_bytes();
        let at = at % octets.len();
        octets[at] = octet;
        if let Ok(results) = Results::parse(&octets) {
            render_all(&results);
        }
    }

    #[test]
    fn any_beginning_of_results_can_be_read(at in 0usize..20_000) {
        let octets = text(&bad_lines(HOSTILE)).into_bytes();
        let at = at % octets.len();
        prop_assert!(Results::parse(&octets[..at]).is_ok());
    }
}
