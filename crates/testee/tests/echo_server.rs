//! The echo server over real sockets on free ports. Nothing here sleeps.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;
use wsproof_testee::{
    ClientConfig, Defect, EchoOptions, EchoServer, Endpoint, Event, ServeError, ServerConfig,
    connection,
};

const LIMIT: Duration = Duration::from_secs(20);

struct Served {
    addr: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

async fn serve(defect: Option<Defect>) -> Served {
    let server = EchoServer::bind(EchoOptions { defect, ..EchoOptions::default() }).await.unwrap();
    let addr = server.local_addrs()[0];
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));
    Served { addr, stop, serving }
}

/// Sends the messages, one after the echo of the other, closes, and gives what came back.
async fn converse(addr: SocketAddr, messages: &[&[u8]]) -> Vec<Event> {
    let mut client = Endpoint::client(ClientConfig::new(addr.to_string(), "/", [7; 32]));
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut left = messages.iter();
    let mut seen = Vec::new();
    let never = CancellationToken::new();
    let driven = connection::drive(stream, &mut client, &never, |client, now, event| {
        if matches!(event, Event::Opened { .. } | Event::Message { .. }) {
            match left.next() {
                Some(message) => client.send_binary(now, *message),
                None => client.close(now, CloseCode::NORMAL, ""),
            }
        }
        seen.push(event);
    });
    timeout(LIMIT, driven).await.unwrap().unwrap();
    seen
}

fn check(events: &[Event], messages: &[&[u8]]) {
    let [Event::Opened { .. }, echoes @ .., last] = events else { panic!("{events:?}") };
    let code = Some(CloseCode::NORMAL);
    assert_eq!(*last, Event::Closed { code, reason: String::new(), clean: true });
    let same = |(event, message): (&Event, &&[u8])| matches!(event, Event::Message { text: false, payload } if payload == message);
    assert!(echoes.len() == messages.len() && echoes.iter().zip(messages).all(same));
}

#[tokio::test]
async fn messages_of_any_size_come_back() {
    let server = serve(None).await;
    let large = vec![0xfe; 16 << 20];
    let mut messages = vec![&b"x"[..]; 1000];
    messages.push(&large);
    check(&converse(server.addr, &messages).await, &messages);
    server.stop.cancel();
    timeout(LIMIT, server.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_peer_that_writes_everything_before_it_reads_is_served() {
    let server = serve(None).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let mut octets = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        .to_vec();
    let length: usize = 16 << 20;
    octets.extend([0x82, 0xff]);
    octets.extend((length as u64).to_be_bytes());
    octets.extend([0; 4]);
    octets.resize(octets.len() + length, b'*');
    octets.extend([0x88, 0x80, 0, 0, 0, 0]);
    let mut all = Vec::new();
    timeout(LIMIT, async {
        stream.write_all(&octets).await.unwrap();
        stream.read_to_end(&mut all).await.unwrap();
    })
    .await
    .unwrap();
    assert!(all.len() > length && all.ends_with(&[b'*', 0x88, 0]));
}

#[tokio::test]
async fn a_failed_connection_is_told_why_although_octets_are_still_coming() {
    let server = serve(None).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let mut octets = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x83\x80"
        .to_vec();
    octets.resize(4 << 20, 0);
    let mut all = Vec::new();
    timeout(LIMIT, async {
        stream.write_all(&octets).await.unwrap();
        stream.read_to_end(&mut all).await.unwrap();
    })
    .await
    .unwrap();
    let close = all.windows(4).position(|four| four[0] == 0x88 && four[2..] == [0x03, 0xea]);
    assert!(close.is_some(), "{all:?}");
}

#[tokio::test]
async fn stopping_closes_what_is_open_with_1001() {
    let server = serve(None).await;
    let mut client = Endpoint::client(ClientConfig::new("a", "/", [7; 32]));
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let mut seen = Vec::new();
    let never = CancellationToken::new();
    let driven = connection::drive(stream, &mut client, &never, |_, _, event| {
        if matches!(event, Event::Opened { .. }) {
            server.stop.cancel();
        }
        seen.push(event);
    });
    timeout(LIMIT, driven).await.unwrap().unwrap();
    assert!(
        matches!(&seen[1], Event::Closed { code: Some(CloseCode(1001)), clean: true, .. }),
        "{seen:?}"
    );
    timeout(LIMIT, server.serving).await.unwrap().unwrap();
}

/// A client that has opened a WebSocket and does nothing more.
async fn idler(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_is_dropped_when_the_server_stops() {
    let forever = Duration::ZERO;
    let config = ServerConfig::default();
    let config = ServerConfig { close_timeout: forever, handshake_timeout: forever, ..config };
    let server = EchoServer::bind(EchoOptions { server: config, ..EchoOptions::default() });
    let server = server.await.unwrap();
    let addr = server.local_addrs()[0];
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));
    let mut client = idler(addr).await;
    stop.cancel();
    serving.await.unwrap();
    // A close frame, and then nobody is there.
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert_eq!(rest[..2], [0x88, 12]);
}

#[tokio::test]
async fn who_drops_the_server_drops_its_connections() {
    let server = serve(None).await;
    let mut client = idler(server.addr).await;
    server.serving.abort();
    let read = timeout(LIMIT, client.read_u8()).await.unwrap();
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test]
async fn a_defect_shows_on_the_wire() {
    let server = serve(Some(Defect::TcpReset)).await;
    let mut client = Endpoint::client(ClientConfig::new("a", "/", [7; 32]));
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let never = CancellationToken::new();
    let driven = connection::drive(stream, &mut client, &never, |client, now, event| {
        if matches!(event, Event::Opened { .. }) {
            client.close(now, CloseCode::NORMAL, "");
        }
    });
    let error = timeout(LIMIT, driven).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn both_families_may_have_the_same_port() {
    let mut options = EchoOptions::default();
    let first = EchoServer::bind(options.clone()).await.unwrap();
    let addr = first.local_addrs()[0];
    options.addrs = vec![addr];
    let error = EchoServer::bind(options.clone()).await.unwrap_err();
    assert!(matches!(error, ServeError::Listen { addr: taken, .. } if taken == addr), "{error}");
    options.addrs = vec![SocketAddr::from((Ipv6Addr::LOCALHOST, addr.port()))];
    match EchoServer::bind(options.clone()).await {
        Ok(second) => assert_eq!(second.local_addrs(), options.addrs),
        // A machine without IPv6 cannot show it.
        Err(ServeError::Listen { source, .. }) => {
            assert_ne!(source.kind(), std::io::ErrorKind::AddrInUse, "{source}");
        }
        Err(error) => panic!("{error}"),
    }
    options.addrs.clear();
    assert!(matches!(EchoServer::bind(options).await, Err(ServeError::NoAddress)));
}
