//! The protocol options of a specification, seen from the other end of the connection.

use serde_json::{Value, json};

use crate::{
    Ran, one,
    peer::{Seen, answers, first, says},
};

/// Short limits, so that nobody waits for a server that never ends TCP.
const SHORT: &str = r#""closeHandshakeTimeout": 0.2, "serverConnectionDropTimeout": 0.2"#;

/// Runs a case against a server that says `octets`; what the server saw, and the case's file.
fn run(case: &str, octets: &'static [u8], options: &str) -> (Seen, Value) {
    let (server, log) = says(octets);
    let comma = if options.is_empty() { "" } else { ", " };
    let options = format!(r#""options": {{{SHORT}{comma}{options}}}"#);
    let ran = Ran::with(&one(&server.url(), &format!("{case:?}"), &options));
    assert_eq!(ran.stderr, "", "known options are silent");
    (first(&log), ran.json(&format!("peer_case_{}.json", case.replace('.', "_"))))
}

fn check(file: &Value, fields: &Value) {
    for (key, expected) in fields.as_object().unwrap() {
        assert_eq!(&file[key], expected, "{key}");
    }
}

/// A text frame with a reserved bit.
const VIOLATION: &[u8] = b"\xc1\x01a";

#[test]
fn a_violation_is_answered_with_a_close_frame() {
    for options in ["", r#""failByDrop": false"#] {
        let (seen, file) = run("7.1.1", VIOLATION, options);
        assert_eq!(seen.close().unwrap()[..2], 1002_u16.to_be_bytes());
        check(
            &file,
            &json!({"closedByMe": true, "failedByMe": true, "localCloseCode": 1002,
                "wasCloseHandshakeTimeout": true, "droppedByMe": true, "wasClean": false}),
        );
    }
}

#[test]
fn fail_by_drop_ends_tcp_at_a_violation() {
    let (seen, file) = run("7.1.1", VIOLATION, r#""failByDrop": true"#);
    assert_eq!(seen.close(), None);
    assert!(seen.reset);
    check(
        &file,
        &json!({"behavior": "FAILED", "behaviorClose": "FAILED", "closedByMe": false,
            "failedByMe": true, "droppedByMe": true, "wasClean": false, "localCloseCode": null,
            "remoteCloseCode": null, "wasCloseHandshakeTimeout": false}),
    );
}

#[test]
fn a_close_is_answered_with_1000_or_with_itself() {
    const CLOSE: &[u8] = b"\x88\x05\x0b\xb8bye";
    let (seen, file) = run("7.1.1", CLOSE, "");
    assert_eq!(seen.close().unwrap(), 1000_u16.to_be_bytes());
    check(&file, &json!({"localCloseCode": 1000, "localCloseReason": null}));
    let (seen, file) = run("7.1.1", CLOSE, r#""echoCloseCodeReason": true"#);
    assert_eq!(seen.close().unwrap(), b"\x0b\xb8bye");
    check(
        &file,
        &json!({"localCloseCode": 3000, "localCloseReason": "bye", "remoteCloseCode": 3000,
            "remoteCloseReason": "bye"}),
    );
    let (seen, _) = run("7.1.1", b"\x88\x00", r#""echoCloseCodeReason": true"#);
    assert_eq!(seen.close().unwrap(), b"");
}

#[test]
fn large_frames_and_messages_are_refused() {
    // Two fragments of three octets.
    const MESSAGE: &[u8] = b"\x01\x03abc\x80\x03def";
    let code = |options: &str| run("1.1.1", MESSAGE, options).1["localCloseCode"].clone();
    assert_eq!(code(r#""maxFramePayloadSize": 2"#), 1008);
    assert_eq!(code(r#""maxMessagePayloadSize": 5"#), 1009);
    let within = r#""maxFramePayloadSize": 3, "maxMessagePayloadSize": 6"#;
    assert_eq!(code(within), code(""), "nothing is refused");
}

#[test]
fn messages_are_cut_by_auto_fragment_size() {
    let sizes = |case: &str, options: &str| -> Vec<(u8, usize)> {
        let frames = run(case, b"", options).0.frames().into_iter();
        let frames = frames.filter(|(first, ..)| first & 0x08 == 0);
        frames.map(|(first, _, payload)| (first, payload.len())).collect()
    };
    assert_eq!(sizes("6.2.1", ""), [(0x81, 29)]);
    let cut = [(0x01, 12), (0x00, 12), (0x80, 5)];
    assert_eq!(sizes("6.2.1", r#""autoFragmentSize": 12"#), cut);
    // A case that says how it is sent stays as it is.
    assert_eq!(sizes("7.1.1", r#""autoFragmentSize": 5"#), [(0x81, 12)]);
}

#[test]
fn the_version_of_the_request() {
    let fields = |version: u8| {
        let (server, log) = says(b"");
        Ran::with(&format!(
            r#"{{"outdir": "out", "cases": ["7.1.1"], "options": {{{SHORT}, "version": {version}}},
                "servers": [{{"url": "{}", "origin": "http://o"}}]}}"#,
            server.url()
        ));
        let head = first(&log).head;
        let lines = head.lines().filter(|line| line.contains("Version") || line.contains("Origin"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(fields(18), ["Origin: http://o", "Sec-WebSocket-Version: 13"]);
    assert_eq!(fields(13), fields(18));
    assert_eq!(fields(10), ["Sec-WebSocket-Origin: http://o", "Sec-WebSocket-Version: 8"]);
}

/// An empty text, masked.
const MASKED: &[u8] = b"\x81\x80\x01\x02\x03\x04";

#[test]
fn masks_of_either_side() {
    let (seen, _) = run("7.1.1", b"", "");
    assert!(seen.frames().iter().all(|(_, masked, _)| *masked));
    let (seen, _) = run("7.1.1", b"", r#""maskClientFrames": false"#);
    assert!(seen.frames().len() == 2 && seen.frames().iter().all(|(_, masked, _)| !masked));

    let (_, file) = run("1.1.1", MASKED, "");
    check(&file, &json!({"behavior": "FAILED", "localCloseCode": 1002}));
    let (_, file) = run("1.1.1", MASKED, r#""acceptMaskedServerFrames": true"#);
    check(&file, &json!({"behavior": "OK", "localCloseCode": 1000}));
}

#[test]
fn limits_of_the_handshakes() {
    let (server, _log) = answers(|_| Vec::new());
    let spec = one(&server.url(), r#""1.1.1""#, r#""options": {"openHandshakeTimeout": 0.2}"#);
    let file = Ran::with(&spec).json("peer_case_1_1_1.json");
    check(
        &file,
        &json!({"wasOpenHandshakeTimeout": true, "httpResponse": "?", "behavior": "FAILED",
            "expectedClose": {}}),
    );
    // The server answers the close frame and leaves TCP open.
    let (_, file) = run("1.1.1", b"\x81\x00\x88\x02\x03\xe8", "");
    assert!(file["duration"].as_u64().unwrap() >= 200);
}

#[test]
fn the_options_of_a_server_come_before_those_of_the_file() {
    let (server, log) = says(VIOLATION);
    Ran::with(&format!(
        r#"{{"outdir": "out", "cases": ["7.1.1"], "options": {{{SHORT}, "failByDrop": false}},
            "servers": [{{"url": "{}", "options": {{"failByDrop": true}}}}]}}"#,
        server.url()
    ));
    assert_eq!(first(&log).close(), None);
}

#[test]
fn what_has_no_effect_is_named_with_its_place() {
    let (server, _log) = says(b"");
    let ran = Ran::with(&format!(
        r#"{{"outdir": "out", "cases": ["7.1.1"],
            "options": {{{SHORT}, "applyMask": false, "autoPingInterval": 0}},
            "servers": [{{"url": "{}", "options": {{"autoPingInterval": 1}}}}]}}"#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0));
    for place in ["options.applyMask", "servers[0].options.autoPingInterval"] {
        assert!(ran.stderr.contains(&format!("`{place}` has no effect here")), "{}", ran.stderr);
    }
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
}
