//! Many connections to servers on free ports. Nothing here sleeps.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wsproof_load::{End, Event, Load, Summary};
use wsproof_proto::CloseCode;
use wsproof_testee::{ClientConfig, Endpoint, ServerAddress, ServerConfig, connection};

const LIMIT: Duration = Duration::from_mins(1);

/// Serves each connection with `serve`, which gets its number.
async fn server<F, S>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for n in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, n));
        }
    });
    addr
}

/// Serves a WebSocket until it is closed, and counts those that were closed in order.
async fn converse(stream: TcpStream, closed: &AtomicUsize) {
    let mut endpoint = Endpoint::server(ServerConfig::default());
    let never = CancellationToken::new();
    let _ = connection::drive(stream, &mut endpoint, &never, |_, _, event| {
        if matches!(event, wsproof_testee::Event::Closed { clean: true, .. }) {
            closed.fetch_add(1, Ordering::Relaxed);
        }
    })
    .await;
}

fn load(addr: SocketAddr, connections: usize) -> Load {
    Load {
        server: ServerAddress { host: "127.0.0.1".to_owned(), port: addr.port(), tls: None },
        client: ClientConfig::new(addr.to_string(), "/", [0; 32]),
        connections: NonZeroUsize::new(connections).unwrap(),
        batch: NonZeroUsize::new(20).unwrap(),
        batch_delay: Duration::from_millis(1),
        retry_delay: Duration::from_millis(1),
        patience: Duration::ZERO,
    }
}

/// Opens the connections, and checks how that ends.
async fn check(load: Load, end: End) -> (Summary, Vec<Event>) {
    let mut events = Vec::new();
    let stop = CancellationToken::new();
    let run = load.run(&stop, |event| events.push(event));
    let summary = timeout(LIMIT, run).await.unwrap().unwrap();
    assert_eq!(summary.end, end, "{summary:?}");
    (summary, events)
}

#[tokio::test]
async fn all_are_open_at_once_and_closed_in_order() {
    static CLOSED: AtomicUsize = AtomicUsize::new(0);
    let addr = server(|stream, _| converse(stream, &CLOSED)).await;
    let (summary, events) = check(load(addr, 110), End::Complete).await;
    let expected: Vec<_> = (1..=110).map(|count| Event::Opened { count }).collect();
    assert_eq!(events, expected);
    assert_eq!((summary.opened, summary.lost, summary.failures.total()), (110, 0, 0));
    assert!(summary.latency(0.5).unwrap() <= summary.latency(1.0).unwrap());
    assert!(summary.latency(1.0).unwrap() <= summary.elapsed + Duration::from_millis(1));
    assert_eq!(CLOSED.load(Ordering::Relaxed), 110);
}

#[tokio::test]
async fn what_fails_is_tried_again() {
    static CLOSED: AtomicUsize = AtomicUsize::new(0);
    let addr = server(|stream, n| async move {
        if n % 3 != 0 {
            converse(stream, &CLOSED).await;
        }
    })
    .await;
    let (summary, events) = check(load(addr, 40), End::Complete).await;
    assert_eq!((summary.opened, CLOSED.load(Ordering::Relaxed)), (40, 40));
    let failed = events.iter().filter(|event| matches!(event, Event::Failed { .. })).count();
    assert!(failed > 10 && failed == summary.failures.total(), "{failed}");
}

#[tokio::test]
async fn what_is_lost_is_counted_and_not_opened_again() {
    static CLOSED: AtomicUsize = AtomicUsize::new(0);
    // The others are served when the first one is lost.
    static LOST: Semaphore = Semaphore::const_new(0);
    let addr = server(|stream, n| async move {
        if n > 0 {
            let _ = LOST.acquire().await.unwrap();
            return converse(stream, &CLOSED).await;
        }
        let mut endpoint = Endpoint::server(ServerConfig::default());
        let never = CancellationToken::new();
        let _ = connection::drive(stream, &mut endpoint, &never, |endpoint, now, _| {
            endpoint.close(now, CloseCode::NORMAL, "");
        })
        .await;
    })
    .await;
    let mut events = Vec::new();
    let stop = CancellationToken::new();
    let run = load(addr, 3).run(&stop, |event| {
        LOST.add_permits(usize::from(event == Event::Lost));
        events.push(event);
    });
    let summary = timeout(LIMIT, run).await.unwrap().unwrap();
    assert_eq!((summary.end, summary.opened, summary.lost), (End::Complete, 3, 1));
    let opened = |count| Event::Opened { count };
    assert_eq!(events, [opened(1), Event::Lost, opened(2), opened(3)]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_given_up() {
    // The port is held, so that nobody else listens on it, and refuses.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let load = Load { patience: Duration::from_secs(1), ..load(socket.local_addr().unwrap(), 5) };
    let (summary, events) = check(load, End::GivenUp).await;
    assert_eq!((summary.opened, summary.latency(0.5)), (0, None));
    assert!(summary.failures.by_count()[0].0.contains("refused"), "{:?}", summary.failures);
    assert!(events.iter().all(|event| matches!(event, Event::Failed { .. })));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let addr = server(|stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let load = Load { patience: Duration::from_millis(100), ..load(addr, 5) };
    let (summary, events) = check(load, End::GivenUp).await;
    assert_eq!((summary.opened, summary.failures.total(), events.len()), (0, 0, 0));
}

#[tokio::test]
async fn whoever_stops_it_gets_what_there_is() {
    static CLOSED: AtomicUsize = AtomicUsize::new(0);
    let addr = server(|stream, n| async move {
        if n < 7 {
            converse(stream, &CLOSED).await;
        }
    })
    .await;
    let stop = CancellationToken::new();
    let run = load(addr, 20).run(&stop, |event| {
        if event == (Event::Opened { count: 7 }) {
            stop.cancel();
        }
    });
    let summary = timeout(LIMIT, run).await.unwrap().unwrap();
    assert_eq!((summary.end, summary.opened), (End::Stopped, 7));
    assert_eq!(CLOSED.load(Ordering::Relaxed), 7);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_named() {
    let mut load = load(SocketAddr::from(([127, 0, 0, 1], 1)), 1);
    load.server.host = "no.such.host.invalid".to_owned();
    let error = load.run(&CancellationToken::new(), |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "look up `no.such.host.invalid`");
}
