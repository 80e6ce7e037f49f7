//! How the catalogue is written: one expression per case.

use std::{panic::Location as Caller, time::Duration};

use wsproof_proto::Opcode;

use crate::{
    Accept, Accepted, Ask, Basis, Case, CaseId, Citation, Class, Close, CloseBy, Edit, Expected,
    FrameSpec, Grade, Kind, Location, MessageSpec, Payload, Series, Spec, Step, Timers, Tolerance,
    octets,
};

/// Collects the cases of a section.
#[derive(Debug, Default)]
pub struct Section {
    cases: Vec<Case>,
}

impl Section {
    /// An empty section.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a case. The title is lower case, under 60 columns, without a final period.
    #[track_caller]
    #[expect(clippy::missing_panics_doc, reason = "a case was pushed just before")]
    pub fn case(&mut self, id: impl Into<String>, title: impl Into<String>) -> &mut Case {
        let caller = Caller::caller();
        let id = CaseId::new(id);
        let timers = if id.is_classic() { Timers::CLASSIC } else { Timers::OWN };
        self.cases.push(Case {
            id,
            title: title.into(),
            why: "",
            cites: Vec::new(),
            edits: Vec::new(),
            bare_request: false,
            deflate: Vec::new(),
            steps: Vec::new(),
            accept: Accept::Events(Vec::new()),
            tolerance: None,
            close: Close {
                by: CloseBy::Tester,
                codes: vec![1000],
                code_basis: Basis::Should,
                clean: true,
                wrong_side_fails: false,
                wrong_code_fails: false,
            },
            close_on_match: None,
            informational: false,
            measured: false,
            checks_own_frames: false,
            timers,
            location: Location { file: caller.file(), line: caller.line() },
        });
        self.cases.last_mut().expect("a case was pushed just before")
    }

    /// The cases, in the order in which they were written.
    pub fn into_cases(self) -> Vec<Case> {
        self.cases
    }
}

impl Case {
    /// Names a section in which the rule stands.
    pub fn cites(&mut self, spec: Spec, section: &'static str) -> &mut Self {
        self.cites.push(Citation { spec, section });
        self
    }

    /// Says why the case exists: one or two sentences.
    pub fn why(&mut self, why: &'static str) -> &mut Self {
        self.why = why;
        self
    }

    /// Adds a step that sends a frame or a message.
    pub fn send(&mut self, step: impl Into<Step>) -> &mut Self {
        self.steps.push(step.into());
        self
    }

    /// Adds several such steps.
    pub fn send_all<S: Into<Step>>(&mut self, steps: impl IntoIterator<Item = S>) -> &mut Self {
        self.steps.extend(steps.into_iter().map(Into::into));
        self
    }

    /// Starts the closing handshake.
    pub fn close(&mut self, code: impl Into<Option<u16>>, reason: impl AsRef<[u8]>) -> &mut Self {
        self.step(Step::Close { code: code.into(), reason: reason.as_ref().to_vec() })
    }

    /// Fails the connection after that time, if it is still there.
    pub fn kill_after(&mut self, after: Duration) -> &mut Self {
        self.step(Step::KillAfter(after))
    }

    /// Closes without a code after that time, if the connection is still open.
    pub fn close_after(&mut self, after: Duration) -> &mut Self {
        self.step(Step::CloseAfter(after))
    }

    /// Pauses the script.
    pub fn wait(&mut self, pause: Duration) -> &mut Self {
        self.step(Step::Wait { pause, mark: None })
    }

    /// Pauses, then goes on only if the connection is still open, and records that as an event.
    pub fn wait_while_open(&mut self, pause: Duration, mark: &'static str) -> &mut Self {
        self.step(Step::Wait { pause, mark: Some(mark) })
    }

    /// Adds any other step.
    pub fn step(&mut self, step: Step) -> &mut Self {
        self.steps.push(step);
        self
    }

    /// Accepts exactly these events. The strict list rests on a MUST, any other on what is said
    /// with [`Case::because`].
    pub fn accept(
        &mut self,
        grade: Grade,
        events: impl IntoIterator<Item = Expectation>,
    ) -> &mut Self {
        let echoes = echoes(&self.steps);
        let events = events.into_iter().map(|event| event.resolve(&echoes)).collect();
        let basis = if grade == Grade::Strict { Basis::Must } else { Basis::Should };
        if let Accept::Events(lists) = &mut self.accept {
            lists.push(Accepted { grade, basis, events });
        }
        self
    }

