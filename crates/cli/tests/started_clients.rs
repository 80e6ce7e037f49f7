//! Clients that the binary starts, waits for and judges.

// The commands are written for a POSIX shell.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use support::{BINARY, command, lines, wsproof};
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
    format!("'{BINARY}' testee {{url}} {more}")
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
        // The tester goes away from who did not echo; to send its code back is right.
        assert!(judged.iter().all(|attempt| attempt["rfc"]["close"] == "OK"), "{judged:?}");
        assert_eq!(judged.len(), 1);
    }
}

/// A pipe with a name, by which one sees when the last process ends that holds it.
struct Hold {
    told: mpsc::Receiver<String>,
}

impl Hold {
    fn new(dir: &TempDir) -> Self {
        let path = dir.path().join("hold");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (teller, told) = mpsc::channel();
        thread::spawn(move || {
            let mut said = BufReader::new(File::open(path).unwrap());
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            teller.send(line).unwrap();
            said.read_to_string(&mut String::new()).unwrap();
            teller.send("the end".to_owned()).unwrap();
        });
        Self { told }
    }

    /// The next that is told: a line, then that nobody holds it any more.
    fn told(&self) -> String {
        self.told.recv_timeout(Duration::from_secs(30)).expect("it is told long before")
    }
}

#[test]
fn nothing_is_left_behind() {
    let dir = TempDir::new().unwrap();
    let hold = Hold::new(&dir);
    let command = format!("(echo; exec sleep 600) > hold & {}", testee(""));
    assert_eq!(listen(&dir, &command, &[]).0, Some(0));
    assert_eq!((hold.told(), hold.told()), ("\n".to_owned(), "the end".to_owned()));
}

#[test]
fn the_end_of_the_terminal_ends_the_client_too() {
    let dir = TempDir::new().unwrap();
    let hold = Hold::new(&dir);
    let run = command(BINARY)
        .args(["listen", "--out", "out", "--client-cmd", "exec > hold; echo; exec sleep 600"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The client runs.
    assert_eq!(hold.told(), "\n");
    let args = ["-HUP".to_owned(), run.id().to_string()];
    assert!(Command::new("kill").args(args).status().unwrap().success());
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(3));
    assert_eq!(hold.told(), "the end");
    assert!(dir.path().join("out/index.html").exists());
}

#[test]
fn a_name_that_got_lost_is_told() {
    let dir = TempDir::new().unwrap();
    let command = testee("--agent {agent} #");
    let (exit, text) = listen(&dir, &command, &["--agent", "two # words"]);
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.contains("no client called itself two # words, but one two"), "{text}");
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

#[test]
fn a_link_in_the_place_of_the_ready_file_stays_one() {
    let dir = TempDir::new().unwrap();
    let link = dir.path().join("ready");
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    let command = format!("grep -qx \"$WSPROOF_URL\" elsewhere && {}", testee(""));
    let (exit, text) = listen(&dir, &command, &["--ready-file", "ready"]);
    assert_eq!(exit, Some(0), "{text}");
    assert!(link.is_symlink());
}
