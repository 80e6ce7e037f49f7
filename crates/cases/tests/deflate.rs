//! Compression: what a server may answer and send, and the verdicts on it. The classic ones are
//! those that the original gave to servers that did the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use wsproof_engine::{Case, Input, Judgement, Outcome, Run, RunConfig, Target, judge};
use wsproof_proto::{
    FrameHeader, FrameItem, FrameReader, Opcode, Role,
    deflate::{Agreement, Compression, Deflater, Inflater, TAIL},
    frame,
    handshake::{accept_for, parse_request},
};

/// What is sent in answer to a message: its number, counted from 1, its text, its compressed echo.
type Reply = dyn Fn(u32, &[u8], &[u8]) -> Vec<u8>;

/// A server that answers with `extension` and does with each message as it is told.
struct Server<'a> {
    extension: &'a str,
    /// What it compresses like, whatever it answered.
    how: Compression,
    reply: &'a Reply,
}

const KEPT: Compression = Compression { context_takeover: true, window_bits: 15 };
const FRESH: Compression = Compression { context_takeover: false, window_bits: 15 };
const PLAIN: &str = "permessage-deflate";

/// A frame from the server.
fn framed(opcode: Opcode, fin: bool, rsv: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let header = FrameHeader { fin, rsv, ..FrameHeader::new(opcode, payload.len() as u64) };
    frame::encode(&header, payload, &mut octets);
    octets
}

fn text(payload: &[u8]) -> Vec<u8> {
    framed(Opcode::Text, true, 4, payload)
}

/// What a server does that does nothing wrong.
fn echoes(_: u32, _: &[u8], compressed: &[u8]) -> Vec<u8> {
    text(compressed)
}

impl Server<'_> {
    fn play(&self, case: &Case) -> Outcome {
        let mut run = Run::new(Arc::new(case.clone()), config());
        let mut now = Duration::ZERO;
        run.handle(0, now, Input::Connected);
        let request = written(&mut run, now);
        let mut answer = self.answer(&request);
        run.handle(0, now, Input::Octets(&mut answer));
        let agreed = run_agreement(case, self.extension);
        let mut reader = FrameReader::new(Role::Client).grant_rsv(4);
        let mut inflater = Inflater::new(agreed.client);
        let mut deflater = Deflater::new(self.how, 6);
        let (mut payload, mut message, mut n) = (Vec::new(), Vec::new(), 0);
        while !run.is_over() {
            let mut octets = written(&mut run, now);
            // A driver has time for it now and then.
            if n % 3 != 0 {
                run.prepare();
            }
            let mut sends = Vec::new();
            let mut rest = &mut octets[..];
            let mut closed = false;
            while let (taken, Some(item)) = reader.read(rest) {
                match item {
                    FrameItem::Payload { data, .. } => payload.extend_from_slice(data),
                    FrameItem::End { header } if header.opcode == Opcode::Close => {
                        sends.extend(framed(Opcode::Close, true, 0, &payload));
                        closed = true;
                    }
                    FrameItem::End { header } => {
                        let each = |octets: &[u8]| {
                            message.extend_from_slice(octets);
                            ControlFlow::Continue(())
                        };
                        inflater.push(&std::mem::take(&mut payload), each).unwrap();
                        if header.fin {
                            inflater.end_message().unwrap();
                            let mut compressed = Vec::new();
                            deflater.message(&message, &mut compressed);
                            n += 1;
                            sends.extend((self.reply)(n, &message, &compressed));
                            message.clear();
                        }
                    }
                    FrameItem::Header { .. } | FrameItem::Violation(_) => {}
                }
                rest = &mut rest[taken..];
            }
            if !sends.is_empty() {
                run.handle(0, now, Input::Octets(&mut sends));
            } else if let Some(due) = run.poll_timeout() {
                now = now.max(due);
                run.handle_timeout(now);
            }
            if closed && !run.is_over() {
                run.handle(0, now, Input::Eof);
            }
        }
        run.into_outcome(now)
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let request = parse_request(request).unwrap();
        let accept = accept_for(request.values("Sec-WebSocket-Key").next().unwrap());
        let extension = match self.extension {
            "" => String::new(),
            value => format!("Sec-WebSocket-Extensions: {value}\r\n"),
        };
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        format!("{head}\r\n{extension}Sec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes()
    }
}

