//! The strict frame parser (RFC 6455, 5): stops at the first octet that breaks a rule.
//!
//! Payload is unmasked where it was read. A message that lies in one read is handed out from
//! there; only what is spread over reads or fragments is gathered. Nothing is reserved for octets that
//! were declared but have not come.

use std::{borrow::Cow, mem};

use wsproof_proto::{CloseCode, FrameHeader, LengthForm, Opcode, Violation, mask, utf8};

use super::lax;
use crate::defect::behaviour::{Behaviour, Fragments, LengthReading, ReservedOpcode, TextCheck};

/// Why the connection is to be failed (RFC 6455, 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: CloseCode,
    pub(super) why: &'static str,
}

/// Something complete that was received.
#[derive(Debug)]
pub(super) enum Unit<'a> {
    Message {
        text: bool,
        payload: Cow<'a, [u8]>,
    },
    /// A close, a ping or a pong; its payload is [`Receiver::control`].
    Control(Opcode),
}

/// Octets that were read from TCP and not parsed yet.
#[derive(Debug)]
pub(super) struct Unread<'a>(pub(super) &'a mut [u8]);

#[derive(Debug)]
pub(super) struct Receiver {
    /// Whether the peer must mask (RFC 6455, 5.1).
    expects_mask: bool,
    max_message_size: usize,
    header: [u8; FrameHeader::MAX_OCTETS],
    filled: usize,
    frame: Option<Frame>,
    control: Vec<u8>,
    message: Option<Message>,
    /// What the message holds so far, as long as it is not handed out from the read itself.
    gathered: Vec<u8>,
}

/// The frame whose payload is arriving.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    key: Option<[u8; 4]>,
    length: u64,
    at: u64,
    sink: Sink,
}

/// Where the payload of a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Message,
    Control,
    Nowhere,
}

/// The message whose frames are arriving.
#[derive(Debug)]
struct Message {
    text: bool,
    validator: utf8::Validator,
}

impl Receiver {
    pub(super) fn new(expects_mask: bool, max_message_size: usize) -> Self {
        Self {
            expects_mask,
            max_message_size,
            header: [0; FrameHeader::MAX_OCTETS],
            filled: 0,
            frame: None,
            control: Vec::new(),
            message: None,
            gathered: Vec::new(),
        }
    }

    pub(super) fn limit(&mut self, max_message_size: usize) {
        self.max_message_size = max_message_size;
    }

    /// Payload of the control frame that was handed out last.
    pub(super) fn control(&self) -> &[u8] {
        &self.control
    }

    /// Memory that what has been received occupies.
    pub(super) fn held(&self) -> usize {
        self.gathered.capacity() + self.control.capacity()
    }

