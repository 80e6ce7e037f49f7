//! Captures, read by Wireshark's own dissector of WebSocket.
//!
//! Without `tshark` the test is skipped and says so; under `CI=true` it fails instead. Elsewhere
//! than on Linux it is run on request.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, path::Path, process::Command};

use serde_json::Value;
#[cfg(unix)]
use support::hosting::Server;
use support::{echo, lines, packages, serve, test, wsproof};
use tempfile::TempDir;

const TESTER: &str = "192.0.2.1";
const PEER: &str = "192.0.2.2";

/// The fields of the packets that fit the filter, several of one packet separated by commas.
fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", file.display());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Opcode, the seven bits of the length, and whether the frame is masked, as Wireshark sees it.
fn dissected(file: &Path, from: &str) -> Vec<(u64, u64, bool)> {
    let fields = ["websocket.opcode", "websocket.payload_length", "websocket.mask"];
    let packets = tshark(file, &format!("websocket && ip.src == {from}"), &fields);
    let frames = packets.iter().flat_map(|packet| {
        let column = |n: usize| packet[n].split(',').map(|n| n.parse::<u64>().unwrap());
        column(0).zip(column(1)).zip(column(2)).map(|((a, b), c)| (a, b, c == 1))
    });
    frames.collect()
}

/// The same of the transcript.
fn logged(attempt: &Value, what: &str) -> Vec<(u64, u64, bool)> {
    let entries = attempt["outcome"]["transcript"]["entries"].as_array().unwrap();
    let frames = entries.iter().filter(|entry| entry["what"] == what).map(|entry| {
        let header = &entry["header"];
        let length = match header["form"].as_str().unwrap() {
            "bits16" => 126,
            "bits64" => 127,
            _ => header["length"].as_u64().unwrap(),
        };
        (header["opcode"].as_u64().unwrap(), length, header["mask"].is_array())
    });
    frames.collect()
}

fn file_of(case: &str) -> String {
    format!("peer_case_{}.pcapng", case.replace('.', "_"))
}

/// Holds the capture of an attempt against its transcript.
fn check(file: &Path, attempt: &Value) {
    let case = &attempt["case"];
    for (from, what) in [(TESTER, "frame-sent"), (PEER, "frame-received")] {
        assert_eq!(dissected(file, from), logged(attempt, what), "{case}, {what}");
    }
    let malformed = tshark(file, "_ws.malformed", &["frame.number"]);
    assert_eq!(malformed, Vec::<Vec<String>>::new(), "{case}");
    let codes = tshark(file, "http.response", &["http.response.code"]);
    assert_eq!(codes, [["101"]], "{case}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "CI has tshark on Linux alone")]
fn wireshark_sees_what_was_logged() {
    if !packages::can_be_run("tshark") {
        return packages::skip("tshark cannot be run");
    }
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), serve(|stream, _| echo(stream)));
    let cases = "1.1.1,1.1.6,1.1.8,2.5,2.6,2.10,5.3,6.2.1,7.1.3,9.1.1,12.1.1,HS.1.1";
    let (exit, text) = test(dir, &server.url(), cases, &["--pcapng", "captures"]);
    assert_eq!(exit, 0, "{text}");
    // Where the log was off, octets are missing, which is said.
    assert!(text.contains("captures  captures, 12 files; 2 lack "), "{text}");
    let attempts = lines(dir, "attempt");
    for attempt in attempts.iter().filter(|attempt| attempt["attempt"] == 1) {
        let case = attempt["case"].as_str().unwrap();
        check(&dir.join("captures").join(file_of(case)), attempt);
    }
    // What the transcript cuts at 64 octets is whole again.
    let file = dir.join("captures").join(file_of("1.1.6"));
    for (from, head, close) in [(TESTER, 8, 8), (PEER, 4, 4)] {
        let filter = format!("ip.src == {from} && tcp.len > 0 && !http");
        let packets = tshark(&file, &filter, &["tcp.payload", "frame.len", "frame.cap_len"]);
        let octets: usize = packets.iter().map(|packet| packet[0].len() / 2).sum();
        assert_eq!(octets, 65_535 + head + close, "{from}");
        assert!(packets.iter().all(|packet| packet[1] == packet[2]), "{from}");
    }
    let gaps = tshark(
        &dir.join("captures").join(file_of("9.1.1")),
        "tcp.analysis.lost_segment",
        &["frame.comment"],
    );
    assert!(gaps[0][0].starts_with("65550 octets before these were not logged"), "{gaps:?}");
    // The same from what is stored.
    let output = wsproof(dir, &["report", "pcapng", "out", "--out", "again"]);
    assert!(output.status.success());
    for entry in fs::read_dir(dir.join("captures")).unwrap() {
        let name = entry.unwrap().file_name();
        let read = |folder: &str| fs::read(dir.join(folder).join(&name)).unwrap();
        assert!(read("captures") == read("again"), "{name:?}");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "CI has tshark on Linux alone")]
fn a_capture_of_a_replay_has_what_measured_cases_do_not_log() {
    if !packages::can_be_run("tshark") {
        return packages::skip("tshark cannot be run");
    }
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), serve(|stream, _| echo(stream)));
    let (exit, text) = test(dir, &server.url(), "9.1.1,9.7.1", &[]);
    assert_eq!(exit, 0, "{text}");
    let replay = |case: &str, says: &str| {
        let output = wsproof(dir, &["replay", "out", case, "--pcapng", "again"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains(says), "{text}");
        dir.join("again").join(file_of(case))
    };
    let file = replay("9.1.1", "captures  again, 1 file\n");
    let text = (1, 127, true);
    assert_eq!(dissected(&file, TESTER), [text, (8, 2, true)]);
    assert_eq!(tshark(&file, "tcp.analysis.lost_segment", &["frame.number"]).len(), 0);
    // The log is not without end; what it does not have is missing at the end of the capture.
    let file = replay("9.7.1", "captures  again, 1 file; it lacks ");
    let gaps = tshark(&file, "tcp.flags.fin == 1", &["frame.comment"]);
    assert!(gaps[0][0].contains(" octets of the tester before this were not logged"), "{gaps:?}");
    assert_eq!(tshark(&file, "_ws.malformed", &["frame.number"]).len(), 0);
    assert!(dissected(&file, PEER).len() > 300);
}

#[cfg(unix)]
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "CI has tshark on Linux alone")]
fn clients_are_captured_too() {
    if !packages::can_be_run("tshark") {
        return packages::skip("tshark cannot be run");
    }
    let server = Server::start(&["--cases", "1.1.1,2.6,5.3", "--pcapng", "captures"]);
    assert_eq!(server.walk("peer", None), 3);
    server.signal("-TERM");
    let (exit, text, dir) = server.end();
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.contains("captures  captures, 3 files\n"), "{text}");
    let attempts = lines(dir.path(), "attempt");
    assert_eq!(attempts.len(), 3);
    for attempt in &attempts {
        let case = attempt["case"].as_str().unwrap();
        let file = dir.path().join("captures").join(file_of(case));
        check(&file, attempt);
        // The peer dials, and masks.
        let asked = tshark(&file, "http.request", &["ip.src"]);
        assert_eq!(asked, [[PEER]], "{case}");
        assert!(dissected(&file, PEER).iter().all(|(.., masked)| *masked), "{case}");
    }
}
