//! Scripted peers and the classic verdicts on them, however their octets are cut.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use serde::Deserialize;
use support::{Act, Cut, hex, play};
use wsproof_engine::{Case, Outcome, judge};
use wsproof_proto::Role;

#[derive(Debug, Deserialize)]
struct Vector {
    case: String,
    tester_is_server: bool,
    peer: String,
    script: Vec<Entry>,
    verdict: Option<Verdict>,
    never_ends: bool,
}

#[derive(Debug, Deserialize)]
struct Entry {
    at: f64,
    send: Option<String>,
}

#[expect(clippy::struct_excessive_bools, reason = "these are the fields of the original")]
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    behavior: String,
    behavior_close: String,
    closed_by_me: bool,
    dropped_by_me: bool,
    events: usize,
    failed_by_me: bool,
    remote_close_code: Option<u16>,
    was_clean: bool,
}

fn verdict(case: &Case, outcome: &Outcome) -> Verdict {
    let judgement = judge::classic(case, outcome);
    Verdict {
        behavior: judgement.behavior.name().to_owned(),
        behavior_close: judgement.close.name().to_owned(),
        closed_by_me: outcome.closing.closed_by_me,
        dropped_by_me: outcome.closing.dropped_by_me,
        events: outcome.events.len(),
        failed_by_me: outcome.closing.failed_by_me,
        remote_close_code: outcome.closing.remote_code,
        was_clean: outcome.closing.was_clean,
    }
}

fn check(cut: Cut) {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 146);
    let cases = wsproof_cases::classic();
    for vector in &vectors {
        let case = cases.iter().find(|case| case.id.as_str() == vector.case).unwrap();
        let role = if vector.tester_is_server { Role::Server } else { Role::Client };
        let script: Vec<_> = vector
            .script
            .iter()
            .map(|entry| Act {
                at: Duration::from_secs_f64(entry.at),
                send: entry.send.as_deref().map(hex),
            })
            .collect();
        let got = verdict(case, &play(case, role, &script, cut));
        let name = format!("{} as {role:?}, {} ({cut:?})", vector.case, vector.peer);
        if let Some(expected) = &vector.verdict {
            assert_eq!(&got, expected, "{name}");
        } else {
            assert!(vector.never_ends);
            // The original waits for ever; the drop timer gives these a verdict.
            let close = if vector.case == "6.4.1" { "FAILED BY CLIENT" } else { "FAILED" };
            assert_eq!(got.behavior_close, close, "{name}");
        }
    }
}

#[test]
fn whole() {
    check(Cut::Whole);
}

#[test]
fn octet_by_octet() {
    check(Cut::Octets);
}

#[test]
fn at_random() {
    for seed in 1..20 {
        check(Cut::Random(seed));
    }
}

/// What was found in real peers and is not among the scripted ones: octets at once, then the end
/// of TCP.
fn check_found(case: &str, octets: &[u8], behavior: &str, close: &str) {
    check_found_until(case, octets, 20, behavior, close);
}

/// The same, with the time in milliseconds at which the peer ends TCP.
fn check_found_until(case: &str, octets: &[u8], end: u64, behavior: &str, close: &str) {
    let case = support::case(case);
    let at = Duration::from_millis;
    let script = [Act { at: at(10), send: Some(octets.to_vec()) }, Act { at: at(end), send: None }];
    for cut in [Cut::Whole, Cut::Octets, Cut::Random(5)] {
        let got = verdict(&case, &play(&case, Role::Client, &script, cut));
        assert_eq!(
            (got.behavior.as_str(), got.behavior_close.as_str()),
            (behavior, close),
            "{cut:?}"
        );
    }
}

#[test]
fn a_new_message_inside_of_another_goes_on_with_its_text() {
    // It completes the character within which the other one stopped.
    let octets = b"\x01\x01\xce\x81\x0a\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\x88\x02\x03\xea";
    check_found("6.5.5", octets, "FAILED", "WRONG CODE");
}

#[test]
fn a_text_that_breaks_off_within_a_character_is_no_message() {
    let octets = b"\x81\x03a\xe2\x82\x88\x02\x03\xea";
    check_found("3.2", octets, "NON-STRICT", "FAILED");
    check_found("5.15", octets, "NON-STRICT", "FAILED");
    check_found("1.1.2", octets, "FAILED", "WRONG CODE");
}

#[test]
fn a_control_frame_with_a_long_form_of_its_length_breaks_two_rules() {
    for octets in [&b"\x88\x7e\x00\x02\x03\xe8"[..], b"\x88\x7f\0\0\0\0\0\0\0\x02\x03\xe8"] {
        check_found("3.2", octets, "NON-STRICT", "FAILED");
        check_found("1.1.2", octets, "FAILED", "UNCLEAN");
        check_found("6.3.1", octets, "FAILED", "FAILED");
    }
    check_found("1.1.2", b"\x8a\x7e\x00\x01a\x88\x02\x03\xea", "FAILED", "UNCLEAN");
}

#[test]
fn a_close_reason_that_breaks_off_within_a_character_is_not_noticed() {
    let octets = b"\x88\x04\x03\xea\xe2\x82";
    check_found("3.1", octets, "OK", "OK");
    check_found("3.2", octets, "NON-STRICT", "OK");
    check_found("6.3.1", octets, "OK", "WRONG CODE");
    check_found("7.3.2", octets, "OK", "OK");
    check_found("7.1.1", octets, "FAILED", "FAILED");
    // One that holds something else than a character is.
    check_found("3.1", b"\x88\x04\x03\xea\xff\xfe", "OK", "FAILED");
}

#[test]
fn a_server_that_closes_first_may_take_its_time_to_end_tcp() {
    let octets = b"\x88\x02\x03\xef";
    check_found_until("6.4.1", octets, 1_800, "FAILED", "OK");
    check_found_until("6.4.1", octets, 4_500, "FAILED", "OK");
    check_found_until("6.4.1", octets, 6_500, "FAILED", "FAILED BY CLIENT");
}

#[test]
fn text_is_looked_at_even_when_the_connection_has_failed() {
    let close = b"\x88\x02\x03\xea";
    for text in [
        // A reserved bit on an ill-formed text; two texts that break off; a text inside of one
        // that stopped within a character.
        &b"\xc1\x01\xff"[..],
        b"\x81\x03a\xe2\x82\x81\x03a\xe2\x82",
        b"\x01\x01\xe2\x81\x01a",
        b"\x01\x02\xe2\x82\x01\x01a",
    ] {
        let octets = [text, close].concat();
        check_found("1.1.2", &octets, "FAILED", "UNCLEAN");
        check_found("3.2", &octets, "NON-STRICT", "FAILED");
    }
}
