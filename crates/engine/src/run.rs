//! The run of one case: fed with what happens, it says what to write and when to be woken.
//!
//! It knows no socket and no clock. Time is the time since the run began, passed in; a run fed
//! with the same octets at the same times does the same, however the octets are cut.

use std::{sync::Arc, time::Duration};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use wsproof_proto::{Deviation, Role, Violation, handshake::key_from};

use crate::{
    Accept, Case, Entry, Observed, Opening, Outcome, Settings, Target, TcpEnd, Timer, Timers,
    Traffic, What,
    connection::{Connection, Shared, State, TcpOrder},
    deflate::Incoming,
    opening::MAX_BODY,
    script::{Blocked, Script},
    series::Cutter,
    transcript,
};

/// Which connection of a run, counted from 0.
pub type ConnectionId = usize;

/// What a run is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// TCP (and TLS) is there.
    Connected,
    /// No connection came about.
    NotConnected,
    /// Octets from the peer. They are unmasked in place.
    Octets(&'a mut [u8]),
    /// The peer ended its sending half.
    Eof,
    /// The peer reset the connection.
    Reset,
}

/// What a run wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmit {
    /// Write the octets that were put into the buffer; alone, if `own_write` is set.
    Octets {
        /// Whether no other octets may join this write.
        own_write: bool,
    },
    /// End the sending half of TCP and go on reading.
    ShutdownWrite,
    /// End TCP in order.
    End,
    /// Reset TCP.
    Abort,
}

/// How the limits of cases are handled. Scripted waits are never changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limits {
    /// Multiplied by this factor.
    Scaled(f64),
    /// Left out, for debugging a peer.
    Off,
}

impl Default for Limits {
    fn default() -> Self {
        Self::Scaled(1.0)
    }
}

impl Limits {
    /// What becomes of a limit; nothing if it is left out.
    pub fn stretch(self, limit: Duration) -> Option<Duration> {
        match self {
            Self::Scaled(factor) => Some(limit.mul_f64(factor)),
            Self::Off => None,
        }
    }
}

/// What came to the wire log of a run that goes on, with what is needed to read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// The new entries.
    pub entries: Vec<Entry>,
    /// The opening handshakes, as far as they have come.
    pub openings: Arc<[Opening]>,
    /// All that was illegal in the peer's frames until now.
    pub deviations: Vec<Deviation>,
}

/// Everything about a run that is not the case.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// The tester's role.
    pub role: Role,
    /// Whom it dials; without meaning for a tester that is the server.
    pub target: Target,
    /// From which masks and keys are made.
    pub seed: u64,
    /// What happens to limits.
    pub limits: Limits,
    /// Limits of the handshakes in place of the case's own.
    pub timers: Option<Timers>,
    /// How the tester's endpoint behaves.
    pub settings: Settings,
}

impl RunConfig {
    /// A run with the case's own limits and the usual endpoint.
    pub fn new(role: Role, target: Target, seed: u64) -> Self {
        let (limits, settings) = (Limits::default(), Settings::default());
        Self { role, target, seed, limits, timers: None, settings }
    }
}

/// One case, being carried out.
///
/// Call [`Run::handle`] when something happened, [`Run::handle_timeout`] when the time of
/// [`Run::poll_timeout`] has come, and after each of them [`Run::poll_transmit`] for every
/// connection until it has nothing more. Spurious calls are harmless.
#[derive(Debug)]
pub struct Run {
    pub(crate) case: Arc<Case>,
    pub(crate) config: RunConfig,
    pub(crate) connections: Vec<Connection>,
    pub(crate) shared: Shared,
    pub(crate) script: Script,
    pub(crate) computed_ok: bool,
    pub(crate) unimplemented: bool,
    pub(crate) content_differs_at: Option<u64>,
    pub(crate) echo_timed_out: bool,
    seeds: ChaCha8Rng,
    dialled: usize,
    pub(crate) traffic: Option<Traffic>,
    /// Makes the messages of the case's echo loop, if it has one.
    pub(crate) cutter: Option<Cutter>,
    /// The opening handshakes as they were told last.
    openings_told: Arc<[Opening]>,
}

