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
