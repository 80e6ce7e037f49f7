//! Compressed messages of echo loops. They do not depend on the peer beyond what was agreed, so
//! they are computed once and shared by all runs of a process, within a bound. Long ones are joined
//! from blocks of the corpus, which are the same in every message and every loop.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use wsproof_proto::deflate::{Block, Blocks, Compression, Deflater};

use crate::{
    Payload,
    series::{Cutter, ending_at},
};

/// Octets that are kept at most.
const KEPT: usize = 48 << 20;

/// Shorter messages have hardly any whole block in them.
const JOINED: usize = 4 * Block::LONGEST;

/// No verdict depends on it, and the tester should be quick.
const LEVEL: u32 = 2;

/// What the compressed messages of a loop depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    corpus: &'static str,
    size: usize,
    how: Compression,
}

#[derive(Debug, Default)]
struct Kept {
    octets: usize,
    clock: u64,
    streams: HashMap<Key, Stream>,
    /// Each corpus, cut into blocks, for windows of so many bits. There are five corpora of a
    /// quarter to a whole MiB, so that this needs no bound.
    blocks: HashMap<(&'static str, u8), Vec<Option<Arc<Block>>>>,
}

/// The first messages of a loop.
#[derive(Debug, Default)]
struct Stream {
    messages: Vec<Arc<[u8]>>,
    octets: usize,
    used: u64,
}

static KEPT_STREAMS: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

impl Kept {
    fn find(&mut self, key: &Key, n: usize) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let stream = self.streams.get_mut(key)?;
        stream.used = self.clock;
        stream.messages.get(n).cloned()
    }

    /// Keeps a message if it is the next one of its stream and there is room, for which the
    /// streams that were not used for the longest time give way.
    fn keep(&mut self, key: Key, n: usize, message: &Arc<[u8]>) {
        while self.octets + message.len() > KEPT {
            let others = self.streams.iter().filter(|(other, _)| **other != key);
            let Some(oldest) = others.min_by_key(|(_, stream)| stream.used).map(|(key, _)| *key)
            else {
                return;
            };
            self.octets -= self.streams.remove(&oldest).map_or(0, |stream| stream.octets);
        }
        let stream = self.streams.entry(key).or_default();
        stream.used = self.clock;
        if stream.messages.len() == n {
            stream.messages.push(message.clone());
            stream.octets += message.len();
            self.octets += message.len();
        }
    }
}

/// Compresses messages of one direction of a connection, with help of what is kept.
#[derive(Debug)]
pub(crate) struct Compressor {
    how: Compression,
    deflater: Deflater,
    /// Which message of a loop the deflater stands before, if it made all earlier ones.
    next: Option<u32>,
    /// A message of a loop that was made before it was asked for, and its number.
    ahead: Option<(u32, Arc<[u8]>)>,
}

impl Compressor {
    pub(crate) fn new(how: Compression) -> Self {
        Self { how, deflater: Deflater::new(how, LEVEL), next: Some(0), ahead: None }
    }

    /// Compresses a message that is not part of a loop.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        self.next = None;
        if self.ahead.take().is_some() {
            // The peer never sees that message, so that nothing may refer to it.
            self.deflater = Deflater::new(self.how, LEVEL);
        }
        let mut compressed = Vec::new();
        self.deflater.message(payload, &mut compressed);
        compressed
    }

    /// Makes the nth message of a loop, which will be asked for next.
    pub(crate) fn prepare(&mut self, corpus: &'static str, size: usize, cutter: &Cutter, n: u32) {
        if self.ahead.is_none() {
            self.ahead = Some((n, self.make(corpus, size, cutter, n)));
        }
    }

    /// The nth message of a loop, all earlier ones of which were sent on this connection.
    pub(crate) fn nth(
        &mut self,
        corpus: &'static str,
        size: usize,
        cutter: &Cutter,
        n: u32,
    ) -> Arc<[u8]> {
        match self.ahead.take() {
            Some((number, message)) if number == n => return message,
            // The peer never sees that one.
            Some(_) => self.next = None,
            None => {}
        }
        self.make(corpus, size, cutter, n)
    }

    fn make(&mut self, corpus: &'static str, size: usize, cutter: &Cutter, n: u32) -> Arc<[u8]> {
        let key = Key { corpus, size, how: self.how };
        let kept = || KEPT_STREAMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = kept().find(&key, n as usize) {
            self.next = None;
            return message;
        }
        if let Some(message) = self.joined(corpus, size, cutter, n) {
            self.next = None;
            let message = message.into();
            kept().keep(key, n as usize, &message);
            return message;
        }
        if self.next != Some(n) && self.how.context_takeover {
            // Others compressed what came before; the octets themselves are all that it left.
            let known = cutter.before(n, self.how.window() as usize);
            self.deflater = Deflater::with_history(self.how, LEVEL, &known);
        }
        let mut compressed = Vec::new();
        self.deflater.message(&cutter.message(n).to_vec(), &mut compressed);
        self.next = Some(n + 1);
        let message = compressed.into();
        kept().keep(key, n as usize, &message);
        message
    }

    /// A long message, from blocks that occur in others, too: the corpus is only so long.
    fn joined(
        &mut self,
        name: &'static str,
        size: usize,
        cutter: &Cutter,
        n: u32,
    ) -> Option<Vec<u8>> {
        let Payload::Window { corpus, start, len } = cutter.message(n) else { return None };
        if len < JOINED || self.how.window_bits < 9 {
            return None;
        }
        let window = self.how.window() as usize;
        let sent = if self.how.context_takeover { n as usize * size } else { 0 };
        let bits = self.how.window_bits;
        let (mut blocks, mut at) = (Blocks::default(), 0);
        while at < len {
            let from = (start + at) % corpus.len();
            let number = from / Block::LONGEST;
            let end = ((number + 1) * Block::LONGEST).min(corpus.len());
            let to = end.min(from + len - at);
            let known = window.min(sent + at);
            let mut compress = || {
                let history = ending_at(&corpus, from, known);
                Block::compress(&mut self.deflater, &history, &corpus[from..to])
            };
            if from % Block::LONGEST == 0 && to == end && known == window {
                blocks.push(&whole_block((name, bits), number, &mut compress));
            } else {
                blocks.push(&compress());
            }
            at += to - from;
        }
        Some(blocks.into_message())
    }
}

