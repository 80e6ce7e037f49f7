//! Servers whose trouble was reported in public, and servers whose compression is hostile: what
//! the report says of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{path::Path, time::Duration};

use support::{Server, drive, lines, serve, test, verdicts, with_defect};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wsproof_proto::{
    Opcode,
    deflate::{Compression, Deflater},
    handshake::{accept_for, parse_request},
};
use wsproof_testee::{Defect, DeflateOptions, Endpoint, ServerConfig};

/// The page of a case, or the index.
fn page(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join("out").join(name)).unwrap()
}

fn check_page(dir: &Path, name: &str, parts: &[&str]) {
    let page = page(dir, name);
    for part in parts {
        assert!(page.contains(part), "{name} does not say {part}:\n{page}");
    }
}

/// A server that takes no connection without a subprotocol, though RFC 6455, 4.2.1 makes it
/// optional.
async fn demands_a_subprotocol(mut stream: TcpStream) {
    let mut head = [0; 4096];
    let n = stream.peek(&mut head).await.unwrap_or_default();
    if String::from_utf8_lossy(&head[..n]).contains("Sec-WebSocket-Protocol") {
        let config = ServerConfig { subprotocols: vec!["chat".to_owned()], ..Default::default() };
        return drive(stream, Endpoint::server(config).echo()).await;
    }
    let _ = stream.read(&mut head).await;
    let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 34\r\n\r\n\
        the WebSocket protocol is <missing>";
    let _ = stream.write_all(&answer[..answer.len() - 1]).await;
}

#[test]
fn a_server_that_demands_a_subprotocol() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| demands_a_subprotocol(stream));
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &[]);
    assert_eq!(exit, 1, "{text}");
    for part in ["400", "--subprotocol"] {
        assert!(text.contains(part), "{text}");
    }
    let said = ["400 Bad Request", "the WebSocket protocol is &#60;missing"];
    check_page(dir.path(), "peer_case_1_1_1.html", &said);
    check_page(dir.path(), "index.html", &["400", "--subprotocol"]);
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &["--subprotocol", "chat"]);
    assert_eq!(exit, 0, "{text}");
}

#[test]
fn a_server_that_echoes_all_and_then_drops_tcp() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| {
        let deflate = DeflateOptions { request_no_context_takeover: true, ..Default::default() };
        let config = ServerConfig { deflate: Some(deflate), ..Default::default() };
        drive(stream, Endpoint::server(config).with_defect(Defect::CloseDropsTcp).echo())
    });
    let (exit, text) = test(dir.path(), &server.url(), "12.4.3", &[]);
    assert_eq!(exit, 1, "{text}");
    assert_eq!(verdicts(dir.path()), [("12.4.3".to_owned(), "OK / UNCLEAN / null".to_owned())]);
    check_page(
        dir.path(),
        "peer_case_12_4_3.html",
        &[
            "passed",
            "closing unclean",
            "Case description",
            "Case expectation",
            "Case outcome",
            "Closing behaviour",
            "Opening handshake",
            "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover",
            "wasNotCleanReason",
            "wasServerConnectionDropTimeout",
            "remoteCloseReason",
            "Octets received",
            "Frames received",
            "Wire log",
            "the peer ended TCP",
        ],
    );
}

/// Runs a case of compression; the RFC judgement must name the fault.
fn check_named(server: &Server, case: &str, reason: &str) {
    let dir = TempDir::new().unwrap();
    let (exit, text) = test(dir.path(), &server.url(), case, &[]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains(reason), "{reason} is not in: {text}");
    let attempts = lines(dir.path(), "attempt");
    let said = attempts[0]["rfc"]["reason"].as_str().unwrap();
    assert!(said.contains(reason), "{reason} is not in: {said}");
    let name = format!("peer_case_{}.html", case.replace('.', "_"));
    check_page(dir.path(), &name, &[reason]);
}

#[test]
fn hostile_compression_is_named() {
    check_named(&with_defect(Defect::DeflateBomb), "12.2.1", "grows beyond 16 MiB");
    check_named(&with_defect(Defect::DeflateContextKept), "13.2.3", "refers to earlier ones");
    check_named(&with_defect(Defect::DeflateWindow16), "13.3.1", "out of range");
    check_named(
        &with_defect(Defect::DeflateWindowUnsaid),
        "13.3.1",
        "does not keep to the parameters",
    );
}

#[test]
fn a_window_that_is_larger_than_agreed_is_named_even_within_a_message() {
    let server = with_defect(Defect::DeflateWindowIgnored);
    check_named(&server, "13.3.3", "the agreed window has 512");
    // Within one message a decompressor has all at hand, and so does the original.
    check_named(&server, "13.5.5", "the agreed window has 512");
}

/// Answers the handshake and agrees to compression.
async fn open(stream: &mut TcpStream) -> Option<()> {
    let mut head = vec![0; 4096];
    let n = stream.read(&mut head).await.unwrap_or_default();
    let request = parse_request(&head[..n]).ok()?;
    let key = request.values("Sec-WebSocket-Key").next().unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        accept_for(key)
    );
    stream.write_all(answer.as_bytes()).await.ok()
}

/// Sends a frame with the first octets of a compressed message.
async fn sends(mut stream: TcpStream, frame: &[u8]) {
    if open(&mut stream).await.is_some() {
        let _ = stream.write_all(frame).await;
        let _ = stream.read(&mut [0; 64]).await;
    }
}

#[test]
fn corrupt_streams_are_named() {
    for (frame, reason) in [
        (b"\xc2\x01\x06", "a block of the reserved type 3"),
        (b"\xc2\x05\x00\x05\x00\xfa\xfe", "whose length and complement disagree"),
        (b"\xc2\x05\xf2\x00\x11\x00\x00", "5 octets back where only 1 are known"),
    ] as [(&'static [u8], &str); 3]
    {
        check_named(&serve(move |stream, _| sends(stream, frame)), "12.2.1", reason);
    }
}

/// Sends one compressed message that has no end.
async fn never_ends(mut stream: TcpStream) {
    if open(&mut stream).await.is_none() {
        return;
    }
    let how = Compression { context_takeover: true, window_bits: 15 };
    let mut deflater = Deflater::new(how, 9);
    let zeros = vec![0; 1 << 20];
    let mut octets = Vec::new();
    for n in 0.. {
        let mut payload = Vec::new();
        deflater.message(&zeros, &mut payload);
        payload.extend_from_slice(&wsproof_proto::deflate::TAIL);
        let opcode = if n == 0 { Opcode::Binary } else { Opcode::Continuation };
        let mut header = wsproof_proto::FrameHeader::new(opcode, payload.len() as u64);
        (header.fin, header.rsv) = (false, if n == 0 { 4 } else { 0 });
        octets.clear();
        header.encode(&mut octets);
        octets.extend_from_slice(&payload);
        if stream.write_all(&octets).await.is_err() {
            return;
        }
        if n > 200 {
            // More than is read; what follows is silence, which the peer's end of TCP ends.
            tokio::time::sleep(Duration::from_millis(200)).await;
            return;
        }
    }
}

#[test]
fn a_compressed_message_without_end_is_named() {
    check_named(&serve(|stream, _| never_ends(stream)), "12.2.1", "grows beyond 16 MiB");
}
