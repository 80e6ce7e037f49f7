//! Causes: what failed cases have in common, and the octets that show it.

use wsproof_engine::{
    Case, Grade::Strict, Section, Spec::RFC6455, continuation, echo, ping, pong, pong_to, secs,
    text,
};
use wsproof_report::{
    JudgeKind,
    causes::{Cause, causes},
};

use crate::sample::{
    Act::{self, Fin, Send},
    attempt, carry_out, good_lines, results, verdict,
};

const CLOSE_1000: Act = Send(b"\x88\x02\x03\xe8");

fn catalogue() -> Vec<Case> {
    let mut s = Section::new();
    s.case("1.1", "text of five octets")
        .cites(RFC6455, "5.6")
        .send(text(b"Hello"))
        .accept(Strict, [echo()])
        .then_close()
        .kill_after(secs(1));
    s.case("1.2", "text of seven octets in two fragments")
        .cites(RFC6455, "5.4")
        .send_all([text("Hel").not_final(), continuation("lo 2")])
        .accept(Strict, [echo()])
        .then_close()
        .kill_after(secs(1));
    s.case("2.1", "ping")
        .cites(RFC6455, "5.5.3")
        .send(ping(b"ab"))
        .accept(Strict, [pong_to(b"ab")])
        .then_close()
        .kill_after(secs(1));
    s.case("2.2", "pong")
        .cites(RFC6455, "5.5.3")
        .send(pong("hey"))
        .close(1000, "")
        .accept(Strict, [])
        .kill_after(secs(1));
    for (id, octet) in [("3.1", b"x"), ("3.2", b"y")] {
        s.case(id, "RSV3")
            .cites(RFC6455, "5.2")
            .send(text(octet).rsv(1))
            .kill_after(secs(1))
            .accept(Strict, [])
            .peer_fails(1002);
    }
    for (id, octets) in [("6.1", &b"a\xed\xa0\x80"[..]), ("6.2", b"\xc0\xaf")] {
        s.case(id, "ill-formed text")
            .cites(RFC6455, "8.1")
            .send(text(octets))
            .kill_after(secs(1))
            .accept(Strict, [])
            .peer_fails(1007);
    }
    s.into_cases()
}

/// The causes of a peer that does this in these cases; of other cases nothing is known.
fn found(peer: &[(&str, &[Act])]) -> Vec<Cause> {
    found_after(2, peer)
}

/// The same of a peer that begins so many milliseconds after the WebSocket is open.
fn found_after(begin: u64, peer: &[(&str, &[Act])]) -> Vec<Cause> {
    let cases = catalogue();
    let mut lines: Vec<_> = good_lines("x").into_iter().take(2).collect();
    for (id, acts) in peer {
        let case = cases.iter().find(|case| case.id.as_str() == *id).unwrap();
        let acts: Vec<_> =
            acts.iter().enumerate().map(|(n, act)| (begin + n as u64, *act)).collect();
        lines.push(attempt("x", case, 2, carry_out(case, None, &acts)));
        lines.push(verdict("x", case, 2, false));
    }
    causes(&results(lines), "x", JudgeKind::Rfc, &cases)
}