/// What the tester takes the answer for; plain compression where it takes it for nothing.
fn run_agreement(case: &Case, extension: &str) -> Agreement {
    let probe = Server { extension, how: KEPT, reply: &|_, _, _| Vec::new() };
    let mut run = Run::new(Arc::new(case.clone()), config());
    run.handle(0, Duration::ZERO, Input::Connected);
    let request = written(&mut run, Duration::ZERO);
    run.handle(0, Duration::ZERO, Input::Octets(&mut probe.answer(&request)));
    run.give_up(Duration::ZERO);
    let outcome = run.into_outcome(Duration::ZERO);
    outcome.openings[0].agreement.unwrap_or(Agreement { server: KEPT, client: KEPT })
}

fn config() -> RunConfig {
    RunConfig::new(Role::Client, Target::new("h", "/"), 1)
}

fn written(run: &mut Run, now: Duration) -> Vec<u8> {
    let (mut octets, mut buf) = (Vec::new(), Vec::new());
    while run.poll_transmit(0, now, &mut buf).is_some() {
        octets.append(&mut buf);
    }
    octets
}

fn words(judgement: &Judgement) -> String {
    format!("{} / {}", judgement.behavior.name(), judgement.close.name())
}

/// Both verdicts on a server, the classic one first, and something that the RFC's reason says.
fn check(server: &Server<'_>, id: &str, classic: &str, rfc: &str, reason: &str) {
    let case = support::case(id);
    let outcome = server.play(&case);
    let judgement = judge::rfc(&case, &outcome);
    let name = format!("{id}, {}", server.extension);
    assert_eq!(words(&judge::classic(&case, &outcome)), classic, "classic, {name}: {judgement:?}");
    assert_eq!(words(&judgement), rfc, "RFC, {name}: {judgement:?}");
    assert!(judgement.reason.contains(reason), "{name}: {judgement:?}");
}

const PASS: &str = "OK / OK";
const LOST: &str = "FAILED / FAILED";

fn check_answer(id: &str, extension: &str, classic: &str, rfc: &str, reason: &str) {
    let mut how = run_agreement(&support::case(id), extension).server;
    // Small windows are for other tests.
    how.window_bits = how.window_bits.max(9);
    check(&Server { extension, how, reply: &echoes }, id, classic, rfc, reason);
}

#[test]
fn answers_that_are_agreed_to() {
    for extension in [
        PLAIN,
        "Permessage-Deflate",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=\"10\",",
    ] {
        check_answer("12.1.1", extension, PASS, PASS, "unchanged");
    }
    for extension in ["", " ", ","] {
        check_answer("12.1.1", extension, "UNIMPLEMENTED / OK", "UNIMPLEMENTED / OK", "agree");
    }
}

#[test]
fn answers_that_only_the_original_agrees_to() {
    let misfit = "does not keep to the parameters";
    check_answer("13.3.1", PLAIN, PASS, "FAILED / OK", misfit);
    check_answer("13.2.1", PLAIN, PASS, "FAILED / OK", misfit);
    let twelve = "permessage-deflate; server_max_window_bits=12";
    check_answer("13.3.1", twelve, PASS, "FAILED / OK", misfit);
    check_answer("13.7.1", PLAIN, PASS, PASS, "unchanged");
    let zero = "permessage-deflate; server_max_window_bits=010";
    check_answer("12.1.1", zero, PASS, "FAILED / OK", "out of range");
}

