//! The strict client under both names, against fuzzing servers and what is none.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
};

use serde_json::Value;
use support::{BINARY, Listening, Server, command, free_port, serve, wsproof};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;
use wsproof_testee::{Defect, Endpoint, Event, ServerConfig, connection::drive};

/// Everything that ends quickly.
const QUICK: &str = "1.1.*,2.*,3.*,4.1.*,5.1,5.2,6.1.*,7.1.*,7.7.1,10.*,12.1.1,13.7.1";

const ODD: &str = "Käse & Brot #1 /?=%2B+\u{1f980}";

/// A fuzzing server that ends when one client was there, with its report in `out`.
fn listen(dir: &Path, cases: &str, more: &[&str]) -> Listening {
    let args = ["listen", "127.0.0.1:0", "--out", "out", "--agents", "1", "--cases", cases];
    Listening::start(dir, &[&args, more].concat())
}

/// What the report says of `agent`: its cases with their verdicts.
fn verdicts(dir: &Path, agent: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("out/index.json")).unwrap();
    let index: Value = serde_json::from_str(&text).unwrap();
    let cases = index[agent].as_object().unwrap_or_else(|| panic!("no {agent}: {text}"));
    let verdict = |(case, entry): (&String, &Value)| {
        format!("{case} {} {}", entry["behavior"], entry["behaviorClose"])
    };
    cases.iter().map(verdict).collect()
}

#[track_caller]
fn said(output: &Output, exit: i32) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(both).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[track_caller]
fn walks(listening: &[&str], args: &[&str]) {
    let dir = TempDir::new().unwrap();
    let server = listen(dir.path(), QUICK, listening);
    let url = format!("{}/any?path", server.url);
    let output = wsproof(dir.path(), &[&["testee", &url, "--agent", ODD], args].concat());
    said(&output, 0);
    assert_eq!(server.end().0, Some(0), "the server has a client that conforms");
    let verdicts = verdicts(dir.path(), ODD);
    let says = format!("went through {} cases; the server wrote the reports\n", verdicts.len());
    assert_eq!(String::from_utf8_lossy(&output.stdout), says);
    let good = |verdict: &String| verdict.contains("\"OK\" \"OK\"") || verdict.contains("INFORM");
    assert!(verdicts.iter().all(good), "{verdicts:?}");
}

#[test]
fn the_walk_leads_through_all_cases() {
    walks(&[], &[]);
    walks(&[], &["--parallel", "8"]);
    walks(&["--tls", "self-signed"], &["--parallel", "8"]);
}

#[test]
fn a_client_without_compression_is_told_so() {
    let dir = TempDir::new().unwrap();
    let server = listen(dir.path(), "1.1.1,12.1.1", &[]);
    let args = ["testee", &server.url, "--no-deflate"];
    said(&wsproof(dir.path(), &args), 0);
    server.end();
    let name = concat!("wsproof/", env!("CARGO_PKG_VERSION"));
    let expected = ["1.1.1 \"OK\" \"OK\"", "12.1.1 \"UNIMPLEMENTED\" \"OK\""];
    assert_eq!(verdicts(dir.path(), name), expected);
}

#[test]
fn a_defect_shows_in_the_report() {
    let dir = TempDir::new().unwrap();
    let server = listen(dir.path(), "1.1.1", &[]);
    let args = ["testee", &server.url, "--defect", "echoes-twice", "--agent", "twice"];
    said(&wsproof(dir.path(), &args), 0);
    assert_eq!(server.end().0, Some(1));
}

#[test]
fn certificates_are_checked_if_asked_for() {
    let dir = TempDir::new().unwrap();
    let server = listen(dir.path(), "1.1.1", &["--tls", "self-signed"]);
    let text = said(&wsproof(dir.path(), &["testee", &server.url, "--verify"]), 3);
    assert!(text.contains("not trusted") && text.contains("--ca FILE"), "{text}");
}

