//! The modes that test nothing: broadcasts, many connections, and samples of WAMP.

use std::{
    io::{BufRead, BufReader, Lines},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, ChildStdout, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;
use wsproof_testee::{Endpoint, Event, ServerConfig, connection};

use crate::{
    servers::Serving,
    support::{BINARY, certificate, command, echo, serve},
    wstest,
};

/// A broadcast client at work, with the lines that it prints. It ends with its guard.
struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listening {
    fn start(url: &str) -> Self {
        let mut child = command(BINARY)
            .args(["wstest", "-m", "broadcastclient", "-w", url])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What this client calls itself, the machine's name apart.
    fn name(&self) -> String {
        format!("[{}]", self.child.id())
    }

    /// Reads until somebody has said `what`.
    fn hears(&mut self, what: &str) {
        let mut heard = Vec::new();
        for line in &mut self.lines {
            let line = line.unwrap();
            assert!(line.starts_with("received:  "), "{line}");
            if line.contains(what) {
                return;
            }
            heard.push(line);
        }
        panic!("nobody said {what}: {heard:?}");
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn broadcasts_reach_all_the_sender_too_and_the_clock_ticks() {
    let dir = TempDir::new().unwrap();
    let server = Serving::start(dir.path(), "broadcastserver", "ws", &[]);
    let url = format!("ws://{}/any", server.addr);
    let mut one = Listening::start(&url);
    one.hears(&one.name());
    let mut other = Listening::start(&url);
    one.hears(&other.name());
    // It greets again every two seconds, and the server ticks each second.
    other.hears(&one.name());
    other.hears("tick ");
    drop(server);
    assert_eq!(one.child.wait().unwrap().code(), Some(0), "the connection has ended");
}

#[test]
fn broadcasts_go_over_tls() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), "elsewhere.example");
    for args in [&["-k", "key.pem", "-c", "cert.pem"] as &[&str], &[]] {
        let server = Serving::start(dir.path(), "broadcastserver", "wss", args);
        let mut client = Listening::start(&format!("wss://{}", server.addr));
        client.hears(&client.name());
    }
}

#[test]
fn a_broadcast_client_prints_one_line_for_each_message() {
    let server = serve(|stream, _| async move {
        let mut endpoint = Endpoint::server(ServerConfig::default());
        let never = CancellationToken::new();
        let _ = connection::drive(stream, &mut endpoint, &never, |endpoint, now, event| {
            if let Event::Message { text: true, payload } = event {
                let said = String::from_utf8(payload).unwrap();
                assert!(said.starts_with("hello from ") && said.ends_with(']'), "{said}");
                endpoint.send_text(now, "größer\nor \u{1b}[31mred");
                endpoint.send_binary(now, [0, 0x7f, 0xff]);
                endpoint.send_text(now, "");
                endpoint.close(now, CloseCode::NORMAL, "");
            }
        })
        .await;
    });
    let dir = TempDir::new().unwrap();
    let output = wstest(dir.path(), &["-m", "broadcastclient", "-w", &server.url()], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let expected =
        ["received:  größer\u{fffd}or \u{fffd}[31mred", "received:  007fff", "received:  "];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

/// A specification for these servers, which gives up after a second.
fn mass(connections: usize, servers: &[SocketAddr]) -> String {
    let servers: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(n, addr)| format!(r#"{{"name": "S{n}", "uri": "ws://{addr}/x", "desc": "any"}}"#))
        .collect();
    format!(
        r#"{{"options": {{"connections": {connections}, "batchsize": 50, "batchdelay": 5,
            "retrydelay": 5, "giveupdelay": 1000}}, "servers": [{}]}}"#,
        servers.join(", ")
    )
}

