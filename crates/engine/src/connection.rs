//! One connection of a run: its state, its timers, and the tester's closing machinery.
//!
//! The reactions here are those of `wstest`, because close codes and flags in the classic files
//! follow from them. What they mean is for [`crate::judge`] to say.

use std::time::Duration;

use wsproof_proto::{
    CloseCode, Deviation, FrameHeader, FrameReader, Opcode, Role, Violation, close::CloseBody,
    deflate::Agreement, handshake::HeadReader,
};

use crate::{
    ClosingState, Event, FrameSpec, Kind, Opening, Payload, Settings, Stats, TcpEnd, Timer,
    Traffic, Transcript, What,
    compressed::Compressor,
    deflate::{COMPRESSED, Incoming},
    event::Arriving,
    opening::{BodyLength, MAX_HEAD},
    outgoing::{Outgoing, Sent},
    transcript,
};

/// More events than this are counted, not kept: no case expects as many.
const MAX_EVENTS: usize = 256;

/// Where `wstest` waits without end for a server that closed first to end TCP, we wait for so many
/// times the usual limit: a server that lingers for some seconds, to let its close frame be read,
/// gets the verdict that `wstest` gives it.
const PATIENCE: u32 = 5;

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
    pub(crate) closing: ClosingState,
    pub(crate) opening: Opening,
    pub(crate) key: String,
    pub(crate) opened_at: Option<Duration>,
    pub(crate) ended_at: Option<Duration>,
    pub(crate) fragment_size: u64,
    /// Octets of the frames of the message that is arriving.
    message_size: u64,
    pub(crate) messages_sent: u32,
    pub(crate) messages_received: u32,
    pub(crate) arriving: Option<Arriving>,
    pub(crate) text_ill_formed: bool,
    /// Present if compression was agreed.
    pub(crate) incoming: Option<Incoming>,
    pub(crate) compressor: Option<Compressor>,
    /// Payload of the control frame that is arriving, as far as it is kept.
    pub(crate) control: Vec<u8>,
    /// Head of the data frame that is arriving, for the log.
    pub(crate) frame_head: Vec<u8>,
    pub(crate) frame_offset: u64,
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
}