#[test]
fn answers_that_fail_the_opening_handshake() {
    for (extension, reason) in [
        ("x-deflate", "was not offered"),
        ("permessage-deflate, permessage-deflate", "more than once"),
        ("permessage-deflate; level=9", "unknown, repeated"),
        ("permessage-deflate;", "unknown, repeated"),
        ("permessage-deflate; server_max_window_bits", "unknown, repeated"),
        ("permessage-deflate; server_max_window_bits=16", "unknown, repeated"),
        ("permessage-deflate; server_no_context_takeover=1", "unknown, repeated"),
        (
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "unknown, repeated",
        ),
    ] {
        check_answer("12.1.1", extension, LOST, LOST, reason);
    }
}

#[test]
fn a_window_is_kept_to_or_not() {
    let nine = "permessage-deflate; server_max_window_bits=9";
    let within = Compression { window_bits: 9, ..KEPT };
    check(&Server { extension: nine, how: within, reply: &echoes }, "13.3.5", PASS, PASS, "");
    let beyond = Server { extension: nine, how: KEPT, reply: &echoes };
    check(&beyond, "13.3.1", LOST, "FAILED / OK", "the agreed window has 512");
    check(&beyond, "13.3.5", LOST, "FAILED / OK", "the agreed window has 512");
    // What a decompressor makes at once it has at hand.
    let both = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9";
    let beyond = Server { extension: both, how: FRESH, reply: &echoes };
    check(&beyond, "13.5.5", PASS, "FAILED / OK", "the agreed window has 512");
}

#[test]
fn a_context_that_was_to_be_left_is_missed() {
    let fresh = "permessage-deflate; server_no_context_takeover";
    let kept = Server { extension: fresh, how: KEPT, reply: &echoes };
    check(&kept, "13.2.3", LOST, "FAILED / OK", "refers to earlier ones");
}

#[test]
fn the_end_of_a_message() {
    let tail = |_: u32, _: &[u8], compressed: &[u8]| text(&[compressed, &TAIL].concat());
    let kept = Server { extension: PLAIN, how: KEPT, reply: &tail };
    check(&kept, "12.1.3", LOST, "FAILED / OK", "the empty block");
    let fresh = "permessage-deflate; server_no_context_takeover";
    let server = Server { extension: fresh, how: FRESH, reply: &tail };
    check(&server, "13.2.3", PASS, "FAILED / OK", "the empty block");
    // A stored block that says that it is the last one, and the octet that the RFC wants after it.
    let last = |_: u32, message: &[u8], _: &[u8]| {
        let length = u16::try_from(message.len()).unwrap();
        let head = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
        text(&[&head, message, &[0]].concat())
    };
    check(&Server { extension: fresh, how: FRESH, reply: &last }, "13.2.3", PASS, PASS, "");
    let kept = Server { extension: PLAIN, how: KEPT, reply: &last };
    check(&kept, "12.1.3", "FAILED / OK", PASS, "unchanged");
}

#[test]
fn bits_behind_the_last_header_mean_nothing() {
    let set = |_: u32, message: &[u8], _: &[u8]| {
        let mut octets = stored(message);
        *octets.last_mut().unwrap() = 0xf8;
        octets
    };
    check(&Server { extension: PLAIN, how: KEPT, reply: &set }, "12.1.1", PASS, PASS, "");
}

#[test]
fn compression_is_a_choice_for_each_message() {
    let now_and_then = |n: u32, message: &[u8], compressed: &[u8]| {
        if n.is_multiple_of(3) { framed(Opcode::Text, true, 0, message) } else { text(compressed) }
    };
    let fresh = "permessage-deflate; server_no_context_takeover";
    let server = Server { extension: fresh, how: FRESH, reply: &now_and_then };
    check(&server, "12.1.1", PASS, PASS, "");
}

