//! permessage-deflate in a run: what is asked of the peer, and how its messages are read
//! (RFC 7692).

use std::{fmt, ops::ControlFlow};

use serde::{Deserialize, Serialize};
use wsproof_proto::{
    Role, Violation,
    deflate::{
        Agreement, Audit, Auditor, ClientWindow, Corruption, InflateError, Inflater, Parameters,
    },
    utf8,
};

/// RSV1: the message is compressed (RFC 7692, 6).
pub(crate) const COMPRESSED: u8 = 4;

/// A compressed message is read to this length: a few octets can stand for any number.
const LONGEST: u64 = 16 << 20;

/// Compressed octets of a message that are kept, to tell what is wrong with it.
const KEPT: usize = 256 << 10;

/// What the tester asks of the peer's compression. A case names alternatives, the most demanding
/// one first.
///
/// As a client the tester offers this for what the server sends, and that it can do the same. As a
/// server it answers with this for what the client sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ask {
    /// To compress each message by itself.
    pub no_context_takeover: bool,
    /// To use a window of so many bits.
    pub max_window_bits: Option<u8>,
}

impl Ask {
    /// The offer of a tester that is the client.
    pub fn offer(&self) -> Parameters {
        Parameters {
            client_no_context_takeover: true,
            client_max_window_bits: ClientWindow::Supported,
            server_no_context_takeover: self.no_context_takeover,
            server_max_window_bits: self.max_window_bits,
        }
    }

    /// The answer of a tester that is the server, if this can be asked of who made that offer.
    pub fn answer(&self, offer: &Parameters) -> Option<Parameters> {
        let can = offer.client_max_window_bits != ClientWindow::Unnamed;
        if self.max_window_bits.is_some() && !can {
            return None;
        }
        Some(Parameters {
            server_no_context_takeover: offer.server_no_context_takeover,
            server_max_window_bits: offer.server_max_window_bits,
            client_no_context_takeover: self.no_context_takeover,
            client_max_window_bits: self
                .max_window_bits
                .map_or(ClientWindow::Unnamed, ClientWindow::Bits),
        })
    }
}

/// Where a peer's compressed messages leave what was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WindowExceeded {
    /// Which message, counted from 1.
    pub message: u32,
    /// How far back it refers.
    pub distance: u32,
    /// Size of the agreed window in octets.
    pub window: u32,
    /// At which octet of the decompressed message.
    pub at: u64,
}

impl fmt::Display for WindowExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, distance, window, at } = self;
        write!(
            f,
            "message {message} refers {distance} octets back at its octet {at}; the agreed window \
             has {window}"
        )
    }
}

/// Reads the compressed messages of a peer.
#[derive(Debug)]
pub(crate) struct Incoming {
    inflater: Inflater,
    /// Only where a distance can be too large.
    auditor: Option<Auditor>,
    context_takeover: bool,
    window: u32,
    /// Whether the current message is compressed.
    compressed: bool,
    /// For the current message, if it is text.
    text: Option<utf8::Validator>,
    len: u64,
    /// Why the current message is not read any further.
    stopped: Option<Fault>,
    /// The last compressed octet of the current message so far.
    last_octet: Option<u8>,
    kept: Vec<u8>,
    messages: u32,
    pub(crate) exceeded: Option<WindowExceeded>,
    told_exceeded: bool,
}

/// What is wrong with a compressed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No decompressor can go on from here.
    Corrupt(Option<Corruption>),
    /// It refers to earlier messages, although each was to be compressed by itself.
    ContextKept(Corruption),
    /// What follows a final block is no compressed data.
    CorruptAfterFinal,
    /// It goes on without end.
    TooLong,
    /// It refers to what the window no longer holds, from before the message.
    OutOfWindow,
    /// The text is ill-formed.
    Text,
    /// The text ends within a character.
    TextBreaksOff,
}

impl Fault {
    pub(crate) fn violation(self) -> Violation {
        match self {
            Self::ContextKept(_) => Violation::ReferenceTooFarBack,
            Self::Corrupt(_) | Self::CorruptAfterFinal => Violation::DeflateCorrupt,
            Self::TooLong => Violation::InflatesWithoutEnd,
            Self::OutOfWindow => Violation::WindowExceeded,
            Self::Text | Self::TextBreaksOff => Violation::TextIllFormed,
        }
    }
}

impl Incoming {
    /// A reader of what `peer` sends.
    pub(crate) fn new(agreement: Agreement, peer: Role) -> Self {
        let how = agreement.of(peer);
        Self {
            inflater: Inflater::new(how),
            auditor: (how.window_bits < 15)
                .then(|| Auditor::new(how.context_takeover).watching(how.window())),
            context_takeover: how.context_takeover,
            window: how.window(),
            compressed: false,
            text: None,
            len: 0,
            stopped: None,
            last_octet: None,
            kept: Vec::new(),
            messages: 0,
            exceeded: None,
            told_exceeded: false,
        }
    }

    /// A message begins.
    pub(crate) fn begin(&mut self, compressed: bool, text: bool) {
        self.compressed = compressed;
        self.text = (compressed && text).then(utf8::Validator::new);
        (self.len, self.stopped, self.last_octet) = (0, None, None);
        self.kept.clear();
        self.messages += 1;
    }

