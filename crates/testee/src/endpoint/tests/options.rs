//! What a server may be told beyond the RFC's defaults.

use std::num::NonZeroUsize;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn server(config: ServerConfig) -> Endpoint {
    open_server(Endpoint::server(config).echo())
}

/// What a server that echoes sends for these octets.
fn check(config: ServerConfig, octets: &[Vec<u8>], expected: &[Transmit]) {
    let mut endpoint = server(config);
    endpoint.handle(SECOND, Input::Octets(&mut octets.concat()));
    assert_eq!(without_reason(&drain(&mut endpoint, SECOND)), expected, "{octets:02x?}");
}

fn sends(frames: &[Vec<u8>]) -> Transmit {
    Transmit::Octets(frames.concat())
}

/// What a server sends that fails the connection.
fn failed(code: u16) -> [Transmit; 2] {
    [sends(&[plain(0x88, &code.to_be_bytes())]), Transmit::ShutdownWrite]
}

#[test]
fn frames_may_be_limited_beside_messages() {
    let config = || ServerConfig { max_frame_size: 4, max_message_size: 6, ..Default::default() };
    let fits = [masked(0x02, b"1234"), masked(0x80, b"56")];
    check(config(), &fits, &[sends(&[plain(0x82, b"123456")])]);
    check(config(), &[masked(0x82, b"12345")], &failed(1009));
    check(config(), &[masked(0x02, b"1234"), masked(0x80, b"567")], &failed(1009));
}

#[test]
fn messages_are_cut_and_control_frames_are_not() {
    let config = |size| {
        let fragment_size = NonZeroUsize::new(size);
        ServerConfig { fragment_size, ..ServerConfig::default() }
    };
    check(config(3), &[masked(0x81, b"abc")], &[sends(&[plain(0x81, b"abc")])]);
    check(config(3), &[masked(0x82, b"")], &[sends(&[plain(0x82, b"")])]);
    let fragments = [plain(0x01, b"abc"), plain(0x00, b"def"), plain(0x80, b"g")];
    check(config(3), &[masked(0x81, b"abcdefg")], &[sends(&fragments)]);
    check(config(3), &[masked(0x89, b"abcdefg")], &[sends(&[plain(0x8a, b"abcdefg")])]);
    let large = vec![b'*'; 100_000];
    let fragments = [plain(0x02, &large[..60_000]), plain(0x80, &large[60_000..])];
    let gathered = [masked(0x02, &large[..50_000]), masked(0x80, &large[50_000..])];
    check(config(60_000), &gathered, &[sends(&fragments)]);
}

#[test]
fn a_violation_may_end_tcp_without_a_word() {
    let config = || ServerConfig { fail_by: FailBy::DroppingTcp, ..ServerConfig::default() };
    check(config(), &[masked(0xc1, b"x")], &[Transmit::Close]);
    let close = 1000_u16.to_be_bytes();
    let answer = [sends(&[plain(0x88, &close)]), Transmit::ShutdownWrite];
    check(config(), &[masked(0x88, &close)], &answer);
}

#[test]
fn a_close_is_answered_as_it_is_told() {
    let check = |close_reply, received: &[u8], body: &[u8]| {
        let mut endpoint = server(ServerConfig { close_reply, ..ServerConfig::default() });
        endpoint.handle(SECOND, Input::Octets(&mut masked(0x88, received)));
        let expected = [sends(&[plain(0x88, body)]), Transmit::ShutdownWrite];
        assert_eq!(drain(&mut endpoint, SECOND), expected, "{close_reply:?}");
    };
    check(CloseReply::Normal, b"\x0f\xa0bye", b"\x03\xe8");
    check(CloseReply::Normal, b"", b"\x03\xe8");
    check(CloseReply::SameCode, b"\x0f\xa0bye", b"\x0f\xa0");
    check(CloseReply::SameCodeAndReason, b"\x0f\xa0bye", b"\x0f\xa0bye");
    check(CloseReply::SameCodeAndReason, b"", b"");
}

#[test]
fn text_need_not_be_utf8_if_nobody_asks() {
    let config = || ServerConfig { validate_text: false, ..ServerConfig::default() };
    check(config(), &[masked(0x81, b"\xff")], &[sends(&[plain(0x81, b"\xff")])]);
    let parts = [masked(0x01, b"\xed"), masked(0x80, b"\xa0")];
    check(config(), &parts, &[sends(&[plain(0x81, b"\xed\xa0")])]);
    check(ServerConfig::default(), &parts, &failed(1007));
}

