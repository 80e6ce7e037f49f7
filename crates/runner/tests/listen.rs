//! The fuzzing server, asked by clients that say what they like.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Limits, Section, Settings, Timers};
use wsproof_runner::{Admission, ListenOptions, Visit, listen};

const LIMIT: Duration = Duration::from_mins(1);

/// A fuzzing server with one case. Returns where it listens and what it tells.
async fn server(
    limits: Limits,
    timers: Option<Timers>,
) -> (SocketAddr, mpsc::UnboundedReceiver<Visit>) {
    let mut section = Section::default();
    section.case("1.1.1", "a case");
    let options = ListenOptions {
        cases: section.into_cases().into_iter().map(Arc::new).collect(),
        excluded: Box::new(|_, _| false),
        server_name: "a server".to_owned(),
        tls: None,
        limits,
        timers,
        settings: Settings::default(),
        seed: 0,
        admission: Admission::default(),
        until_idle: None,
        agents: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, visits) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        listen(vec![listener], options, sender, &CancellationToken::new()).await
    });
    (addr, visits)
}

fn request(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// What is answered to `request` until TCP ends.
async fn answer(addr: SocketAddr, request: &[u8]) -> String {
    let asking = async {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).await.unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    };
    timeout(LIMIT, asking).await.unwrap()
}

#[tokio::test]
async fn without_limits_a_request_takes_as_long_as_it_takes() {
    let timers = Timers { open_handshake: Duration::ZERO, ..Timers::CLASSIC };
    let (addr, _visits) = server(Limits::Off, Some(timers)).await;
    let answer = answer(addr, request("/getCaseCount").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}
