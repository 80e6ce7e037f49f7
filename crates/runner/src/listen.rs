//! The fuzzing server: clients under test connect to it and ask for the cases themselves.
//!
//! A client opens one WebSocket for each thing that it wants and says in path and query what that
//! is. What happens is told as a [`Visit`]; nothing here renders, prints or writes files.

mod admission;
mod ask;
mod board;
mod command;
mod conversation;

use std::{
    collections::HashSet,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wsproof_engine::{
    Case, CaseId, Limits, Refusal, Request, RunConfig, Settings, Target, Timers, judge,
};
use wsproof_proto::{Role, handshake::HeadReader};

use crate::{
    Attempt, Confirmation, Event, Settled,
    dial::Stream,
    drive::{Accepted, drive_accepted},
    schedule::case_seed,
    verdict::Verdict,
};
pub use admission::Admission;
use ask::Ask;
use board::Board;
use conversation::Conversation;

/// A head that is longer is not read to its end.
const MAX_HEAD: usize = 256 << 10;
/// Before a listener that could not accept is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take to end when the server stops, or after a refusal.
const LAST: Duration = Duration::from_secs(2);
/// Reads at most after an answer that a client may not wait for.
const DRAINED: usize = 1 << 10;
/// The answer to a request with parameters that make no sense, as `wstest` gives it.
const NONSENSE: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\n\r\n";

/// Says which cases are not for an agent.
pub type Exclusion = dyn Fn(&str, &CaseId) -> bool + Send + Sync;

/// What a fuzzing server offers, and how.
pub struct ListenOptions {
    /// The cases, in the order in which clients count them.
    pub cases: Vec<Arc<Case>>,
    /// Cases that are not for an agent: it is let in, and the WebSocket closed at once.
    pub excluded: Box<Exclusion>,
    /// The `Server` field.
    pub server_name: String,
    /// How to speak TLS; `None` is plain TCP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What happens to limits.
    pub limits: Limits,
    /// Limits of the handshakes in place of the cases' own.
    pub timers: Option<Timers>,
    /// How the tester's endpoint behaves.
    pub settings: Settings,
    /// From which masks and keys are made, together with the id of the case.
    pub seed: u64,
    /// Who is let in.
    pub admission: Admission,
    /// Stop when, after some client asked for something, none has been connected for so long.
    pub until_idle: Option<Duration>,
    /// Stop when so many agents have asked for their reports.
    pub agents: Option<usize>,
}

/// What a client did.
#[derive(Debug)]
pub enum Visit {
    /// Something about a case that an agent runs.
    Case {
        /// The agent, as it calls itself.
        agent: String,
        /// Where it comes from.
        from: SocketAddr,
        /// What happened.
        event: Event,
    },
    /// An agent asked for a case that is not for it.
    Skipped {
        /// The agent.
        agent: String,
        /// Where it comes from.
        from: SocketAddr,
        /// The case.
        case: Arc<Case>,
    },
    /// An opening request was not taken.
    Refused {
        /// Where it comes from.
        from: SocketAddr,
        /// The status of the answer.
        status: u16,
        /// Why, in words.
        reason: &'static str,
    },
    /// A client that asks for nothing in particular may give commands.
    Commands {
        /// Where it comes from.
        from: SocketAddr,
    },
    /// A client asked for all reports; it waits until `done` is told or dropped.
    Reports {
        /// The agent.
        agent: String,
        /// Where it comes from.
        from: SocketAddr,
        /// To be told when all files are complete.
        done: oneshot::Sender<()>,
    },
}

/// Serves clients until `stop` is cancelled, by somebody or because a client asked for it. Returns
/// whether a case was cut off by that.
pub async fn listen(
    listeners: Vec<TcpListener>,
    options: ListenOptions,
    visits: mpsc::UnboundedSender<Visit>,
    stop: &CancellationToken,
) -> bool {
    let (until_idle, stop) = (options.until_idle, stop.clone());
    let server = Arc::new(Server {
        options,
        visits,
        stop: stop.clone(),
        board: Board::default(),
        reported: Mutex::default(),
    });
    let connections = TaskTracker::new();
    // Dropping the future of this function drops the connections as well.
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(server.clone().accept(listener, connections.clone()));
    }
    tokio::select! {
        () = stop.cancelled() => {}
        () = server.idle(until_idle) => stop.cancel(),
    }
    accepting.shutdown().await;
    connections.close();
    let _ = timeout(LAST, connections.wait()).await;
    // Only now: a connection may have seen the end before we did.
    server.board.is_cut_off()
}

