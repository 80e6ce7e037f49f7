//! The fuzzing server under both names: clients go through its cases and read its reports.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;
use support::{
    hosting::{QUICK, Server, converse, index, judged, request, run_case},
    lines,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use wsproof_testee::{ClientConfig, Defect, Endpoint, Event, connection::drive};

#[test]
fn a_strict_client_passes_and_the_report_is_complete_when_it_is_told_so() {
    let server = Server::start(&["--cases", QUICK, "--agents", "1"]);
    let count = server.walk("strict", None);
    assert!(count > 60, "{count}");
    let (total, bad) = judged(&server.index(), "strict");
    assert_eq!((total, bad), (count, Vec::new()));
    for entry in server.index()["strict"].as_object().unwrap().values() {
        let file = server.dir.path().join("out").join(entry["reportfile"].as_str().unwrap());
        let detail: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(detail["isServer"], true);
        let place = detail["case"].as_u64().unwrap();
        let request = detail["httpRequest"].as_str().unwrap();
        assert!(request.contains(&format!("/runCase?case={place}&agent=strict ")));
    }
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_client_with_a_defect_fails() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "1"]);
    server.walk("wrong", Some(Defect::from_name("silent").unwrap()));
    assert_eq!(server.end().0, Some(1));
}

#[test]
fn the_control_protocol_answers() {
    let server = Server::start(&["--cases", "1.1.1,1.1.2"]);
    assert_eq!(server.ask("/getCaseCount").as_deref(), Some("2"));
    let info: Value = serde_json::from_str(&server.ask("/getCaseInfo?case=2").unwrap()).unwrap();
    assert_eq!(info["id"], "1.1.2");
    assert!(info["description"].as_str().is_some_and(|text| !text.is_empty()));
    for refused in [
        "/runCase?case=3&agent=x",
        "/runCase?case=1",
        "/getCaseInfo?case=0",
        "/getCaseStatus?casetuple=2.1&agent=x",
        "/updateReports",
    ] {
        assert_eq!(server.ask(refused), None, "{refused}");
        let request = request(refused);
        assert_eq!(server.raw(request.as_bytes()), "HTTP/1.1 500 Internal Server Error");
    }
    // None of these leaves a trace.
    drop(TcpStream::connect(server.addr).unwrap());
    assert_eq!(server.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK");
    assert!(server.raw(b"\x16\x03\x01\0\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let status = "/getCaseStatus?case=1&agent=x";
    // It waits until there is a result.
    let endpoint = Endpoint::client(ClientConfig::new("h", status, [3; 32]));
    let waiting = server.runtime.spawn(converse(server.addr, endpoint));
    server.case(2, "x");
    assert!(!waiting.is_finished());
    server.case(1, "x");
    let said = server.runtime.block_on(waiting).unwrap();
    assert_eq!(said.as_deref(), Some(r#"{"behavior": "OK"}"#));
    assert_eq!(server.ask("/updateReports?agent=x&shutdownOnComplete=true"), Some(String::new()));
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(index(dir.path()).as_object().unwrap().len(), 1);
}

#[test]
fn commands_are_obeyed() {
    let server = Server::start(&["--cases", "1.1.1"]);
    let reply = server.runtime.block_on(async {
        let endpoint = Endpoint::client(ClientConfig::new("h", "/", [1; 32]));
        let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
        let (mut endpoint, mut said) = (endpoint, Vec::new());
        let never = CancellationToken::new();
        drive(stream, &mut endpoint, &never, |endpoint, now, event| match event {
            Event::Opened { .. } => {
                endpoint.send_text(now, r#"["echo", {"payload": "ab", "payload_len": 3}]"#);
                endpoint.send_text(now, r#"["close", {"code": 3001, "reason": "enough"}]"#);
            }
            Event::Message { payload, .. } => said.push(String::from_utf8(payload).unwrap()),
            Event::Closed { code, reason, .. } => {
                said.push(format!("{:?} {reason}", code.map(|code| code.0)));
            }
            _ => {}
        })
        .await
        .unwrap();
        said
    });
    assert_eq!(reply, ["aba", "Some(3001) enough"]);
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    // Nobody ran a case, so that there is nothing to judge.
    assert_eq!(server.end().0, Some(3));
}

#[test]
fn a_probe_is_no_client_that_was_there() {
    let server = Server::start(&["--cases", "1.1.1", "--until-idle", "0.001"]);
    for _ in 0..10 {
        assert_eq!(server.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK");
        let closed = [request("/").as_bytes(), b"\x88\x80\0\0\0\0"].concat();
        assert_eq!(server.raw(&closed), "HTTP/1.1 101 Switching Protocols");
    }
    assert_eq!(server.ask("/getCaseCount").as_deref(), Some("1"));
    assert_eq!(server.end().0, Some(3));
}

#[test]
fn agents_may_come_together_and_cases_may_be_repeated() {
    let server = Server::start(&["--cases", "1.1.*", "--agents", "2"]);
    let walk = |agent: &'static str| {
        let addr = server.addr;
        server.runtime.spawn(async move {
            for n in [1, 2, 3, 3, 4, 5, 6, 7, 8] {
                run_case(addr, n, agent, None).await;
            }
        })
    };
    let both = [walk("a"), walk("b")];
    for walking in both {
        server.runtime.block_on(walking).unwrap();
    }
    // An agent that vanishes within the opening handshake, or just after it.
    let request = request("/runCase?case=2&agent=b");
    for (octets, complete) in [(&request[..request.len() - 2], false), (&request, true)] {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        stream.write_all(octets.as_bytes()).unwrap();
        if complete {
            let _ = stream.read(&mut [0]).unwrap();
        }
    }
    assert_eq!(server.ask("/updateReports?agent=a"), Some(String::new()));
    assert_eq!(server.ask("/updateReports?agent=b"), Some(String::new()));
    let index = server.index();
    assert_eq!(judged(&index, "a"), (8, Vec::new()));
    assert_eq!(judged(&index, "b").1.len(), 1, "{index}");
    assert_eq!(index["b"]["1.1.2"]["behavior"], "FAILED");
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(1));
    let attempts = lines(dir.path(), "attempt");
    let third = |line: &&Value| line["peer"] == "a" && line["case"] == "1.1.3";
    let numbers: Vec<_> = attempts.iter().filter(third).map(|line| &line["attempt"]).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_kill_loses_nothing_that_was_judged() {
    let mut server = Server::start(&["--cases", "1.1.*"]);
    server.case(1, "x");
    // Once its status is known, it has been told to whoever writes.
    assert_eq!(
        server.ask("/getCaseStatus?case=1&agent=x").as_deref(),
        Some(r#"{"behavior": "OK"}"#)
    );
    server.case(2, "x");
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    server.process.0.kill().unwrap();
    let (_, _, dir) = server.end();
    assert_eq!(lines(dir.path(), "verdict").len(), 2);
}

#[test]
fn wstest_serves_as_it_always_did() {
    let dir = tempfile::tempdir().unwrap();
    let port = support::free_port();
    let spec = format!(
        r#"{{"url": "ws://127.0.0.1:{port}", "outdir": "out", "cases": ["1.1.*", "7.1.1"],
            "exclude-cases": [], "exclude-agent-cases": {{"x*": ["1.1.2"]}}}}"#
    );
    std::fs::write(dir.path().join("s.json"), spec).unwrap();
    let args = ["wstest", "-m", "fuzzingserver", "-s", "s.json"];
    let server = Server::run(dir, &args, |line| {
        let ready = line.starts_with("Ok, will run 9 test cases for any clients");
        ready.then(|| format!("127.0.0.1:{port}"))
    });
    assert_eq!(server.walk("x/1", None), 9);
    let (total, bad) = judged(&server.index(), "x/1");
    assert_eq!((total, bad), (8, Vec::new()));
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    let (code, rest, _dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(rest.matches("Running test case ID ").count(), 8, "{rest}");
    assert!(rest.contains("Running test case ID 7.1.1 for agent x/1 from peer tcp4:127.0.0.1:"));
    assert!(rest.contains("Skipping test case ID 1.1.2 for agent x/1"), "{rest}");
}

#[test]
fn clients_come_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let config = support::certificate(dir.path(), "localhost");
    let port = support::free_port();
    let spec = format!(
        r#"{{"url": "wss://localhost:{port}", "outdir": "out", "cases": ["1.1.*", "7.3.*"],
            "cert": "cert.pem", "key": "key.pem"}}"#
    );
    std::fs::write(dir.path().join("fuzzingserver.json"), spec).unwrap();
    let server = Server::wstest(dir, port, &[]);
    let connector = TlsConnector::from(config);
    let visit = |target: String| {
        server.runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let stream = connector.connect(name, stream).await.unwrap();
            let config = ClientConfig::new("localhost", target, [5; 32]);
            let mut endpoint = Endpoint::client(config).echo();
            let _ = drive(stream, &mut endpoint, &CancellationToken::new(), |_, _, _| {}).await;
        });
    };
    for n in 1..=14 {
        visit(format!("/runCase?case={n}&agent=tls"));
    }
    visit("/updateReports?agent=tls&shutdownOnComplete=true".to_owned());
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(judged(&index(dir.path()), "tls"), (14, Vec::new()));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    let server = Server::start(&["--cases", "1.1.1"]);
    server.case(1, "x");
    assert!(server.ask("/getCaseStatus?case=1&agent=x").is_some());
    server.signal("-TERM");
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(judged(&index(dir.path()), "x"), (1, Vec::new()));
}

#[test]
fn a_close_frame_is_answered_even_if_tcp_ends_at_once() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "1"]);
    let mut stream = TcpStream::connect(server.addr).unwrap();
    stream.write_all(request("/runCase?case=1&agent=x").as_bytes()).unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n\x81\x00") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        got.extend(octet);
    }
    // The echo and a close frame in one segment: the tester has closed by itself meanwhile.
    stream.write_all(b"\x81\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8").unwrap();
    got.clear();
    let _ = stream.read_to_end(&mut got);
    assert_eq!(got, b"\x88\x02\x03\xe8");
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_request_that_is_refused_is_told() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "1"]);
    let request = request("/runCase?case=1&agent=x").replace("Upgrade: websocket", "Upgrade: h2c");
    for _ in 0..2 {
        assert!(server.raw(request.as_bytes()).starts_with("HTTP/1.1 400 "));
    }
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(3));
    let notes = lines(dir.path(), "note");
    assert_eq!(notes.len(), 1, "{notes:?}");
    let text = notes[0]["text"].as_str().unwrap();
    assert!(text.contains("was refused with 400: Upgrade does not say websocket"), "{text}");
}

