//! What an endpoint has to send: frames in one batch per read, and the ends of TCP, in order.

use std::{collections::VecDeque, mem, num::NonZeroUsize, time::Duration};

use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use wsproof_proto::{FrameHeader, Opcode, frame, mask};

use super::{Transmit, deflate::Outgoing};
use crate::{defect::behaviour::Masking, spare};

/// Payloads from this size on are sent from where they lie, without another copy.
const LARGE: usize = 32 << 10;

/// The key of an endpoint that should not mask, or has but one.
const CONSTANT_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[derive(Debug)]
pub(super) struct Sender {
    /// Whether frames are masked, as those of a client must be.
    masks: bool,
    /// Payloads of data frames that are larger are sent in fragments of this size.
    fragment: usize,
    /// What messages are compressed with, if that was agreed.
    outgoing: Option<Box<Outgoing>>,
    keys: ChaCha12Rng,
    /// Octets that follow everything in `queue`.
    out: Vec<u8>,
    queue: VecDeque<(Duration, Transmit)>,
}

impl Sender {
    pub(super) fn new(masks: bool, seed: [u8; 32]) -> Self {
        let keys = ChaCha12Rng::from_seed(seed);
        Self {
            masks,
            fragment: usize::MAX,
            outgoing: None,
            keys,
            out: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    /// Sends larger payloads in fragments of `size`.
    pub(super) fn fragment(&mut self, size: NonZeroUsize) {
        self.fragment = size.get();
    }

    /// Compresses messages from now on.
    pub(super) fn deflate(&mut self, outgoing: Outgoing) {
        self.outgoing = Some(Box::new(outgoing));
    }

    pub(super) fn compresses(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Sixteen octets for the key of an opening handshake.
    pub(super) fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        self.keys.fill_bytes(&mut nonce);
        nonce
    }

    /// Octets outside of any frame.
    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// Writes a frame, compressed if that was agreed, or the fragments that take its place; the
    /// keys are chosen here.
    pub(super) fn frame(&mut self, header: FrameHeader, payload: &[u8], masking: Masking) {
        let Some(mut outgoing) = self.outgoing.take_if(|_| Outgoing::takes(header, payload)) else {
            return self.write(header, payload, masking);
        };
        let marks_all = outgoing.marks_continuations();
        let (header, payload) = outgoing.message(header, payload);
        if marks_all {
            let (first, rest) = payload.split_at(payload.len() / 2);
            let part = |part: &[u8]| FrameHeader { length: part.len() as u64, ..header };
            self.write(FrameHeader { fin: false, ..part(first) }, first, masking);
            let opcode = Opcode::Continuation;
            self.write(FrameHeader { opcode, ..part(rest) }, rest, masking);
        } else {
            // Compressed octets are what is fragmented, and the first frame has the bit
            // (RFC 7692, 6.1).
            self.write(header, payload, masking);
        }
        self.outgoing = Some(outgoing);
    }

    fn write(&mut self, header: FrameHeader, payload: &[u8], masking: Masking) {
        if self.cuts(header, payload) {
            return self.fragments(header, payload, masking);
        }
        let header = FrameHeader { mask: self.key(masking), ..header };
        self.out.reserve(FrameHeader::MAX_OCTETS + payload.len());
        frame::encode(&header, payload, &mut self.out);
    }

    /// Writes a frame whose payload may be given away.
    pub(super) fn frame_from(
        &mut self,
        now: Duration,
        header: FrameHeader,
        mut payload: Vec<u8>,
        masking: Masking,
        delay: Duration,
    ) {
        let compresses = self.outgoing.is_some() && Outgoing::takes(header, &payload);
        if compresses || payload.len() < LARGE || self.cuts(header, &payload) {
            self.frame(header, &payload, masking);
            return spare::give(payload);
        }
        let header = FrameHeader { mask: self.key(masking), ..header };
        header.encode(&mut self.out);
        if let Some(key) = header.mask {
            mask::apply(key, 0, &mut payload);
        }
        self.then(now, Transmit::Octets(payload), delay);
    }

    /// Queues something behind all octets so far.
    pub(super) fn then(&mut self, now: Duration, transmit: Transmit, delay: Duration) {
        self.flush(now, delay);
        self.queue.push_back((now + delay, transmit));
    }

    /// Forgets everything unsent.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.queue.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty() && self.queue.is_empty()
    }

    /// When the next thing is due, if it is not due at once.
    pub(super) fn due(&self) -> Option<Duration> {
        self.queue.front().map(|(due, _)| *due)
    }

    pub(super) fn poll(&mut self, now: Duration, delay: Duration) -> Option<Transmit> {
        self.flush(now, delay);
        self.queue.pop_front_if(|(due, _)| *due <= now).map(|(_, transmit)| transmit)
    }

    /// Whether a payload is too large for one frame. A control frame is never fragmented
    /// (RFC 6455, 5.5).
    fn cuts(&self, header: FrameHeader, payload: &[u8]) -> bool {
        payload.len() > self.fragment && !header.opcode.is_control()
    }

    /// Writes the payload in fragments (RFC 6455, 5.4). Only the first has the opcode and the
    /// reserved bits, and the last one ends the message if `header` does.
    fn fragments(&mut self, header: FrameHeader, payload: &[u8], masking: Masking) {
        let mut next = FrameHeader { fin: false, ..header };
        let mut chunks = payload.chunks(self.fragment).peekable();
        while let Some(chunk) = chunks.next() {
            next.length = chunk.len() as u64;
            next.fin = header.fin && chunks.peek().is_none();
            self.write(next, chunk, masking);
            next = FrameHeader { opcode: Opcode::Continuation, rsv: 0, ..next };
        }
    }

    fn flush(&mut self, now: Duration, delay: Duration) {
        if !self.out.is_empty() {
            let octets = mem::take(&mut self.out);
            self.queue.push_back((now + delay, Transmit::Octets(octets)));
        }
    }

    fn key(&mut self, masking: Masking) -> Option<[u8; 4]> {
        let masks = self.masks != (masking == Masking::Inverted);
        if !masks {
            return None;
        }
        if masking != Masking::ByRole {
            return Some(CONSTANT_KEY);
        }
        let mut key = [0; 4];
        self.keys.fill_bytes(&mut key);
        Some(key)
    }
}
