//! One connection of a run: its state, its timers, and what it sends.

use std::time::Duration;

use sha2::Sha256;
use wsproof_proto::{Deviation, FrameReader, Role, deflate::Agreement, handshake::HeadReader};

use crate::{
    ClosingState, Event, Kind, Opening, Payload, Settings, Stats, TcpEnd, Timer, Traffic,
    Transcript, What, Whole,
    compressed::Compressor,
    deflate::{COMPRESSED, Incoming},
    event::Arriving,
    opening::{BodyLength, MAX_HEAD},
    outgoing::{Outgoing, Sent},
    transcript,
};

/// More events than this are counted, not kept: no case expects as many.
pub(crate) const MAX_EVENTS: usize = 256;

/// Where a connection stands.
#[derive(Debug)]
pub(crate) enum State {
    /// TCP is being opened.
    Connecting,
    /// The opening handshake is under way.
    Opening(HeadReader),
    /// The answer was a refusal; its body is read for the report.
    Refused { body: BodyLength },
    /// Messages may flow.
    Open,
    /// A close frame was sent or received.
    Closing,
    /// TCP is gone, or the order to end it is out.
    Ended,
}

/// An order about TCP for whoever holds the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpOrder {
    Abort,
    End,
    ShutdownWrite,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) index: usize,
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) reader: FrameReader,
    pub(crate) out: Outgoing,
    pub(crate) order: Option<TcpOrder>,
    /// What a reset may still let through.
    pub(crate) farewell: Vec<u8>,
    pub(crate) closing: ClosingState,
    pub(crate) opening: Opening,
    pub(crate) key: String,
    pub(crate) opened_at: Option<Duration>,
    pub(crate) ended_at: Option<Duration>,
    pub(crate) fragment_size: u64,
    /// Octets of the frames of the message that is arriving.
    pub(crate) message_size: u64,
    pub(crate) messages_sent: u32,
    pub(crate) messages_received: u32,
    pub(crate) arriving: Arriving,
    pub(crate) text_ill_formed: bool,
    /// Present if compression was agreed.
    pub(crate) incoming: Option<Incoming>,
    pub(crate) compressor: Option<Compressor>,
    /// Payload of the control frame that is arriving, as far as it is kept.
    pub(crate) control: Vec<u8>,
    /// Head of the data frame that is arriving, for the log.
    pub(crate) frame_head: Vec<u8>,
    /// Hashes the payload of the frame that is arriving, if the log keeps only its head.
    pub(crate) frame_hash: Option<Sha256>,
    pub(crate) frame_offset: u64,
    /// Octets given out to be written.
    octets_sent: u64,
    timers: Vec<Pending>,
    log_on: bool,
}

#[derive(Debug, Clone)]
struct Pending {
    due: Duration,
    /// Timers due at the same time expire in the order in which they were started.
    order: u64,
    timer: Timer,
    mark: Option<&'static str>,
}

/// What all connections of a run share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) transcript: Transcript,
    pub(crate) stats: Stats,
    pub(crate) traffic: Traffic,
    pub(crate) corruption: Option<String>,
    pub(crate) pong_in_loop: bool,
    pub(crate) kind_differs: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) events_omitted: u64,
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) references: Vec<Payload>,
    pub(crate) octets_received: u64,
    pub(crate) octets_sent: u64,
    pub(crate) timer_count: u64,
    pub(crate) limits: crate::Limits,
    pub(crate) timers: Option<crate::Timers>,
    pub(crate) settings: Settings,
    /// No case turns the log of octets and frames off.
    pub(crate) keeps_log_on: bool,
}

impl Shared {
    pub(crate) fn record(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(event);
        } else {
            self.events_omitted += 1;
        }
    }

    pub(crate) fn timers(&self) -> crate::Timers {
        self.timers.unwrap_or(crate::Timers::CLASSIC)
    }
}

