//! What a case sends: the first thing in it that no endpoint may send, and what is special about
//! the rest. All of it is read from the case's steps, never from its title.

use std::collections::BTreeSet;

use wsproof_engine::{Case, FrameSpec, Payload, Step};
use wsproof_proto::{CloseCode, FrameHeader, LengthForm, Opcode, Violation};

/// Text messages longer than this are not looked at octet by octet.
const MAX_TEXT: u64 = 4 << 10;

/// How octets miss being UTF-8 (RFC 3629).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TextFault {
    Surrogate,
    OverLong,
    Beyond,
    LongForm,
    Never,
    Stray,
    Cut,
}

impl TextFault {
    /// How many there are.
    pub(crate) const ALL: usize = 7;

    /// What such a text contains.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Surrogate => "UTF-16 surrogates",
            Self::OverLong => "over-long forms",
            Self::Beyond => "values beyond U+10FFFF",
            Self::LongForm => "five- and six-octet forms",
            Self::Never => "the octets FE and FF",
            Self::Stray => "stray continuation octets",
            Self::Cut => "characters cut short",
        }
    }
}

/// Something that no endpoint may send, as the tester sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) violation: Violation,
    /// The close code, where that is the fault.
    pub(crate) code: Option<u16>,
    /// Where a text stops being UTF-8.
    pub(crate) text: Option<IllFormed>,
    /// The octets of the frame's header, unmasked.
    pub(crate) header: Vec<u8>,
    pub(crate) opcode: Opcode,
    /// The first octets of its payload.
    pub(crate) payload: Vec<u8>,
}

/// A text that is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IllFormed {
    pub(crate) fault: TextFault,
    /// The octet at which it can be known.
    pub(crate) at: usize,
    pub(crate) octets: Vec<u8>,
}

/// What a case sends, in short.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub(crate) fault: Option<Fault>,
    /// Payloads of whole messages, the faulty one included.
    pub(crate) messages: Vec<Payload>,
    /// The first octets of the payload of every data frame.
    pub(crate) parts: Vec<Vec<u8>>,
    /// Messages sent after the tester's close frame.
    pub(crate) after_close: Vec<Payload>,
    pub(crate) pings: Vec<Vec<u8>>,
    pub(crate) pongs: Vec<Vec<u8>>,
    pub(crate) pings_after_close: usize,
    /// The code of the tester's own close frame, as far as the script sends one.
    pub(crate) close_code: Option<u16>,
    pub(crate) closes: usize,
    pub(crate) reason: usize,
    pub(crate) fragments: bool,
    pub(crate) empty_fragment: bool,
    pub(crate) inside_character: bool,
    pub(crate) control_in_message: bool,
    pub(crate) chopped: bool,
    pub(crate) kinds: BTreeSet<&'static str>,
    /// Length of the longest message.
    pub(crate) longest: u64,
}

/// A message that is being sent.
struct Open {
    opcode: Opcode,
    head: Vec<u8>,
    len: u64,
    payload: Option<Payload>,
}

impl Sent {
    /// Whether a message has to do with anything that was sent: it begins alike.
    pub(crate) fn knows(&self, head: &[u8]) -> bool {
        const ALIKE: usize = 4;
        let alike = |sent: &[u8]| {
            let n = head.len().min(sent.len()).min(ALIKE);
            head[..n] == sent[..n] && (n > 0 || head.is_empty())
        };
        // A changed first octet is still an answer if what follows is the same.
        let rest = |sent: &[u8]| {
            head.len() > ALIKE && sent.len() > ALIKE && head[1..ALIKE] == sent[1..ALIKE]
        };
        let sent = self.messages.iter().map(|message| message.head(64));
        let sent = sent.chain(self.parts.iter().cloned());
        let after = self.after_close.iter().map(|message| message.head(64));
        sent.chain(after).any(|sent| alike(&sent) || rest(&sent))
    }

