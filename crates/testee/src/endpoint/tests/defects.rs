//! Each defect shows, and where it is not asked for, the endpoint is still right.

use super::*;

/// A conversation that meets every decision of a server; all that it answers.
fn conversation(mut endpoint: Endpoint) -> Vec<String> {
    let mut seen = Vec::new();
    let scripts: [&[Vec<u8>]; 24] = [
        &[masked(0x81, b"Hello"), masked(0x82, b"x"), masked(0x88, &[0x03, 0xe8])],
        &[masked(0x81, b""), masked(0x8a, b"pong")],
        &[masked(0x01, &[0xce]), masked(0x89, b"ping"), masked(0x89, b"2"), masked(0x80, &[0xba])],
        &[masked(0x81, &b"*".repeat(70_000))],
        &[masked(0x82, &b"*".repeat(40_000))],
        &[masked(0x01, b"a"), masked(0x81, b"b")],
        &[masked(0x81, &[0xed, 0xa0, 0x80]), masked(0x81, &[0xf4, 0x90, 0x80, 0x80])],
        &[masked(0x81, "\u{ffff}\u{fff9}\0".as_bytes())],
        &[masked(0xa1, b"rsv")],
        &[masked(0x85, b"opcode")],
        &[masked(0x80, b"stray")],
        &[masked(0x09, b"fragment")],
        &[masked(0x89, &[0; 126])],
        &[vec![0x81, 0x01, b'x']],
        &[vec![0x81, 0xfe, 0, 1, 0, 0, 0, 0, b'x']],
        &[vec![0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, b'x']],
        &[masked(0x88, &[0x03, 0xe7])],
        &[masked(0x88, &[0x03])],
        &[masked(0x88, &[0x03, 0xe8, 0xff])],
        &[masked(0x88, &4000_u16.to_be_bytes())],
        &[masked(0x88, &1012_u16.to_be_bytes())],
        &[masked(0x88, &[0x03, 0xe8]), masked(0x89, b""), masked(0x81, b"late")],
        &[masked(0x01, &[0xff]), masked(0x00, b"x")],
        &[vec![0x01, 0x84, 0, 0, 0, 0, 0xff, b'x'], b"xx".to_vec()],
    ];
    let blank = endpoint.behaviour.clone();
    for script in scripts {
        endpoint = open_server(Endpoint::server(ServerConfig::default()).echo());
        endpoint.behaviour = blank.clone();
        if let Some(limit) = blank.message_limit {
            endpoint.receiver.limit(limit);
        }
        let mut now = Duration::ZERO;
        for octets in script {
            endpoint.handle(now, Input::Octets(&mut octets.clone()));
            seen.push(format!("{:?}", drain(&mut endpoint, now)));
        }
        while let Some(next) = endpoint.poll_timeout() {
            now = now.max(next);
            endpoint.handle_timeout(now);
            seen.push(format!("{now:?} {:?}", drain(&mut endpoint, now)));
        }
    }
    seen
}

/// Defects that show in the opening handshake, in texts of their own or in a client only.
fn shows_elsewhere(defect: Defect) -> bool {
    let name = defect.name();
    name.starts_with("handshake-")
        || name.starts_with("utf8-accepts-")
        || name.starts_with("accept-")
        || name.starts_with("deflate-")
        || name.ends_with("-unasked")
        || matches!(
            defect,
            Defect::ClosesAtOpen
                | Defect::DropsAtOpen
                | Defect::DropsAfterMany
                | Defect::EarlyOctetsLost
                | Defect::MaskConstant
                | Defect::MessageLimitNone
                | Defect::MessageUnsolicited
                | Defect::SubprotocolDemanded
        )
}

#[test]
fn every_defect_shows() {
    let server = || Endpoint::server(ServerConfig::default());
    let right = conversation(server());
    for &defect in Defect::ALL {
        if !shows_elsewhere(defect) {
            assert!(conversation(server().with_defect(defect)) != right, "{defect}");
        }
    }
}

