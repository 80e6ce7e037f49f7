//! Clients that the binary starts, waits for and judges.

// The commands are written for a POSIX shell.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{lines, wsproof};
use tempfile::TempDir;

/// Listens with a client command; the exit code, and everything that was printed.
fn listen(dir: &TempDir, command: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut args = vec!["listen", "--cases", "1.1.*", "--out", "out", "--client-cmd", command];
    args.extend(more);
    let output = wsproof(dir.path(), &args);
    let text = [output.stderr, output.stdout].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn check(command: &str, more: &[&str], code: i32, says: &str) {
    let dir = TempDir::new().unwrap();
    let (exit, text) = listen(&dir, command, more);
    assert_eq!(exit, Some(code), "{command}: {text}");
    assert!(text.contains(says), "{command}: {text}");
    // It stands in the report as well.
    let notes = lines(dir.path(), "note");
    let first = says.lines().next().unwrap_or_default();
    assert!(notes.iter().any(|note| note["text"].as_str().unwrap().contains(first)), "{notes:?}");
}

#[test]
fn a_client_that_does_nothing_is_reported() {
    check(
        "echo one; echo two >&2; exit 3",
        &[],
        3,
        "the client failed: it ended with exit status 3; its last lines:\n",
    );
    check("kill -9 $$", &[], 3, "the client failed: it ended with signal 9; it printed nothing");
    check("no-such-client {url}", &[], 3, "the client failed: it ended with exit status 127");
    check("true", &[], 3, "no client asked for a case");
    let slow = "echo waiting; exec sleep 600";
    check(slow, &["--client-timeout", "0.2"], 3, "the client was given up: it did nothing for");
}

/// The built-in client as a command.
fn testee(more: &str) -> String {
    format!("'{}' testee {{url}} {more}", env!("CARGO_BIN_EXE_wsproof"))
}

#[test]
fn a_client_that_goes_through_is_judged() {
    for (more, code) in [("", 0), ("--defect adds-octet", 1)] {
        let dir = TempDir::new().unwrap();
        let command = testee(&format!("--agent {{agent}} {more}"));
        // One case, since a wrong echo is waited for a second each.
        let rest = "1.1.2,1.1.3,1.1.4,1.1.5,1.1.6,1.1.7,1.1.8";
        let (exit, text) = listen(&dir, &command, &["--agent", "mine", "--exclude", rest]);
        assert_eq!(exit, Some(code), "{text}");
        let judged = lines(dir.path(), "attempt");
        assert!(judged.iter().all(|attempt| attempt["peer"] == "mine"));
        assert_eq!(judged.len(), 1);
    }
}

#[test]
fn the_environment_says_it_too() {
    let dir = TempDir::new().unwrap();
    let command = testee("--agent x").replace("{url}", "\"$WSPROOF_URL/$WSPROOF_AGENT\"");
    assert_eq!(listen(&dir, &command, &[]).0, Some(0));
}

#[test]
fn several_agents_may_come_from_one_command() {
    let dir = TempDir::new().unwrap();
    let command = format!("{} && {}; exec sleep 600", testee("--agent a"), testee("--agent b"));
    // It does not end by itself, but it is through with both.
    assert_eq!(listen(&dir, &command, &["--agents", "2"]).0, Some(0));
    assert_eq!(lines(dir.path(), "peer").len(), 2);
}

#[test]
fn a_client_that_leaves_early_has_not_gone_through() {
    let dir = TempDir::new().unwrap();
    let script = "exec 3<>/dev/tcp/127.0.0.1/$0; printf 'GET /runCase?case=1&agent=x HTTP/1.1\\r\\n\
        Host: h\\r\\nUpgrade: websocket\\r\\nConnection: upgrade\\r\\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n' >&3; \
        read -r line <&3; exit 7";
    let command =
        format!("exec bash -c \"{}\" \"${{WSPROOF_URL##*:}}\"", script.replace('$', "\\$"));
    let (exit, text) = listen(&dir, &command, &[]);
    // What it did is judged; what it did not do is said.
    assert_eq!(exit, Some(1), "{text}");
    assert!(text.contains("the client failed: it ended with exit status 7"), "{text}");
    assert!(text.contains("x has gone through 1 of 8 cases"), "{text}");
}

#[test]
fn the_port_is_told_in_a_file() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("ready"), "stale").unwrap();
    let command = format!("grep -qx \"$WSPROOF_URL\" ready && {}", testee(""));
    let (exit, text) = listen(&dir, &command, &["--ready-file", "ready"]);
    assert_eq!(exit, Some(0), "{text}");
}
