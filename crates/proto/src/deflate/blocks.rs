//! Compressed blocks that can be joined, so that octets which occur in many messages are
//! compressed once.

use flate2::FlushCompress;

use super::{Deflater, TAIL};

/// A block of a DEFLATE stream (RFC 1951, 3.2.3), which is not the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Header and codes. It may end within an octet, whose other bits are 0.
    Coded { octets: Vec<u8>, bits: usize },
    /// What would not become shorter. Where its octets begin depends on what comes before it.
    Stored(Vec<u8>),
}

impl Block {
    /// The longest payload of a block. The compressor begins another one after 16384 symbols, and
    /// in a single one all is either coded or stored.
    pub const LONGEST: usize = 8 << 10;

    /// Compresses 1 to [`Self::LONGEST`] octets for a receiver who knows `history`, as far as the
    /// window reaches.
    /// What the compressor did before is forgotten.
    pub fn compress(deflater: &mut Deflater, history: &[u8], payload: &[u8]) -> Self {
        debug_assert!((1..=Self::LONGEST).contains(&payload.len()));
        let mut octets = Vec::new();
        deflater.begin_after(history);
        deflater.feed(payload, FlushCompress::Partial, &mut octets);
        deflater.feed(&[], FlushCompress::Sync, &mut octets);
        // The two bits behind the first one are the type.
        if octets[0] & 0b110 == 0 {
            return Self(Form::Stored(payload.to_vec()));
        }
        debug_assert!(octets.ends_with(&TAIL));
        octets.truncate(octets.len() - TAIL.len());
        // The first flush ended in an empty block with fixed codes, bits 0 1 0 and seven times 0,
        // and all that the second one added is 0, too. So the last 1 is the second bit of a block
        // that nobody needs.
        while octets.last() == Some(&0) {
            octets.pop();
        }
        let unused = octets.last().map_or(0, |last| last.leading_zeros() as usize);
        let bits = (octets.len() * 8).saturating_sub(unused + 2);
        octets.truncate(bits.div_ceil(8));
        if let (Some(last), used @ 1..) = (octets.last_mut(), bits % 8) {
            *last &= (1 << used) - 1;
        }
        Self(Form::Coded { octets, bits })
    }
}

/// A message made of blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    /// The bits behind the last one are 0.
    octets: Vec<u8>,
    bits: usize,
}

impl Blocks {
    /// Appends a block whose history ends where the others end.
    pub fn push(&mut self, block: &Block) {
        match &block.0 {
            Form::Coded { octets, bits } => self.join(octets, *bits),
            Form::Stored(payload) => {
                // A header of three bits, the rest of its octet, and the length, also inverted.
                self.octets.resize((self.bits + 3).div_ceil(8), 0);
                let len = u16::try_from(payload.len()).expect("a block is short");
                self.octets.extend_from_slice(&len.to_le_bytes());
                self.octets.extend_from_slice(&(!len).to_le_bytes());
                self.octets.extend_from_slice(payload);
                self.bits = self.octets.len() * 8;
            }
        }
    }

    fn join(&mut self, octets: &[u8], bits: usize) {
        let used = self.bits % 8;
        self.bits += bits;
        if used == 0 {
            self.octets.extend_from_slice(octets);
            return;
        }
        // Eight octets at a time; what does not fit into the last octet goes on in the next.
        let mut carry = u64::from(self.octets.pop().unwrap_or_default());
        let (words, rest) = octets.as_chunks::<8>();
        self.octets.reserve(octets.len() + 1);
        for word in words {
            let word = u64::from_le_bytes(*word);
            self.octets.extend_from_slice(&(carry | word << used).to_le_bytes());
            carry = word >> (64 - used);
        }
        for octet in rest {
            let octet = u64::from(*octet) << used | carry;
            self.octets.push(octet.to_le_bytes()[0]);
            carry = octet >> 8;
        }
        self.octets.push(carry.to_le_bytes()[0]);
        self.octets.truncate(self.bits.div_ceil(8));
    }

    /// The octets of the message. They end in the header of an empty stored block, whose last four
    /// octets are left out (RFC 7692, 7.2.1).
    pub fn into_message(mut self) -> Vec<u8> {
        self.octets.resize((self.bits + 3).div_ceil(8), 0);
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::*;
    use crate::deflate::{Auditor, Compression, Inflater};

    /// Compresses parts one by one, joins them, and reads the message.
    fn check(parts: &[Vec<u8>], how: Compression, level: u32) {
        let mut deflater = Deflater::new(how, level);
        let (mut joined, mut sent) = (Blocks::default(), Vec::new());
        for part in parts {
            for piece in part.chunks(Block::LONGEST) {
                joined.push(&Block::compress(&mut deflater, &sent, piece));
                sent.extend_from_slice(piece);
            }
        }
        let message = joined.into_message();
        let mut came = Vec::new();
        let mut inflater = Inflater::new(how);
        let take = |octets: &[u8]| {
            came.extend_from_slice(octets);
            ControlFlow::Continue(())
        };
        inflater.push(&message, take).unwrap();
        inflater.end_message().unwrap();
        assert!(came == sent, "{} octets came for {}", came.len(), sent.len());
        let mut auditor = Auditor::new(how.context_takeover).watching(how.window());
        auditor.push(&message).unwrap();
        let audit = auditor.end_message().unwrap();
        assert_eq!(audit.first_beyond, None);
        assert!(audit.ends_in_empty_block && audit.final_blocks == 0);
        let pieces = parts.iter().map(|part| part.len().div_ceil(Block::LONGEST));
        let blocks: u32 = audit.blocks.iter().sum();
        assert_eq!(blocks as usize, pieces.sum::<usize>() + 1, "and the one that is not sent");
    }

    fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let words = prop::sample::select(vec!["one", "two", "three ", "\0", "\u{20ac}", "zzzz"]);
        let text = prop::collection::vec(words, 0..2000).prop_map(|words| words.concat().into());
        let noise = prop::collection::vec(any::<u8>(), 0..20_000);
        prop::collection::vec(prop_oneof![text, noise], 1..6)
    }

    proptest! {
        #[test]
        fn joined_parts_are_one_message(
            parts in parts(),
            window_bits in 9_u8..=15,
            level in 0_u32..=9,
        ) {
            check(&parts, Compression { context_takeover: true, window_bits }, level);
        }
    }

    #[test]
    fn no_block_is_an_empty_message() {
        assert_eq!(Blocks::default().into_message(), [0]);
        check(&[Vec::new()], Compression { context_takeover: true, window_bits: 15 }, 2);
    }
}
