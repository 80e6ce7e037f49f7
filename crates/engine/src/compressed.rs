//! Compressed messages of echo loops. They do not depend on the peer beyond what was agreed, so
//! they are computed once and shared by all runs of a process, within a bound.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use wsproof_proto::deflate::{Compression, Deflater};

use crate::series::Cutter;

/// Octets that are kept at most.
const KEPT: usize = 48 << 20;

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
}

impl Compressor {
    pub(crate) fn new(how: Compression) -> Self {
        Self { how, deflater: Deflater::new(how, LEVEL), next: Some(0) }
    }

    /// Compresses a message that is not part of a loop.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        self.next = None;
        let mut compressed = Vec::new();
        self.deflater.message(payload, &mut compressed);
        compressed
    }

    /// The nth message of a loop, all earlier ones of which were sent on this connection.
    pub(crate) fn nth(
        &mut self,
        corpus: &'static str,
        size: usize,
        cutter: &Cutter,
        n: u32,
    ) -> Arc<[u8]> {
        let key = Key { corpus, size, how: self.how };
        let kept = || KEPT_STREAMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = kept().find(&key, n as usize) {
            self.next = None;
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
}