#[cfg(unix)]
#[test]
fn an_agent_that_asks_twice_is_one_agent() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "2"]);
    server.case(1, "x");
    for _ in 0..2 {
        assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    }
    server.signal("-TERM");
    // The other one is still missed.
    assert_eq!(server.end().0, Some(3));
}

#[test]
fn nobody_waits_for_a_head_without_end() {
    let server = Server::start(&["--cases", "1.1.1"]);
    let mut stream = TcpStream::connect(server.addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = [b'x'; 4096];
    for _ in 0..100 {
        if stream.write_all(&line).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    // What it has not read makes its end a reset. That it ends is the point.
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "));
}

/// Starts `wsproof listen` with a baseline for agent `x` and the cases 1.1.1 and 1.1.2.
fn with_baseline(rows: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{{ \"peers\": {{ \"x\": {{ \"expect\": {{ {rows} }} }} }} }}");
    std::fs::write(dir.path().join("b.jsonc"), text).unwrap();
    let args = ["listen", "127.0.0.1:0", "--out", "out", "--cases", "1.1.1,1.1.2", "--baseline"];
    let args: Vec<_> = args.into_iter().chain(["b.jsonc", "--agents", "1"]).collect();
    Server::run(dir, &args, |line| line.strip_prefix("listening on ws://").map(str::to_owned))
}

#[test]
fn a_client_must_equal_its_baseline() {
    let server = with_baseline("");
    server.walk("x", None);
    let (exit, text, _) = server.end();
    assert!(exit == Some(0) && text.contains("baseline  0 new, 0 known, 0 stale"), "{text}");
    let silent = "\"1.1.1\": { \"grade\": \"failed\", \"why\": \"x\" }";
    let server = with_baseline(silent);
    server.walk("x", Some(Defect::from_name("silent").unwrap()));
    let (exit, text, _) = server.end();
    assert!(exit == Some(1) && text.contains("baseline  1 new, 1 known, 0 stale"), "{text}");
    // A client that does not ask for every case.
    let server = with_baseline("");
    server.case(1, "x");
    server.ask("/updateReports?agent=x");
    let (exit, text, _) = server.end();
    let says = "missing 1.1.2: 1 case without a result (not asked for): 1.1.2; let the client ask";
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(exit == Some(1) && plain.contains(says), "{text}");
}

#[test]
fn many_agents_get_a_line_each() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "7"]);
    for n in 0..7 {
        server.walk(&format!("agent-{n}"), None);
    }
    let (exit, text, _) = server.end();
    assert_eq!(exit, Some(0), "{text}");
    assert_eq!(text.matches("conforms in 1 case\n").count(), 7, "{text}");
    assert_eq!(text.lines().count(), 7 + 2, "{text}");
}