struct Server {
    options: ListenOptions,
    visits: mpsc::UnboundedSender<Visit>,
    stop: CancellationToken,
    board: Board,
    /// Agents that have asked for reports.
    reported: Mutex<HashSet<String>>,
}

/// A client whose request has been read.
struct Visitor {
    accepted: Accepted,
    /// Octets of the head; the rest came along with it.
    head: usize,
    from: SocketAddr,
}

impl Server {
    async fn accept(self: Arc<Self>, listener: TcpListener, connections: TaskTracker) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let server = self.clone();
                    connections.spawn(async move {
                        let stop = server.stop.clone();
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = server.connected(stream, from) => {}
                        }
                    });
                }
                // The peer was gone before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Too many open files, most likely: others end and give theirs back.
                    tracing::warn!(%error, "no connection accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Completes when nobody has been there for so long.
    async fn idle(&self, limit: Option<Duration>) {
        match limit {
            Some(limit) => self.board.idle(limit).await,
            None => std::future::pending().await,
        }
    }

    async fn connected(&self, stream: TcpStream, from: SocketAddr) {
        let (began, started) = (Instant::now(), SystemTime::now());
        let limit = self.options.timers.unwrap_or(Timers::CLASSIC).open_handshake;
        let opening = self.read_head(stream, from);
        let opened = match self.options.limits.stretch(limit) {
            Some(limit) => timeout(limit, opening).await.unwrap_or_else(|late| Err(late.into())),
            None => opening.await,
        };
        // Who only looks whether somebody listens, or is no client at all, leaves no trace.
        let Ok((stream, octets, head)) = opened else { return };
        let _open = self.board.enter();
        let accepted = Accepted { stream, octets, began, started };
        let visitor = Visitor { accepted, head, from };
        if let Err(error) = self.serve(visitor).await {
            tracing::debug!(%from, %error, "connection lost");
        }
    }

    /// Reads until the request is complete. Returns all that was read, and how much is the head.
    async fn read_head(
        &self,
        stream: TcpStream,
        from: SocketAddr,
    ) -> io::Result<(Stream, Vec<u8>, usize)> {
        stream.set_nodelay(true)?;
        let mut stream = match &self.options.tls {
            None => Stream::Tcp(stream),
            Some(config) => {
                let stream = TlsAcceptor::from(config.clone()).accept(stream).await?;
                Stream::Tls(Box::new(stream.into()))
            }
        };
        let mut reader = HeadReader::new(MAX_HEAD);
        let mut octets = Vec::new();
        let mut buf = vec![0; 16 << 10];
        loop {
            let n = stream.read(&mut buf).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let before = octets.len();
            octets.extend_from_slice(&buf[..n]);
            match reader.push(&buf[..n]) {
                Ok((taken, true)) => return Ok((stream, octets, before + taken)),
                Ok((_, false)) => {}
                Err(_) => {
                    let refusal = Refusal::new(431, "the head is too long");
                    self.tell_refused(from, &refusal);
                    refuse(&mut stream, &refusal.encode()).await?;
                    drain(&mut stream, &mut buf).await;
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }

    async fn serve(&self, mut visitor: Visitor) -> io::Result<()> {
        let stream = &mut visitor.accepted.stream;
        let head = &visitor.accepted.octets[..visitor.head];
        let others = self.board.open() - 1;
        let request = match self.options.admission.admit(head, others) {
            Ok(request) => request,
            Err(refusal) => {
                // Who asks for a page is no client.
                if ![200, 303, 426].contains(&refusal.status()) {
                    self.tell_refused(visitor.from, &refusal);
                }
                return refuse(stream, &refusal.encode()).await;
            }
        };
        let Ok(ask) = Ask::read(request.target(), &self.options.cases) else {
            let refusal = Refusal::new(500, "the parameters of the request make no sense");
            self.tell_refused(visitor.from, &refusal);
            return refuse(stream, NONSENSE).await;
        };
        // Who only opens a WebSocket may be looking whether somebody is there, before clients come.
        if !matches!(ask, Ask::Commands) {
            self.board.greet();
        }
        let from = visitor.from;
        match ask {
            Ask::Count => {
                self.open(visitor, &request)
                    .await?
                    .reply(&self.options.cases.len().to_string())
                    .await
            }
            Ask::Info(case) => {
                let text = format!(
                    "{{\"id\": {}, \"description\": {}}}",
                    serde_json::Value::from(case.id.as_str()),
                    serde_json::Value::from(case.description())
                );
                self.open(visitor, &request).await?.reply(&text).await
            }
            Ask::Run { case, agent } if (self.options.excluded)(&agent, &case.id) => {
                self.board.skip(&agent, &case.id);
                self.tell(Visit::Skipped { agent, from, case });
                self.open(visitor, &request).await?.close(None, "").await
            }
            Ask::Run { case, agent } => {
                self.run(visitor, case, agent).await;
                Ok(())
            }
            Ask::Status { case, agent } => {
                let mut conversation = self.open(visitor, &request).await?;
                let behavior = tokio::select! {
                    behavior = self.board.behavior(&agent, &case.id) => behavior,
                    // Nobody waits any more.
                    () = conversation.until_closed() => return Ok(()),
                };
                conversation.reply(&format!("{{\"behavior\": \"{}\"}}", behavior.name())).await
            }
            Ask::Reports { agent, then_stop } => {
                let mut conversation = self.open(visitor, &request).await?;
                self.board.runs_of(Some(&agent)).await;
                let (done, written) = oneshot::channel();
                self.tell(Visit::Reports { agent: agent.clone(), from, done });
                // Whoever reads the files may do so when the close frame is there.
                let closed = tokio::select! {
                    _ = written => conversation.close(None, "").await,
                    // Nobody waits any more.
                    () = conversation.until_closed() => Ok(()),
                };
                if then_stop || self.is_last(agent) {
                    self.stop.cancel();
                }
                closed
            }
            Ask::Stop => {
                let closed = self.open(visitor, &request).await?.close(None, "").await;
                self.board.runs_of(None).await;
                self.stop.cancel();
                closed
            }
            Ask::Commands => {
                self.tell(Visit::Commands { from });
                command::obey(self.open(visitor, &request).await?).await
            }
        }
    }

    async fn open(&self, visitor: Visitor, request: &Request) -> io::Result<Conversation> {
        let Accepted { stream, mut octets, .. } = visitor.accepted;
        let early = octets.split_off(visitor.head);
        let answer = request.answer(&self.options.server_name, None);
        Conversation::open(stream, &answer, early).await
    }

    /// Runs a case on the connection that asked for it.
    async fn run(&self, visitor: Visitor, case: Arc<Case>, agent: String) {
        let from = visitor.from;
        let tell = |event| self.tell(Visit::Case { agent: agent.clone(), from, event });
        let running = self.board.begin(&agent, &case.id);
        tell(Event::Started { case: case.clone() });
        let options = &self.options;
        let config = RunConfig {
            role: Role::Server,
            target: Target {
                user_agent: options.server_name.clone(),
                ..Target::new(String::new(), String::new())
            },
            seed: case_seed(options.seed, case.id.as_str()),
            limits: options.limits,
            timers: options.timers,
            settings: options.settings,
        };
        let driven = drive_accepted(case.clone(), config, visitor.accepted, &self.stop).await;
        let Some(driven) = driven else { return };
        let outcome = driven.outcome;
        let classic = judge::classic(&case, &outcome);
        let rfc = judge::rfc(&case, &outcome);
        let beside = running.beside();
        let (number, unstable) = running.judged(Verdict::of(&classic, &rfc, &outcome));
        let quiet = beside == 0;
        tell(Event::Attempt(Box::new(Attempt {
            case: case.clone(),
            number,
            quiet,
            beside,
            comparable: quiet,
            started: driven.started,
            outcome,
            classic,
            rfc,
        })));
        // What runs beside what is the client's choice, and so is whether a case is repeated.
        let confirmation = Confirmation::NotNeeded;
        tell(Event::Settled(Settled { case, attempt: number, unstable, confirmation }));
        // Everything about it was told.
        drop(running);
    }

    /// Whether this agent is the last one that is waited for.
    fn is_last(&self, agent: String) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.insert(agent);
        self.options.agents.is_some_and(|agents| reported.len() >= agents)
    }

    fn tell_refused(&self, from: SocketAddr, refusal: &Refusal) {
        self.tell(Visit::Refused { from, status: refusal.status(), reason: refusal.reason() });
    }

    fn tell(&self, visit: Visit) {
        // Nobody listens any more when the run is over.
        let _ = self.visits.send(visit);
    }
}

async fn refuse(stream: &mut Stream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await?;
    stream.shutdown().await
}

/// Reads and drops what a client still sends, within limits: closed with octets unread, the
/// connection would be reset, and the answer might be lost.
async fn drain(stream: &mut Stream, buf: &mut [u8]) {
    let all = async {
        for _ in 0..DRAINED {
            if !matches!(stream.read(buf).await, Ok(1..)) {
                return;
            }
        }
    };
    let _ = timeout(LAST, all).await;
}

impl fmt::Debug for ListenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenOptions")
            .field("cases", &self.cases.len())
            .field("server_name", &self.server_name)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
