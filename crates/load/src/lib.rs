//! Many WebSocket connections to one server at once: opened in batches, held, and closed in order.
//!
//! [`Load`] says how many and how fast, [`Load::run`] opens them and tells what happens as
//! [`Event`]s, and a [`Summary`] says what it came to. [`Rounds`] makes a server echo on all of
//! them and measures that. Nothing is printed here.

mod descriptors;
mod failure;
mod member;
mod rounds;
mod summary;

pub use descriptors::{TooFewDescriptors, ensure_descriptors};
pub use failure::Failures;
pub use rounds::{Rate, Rounds, RoundsError};
pub use summary::{End, Summary};

use std::{io, net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::{
    net::lookup_host,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wsproof_testee::{ClientConfig, ServerAddress};

use member::{Member, News};

/// Connections to open, and how.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server.
    pub server: ServerAddress,
    /// What each client asks for. Their seeds are chosen here.
    pub client: ClientConfig,
    /// Connections to open.
    pub connections: NonZeroUsize,
    /// Connections that are started at once.
    pub batch: NonZeroUsize,
    /// Time from one batch to the next.
    pub batch_delay: Duration,
    /// Time from an attempt that failed to the next one of the same client.
    pub retry_delay: Duration,
    /// When no attempt has succeeded for so long, the rest is given up. Zero: never.
    pub patience: Duration,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A WebSocket is open.
    Opened {
        /// How many were opened by now.
        count: usize,
    },
    /// An attempt to open one failed; there will be another one.
    Failed {
        /// Why, in words.
        why: String,
    },
    /// An open WebSocket has ended, though nobody asked for that. It is not opened again.
    Lost,
}

/// The server's address cannot be found.
#[derive(Debug, thiserror::Error)]
#[error("look up `{host}`")]
pub struct LookupError {
    host: String,
    #[source]
    source: io::Error,
}

impl Load {
    /// Opens the connections, holds them until the last one is open, and closes them. When `stop`
    /// is cancelled, those are closed that are open by then.
    pub async fn run(
        self,
        stop: &CancellationToken,
        mut on_event: impl FnMut(Event),
    ) -> Result<Summary, LookupError> {
        let addrs = look_up(&self.server).await?;
        let mut opening = Opening::new(self, addrs);
        let end = opening.run(stop, &mut on_event).await;
        Ok(opening.close(end).await)
    }
}

/// The addresses of a server: once, and not for each connection.
async fn look_up(server: &ServerAddress) -> Result<Arc<[SocketAddr]>, LookupError> {
    let host = server.host.as_str();
    let failed = |source| LookupError { host: host.to_owned(), source };
    Ok(lookup_host((host, server.port)).await.map_err(failed)?.collect())
}

/// Connections that are being opened.
struct Opening {
    load: Arc<Load>,
    member: Member,
    /// What the clients report. Each waits until there is room for what it will have to say.
    news: mpsc::Receiver<News>,
    tasks: JoinSet<()>,
    started: usize,
    summary: Summary,
}

impl Opening {
    fn new(load: Load, addrs: Arc<[SocketAddr]>) -> Self {
        let load = Arc::new(load);
        let (sender, news) = mpsc::channel(load.connections.get());
        let member =
            Member { load: load.clone(), addrs, news: sender, close: CancellationToken::new() };
        let summary = Summary::new(load.connections.get());
        Self { load, member, news, tasks: JoinSet::new(), started: 0, summary }
    }

    /// Goes on until all are open, or until there is no point in it.
    async fn run(&mut self, stop: &CancellationToken, on_event: &mut impl FnMut(Event)) -> End {
        let load = self.load.clone();
        let begun = Instant::now();
        let mut next_batch = begun;
        let mut patience = Patience::new(load.patience);
        while self.summary.opened < load.connections.get() {
            // Here, as news without end would keep the runtime from its timers.
            let now = Instant::now();
            let over = patience.over();
            if over.is_some_and(|over| over <= now) {
                self.summary.elapsed = now - begun;
                return End::GivenUp;
            }
            let more = self.started < load.connections.get();
            if more && next_batch <= now {
                patience.started(now, self.start_batch());
                next_batch = later(now, load.batch_delay);
                continue;
            }
            let due = [over, more.then_some(next_batch)].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.summary.elapsed = begun.elapsed();
                    return End::Stopped;
                }
                // What is due is done at the top of the loop.
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
                Some(news) = self.news.recv() => {
                    if let News::Opened(_) = news {
                        let now = Instant::now();
                        self.summary.elapsed = now - begun;
                        patience.opened(now);
                    }
                    on_event(self.summary.take(news));
                }
            }
        }
        End::Complete
    }

    fn start_batch(&mut self) -> usize {
        let left = self.load.connections.get() - self.started;
        let batch = left.min(self.load.batch.get());
        for _ in 0..batch {
            self.tasks.spawn(self.member.clone().run());
        }
        self.started += batch;
        batch
    }

    /// Closes what is open, and waits for it.
    async fn close(mut self, end: End) -> Summary {
        self.member.close.cancel();
        // Those who still wait to say something need not.
        self.news.close();
        while self.tasks.join_next().await.is_some() {}
        while let Ok(news) = self.news.try_recv() {
            self.summary.take(news);
        }
        self.summary.end = end;
        self.summary
    }
}