#[test]
fn masks_are_a_matter_of_taste() {
    let config = || ServerConfig { require_masks: false, ..ServerConfig::default() };
    let both = [plain(0x81, b"a"), masked(0x81, b"b")];
    check(config(), &both, &[sends(&[plain(0x81, b"a"), plain(0x81, b"b")])]);
    check(ServerConfig::default(), &both, &failed(1002));

    let mut endpoint = server(ServerConfig { mask_frames: true, ..ServerConfig::default() });
    endpoint.handle(SECOND, Input::Octets(&mut masked(0x81, b"hello")));
    let [Transmit::Octets(frame)] = &mut drain(&mut endpoint, SECOND)[..] else { panic!() };
    let (head, payload) = frame.split_at_mut(6);
    wsproof_proto::mask::apply(*head.last_chunk().unwrap(), 0, payload);
    assert_eq!((&head[..2], &*payload), (&[0x81, 0x85][..], &b"hello"[..]));
}

#[test]
fn another_origin_is_forbidden() {
    let check = |origin: &str, start: &str| {
        let patterns = vec!["http://*.example.com".to_owned()];
        let origins = Origins { patterns, allow_null: false };
        let mut endpoint = Endpoint::server(ServerConfig { origins, ..ServerConfig::default() });
        let request = REQUEST.replace("Host", &format!("{origin}Host"));
        endpoint.handle(SECOND, Input::Octets(&mut request.into_bytes()));
        let all = drain(&mut endpoint, SECOND);
        assert!(
            matches!(&all[0], Transmit::Octets(octets) if octets.starts_with(start.as_bytes())),
            "{origin}: {all:?}"
        );
    };
    check("", "HTTP/1.1 101 ");
    check("Origin: http://a.example.com\r\n", "HTTP/1.1 101 ");
    check("Origin: http://example.org\r\n", "HTTP/1.1 403 Forbidden\r\n");
    check("Origin: null\r\n", "HTTP/1.1 403 ");
    check("Origin: http://a.example.com\r\nOrigin: http://b\r\n", "HTTP/1.1 403 ");
}

#[test]
fn a_timeout_of_zero_is_none() {
    let config = ServerConfig {
        close_timeout: Duration::ZERO,
        handshake_timeout: Duration::ZERO,
        ..ServerConfig::default()
    };
    let endpoint = Endpoint::server(config.clone());
    assert_eq!(endpoint.poll_timeout(), None);
    let mut endpoint = server(config.clone());
    endpoint.close(SECOND, CloseCode::NORMAL, "");
    drain(&mut endpoint, SECOND);
    assert_eq!(endpoint.poll_timeout(), None);
    let mut endpoint = server(config);
    endpoint.handle(SECOND, Input::Octets(&mut masked(0x88, b"")));
    drain(&mut endpoint, SECOND);
    assert_eq!(endpoint.poll_timeout(), None);
    endpoint.handle(SECOND, Input::Eof);
    assert_eq!(drain(&mut endpoint, SECOND), [Transmit::Close]);
}

/// A server that pings every ten seconds, and the payload of its first ping.
fn pinging(timeout: Duration) -> (Endpoint, Vec<u8>) {
    let auto_ping = Some(AutoPing { interval: SECOND * 10, timeout, size: 12 });
    let mut endpoint = server(ServerConfig { auto_ping, ..ServerConfig::default() });
    endpoint.handle_timeout(SECOND * 9);
    assert_eq!(drain(&mut endpoint, SECOND * 9), []);
    let payload = pinged(&mut endpoint, SECOND * 10);
    (endpoint, payload)
}

/// The payload of the ping that is due at `now` and not before.
fn pinged(endpoint: &mut Endpoint, now: Duration) -> Vec<u8> {
    assert_eq!(endpoint.poll_timeout(), Some(now));
    endpoint.handle_timeout(now);
    let [Transmit::Octets(ping)] = &drain(endpoint, now)[..] else { panic!("no ping") };
    assert_eq!((&ping[..2], ping.len()), (&[0x89, 12][..], 14));
    ping[2..].to_vec()
}