    /// Reads up to the next complete unit and shortens `input` by what was read; `None` if more
    /// octets are needed, and then `input` is empty.
    pub(super) fn next<'a>(
        &mut self,
        input: &mut Unread<'a>,
        behaviour: &Behaviour,
    ) -> Result<Option<Unit<'a>>, Failure> {
        loop {
            let Some(frame) = self.frame.as_mut() else {
                if !self.read_header(input, behaviour)? {
                    return Ok(None);
                }
                continue;
            };
            let left = frame.length - frame.at;
            let data = input.take(usize::try_from(left).unwrap_or(usize::MAX));
            if data.is_empty() && left > 0 {
                return Ok(None);
            }
            if let Some(key) = frame.key {
                mask::apply(key, frame.at, data);
            }
            frame.at += data.len() as u64;
            let frame = *frame;
            if frame.at == frame.length {
                self.frame = None;
            }
            if let Some(unit) = self.take(frame, data, behaviour)? {
                return Ok(Some(unit));
            }
        }
    }

    /// Puts `data`, the latest payload of `frame`, where it belongs.
    fn take<'a>(
        &mut self,
        frame: Frame,
        data: &'a [u8],
        behaviour: &Behaviour,
    ) -> Result<Option<Unit<'a>>, Failure> {
        let ends = frame.at == frame.length;
        match frame.sink {
            Sink::Nowhere => Ok(None),
            Sink::Control => {
                self.control.extend_from_slice(data);
                Ok(ends.then_some(Unit::Control(frame.opcode)))
            }
            Sink::Message => {
                let Some(message) = &mut self.message else { return Ok(None) };
                if message.text {
                    message.check(data, ends, behaviour.text)?;
                }
                let last = frame.fin || behaviour.fragments == Fragments::Separate;
                if !(ends && last) {
                    self.gathered.extend_from_slice(data);
                    return Ok(None);
                }
                let payload = if self.gathered.is_empty() {
                    Cow::Borrowed(data)
                } else {
                    self.gathered.extend_from_slice(data);
                    Cow::Owned(mem::take(&mut self.gathered))
                };
                let text = message.text;
                if text {
                    message.check_end(&payload, behaviour.text)?;
                }
                if frame.fin {
                    self.message = None;
                } else {
                    message.validator = utf8::Validator::new();
                }
                Ok(Some(Unit::Message { text, payload }))
            }
        }
    }

    /// Reads a header and begins its frame; false if more octets are needed. Each rule is checked
    /// as soon as the octets it needs are there: no peer is waited for that has already failed.
    fn read_header(
        &mut self,
        input: &mut Unread<'_>,
        behaviour: &Behaviour,
    ) -> Result<bool, Failure> {
        if !self.gather(2, input) {
            return Ok(false);
        }
        let [first, second, ..] = self.header;
        let (opcode, fin, masked) =
            (Opcode::from_bits(first), first & 0x80 != 0, second & 0x80 != 0);
        self.check_start(opcode, fin, behaviour)?;
        let (form, octets) = match second & 0x7f {
            126 => (LengthForm::Bits16, 2),
            127 => (LengthForm::Bits64, 8),
            _ => (LengthForm::Bits7, 0),
        };
        if !self.gather(2 + octets, input) {
            return Ok(false);
        }
        let length = self.length(form, behaviour)?;
        let sink = self.sink(opcode, behaviour);
        self.check_length(length, form, opcode, sink, behaviour)?;
        if !self.gather(2 + octets + if masked { 4 } else { 0 }, input) {
            return Ok(false);
        }
        let key = self.header[2 + octets..].first_chunk().copied().filter(|_| masked);
        self.filled = 0;
        match sink {
            Sink::Control => self.control.clear(),
            Sink::Message if opcode != Opcode::Continuation => {
                self.gathered.clear();
                let text = opcode == Opcode::Text;
                self.message = Some(Message { text, validator: utf8::Validator::new() });
            }
            Sink::Message | Sink::Nowhere => {}
        }
        self.frame = Some(Frame { opcode, fin, key, length, at: 0, sink });
        Ok(true)
    }

    /// Fills the header up to `n` octets, if there are that many.
    fn gather(&mut self, n: usize, input: &mut Unread<'_>) -> bool {
        let octets = input.take(n.saturating_sub(self.filled));
        self.header[self.filled..self.filled + octets.len()].copy_from_slice(octets);
        self.filled += octets.len();
        self.filled >= n
    }

    /// What the first two octets must fulfil.
    fn check_start(&self, opcode: Opcode, fin: bool, behaviour: &Behaviour) -> Result<(), Failure> {
        let [first, second, ..] = self.header;
        let check = |good: bool, violation| check(good, violation, behaviour);
        check(first & 0x70 == 0, Violation::ReservedBitSet)?;
        match (self.expects_mask, second & 0x80 != 0) {
            (true, false) => check(false, Violation::MaskMissing)?,
            (false, true) => check(false, Violation::MaskUnexpected)?,
            _ => {}
        }
        let reserved = matches!(opcode, Opcode::ReservedData(_) | Opcode::ReservedControl(_));
        check(!reserved, Violation::OpcodeReserved)?;
        let inside = self.message.is_some();
        if opcode.is_control() {
            check(fin, Violation::ControlFragmented)?;
            check(second & 0x7f <= 125, Violation::ControlTooLong)?;
            if inside && behaviour.fragments == Fragments::Uninterruptible {
                return Err(Failure::protocol("a control frame inside a message"));
            }
        } else if !reserved {
            let continues = opcode == Opcode::Continuation;
            check(inside || !continues, Violation::ContinuationWithoutStart)?;
            check(!inside || continues, Violation::FrameInsideMessage)?;
            if (continues || !fin) && behaviour.fragments == Fragments::Unsupported {
                return Err(Failure::protocol("a fragmented message"));
            }
        }
        Ok(())
    }

    /// The length, if its octets follow the first two; else the seven bits in the second.
    fn length(&self, form: LengthForm, behaviour: &Behaviour) -> Result<u64, Failure> {
        let extended = |n: usize| {
            let octets = &self.header[2..2 + n];
            octets.iter().fold(0, |length, &octet| length << 8 | u64::from(octet))
        };
        let length = match form {
            LengthForm::Bits7 | LengthForm::Shortest => {
                return Ok(u64::from(self.header[1] & 0x7f));
            }
            LengthForm::Bits16 => extended(2),
            LengthForm::Bits64 => extended(8),
        };
        match (behaviour.length, form) {
            (LengthReading::Signed16, LengthForm::Bits16) if length > 0x7fff => {
                Err(Failure::protocol("a negative length"))
            }
            (LengthReading::Low32, LengthForm::Bits64) => Ok(length & 0xffff_ffff),
            _ => Ok(length),
        }
    }

    fn check_length(
        &self,
        length: u64,
        form: LengthForm,
        opcode: Opcode,
        sink: Sink,
        behaviour: &Behaviour,
    ) -> Result<(), Failure> {
        let shortest = form == LengthForm::Shortest.or_shortest(length);
        check(length >> 63 == 0, Violation::LengthTooLarge, behaviour)?;
        check(shortest, Violation::LengthNotShortest, behaviour)?;
        let so_far = match (sink, opcode) {
            (Sink::Nowhere, _) => return Ok(()),
            (Sink::Message, Opcode::Continuation) => self.gathered.len(),
            (Sink::Message | Sink::Control, _) => 0,
        };
        // Judged by the declared length, before any of it is waited for.
        let room = self.max_message_size.saturating_sub(so_far);
        if usize::try_from(length).is_ok_and(|length| length <= room) {
            return Ok(());
        }
        Err(Failure { code: CloseCode::MESSAGE_TOO_BIG, why: "the message is too big" })
    }

    fn sink(&self, opcode: Opcode, behaviour: &Behaviour) -> Sink {
        match opcode {
            Opcode::Text | Opcode::Binary => Sink::Message,
            Opcode::Continuation if self.message.is_some() => Sink::Message,
            Opcode::Close | Opcode::Ping | Opcode::Pong => Sink::Control,
            Opcode::ReservedData(_) if behaviour.reserved_opcode == ReservedOpcode::Binary => {
                Sink::Message
            }
            Opcode::Continuation | Opcode::ReservedData(_) | Opcode::ReservedControl(_) => {
                Sink::Nowhere
            }
        }
    }
}