    /// A frame of a message begins.
    pub(crate) fn begin_frame(&mut self) {
        if let Some(auditor) = &mut self.auditor {
            auditor.begin_part();
        }
    }

    /// Whether the peer sent what `wstest` does not see: it reads nothing after a final block.
    pub(crate) fn went_on(&self) -> bool {
        self.inflater.went_on()
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Takes compressed octets and hands on what they stand for.
    pub(crate) fn push(&mut self, data: &[u8], each: impl FnMut(&[u8])) -> Result<(), Fault> {
        if self.stopped.is_some() {
            return Ok(());
        }
        self.last_octet = data.last().copied().or(self.last_octet);
        let room = KEPT - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
        let audited = self.auditor.as_mut().map_or(Ok(()), |auditor| auditor.push(data));
        let inflated = self.inflate(data, each);
        self.settle(audited.err(), inflated)
    }

    /// A frame of the message has ended. What it says of a text is said now: in one frame, a fault
    /// of the compression counts first, wherever the frame was cut.
    pub(crate) fn end_frame(&mut self) -> Result<(), Fault> {
        let ill_formed = self.text.as_ref().is_some_and(|text| text.ill_formed_at().is_some());
        if ill_formed && self.stopped.is_none() { self.stop(Fault::Text) } else { Ok(()) }
    }

    /// Whether the compressed octets that came end as a message must: with the header of an empty
    /// block, whose last four octets are left out (RFC 7692, 7.2.1). In doubt they do.
    pub(crate) fn ends_well(&self) -> bool {
        // The header is the last thing in the last octet. Nearly everybody leaves the bits behind
        // it unset, though nobody must, so that the walk is seldom necessary.
        let as_usual = self.last_octet.is_some_and(|last| last & 0xe0 == 0);
        as_usual || self.stopped.is_some() || self.kept.len() == KEPT || {
            let mut auditor = self.blind_auditor();
            let walked = auditor.push(&self.kept).and_then(|()| auditor.end_message());
            walked.is_ok_and(|audit| audit.ends_in_empty_block)
        }
    }

    /// The message has ended.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        if self.stopped.is_some() {
            return Ok(());
        }
        let inflated = self.inflater.end_message();
        let audited = self.auditor.as_mut().map(Auditor::end_message);
        if let Some(Ok(audit)) = audited {
            self.check_window(audit)?;
        }
        self.settle(audited.and_then(Result::err), inflated)?;
        match &self.text {
            Some(text) if !text.is_complete() => self.stop(Fault::TextBreaksOff),
            _ => Ok(()),
        }
    }

    fn inflate(&mut self, data: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), InflateError> {
        let (len, text) = (&mut self.len, &mut self.text);
        let take = |octets: &[u8]| {
            *len += octets.len() as u64;
            if let Some(text) = text {
                text.push(octets);
            }
            each(octets);
            if *len > LONGEST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.inflater.push(data, take)
    }

    fn settle(
        &mut self,
        corruption: Option<Corruption>,
        inflated: Result<(), InflateError>,
    ) -> Result<(), Fault> {
        if let Some(auditor) = &self.auditor {
            self.check_window(*auditor.so_far())?;
        }
        match inflated {
            Err(InflateError::Stopped) => self.stop(Fault::TooLong),
            // To `wstest` nothing comes after a final block.
            Err(InflateError::Corrupt) if self.inflater.has_ended() => {
                self.stop(Fault::CorruptAfterFinal)
            }
            Err(InflateError::Corrupt) => {
                let why = corruption.or_else(|| self.diagnose());
                self.stop(match why {
                    Some(why @ Corruption::TooFarBack { .. }) if !self.context_takeover => {
                        Fault::ContextKept(why)
                    }
                    why => Fault::Corrupt(why),
                })
            }
            Ok(()) => Ok(()),
        }
    }

    /// Walks once more through what is kept of the message, to tell what is wrong with it.
    fn diagnose(&self) -> Option<Corruption> {
        if self.kept.len() == KEPT {
            return None;
        }
        self.blind_auditor().push(&self.kept).err()
    }

    /// An auditor of a message alone: what it may refer to in earlier ones is not kept.
    fn blind_auditor(&self) -> Auditor {
        let auditor = Auditor::new(self.context_takeover);
        let continues = self.context_takeover && self.messages > 1;
        if continues { auditor.assuming_history() } else { auditor }
    }

    /// A distance beyond the window is a fault whether the decompressor minds or not. One that
    /// `wstest` would notice, too, ends the connection.
    fn check_window(&mut self, audit: Audit) -> Result<(), Fault> {
        if let Some((distance, at)) = audit.first_beyond
            && self.exceeded.is_none()
        {
            let (message, window) = (self.messages, self.window);
            self.exceeded = Some(WindowExceeded { message, distance, window, at });
        }
        if audit.largest_reach > self.window {
            return self.stop(Fault::OutOfWindow);
        }
        Ok(())
    }

    /// Whether a distance beyond the window was found and this was not told before.
    pub(crate) fn take_newly_exceeded(&mut self) -> bool {
        let newly = self.exceeded.is_some() && !self.told_exceeded;
        self.told_exceeded |= newly;
        newly
    }

    fn stop(&mut self, fault: Fault) -> Result<(), Fault> {
        self.stopped = Some(fault);
        Err(fault)
    }
}
