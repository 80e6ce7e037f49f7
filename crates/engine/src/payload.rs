//! Payloads as descriptions: built when they are sent, compared while they arrive.

use std::sync::Arc;

/// Repeated payloads are written and compared in tiles of at least this many octets.
const TILE: usize = 4 << 10;

/// The payload of a frame or a message. Cloning is cheap.
#[derive(Clone)]
pub enum Payload {
    /// The octets themselves.
    Octets(Arc<[u8]>),
    /// A unit repeated and cut to a length.
    Repeat {
        /// The unit, repeated often enough to be copied in large steps.
        tile: Arc<[u8]>,
        /// Length of the unit in octets.
        unit: usize,
        /// Length of the whole in octets.
        len: u64,
    },
    /// A part of a corpus, which goes on with the corpus's beginning at its end.
    Window {
        /// The corpus.
        corpus: Arc<[u8]>,
        /// Where the part begins.
        start: usize,
        /// Its length in octets.
        len: usize,
    },
}

/// One octet repeated.
pub fn fill(octet: u8, len: u64) -> Payload {
    repeat(&[octet], len)
}

/// A unit repeated and cut to `len` octets. The unit must not be empty unless `len` is 0.
pub fn repeat(unit: &[u8], len: u64) -> Payload {
    if unit.is_empty() || len <= TILE as u64 {
        let octets: Vec<u8> = unit.iter().copied().cycle().take(small(len)).collect();
        return Payload::Octets(octets.into());
    }
    let tile = unit.repeat(TILE.div_ceil(unit.len()));
    Payload::Repeat { tile: tile.into(), unit: unit.len(), len }
}

/// Literal octets, or the octets of a text.
pub fn octets(octets: impl AsRef<[u8]>) -> Payload {
    Payload::Octets(octets.as_ref().into())
}

impl Payload {
    /// Length in octets.
    pub fn len(&self) -> u64 {
        match self {
            Self::Octets(octets) => octets.len() as u64,
            Self::Repeat { len, .. } => *len,
            Self::Window { len, .. } => *len as u64,
        }
    }

    /// Whether there are no octets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the `n` octets from `at` on; fewer if the payload ends before.
    pub fn copy_to(&self, at: u64, n: usize, out: &mut Vec<u8>) {
        self.pieces(at, n, |piece| {
            out.extend_from_slice(piece);
            true
        });
    }

    /// The first `n` octets.
    pub fn head(&self, n: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.copy_to(0, n, &mut out);
        out
    }

    /// All octets. Only for payloads known to be small.
    pub fn to_vec(&self) -> Vec<u8> {
        self.head(small(self.len()))
    }

    /// Compares `data` with what stands at `at`. Returns the offset of the first octet that
    /// differs or lies beyond the end.
    pub fn first_difference(&self, at: u64, data: &[u8]) -> Option<u64> {
        let mut compared = 0;
        self.pieces(at, data.len(), |piece| {
            let same = &data[compared..compared + piece.len()];
            if piece == same {
                compared += piece.len();
                return true;
            }
            compared += piece.iter().zip(same).take_while(|(a, b)| a == b).count();
            false
        });
        (compared < data.len()).then_some(at + compared as u64)
    }

    /// The payload in words, such as `"*" × 65536`.
    pub fn describe(&self) -> String {
        match self {
            Self::Octets(octets) => quote(octets),
            Self::Repeat { tile, unit, len } => {
                format!("{} repeated to {len} octets", quote(&tile[..*unit]))
            }
            Self::Window { start, len, .. } => {
                format!("{len} octets of the corpus from octet {start} on")
            }
        }
    }

    /// Hands out all octets in slices, until `each` says stop.
    pub(crate) fn each_piece(&self, each: impl FnMut(&[u8]) -> bool) {
        self.pieces(0, small(self.len()), each);
    }

