//! Servers that are no good for overlap, or no WebSocket servers at all: every run ends by itself,
//! gives the verdicts of a serial run, and names what was in the way.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use support::{Server, echo, lines, serve, test, verdicts, wsproof};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
};
use wsproof_testee::{Defect, Endpoint, ServerConfig};

/// Cases of many kinds that end soon with a conforming server.
const CASES: &str = "1.1.*,2.*,3.*,5.1,5.3,5.6,5.15,6.5.*,6.6.*,7.1.*,7.3.*,7.7.*,HS.1.1";

/// What a strict server gets when nothing runs beside anything.
fn serial_verdicts() -> Vec<(String, String)> {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| echo(stream));
    let (exit, text) = test(dir.path(), &server.url(), CASES, &["--jobs", "1"]);
    assert_eq!(exit, 0, "{text}");
    verdicts(dir.path())
}

/// Runs overlapped against a server that bears no overlap.
fn check_overlapped(server: &Server) {
    let dir = TempDir::new().unwrap();
    let (exit, text) = test(dir.path(), &server.url(), CASES, &[]);
    assert_eq!(verdicts(dir.path()), serial_verdicts(), "{text}");
    assert_eq!(exit, 0, "{text}");
}

async fn refuse(mut stream: TcpStream) {
    let mut buf = [0; 4096];
    let _ = stream.read(&mut buf).await;
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
    let _ = stream.write_all(answer).await;
}

fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

#[test]
fn one_connection_at_a_time() {
    let turn = Arc::new(Mutex::new(()));
    check_overlapped(&serve(move |stream, _| {
        let turn = turn.clone();
        async move {
            let _mine = turn.lock().await;
            echo(stream).await;
        }
    }));
}

#[test]
fn the_third_connection_is_refused_with_503() {
    let open = Arc::new(AtomicUsize::new(0));
    check_overlapped(&serve(move |stream, _| {
        let open = open.clone();
        async move {
            if open.fetch_add(1, Ordering::SeqCst) < 2 {
                echo(stream).await;
            } else {
                refuse(stream).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    }));
}

#[test]
fn overlap_is_answered_with_a_reset() {
    let open = Arc::new(AtomicUsize::new(0));
    check_overlapped(&serve(move |stream, _| {
        let open = open.clone();
        async move {
            if open.fetch_add(1, Ordering::SeqCst) == 0 {
                echo(stream).await;
            } else {
                reset(&stream);
                drop(stream);
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    }));
}

#[test]
fn a_slow_server_that_garbles_echoes_under_overlap() {
    let open = Arc::new(AtomicUsize::new(0));
    check_overlapped(&serve(move |stream, _| {
        let open = open.clone();
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            // Its distance: longer than a silence that looks like waiting with a near server.
            tokio::time::sleep(Duration::from_millis(60)).await;
            // Only now, as the end of the connection before may be noticed late on a busy machine.
            let alone = open.load(Ordering::SeqCst) == 1;
            let endpoint = Endpoint::server(ServerConfig::default());
            let garbles = Defect::from_name("changes-first-octet").unwrap();
            let mut endpoint =
                if alone { endpoint.echo() } else { endpoint.with_defect(garbles).echo() };
            let never = tokio_util::sync::CancellationToken::new();
            let _ = wsproof_testee::connection::drive(stream, &mut endpoint, &never, |_, _, _| {})
                .await;
            open.fetch_sub(1, Ordering::SeqCst);
        }
    }));
}

#[test]
fn a_proxy_before_a_server_that_is_still_starting() {
    let dir = TempDir::new().unwrap();
    let server = serve(|mut stream, n| async move {
        if n > 2 {
            return echo(stream).await;
        }
        let _ = stream.read(&mut [0; 4096]).await;
        let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(answer).await;
    });
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &["--jobs", "1"]);
    assert_eq!(exit, 0, "{text}");
    assert!(verdicts(dir.path()).iter().all(|(_, verdict)| verdict == "OK / OK / 1000"), "{text}");
}

#[test]
fn a_limit_of_one_connection_is_no_deviation() {
    let dir = TempDir::new().unwrap();
    let open = Arc::new(AtomicUsize::new(0));
    let server = serve(move |stream, _| {
        let open = open.clone();
        async move {
            if open.fetch_add(1, Ordering::SeqCst) == 0 {
                echo(stream).await;
            } else {
                refuse(stream).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let (exit, text) = test(dir.path(), &server.url(), "HS.1.50", &["--jobs", "1"]);
    assert_eq!(exit, 0, "{text}");
    assert_eq!(verdicts(dir.path())[0].1, "NON-STRICT / OK / 1000");
}

#[test]
fn a_server_that_dies_is_named_and_nothing_is_held_against_it() {
    let dir = TempDir::new().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    // Its process ends with the 20th connection: all of them break, and no more are accepted.
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            for _ in 0..19 {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(echo(stream));
            }
            let _last = listener.accept().await.unwrap();
        });
        runtime.shutdown_background();
    });
    let (exit, text) = test(dir.path(), &url, CASES, &[]);
    server.join().unwrap();
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains("accepts no more connections"), "{text}");
    let serial = serial_verdicts();
    let judged = verdicts(dir.path());
    assert!(!judged.is_empty() && judged.len() < 20, "{judged:?}");
    for verdict in &judged {
        assert!(serial.contains(verdict), "{verdict:?}");
    }
    assert!(lines(dir.path(), "note").iter().any(|note| note["peer"] == "peer"));
}

#[test]
fn nobody_listens() {
    let dir = TempDir::new().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (exit, text) = test(dir.path(), &format!("ws://127.0.0.1:{port}"), "1.*", &[]);
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains("cannot be reached"), "{text}");
    assert!(dir.path().join("out/index.html").exists());
    assert_eq!(std::fs::read_to_string(dir.path().join("out/index.json")).unwrap(), "{}");
}

