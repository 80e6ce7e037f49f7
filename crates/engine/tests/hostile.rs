//! Whatever a peer sends and whenever: a run never panics, always ends, and keeps little.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use wsproof_engine::{
    Ask, Case, Class, Corpus, Grade, Input, Kind, Run, RunConfig, Section, Series, Spec, Step,
    Target, Transmit, echo, fill, judge, ms, octets, ping, secs, text, text_message, timeout,
};
use wsproof_proto::Role;

/// Cases that use every step there is.
fn cases() -> Vec<Case> {
    let mut s = Section::new();
    s.case("1.1", "echo")
        .cites(Spec::RFC6455, "5.2")
        .send(text(fill(b'*', 70_000)).chopped(997))
        .kill_after(secs(1))
        .accept(Grade::Strict, [echo()])
        .then_close();
    s.case("1.2", "parts")
        .step(Step::BeginFrame { opcode: wsproof_proto::Opcode::Text, fin: false, length: 6 })
        .step(Step::FramePart(octets("abc")))
        .wait_while_open(secs(1), "A")
        .step(Step::FramePart(octets("def")))
        .kill_after(secs(1))
        .accept(Grade::Strict, [timeout("A")])
        .peer_fails(1007);
    s.case("1.3", "loop").close_after(secs(60)).echo_loop(
        100,
        Kind::Text,
        Series::Same("hello".into()),
    );
    let corpus = Corpus {
        name: "words",
        in_code_points: true,
        octets: || "so viele Wörter wie nötig ".repeat(20).as_bytes().into(),
    };
    s.case("12.1", "compressed loop")
        .deflate(&[Ask { no_context_takeover: false, max_window_bits: Some(9) }, Ask::default()])
        .step(Step::FragmentSize(100))
        .close_after(secs(60))
        .echo_loop(100, Kind::Text, Series::Windows { corpus, size: 300 });
    s.case("1.4", "close")
        .send(ping("x"))
        .close(1000, "")
        .close_after(ms(500))
        .accept(Grade::Strict, [])
        .answered_with(&[1000]);
    s.case("1.5", "first")
        .send(text_message(fill(b'x', 5000)).in_fragments_of(100))
        .accept_first_echo()
        .close_after(secs(10));
    s.case("HS.9.1", "two connections")
        .send(text("one"))
        .step(Step::AwaitEchoes(secs(5)))
        .step(Step::Dial)
        .send(text("two"))
        .step(Step::AwaitEchoes(secs(5)))
        .close(1000, "")
        .step(Step::Use(0))
        .close(1000, "")
        .step(Step::ShutdownWrite)
        .class(Class::Accepted);
    s.into_cases()
}

#[derive(Debug, Clone)]
enum Move {
    Octets(Vec<u8>),
    Answer,
    Eof,
    Reset,
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let frame = prop_oneof![
        Just(b"\x81\x05hello".to_vec()),
        Just(b"\x88\x02\x03\xe8".to_vec()),
        Just(b"\x88\x01\x03".to_vec()),
        Just(b"\x88\x04\x03\xe8\xff\xff".to_vec()),
        Just(b"\x8a\x01x".to_vec()),
        Just(b"\x89\x00".to_vec()),
        Just(b"\x01\x01\xce".to_vec()),
        Just(b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        Just(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec()),
        Just(b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|payload| {
            [&[0xc2, u8::try_from(payload.len()).unwrap_or_default()], &payload[..]].concat()
        }),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let one = prop_oneof![
        6 => frame.prop_map(Move::Octets),
        2 => Just(Move::Answer),
        1 => Just(Move::Eof),
        1 => Just(Move::Reset),
        2 => (0u64..2000).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 0..30)
}

/// The octets that a run has written, each connection by itself.
fn drain(run: &mut Run, now: Duration, connections: usize, keys: &mut [Option<Vec<u8>>]) {
    for (id, key) in keys.iter_mut().enumerate().take(connections) {
        let mut buf = Vec::new();
        while let Some(transmit) = run.poll_transmit(id, now, &mut buf) {
            if transmit == (Transmit::Octets { own_write: false })
                && let Ok(request) = wsproof_proto::handshake::parse_request(&buf)
            {
                *key = request.values("Sec-WebSocket-Key").next().map(<[u8]>::to_vec);
            }
            buf.clear();
        }
    }
}

fn check(case: &Case, role: Role, moves: &[Move]) -> Result<(), TestCaseError> {
    let config = RunConfig::new(role, Target::new("h", "/"), 1);
    let mut run = Run::new(Arc::new(case.clone()), config);
    let (mut now, mut dialled) = (Duration::ZERO, 0);
    let mut keys = [None, None];
    let mut moves = moves.iter();
    while !run.is_over() {
        while let Some(id) = run.poll_dial() {
            run.handle(id, now, Input::Connected);
            dialled = id + 1;
        }
        drain(&mut run, now, dialled, &mut keys);
        for (id, key) in keys.iter().enumerate().take(dialled) {
            match moves.next() {
                Some(Move::Octets(octets)) => {
                    run.handle(id, now, Input::Octets(&mut octets.clone()));
                }
                Some(Move::Answer) => {
                    let extension = match &case.deflate[..] {
                        [] => "",
                        _ => "permessage-deflate; server_max_window_bits=9",
                    };
                    let accept =
                        wsproof_proto::handshake::accept_for(key.as_deref().unwrap_or(b""));
                    let mut answer = format!(
                        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                         Sec-WebSocket-Extensions: {extension}\r\n\
                         Sec-WebSocket-Accept: {accept}\r\n\r\n"
                    )
                    .into_bytes();
                    run.handle(id, now, Input::Octets(&mut answer));
                }
                Some(Move::Eof) => run.handle(id, now, Input::Eof),
                Some(Move::Reset) => run.handle(id, now, Input::Reset),
                Some(Move::Pass(ms)) => {
                    now += Duration::from_millis(*ms);
                    run.handle_timeout(now);
                }
                None => {}
            }
        }
        if moves.len() == 0 && !run.is_over() {
            if let Some(id) = run.poll_dial() {
                run.handle(id, now, Input::Connected);
                dialled = id + 1;
            }
            drain(&mut run, now, dialled, &mut keys);
            if run.is_over() {
                break;
            }
            let due = run.poll_timeout();
            prop_assert!(due.is_some(), "{} waits for nothing", case.id);
            now = now.max(due.unwrap_or(now));
            run.handle_timeout(now);
            prop_assert!(now < Duration::from_mins(5), "{} does not end", case.id);
        }
    }
    let outcome = run.into_outcome(now);
    prop_assert!(outcome.transcript.entries.len() <= 2000);
    // Both judgements have something to say about anything.
    let _ = judge::classic(case, &outcome);
    let _ = judge::rfc(case, &outcome);
    let text = serde_json::to_string(&outcome);
    prop_assert!(text.is_ok(), "{text:?}");
    Ok(())
}

proptest! {
    #[test]
    fn any_peer_is_borne(moves in moves(), server: bool) {
        let role = if server { Role::Server } else { Role::Client };
        for case in cases() {
            check(&case, role, &moves)?;
        }
    }
}