    pub(crate) fn of(case: &Case) -> Self {
        let mut sent = Self::default();
        let mut open = None;
        for step in &case.steps {
            match step {
                Step::Frame(frame) => sent.frame(frame, &mut open),
                Step::BeginFrame { opcode, fin, length } => {
                    let frame = FrameSpec { fin: *fin, ..FrameSpec::new(*opcode, no_octets()) };
                    sent.begin(&frame, *length, &mut open);
                    sent.chopped = true;
                }
                Step::FramePart(payload) => sent.part(payload, &mut open),
                Step::Message(message) => {
                    let opcode = match message.kind {
                        wsproof_engine::Kind::Binary => Opcode::Binary,
                        wsproof_engine::Kind::Text => Opcode::Text,
                    };
                    let pieces = message.fragment_size.filter(|size| *size > 0);
                    sent.fragments |= pieces.is_some_and(|size| size < message.payload.len());
                    sent.inside_character |=
                        sent.fragments && pieces == Some(1) && !message.payload.head(64).is_ascii();
                    sent.frame(&FrameSpec::new(opcode, message.payload.clone()), &mut open);
                }
                Step::Close { code, reason } => {
                    let body = wsproof_proto::close::body(*code, reason);
                    let payload = Payload::Octets(body.into());
                    sent.frame(&FrameSpec::new(Opcode::Close, payload), &mut open);
                }
                // What follows is said on another connection.
                Step::Dial | Step::Use(_) => sent.closes = 0,
                _ => {}
            }
        }
        if let wsproof_engine::Accept::EchoLoop { kind, series, .. } = &case.accept {
            sent.kinds.insert(kind.name());
            sent.longest = series.size().0;
        }
        sent
    }

    fn fault(&mut self, violation: Violation, frame: &FrameSpec, length: u64) {
        if self.fault.is_some() {
            return;
        }
        self.fault = Some(Fault {
            violation,
            code: None,
            text: None,
            header: header(frame, length),
            opcode: frame.opcode,
            payload: frame.payload.head(64),
        });
    }

    fn frame(&mut self, frame: &FrameSpec, open: &mut Option<Open>) {
        let length = frame.payload.len();
        self.chopped |= frame.chop.is_some();
        if !frame.opcode.is_control() {
            self.parts.push(frame.payload.head(64));
        }
        if frame.rsv != 0 {
            self.fault(Violation::ReservedBitSet, frame, length);
        }
        if frame.opcode.is_control() {
            self.control(frame, length, open.is_some());
        } else {
            self.begin(frame, length, open);
            self.part(&frame.payload.clone(), open);
            self.end(frame, open);
        }
    }

    fn control(&mut self, frame: &FrameSpec, length: u64, in_message: bool) {
        self.control_in_message |= in_message;
        match frame.opcode {
            Opcode::ReservedControl(_) => self.fault(Violation::OpcodeReserved, frame, length),
            _ if length > 125 => self.fault(Violation::ControlTooLong, frame, length),
            _ if !frame.fin => self.fault(Violation::ControlFragmented, frame, length),
            _ => {}
        }
        let payload = frame.payload.head(200);
        match frame.opcode {
            Opcode::Ping if self.closes > 0 => self.pings_after_close += 1,
            Opcode::Ping => self.pings.push(payload),
            Opcode::Pong => self.pongs.push(payload),
            Opcode::Close => self.close(frame, &payload),
            _ => {}
        }
    }

    fn close(&mut self, frame: &FrameSpec, payload: &[u8]) {
        self.closes += 1;
        let length = payload.len() as u64;
        if self.closes > 1 {
            return;
        }
        let body = wsproof_proto::close::CloseBody::split(payload);
        self.close_code = body.code.map(|CloseCode(code)| code);
        self.reason = body.reason.len();
        if payload.len() == 1 {
            self.fault(Violation::CloseBodyOfOneOctet, frame, length);
        } else if let Some(code) = body.code.filter(|code| !code.may_be_sent()) {
            self.fault(Violation::CloseCodeReserved, frame, length);
            if let Some(fault) = &mut self.fault {
                fault.code.get_or_insert(code.0);
            }
        } else if std::str::from_utf8(body.reason).is_err() {
            self.fault(Violation::CloseReasonIllFormed, frame, length);
            if let Some(fault) = &mut self.fault {
                fault.text = ill_formed(body.reason, true);
            }
        }
    }

    fn begin(&mut self, frame: &FrameSpec, length: u64, open: &mut Option<Open>) {
        match (frame.opcode, open.is_some()) {
            (Opcode::ReservedData(_), _) => self.fault(Violation::OpcodeReserved, frame, length),
            (Opcode::Continuation, false) => {
                self.fault(Violation::ContinuationWithoutStart, frame, length);
            }
            (Opcode::Continuation, true) => self.fragments = true,
            (_, true) => self.fault(Violation::FrameInsideMessage, frame, length),
            _ => {}
        }
        self.fragments |= !frame.fin;
        self.empty_fragment |= length == 0 && (!frame.fin || frame.opcode == Opcode::Continuation);
        if frame.opcode != Opcode::Continuation {
            *open = Some(Open { opcode: frame.opcode, head: Vec::new(), len: 0, payload: None });
        }
    }

    fn part(&mut self, payload: &Payload, open: &mut Option<Open>) {
        if self.parts.last().is_none_or(|part| *part != payload.head(64)) {
            self.parts.push(payload.head(64));
        }
        let Some(message) = open else { return };
        message.payload = (message.len == 0).then(|| payload.clone());
        message.len += payload.len();
        if message.len <= MAX_TEXT {
            message.head.extend(payload.to_vec());
        }
        if message.opcode != Opcode::Text || self.fault.is_some() {
            return;
        }
        // A text can be known to be wrong before its end.
        if let Some(text) = ill_formed(&message.head, false) {
            self.text(text);
        }
    }

