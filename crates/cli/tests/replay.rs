//! `wsproof replay`: a case of stored results once more.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use support::{BINARY, command, echo, serve, with_defect, wsproof};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use wsproof_proto::handshake::accept_for;
use wsproof_testee::Defect;

/// Runs a command; checks its exit code, the parts of what it says, and that a terminal of 80
/// columns has room for it.
fn check(dir: &Path, args: &[&str], exit: i32, says: &[&str]) {
    let output = wsproof(dir, args);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
    for part in says {
        assert!(text.contains(part), "{args:?} does not say {part}: {text}");
    }
    if args[0] == "replay" {
        let wide = stdout.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{args:?}");
        assert!(!stdout.contains('\u{1b}'), "{args:?}: colours in a pipe");
    }
}

#[test]
fn a_case_is_run_again_as_it_was() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), with_defect(Defect::ControlLongTaken));
    let url = server.url();
    let test = ["test", &url, "--cases", "1.1.1,2.5,6.4.1", "--agent", "x", "--out", "out"];
    let fields = ["--header", "X-Test: secret", "--seed", "7"];
    check(dir, &[&test[..], &fields].concat(), 1, &[]);
    check(
        dir,
        &["replay", "out", "2.5"],
        1,
        &[
            "running 2.5",
            "asked     field X-Test",
            "           X-Test: secret\n",
            "PING final, masked, 126 octets, sha256 ",
            "           89 FE 00 7E|",
            "✗ a control frame with more than 125 octets",
            "8A [7E] 00 7E|FE FE",
            "RFC       FAILED: the peer sent a control frame",
            "stored    the same as stored\nexit 1\n",
        ],
    );
    check(
        dir,
        &["replay", "out/results.jsonl", "6.4.1", "--origin", "http://o"],
        0,
        &[
            "which waits 2 s",
            "Origin: http://o",
            "<F4 90 80 80>",
            "- - - waited 1000 ms: pause, mark A",
            "CLOSE 1007",
            "exit 0\n",
        ],
    );
    // Another server does better, which is said.
    let good = serve(|stream, _| echo(stream));
    let better = ["stored    RFC judgement was FAILED, is OK", "exit 0\n"];
    check(dir, &["replay", "out", "2.5", &good.url()], 0, &better);
    let stored = ["nothing was run", "8A [7E] 00 7E|FE FE", "exit 1\n"];
    drop(server);
    check(dir, &["replay", "out", "2.5", "--stored"], 1, &stored);
    check(dir, &["replay", "out", "2.5"], 3, &["failed to run case 2.5: ", "cannot be reached"]);
    let known = ["there is no result of case 2.6 with x; there are: 1.1.1, 2.5, 6.4.1"];
    check(dir, &["replay", "out", "2.6"], 2, &known);
    let peers = ["there is no peer `y` in the results; there are: x"];
    check(dir, &["replay", "out", "2.5", "--peer", "y"], 2, &peers);
    check(dir, &["replay", "nowhere", "2.5"], 2, &["read the results nowhere"]);

    // The same as results of a client, which nobody can dial.
    let results = fs::read_to_string(dir.join("out/results.jsonl")).unwrap();
    let results = results.replace(r#""role":"client""#, r#""role":"server""#);
    fs::write(dir.join("client.jsonl"), results).unwrap();
    let offer = ["a client asks for its cases itself", "wsproof listen --cases 2.5 --seed 7\n"];
    check(dir, &["replay", "client.jsonl", "2.5"], 1, &offer);
}

#[test]
fn a_server_that_the_run_started_is_started_if_the_command_line_says_so() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let command = format!("exec '{BINARY}' echo 127.0.0.1:{{port}}");
    let test = ["test", "--cases", "1.1.1", "--out", "out", "--server-cmd", &command];
    check(dir, &test, 0, &[]);
    let advice = ["the run started its server itself; do so again with --server-cmd 'exec"];
    check(dir, &["replay", "out", "1.1.1"], 2, &advice);
    let same = ["stored    the same as stored", "exit 0\n"];
    check(dir, &["replay", "out", "1.1.1", "--server-cmd", &command], 0, &same);
    // The built-in server is no program of anybody's.
    check(dir, &["test", "--cases", "1.1.1", "--out", "own"], 0, &[]);
    check(dir, &["replay", "own", "1.1.1"], 0, &same);
}

/// The peer answers only when a line that says what it was asked has been read: a replay that
/// prints in the end would wait for ever, so the peer gives up at last.
#[test]
fn lines_are_printed_when_they_happen() {
    const AT_LAST: Duration = Duration::from_mins(1);
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    let good = serve(|stream, _| echo(stream));
    check(dir, &["test", &good.url(), "--cases", "1.1.2", "--out", "out"], 0, &[]);
    let (release, released) = tokio::sync::watch::channel(false);
    let gave_up = Arc::new(AtomicBool::new(false));
    let seen = gave_up.clone();
    let held = serve(move |stream, _| {
        let gave_up = gave_up.clone();
        let mut released = released.clone();
        async move {
            // Hears the request, is silent, and goes on when it is told to.
            let mut stream = stream;
            let mut request = [0; 4096];
            let n = stream.read(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request[..n]).into_owned();
            let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let accept = accept_for(key.unwrap().as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: \
                 Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            let told = timeout(AT_LAST, released.wait_for(|released| *released)).await;
            gave_up.fetch_or(told.is_err(), Ordering::Relaxed);
        }
    });
    let mut replay = command(BINARY)
        .args(["replay", "out", "1.1.2", &held.url(), "--no-deadline"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(replay.stdout.take().unwrap()).lines().map(Result::unwrap);
    let sent = lines.find(|line| line.contains("TEXT final, masked, 125 octets"));
    assert!(sent.is_some());
    release.send(true).unwrap();
    let rest: Vec<_> = lines.collect();
    assert!(rest.iter().any(|line| line == "what decides"), "{rest:#?}");
    assert!(rest.iter().any(|line| line.contains("✗ the peer ")), "{rest:#?}");
    assert_eq!(replay.wait().unwrap().code(), Some(1));
    assert!(!seen.load(Ordering::Relaxed), "nothing was printed in time");
}