impl Shared {
    pub(crate) fn record(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(event);
        } else {
            self.events_omitted += 1;
        }
    }

    fn timers(&self) -> crate::Timers {
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
        let masks = role.masks() && !settings.unmasked;
        Self {
            index,
            role,
            state: State::Connecting,
            reader: FrameReader::new(role.other()),
            out: Outgoing::new(masks.then_some(seed)),
            order: None,
            closing: ClosingState::default(),
            opening: Opening::default(),
            key,
            opened_at: None,
            ended_at: None,
            fragment_size: settings.fragment_size,
            message_size: 0,
            messages_sent: 0,
            messages_received: 0,
            arriving: None,
            text_ill_formed: false,
            incoming: None,
            compressor: None,
            control: Vec::new(),
            frame_head: Vec::new(),
            frame_offset: 0,
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
            self.log(shared, now, what());
        }
    }

    pub(crate) fn switch_log(&mut self, shared: &mut Shared, now: Duration, on: bool, noted: bool) {
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

    /// What an expired timer of the closing machinery does.
    pub(crate) fn timed_out(&mut self, shared: &mut Shared, now: Duration, timer: Timer) {
        match timer {
            Timer::KillAfter if self.is_open() => {
                self.send_close(shared, now, Some(1001), b"Going Away");
                self.closing.failed_by_me = true;
            }
            Timer::KillAfter if self.is_closing() => {
                self.closing.failed_by_me = true;
                if !self.closing.was_clean {
                    self.not_clean("the case's time was over before the closing handshake was");
                }
                self.abort(shared, now);
            }
            Timer::CloseAfter if self.is_open() => self.send_close(shared, now, None, b""),
            Timer::CloseHandshake if self.is_closing() => {
                self.closing.close_handshake_timeout = true;
                self.not_clean("the peer did not answer the close frame in time");
                self.abort(shared, now);
            }
            Timer::ServerDrop if self.is_closing() => {
                self.closing.server_drop_timeout = true;
                self.not_clean("the server did not end TCP in time after the closing handshake");
                self.abort(shared, now);
            }
            Timer::OpenHandshake if !self.is_ended() => {
                // The body of a refusal has no end of its own; reading it is no fault.
                if !matches!(self.state, State::Refused { .. }) {
                    self.closing.open_handshake_timeout = true;
                    self.not_clean("the peer did not finish the opening handshake in time");
                }
                self.abort(shared, now);
            }
            _ => {}
        }
    }

    // Closing.

    /// Starts the closing handshake; ignored unless the connection is open.
    pub(crate) fn send_close(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        code: Option<u16>,
        reason: &[u8],
    ) {
        if !self.is_open() {
            return;
        }
        self.write_close(now, code, reason);
        self.closing.closed_by_me = true;
        let limit = shared.timers().close_handshake;
        self.start_limit(shared, now, Timer::CloseHandshake, limit);
    }

    fn write_close(&mut self, now: Duration, code: Option<u16>, reason: &[u8]) {
        let body = wsproof_proto::close::body(code, reason);
        self.out.frame(&FrameSpec::new(Opcode::Close, body.into()));
        self.closing.local_code = code;
        self.closing.local_reason = (!reason.is_empty()).then(|| reason.to_vec());
        self.closing.local_close_at = Some(now);
        self.state = State::Closing;
    }

    /// Records an illegal octet.
    pub(crate) fn note(&self, shared: &mut Shared, now: Duration, deviation: Deviation) {
        if shared.deviations.len() < MAX_EVENTS {
            shared.deviations.push(deviation);
            self.log(shared, now, What::Deviates { deviation });
        }
    }

    /// Reacts to an illegal octet: fails the connection, or ends TCP if it is closing already.
    pub(crate) fn violation(&mut self, shared: &mut Shared, now: Duration, deviation: Deviation) {
        self.note(shared, now, deviation);
        self.fail(shared, now, deviation.violation);
    }

    /// The reaction to a violation, noted or not.
    pub(crate) fn fail(&mut self, shared: &mut Shared, now: Duration, violation: Violation) {
        let code = violation.close_code().unwrap_or(CloseCode::PROTOCOL_ERROR);
        // No description is as long as a reason may be.
        self.fail_with(shared, now, code, violation.describe());
    }

    /// Refuses a frame or a message that is larger than the settings allow.
    pub(crate) fn check_size(&mut self, shared: &mut Shared, now: Duration, header: &FrameHeader) {
        if header.opcode.is_control() || !self.is_open() {
            return;
        }
        let Settings { max_frame, max_message, .. } = shared.settings;
        if header.opcode != Opcode::Continuation {
            self.message_size = 0;
        }
        self.message_size = self.message_size.saturating_add(header.length);
        if max_message != 0 && self.message_size > max_message {
            let reason = "a message that is larger than the settings allow";
            self.fail_with(shared, now, CloseCode::MESSAGE_TOO_BIG, reason);
        } else if max_frame != 0 && header.length > max_frame {
            let reason = "a frame that is larger than the settings allow";
            self.fail_with(shared, now, CloseCode::POLICY_VIOLATION, reason);
        }
    }

    fn fail_with(&mut self, shared: &mut Shared, now: Duration, code: CloseCode, reason: &str) {
        if self.is_ended() {
            return;
        }
        self.closing.failed_by_me = true;
        if self.is_open() && shared.settings.fails_by_drop {
            self.not_clean("the tester ended TCP, as it was told to do at a violation");
            self.abort(shared, now);
        } else if self.is_open() {
            self.send_close(shared, now, Some(code.0), reason.as_bytes());
        } else if self.is_closing() {
            if !self.closing.was_clean {
                self.not_clean("the peer broke the protocol during the closing handshake");
            }
            // In order, so that the close frame is not lost on its way.
            self.end(shared, now, TcpOrder::End);
        }
    }

    /// The peer's close frame is complete.
    pub(crate) fn close_received(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        header: &FrameHeader,
    ) {
        let payload = std::mem::take(&mut self.control);
        let body = CloseBody::split(&payload);
        self.closing.remote_code = body.code.map(|code| code.0);
        self.closing.remote_reason =
            (!body.reason.is_empty()).then(|| body.reason[..body.reason.len().min(123)].to_vec());
        if self.closing.remote_close_at.is_none() {
            self.closing.first_remote_code = self.closing.remote_code;
        }
        self.closing.peer_closed_first |= self.closing.local_close_at.is_none();
        self.closing.remote_close_at.get_or_insert(now);
        let offset = self.reader.offset() - header.length;
        if body.code.is_some_and(|code| !is_classic_code(code)) {
            let violation = Violation::CloseCodeReserved;
            self.violation(shared, now, Deviation { violation, offset });
        }
        if self.is_ended() {
            return;
        }
        if let Err(error) = std::str::from_utf8(body.reason) {
            let violation = Violation::CloseReasonIllFormed;
            let deviation = Deviation { violation, offset: offset + 2 };
            if error.error_len().is_some() {
                self.violation(shared, now, deviation);
                self.not_clean("the peer's close reason is not UTF-8");
                self.abort(shared, now);
            } else {
                // `wstest` sees nothing wrong in a reason that breaks off within a character, but
                // loses the connection over it, and does not know that it did.
                self.note(shared, now, deviation);
                self.not_clean("the peer's close reason is not UTF-8");
                self.abort(shared, now);
                self.closing.dropped_by_me = false;
            }
            return;
        }
        self.closing.was_clean = true;
        self.closing.not_clean_reason = None;
        if self.is_closing() {
            self.stop_timer(Timer::CloseHandshake);
            match self.role {
                Role::Server => self.abort(shared, now),
                Role::Client => self.start_server_drop(shared, now, 1),
            }
        } else {
            if shared.settings.echoes_close {
                self.write_close(now, body.code.map(|code| code.0), body.reason);
            } else {
                self.write_close(now, Some(1000), b"");
            }
            match self.role {
                Role::Server => self.end(shared, now, TcpOrder::End),
                // A pending limit of the case ends the wait, as it does in `wstest`; where there
                // is none, `wstest` waits for ever and we do not.
                Role::Client if self.has_timer(Timer::KillAfter) => {}
                Role::Client => self.start_server_drop(shared, now, PATIENCE),
            }
        }
    }

    fn start_server_drop(&mut self, shared: &mut Shared, now: Duration, times: u32) {
        // Further close frames do not buy the server more time.
        if self.has_timer(Timer::ServerDrop) {
            return;
        }
        let limit = shared.timers().server_drop * times;
        self.start_limit(shared, now, Timer::ServerDrop, limit);
    }

    pub(crate) fn not_clean(&mut self, reason: &str) {
        self.closing.was_clean = false;
        self.closing.not_clean_reason = Some(reason.to_owned());
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
        let (log_on, index) = (self.log_on, self.index);
        let own_write = self.out.fill(buf, |sent| log_sent(shared, now, index, log_on, &sent))?;
        shared.octets_sent += buf.len() as u64;
        *shared.stats.write_sizes.entry(buf.len()).or_default() += 1;
        self.log_traffic(shared, now, || What::Wrote {
            len: buf.len(),
            head: transcript::head(buf),
            own_write,
        });
        Some(own_write)
    }
}

fn log_sent(shared: &mut Shared, now: Duration, index: usize, log_on: bool, sent: &Sent) {
    *shared.stats.frames_sent.entry(sent.header.opcode.bits()).or_default() += 1;
    if !sent.header.opcode.is_control() {
        shared.traffic.outgoing.add_frame(&sent.header);
    }
    if log_on {
        let repeated = match &sent.payload {
            Payload::Repeat { unit, .. } => Some(*unit),
            Payload::Octets(_) | Payload::Window { .. } => None,
        };
        let what = What::FrameSent {
            header: sent.header,
            head: sent.payload.head(transcript::HEAD),
            chop: sent.chop,
            own_write: sent.own_write,
            repeated,
        };
        shared.transcript.push(now, index, what);
    }
}

/// `wstest` knows the codes of RFC 6455 only, not those that were registered later.
fn is_classic_code(code: CloseCode) -> bool {
    code.may_be_sent() && !matches!(code.0, 1012..=1014)
}