    fn end(&mut self, frame: &FrameSpec, open: &mut Option<Open>) {
        let cut = open.as_ref().is_some_and(|open| {
            open.opcode == Opcode::Text && std::str::from_utf8(&open.head).is_err()
        });
        if !frame.fin {
            self.inside_character |= cut && self.fault.is_none();
            return;
        }
        let Some(message) = open.take() else { return };
        if cut
            && self.fault.is_none()
            && let Some(text) = ill_formed(&message.head, true)
        {
            self.text(text);
        }
        let whole = message.payload.unwrap_or_else(|| Payload::Octets(message.head.into()));
        self.longest = self.longest.max(message.len);
        self.kinds.insert(if message.opcode == Opcode::Text { "text" } else { "binary" });
        if self.closes > 0 {
            self.after_close.push(whole);
        } else {
            self.messages.push(whole);
        }
    }

    fn text(&mut self, text: IllFormed) {
        let frame = FrameSpec::new(Opcode::Text, Payload::Octets(text.octets.as_slice().into()));
        self.fault(Violation::TextIllFormed, &frame, text.octets.len() as u64);
        if let Some(fault) = &mut self.fault {
            fault.text.get_or_insert(text);
        }
    }
}

fn no_octets() -> Payload {
    Payload::Octets([].into())
}

fn header(frame: &FrameSpec, length: u64) -> Vec<u8> {
    let mut octets = Vec::new();
    FrameHeader {
        fin: frame.fin,
        rsv: frame.rsv,
        form: if frame.form == LengthForm::Bits7 { LengthForm::Shortest } else { frame.form },
        ..FrameHeader::new(frame.opcode, length)
    }
    .encode(&mut octets);
    octets
}

/// Where and how octets miss being UTF-8; `whole` if nothing follows them.
pub(crate) fn ill_formed(octets: &[u8], whole: bool) -> Option<IllFormed> {
    let error = std::str::from_utf8(octets).err()?;
    let start = error.valid_up_to();
    let lead = octets[start];
    let next = octets.get(start + 1).copied();
    // How many octets the first one announces.
    let announced = match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        0xf8..=0xfb => 5,
        0xfc | 0xfd => 6,
        _ => 1,
    };
    let rest = octets[start + 1..].iter().take_while(|octet| matches!(octet, 0x80..=0xbf));
    let fault = match (lead, next) {
        (0x80..=0xbf, _) => TextFault::Stray,
        (0xfe | 0xff, _) => TextFault::Never,
        _ if rest.count() + 1 < announced => TextFault::Cut,
        (0xc0 | 0xc1, _) | (0xe0, Some(0x80..=0x9f)) | (0xf0, Some(0x80..=0x8f)) => {
            TextFault::OverLong
        }
        (0xed, Some(0xa0..=0xbf)) => TextFault::Surrogate,
        (0xf4, Some(0x90..=0xbf)) | (0xf5..=0xf7, _) => TextFault::Beyond,
        (0xf8..=0xfd, _) => TextFault::LongForm,
        _ => TextFault::Cut,
    };
    let at = match error.error_len() {
        None if whole => octets.len(),
        None => return None,
        Some(_) if matches!(lead, 0x80..=0xc1 | 0xf5..) => start,
        Some(length) => start + length,
    };
    Some(IllFormed { fault, at, octets: octets.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], fault: TextFault, at: usize) {
        let found = ill_formed(octets, true).unwrap();
        assert_eq!((found.fault, found.at), (fault, at), "{octets:02X?}");
    }

    #[test]
    fn ways_to_miss_utf8_have_names_and_places() {
        check(b"a\xed\xa0\x80", TextFault::Surrogate, 2);
        check(b"\xc0\xaf", TextFault::OverLong, 0);
        check(b"\xe0\x80\xaf", TextFault::OverLong, 1);
        check(b"\xf4\x90\x80\x80", TextFault::Beyond, 1);
        check(b"\xf8\x88\x80\x80\x80", TextFault::LongForm, 0);
        check(b"ab\xff", TextFault::Never, 2);
        check(b"\x80", TextFault::Stray, 0);
        check(b"\xce\xba\xe1\xbd", TextFault::Cut, 4);
        check(b"\xe1 a", TextFault::Cut, 1);
        assert_eq!(ill_formed(b"\xe1\xbd", false), None);
        assert_eq!(ill_formed("κόσμε".as_bytes(), true), None);
    }
}