/// How long nobody may succeed, while somebody tries.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    /// Clients that have started and are not open yet.
    trying: usize,
    /// When somebody succeeded last, or began to try when nobody else did.
    since: Option<Instant>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, trying: 0, since: None }
    }

    fn started(&mut self, now: Instant, clients: usize) {
        if self.trying == 0 {
            self.since = Some(now);
        }
        self.trying += clients;
    }

    fn opened(&mut self, now: Instant) {
        self.trying -= 1;
        self.since = (self.trying > 0).then_some(now);
    }

    /// When it is over, unless somebody succeeds.
    fn over(&self) -> Option<Instant> {
        self.since.filter(|_| !self.limit.is_zero()).map(|since| later(since, self.limit))
    }
}

fn later(instant: Instant, delay: Duration) -> Instant {
    // Whoever waits longer than a clock can say may as well wait a day.
    instant.checked_add(delay).unwrap_or_else(|| instant + Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn patience_counts_while_somebody_tries_in_vain() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut patience = Patience::new(Duration::from_secs(30));
        assert_eq!(patience.over(), None);
        patience.started(at(0), 2);
        patience.started(at(10), 1);
        assert_eq!(patience.over(), Some(at(30)), "more clients are no success");
        patience.opened(at(20));
        assert_eq!(patience.over(), Some(at(50)));
        patience.opened(at(21));
        patience.opened(at(22));
        assert_eq!(patience.over(), None, "the next batch is not due yet");
        patience.started(at(1000), 1);
        assert_eq!(patience.over(), Some(at(1030)));
    }

    #[tokio::test]
    async fn news_without_end_do_not_put_off_the_end() {
        let mut opening = Opening::new(
            Load {
                server: ServerAddress { host: "127.0.0.1".to_owned(), port: 1, tls: None },
                client: ClientConfig::new("h", "/", [0; 32]),
                connections: NonZeroUsize::new(1000).unwrap(),
                batch: NonZeroUsize::MIN,
                batch_delay: Duration::from_millis(1),
                retry_delay: Duration::from_hours(1),
                patience: Duration::from_millis(50),
            },
            Arc::new([]),
        );
        for _ in 0..4 {
            let news = opening.member.news.clone();
            let failed = || News::Failed(String::new());
            tokio::spawn(async move { while news.send(failed()).await.is_ok() {} });
        }
        let stop = CancellationToken::new();
        let end = timeout(Duration::from_mins(1), opening.run(&stop, &mut |_| {})).await;
        assert_eq!(end.unwrap(), End::GivenUp);
    }

    #[test]
    fn patience_without_a_limit_is_never_over() {
        let mut patience = Patience::new(Duration::ZERO);
        patience.started(Instant::now(), 1);
        assert_eq!(patience.over(), None);
        assert!(later(Instant::now(), Duration::MAX) > Instant::now());
    }
}