    /// Hands out the octets from `at` in slices until `n` are through or `each` says stop.
    fn pieces(&self, at: u64, n: usize, mut each: impl FnMut(&[u8]) -> bool) {
        let left = self.len().saturating_sub(at);
        let n = n.min(small(left));
        match self {
            Self::Octets(octets) if n > 0 => {
                let start = small(at);
                each(&octets[start..start + n]);
            }
            Self::Octets(_) => {}
            // The tile holds whole units, so it repeats like the unit does.
            Self::Repeat { tile, .. } => cycle(tile, small(at % tile.len() as u64), n, each),
            Self::Window { corpus, start, .. } => {
                cycle(corpus, (start + small(at)) % corpus.len().max(1), n, each);
            }
        }
    }
}

/// Hands out `n` octets from `start` on, with `octets` repeated as often as needed.
fn cycle(octets: &[u8], mut start: usize, mut n: usize, mut each: impl FnMut(&[u8]) -> bool) {
    while n > 0 && !octets.is_empty() {
        let piece = n.min(octets.len() - start);
        if !each(&octets[start..start + piece]) {
            return;
        }
        n -= piece;
        start = 0;
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let (mut at, mut same) = (0, true);
        while same && at < self.len() {
            let mut chunk = Vec::new();
            self.copy_to(at, TILE, &mut chunk);
            same = other.first_difference(at, &chunk).is_none();
            at += chunk.len() as u64;
        }
        same
    }
}

impl Eq for Payload {}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Payload lengths that reach memory fit into it.
fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Octets as a quoted text where they are printable, else in hex; long ones are cut.
pub(crate) fn quote(octets: &[u8]) -> String {
    const SHOWN: usize = 32;
    let cut = octets.len() > SHOWN + 8;
    let shown = if cut { &octets[..SHOWN] } else { octets };
    let text = match std::str::from_utf8(shown) {
        Ok(text) if !text.chars().any(char::is_control) && octets.len() > 1 => {
            format!("\"{text}\"")
        }
        Ok(text) if text.len() == 1 && text.chars().all(|c| c.is_ascii_graphic()) => {
            format!("\"{text}\"")
        }
        _ if octets.is_empty() => return "nothing".to_owned(),
        _ => spaced_hex(shown),
    };
    if cut { format!("{text} … ({} octets)", octets.len()) } else { text }
}

/// Octets in hex, as `81 05 48`.
pub fn spaced_hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(3 * octets.len());
    for octet in octets {
        if !text.is_empty() {
            text.push(' ');
        }
        let digits = [octet >> 4, octet & 15].map(|digit| DIGITS[usize::from(digit)]);
        text.extend(digits.map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_cut_and_copied_from_anywhere() {
        let payload = repeat(b"BAsd7&jh23", 65536);
        let whole: Vec<u8> = b"BAsd7&jh23".iter().copied().cycle().take(65536).collect();
        assert_eq!(payload.to_vec(), whole);
        let mut part = Vec::new();
        payload.copy_to(65530, 100, &mut part);
        assert_eq!(part, whole[65530..]);
        assert_eq!(payload, octets(&whole));
        assert_ne!(payload, fill(b'*', 65536));
    }

    #[test]
    fn the_first_difference_is_found_wherever_the_octets_are_cut() {
        let payload = repeat(b"abc", 10_000);
        let mut data = payload.to_vec();
        assert_eq!(payload.first_difference(0, &data), None);
        data[8191] ^= 1;
        assert_eq!(payload.first_difference(0, &data), Some(8191));
        assert_eq!(payload.first_difference(8000, &data[8000..]), Some(8191));
        assert_eq!(payload.first_difference(9_999, b"ab"), Some(10_000));
        assert_eq!(octets("x").first_difference(5, b"y"), Some(5));
    }

    #[test]
    fn octets_are_quoted_as_text_or_hex() {
        assert_eq!(octets("Hello").describe(), "\"Hello\"");
        assert_eq!(octets([0xfe]).describe(), "FE");
        assert_eq!(octets([]).describe(), "nothing");
        assert_eq!(fill(b'*', 1 << 20).describe(), "\"*\" repeated to 1048576 octets");
    }
}
