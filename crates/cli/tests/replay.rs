//! `wsproof replay`: a case of stored results once more.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, path::Path};

use support::{BINARY, echo, serve, with_defect, wsproof};
use tempfile::TempDir;
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
            "PING final, masked, 126 octets\n           89 FE 00 7E|",
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
