//! Echo rounds: each of many connections sends a message, waits for its echo, and sends the next.
//!
//! What is measured is the server, so this end is as light as it can be: messages are built,
//! compressed and masked before, an echo is compared whole once for each connection and later by
//! its length and its end (if it is compressed, it is only counted then), and all connections share
//! a buffer. Keys are used again and again, which
//! RFC 6455, 5.3 forbids a client that others can make talk; nobody can make this one.

mod echo;
mod member;
mod messages;

use std::{
    io,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};
use wsproof_testee::{ClientConfig, ServerAddress};

use crate::{LookupError, failure, look_up};
use member::{Member, Share, open};
use messages::Messages;

/// Octets read at once.
const READ: usize = 256 << 10;

/// Connections that are opened at once.
const OPENING: usize = 64;

/// How much longer than it should the measurement may take; then the server is stuck.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a server may take to close all connections.
const CLOSING: Duration = Duration::from_secs(2);

/// The longest time that is told apart from longer ones, in nanoseconds: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// Echo rounds to make, and how.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// The server.
    pub server: ServerAddress,
    /// What each client asks for. Their seeds are chosen here. What is offered of
    /// permessage-deflate must be accepted.
    pub client: ClientConfig,
    /// Connections, each with one message under way.
    pub connections: NonZeroUsize,
    /// Octets in a message.
    pub size: usize,
    /// Whether messages are text; else they are binary.
    pub text: bool,
    /// Time for which rounds are made before they count.
    pub warm_up: Duration,
    /// Time for which they count.
    pub span: Duration,
}

/// What they came to.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Messages that were echoed while it counted.
    pub messages: u64,
    /// Messages in a second, all connections together.
    pub per_second: f64,
    latencies: Histogram<u64>,
}

/// Why there is nothing to tell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoundsError {
    /// The server's address cannot be found.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A connection was not opened.
    #[error("open a connection: {0}")]
    Open(String),
    /// A connection was lost.
    #[error("hear an echo")]
    Lost(#[source] io::Error),
    /// The server echoes something else.
    #[error("hear an echo: {0}")]
    Wrong(String),
    /// The server echoes no more.
    #[error("hear an echo: the server has not answered for a minute")]
    Stuck,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    messages: Messages,
    /// From when on rounds count, and until when.
    begin: Instant,
    end: Instant,
    desk: Mutex<Desk>,
}

/// What one connection at a time uses.
#[derive(Debug)]
struct Desk {
    buffer: Vec<u8>,
    latencies: Histogram<u64>,
}

impl Rounds {
    /// Opens the connections, makes rounds, and closes them. `on_begin` is called when rounds begin
    /// to count, `on_end` when they have ended and nothing is closed yet.
    pub async fn run(
        self,
        on_begin: impl FnOnce(),
        on_end: impl FnOnce(),
    ) -> Result<Rate, RoundsError> {
        let streams = self.open_all().await?;
        let messages = Messages::new(self.size, self.text, self.client.deflate.as_ref());
        let begin = Instant::now() + self.warm_up;
        let end = begin + self.span;
        let latencies =
            Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds and the digits are legal");
        let desk = Mutex::new(Desk { buffer: vec![0; READ], latencies });
        let shared = Arc::new(Shared { messages, begin, end, desk });
        let mut members: JoinSet<_> = streams
            .into_iter()
            .enumerate()
            .map(|(number, stream)| Member::new(shared.clone(), stream).run(number))
            .collect();
        sleep_until(begin).await;
        on_begin();
        let (mut count, mut per_second) = (0, 0.0);
        let mut open = Vec::new();
        while let Some(joined) =
            timeout_at(end + PATIENCE, members.join_next()).await.map_err(|_| RoundsError::Stuck)?
        {
            let (share, member) = joined.map_err(|lost| RoundsError::Lost(lost.into()))??;
            let Share { messages, elapsed } = share;
            count += messages;
            #[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
            let messages = messages as f64;
            per_second += messages / elapsed.as_secs_f64();
            open.push(member);
        }
        on_end();
        let closing: JoinSet<()> = open.into_iter().map(Member::close).collect();
        // A server that does not close is left; there is nothing to lose.
        let _ = tokio::time::timeout(CLOSING, closing.join_all()).await;
        let mut desk = shared.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let latencies = std::mem::replace(&mut desk.latencies, Histogram::new(1).expect("legal"));
        Ok(Rate { messages: count, per_second, latencies })
    }

    async fn open_all(&self) -> Result<Vec<wsproof_testee::client::Stream>, RoundsError> {
        let addrs = look_up(&self.server).await?;
        let mut opening = JoinSet::new();
        let mut streams = Vec::new();
        let mut left = self.connections.get();
        while left > 0 || !opening.is_empty() {
            while left > 0 && opening.len() < OPENING {
                left -= 1;
                opening.spawn(open(self.server.clone(), addrs.clone(), self.client.clone()));
            }
            if let Some(joined) = opening.join_next().await {
                let opened = joined.map_err(|lost| RoundsError::Lost(lost.into()))?;
                streams.push(opened.map_err(RoundsError::Open)?);
            }
        }
        Ok(streams)
    }
}

impl Rate {
    /// In what time this part of the messages was echoed, from the first octet sent to the last
    /// octet received.
    pub fn latency(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_quantile(quantile))
    }
}