#[test]
fn a_plain_http_server() {
    let dir = TempDir::new().unwrap();
    let server = serve(|mut stream: TcpStream, _| async move {
        let mut buf = [0; 4096];
        let _ = stream.read(&mut buf).await;
        let answer = b"HTTP/1.1 200 OK\r\nServer: <b>web</b>\r\nContent-Length: 9\r\n\r\n<p>Hi</p>";
        let _ = stream.write_all(answer).await;
    });
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*,HS.2.1", &[]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("refused with status 200"), "{text}");
    let attempt = &lines(dir.path(), "attempt")[0]["outcome"]["openings"][0];
    assert_eq!(attempt["body"], "<p>Hi</p>");
    let page = std::fs::read_to_string(dir.path().join("out/peer_case_1_1_1.html")).unwrap();
    assert!(page.contains("&lt;p&gt;Hi&lt;/p&gt;") || page.contains("&#60;p&#62;Hi&#60;/p&#62;"));
    assert!(!page.contains("<p>Hi</p>"));
}

#[test]
fn a_server_that_speaks_tls() {
    let dir = TempDir::new().unwrap();
    let server = serve(|mut stream: TcpStream, _| async move {
        let mut buf = [0; 4096];
        let _ = stream.read(&mut buf).await;
        // The alert for a record that is none.
        let _ = stream.write_all(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]).await;
    });
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &[]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("not an HTTP/1.1 message"), "{text}");
    assert!(verdicts(dir.path()).iter().all(|(_, verdict)| verdict == "FAILED / FAILED / null"));
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let dir = TempDir::new().unwrap();
    let server = serve(|mut stream: TcpStream, _| async move {
        let mut buf = [0; 4096];
        while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {}
    });
    let spec = format!(
        r#"{{"outdir": "out", "cases": ["1.*", "2.*", "3.*"],
            "options": {{"openHandshakeTimeout": 0.2}},
            "servers": [{{"agent": "peer", "url": "{}"}}]}}"#,
        server.url()
    );
    std::fs::write(dir.path().join("spec.json"), spec).unwrap();
    let output = wsproof(dir.path(), &["wstest", "-m", "fuzzingclient", "-s", "spec.json"]);
    assert_eq!(output.status.code(), Some(0));
    let judged = verdicts(dir.path());
    assert_eq!(judged.len(), 34);
    assert!(judged.iter().all(|(_, verdict)| verdict == "FAILED / FAILED / null"));
    let first = &lines(dir.path(), "attempt")[0];
    assert_eq!(first["outcome"]["closing"]["open_handshake_timeout"], true);
}

#[test]
fn a_server_that_wants_a_subprotocol() {
    let dir = TempDir::new().unwrap();
    let server = serve(|mut stream: TcpStream, _| async move {
        let mut buf = [0; 4096];
        let n = stream.peek(&mut buf).await.unwrap_or_default();
        if String::from_utf8_lossy(&buf[..n]).contains("Sec-WebSocket-Protocol: chat") {
            return echo(stream).await;
        }
        let _ = stream.read(&mut buf).await;
        let _ = stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno subprotocol")
            .await;
    });
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &[]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("refused with status 400"), "{text}");
    assert_eq!(lines(dir.path(), "attempt")[0]["outcome"]["openings"][0]["body"], "no subprotocol");
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &["--subprotocol", "chat"]);
    assert_eq!(exit, 0, "{text}");
}

/// A server that completes the handshake and then sends `octets` again and again.
fn endless(octets: &'static [u8]) -> Server {
    serve(move |mut stream: TcpStream, _| async move {
        let mut buf = [0; 4096];
        let n = stream.read(&mut buf).await.unwrap_or_default();
        let Ok(request) = wsproof_proto::handshake::parse_request(&buf[..n]) else { return };
        let key = request.values("Sec-WebSocket-Key").next().unwrap_or_default().to_vec();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            wsproof_proto::handshake::accept_for(&key)
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let block = octets.repeat((64 << 10) / octets.len() + 1);
        while stream.write_all(&block).await.is_ok() {}
    })
}

fn check_endless(octets: &'static [u8]) {
    let dir = TempDir::new().unwrap();
    let server = endless(octets);
    let (exit, text) = test(dir.path(), &server.url(), "1.1.1,2.1,3.1,6.5.1,7.3.1", &[]);
    assert_eq!(exit, 1, "{text}");
    assert_eq!(verdicts(dir.path()).len(), 5);
    // Ten attempts with their transcripts: the log is bounded whatever the peer sends.
    let size = std::fs::metadata(dir.path().join("out/results.jsonl")).unwrap().len();
    assert!(size < 20 << 20, "{size} octets of results");
}

#[test]
fn an_endless_stream_of_messages() {
    check_endless(b"\x82\x05Hello");
}

#[test]
fn an_endless_stream_of_pongs() {
    check_endless(b"\x8a\x00");
}

#[test]
fn an_endless_stream_of_pings_whose_answers_nobody_reads() {
    // Whether something is unsent when the end is due is a matter of chance.
    for _ in 0..3 {
        check_endless(b"\x89\x00");
    }
}

#[test]
fn an_endless_head() {
    let dir = TempDir::new().unwrap();
    let server = serve(|mut stream: TcpStream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").await;
        while stream.write_all(&b"X-More: and more\r\n".repeat(1000)).await.is_ok() {}
    });
    let (exit, text) = test(dir.path(), &server.url(), "1.1.*", &[]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("larger than the reader keeps"), "{text}");
}
