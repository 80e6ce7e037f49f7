//! What an echo loop sends: the same message again and again, or windows that slide over a corpus.

use std::{fmt, sync::Arc};

use crate::Payload;

/// A text or other octets from which messages are cut. Its octets are made when they are needed.
#[derive(Clone, Copy)]
pub struct Corpus {
    /// The name used in titles; no two corpora share one.
    pub name: &'static str,
    /// Whether windows are counted in code points of UTF-8 rather than in octets.
    pub in_code_points: bool,
    /// The octets. Every call gives the same ones.
    pub octets: fn() -> Arc<[u8]>,
}

impl PartialEq for Corpus {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Corpus {}

impl fmt::Debug for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The messages of an echo loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Series {
    /// The same payload each time.
    Same(Payload),
    /// A window over a corpus that goes on where it ended, and begins anew at the corpus's end.
    Windows {
        /// The corpus.
        corpus: Corpus,
        /// Length of each message in the corpus's unit.
        size: usize,
    },
}

impl Series {
    /// Length of each message, and its unit in words.
    pub fn size(&self) -> (u64, &'static str) {
        match self {
            Self::Same(payload) => (payload.len(), "octets"),
            Self::Windows { corpus, size } => {
                (*size as u64, if corpus.in_code_points { "characters" } else { "octets" })
            }
        }
    }

    /// Whether the content of an echo counts in the classic judgement. `wstest` compares it only
    /// where it changes from message to message.
    pub(crate) fn compares_content(&self) -> bool {
        matches!(self, Self::Windows { .. })
    }

    /// Prepares for cutting messages.
    pub(crate) fn cutter(&self) -> Cutter {
        match self {
            Self::Same(payload) => Cutter::Same(payload.clone()),
            Self::Windows { corpus, size } => {
                let octets = (corpus.octets)();
                let starts = if corpus.in_code_points && !octets.is_ascii() {
                    let is_start = |octet: u8| octet & 0xc0 != 0x80;
                    (0..octets.len()).filter(|&at| is_start(octets[at])).collect()
                } else {
                    Vec::new()
                };
                Cutter::Windows { octets, starts, size: *size }
            }
        }
    }
}

/// Cuts the messages of a series.
#[derive(Debug)]
pub(crate) enum Cutter {
    Same(Payload),
    Windows {
        octets: Arc<[u8]>,
        /// Where the code points begin; empty if every unit is an octet.
        starts: Vec<usize>,
        size: usize,
    },
}

impl Cutter {
    /// The nth message, counted from 0.
    pub(crate) fn message(&self, n: u32) -> Payload {
        match self {
            Self::Same(payload) => payload.clone(),
            Self::Windows { octets, .. } => {
                let (start, end) = (self.start(n), self.start(n + 1));
                let len = if end > start { end - start } else { end + octets.len() - start };
                Payload::Window { corpus: octets.clone(), start, len }
            }
        }
    }

    /// The offset in the corpus at which the nth message begins.
    fn start(&self, n: u32) -> usize {
        let Self::Windows { octets, starts, size } = self else { return 0 };
        let units = if starts.is_empty() { octets.len() } else { starts.len() };
        let at = n as usize * size % units.max(1);
        starts.get(at).copied().unwrap_or(at)
    }

    /// The octets that come right before the nth message, at most `n_octets` of them.
    pub(crate) fn before(&self, n: u32, n_octets: usize) -> Vec<u8> {
        let Self::Windows { octets, size, .. } = self else { return Vec::new() };
        // Not more than was sent; a unit is an octet at least.
        ending_at(octets, self.start(n), n_octets.min(n as usize * size))
    }
}

/// The `len` octets before the offset `end` of a corpus whose end is followed by its beginning; at
/// most as many as it has.
pub(crate) fn ending_at(corpus: &Arc<[u8]>, end: usize, len: usize) -> Vec<u8> {
    let len = len.min(corpus.len());
    if len == 0 {
        return Vec::new();
    }
    let start = (end + corpus.len() - len) % corpus.len();
    Payload::Window { corpus: corpus.clone(), start, len }.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Corpus =
        Corpus { name: "ascii", in_code_points: true, octets: || b"abcdefg".as_slice().into() };
    const WIDE: Corpus =
        Corpus { name: "wide", in_code_points: true, octets: || "aµb€c".as_bytes().into() };

    fn check(corpus: Corpus, size: usize, expected: &[&str]) {
        let cutter = Series::Windows { corpus, size }.cutter();
        for (n, expected) in (0..).zip(expected) {
            let octets = cutter.message(n).to_vec();
            assert_eq!(std::str::from_utf8(&octets).unwrap(), *expected, "{corpus:?} {size} {n}");
        }
    }

    #[test]
    fn windows_slide_and_begin_anew() {
        check(ASCII, 3, &["abc", "def", "gab", "cde"]);
        check(ASCII, 7, &["abcdefg", "abcdefg"]);
        check(WIDE, 2, &["aµ", "b€", "ca", "µb", "€c"]);
    }

    #[test]
    fn what_came_before_is_what_was_sent() {
        let cutter = Series::Windows { corpus: ASCII, size: 3 }.cutter();
        assert_eq!(cutter.before(0, 4), b"");
        assert_eq!(cutter.before(1, 4), b"abc");
        assert_eq!(cutter.before(3, 4), b"fgab");
    }
}
