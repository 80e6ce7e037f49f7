//! The summary in the terminal.

use wsproof_report::{JudgeKind, Line, Results, contract::End, text_summary};

use crate::sample::{Act, attempt, bad, both, carry_out, catalogue, good, good_lines, results};

fn check(results: &Results, expected: &str) {
    let text = text_summary(results, &catalogue(), JudgeKind::Rfc);
    assert_eq!(text, expected);
}

#[test]
fn all_is_well() {
    check(&good(), "AB-SUT\nconforms in 5 cases\n5 passed\n");
    check(&Results::default(), "");
}

#[test]
fn deviations_come_with_their_reasons() {
    check(
        &bad(),
        "\
<script>alert('x')</script> \"FAILED\" <U+202E><U+001B>[31m|😀
deviates in 2 of 4 cases; 1 without a result
2 failed, 2 passed, 1 unstable, 1 without result

  FAIL 2.3     the peer sent a reserved bit without an extension that gives ..
  FAIL HS.1.1  the opening handshake was answered with status 403

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
    let text = text_summary(&results, &catalogue(), JudgeKind::Rfc);
    assert!(text.contains("and 80 more"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.lines().count() < 50);
}