fn massconnect(dir: &Path, spec: &str, strict: &str) -> (Option<i32>, String) {
    std::fs::write(dir.join("mass.json"), spec).unwrap();
    let args = ["-m", "massconnect", "-s", "mass.json"];
    let Output { status, stdout, .. } = wstest(dir, &args, &[("WSPROOF_STRICT_EXIT", strict)]);
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn many_connections_are_opened_counted_and_closed() {
    let dir = TempDir::new().unwrap();
    let servers = [0; 2].map(|_| serve(|stream, _| echo(stream)));
    let spec = mass(310, &[servers[0].addr, servers[1].addr]);
    let (code, text) = massconnect(dir.path(), &spec, "1");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\"connections\": 310,"), "{text}");
    for (n, server) in servers.iter().enumerate() {
        let start = format!("connected 310 clients to S{n} at ws://{}/x in ", server.addr);
        let line = text.lines().position(|line| line.starts_with(&start)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[line - 1], "......", "{text}");
        assert!(lines[line].ends_with(" seconds (retries 0 = failed 0 + lost 0)"), "{text}");
        assert!(lines[line + 1].starts_with("  opened after: p50 "), "{text}");
    }
}

#[test]
fn a_server_that_is_not_there_is_given_up_and_the_next_one_follows() {
    let dir = TempDir::new().unwrap();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = serve(|stream, _| echo(stream));
    let spec = mass(60, &[dead, server.addr]);
    for (strict, code) in [("0", 0), ("1", 3)] {
        let (ended, text) = massconnect(dir.path(), &spec, strict);
        assert_eq!(ended, Some(code), "{text}");
        assert!(text.contains("connected 0 of 60 clients to S0"), "{text}");
        assert!(text.contains("\n!") && text.contains("refused"), "{text}");
        assert!(
            text.contains("gave up: for 1 s none of the 60 that are missing was opened"),
            "{text}"
        );
        assert!(text.contains("connected 60 clients to S1"), "{text}");
    }
}

#[test]
fn a_spec_for_many_connections_that_cannot_be_used_is_1() {
    let dir = TempDir::new().unwrap();
    let check = |spec: &str, says: &str| {
        let (code, text) = massconnect(dir.path(), spec, "0");
        assert!(code == Some(1) && text.contains(says), "{spec}: {text}");
    };
    let good = mass(1, &["127.0.0.1:1".parse().unwrap()]);
    check(&good.replace("batchsize", "x"), "at `options`: missing field `batchsize`");
    check(&good.replace("uri", "url"), "at `servers[0]`: missing field `uri`");
    check(&good.replace("ws:", "http:"), "neither ws nor wss");
}

#[cfg(unix)]
#[test]
fn a_spec_for_many_connections_is_written_and_limits_are_named_before() {
    let dir = TempDir::new().unwrap();
    // The limit keeps the run from whoever listens on the port of the default.
    let output = command("sh")
        .args(["-c", "ulimit -n 200; exec \"$0\" wstest -m massconnect"])
        .arg(BINARY)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Auto-generating spec file 'massconnect.json'"), "{text}");
    assert!(text.contains("the limit is 200: try `ulimit -n 10064`"), "{text}");
    let written = std::fs::read_to_string(dir.path().join("massconnect.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let options = serde_json::json!(
        {"connections": 10_000, "batchsize": 100, "batchdelay": 10, "retrydelay": 10}
    );
    assert_eq!(written["options"], options);
    assert_eq!(written["servers"][0]["uri"], "ws://127.0.0.1:9000");
}

#[test]
fn samples_of_wamp_are_written() {
    let dir = TempDir::new().unwrap();
    let output = wstest(dir.path(), &["-m", "serializer", "-o", "wamp.json"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let text = std::fs::read_to_string(dir.path().join("wamp.json")).unwrap();
    let samples: Vec<Value> = serde_json::from_str(&text).unwrap();
    for sample in &samples {
        let keys: Vec<_> = sample.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["name", "rmsg", "json", "msgpack"]);
        let json: Value = serde_json::from_str(sample["json"].as_str().unwrap()).unwrap();
        assert_eq!(json, sample["rmsg"]);
    }
    let named = |name: &str| samples.iter().find(|sample| sample["name"] == name).unwrap();
    assert_eq!(named("UNREGISTERED")["msgpack"], "9243ce2f0604aa");
    let output = wstest(dir.path(), &["-m", "serializer", "-o", "no/such/folder"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("write no/such/folder"));
}