#[test]
fn the_old_name_prints_the_old_lines() {
    for tls in [&[][..], &["--tls", "self-signed"]] {
        let dir = TempDir::new().unwrap();
        let server = listen(dir.path(), "1.1.1,1.1.2", tls);
        let args = ["wstest", "-m", "testeeclient", "-w", &server.url, "-i", "an old friend"];
        let text = said(&wsproof(dir.path(), &args), 0);
        let peer = server.url.split_once("://").unwrap().1;
        let expected = format!(
            "Ok, will run 2 cases\n\
             Running test case 1/2 as user agent an old friend on peer {peer}\n\
             Running test case 2/2 as user agent an old friend on peer {peer}\n"
        );
        assert_eq!(text, expected);
        server.end();
        assert_eq!(verdicts(dir.path(), "an old friend").len(), 2);
    }
}

/// A server whose first WebSocket says `count` and closes; the others are given to `rest`.
fn counts<H>(count: &'static str, rest: fn(TcpStream, usize) -> H) -> Server
where
    H: Future<Output = ()> + Send + 'static,
{
    serve(move |stream, n| async move {
        if n > 1 {
            return rest(stream, n).await;
        }
        let mut endpoint = Endpoint::server(ServerConfig::default());
        let never = CancellationToken::new();
        let _ = drive(stream, &mut endpoint, &never, |endpoint, now, event| {
            if let Event::Opened { .. } = event {
                if !count.is_empty() {
                    endpoint.send_text(now, count);
                }
                endpoint.close(now, CloseCode::NORMAL, "");
            }
        })
        .await;
    })
}

/// Reads whatever comes and says nothing.
async fn silence(mut stream: TcpStream, _: usize) {
    let mut buf = [0; 4096];
    while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {}
}

async fn gone(_: TcpStream, _: usize) {}

/// Opens the WebSocket and says nothing.
async fn nothing_more(stream: TcpStream, _: usize) {
    let mut endpoint = Endpoint::server(ServerConfig::default());
    let never = CancellationToken::new();
    let _ = drive(stream, &mut endpoint, &never, |_, _, _| {}).await;
}

/// Opens the WebSocket and ends TCP, as a case may, but no answer.
async fn dropped(stream: TcpStream, _: usize) {
    let defect = Defect::from_name("drops-at-open").unwrap();
    let mut endpoint = Endpoint::server(ServerConfig::default()).with_defect(defect);
    let never = CancellationToken::new();
    let _ = drive(stream, &mut endpoint, &never, |_, _, _| {}).await;
}

/// Nothing after the first case.
async fn one_case(stream: TcpStream, n: usize) {
    if n == 2 {
        dropped(stream, n).await;
    }
}

#[track_caller]
fn check(url: &str, says: &str) {
    let dir = TempDir::new().unwrap();
    let text = said(&wsproof(dir.path(), &["testee", url]), 3);
    assert!(text.contains(says), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn what_is_no_fuzzing_server_is_named() {
    check(&counts("h\u{1b}[2Jello", silence).url(), "`h\u{fffd}[2Jello`, which is no number");
    check(&counts("-1", silence).url(), "`-1`, which is no number");
    check(&counts("", silence).url(), "named no number");
    check(&serve(gone).url(), "opened no WebSocket");
    check(&format!("ws://127.0.0.1:{}", free_port()), "connect over TCP");
    let page = serve(|mut stream: TcpStream, n| async move {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        silence(stream, n).await;
    });
    check(&page.url(), "(HTTP status 404)");
    check(&page.url().replace("ws:", "wss:"), "use ws://");
}

#[test]
fn a_server_that_goes_away_ends_the_walk() {
    check(&counts("5", gone).url(), "/runCase?case=1&agent=wsproof");
    check(&counts("2", one_case).url(), "/runCase?case=2&agent=wsproof");
    check(&counts("1", one_case).url(), "/updateReports?agent=wsproof");
    check(&counts("0", dropped).url(), "the reports may be incomplete");
}

#[test]
fn the_old_name_has_ended_when_nobody_is_there() {
    let dir = TempDir::new().unwrap();
    let url = format!("ws://127.0.0.1:{}", free_port());
    for mode in ["testeeclient", "echoclient"] {
        for (strict, exit) in [("0", 0), ("1", 3)] {
            let output = command(BINARY)
                .args(["wstest", "-m", mode, "-w", &url])
                .current_dir(dir.path())
                .env("WSPROOF_STRICT_EXIT", strict)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!((output.status.code(), text.lines().count()), (Some(exit), 1), "{text}");
            assert!(text.contains("connect over TCP"), "{text}");
        }
    }
}

#[test]
fn silence_has_a_limit() {
    // How far it gets in that time is not for a test to say.
    for server in [
        serve(silence),
        serve(nothing_more),
        counts("1", silence),
        counts("0", silence),
        counts("1", nothing_more),
    ] {
        let dir = TempDir::new().unwrap();
        said(&wsproof(dir.path(), &["testee", &server.url(), "--timeout", "0.2"]), 3);
    }
}

// An interrupt is sent as other systems do not.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_walk() {
    for old in [false, true] {
        let (begun, begins) = mpsc::channel();
        let server = serve(move |stream, n| {
            let begun = begun.clone();
            async move {
                let mut endpoint = Endpoint::server(ServerConfig::default());
                let never = CancellationToken::new();
                let _ = drive(stream, &mut endpoint, &never, |endpoint, now, event| match event {
                    Event::Opened { .. } if n == 1 => endpoint.send_text(now, "3"),
                    Event::Opened { .. } => endpoint.send_text(now, "is it open?"),
                    Event::Message { .. } => begun.send(None).unwrap(),
                    Event::Closed { code, .. } if n > 1 => begun.send(Some(code)).unwrap(),
                    _ => {}
                })
                .await;
            }
        });
        let url = server.url();
        let new_name: &[&str] = &["testee", &url];
        let old_name: &[&str] = &["wstest", "-m", "testeeclient", "-w", &url];
        let mut child = command(BINARY)
            .args(if old { old_name } else { new_name })
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert_eq!(begins.recv().unwrap(), None);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert_eq!(begins.recv().unwrap(), Some(Some(CloseCode::GOING_AWAY)));
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

/// What a server with this behaviour sees of `echoclient`, to which it sends two messages.
fn echoed(config: ServerConfig) -> Vec<Event> {
    let (seen, events) = mpsc::channel();
    let server = serve(move |stream, _| {
        let (seen, config) = (seen.clone(), config.clone());
        async move {
            let mut endpoint = Endpoint::server(config);
            let never = CancellationToken::new();
            let _ = drive(stream, &mut endpoint, &never, |endpoint, now, event| {
                match &event {
                    Event::Opened { .. } => {
                        endpoint.send_text(now, "text");
                        endpoint.send_binary(now, vec![0xff; 70_000]);
                    }
                    Event::Message { text: false, .. } => {
                        endpoint.close(now, CloseCode::NORMAL, "");
                    }
                    _ => {}
                }
                seen.send(event).unwrap();
            })
            .await;
        }
    });
    let dir = TempDir::new().unwrap();
    let url = format!("{}/a/path", server.url());
    let output = wsproof(dir.path(), &["wstest", "-m", "echoclient", "-w", &url]);
    assert_eq!(said(&output, 0), "");
    drop(server);
    events.iter().collect()
}

#[test]
fn echoclient_echoes_and_ends_with_the_connection() {
    let events = echoed(ServerConfig::default());
    let [Event::Opened { target, agent, .. }, echoes @ .., closed] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(target, "/a/path");
    assert_eq!(agent.as_deref(), Some(concat!("wsproof/", env!("CARGO_PKG_VERSION"))));
    let text = Event::Message { text: true, payload: b"text".to_vec() };
    let binary = Event::Message { text: false, payload: vec![0xff; 70_000] };
    assert_eq!(echoes, [text, binary]);
    assert!(matches!(closed, Event::Closed { clean: true, .. }), "{closed:?}");
}

#[test]
fn echoclient_drops_who_breaks_the_protocol() {
    let events = echoed(ServerConfig { mask_frames: true, ..ServerConfig::default() });
    let closed = Event::Closed { code: None, reason: String::new(), clean: false };
    assert!(matches!(&events[..], [Event::Opened { .. }, last] if *last == closed), "{events:?}");
}

#[test]
fn echoclient_that_is_refused_says_so() {
    let dir = TempDir::new().unwrap();
    let server = serve(gone);
    let output = wsproof(dir.path(), &["wstest", "-m", "echoclient", "-w", &server.url()]);
    let text = said(&output, 0);
    assert!(text.contains("failed to echo what ws://"), "{text}");
}