impl Run {
    /// A run that is about to open its first connection.
    pub fn new(case: Arc<Case>, config: RunConfig) -> Self {
        let references = case.references();
        let cutter = match &case.accept {
            Accept::EchoLoop { series, .. } => Some(series.cutter()),
            _ => None,
        };
        let shared = Shared {
            references,
            limits: config.limits,
            timers: Some(config.timers.unwrap_or(case.timers)),
            settings: config.settings,
            ..Shared::default()
        };
        let mut run = Self {
            case,
            seeds: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            connections: Vec::new(),
            shared,
            script: Script::default(),
            computed_ok: false,
            unimplemented: false,
            content_differs_at: None,
            echo_timed_out: false,
            dialled: 0,
            traffic: None,
            cutter,
            openings_told: Arc::default(),
        };
        let mut nonce = [0; 16];
        run.seeds.fill_bytes(&mut nonce);
        run.add_connection(key_from(nonce));
        run
    }

    /// A run whose first connection is open already, without an opening handshake.
    pub fn opened(case: Arc<Case>, config: RunConfig, now: Duration) -> Self {
        let mut run = Self::new(case, config);
        run.dialled = 1;
        run.connections[0].open(&mut run.shared, now);
        run.proceed(now);
        run
    }

    /// A run whose first connection came from the peer, and of which nothing was read yet.
    pub fn accepted(case: Arc<Case>, config: RunConfig, now: Duration) -> Self {
        let mut run = Self::new(case, config);
        run.dialled = 1;
        run.handle(0, now, Input::Connected);
        run
    }

    /// The case.
    pub fn case(&self) -> &Arc<Case> {
        &self.case
    }

    /// A connection that is to be opened now, each once.
    pub fn poll_dial(&mut self) -> Option<ConnectionId> {
        let next = (self.dialled < self.connections.len()).then_some(self.dialled)?;
        self.dialled += 1;
        Some(next)
    }

    /// Takes what happened on a connection.
    pub fn handle(&mut self, id: ConnectionId, now: Duration, input: Input<'_>) {
        if self.connections[id].is_ended() {
            return;
        }
        match input {
            Input::Connected => self.connected(id, now),
            Input::NotConnected => self.ended(id, now, TcpEnd::NotConnected),
            Input::Octets(octets) => {
                *self.shared.stats.read_sizes.entry(octets.len()).or_default() += 1;
                self.connections[id].log_traffic(&mut self.shared, now, || What::Read {
                    len: octets.len(),
                    head: transcript::head(octets),
                });
                self.octets(id, now, octets);
            }
            Input::Eof => self.ended(id, now, TcpEnd::PeerFin),
            Input::Reset => self.ended(id, now, TcpEnd::PeerReset),
        }
        self.proceed(now);
    }

