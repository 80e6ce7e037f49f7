//! Echo rounds with the echo server, right and wrong. Nothing here sleeps or is timed.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use wsproof_load::{Rate, Rounds, RoundsError};
use wsproof_testee::{
    ClientConfig, Defect, DeflateOffer, DeflateOptions, EchoOptions, EchoServer, ServerAddress,
    ServerConfig,
};

/// Messages of `size` octets on some connections, with a server that has this defect.
async fn rounds(
    size: usize,
    connections: usize,
    deflate: bool,
    defect: Option<&str>,
) -> Result<Rate, RoundsError> {
    let deflates = defect != Some("none");
    let server =
        ServerConfig { deflate: deflates.then(DeflateOptions::default), ..ServerConfig::default() };
    let defect = defect.filter(|_| deflates).map(|name| Defect::from_name(name).unwrap());
    let options = EchoOptions { server, defect, ..EchoOptions::default() };
    let server = EchoServer::bind(options).await.unwrap();
    let addr = server.local_addrs()[0];
    tokio::spawn(server.serve(CancellationToken::new()));
    let rounds = Rounds {
        server: ServerAddress { host: "127.0.0.1".to_owned(), port: addr.port(), tls: None },
        client: ClientConfig {
            deflate: deflate.then(DeflateOffer::default),
            ..ClientConfig::new(addr.to_string(), "/", [0; 32])
        },
        connections: NonZeroUsize::new(connections).unwrap(),
        size,
        text: true,
        warm_up: Duration::ZERO,
        span: Duration::from_millis(20),
    };
    rounds.run(|| {}, || {}).await
}

#[tokio::test]
async fn echoes_are_counted_and_timed() {
    for (size, connections) in [(0, 1), (125, 30), (70_000, 3), (3 << 20, 2)] {
        for deflate in [false, true] {
            let begun = Instant::now();
            let rate = rounds(size, connections, deflate, None).await.unwrap();
            let context = format!("{size} octets, {connections} connections, {rate:?}");
            assert!(rate.messages >= connections as u64, "{context}");
            assert!(rate.per_second > 0.0, "{context}");
            assert!(rate.latency(0.5) <= rate.latency(0.99), "{context}");
            assert!(rate.latency(0.99) <= begun.elapsed() * 2, "{context}");
        }
    }
}

#[tokio::test]
async fn what_is_no_echo_ends_it() {
    let check = async |deflate, defect, expected: &str| {
        let error = rounds(1000, 3, deflate, Some(defect)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{defect}: {error}");
    };
    check(true, "none", "declines permessage-deflate").await;
    check(false, "changes-first-octet", "not what was sent").await;
    check(false, "kind-swapped", "a binary frame").await;
    check(false, "drops-last-octet", "not that of what was sent").await;
}