#[test]
fn bits_that_do_not_belong() {
    let first = |frame: fn(&[u8]) -> Vec<u8>| {
        move |n: u32, _: &[u8], compressed: &[u8]| {
            if n == 5 { frame(compressed) } else { text(compressed) }
        }
    };
    let check_first = |frame: fn(&[u8]) -> Vec<u8>, classic: &str, reason: &str| {
        let server = Server { extension: PLAIN, how: KEPT, reply: &first(frame) };
        check(&server, "12.1.1", classic, "FAILED / OK", reason);
    };
    let wrong_code = "FAILED / WRONG CODE";
    check_first(
        |octets| {
            let (start, end) = octets.split_at(2);
            [framed(Opcode::Text, false, 4, start), framed(Opcode::Continuation, true, 4, end)]
                .concat()
        },
        wrong_code,
        "RSV1, the mark of a compressed message",
    );
    check_first(
        |octets| [framed(Opcode::Pong, true, 4, b""), text(octets)].concat(),
        wrong_code,
        "RSV1, the mark of a compressed message",
    );
}

/// A text as a stored block.
fn stored(octets: &[u8]) -> Vec<u8> {
    let n = u8::try_from(octets.len()).unwrap();
    text(&[&[0, n, 0, !n, 0xff], octets, &[0]].concat())
}

#[test]
fn texts_are_looked_at_when_they_are_decompressed() {
    let ill_formed = |n: u32, _: &[u8], compressed: &[u8]| {
        if n == 5 { stored(b"\xff0123456789abcde") } else { text(compressed) }
    };
    let server = Server { extension: PLAIN, how: KEPT, reply: &ill_formed };
    check(&server, "12.1.1", "FAILED / UNCLEAN", "FAILED / OK", "not UTF-8");
    let breaks_off = |n: u32, _: &[u8], compressed: &[u8]| {
        if n == 5 { stored(b"0123456789abcde\xc3") } else { text(compressed) }
    };
    let server = Server { extension: PLAIN, how: KEPT, reply: &breaks_off };
    check(&server, "12.1.1", "FAILED / WRONG CODE", "FAILED / OK", "not UTF-8");
}

#[test]
fn what_nobody_asked_for() {
    let ponged = |n: u32, _: &[u8], compressed: &[u8]| {
        let pong = if n == 5 { framed(Opcode::Pong, true, 0, b"hm") } else { Vec::new() };
        [pong, text(compressed)].concat()
    };
    let server = Server { extension: PLAIN, how: KEPT, reply: &ponged };
    check(&server, "12.1.1", "FAILED / OK", PASS, "unchanged");
    let twice = |n: u32, _: &[u8], compressed: &[u8]| {
        let more = if n == 1000 { framed(Opcode::Text, true, 0, b"hm") } else { Vec::new() };
        [text(compressed), more].concat()
    };
    let server = Server { extension: PLAIN, how: KEPT, reply: &twice };
    check(&server, "12.1.1", "FAILED / OK", "FAILED / OK", "");
}

#[test]
fn a_server_that_gives_up() {
    let closes = |at: u32| {
        move |n: u32, _: &[u8], compressed: &[u8]| {
            let close = framed(Opcode::Close, true, 0, b"\x03\xef");
            if n == at { close } else { text(compressed) }
        }
    };
    // The offer hints that messages do not refer to each other.
    let soon = closes(3);
    let server = Server { extension: PLAIN, how: KEPT, reply: &soon };
    check(&server, "12.1.1", LOST, "NON-STRICT / OK", "7.1.1.2");
    let late = closes(300);
    let server = Server { extension: PLAIN, how: KEPT, reply: &late };
    check(&server, "12.1.1", LOST, LOST, "got 299 of 1000 echoes, then a close with 1007");
    let fresh = "permessage-deflate; client_no_context_takeover";
    let server = Server { extension: fresh, how: KEPT, reply: &soon };
    check(&server, "12.1.1", LOST, LOST, "got 2 of 1000 echoes, then a close with 1007");
}

#[test]
fn an_echo_of_the_other_kind() {
    let binary = |_: u32, _: &[u8], compressed: &[u8]| framed(Opcode::Binary, true, 4, compressed);
    let server = Server { extension: PLAIN, how: KEPT, reply: &binary };
    check(&server, "12.1.1", "FAILED / OK", "FAILED / OK", "another kind of message");
}