    /// Says on what the list accepted last rests.
    pub fn because(&mut self, basis: Basis) -> &mut Self {
        if let Accept::Events(lists) = &mut self.accept
            && let Some(last) = lists.last_mut()
        {
            last.basis = basis;
        }
        self
    }

    /// Leave that the RFC gives and the classic judgement does not.
    pub fn tolerates(&mut self, tolerance: Tolerance) -> &mut Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Accepts the first message of the kind and length of the message sent.
    pub fn accept_first_echo(&mut self) -> &mut Self {
        if let Some((kind, payload)) = echoes(&self.steps).pop() {
            self.accept = Accept::FirstEcho { kind, payload };
        }
        self
    }

    /// Sends messages, each after the echo of the one before.
    pub fn echo_loop(&mut self, count: u32, kind: Kind, series: Series) -> &mut Self {
        self.accept = Accept::EchoLoop { kind, series, count };
        self.step(Step::EchoLoop)
    }

    /// Needs permessage-deflate. Alternatives are tried in the order in which they are given.
    pub fn deflate(&mut self, asks: &[Ask]) -> &mut Self {
        asks.clone_into(&mut self.deflate);
        self
    }

    /// The tester closes with 1000 once the strict list has come; a clean handshake must follow.
    pub fn then_close(&mut self) -> &mut Self {
        self.close_on_match = Some(1000);
        self
    }

    /// The peer must answer the tester's close frame with one of these codes or none.
    pub fn answered_with(&mut self, codes: &[u16]) -> &mut Self {
        codes.clone_into(&mut self.close.codes);
        self
    }

    /// As [`Case::answered_with`], but the peer may also just end TCP.
    pub fn answered_with_or_dropped(&mut self, codes: &[u16]) -> &mut Self {
        self.close.clean = false;
        self.answered_with(codes)
    }

    /// The peer must fail the connection, with this code, with none, or by ending TCP.
    pub fn peer_fails(&mut self, code: u16) -> &mut Self {
        self.close.by = CloseBy::Peer;
        self.close.clean = false;
        self.close.codes = vec![code];
        self
    }

    /// Leaving the connection open fails the whole case, not its closing alone.
    pub fn or_fails(&mut self) -> &mut Self {
        self.close.wrong_side_fails = true;
        self
    }

    /// A wrong close code fails the whole case, not its closing alone.
    pub fn wrong_code_fails(&mut self, basis: Basis) -> &mut Self {
        self.close.wrong_code_fails = true;
        self.close.code_basis = basis;
        self
    }

    /// Whatever happens is worth knowing and no fault.
    pub fn informational(&mut self) -> &mut Self {
        self.informational = true;
        self
    }

    /// Durations are of interest.
    pub fn measured(&mut self) -> &mut Self {
        self.measured = true;
        self
    }

    /// The tester's own fragmenting is part of the case.
    pub fn checks_own_frames(&mut self) -> &mut Self {
        self.checks_own_frames = true;
        self
    }

    /// Our own families: a class of outcome instead of lists.
    pub fn class(&mut self, class: Class) -> &mut Self {
        self.accept = Accept::Class(class);
        self
    }

    /// Sends no request field that RFC 6455, 4.2.1 does not require.
    pub fn bare_request(&mut self) -> &mut Self {
        self.bare_request = true;
        self
    }

    /// Changes the opening request.
    pub fn edit(&mut self, edit: Edit) -> &mut Self {
        self.edits.push(edit);
        self
    }
}

/// An expected event as it is written in the catalogue.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// The nth message sent, counted from 0, comes back.
    Echo(usize),
    /// The event itself.
    Exactly(Expected),
}

impl Expectation {
    fn resolve(self, echoes: &[(Kind, Payload)]) -> Expected {
        match self {
            Self::Exactly(event) => event,
            Self::Echo(index) => {
                let (kind, payload) =
                    echoes.get(index).expect("a case expects the echo of a message that it sends");
                Expected::Message(*kind, payload.clone())
            }
        }
    }
}