impl<'a> Unread<'a> {
    /// The next `n` octets, or all if there are fewer.
    fn take(&mut self, n: usize) -> &'a mut [u8] {
        let octets = mem::take(&mut self.0);
        let (head, rest) = octets.split_at_mut(n.min(octets.len()));
        self.0 = rest;
        head
    }
}

impl Message {
    /// Checks text while it arrives; `ends` says whether the frame is complete.
    fn check(&mut self, data: &[u8], ends: bool, how: TextCheck) -> Result<(), Failure> {
        let bad = self.validator.push(data).is_some();
        let good = match how {
            TextCheck::AsItArrives => !bad,
            TextCheck::AtFrameEnd => !ends || self.validator.ill_formed_at().is_none(),
            TextCheck::EachFrameAlone => !bad && (!ends || self.validator.is_complete()),
            TextCheck::AtMessageEnd
            | TextCheck::Never
            | TextCheck::Except(_)
            | TextCheck::Refusing(_) => true,
        };
        if good { Ok(()) } else { Err(Violation::TextIllFormed.into()) }
    }

    /// Checks the text of a whole message.
    fn check_end(&self, payload: &[u8], how: TextCheck) -> Result<(), Failure> {
        let good = match how {
            TextCheck::Never => true,
            TextCheck::Except(flaw) => lax::is_well_formed_but_for(payload, flaw),
            TextCheck::Refusing(refuses) => {
                std::str::from_utf8(payload).is_ok_and(|text| !text.chars().any(refuses))
            }
            TextCheck::AsItArrives
            | TextCheck::AtFrameEnd
            | TextCheck::AtMessageEnd
            | TextCheck::EachFrameAlone => self.validator.is_complete(),
        };
        if good { Ok(()) } else { Err(Violation::TextIllFormed.into()) }
    }
}

impl Failure {
    fn protocol(why: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL_ERROR, why }
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        let code = violation.close_code().unwrap_or(CloseCode::PROTOCOL_ERROR);
        Self { code, why: violation.describe() }
    }
}

/// An error if a rule is broken and the endpoint notices.
pub(super) fn check(
    good: bool,
    violation: Violation,
    behaviour: &Behaviour,
) -> Result<(), Failure> {
    if good || behaviour.tolerates(violation) { Ok(()) } else { Err(violation.into()) }
}
