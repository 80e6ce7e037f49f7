//! What an endpoint has to send: frames in one batch per read, and the ends of TCP, in order.

use std::{collections::VecDeque, mem, time::Duration};

use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use wsproof_proto::{FrameHeader, Role, frame, mask};

use super::Transmit;
use crate::defect::behaviour::Masking;

/// Payloads from this size on are sent from where they lie, without another copy.
const LARGE: usize = 32 << 10;

/// The key of an endpoint that should not mask, or has but one.
const CONSTANT_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[derive(Debug)]
pub(super) struct Sender {
    role: Role,
    keys: ChaCha12Rng,
    /// Octets that follow everything in `queue`.
    out: Vec<u8>,
    queue: VecDeque<(Duration, Transmit)>,
}

impl Sender {
    pub(super) fn new(role: Role, seed: [u8; 32]) -> Self {
        Self { role, keys: ChaCha12Rng::from_seed(seed), out: Vec::new(), queue: VecDeque::new() }
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

    /// Writes a frame; the key is chosen here.
    pub(super) fn frame(&mut self, header: FrameHeader, payload: &[u8], masking: Masking) {
        let header = FrameHeader { mask: self.key(masking), ..header };
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
        if payload.len() < LARGE {
            return self.frame(header, &payload, masking);
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

    fn flush(&mut self, now: Duration, delay: Duration) {
        if !self.out.is_empty() {
            let octets = mem::take(&mut self.out);
            self.queue.push_back((now + delay, Transmit::Octets(octets)));
        }
    }

    fn key(&mut self, masking: Masking) -> Option<[u8; 4]> {
        let masks = self.role.masks() != (masking == Masking::Inverted);
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