    /// Lets every timer expire whose time has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        loop {
            let next = self.next_timeout();
            let Some((due, order, id)) = next.filter(|(due, ..)| *due <= now) else { return };
            // A timer acts at its own time, even if the caller is late.
            let expired = self.connections[id].expire(&mut self.shared, due, order);
            match expired {
                Some((Timer::Wait | Timer::Await, mark)) => self.wake(id, due, mark),
                Some((timer, _)) => {
                    self.connections[id].timed_out(&mut self.shared, now.max(due), timer);
                }
                None => return,
            }
            self.proceed(now);
        }
    }

    /// When [`Run::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.next_timeout().map(|(due, ..)| due)
    }

    /// What is to be done next on a connection. For [`Transmit::Octets`] the octets were appended
    /// to `buf`. Call again until there is nothing.
    pub fn poll_transmit(
        &mut self,
        id: ConnectionId,
        now: Duration,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let connection = &mut self.connections[id];
        if !connection.farewell.is_empty() {
            buf.append(&mut connection.farewell);
            return Some(Transmit::Octets { own_write: true });
        }
        if connection.order != Some(TcpOrder::Abort)
            && let Some(own_write) = connection.fill(&mut self.shared, now, buf)
        {
            return Some(Transmit::Octets { own_write });
        }
        Some(match connection.order.take()? {
            TcpOrder::Abort => Transmit::Abort,
            TcpOrder::End => Transmit::End,
            TcpOrder::ShutdownWrite => Transmit::ShutdownWrite,
        })
    }

    /// Whether a connection is to be reset now: what was given out to be written and is not written
    /// yet, does not matter any more. If all of it is written, the octets returned are to be tried
    /// once before.
    pub fn poll_abort(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        let connection = &mut self.connections[id];
        connection.order.take_if(|order| *order == TcpOrder::Abort)?;
        Some(std::mem::take(&mut connection.farewell))
    }

    /// Whether the case is over: TCP has ended on every connection.
    pub fn is_over(&self) -> bool {
        self.connections.iter().all(Connection::is_ended)
    }

    /// Whether the peer has nothing to work at: the script pauses, or after both close frames only
    /// the end of TCP is awaited.
    pub fn is_paused(&self) -> bool {
        let closed = |it: &Connection| it.is_closing() && it.closing.remote_close_at.is_some();
        self.script.blocked == Blocked::Waiting
            || self.connections.iter().all(|it| it.is_ended() || closed(it))
    }

    /// Whether what is due next is a pause of the script, and no limit for the peer.
    pub fn is_pause_due(&self) -> bool {
        let next = self.next_timeout();
        next.is_some_and(|(_, order, id)| self.connections[id].timer(order) == Some(Timer::Wait))
    }

    /// Whether nothing is to be written: the run waits for the peer, or for time to pass.
    pub fn is_waiting(&self) -> bool {
        self.connections.iter().all(|connection| connection.out.is_empty())
    }

    /// Logs octets and frames where the case does not, as long as there is room. What is measured
    /// takes longer then.
    pub fn keep_log_on(&mut self) {
        self.shared.keeps_log_on = true;
    }

    /// What came to the wire log after its first `known` entries, if anything did.
    pub fn logged_since(&mut self, known: usize) -> Option<Logged> {
        let entries = self.shared.transcript.entries.get(known..)?;
        if entries.is_empty() {
            return None;
        }
        let openings = self.connections.iter().map(|connection| &connection.opening);
        // They are large if the peer wants, and seldom new.
        if !openings.clone().eq(self.openings_told.iter()) {
            self.openings_told = openings.cloned().collect();
        }
        Some(Logged {
            entries: entries.to_vec(),
            openings: self.openings_told.clone(),
            deviations: self.shared.deviations.clone(),
        })
    }

    /// The start of the first connection's WebSocket, if it opened.
    pub fn opened_at(&self) -> Option<Duration> {
        self.connections[0].opened_at
    }

    /// Ends a run that cannot go on, for instance because the user interrupts it.
    pub fn give_up(&mut self, now: Duration) {
        for id in 0..self.connections.len() {
            self.connections[id].abort(&mut self.shared, now);
        }
    }

    /// Everything that happened. Call it when the run is over.
    pub fn into_outcome(mut self, now: Duration) -> Outcome {
        let openings =
            self.connections.iter_mut().map(|c| std::mem::take(&mut c.opening)).collect();
        let further = self.connections[1..].iter_mut().map(|c| std::mem::take(&mut c.closing));
        let further_closings = further.collect();
        let first = &mut self.connections[0];
        let went_on = first.incoming.as_ref().is_some_and(Incoming::went_on);
        // It may be kept for long, beside many others.
        let mut transcript = self.shared.transcript;
        transcript.entries.shrink_to_fit();
        let first_exceeded = first.incoming.as_ref().and_then(|incoming| incoming.exceeded);
        Outcome {
            further_closings,
            role: first.role,
            opened_at: first.opened_at,
            ended_at: first.ended_at.unwrap_or(now),
            events: self.shared.events,
            events_omitted: self.shared.events_omitted,
            echoes: self.connections.iter().map(|c| c.messages_received).sum(),
            computed_ok: self.computed_ok,
            unimplemented: self.unimplemented,
            content_differs_at: self.content_differs_at,
            echo_timed_out: self.echo_timed_out,
            log_was_on: self.connections[0].log_is_on(),
            closing: std::mem::take(&mut self.connections[0].closing),
            openings,
            deviations: self.shared.deviations,
            window_exceeded: first_exceeded,
            stats: self.shared.stats,
            traffic: self.traffic,
            pong_in_loop: self.shared.pong_in_loop,
            kind_differs: self.shared.kind_differs,
            corruption: self.shared.corruption,
            went_on_after_final_block: went_on,
            transcript,
            octets_received: self.shared.octets_received,
        }
    }

    pub(crate) fn add_connection(&mut self, key: String) {
        let seed = self.seeds.next_u64();
        let index = self.connections.len();
        let (role, settings) = (self.config.role, self.config.settings);
        self.connections.push(Connection::new(index, role, settings, seed, key));
    }

    fn next_timeout(&self) -> Option<(Duration, u64, ConnectionId)> {
        let timeout =
            |(id, c): (usize, &Connection)| c.next_timeout().map(|(due, order)| (due, order, id));
        self.connections.iter().enumerate().filter_map(timeout).min()
    }

    fn connected(&mut self, id: ConnectionId, now: Duration) {
        let connection = &mut self.connections[id];
        connection.connected(&mut self.shared, now);
        if connection.role == Role::Client {
            let request = self.config.target.request(&self.case, &connection.key).encode();
            connection.opening.request.clone_from(&request);
            connection.out.raw(request);
        }
    }

    fn ended(&mut self, id: ConnectionId, now: Duration, by: TcpEnd) {
        let connection = &mut self.connections[id];
        if let State::Opening(reader) = &connection.state
            && connection.opening.response.is_empty()
            && connection.role == Role::Client
        {
            connection.opening.response = reader.octets().to_vec();
        }
        connection.ended(&mut self.shared, now, by);
    }

    fn octets(&mut self, id: ConnectionId, now: Duration, octets: &mut [u8]) {
        let mut rest = octets;
        let connection = &mut self.connections[id];
        if let State::Opening(reader) = &mut connection.state {
            match reader.push(rest) {
                Err(violation) => return self.refuse(id, now, violation),
                Ok((_, false)) if connection.role == Role::Client && !reader.may_be_response() => {
                    return self.refuse(id, now, Violation::NotHttp);
                }
                Ok((_, false)) => return,
                Ok((taken, true)) => {
                    rest = &mut rest[taken..];
                    match connection.role {
                        Role::Client => self.answered(id, now),
                        Role::Server => self.asked(id, now),
                    }
                    // The script runs before frames that came along with the answer are read.
                    self.proceed(now);
                }
            }
        }
        let connection = &mut self.connections[id];
        if let State::Refused { body } = connection.state {
            let room = MAX_BODY - connection.opening.body.len();
            connection.opening.body.extend_from_slice(&rest[..rest.len().min(room)]);
            if body.is_complete(&connection.opening.body) {
                connection.abort(&mut self.shared, now);
            }
            return;
        }
        self.shared.octets_received += rest.len() as u64;
        while !self.connections[id].is_ended() {
            let (taken, item) = self.connections[id].reader.read(rest);
            let Some(item) = item else { return };
            self.item(id, now, &item);
            rest = &mut rest[taken..];
        }
    }

    /// A pause or a limit of the script is over.
    fn wake(&mut self, id: ConnectionId, now: Duration, mark: Option<&'static str>) {
        match std::mem::take(&mut self.script.blocked) {
            Blocked::Waiting => {}
            Blocked::Awaiting => {
                self.echo_timed_out = true;
                self.connections[id].closing.out_of_time = true;
                return;
            }
            other => {
                self.script.blocked = other;
                return;
            }
        }
        let Some(mark) = mark else { return };
        if self.connections[id].is_open() {
            self.event(id, now, Observed::Timeout { tag: mark.to_owned() });
        } else {
            self.script.end();
        }
    }
}