impl Connection {
    pub(crate) fn new(
        index: usize,
        role: Role,
        settings: Settings,
        seed: u64,
        key: String,
    ) -> Self {
        let masks = settings.masks.unwrap_or_else(|| role.masks());
        Self {
            index,
            role,
            state: State::Connecting,
            reader: FrameReader::new(role.other()),
            out: Outgoing::new(masks.then_some(seed)),
            order: None,
            farewell: Vec::new(),
            closing: ClosingState::default(),
            opening: Opening::default(),
            key,
            opened_at: None,
            ended_at: None,
            fragment_size: settings.fragment_size,
            message_size: 0,
            messages_sent: 0,
            messages_received: 0,
            arriving: Arriving::default(),
            text_ill_formed: false,
            incoming: None,
            compressor: None,
            control: Vec::new(),
            frame_head: Vec::new(),
            frame_hash: None,
            frame_offset: 0,
            octets_sent: 0,
            timers: Vec::new(),
            log_on: true,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing)
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    pub(crate) fn log_is_on(&self) -> bool {
        self.log_on
    }

    pub(crate) fn log(&self, shared: &mut Shared, now: Duration, what: What) {
        shared.transcript.push(now, self.index, what);
    }

    /// As [`Self::log`], but only while the log of octets and frames is on.
    pub(crate) fn log_traffic(
        &self,
        shared: &mut Shared,
        now: Duration,
        what: impl FnOnce() -> What,
    ) {
        if self.log_on {
            shared.transcript.push_traffic(now, self.index, what);
        }
    }

    pub(crate) fn switch_log(&mut self, shared: &mut Shared, now: Duration, on: bool, noted: bool) {
        if shared.keeps_log_on {
            return;
        }
        if noted && self.log_on != on {
            self.log(shared, now, What::WireLog { on });
        }
        self.log_on = on;
    }

    pub(crate) fn connected(&mut self, shared: &mut Shared, now: Duration) {
        self.log(shared, now, What::Connected);
        self.state = State::Opening(HeadReader::new(MAX_HEAD));
        let limit = shared.timers().open_handshake;
        self.start_limit(shared, now, Timer::OpenHandshake, limit);
    }

    pub(crate) fn open(&mut self, shared: &mut Shared, now: Duration) {
        self.stop_timer(Timer::OpenHandshake);
        self.state = State::Open;
        self.opened_at = Some(now);
        self.log(shared, now, What::Opened);
    }

    /// Messages may be compressed from now on.
    pub(crate) fn agree(&mut self, agreement: Agreement) {
        let peer = self.role.other();
        self.opening.agreement = Some(agreement);
        self.reader = FrameReader::new(peer).grant_rsv(COMPRESSED);
        self.incoming = Some(Incoming::new(agreement, peer));
        self.compressor = Some(Compressor::new(agreement.of(self.role)));
    }

    /// Whether compression was agreed.
    pub(crate) fn compresses(&self) -> bool {
        self.compressor.is_some()
    }

    /// Sends a message as a library would: compressed if that was agreed, then in fragments.
    pub(crate) fn send_message(
        &mut self,
        shared: &mut Shared,
        kind: Kind,
        payload: &Payload,
        fragment_size: u64,
    ) {
        match &mut self.compressor {
            Some(compressor) => {
                let compressed = compressor.message(&payload.to_vec());
                self.out.message(kind, COMPRESSED, compressed.into(), fragment_size);
            }
            None => self.out.message(kind, 0, payload.clone(), fragment_size),
        }
        self.message_sent(shared, payload.len());
    }

    /// Counts a message that was given to the writer.
    pub(crate) fn message_sent(&mut self, shared: &mut Shared, len: u64) {
        self.messages_sent += 1;
        shared.traffic.outgoing.messages += 1;
        shared.traffic.outgoing.app_octets += len;
    }

    // Timers.

    /// Starts a limit: something that time scale stretches and `--no-deadline` leaves out.
    pub(crate) fn start_limit(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        timer: Timer,
        after: Duration,
    ) {
        if let Some(after) = shared.limits.stretch(after) {
            self.start_timer(shared, now, timer, after, None);
        }
    }

    pub(crate) fn start_timer(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        timer: Timer,
        after: Duration,
        mark: Option<&'static str>,
    ) {
        shared.timer_count += 1;
        let order = shared.timer_count;
        self.timers.push(Pending { due: now + after, order, timer, mark });
        self.log(shared, now, What::TimerStarted { timer, after, mark: mark.map(str::to_owned) });
    }

    pub(crate) fn stop_timer(&mut self, timer: Timer) {
        self.timers.retain(|pending| pending.timer != timer);
    }

    pub(crate) fn has_timer(&self, timer: Timer) -> bool {
        self.timers.iter().any(|pending| pending.timer == timer)
    }

    pub(crate) fn next_timeout(&self) -> Option<(Duration, u64)> {
        self.timers.iter().map(|pending| (pending.due, pending.order)).min()
    }

    /// The timer with that place in the order.
    pub(crate) fn timer(&self, order: u64) -> Option<Timer> {
        let found = self.timers.iter().find(|pending| pending.order == order);
        found.map(|pending| pending.timer)
    }

    /// Takes the timer with that place in the order, and says that it expired.
    pub(crate) fn expire(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        order: u64,
    ) -> Option<(Timer, Option<&'static str>)> {
        let at = self.timers.iter().position(|pending| pending.order == order)?;
        let Pending { timer, mark, .. } = self.timers.remove(at);
        self.log(shared, now, What::TimerExpired { timer, mark: mark.map(str::to_owned) });
        Some((timer, mark))
    }

    // TCP.

    pub(crate) fn abort(&mut self, shared: &mut Shared, now: Duration) {
        self.end(shared, now, TcpOrder::Abort);
    }

    pub(crate) fn end(&mut self, shared: &mut Shared, now: Duration, order: TcpOrder) {
        if self.is_ended() {
            return;
        }
        let by = if order == TcpOrder::Abort { TcpEnd::TesterAbort } else { TcpEnd::TesterFin };
        self.closing.dropped_by_me = true;
        if order == TcpOrder::Abort {
            // The peer may still read why.
            if self.out.is_farewell() {
                let mut write = Vec::new();
                while self.fill(shared, now, &mut write).is_some() {
                    self.farewell.append(&mut write);
                }
            }
            self.out.clear();
        }
        self.order = Some(order);
        self.ended(shared, now, by);
    }

    /// TCP is gone, whoever ended it.
    pub(crate) fn ended(&mut self, shared: &mut Shared, now: Duration, by: TcpEnd) {
        if matches!(by, TcpEnd::PeerFin | TcpEnd::PeerReset) {
            if self.opened_at.is_none() {
                self.not_clean("the peer ended TCP before the opening handshake was complete");
            } else if !self.closing.was_clean {
                self.not_clean("the peer ended TCP without a closing handshake");
            }
            self.out.clear();
        }
        self.closing.tcp_end = Some(by);
        self.timers.clear();
        self.ended_at = Some(now);
        self.state = State::Ended;
        self.log(shared, now, What::TcpEnded { by });
    }

    /// The octets of the next write, logged as they leave.
    pub(crate) fn fill(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        buf: &mut Vec<u8>,
    ) -> Option<bool> {
        let log = self.log_on.then_some((now, self.index));
        let before = buf.len();
        // Frames are counted after the tester's half of the opening handshake, which the first
        // ones of a server leave together with.
        let (sent_before, opening) = (self.octets_sent, self.own_head().len() as u64);
        let own_write = self.out.fill(buf, |sent| {
            let offset = (sent_before + sent.at as u64).saturating_sub(opening);
            log_sent(shared, log, offset, &sent);
        })?;
        let written = &buf[before..];
        self.octets_sent += written.len() as u64;
        shared.octets_sent += written.len() as u64;
        *shared.stats.write_sizes.entry(written.len()).or_default() += 1;
        self.log_traffic(shared, now, || What::Wrote {
            len: written.len(),
            head: transcript::head(written),
            own_write,
        });
        Some(own_write)
    }

    /// The tester's half of the opening handshake.
    pub(crate) fn own_head(&self) -> &[u8] {
        match self.role {
            Role::Client => &self.opening.request,
            Role::Server => &self.opening.response,
        }
    }
}

/// Counts a frame that begins at `offset` in the stream, and logs it with the time and the
/// connection in `log`.
fn log_sent(shared: &mut Shared, log: Option<(Duration, usize)>, offset: u64, sent: &Sent) {
    *shared.stats.frames_sent.entry(sent.header.opcode.bits()).or_default() += 1;
    if !sent.header.opcode.is_control() {
        shared.traffic.outgoing.add_frame(&sent.header);
    }
    if let Some((now, index)) = log {
        let repeated = match &sent.payload {
            Payload::Repeat { unit, .. } => Some(*unit),
            Payload::Octets(_) | Payload::Window { .. } => None,
        };
        shared.transcript.push_traffic(now, index, || What::FrameSent {
            header: sent.header,
            head: sent.payload.head(transcript::HEAD),
            whole: Whole::sent(&sent.payload).map(Box::new),
            offset: Some(offset),
            chop: sent.chop,
            own_write: sent.own_write,
            repeated,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameSpec, close_frame, octets, ping, text};

    /// What is counted and logged of the writes of a farewell.
    fn check(frames: &[FrameSpec], sizes: &[usize]) {
        let settings = Settings::default();
        let mut connection = Connection::new(0, Role::Server, settings, 0, String::new());
        let (mut shared, now) = (Shared::default(), Duration::ZERO);
        for frame in frames {
            connection.out.frame(frame);
        }
        connection.abort(&mut shared, now);
        let wrote = shared.transcript.entries.iter().filter_map(|entry| match &entry.what {
            What::Wrote { len, head, .. } => Some((*len, head.clone())),
            _ => None,
        });
        let (lens, heads): (Vec<_>, Vec<_>) = wrote.unzip();
        assert_eq!(lens, sizes);
        assert_eq!(heads.concat(), connection.farewell);
        assert_eq!(shared.octets_sent, connection.farewell.len() as u64);
        for size in sizes {
            let expected = sizes.iter().filter(|other| *other == size).count() as u64;
            assert_eq!(shared.stats.write_sizes[size], expected, "{size}");
        }
    }

    #[test]
    fn each_write_of_a_farewell_counts_once() {
        let close = close_frame(octets([0x03, 0xea]));
        check(std::slice::from_ref(&close), &[4]);
        check(&[ping(""), close.clone()], &[6]);
        check(&[text("abc").own_write(), close.clone()], &[5, 4]);
        check(&[text("abc").chopped(2), close], &[2, 2, 1, 4]);
    }

    #[test]
    fn offsets_begin_behind_the_opening_handshake() {
        let settings = Settings::default();
        let mut connection = Connection::new(0, Role::Server, settings, 0, String::new());
        let (mut shared, mut buf) = (Shared::default(), Vec::new());
        connection.opening.response = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        connection.out.raw(connection.opening.response.clone());
        connection.out.frame(&ping(octets(*b"a")));
        connection.out.frame(&ping(octets(*b"b")));
        connection.fill(&mut shared, Duration::ZERO, &mut buf);
        connection.out.frame(&ping(octets(*b"c")));
        connection.fill(&mut shared, Duration::ZERO, &mut buf);
        let offsets = shared.transcript.entries.iter().filter_map(|entry| match entry.what {
            What::FrameSent { offset, .. } => offset,
            _ => None,
        });
        assert_eq!(offsets.collect::<Vec<_>>(), [0, 3, 6]);
    }
}