fn check(peer: &[(&str, &[Act])], expected: &[&str]) {
    let told: Vec<_> = found(peer)
        .iter()
        .map(|cause| {
            let ids: Vec<_> = cause.ids.iter().map(wsproof_engine::CaseId::as_str).collect();
            let (rule, hex) = (&cause.rule, [cause.expected.hex(), cause.got.hex()]);
            let place = cause.place.map_or(String::new(), |place| place.words());
            format!(
                "{} | {} | {} {} | {} | {} | {place}",
                cause.sentence,
                ids.join(" "),
                rule.rfc,
                rule.section,
                hex[0],
                hex[1]
            )
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn echoes_and_pongs_that_differ() {
    let altered: &[Act] = &[Send(b"\x81\x05HellO"), CLOSE_1000, Fin];
    check(
        &[("1.1", altered)],
        &[
            "Messages come back changed | 1.1 | 6455 6.2 | 81 05 48 65 6C 6C 6F | 81 05 48 65 6C 6C 4F | \
           octet 4 of the message, 6 of its frame, 6 of the peer's stream",
        ],
    );
    check(
        &[("1.1", &[Send(b"\x81\x04Hell"), CLOSE_1000, Fin])],
        &[
            "Messages come back cut short, after 4 octets | 1.1 | 6455 6.2 | 81 05 48 65 6C 6C 6F | \
           81 04 48 65 6C 6C | octet 4 of the message, 6 of its frame, 6 of the peer's stream",
        ],
    );
    check(
        &[("2.1", &[Send(b"\x8a\x02ba"), CLOSE_1000, Fin])],
        &[
            "Pongs do not carry the octets of their ping | 2.1 | 6455 5.5.3 | 8A 02 61 62 | 8A 02 62 61 | \
           octet 0 of the message, 2 of its frame, 2 of the peer's stream",
        ],
    );
    check(
        &[("2.2", &[Send(b"\x8a\x03hey"), CLOSE_1000, Fin])],
        &["Pongs that nobody asked for are answered with a pong | 2.2 | 6455 5.5.3 |  | \
           8A 03 68 65 79 | "],
    );
    check(
        &[("1.1", &[Send(b"\x81\x03bye"), Send(b"\x81\x05Hello"), CLOSE_1000, Fin])],
        &["Messages come that nobody sent: text “bye” | 1.1 | 6455 6.1 | 81 05 48 65 6C 6C 6F | \
           81 03 62 79 65 | octet 0 of the message, 2 of its frame, 2 of the peer's stream"],
    );
}

#[test]
fn what_passes_is_the_contrast() {
    let good: &[Act] = &[Send(b"\x81\x05Hello"), CLOSE_1000, Fin];
    check(
        &[("1.1", good), ("1.2", &[Send(b"\x88\x02\x03\xea"), Fin])],
        &[
            "Messages of 7 octets and more are refused with 1002 (protocol error) | 1.2 | 6455 7.1.7 | \
           81 07 48 65 6C 6C 6F 20 32 | 88 02 03 EA | ",
        ],
    );
    let causes = found(&[("1.1", good), ("1.2", &[Send(b"\x88\x02\x03\xea"), Fin])]);
    assert_eq!(causes[0].nearby, "1.1 passes");
}

#[test]
fn what_is_not_refused() {
    check(
        &[
            ("6.1", &[Send(b"\x81\x04a\xed\xa0\x80"), Fin]),
            ("6.2", &[Send(b"\x81\x02\xc0\xaf"), Fin]),
        ],
        &[
            "Text with UTF-16 surrogates and over-long forms is echoed instead of refused | 6.1 6.2 | \
           6455 8.1 | 88 .. 03 EF | 81 04 61 ED A0 80 | octet 2 of the message, 4 of its frame, 4 of the peer's stream",
        ],
    );
    let ruler = found(&[("6.1", &[Send(b"\x81\x04a\xed\xa0\x80"), Fin])]).remove(0).ruler.unwrap();
    assert_eq!((ruler.start, ruler.mark), (0, 2));
    assert_eq!(ruler.rows, [("sent", b"a\xed\xa0\x80".to_vec())]);
    check(
        &[("3.1", &[Send(b"\x81\x01x")]), ("3.2", &[])],
        &["Frames with a reserved bit set are accepted instead of refused | 3.1 3.2 | 6455 5.2 | \
           88 .. 03 EA | 81 01 78 | "],
    );
}

#[test]
fn what_nobody_may_send() {
    check(
        &[("1.1", &[Send(b"\xa1\x05Hello"), Fin]), ("1.2", &[Send(b"\xa1\x07Hello 2"), Fin])],
        &["Frames have RSV2 set, which no extension gives a meaning | 1.1 1.2 | 6455 5.2 | \
           81 05 48 65 6C 6C 6F | A1 05 48 65 6C 6C 6F | octet 0 of its frame, 0 of the peer's stream"],
    );
    // With it in other cases, it was not provoked in the one that sends it.
    check(
        &[("1.1", &[Send(b"\x91\x05Hello"), Fin]), ("3.1", &[Send(b"\x91\x01x"), Fin])],
        &["Frames have RSV3 set, which no extension gives a meaning | 1.1 3.1 | 6455 5.2 | \
           81 05 48 65 6C 6C 6F | 91 05 48 65 6C 6C 6F | octet 0 of its frame, 0 of the peer's stream"],
    );
}

#[test]
fn silence_has_no_octets() {
    let causes = found(&[("1.1", &[CLOSE_1000, Fin]), ("2.1", &[])]);
    let told: Vec<_> = causes.iter().map(|cause| cause.got.words.as_str()).collect();
    assert_eq!(causes[1].sentence, "Nothing comes back: no echo, no pong, no close frame");
    assert_eq!(told[1], "no octet within 1 s; the connection stayed open");
}

const ECHO: &[Act] = &[Send(b"\x81\x05Hello"), CLOSE_1000, Fin];
const PONG: &[Act] = &[Send(b"\x8a\x02ab"), CLOSE_1000, Fin];

fn check_late(begin: u64, peer: &[(&str, &[Act])], expected: &[&str]) {
    let found = found_after(begin, peer);
    let told: Vec<_> = found.iter().map(|cause| (&*cause.sentence, cause.ids.len())).collect();
    let told: Vec<_> = told.iter().map(|(sentence, n)| format!("{sentence} | {n}")).collect();
    assert_eq!(told, expected, "{begin}");
}

#[test]
fn a_peer_that_answers_late_has_one_cause() {
    let refused: &[Act] = &[Send(b"\x88\x02\x03\xea"), Fin];
    let all: &[(&str, &[Act])] =
        &[("1.1", ECHO), ("1.2", &[Fin]), ("3.1", refused), ("3.2", refused)];
    check_late(
        1500,
        all,
        &["Answers come too late: after 1.5 s at the earliest; the limit is 1 s | 4"],
    );
    let late = &found_after(1500, &[("1.1", ECHO)])[0];
    assert_eq!(
        late.sentence,
        "Answers come too late: after 1.5 s at the earliest; the limit is 1 s"
    );
    assert_eq!(late.expected.words, "text, 5 octets, as sent, within 1 s");
    assert_eq!(late.got.words, "text, 5 octets, after 1.5 s");
    assert_eq!((late.rule.section, late.ids.len()), ("5.5.2", 1));
    assert!(late.deciding.is_some());
    // Who answers nothing is not late, and one late answer does not speak for a silent case.
    check_late(
        1500,
        &[("1.1", &[])],
        &["Nothing comes back: no echo, no pong, no close frame | 1"],
    );
    check_late(
        1500,
        &[("1.1", ECHO), ("2.1", &[])],
        &[
            "Answers come too late: after 1.5 s at the earliest; the limit is 1 s | 1",
            "Nothing comes back: no echo, no pong, no close frame | 1",
        ],
    );
    // Nor is who was listened to for longer and sent nothing.
    check_late(
        1500,
        &[("1.1", ECHO), ("3.1", refused), ("3.2", refused), ("2.1", &[])],
        &[
            "Answers come too late: after 1.5 s at the earliest; the limit is 1 s | 3",
            "Nothing comes back: no echo, no pong, no close frame | 1",
        ],
    );
    // In time.
    check_late(900, &[("1.1", ECHO), ("2.1", PONG)], &[]);
}
