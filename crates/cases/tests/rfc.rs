//! Where the RFC judgement differs from the classic one, and on what it rests.

mod support;

use std::time::Duration;

use support::{Act, Cut, case, play};
use wsproof_engine::{Basis, judge};
use wsproof_proto::Role;

/// A server that sends `acts` (milliseconds, octets; no octets end TCP) gets these verdicts:
/// classic and RFC, each behaviour and close, and whether it deviates.
fn check(id: &str, acts: &[(u64, &[u8])], classic: &str, rfc: &str, deviates: bool) {
    let case = case(id);
    let script: Vec<_> = acts
        .iter()
        .map(|(at, octets)| Act {
            at: Duration::from_millis(*at),
            send: (!octets.is_empty()).then(|| octets.to_vec()),
        })
        .collect();
    for cut in [Cut::Whole, Cut::Octets, Cut::Random(3)] {
        let outcome = play(&case, Role::Client, &script, cut);
        let words = |j: &judge::Judgement| format!("{} / {}", j.behavior.name(), j.close.name());
        let judgement = judge::rfc(&case, &outcome);
        assert_eq!(words(&judge::classic(&case, &outcome)), classic, "{id}, classic");
        assert_eq!(words(&judgement), rfc, "{id}, RFC: {judgement:?}");
        assert_eq!(judgement.deviates(), deviates, "{id}: {judgement:?}");
    }
}

const END: &[u8] = b"";
const CLOSE_1000: &[u8] = b"\x88\x02\x03\xe8";
const CLOSE_1001: &[u8] = b"\x88\x02\x03\xe9";
const CLOSE_1002: &[u8] = b"\x88\x02\x03\xea";
const HELLO: &[u8] = b"\x81\x0dHello, world!";

#[test]
fn a_silent_peer_is_not_praised() {
    check("3.1", &[], "OK / FAILED", "FAILED / FAILED", true);
    check("7.9.2", &[], "OK / FAILED BY CLIENT", "FAILED / FAILED BY CLIENT", true);
    check("7.3.1", &[], "OK / UNCLEAN", "FAILED / UNCLEAN", true);
}

#[test]
fn codes_that_were_registered_later_are_legal() {
    let close_1012 = b"\x88\x02\x03\xf4";
    let pong = b"\x8a\x00";
    check(
        "2.1",
        &[(10, pong), (20, close_1012), (30, END)],
        "OK / UNCLEAN",
        "OK / WRONG CODE",
        false,
    );
    check("3.1", &[(10, close_1012), (20, END)], "OK / FAILED", "OK / WRONG CODE", false);
}

#[test]
fn codes_that_no_endpoint_may_send_are_a_deviation() {
    let close_1005 = b"\x88\x02\x03\xed";
    check(
        "7.9.2",
        &[(10, b"\x88\x02\x03\xe7"), (20, END)],
        "FAILED / WRONG CODE",
        "FAILED / WRONG CODE",
        true,
    );
    check("3.1", &[(10, close_1005), (20, END)], "OK / FAILED", "OK / WRONG CODE", true);
}

#[test]
fn which_legal_code_answers_is_recommended_only() {
    check(
        "7.1.1",
        &[(10, b"\x81\x0cHello World!"), (20, b"\x88\x02\x03\xe9"), (30, END)],
        "FAILED / WRONG CODE",
        "OK / WRONG CODE",
        false,
    );
    check("3.1", &[(10, CLOSE_1000), (20, END)], "OK / WRONG CODE", "OK / WRONG CODE", false);
    // But a legal code must not be taken for an error.
    check(
        "7.7.10",
        &[(10, CLOSE_1002), (20, END)],
        "FAILED / WRONG CODE",
        "FAILED / WRONG CODE",
        true,
    );
}

#[test]
fn a_heartbeat_is_no_fault() {
    let close: &[(u64, &[u8])] = &[(1100, CLOSE_1000), (1200, END)];
    let pass = |id, acts: &[(u64, &[u8])]| {
        check(id, &[acts, close].concat(), "FAILED / OK", "OK / OK", false);
    };
    pass("1.1.2", &[(5, b"\x8a\x01h"), (10, &[b"\x81\x7d", &[b'*'; 125][..]].concat())]);
    pass("2.2", &[(5, b"\x8a\x00"), (10, b"\x8a\x0dHello, world!"), (11, b"\x8a\x01h")]);
    let sooner: &[(u64, &[u8])] = &[(10, b"\x8a\x01h"), (20, CLOSE_1000), (30, END)];
    check("2.7", sooner, "FAILED / OK", "OK / OK", false);
    // But a pong is not answered, and a ping is, with its payload.
    let fail = |id, acts: &[(u64, &[u8])]| {
        check(id, &[acts, close].concat(), "FAILED / OK", "FAILED / OK", true);
    };
    let back: &[(u64, &[u8])] =
        &[(10, b"\x8a\x18unsolicited pong payload"), (20, CLOSE_1000), (30, END)];
    check("2.8", back, "FAILED / OK", "FAILED / OK", true);
    fail("2.2", &[(10, b"\x8a\x00")]);
}