/// A block of a corpus that was compressed with a full window before it, for windows of so many
/// bits.
fn whole_block(
    key: (&'static str, u8),
    number: usize,
    compress: impl FnOnce() -> Block,
) -> Arc<Block> {
    let kept = || KEPT_STREAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let found = |kept: &Kept| kept.blocks.get(&key)?.get(number)?.clone();
    if let Some(block) = found(&kept()) {
        return block;
    }
    let block = Arc::new(compress());
    let mut kept = kept();
    let blocks = kept.blocks.entry(key).or_default();
    blocks.resize(blocks.len().max(number + 1), None);
    blocks[number] = Some(block.clone());
    block
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use wsproof_proto::deflate::{Auditor, Inflater};

    use super::*;
    use crate::{Corpus, Series};

    /// Compresses and noise by turns, of no round length.
    const MIXED: Corpus = Corpus {
        name: "mixed",
        in_code_points: false,
        octets: || {
            let mut seed = 1_u32;
            let mut octets = Vec::new();
            while octets.len() < 150_001 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if octets.len() / 20_000 % 2 == 0 {
                    octets.push(seed.to_be_bytes()[0]);
                } else {
                    octets.extend_from_slice(&b"all that is known "[..=(seed >> 28) as usize]);
                }
            }
            octets.into()
        },
    };

    /// Compresses a loop, as two connections do by turns, and reads it.
    fn check(size: usize, how: Compression) {
        let cutter = Series::Windows { corpus: MIXED, size }.cutter();
        let mut compressors = [Compressor::new(how), Compressor::new(how)];
        let mut readers = [Inflater::new(how), Inflater::new(how)];
        for n in 0..12 {
            let mut messages = Vec::new();
            for (compressor, reader) in compressors.iter_mut().zip(&mut readers) {
                let message = compressor.nth(MIXED.name, size, &cutter, n);
                if n % 3 == 0 {
                    compressor.prepare(MIXED.name, size, &cutter, n + 1);
                }
                let mut came = Vec::new();
                let take = |octets: &[u8]| {
                    came.extend_from_slice(octets);
                    ControlFlow::Continue(())
                };
                reader.push(&message, take).unwrap();
                reader.end_message().unwrap();
                assert!(came == cutter.message(n).to_vec(), "message {n} of {size}, {how:?}");
                messages.push(message);
            }
            assert!(messages[0] == messages[1], "message {n} of {size}, {how:?}");
        }
        // What was prepared is left out.
        let [mut compressor, _] = compressors;
        compressor.prepare(MIXED.name, size, &cutter, 12);
        let mut came = Vec::new();
        let take = |octets: &[u8]| {
            came.extend_from_slice(octets);
            ControlFlow::Continue(())
        };
        readers[0].push(&compressor.message(b"all that is known"), take).unwrap();
        readers[0].end_message().unwrap();
        assert_eq!(came, b"all that is known", "{size}, {how:?}");
        let mut compressor = Compressor::new(how);
        let mut auditor = Auditor::new(how.context_takeover).watching(how.window());
        for n in 0..12 {
            auditor.push(&compressor.nth(MIXED.name, size, &cutter, n)).unwrap();
            let audit = auditor.end_message().unwrap();
            assert_eq!(audit.first_beyond, None, "message {n} of {size}, {how:?}");
            assert!(audit.ends_in_empty_block && audit.final_blocks == 0);
        }
    }

    #[test]
    fn what_is_joined_from_kept_blocks_is_what_was_to_be_sent() {
        for size in [100, 8192, 32_768, 65_536, 131_072] {
            for window_bits in [8, 9, 12, 15] {
                for context_takeover in [false, true] {
                    check(size, Compression { context_takeover, window_bits });
                }
            }
        }
    }
}
