//! The messages that are sent, as they go over the wire.

use std::fmt::Write;

use wsproof_proto::{
    FrameHeader, Opcode,
    deflate::{Compression, Deflater},
    frame,
};
use wsproof_testee::{DeflateOffer, client::fresh_seed};

/// How many messages take turns, so that an echo of another one is found out.
const MESSAGES: usize = 4;

/// What all connections send in turns.
#[derive(Debug)]
pub(super) struct Messages {
    turns: Vec<Message>,
    compressed: bool,
}

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) opcode: Opcode,
    pub(super) payload: Vec<u8>,
    /// The frame that says it.
    pub(super) octets: Vec<u8>,
}

impl Messages {
    pub(super) fn new(size: usize, text: bool, deflate: Option<&DeflateOffer>) -> Self {
        let seed = fresh_seed();
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let message = |(number, key): (u64, &[u8; 4])| {
            let payload = records(size, number);
            // Each is compressed by itself, or it could not be sent twice; a client may always do
            // that (RFC 7692, 7.2.1). No smaller window is offered.
            let compressed = deflate.map(|offer| {
                let how = Compression { context_takeover: false, window_bits: 15 };
                let mut compressed = Vec::new();
                Deflater::new(how, offer.level).message(&payload, &mut compressed);
                compressed
            });
            let rsv = if compressed.is_some() { 0b100 } else { 0 };
            let said = compressed.as_ref().unwrap_or(&payload);
            let header = FrameHeader::new(opcode, said.len() as u64);
            let mut octets = Vec::with_capacity(FrameHeader::MAX_OCTETS + said.len());
            frame::encode(&FrameHeader { rsv, mask: Some(*key), ..header }, said, &mut octets);
            Message { opcode, payload, octets }
        };
        let turns = (1..).zip(seed.as_chunks::<4>().0).take(MESSAGES).map(message).collect();
        Self { turns, compressed: deflate.is_some() }
    }

    pub(super) fn are_compressed(&self) -> bool {
        self.compressed
    }

    /// The message of this turn.
    pub(super) fn at(&self, turn: usize) -> &Message {
        &self.turns[turn % self.turns.len()]
    }
}

/// Records as programs exchange them: they compress to about a quarter.
fn records(size: usize, seed: u64) -> Vec<u8> {
    let mut records = String::with_capacity(size + 128);
    let mut state = seed;
    while records.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
        let (id, room, value) = (state >> 48, state >> 20 & 0x1f, state >> 32 & 0xffff);
        let _ = writeln!(
            records,
            r#"{{"id":{id},"sensor":"room-{room}","value":{value},"unit":"lx","ok":true}}"#
        );
    }
    records.truncate(size);
    records.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_size_and_compress_as_programs_do() {
        for size in [0, 1, 125, 4096, 65_537] {
            let plain = Messages::new(size, true, None);
            let deflated = Messages::new(size, true, Some(&DeflateOffer::default()));
            for turn in 0..MESSAGES {
                let message = plain.at(turn);
                assert_eq!(message.payload.len(), size);
                assert!(message.octets.len() > size);
                assert_eq!(deflated.at(turn).payload, message.payload);
            }
            if size >= 4096 {
                let ratio = size / deflated.at(0).octets.len();
                assert!((2..8).contains(&ratio), "{ratio}");
                assert_ne!(plain.at(0).payload, plain.at(1).payload);
            }
        }
    }
}
