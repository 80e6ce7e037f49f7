//! `wsproof` as its users meet it: exit codes, messages, interruption.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use support::{BINARY, command, echo, lines, serve, test, verdicts, wsproof};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// The exit code, and what was said on stderr.
fn check(args: &[&str], exit: i32, says: &str) {
    let dir = TempDir::new().unwrap();
    let output = wsproof(dir.path(), args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
    assert!(text.contains(says), "{args:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    // What is wrong is said before anything is begun.
    let begun = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(exit != 2 || begun == 0, "{args:?}: {text}");
}

#[test]
fn wrong_usage_is_named_with_its_mend() {
    check(&["test", "--cases", "1.1.99"], 2, "`1.1.99` is no case");
    check(&["test", "--exclude", "zz*"], 2, "`zz*` is no case");
    check(&["test", "--exclude", "*"], 2, "leaves no case");
    check(&["test", "--cases", ""], 2, "leave the empty pattern out");
    check(&["test", "localhost:9001"], 2, "ws://");
    check(&["test", "ws://localhost", "--verify"], 2, "wss://");
    check(&["test", "ws://a", "ws://b", "--agent", "x"], 2, "names one server");
    check(&["test", "ws://a", "ws://b", "--server-cmd", "x"], 2, "starts one server");
    check(&["test", "--agent", ""], 2, "--agent");
    check(&["test", "--server-cmd", ""], 2, "--server-cmd");
    check(&["test", "--subprotocol", "a b"], 2, "no white space");
    check(&["echo", "--subprotocol", ""], 2, "no white space");
    check(&["test", "--origin", "http://o\r\nX: y"], 2, "no control characters");
    check(&["listen", "--ready-file", "nowhere/ready"], 2, "make it first");
    check(&["listen", "--ready-file", "."], 2, "name a file");
    check(&["listen", "--client-cmd", ""], 2, "--client-cmd");
    check(&["listen", "localhost"], 2, "written like 127.0.0.1:9001");
    check(&["listen", "--until-idle", "0"], 2, "needs some time");
    check(&["listen", "--client-cmd", "x", "--client-timeout", "0"], 2, "needs some time");
    check(&["test", "--header", "No colon"], 2, "Name: value");
    check(&["test", "--header", "A b: c"], 2, "no field name may have");
    check(&["test", "--jobs", "0"], 2, "1..=1024");
    check(&["load", "ws://a", "--connections", "0"], 2, "a whole number from 1 on");
    check(&["test", "--time-scale", "0.5"], 2, "1 to 1000");
    check(&["test", "--server-ready", "x"], 2, "--server-cmd");
    check(&["cases", "5.21"], 2, "`5.21` is no case");
    check(&["echo", "--defect", "nonsense"], 2, "is no defect");
    check(&["echo", "nowhere"], 2, "nowhere");
    check(&["testee", "localhost:9001"], 2, "ws://");
    check(&["testee", "ws://localhost", "--agent", ""], 2, "--agent");
    check(&["testee", "ws://localhost", "--defect", "nonsense"], 2, "is no defect");
    check(&["testee", "ws://localhost", "--parallel", "0"], 2, "1..=1024");
    check(&["testee", "ws://localhost", "--timeout", "0"], 2, "needs some time");
    check(&["doctor", "ws://localhost"], 2, "not there yet");
    check(&["tset"], 2, "no command");
    check(&[], 2, "Usage");
}

// The commands are written for a POSIX shell.
#[cfg(unix)]
#[test]
fn what_cannot_be_carried_out_is_3() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let out = file.join("report");
    check(&["test", "--cases", "1.1.1", "--out", out.to_str().unwrap()], 3, "create the folder");
    check(
        &["test", "--cases", "1.1.1", "--server-cmd", "echo last words; exit 7"],
        3,
        "exit status 7; its last lines:\n  last words",
    );
    check(
        &["test", "--cases", "1.1.1", "--server-cmd", "sleep 60", "--server-timeout", "0"],
        3,
        "not ready",
    );
    check(&["echo", "203.0.113.1:1"], 3, "listen on 203.0.113.1:1");
}

// The commands are written for a POSIX shell.
#[cfg(unix)]
#[test]
fn a_run_that_cannot_begin_leaves_the_last_one() {
    let dir = TempDir::new().unwrap();
    let run = |more: &[&str], exit: i32| {
        let output = wsproof(dir.path(), &[&["test", "--cases", "1.1.1"], more].concat());
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        std::fs::read(dir.path().join("wsproof-report/results.jsonl")).unwrap()
    };
    let last = run(&[], 0);
    assert!(run(&["--server-cmd", "exit 7"], 3) == last);
    assert!(run(&["--pcapng", "wsproof-report/index.html"], 3) == last);
}

#[test]
fn the_built_in_server_conforms() {
    let dir = TempDir::new().unwrap();
    let output = wsproof(dir.path(), &["test", "--exclude", "6.4.*,9.*,12.*,13.*,5.19,5.20"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("conforms in 246 cases"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(dir.path().join("wsproof-report/index.html").exists());
}

#[test]
fn a_defect_is_found_and_is_1() {
    let dir = TempDir::new().unwrap();
    let mut server = command(BINARY)
        .args(["echo", "127.0.0.1:0", "[::1]:0", "--defect", "pong-wrong-payload"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = said.next().unwrap().unwrap();
        let url = line.strip_prefix("listening on ").unwrap();
        let (exit, text) = test(dir.path(), url, "2.1,2.2", &["--judge", "classic"]);
        assert_eq!(exit, 1, "{text}");
        let judged = verdicts(dir.path());
        assert!(judged.iter().any(|(_, verdict)| verdict.starts_with("FAILED")), "{judged:?}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn several_servers_each_have_a_name() {
    let dir = TempDir::new().unwrap();
    let (one, two) = (serve(|stream, _| echo(stream)), serve(|stream, _| echo(stream)));
    let args = ["test", &one.url(), &two.url(), "--cases", "1.1.*", "--out", "out"];
    let output = wsproof(dir.path(), &args);
    assert_eq!(output.status.code(), Some(0));
    let peers = lines(dir.path(), "peer");
    let names: Vec<_> = peers.iter().map(|peer| peer["peer"].as_str().unwrap()).collect();
    assert_eq!(names, [one.addr.to_string(), two.addr.to_string()]);
}

#[test]
fn the_request_carries_what_was_asked_for() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| echo(stream));
    let more = ["--header", "Authorization: Bearer x", "--origin", "http://o", "--seed", "5"];
    let (exit, text) = test(dir.path(), &server.url(), "1.1.1", &more);
    assert_eq!(exit, 0, "{text}");
    let attempt = &lines(dir.path(), "attempt")[0];
    let request = attempt["outcome"]["openings"][0]["request"].as_str().unwrap().to_owned();
    assert!(request.contains("\r\nOrigin: http://o\r\n"), "{request}");
    assert!(request.contains("\r\nAuthorization: Bearer x\r\n"), "{request}");
    // The same seed gives the same key.
    test(dir.path(), &server.url(), "1.1.1", &more);
    let again = &lines(dir.path(), "attempt")[0];
    assert_eq!(again["outcome"]["openings"][0]["request"].as_str(), Some(request.as_str()));
}

#[cfg(unix)]
#[test]
fn a_server_that_dies_in_the_run_is_reported_with_its_last_words() {
    let dir = TempDir::new().unwrap();
    let binary = BINARY;
    // 5.19 alone takes a second, and by then the server is gone.
    let command = format!("timeout -s KILL 0.6 '{binary}' echo 127.0.0.1:{{port}}");
    let args = ["test", "--server-cmd", &command, "--cases", "1.1.*,5.19", "--out", "out"];
    let output = wsproof(dir.path(), &args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code == 1 || code == 3), "{text}");
    assert!(text.contains("the server died: it ended with"), "{text}");
    assert!(text.contains("listening on ws://127.0.0.1:"), "{text}");
    let notes = lines(dir.path(), "note");
    let died =
        |note: &serde_json::Value| note["text"].as_str().unwrap().contains("the server died");
    assert!(notes.iter().any(died), "{notes:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_was_judged() {
    let dir = TempDir::new().unwrap();
    // Echoes for a while, then accepts and says nothing any more.
    let server = serve(|mut stream: TcpStream, n| async move {
        if n <= 10 {
            return echo(stream).await;
        }
        let mut buf = [0; 4096];
        while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {}
    });
    let mut child = command(BINARY)
        .args(["test", &server.url(), "--cases", "1.*", "--out", "out", "--agent", "peer"])
        .args(["--jobs", "1", "--no-deadline"])
        .current_dir(dir.path())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let results = dir.path().join("out/results.jsonl");
    let judged =
        || std::fs::read_to_string(&results).unwrap_or_default().matches("\"verdict\"").count();
    while judged() < 10 {
        std::thread::yield_now();
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(verdicts(dir.path()).len(), 10);
    assert_eq!(lines(dir.path(), "end")[0]["interrupted"], true);
    let page = std::fs::read_to_string(dir.path().join("out/index.html")).unwrap();
    assert!(page.to_lowercase().contains("interrupted"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(BINARY)
        .args(["cases", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn cases_are_listed_and_shown() {
    let dir = TempDir::new().unwrap();
    let list = wsproof(dir.path(), &["cases"]);
    let text = String::from_utf8_lossy(&list.stdout);
    assert!(text.contains("522 cases"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    let one = wsproof(dir.path(), &["cases", "6.4.3"]);
    let text = String::from_utf8_lossy(&one.stdout);
    assert!(text.contains("begin a frame: text, not final, 21 octets"), "{text}");
    let json = wsproof(dir.path(), &["cases", "1.*", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 16);
}