/// What a server with this defect answers to a good request and what follows from it.
fn opening(defect: Defect, request: &str) -> String {
    let mut endpoint = Endpoint::server(ServerConfig::default()).echo().with_defect(defect);
    let mut octets = [request.as_bytes(), &masked(0x81, b"early")].concat();
    endpoint.handle(Duration::ZERO, Input::Octets(&mut octets));
    match &drain(&mut endpoint, Duration::ZERO)[..] {
        [Transmit::Octets(octets), ..] => String::from_utf8_lossy(octets).into_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn defects_of_the_opening_handshake_show() {
    let right = [ANSWER.as_bytes(), &plain(0x81, b"early")].concat();
    for defect in [
        Defect::AcceptMissing,
        Defect::AcceptWrong,
        Defect::ClosesAtOpen,
        Defect::DropsAtOpen,
        Defect::EarlyOctetsLost,
        Defect::ExtensionUnasked,
        Defect::HandshakeStatus200,
        Defect::MessageUnsolicited,
        Defect::SubprotocolDemanded,
        Defect::SubprotocolUnasked,
    ] {
        assert_ne!(opening(defect, REQUEST).as_bytes(), right, "{defect}");
    }
    for (defect, old, new) in [
        (Defect::HandshakeHostAny, "Host: a:1\r\n", ""),
        (Defect::HandshakeKeyAny, "dGhl", "d"),
        (Defect::HandshakeMethodAny, "GET", "POST"),
        (Defect::HandshakeTokensAny, "websocket\r\nConnection: Upgrade", "h2c"),
        (Defect::HandshakeVersionAny, "Version: 13", "Version: 12"),
        (Defect::HandshakeChecksNothing, "HTTP/1.1", "HTTP/1.0"),
    ] {
        let found = opening(defect, &REQUEST.replacen(old, new, 1));
        assert!(found.starts_with("HTTP/1.1 101 "), "{defect} {found}");
    }
    let found = opening(Defect::HandshakeVersionUnnamed, &REQUEST.replace("13\r\n", "12\r\n"));
    assert!(!found.contains("Sec-WebSocket-Version: 13"), "{found}");
}

#[test]
fn drops_after_many_messages_only() {
    let mut endpoint = echo_server().with_defect(Defect::DropsAfterMany);
    let mut octets = masked(0x81, b"x").repeat(501);
    endpoint.handle(Duration::ZERO, Input::Octets(&mut octets));
    let expected = [Transmit::Octets(plain(0x81, b"x").repeat(500)), Transmit::Close];
    assert_eq!(drain(&mut endpoint, Duration::ZERO), expected);
}

#[test]
fn tcp_is_kept_always_or_after_a_closing_handshake_only() {
    let (close, fault) = (masked(0x88, &[0x03, 0xe8]), masked(0x85, b"opcode"));
    for (defect, octets, ends) in [
        (Defect::TcpKept, &close, false),
        (Defect::TcpKept, &fault, false),
        (Defect::TcpKeptAfterClose, &close, false),
        (Defect::TcpKeptAfterClose, &fault, true),
    ] {
        let mut endpoint = echo_server().with_defect(defect);
        endpoint.handle(Duration::ZERO, Input::Octets(&mut octets.clone()));
        let said = drain(&mut endpoint, Duration::ZERO);
        assert_eq!(said.contains(&Transmit::ShutdownWrite), ends, "{defect}: {said:?}");
        assert_eq!(endpoint.poll_timeout().is_some(), ends, "{defect}");
    }
}

#[test]
fn messages_without_limit() {
    let config = ServerConfig { max_message_size: 1, ..ServerConfig::default() };
    let mut endpoint = open_server(Endpoint::server(config).echo());
    endpoint = endpoint.with_defect(Defect::MessageLimitNone);
    endpoint.handle(Duration::ZERO, Input::Octets(&mut masked(0x81, b"xx")));
    assert_eq!(drain(&mut endpoint, Duration::ZERO), [Transmit::Octets(plain(0x81, b"xx"))]);
}

#[test]
fn a_late_endpoint_is_late_in_everything() {
    let mut endpoint = echo_server().with_defect(Defect::AnswersLate);
    endpoint.handle(Duration::ZERO, Input::Octets(&mut masked(0x89, b"")));
    assert_eq!(drain(&mut endpoint, Duration::ZERO), []);
    let due = endpoint.poll_timeout().unwrap();
    assert_eq!(drain(&mut endpoint, due), [Transmit::Octets(plain(0x8a, b""))]);
}

#[test]
fn a_client_with_one_key_for_all_frames() {
    let (client, _) = pair::opened(ServerConfig::default());
    let mut client = client.echo().with_defect(Defect::MaskConstant);
    client.handle(Duration::ZERO, Input::Octets(&mut plain(0x81, b"").repeat(2)));
    let [Transmit::Octets(octets)] = &drain(&mut client, Duration::ZERO)[..] else { panic!() };
    assert_eq!(octets[..6], octets[6..]);
}
