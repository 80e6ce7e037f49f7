//! A server that opens the WebSocket, says what it is told, and listens.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wsproof_proto::handshake::accept_for;

use crate::support::{Server, serve};

/// What came over a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The opening request.
    pub(crate) head: String,
    /// Everything after it.
    pub(crate) octets: Vec<u8>,
    /// Whether a reset was the end.
    pub(crate) reset: bool,
}

impl Seen {
    /// The frames, as their first octet, whether they were masked, and the payload.
    pub(crate) fn frames(&self) -> Vec<(u8, bool, Vec<u8>)> {
        let mut rest = self.octets.as_slice();
        let mut frames = Vec::new();
        while let [first, second, after @ ..] = rest {
            let masked = second & 0x80 != 0;
            let len = usize::from(second & 0x7f);
            assert!(len < 126, "these tests make short frames");
            let (key, after) = after.split_at(if masked { 4 } else { 0 });
            let (payload, after) = after.split_at(len);
            let unmask = |(n, octet): (usize, &u8)| octet ^ key.get(n % 4).unwrap_or(&0);
            frames.push((*first, masked, payload.iter().enumerate().map(unmask).collect()));
            rest = after;
        }
        frames
    }

    /// The payload of the close frame, if there was one.
    pub(crate) fn close(&self) -> Option<Vec<u8>> {
        self.frames().into_iter().find(|(first, ..)| *first == 0x88).map(|(.., body)| body)
    }
}

/// What a server saw, connection by connection.
pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

/// A server that says `octets` as soon as the WebSocket is open, and never ends TCP first.
pub(crate) fn says(octets: &'static [u8]) -> (Server, Log) {
    answers(move |head| {
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let accept = accept_for(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        [head.as_bytes(), octets].concat()
    })
}

/// A server that answers the opening request with what `answer` makes of it.
pub(crate) fn answers(
    answer: impl Fn(&str) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> (Server, Log) {
    let log = Log::default();
    let kept = log.clone();
    let server = serve(move |mut stream, _| {
        let (kept, answer) = (kept.clone(), answer.clone());
        async move {
            let mut octets = Vec::new();
            let mut seen = Seen::default();
            while seen.head.is_empty() {
                if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                    return;
                }
                if let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
                    seen.head = String::from_utf8(octets.drain(..end + 4).collect()).unwrap();
                }
            }
            let _ = stream.write_all(&answer(&seen.head)).await;
            seen.reset = loop {
                match stream.read_buf(&mut octets).await {
                    Ok(0) => break false,
                    Ok(_) => {}
                    Err(_) => break true,
                }
            };
            seen.octets = octets;
            kept.lock().unwrap().push(seen);
        }
    });
    (server, log)
}

/// The first connection, once it is over.
pub(crate) fn first(log: &Log) -> Seen {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(seen) = log.lock().unwrap().first() {
            return seen.clone();
        }
        std::thread::yield_now();
    }
    panic!("no connection came to its end");
}
