//! The strict frame parser (RFC 6455, 5): stops at the first octet that breaks a rule.
//!
//! Payload is unmasked where it was read. A message that lies in one read is handed out from
//! there; only what is spread over reads or fragments is gathered. Nothing is reserved for octets that
//! were declared but have not come.

use std::{borrow::Cow, mem};

use wsproof_proto::{CloseCode, FrameHeader, LengthForm, Opcode, Violation, mask, utf8};

use super::{
    deflate::{Incoming, RSV1},
    lax,
};
use crate::{
    defect::behaviour::{
        Behaviour, Fragments, Inflating, LengthReading, ReservedOpcode, TextCheck,
    },
    spare,
};

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

/// What the peer must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether it must mask or must not (RFC 6455, 5.1); without it, either will do.
    pub(super) masked: Option<bool>,
    pub(super) max_frame_size: usize,
    pub(super) max_message_size: usize,
    pub(super) validate_text: bool,
}

#[derive(Debug)]
pub(super) struct Receiver {
    rules: Rules,
    header: [u8; FrameHeader::MAX_OCTETS],
    filled: usize,
    frame: Option<Frame>,
    control: Vec<u8>,
    message: Option<Message>,
    /// What messages are decompressed with, if that was agreed.
    incoming: Option<Incoming>,
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
    compressed: bool,
    validator: utf8::Validator,
}

impl Receiver {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            header: [0; FrameHeader::MAX_OCTETS],
            filled: 0,
            frame: None,
            control: Vec::new(),
            message: None,
            incoming: None,
            gathered: Vec::new(),
        }
    }

    pub(super) fn limit(&mut self, max_message_size: usize) {
        self.rules.max_message_size = max_message_size;
    }

    /// Decompresses messages from now on.
    pub(super) fn inflate(&mut self, incoming: Incoming) {
        self.incoming = Some(incoming);
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
                let last = ends && (frame.fin || behaviour.fragments == Fragments::Separate);
                // What else is to come is known while the last frame comes.
                let more = usize::try_from(frame.length - frame.at).ok().filter(|_| frame.fin);
                let Some(payload) = self.gather_message(data, (ends, more), last, behaviour)?
                else {
                    return Ok(None);
                };
                let text = self.message.as_ref().is_some_and(|message| message.text);
                match &mut self.message {
                    Some(message) if !frame.fin => message.validator = utf8::Validator::new(),
                    message => *message = None,
                }
                Ok(Some(Unit::Message { text, payload }))
            }
        }
    }

    /// Takes the next octets of a message; gives all of it if they are the last.
    fn gather_message<'a>(
        &mut self,
        data: &'a [u8],
        (ends_frame, more): (bool, Option<usize>),
        last: bool,
        behaviour: &Behaviour,
    ) -> Result<Option<Cow<'a, [u8]>>, Failure> {
        let Some(message) = &mut self.message else { return Ok(None) };
        let unchecked = message.compressed && behaviour.inflating == Inflating::TextUnchecked;
        let validate = message.text && self.rules.validate_text && !unchecked;
        let how = if validate { behaviour.text } else { TextCheck::Never };
        let gathered = &mut self.gathered;
        if let Some(incoming) = self.incoming.as_mut().filter(|_| message.compressed) {
            let limit = match behaviour.inflating {
                Inflating::LimitedTo(limit) => limit,
                Inflating::Unlimited => usize::MAX,
                _ => self.rules.max_message_size,
            };
            incoming.push(data, last, |piece| {
                // Of two faults the first one counts, wherever the octets were cut.
                let fits = &piece[..piece.len().min(limit.saturating_sub(gathered.len()))];
                spare::extend(gathered, fits, None);
                message.check(fits, false, how)?;
                if fits.len() == piece.len() { Ok(()) } else { Err(Failure::too_big()) }
            })?;
            message.check(&[], ends_frame, how)?;
        } else {
            message.check(data, ends_frame, how)?;
            if last && gathered.is_empty() {
                message.check_end(data, how)?;
                return Ok(Some(Cow::Borrowed(data)));
            }
            spare::extend(gathered, data, more);
        }
        if !last {
            return Ok(None);
        }
        message.check_end(gathered, how)?;
        Ok(Some(Cow::Owned(mem::take(gathered))))
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
        let compressed = self.is_compressed(opcode, behaviour);
        Self::check_length(length, form, self.room(opcode, sink, compressed), behaviour)?;
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
                let validator = utf8::Validator::new();
                self.message = Some(Message { text, compressed, validator });
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
        let rsv = first >> 4 & 0b111;
        // On all other frames RSV1 has no meaning (RFC 7692, 6.1).
        let marks = self.incoming.is_some() && matches!(opcode, Opcode::Text | Opcode::Binary);
        check(rsv == 0 || marks && rsv == RSV1, Violation::ReservedBitSet)?;
        match (self.rules.masked, second & 0x80 != 0) {
            (Some(true), false) => check(false, Violation::MaskMissing)?,
            (Some(false), true) => check(false, Violation::MaskUnexpected)?,
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
        length: u64,
        form: LengthForm,
        room: u64,
        behaviour: &Behaviour,
    ) -> Result<(), Failure> {
        let shortest = form == LengthForm::Shortest.or_shortest(length);
        check(length >> 63 == 0, Violation::LengthTooLarge, behaviour)?;
        check(shortest, Violation::LengthNotShortest, behaviour)?;
        // Judged by the declared length, before any of it is waited for.
        if length <= room { Ok(()) } else { Err(Failure::too_big()) }
    }

    /// How long a frame may be.
    fn room(&self, opcode: Opcode, sink: Sink, compressed: bool) -> u64 {
        let so_far = match (sink, opcode) {
            (Sink::Nowhere, _) => return u64::MAX,
            // Compressed octets are not kept; what they become is limited while they arrive.
            (Sink::Message, _) if compressed => return self.rules.max_frame_size as u64,
            (Sink::Message, Opcode::Continuation) => self.gathered.len(),
            (Sink::Message | Sink::Control, _) => 0,
        };
        let room = self.rules.max_message_size.saturating_sub(so_far);
        room.min(self.rules.max_frame_size) as u64
    }

    /// Whether a frame belongs to a message that is to be decompressed: its first frame says so.
    fn is_compressed(&self, opcode: Opcode, behaviour: &Behaviour) -> bool {
        let marked = self.header[0] >> 4 & RSV1 != 0;
        match &self.message {
            Some(message) if opcode == Opcode::Continuation => message.compressed,
            _ => {
                let all = behaviour.inflating == Inflating::PlainAsWell;
                self.incoming.is_some() && (marked || all)
            }
        }
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
        if matches!(how, TextCheck::Never) {
            return Ok(());
        }
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
    fn too_big() -> Self {
        Self { code: CloseCode::MESSAGE_TOO_BIG, why: "the message is too big" }
    }

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