/// The first message sent comes back, same kind, same octets.
pub fn echo() -> Expectation {
    Expectation::Echo(0)
}

/// The nth message sent, counted from 0, comes back.
pub fn echo_of(index: usize) -> Expectation {
    Expectation::Echo(index)
}

/// A pong with this payload comes.
pub fn pong_to(payload: impl AsRef<[u8]>) -> Expectation {
    Expectation::Exactly(Expected::Pong(payload.as_ref().to_vec()))
}

/// This message comes.
pub fn message(kind: Kind, payload: Payload) -> Expectation {
    Expectation::Exactly(Expected::Message(kind, payload))
}

/// The script reached this mark.
pub fn timeout(mark: &'static str) -> Expectation {
    Expectation::Exactly(Expected::Timeout(mark))
}

/// A frame of any kind.
pub fn frame(opcode: Opcode, payload: impl Into<Payload>) -> FrameSpec {
    FrameSpec::new(opcode, payload.into())
}

/// A text frame.
pub fn text(payload: impl Into<Payload>) -> FrameSpec {
    frame(Opcode::Text, payload)
}

/// A binary frame.
pub fn binary(payload: impl Into<Payload>) -> FrameSpec {
    frame(Opcode::Binary, payload)
}

/// A continuation frame.
pub fn continuation(payload: impl Into<Payload>) -> FrameSpec {
    frame(Opcode::Continuation, payload)
}

/// A ping.
pub fn ping(payload: impl Into<Payload>) -> FrameSpec {
    frame(Opcode::Ping, payload)
}

/// A pong nobody asked for.
pub fn pong(payload: impl Into<Payload>) -> FrameSpec {
    frame(Opcode::Pong, payload)
}

/// A close frame that does not start the tester's own closing handshake.
pub fn close_frame(payload: impl Into<Payload>) -> FrameSpec {
    frame(Opcode::Close, payload)
}

/// A text message, split as the connection's fragment size says.
pub fn text_message(payload: impl Into<Payload>) -> MessageSpec {
    MessageSpec { kind: Kind::Text, payload: payload.into(), fragment_size: None }
}

/// A binary message, split as the connection's fragment size says.
pub fn binary_message(payload: impl Into<Payload>) -> MessageSpec {
    MessageSpec { kind: Kind::Binary, payload: payload.into(), fragment_size: None }
}

/// The head of a frame whose payload follows in parts.
pub fn frame_head(opcode: Opcode, fin: bool, length: u64) -> Step {
    Step::BeginFrame { opcode, fin, length }
}

/// A part of the payload of the frame begun before.
pub fn frame_part(payload: impl Into<Payload>) -> Step {
    Step::FramePart(payload.into())
}

/// So many seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// So many milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        octets(text)
    }
}

impl From<&[u8]> for Payload {
    fn from(data: &[u8]) -> Self {
        octets(data)
    }
}

impl<const N: usize> From<[u8; N]> for Payload {
    fn from(data: [u8; N]) -> Self {
        octets(data)
    }
}

impl<const N: usize> From<&[u8; N]> for Payload {
    fn from(data: &[u8; N]) -> Self {
        octets(data)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(data: Vec<u8>) -> Self {
        octets(data)
    }
}

/// The data messages that the steps send, put together from their frames.
fn echoes(steps: &[Step]) -> Vec<(Kind, Payload)> {
    let mut messages = Vec::new();
    let mut open: Option<(Kind, Vec<u8>)> = None;
    for step in steps {
        match step {
            Step::Message(message) => messages.push((message.kind, message.payload.clone())),
            Step::Frame(frame) if !frame.opcode.is_control() => {
                let kind = match frame.opcode {
                    Opcode::Text => Kind::Text,
                    Opcode::Binary => Kind::Binary,
                    Opcode::Continuation => {
                        let Some((kind, mut data)) = open.take() else { continue };
                        data.extend(frame.payload.to_vec());
                        if frame.fin {
                            messages.push((kind, data.into()));
                        } else {
                            open = Some((kind, data));
                        }
                        continue;
                    }
                    _ => continue,
                };
                if frame.fin {
                    messages.push((kind, frame.payload.clone()));
                } else {
                    open = Some((kind, frame.payload.to_vec()));
                }
            }
            _ => {}
        }
    }
    messages
}
