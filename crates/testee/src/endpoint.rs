//! One end of a WebSocket connection, without I/O and without a clock (RFC 6455).
//!
//! An [`Endpoint`] is fed with what happens and says what to do. After each call of
//! [`handle`](Endpoint::handle), [`handle_timeout`](Endpoint::handle_timeout) or
//! [`close`](Endpoint::close), drain [`poll_transmit`](Endpoint::poll_transmit) and
//! [`poll_event`](Endpoint::poll_event), then ask [`poll_timeout`](Endpoint::poll_timeout).

mod answers;
mod config;
mod deflate;
mod event;
mod fields;
mod lax;
mod opening;
mod origins;
mod ping;
mod receiver;
mod request;
mod sender;
#[cfg(test)]
mod tests;

pub use config::{ClientConfig, CloseReply, FailBy, ServerConfig};
pub use deflate::{DeflateOffer, DeflateOptions};
pub use event::{Event, Input, Transmit};
pub use origins::Origins;
pub use ping::AutoPing;

use std::{collections::VecDeque, time::Duration};

use ping::Pinger;
use receiver::{Failure, Receiver, Rules, Unit, Unread, check};
use sender::Sender;
use wsproof_proto::{CloseCode, FrameHeader, Opcode, Role, Violation, close::CloseBody};

use crate::defect::{
    Defect,
    behaviour::{AfterClose, Behaviour, Failing, OnOpen, TcpEnd},
};

/// One end of a connection.
#[derive(Debug)]
pub struct Endpoint {
    role: Role,
    behaviour: Behaviour,
    echoes: bool,
    phase: Phase,
    /// When [`Endpoint::handle_timeout`] has something to do.
    deadline: Option<Duration>,
    close_timeout: Duration,
    fail_by: FailBy,
    close_reply: CloseReply,
    idle_timeout: Duration,
    /// When an open WebSocket is given up, unless something arrives.
    idle_until: Option<Duration>,
    pinger: Option<Pinger>,
    opening: Option<opening::Opening>,
    receiver: Receiver,
    sender: Sender,
    events: VecDeque<Event>,
    /// A close that is not answered yet, which only a defect holds back.
    held_close: Option<(Option<CloseCode>, String)>,
    messages: u64,
    pings: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    /// A close frame was sent; the peer's is awaited.
    Closing,
    /// The WebSocket is closed; the peer's end of TCP is awaited and octets are discarded.
    Lingering,
    Done,
}

/// How long a defect goes on after a close frame before it answers.
const HELD_CLOSE: Duration = Duration::from_millis(50);

impl Endpoint {
    /// A server to which a client has connected.
    pub fn server(config: ServerConfig) -> Self {
        let receiver = Receiver::new(Rules {
            masked: config.require_masks.then_some(true),
            max_frame_size: config.max_frame_size,
            max_message_size: config.max_message_size,
            validate_text: config.validate_text,
        });
        // A server sends no masks, unless it is told to: then anybody may guess them.
        let mut sender = Sender::new(config.mask_frames, [0; 32]);
        if let Some(size) = config.fragment_size {
            sender.fragment(size);
        }
        let (handshake, close) = (config.handshake_timeout, config.close_timeout);
        let (fail_by, close_reply) = (config.fail_by, config.close_reply);
        let pinger = config.auto_ping.map(Pinger::new);
        let opening = opening::Opening::server(config);
        Self {
            fail_by,
            close_reply,
            pinger,
            ..Self::new(Role::Server, opening, receiver, sender, handshake, close)
        }
    }

    /// A client that has connected to a server.
    pub fn client(config: ClientConfig) -> Self {
        let receiver = Receiver::new(Rules {
            masked: Some(false),
            max_frame_size: usize::MAX,
            max_message_size: config.max_message_size,
            validate_text: true,
        });
        let (handshake, close) = (config.handshake_timeout, config.close_timeout);
        let (fail_by, close_reply) = (config.fail_by, config.close_reply);
        let idle_timeout = config.idle_timeout;
        let mut sender = Sender::new(true, config.seed);
        let opening = opening::Opening::client(config, &mut sender);
        Self {
            fail_by,
            close_reply,
            idle_timeout,
            ..Self::new(Role::Client, opening, receiver, sender, handshake, close)
        }
    }

