//! Bits and prefix codes of DEFLATE (RFC 1951, 3.1 and 3.2).

use super::Corruption;

/// The first length and the extra bits of a length symbol (RFC 1951, 3.2.5).
pub(super) fn length_of(symbol: u16) -> Option<(u32, u32)> {
    match symbol {
        257..265 => Some((u32::from(symbol) - 254, 0)),
        265..285 => {
            let (n, extra) = (u32::from(symbol) - 261, (u32::from(symbol) - 261) / 4);
            Some((3 + ((4 + n % 4) << extra), extra))
        }
        285 => Some((258, 0)),
        _ => None,
    }
}

/// The first distance and the extra bits of a distance symbol (RFC 1951, 3.2.5).
pub(super) fn distance_of(symbol: u16) -> Option<(u32, u32)> {
    let n = u32::from(symbol);
    match symbol {
        0..4 => Some((n + 1, 0)),
        4..30 => Some((1 + ((2 + n % 2) << (n / 2 - 1)), n / 2 - 1)),
        _ => None,
    }
}

/// Bits that were read from the stream and not used, the first one lowest.
#[derive(Debug, Default)]
pub(super) struct Bits {
    held: u64,
    pub(super) count: u32,
}

impl Bits {
    pub(super) fn refill(&mut self, input: &mut &[u8]) {
        while self.count <= 56
            && let Some((&octet, tail)) = input.split_first()
        {
            self.held |= u64::from(octet) << self.count;
            self.count += 8;
            *input = tail;
        }
    }

    pub(super) fn skip(&mut self, n: u32) {
        self.held >>= n;
        self.count -= n;
    }

    /// The next `n` bits, at most 16, if they are there.
    pub(super) fn take(&mut self, n: u32) -> Option<u32> {
        if self.count < n {
            return None;
        }
        let [low, high, ..] = (self.held & ((1 << n) - 1)).to_le_bytes();
        self.skip(n);
        Some(u32::from(u16::from_le_bytes([low, high])))
    }
}

/// A prefix code.
#[derive(Debug, Default)]
pub(super) struct Codes {
    /// For the next [`DIRECT`] bits the symbol and the length of its code; length 0 where the code
    /// is longer or there is none.
    direct: Vec<(u16, u8)>,
    /// The symbols in the order of their codes.
    symbols: Vec<u16>,
    /// How many codes have this length.
    counts: [u16; 16],
}

/// Bits that are looked up at once.
const DIRECT: u32 = 9;

impl Codes {
    pub(super) fn fixed_literals() -> Self {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        Self::new(&lengths).expect("the fixed code is no ambiguous one")
    }

    pub(super) fn fixed_distances() -> Self {
        Self::new(&[5; 32]).expect("the fixed code is no ambiguous one")
    }

    /// Takes the code if it uses every sequence of bits.
    pub(super) fn complete(self) -> Result<Self, Corruption> {
        let used = (1..16).map(|length| u32::from(self.counts[length]) << (15 - length));
        if used.sum::<u32>() == 1 << 15 { Ok(self) } else { Err(Corruption::CodeLengths) }
    }

    /// A code as a dynamic block may have it: complete, or of at most one symbol, which has one
    /// bit (RFC 1951, 3.2.7).
    pub(super) fn of_block(lengths: &[u8]) -> Result<Self, Corruption> {
        let codes = Self::new(lengths)?;
        let few = codes.symbols.len() == usize::from(codes.counts[1]) && codes.symbols.len() <= 1;
        if few { Ok(codes) } else { codes.complete() }
    }

    /// Builds the code of these lengths, which must not be ambiguous.
    pub(super) fn new(lengths: &[u8]) -> Result<Self, Corruption> {
        let mut counts = [0_u16; 16];
        for &length in lengths.iter().filter(|&&length| length > 0) {
            counts[usize::from(length)] += 1;
        }
        let mut next = [0_u32; 16];
        let (mut code, mut offset) = (0_u32, 0);
        let mut offsets = [0_usize; 16];
        for length in 1..16 {
            code <<= 1;
            next[length] = code;
            offsets[length] = offset;
            code += u32::from(counts[length]);
            offset += usize::from(counts[length]);
            if code > 1 << length {
                return Err(Corruption::CodeLengths);
            }
        }
        let mut symbols = vec![0; offset];
        let mut direct = vec![(0, 0); 1 << DIRECT];
        for (symbol, &length) in (0_u16..).zip(lengths).filter(|(_, length)| **length > 0) {
            let at = usize::from(length);
            symbols[offsets[at]] = symbol;
            offsets[at] += 1;
            let length_bits = u32::from(length);
            if length_bits <= DIRECT {
                // Codes begin with their highest bit, everything else with its lowest.
                let reversed = (next[at].reverse_bits() >> (32 - length_bits)) as usize;
                for entry in direct.iter_mut().skip(reversed).step_by(1 << length_bits) {
                    *entry = (symbol, length);
                }
            }
            next[at] += 1;
        }
        Ok(Self { direct, symbols, counts })
    }

    /// The next symbol and the length of its code, if the bits are there.
    pub(super) fn read(&self, bits: &Bits) -> Result<Option<(u16, u32)>, Corruption> {
        let index = (bits.held & ((1 << DIRECT) - 1)) as usize;
        let (symbol, length) = self.direct.get(index).copied().unwrap_or_default();
        let length = u32::from(length);
        if length > 0 {
            return Ok((length <= bits.count).then_some((symbol, length)));
        }
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_usize);
        for length in 1..16_u32 {
            if length > bits.count {
                return Ok(None);
            }
            code |= u32::from(bits.held >> (length - 1) & 1 == 1);
            let count = u32::from(self.counts[length as usize]);
            if code < first + count {
                return Ok(Some((self.symbols[index + (code - first) as usize], length)));
            }
            index += count as usize;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Corruption::Symbol)
    }
}
