//! The closing handshake and the end of TCP (RFC 6455, 7).

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What a server that echoes sends for these octets, and how it sees the end.
fn check(octets: &[Vec<u8>], sent: &[u8], end: (Option<u16>, bool)) {
    let mut endpoint = echo_server();
    endpoint.handle(SECOND, Input::Octets(&mut octets.concat()));
    let found = without_reason(&drain(&mut endpoint, SECOND));
    assert_eq!(found, [Transmit::Octets(sent.to_vec()), Transmit::ShutdownWrite], "{octets:02x?}");
    let closes: Vec<_> = events(&mut endpoint)
        .into_iter()
        .filter_map(|event| match event {
            Event::Closed { code, clean, .. } => Some((code.map(|code| code.0), clean)),
            _ => None,
        })
        .collect();
    assert_eq!(closes, [end]);
    // Nothing more is answered, and TCP ends with the peer's end or after the time that it has.
    endpoint.handle(SECOND, Input::Octets(&mut masked(0x89, b"late")));
    assert_eq!(drain(&mut endpoint, SECOND), []);
    let deadline = endpoint.poll_timeout().unwrap();
    assert_eq!(deadline, SECOND + ServerConfig::default().close_timeout);
    endpoint.handle_timeout(deadline);
    assert_eq!(drain(&mut endpoint, deadline), [Transmit::Close]);
    assert!(endpoint.is_done());
}

fn close_with(code: u16) -> Vec<u8> {
    masked(0x88, &code.to_be_bytes())
}

#[test]
fn a_legal_code_comes_back() {
    check(&[masked(0x88, b"")], &[0x88, 0], (None, true));
    for code in [1000_u16, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999] {
        let [high, low] = code.to_be_bytes();
        check(&[close_with(code)], &[0x88, 2, high, low], (Some(code), true));
    }
    let body = [&[0x03, 0xe8][..], &[b'*'; 123]].concat();
    check(&[masked(0x88, &body)], &[0x88, 2, 0x03, 0xe8], (Some(1000), true));
}

#[test]
fn an_illegal_body_is_a_protocol_error() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        check(&[close_with(code)], &[0x88, 2, 0x03, 0xea], (None, false));
    }
    check(&[masked(0x88, &[0x03])], &[0x88, 2, 0x03, 0xea], (None, false));
    let reason = masked(0x88, &[0x03, 0xe8, 0xed, 0xa0, 0x80]);
    check(&[reason], &[0x88, 2, 0x03, 0xef], (None, false));
}

#[test]
fn nothing_is_answered_behind_a_close() {
    let close = [0x88, 2, 0x03, 0xe8];
    check(&[close_with(1000), masked(0x89, b"")], &close, (Some(1000), true));
    check(&[close_with(1000), masked(0x81, b"x")], &close, (Some(1000), true));
    check(&[close_with(1000), close_with(1001)], &close, (Some(1000), true));
    // A message that has begun does not matter any more.
    check(&[masked(0x01, b"a"), close_with(1000), masked(0x80, b"b")], &close, (Some(1000), true));
}

#[test]
fn our_own_close_waits_for_the_answer() {
    let mut endpoint = echo_server();
    endpoint.close(SECOND, CloseCode::GOING_AWAY, "bye");
    assert_eq!(
        drain(&mut endpoint, SECOND),
        [Transmit::Octets(vec![0x88, 5, 0x03, 0xe9, b'b', b'y', b'e'])]
    );
    endpoint.close(SECOND, CloseCode::NORMAL, "again");
    endpoint.handle(SECOND, Input::Octets(&mut masked(0x81, b"x")));
    assert_eq!(drain(&mut endpoint, SECOND), [], "no echo behind our close");
    endpoint.handle(SECOND, Input::Octets(&mut close_with(4000)));
    assert_eq!(drain(&mut endpoint, SECOND), [Transmit::ShutdownWrite]);
    let code = Some(CloseCode(4000));
    let closed = Event::Closed { code, reason: String::new(), clean: true };
    assert_eq!(events(&mut endpoint), [closed]);
    endpoint.handle(SECOND, Input::Eof);
    assert_eq!(drain(&mut endpoint, SECOND), [Transmit::Close]);
}

#[test]
fn our_own_close_does_not_wait_for_ever() {
    let mut endpoint = echo_server();
    endpoint.close(SECOND, CloseCode::NORMAL, &"ä".repeat(100));
    let [Transmit::Octets(close)] = &drain(&mut endpoint, SECOND)[..] else { panic!() };
    assert_eq!(close[1], 2 + 122, "the reason is cut between characters");
    let deadline = endpoint.poll_timeout().unwrap();
    endpoint.handle_timeout(deadline.mul_f64(0.99));
    assert_eq!(drain(&mut endpoint, deadline), []);
    endpoint.handle_timeout(deadline);
    assert_eq!(drain(&mut endpoint, deadline), [Transmit::Close]);
    assert!(matches!(events(&mut endpoint)[..], [Event::Closed { clean: false, .. }]));
}

#[test]
fn a_lost_connection_is_not_clean() {
    for input in [Input::Eof, Input::Reset] {
        let mut endpoint = echo_server();
        endpoint.handle(SECOND, Input::Octets(&mut masked(0x81, b"x")[..3]));
        endpoint.handle(SECOND, input);
        drain(&mut endpoint, SECOND);
        assert!(endpoint.is_done());
        assert!(matches!(events(&mut endpoint)[..], [Event::Closed { clean: false, .. }]));
    }
}