#[test]
fn pings_follow_the_pongs() {
    for timeout in [Duration::ZERO, SECOND * 3] {
        let (mut endpoint, first) = pinging(timeout);
        let limit = (!timeout.is_zero()).then(|| SECOND * 13);
        assert_eq!(endpoint.poll_timeout(), limit);
        // A pong that nobody asked for changes nothing.
        endpoint.handle(SECOND * 11, Input::Octets(&mut masked(0x8a, b"other")));
        assert_eq!(endpoint.poll_timeout(), limit);
        endpoint.handle(SECOND * 12, Input::Octets(&mut masked(0x8a, &first)));
        let second = pinged(&mut endpoint, SECOND * 22);
        assert_ne!(first, second);
    }
}

#[test]
fn a_missing_pong_ends_tcp() {
    let (mut endpoint, _) = pinging(SECOND * 3);
    endpoint.handle(SECOND * 11, Input::Octets(&mut masked(0x81, b"x")));
    drain(&mut endpoint, SECOND * 11);
    endpoint.handle_timeout(SECOND * 13);
    assert_eq!(drain(&mut endpoint, SECOND * 13), [Transmit::Close]);
    assert!(matches!(events(&mut endpoint)[..], [Event::Closed { clean: false, .. }]));
    assert!(endpoint.is_done() && endpoint.poll_timeout().is_none());
}

#[test]
fn a_closing_connection_is_not_pinged() {
    let (mut endpoint, _) = pinging(SECOND * 3);
    endpoint.close(SECOND * 11, CloseCode::NORMAL, "");
    drain(&mut endpoint, SECOND * 11);
    let close_timeout = ServerConfig::default().close_timeout;
    assert_eq!(endpoint.poll_timeout(), Some(SECOND * 11 + close_timeout));
}

/// A client whose opening handshake is over.
fn client(config: ClientConfig) -> Endpoint {
    let server = Endpoint::server(ServerConfig::default());
    let mut pair = pair::Pair::new(Endpoint::client(config), server);
    pair.drive();
    events(&mut pair.client);
    pair.client
}

#[test]
fn a_client_may_give_up_a_server_that_says_nothing() {
    let idle_timeout = SECOND * 10;
    let mut endpoint = client(ClientConfig { idle_timeout, ..ClientConfig::new("a:1", "/", SEED) });
    assert_eq!(endpoint.poll_timeout(), Some(SECOND * 10));
    endpoint.handle(SECOND * 9, Input::Octets(&mut plain(0x01, b"so")));
    endpoint.handle_timeout(SECOND * 10);
    assert_eq!((endpoint.poll_timeout(), events(&mut endpoint)), (Some(SECOND * 19), vec![]));
    endpoint.handle_timeout(SECOND * 19);
    let closed = Event::Closed { code: None, reason: String::new(), clean: false };
    assert_eq!(events(&mut endpoint), [Event::Silent, closed]);
    assert_eq!(drain(&mut endpoint, SECOND * 19), [Transmit::Close]);
    assert!(endpoint.is_done());
}

#[test]
fn a_client_closes_and_fails_as_it_is_told() {
    let config = || ClientConfig::new("a:1", "/", SEED);
    let drop = ClientConfig { fail_by: FailBy::DroppingTcp, ..config() };
    let normal = ClientConfig { close_reply: CloseReply::Normal, ..config() };
    let close = |code: u16| plain(0x88, &code.to_be_bytes());
    // The octets behind the mask are not known, their number is.
    for (config, octets, sent, last) in [
        (config(), plain(0xc1, b"x"), 9..=131, None),
        (drop, plain(0xc1, b"x"), 0..=0, Some(Transmit::Close)),
        (config(), plain(0x88, b""), 6..=6, None),
        (normal.clone(), plain(0x88, b""), 8..=8, None),
        (normal, close(3000), 8..=8, None),
    ] {
        let mut endpoint = client(config);
        endpoint.handle(SECOND, Input::Octets(&mut octets.clone()));
        let mut found = drain(&mut endpoint, SECOND);
        let octets_sent = match found.first() {
            Some(Transmit::Octets(octets)) => octets.len(),
            _ => 0,
        };
        assert!(sent.contains(&octets_sent), "{octets:02x?}: {found:02x?}");
        found.retain(|transmit| !matches!(transmit, Transmit::Octets(_)));
        assert_eq!(found, Vec::from_iter(last), "{octets:02x?}");
    }
}