    fn new(
        role: Role,
        opening: opening::Opening,
        receiver: Receiver,
        sender: Sender,
        handshake_timeout: Duration,
        close_timeout: Duration,
    ) -> Self {
        Self {
            role,
            behaviour: Behaviour::default(),
            echoes: false,
            phase: Phase::Opening,
            deadline: limit(Duration::ZERO, handshake_timeout),
            close_timeout,
            fail_by: FailBy::default(),
            close_reply: CloseReply::default(),
            idle_timeout: Duration::ZERO,
            idle_until: None,
            pinger: None,
            opening: Some(opening),
            receiver,
            sender,
            events: VecDeque::new(),
            held_close: None,
            messages: 0,
            pings: 0,
        }
    }

    /// Sends each message back by itself, in the same kind, and does not report it.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echoes = true;
        self
    }

    /// Makes the endpoint wrong in one way.
    #[must_use]
    pub fn with_defect(mut self, defect: Defect) -> Self {
        self.behaviour = defect.behaviour();
        if let Some(limit) = self.behaviour.message_limit {
            self.receiver.limit(limit);
        }
        self
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        match (input, self.phase) {
            (_, Phase::Done) | (Input::Octets(_), Phase::Lingering) => {}
            (Input::Octets(octets), Phase::Opening) => self.read_head(now, octets),
            (Input::Octets(octets), Phase::Open | Phase::Closing) => {
                self.idle_until = limit(now, self.idle_timeout);
                self.read_frames(now, octets);
            }
            (Input::Eof, phase) => {
                self.lose(phase, "the peer ended TCP");
                self.finish(now, Transmit::Close);
            }
            (Input::Reset, phase) => {
                self.lose(phase, "TCP was reset");
                self.sender.clear();
                self.end();
            }
        }
    }

    /// Does what is due. Calls before [`poll_timeout`](Self::poll_timeout) do nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.ping_if_due(now);
        if self.idle_due().is_some_and(|due| due <= now) {
            self.events.push_back(Event::Silent);
            self.lose(Phase::Open, "the peer said nothing");
            return self.finish(now, Transmit::Close);
        }
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        match self.phase {
            Phase::Opening => self.give_up_opening(now),
            Phase::Open => {
                if let Some((code, reason)) = self.held_close.take() {
                    self.answer_close(now, code, reason);
                }
            }
            Phase::Closing | Phase::Lingering => {
                self.lose(self.phase, "the peer did not answer");
                self.finish(now, Transmit::Close);
            }
            Phase::Done => {}
        }
    }

    /// What to do next; call until there is nothing.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Transmit> {
        self.sender.poll(now, self.behaviour.delay)
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) are
    /// to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let due = [self.deadline, self.sender.due(), self.ping_due(), self.idle_due()];
        due.into_iter().flatten().min()
    }

    /// What the application may want to know; call until there is nothing.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Starts the closing handshake. Before the WebSocket is open, ends TCP; if it is closed
    /// already, does nothing. A reason that is too long is cut.
    pub fn close(&mut self, now: Duration, code: CloseCode, reason: &str) {
        match self.phase {
            Phase::Opening => {
                self.lose(Phase::Opening, "the endpoint goes away");
                self.finish(now, Transmit::Close);
            }
            Phase::Open => {
                self.send_close(Some(code.0), reason);
                self.phase = Phase::Closing;
                self.deadline = limit(now, self.close_timeout);
            }
            Phase::Closing | Phase::Lingering | Phase::Done => {}
        }
    }

    /// Sends a text message, if the WebSocket is open.
    pub fn send_text(&mut self, now: Duration, text: impl Into<String>) {
        self.send(now, Opcode::Text, text.into().into_bytes());
    }

    /// Sends a binary message, if the WebSocket is open.
    pub fn send_binary(&mut self, now: Duration, payload: impl Into<Vec<u8>>) {
        self.send(now, Opcode::Binary, payload.into());
    }

    /// Sends a ping with up to 125 octets of `payload`, if the WebSocket is open.
    pub fn send_ping(&mut self, payload: &[u8]) {
        if self.phase == Phase::Open {
            self.send_control(Opcode::Ping, &payload[..payload.len().min(125)]);
        }
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether octets that arrive are discarded, so that reading them costs nothing.
    pub fn is_discarding(&self) -> bool {
        matches!(self.phase, Phase::Lingering | Phase::Done)
    }

    /// Whether nothing will happen any more and everything was handed out.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done && self.sender.is_empty()
    }

    /// Whether permessage-deflate was agreed upon.
    pub fn compresses(&self) -> bool {
        self.sender.compresses()
    }

    /// Memory that a partly received message occupies.
    pub fn held(&self) -> usize {
        self.receiver.held()
    }

    fn idle_due(&self) -> Option<Duration> {
        self.idle_until.filter(|_| self.phase == Phase::Open)
    }

    fn send(&mut self, now: Duration, opcode: Opcode, payload: Vec<u8>) {
        if self.phase == Phase::Open {
            let header = FrameHeader::new(opcode, payload.len() as u64);
            let Behaviour { masking, delay, .. } = self.behaviour;
            self.sender.frame_from(now, header, payload, masking, delay);
        }
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) {
        let header = FrameHeader::new(opcode, payload.len() as u64);
        self.sender.frame(header, payload, self.behaviour.masking);
    }

    /// The opening handshake is over: what is in `rest` are frames already.
    fn open(&mut self, now: Duration, opened: Event, rest: &mut [u8]) {
        self.events.push_back(opened);
        self.phase = Phase::Open;
        self.deadline = None;
        self.idle_until = limit(now, self.idle_timeout);
        if let Some(pinger) = &mut self.pinger {
            pinger.start(now);
        }
        match self.behaviour.on_open {
            OnOpen::Nothing => {}
            OnOpen::Close => self.close(now, CloseCode::NORMAL, ""),
            OnOpen::DropTcp => {
                self.lose(Phase::Open, "the endpoint dropped TCP");
                self.finish(now, Transmit::Close);
            }
            OnOpen::Message => self.send(now, Opcode::Text, b"unsolicited".to_vec()),
        }
        if matches!(self.phase, Phase::Open | Phase::Closing) {
            self.read_frames(now, rest);
        }
    }

    fn read_frames(&mut self, now: Duration, octets: &mut [u8]) {
        let mut input = Unread(octets);
        while matches!(self.phase, Phase::Open | Phase::Closing) {
            match self.receiver.next(&mut input, &self.behaviour) {
                Ok(Some(Unit::Message { text, payload })) => self.on_message(now, text, payload),
                Ok(Some(Unit::Control(Opcode::Close))) => self.on_close(now),
                Ok(Some(Unit::Control(opcode))) => self.on_ping_or_pong(now, opcode),
                Ok(None) => return,
                Err(failure) => return self.fail(now, failure),
            }
        }
    }

    fn on_close(&mut self, now: Duration) {
        if self.held_close.is_some() {
            return;
        }
        let (code, reason) = match self.judge_close() {
            Ok(parts) => parts,
            Err(failure) => return self.fail(now, failure),
        };
        if self.phase == Phase::Closing {
            self.events.push_back(Event::Closed { code, reason, clean: true });
            return self.end_tcp(now, self.behaviour.tcp);
        }
        if self.behaviour.after_close == AfterClose::Nothing {
            return self.answer_close(now, code, reason);
        }
        self.held_close = Some((code, reason));
        self.deadline = Some(now + HELD_CLOSE);
    }

    /// Checks the body of the close frame that was received (RFC 6455, 5.5.1 and 7.4).
    fn judge_close(&self) -> Result<(Option<CloseCode>, String), Failure> {
        let payload = self.receiver.control();
        let check = |good, violation| check(good, violation, &self.behaviour);
        check(payload.len() != 1, Violation::CloseBodyOfOneOctet)?;
        let body = CloseBody::split(payload);
        if let Some(code) = body.code {
            check((self.behaviour.legal_code)(code), Violation::CloseCodeReserved)?;
        }
        check(std::str::from_utf8(body.reason).is_ok(), Violation::CloseReasonIllFormed)?;
        // Only an endpoint that does not notice gets here with a lone octet.
        let code = if payload.len() == 1 { Some(CloseCode::NORMAL) } else { body.code };
        Ok((code, String::from_utf8_lossy(body.reason).into_owned()))
    }

    /// Fails the WebSocket connection (RFC 6455, 7.1.7).
    fn fail(&mut self, now: Duration, failure: Failure) {
        let Failure { code, why } = failure;
        let code = match self.behaviour.failing {
            Failing::CodesSwapped if code == CloseCode::PROTOCOL_ERROR => {
                CloseCode::INVALID_PAYLOAD
            }
            Failing::CodesSwapped if code == CloseCode::INVALID_PAYLOAD => {
                CloseCode::PROTOCOL_ERROR
            }
            Failing::Always(code) => code,
            _ => code,
        };
        self.events.push_back(Event::Failed { code, why });
        self.events.push_back(Event::Closed { code: None, reason: String::new(), clean: false });
        match self.behaviour.failing {
            Failing::DropTcp => return self.finish(now, Transmit::Close),
            Failing::Reset => return self.finish(now, Transmit::Reset),
            _ if self.fail_by == FailBy::DroppingTcp => return self.finish(now, Transmit::Close),
            Failing::Close | Failing::CodesSwapped | Failing::Always(_) => {}
        }
        // There is but one close frame in each direction.
        if self.phase == Phase::Open {
            self.send_close(Some(code.0), why);
        }
        self.end_tcp(now, self.behaviour.tcp_of_failed);
    }

    fn send_close(&mut self, code: Option<u16>, reason: &str) {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let body = wsproof_proto::close::body(code, &reason.as_bytes()[..end]);
        self.send_control(Opcode::Close, &body);
    }

    /// Ends TCP after the last close frame: the server first, the client after the server
    /// (RFC 6455, 7.1.1). Ending it at once might take the close frame away from the peer, as
    /// octets that arrive later would be answered with a reset.
    fn end_tcp(&mut self, now: Duration, end: TcpEnd) {
        self.phase = Phase::Lingering;
        self.deadline = limit(now, self.close_timeout);
        match end {
            TcpEnd::Orderly if self.role == Role::Server => {
                self.sender.then(now, Transmit::ShutdownWrite, self.behaviour.delay);
            }
            TcpEnd::Orderly => {}
            TcpEnd::Never => self.deadline = None,
            TcpEnd::Reset => self.finish(now, Transmit::Reset),
        }
    }

    /// Notes that the connection was lost in `phase`.
    fn lose(&mut self, phase: Phase, why: &str) {
        match phase {
            Phase::Opening => {
                self.events.push_back(Event::Refused { status: None, why: why.to_owned() });
            }
            Phase::Open | Phase::Closing => {
                let reason = String::new();
                self.events.push_back(Event::Closed { code: None, reason, clean: false });
            }
            Phase::Lingering | Phase::Done => {}
        }
    }

    fn finish(&mut self, now: Duration, last: Transmit) {
        self.sender.then(now, last, self.behaviour.delay);
        self.end();
    }

    fn end(&mut self) {
        self.phase = Phase::Done;
        self.deadline = None;
    }
}

/// When the time that something may take is over; a timeout of zero is none.
fn limit(now: Duration, timeout: Duration) -> Option<Duration> {
    (!timeout.is_zero()).then(|| now + timeout)
}
