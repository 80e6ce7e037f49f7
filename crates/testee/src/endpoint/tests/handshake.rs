//! The opening handshake (RFC 6455, 4).

use super::*;

/// Sends a request in which a line was replaced; gives status line and headers of the answer.
fn answer(request: &str, config: ServerConfig) -> String {
    let mut endpoint = Endpoint::server(config);
    endpoint.handle(Duration::ZERO, Input::Octets(&mut request.as_bytes().to_vec()));
    let all = drain(&mut endpoint, Duration::ZERO);
    let Some(Transmit::Octets(octets)) = all.first() else { return String::new() };
    let text = String::from_utf8(octets.clone()).unwrap();
    let opens = text.starts_with("HTTP/1.1 101");
    assert_eq!(all.get(1), (!opens).then_some(&Transmit::ShutdownWrite), "{text}");
    if !opens {
        let (head, content) = text.split_once("\r\n\r\n").unwrap();
        let length = format!("Content-Length: {}", content.len());
        assert!(head.contains(&length) || request.starts_with("HEAD"), "{text}");
        assert!(head.contains("Connection: ") && head.contains("close"), "{text}");
    }
    text
}

fn check(old: &str, new: &str, status: u16) {
    let request = REQUEST.replacen(old, new, 1);
    assert!(request != REQUEST || old == new, "{old}");
    let found = answer(&request, ServerConfig::default());
    assert!(found.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{found}");
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[test]
fn good_requests_open() {
    assert_eq!(answer(REQUEST, ServerConfig::default()), ANSWER);
    for (old, new) in [
        ("Upgrade: websocket", "upgrade:WebSocket"),
        ("Upgrade: websocket", "Upgrade: h2c, WEBSOCKET"),
        ("Connection: Upgrade", "Connection: keep-alive ,\tupgrade"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"),
        ("Connection: Upgrade", "Connection: , Upgrade,,"),
        ("/chat", "/chat?a=1&b=%20&c="),
        ("/chat", "http://a:1/chat"),
        ("HTTP/1.1", "HTTP/1.2"),
        ("Host: a:1", "Host: [::1]:9001"),
        ("Host", "Content-Length: 0\r\nHost"),
        ("Host", "Cookie: a=b; c=d\r\nX: \r\nHost"),
        ("Host", "Sec-WebSocket-Extensions: x-foo; a=1; b=\"c\"\r\nHost"),
        ("GET", "\r\nGET"),
    ] {
        check(old, new, 101);
    }
}

#[test]
fn bad_requests_are_refused() {
    for (old, new, status) in [
        ("GET", "POST", 405),
        ("GET", "get", 405),
        ("GET", "HEAD", 405),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("HTTP/1.1", "HTTP/2.0", 400),
        ("/chat", "/chat#x", 400),
        ("/chat", "chat", 400),
        ("Host: a:1\r\n", "", 400),
        ("Host: a:1", "Host: a:1\r\nHost: a:1", 400),
        ("Host: a:1", "Host: a b", 400),
        ("Host: a:1", "Host : a", 400),
        ("Upgrade: websocket\r\n", "", 400),
        ("Upgrade: websocket", "Upgrade: websockets", 400),
        ("Connection: Upgrade\r\n", "", 400),
        ("Connection: Upgrade", "Connection: notupgrade", 400),
        ("Sec-WebSocket-Key", "X", 400),
        (KEY, "", 400),
        (KEY, "AAECAwQFBgcICQoLDA0O", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 013", 426),
        ("Version: 13", "Version: 13, 8", 426),
        ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8", 400),
        ("Host", "Content-Length: 5\r\nHost", 400),
        ("Host", "Transfer-Encoding: chunked\r\nHost", 400),
        ("Host", "Sec-WebSocket-Protocol: a, a\r\nHost", 400),
        ("Host", "Sec-WebSocket-Protocol: \r\nHost", 400),
        ("Host", "Sec-WebSocket-Extensions: a; =1\r\nHost", 400),
        ("Host", "garbage\r\nHost", 400),
    ] {
        check(old, new, status);
    }
}

#[test]
fn a_refused_version_names_the_right_one() {
    let found = answer(&REQUEST.replace("13\r\n", "25\r\n"), ServerConfig::default());
    assert!(found.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{found}");
    assert!(found.contains("\r\nUpgrade: websocket\r\n"), "{found}");
    let head = answer(&REQUEST.replace("GET", "HEAD"), ServerConfig::default());
    assert!(head.contains("\r\nAllow: GET\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_subprotocol_is_chosen_only_if_both_speak_it() {
    let config = ServerConfig {
        subprotocols: vec!["b".to_owned(), "c".to_owned()],
        server_name: Some("testee/1".to_owned()),
        ..ServerConfig::default()
    };
    let check = |offer: &str, chosen: Option<&str>| {
        let request = REQUEST.replace("Host", &format!("{offer}Host"));
        let found = answer(&request, config.clone());
        assert!(found.contains("\r\nServer: testee/1\r\n"), "{found}");
        let line = found.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        assert_eq!(line, chosen, "{found}");
    };
    check("", None);
    check("Sec-WebSocket-Protocol: a, B\r\n", None);
    check("Sec-WebSocket-Protocol: a, c, b\r\n", Some("c"));
    check("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", Some("b"));
}

#[test]
fn what_cannot_become_a_request_is_refused_at_once() {
    for octets in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET /chat\r\n",
        b"GET /chat HTTP/1.1\nHost: a\n",
        b"\n",
        &b"x".repeat(70_000),
    ] {
        let mut endpoint = Endpoint::server(ServerConfig::default());
        endpoint.handle(Duration::ZERO, Input::Octets(&mut octets.to_vec()));
        let all = drain(&mut endpoint, Duration::ZERO);
        assert!(
            matches!(&all[..], [Transmit::Octets(o), Transmit::ShutdownWrite] if o.starts_with(b"HTTP/1.1 4")),
            "{all:?}"
        );
    }
    let mut endpoint = Endpoint::server(ServerConfig::default());
    endpoint.handle(Duration::ZERO, Input::Octets(&mut REQUEST.as_bytes()[..20].to_vec()));
    assert_eq!(drain(&mut endpoint, Duration::ZERO), []);
    let deadline = endpoint.poll_timeout().unwrap();
    endpoint.handle_timeout(deadline);
    let all = drain(&mut endpoint, deadline);
    assert!(matches!(&all[0], Transmit::Octets(o) if o.starts_with(b"HTTP/1.1 408")), "{all:?}");
}

#[test]
fn frames_may_follow_the_request_in_the_same_read() {
    let mut endpoint = Endpoint::server(ServerConfig::default()).echo();
    let mut octets = [REQUEST.as_bytes(), &masked(0x81, b"early")].concat();
    endpoint.handle(Duration::ZERO, Input::Octets(&mut octets));
    let expected = [ANSWER.as_bytes(), &plain(0x81, b"early")].concat();
    assert_eq!(drain(&mut endpoint, Duration::ZERO), [Transmit::Octets(expected)]);
}

#[test]
fn a_client_asks_as_it_is_told_and_refuses_a_wrong_answer() {
    let mut config = ClientConfig::new("a:1", "/chat?x", SEED);
    config.subprotocols = vec!["b".to_owned(), "c".to_owned()];
    config.user_agent = Some("testee/1".to_owned());
    config.fields.push(("Origin".to_owned(), "http://a".to_owned()));
    let mut client = Endpoint::client(config);
    let [Transmit::Octets(request)] = &drain(&mut client, Duration::ZERO)[..] else { panic!() };
    let request = String::from_utf8(request.clone()).unwrap();
    let (head, rest) = request.split_once("Sec-WebSocket-Key: ").unwrap();
    assert_eq!(
        head,
        "GET /chat?x HTTP/1.1\r\nHost: a:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    );
    assert_eq!(
        &rest[24..],
        "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: b, c\r\n\
         User-Agent: testee/1\r\nOrigin: http://a\r\n\r\n"
    );
    client.handle(Duration::ZERO, Input::Octets(&mut ANSWER.as_bytes().to_vec()));
    assert!(matches!(&events(&mut client)[..], [Event::Refused { status: Some(101), .. }]));
    assert_eq!(drain(&mut client, Duration::ZERO), [Transmit::Close]);
}
