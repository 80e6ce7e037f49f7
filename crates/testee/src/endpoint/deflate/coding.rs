//! Messages as they are compressed and decompressed, right or wrong (RFC 7692, 6 and 7.2).

use std::ops::ControlFlow;

use wsproof_proto::{
    CloseCode, FrameHeader, Opcode,
    deflate::{Compression, Deflater, InflateError, Inflater, TAIL},
};

use crate::{
    defect::behaviour::{Compressing, Inflating},
    endpoint::receiver::Failure,
};

/// The bit that says of a message that it is compressed (RFC 7692, 6).
pub(in crate::endpoint) const RSV1: u8 = 0b100;

/// A buffer that a large message left behind is not kept.
const KEPT: usize = 256 << 10;

/// How often a mebibyte is repeated by a defect.
const BOMB: usize = 64;

/// Compresses what is sent.
#[derive(Debug)]
pub(in crate::endpoint) struct Outgoing {
    deflater: Deflater,
    flaw: Compressing,
    messages: u64,
    compressed: Vec<u8>,
}

impl Outgoing {
    pub(in crate::endpoint) fn new(how: Compression, level: u32, flaw: Compressing) -> Self {
        let how = match flaw {
            Compressing::WindowIgnored => Compression { window_bits: 15, ..how },
            Compressing::ContextKept => Compression { context_takeover: true, ..how },
            _ => how,
        };
        let deflater = Deflater::new(how, level);
        Self { deflater, flaw, messages: 0, compressed: Vec::new() }
    }

    /// Whether a frame is a message to compress. An empty one would only become longer.
    pub(in crate::endpoint) fn takes(header: FrameHeader, payload: &[u8]) -> bool {
        matches!(header.opcode, Opcode::Text | Opcode::Binary) && !payload.is_empty()
    }

    /// Whether fragments after the first have RSV1 as well.
    pub(in crate::endpoint) fn marks_continuations(&self) -> bool {
        self.flaw == Compressing::RsvOnContinuations
    }

    /// The header and the payload to send instead.
    pub(in crate::endpoint) fn message(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> (FrameHeader, &[u8]) {
        self.compressed.clear();
        if self.compressed.capacity() > KEPT {
            self.compressed = Vec::new();
        }
        self.deflater.message(payload, &mut self.compressed);
        self.messages += 1;
        self.spoil();
        let marked = if self.flaw == Compressing::RsvMissing { 0 } else { RSV1 };
        let length = self.compressed.len() as u64;
        (FrameHeader { rsv: header.rsv | marked, length, ..header }, &self.compressed)
    }

    fn spoil(&mut self) {
        let octets = &mut self.compressed;
        let middle = octets.len() / 2;
        match self.flaw {
            Compressing::TailKept => octets.extend_from_slice(&TAIL),
            Compressing::OctetChanged => octets[middle] ^= 0x10,
            Compressing::CorruptAfter(n) if self.messages > n => octets[middle] ^= 0x10,
            Compressing::Truncated => octets.truncate(octets.len().saturating_sub(2)),
            Compressing::Bomb => *octets = bomb(),
            _ => {}
        }
    }
}

/// Few octets that become many.
fn bomb() -> Vec<u8> {
    let how = Compression { context_takeover: false, window_bits: 15 };
    let mut mebibyte = Vec::new();
    Deflater::new(how, 9).message(&vec![0; 1 << 20], &mut mebibyte);
    mebibyte.extend_from_slice(&TAIL);
    let mut octets = mebibyte.repeat(BOMB);
    octets.truncate(octets.len() - TAIL.len());
    octets
}

/// Decompresses what is received.
#[derive(Debug)]
pub(in crate::endpoint) struct Incoming {
    how: Compression,
    inflater: Inflater,
    flaw: Inflating,
    /// Only with a defect: a fault has come, and the rest of the message is dropped.
    gave_up: bool,
}

/// [`TAIL`], then empty stored blocks whose filling bits are set, and the beginning of one that
/// another [`TAIL`] ends. Where a block may begin they say nothing; inside of one they become
/// octets or a fault before they are over, even in the longest header of a block.
const NOTHING: [u8; 165] = {
    let mut octets = [0; 165];
    let mut at = 0;
    while at + TAIL.len() < octets.len() {
        octets[at + 2] = 0xff;
        octets[at + 3] = 0xff;
        octets[at + 4] = 0xf8;
        at += 5;
    }
    octets[at - 1] = 0;
    octets
};

impl Incoming {
    pub(in crate::endpoint) fn new(how: Compression, flaw: Inflating) -> Self {
        let how = match flaw {
            Inflating::ContextForgotten => Compression { context_takeover: false, ..how },
            _ => how,
        };
        Self { how, inflater: Inflater::new(how), flaw, gave_up: false }
    }

    /// Decompresses a part of a message; `ends` says whether it is the last. What `each` is given
    /// is never large.
    pub(in crate::endpoint) fn push(
        &mut self,
        data: &[u8],
        ends: bool,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.gave_up {
            self.gave_up = !ends;
            return Ok(());
        }
        let mut failure = None;
        let mut take = |piece: &[u8]| match each(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(found) => {
                failure = Some(found);
                ControlFlow::Break(())
            }
        };
        let mut result = self.inflater.push(data, &mut take);
        if ends && result.is_ok() {
            // A message that ends inside a block is not complete, though nothing shows it but what
            // more octets do.
            let more = |_: &[u8]| ControlFlow::Break(());
            result = self.inflater.push(&NOTHING, more).and_then(|()| self.inflater.end_message());
        }
        match (result, failure) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(failure)) => Err(failure),
            (Err(_), None) if self.flaw == Inflating::FaultsDelivered => {
                self.inflater = Inflater::new(self.how);
                self.gave_up = !ends;
                Ok(())
            }
            // RFC 7692 names no code. The frames are in order; what they hold is not what they say
            // it is, and that is what 1007 is for (RFC 6455, 7.4.1).
            (Err(InflateError::Corrupt | InflateError::Stopped), None) => {
                let why = "a compressed message that cannot be decompressed";
                Err(Failure { code: CloseCode::INVALID_PAYLOAD, why })
            }
        }
    }
}
