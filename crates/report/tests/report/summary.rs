//! The summary in the terminal.

use wsproof_report::{
    Baseline, Line, Results,
    contract::{End, PeerInfo},
    summary::Ending,
    text_summary,
};

use crate::sample::{
    Act, attempt, bad, both, carry_out, catalogue, gate, good, good_lines, results,
};

const ENDING: Ending<'_> = Ending { report: "wsproof-report/index.html", exit: 1 };

fn check(results: &Results, expected: &str) {
    let text = text_summary(&gate(results, None), None);
    assert_eq!(text, expected);
}

#[test]
fn all_is_well() {
    check(&good(), "AB-SUT  5 cases in 5.2 s\nconforms in 5 cases\n5 passed\n");
    check(&Results::default(), "");
}

#[test]
fn deviations_come_with_their_reasons() {
    check(
        &bad(),
        "\
<script>alert('x')</script> \"FAILED\" <U+202E><U+001B>[31m|😀  4 cases in 5.2 s
deviates in 2 of 4 cases; 1 without a result
2 failed, 2 passed, 1 unstable, 1 without result

  FAIL 2.3     Frames have RSV1 set, which no extension gives a meaning
               expected 82 02 FF 00  RSV1, RSV2 and RSV3 all 0
               got      C2 02 FF 00  binary, RSV 100, 2 octets
               RFC 6455, 5.2
  FAIL HS.1.1  The opening handshake is refused with status 403
               expected HTTP/1.1 101
               got      HTTP/1.1 403 Forbidden
               RFC 6455, 4.2.2

unstable  6.4.1 wrong close code beside other cases, passed alone (attempt 2
          counts)
note      The peer got slower, so cases ran alone.
",
    );
}

#[test]
fn a_peer_that_refuses_everything_is_told_so_once() {
    const REFUSAL: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 14\r\n\r\nno \x1b[1mprotocol";
    let mut lines = good_lines("AB-SUT");
    lines.truncate(2);
    for case in &catalogue() {
        let outcome = carry_out(case, Some(REFUSAL), &[(2, Act::Fin)]);
        lines.push(attempt("AB-SUT", case, 2, outcome));
    }
    lines.push(Line::End(End::default()));
    check(
        &results(lines),
        "\
AB-SUT
every opening handshake was refused with status 400: 5 cases
5 failed

  answer  HTTP/1.1 400 Bad Request
          no <U+001B>[1mprotocol
  hint    The tester offered no subprotocol. A server must not demand one, for
          the field is optional (RFC 6455, 4.2.1); if this one does,
          --subprotocol NAME gets the other cases through.

",
    );
}

#[test]
fn an_interrupted_run_says_so_first() {
    let mut lines = good_lines("AB-SUT");
    lines.truncate(6);
    lines.push(Line::End(End { ended: String::new(), interrupted: true }));
    let text =
        "AB-SUT\ninterrupted after 2 of 5 cases, 0 deviating so far\n2 passed, 3 without result\n";
    check(&results(lines), text);
}

#[test]
fn it_fits_the_screen() {
    let case = &catalogue()[0];
    let mut results = both();
    for number in 0..100 {
        let mut case = case.clone();
        case.id = wsproof_engine::CaseId::new(format!("1.9.{number}"));
        results.push(attempt("AB-SUT", &case, 1, carry_out(&case, None, &[])));
    }
    let text = text_summary(&gate(&results, None), Some(ENDING));
    assert!(text.contains("also 1.9.1 1.9.2 1.9.3 1.9.4 1.9.5 and 94 more"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.lines().count() < 50);
}

#[test]
fn a_baseline_tells_new_from_known() {
    let baseline = r#"{ "peers": { "<script>*": { "cases": ["*"], "expect": {
        "2.3": { "grade": "failed", "why": "a proxy in between sets RSV1" },
        "1.1.2": { "grade": ["failed", "non-strict"], "why": "once upon a time" },
        "9.2.*": { "grade": "non-strict", "why": "slow" }
    } } } }"#;
    let baseline = Baseline::parse(baseline).unwrap();
    let text = text_summary(&gate(&bad(), Some(&baseline)), Some(ENDING));
    let (_, after) = text.split_once("1 unstable, 1 without result\n").unwrap();
    assert_eq!(
        after,
        "
  FAIL HS.1.1  The opening handshake is refused with status 403
               expected HTTP/1.1 101
               got      HTTP/1.1 403 Forbidden
               NEW  RFC 6455, 4.2.2
  FAIL 2.3     Frames have RSV1 set, which no extension gives a meaning
               expected 82 02 FF 00  RSV1, RSV2 and RSV3 all 0
               got      C2 02 FF 00  binary, RSV 100, 2 octets
               known  RFC 6455, 5.2
               a proxy in between sets RSV1

unstable  6.4.1 wrong close code beside other cases, passed alone (attempt 2
          counts)
note      The peer got slower, so cases ran alone.
baseline  1 new, 1 known, 1 stale, 1 passing unexpectedly, 1 missing
          unexpected pass 1.1.2: passed where row `1.1.2` expects failed or
          non-strict; remove the row, or narrow it; if it comes and goes, expect
          both
          missing 9.1.1: 1 case without a result (peer unreachable): 9.1.1; find
          out why the peer was gone, and run again
          stale row 9.2.*: row `9.2.*` decides nothing: no case of the peer, or
          more exact rows speak for all of them; correct its pattern or remove
          it
report    wsproof-report/index.html
exit 1
"
    );
}

#[test]
fn what_fails_in_another_way_is_not_new() {
    let baseline = r#"{ "peers": { "*": { "expect": {
        "2.3": { "close": "failed", "why": "a proxy" },
        "HS.1.1": { "grade": "failed", "close": "failed", "why": "a proxy" }
    } } } }"#;
    let baseline = Baseline::parse(baseline).unwrap();
    let text = text_summary(&gate(&bad(), Some(&baseline)), Some(ENDING));
    assert!(
        text.contains("             changed  RFC 6455, 5.2\n") && !text.contains("NEW"),
        "{text}"
    );
}

#[test]
fn many_peers_get_a_line_each() {
    let mut all = good();
    for number in 0..30 {
        let peer = format!("agent with a rather long name/{number}");
        all.push(Line::Peer(PeerInfo { peer, ..PeerInfo::default() }));
    }
    let text = text_summary(&gate(&all, None), Some(ENDING));
    assert!(text.starts_with("AB-SUT                        conforms in 5 cases\n"), "{text}");
    assert!(text.contains("\nagent with a rather long ..   has no results\n"), "{text}");
    assert_eq!(text.lines().count(), 31 + 2);
    for line in crate::sample::bad_lines("bad") {
        all.push(line);
    }
    let text = text_summary(&gate(&all, None), Some(ENDING));
    let says = "\n          failure bad 2.3: failed: the peer sent a reserved bit without an\n";
    assert!(text.contains(says), "{text}");
}