#[test]
fn a_code_of_the_testers_own_may_be_sent_back() {
    let acts: &[(u64, &[u8])] = &[(1500, b"\x88\x02\x03\xe9"), (1600, END)];
    check("1.1.2", acts, "FAILED / WRONG CODE", "FAILED / OK", true);
    // Another one than the tester's is allowed.
    check(
        "7.7.10",
        &[(10, CLOSE_1001), (20, END)],
        "FAILED / WRONG CODE",
        "OK / WRONG CODE",
        false,
    );
}

#[test]
fn disputed_readings_and_races_are_not_punished() {
    check("7.1.5", &[(10, CLOSE_1002), (20, END)], "FAILED / WRONG CODE", "OK / WRONG CODE", false);
    check("3.2", &[(10, CLOSE_1002), (20, END)], "NON-STRICT / OK", "OK / OK", false);
    check(
        "6.4.1",
        &[(2100, b"\x88\x02\x03\xef"), (2200, END)],
        "NON-STRICT / OK",
        "OK / OK",
        false,
    );
    let pong = |n: u8| [b"\x8a\x09payload-", &[b'0' + n][..]].concat();
    let (third, last) = (pong(3), pong(9));
    let close = (3100, CLOSE_1000);
    check("2.10", &[(10, &last), close, (3200, END)], "FAILED / OK", "OK / OK", false);
    check(
        "2.10",
        &[(10, &third), (11, &last), close, (3200, END)],
        "FAILED / OK",
        "OK / OK",
        false,
    );
    check("2.10", &[(10, &third), close, (3200, END)], "FAILED / OK", "FAILED / OK", true);
    check(
        "2.10",
        &[(10, &last), (11, &third), close, (3200, END)],
        "FAILED / OK",
        "FAILED / OK",
        true,
    );
}

#[test]
fn a_pong_behind_the_message_is_late_and_no_fault() {
    let (message, pong) = (b"\x81\x12fragment1fragment2", b"\x8a\x0cping payload");
    check(
        "5.6",
        &[(10, message), (11, pong), (1100, CLOSE_1000), (1200, END)],
        "FAILED / OK",
        "NON-STRICT / OK",
        false,
    );
}

#[test]
fn contents_are_compared_in_the_large_cases() {
    let mut echo = vec![0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
    echo.extend(b"BAsd7&jh23".iter().cycle().take(65536));
    let close: &[(u64, &[u8])] = &[(20, CLOSE_1000), (30, END)];
    check("9.1.1", &[&[(10, &echo[..])], close].concat(), "OK / OK", "OK / OK", false);
    echo[40_000] ^= 1;
    check("9.1.1", &[&[(10, &echo[..])], close].concat(), "OK / OK", "FAILED / OK", true);
}

#[test]
fn a_limit_on_messages_is_allowed() {
    let too_big: &[(u64, &[u8])] = &[(10, b"\x88\x02\x03\xf1"), (20, END)];
    check("9.1.1", too_big, "FAILED / FAILED", "NON-STRICT / OK", false);
    check("9.1.1", &[(10, END)], "FAILED / FAILED", "FAILED / FAILED", true);
}

#[test]
fn an_illegal_frame_is_a_deviation_wherever_it_comes() {
    let masked = [b"\x89\x80\x01\x02\x03\x04", CLOSE_1002].concat();
    check("3.1", &[(10, &masked), (20, END)], "OK / FAILED", "FAILED / FAILED", true);
    // An illegal ping behind everything that was expected.
    let late = [HELLO, CLOSE_1002, b"\xc9\x00"].concat();
    check(
        "3.2",
        &[(10, &late), (20, END)],
        "OK / FAILED BY CLIENT",
        "FAILED / FAILED BY CLIENT",
        true,
    );
}

#[test]
fn a_server_that_never_ends_tcp_deviates() {
    let pong = b"\x8a\x0dHello, world!";
    check("2.2", &[(10, pong), (20, CLOSE_1000)], "OK / UNCLEAN", "OK / UNCLEAN", true);
    check("3.1", &[(10, CLOSE_1002)], "OK / FAILED BY CLIENT", "OK / FAILED BY CLIENT", false);
}

#[test]
fn the_basis_is_named() {
    let case = case("7.1.5");
    let act = |at, send| Act { at: Duration::from_millis(at), send };
    let script = [act(10, Some(CLOSE_1002.to_vec())), act(20, None)];
    let outcome = play(&case, Role::Client, &script, Cut::Whole);
    assert_eq!(judge::rfc(&case, &outcome).close_basis, Basis::Disputed);
}
