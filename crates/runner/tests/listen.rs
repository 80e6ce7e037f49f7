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
    answer_on(TcpStream::connect(addr).await.unwrap(), request).await
}

async fn answer_on(mut stream: TcpStream, request: &[u8]) -> String {
    let asking = async {
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).await.unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    };
    timeout(LIMIT, asking).await.unwrap()
}

/// Checks that a request is refused with `status`, and that this is told.
async fn check_refused(octets: &[u8], status: u16) {
    let (addr, mut visits) = server(Limits::default(), None).await;
    let answer = answer(addr, octets).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    match timeout(LIMIT, visits.recv()).await.unwrap() {
        Some(Visit::Refused { status: told, .. }) => assert_eq!(told, status),
        other => panic!("{status}: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_refused_is_told() {
    check_refused(request("/runCase?case=2&agent=x").as_bytes(), 500).await;
    check_refused(request("/runCase?case=1").as_bytes(), 500).await;
    check_refused(request("/runCase").replace("n: 13", "n: 7").as_bytes(), 400).await;
    // Whoever has more to say is heard to the end, so that no reset takes the answer away.
    check_refused(&vec![b'x'; 8 << 20], 431).await;
}

#[tokio::test]
async fn without_limits_a_request_takes_as_long_as_it_takes() {
    let timers = Timers { open_handshake: Duration::ZERO, ..Timers::CLASSIC };
    let (addr, _visits) = server(Limits::Off, Some(timers)).await;
    let request = request("/getCaseCount");
    let (begin, rest) = request.split_at(20);
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    // Many others come and go meanwhile.
    for _ in 0..20 {
        let answer = answer(addr, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }
    let answer = answer_on(stream, rest.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}

#[tokio::test]
async fn who_waits_for_a_report_no_longer_is_let_go() {
    let (addr, mut visits) = server(Limits::default(), None).await;
    let request = request("/updateReports?agent=x");
    let (answer, visit) = tokio::join!(answer(addr, request.as_bytes()), visits.recv());
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let Some(Visit::Reports { done, .. }) = visit else { panic!("{visit:?}") };
    assert!(done.is_closed(), "nobody is told of a report that was not written");
}
