//! The deflate auditor: walks through the symbols of a DEFLATE stream (RFC 1951) without making
//! the octets that they stand for.
//!
//! A decompressor takes every reference that it can resolve. Whether a peer keeps to the agreed
//! window shows only in the distances themselves.

mod codes;

use codes::{Bits, Codes, distance_of, length_of};
use serde::{Deserialize, Serialize};

use super::TAIL;

/// What a message's compressed octets are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Octets that the message decompresses to.
    pub len: u64,
    /// How far a reference went at most before the octets that a decompressor made in the same
    /// call. Those it has at hand; only what comes before them must be in its window.
    pub largest_reach: u32,
    /// The first distance that is larger than the window that is watched, and where in the
    /// decompressed message it is referred to.
    pub first_beyond: Option<(u32, u64)>,
    /// Number of blocks: stored, with fixed codes, with dynamic codes. The empty block that is
    /// not sent counts among the stored ones.
    pub blocks: [u32; 3],
    /// Number of blocks that say that they are the last one.
    pub final_blocks: u32,
    /// Whether the message ends as it must: with the octets that are not sent, an empty stored
    /// block is complete (RFC 7692, 7.2.1).
    pub ends_in_empty_block: bool,
}

/// Why octets are no DEFLATE stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Corruption {
    /// A block of the reserved type.
    #[error("a block of the reserved type 3 (RFC 1951, 3.2.3)")]
    BlockType,
    /// The length of a stored block and its complement do not fit.
    #[error("a stored block whose length and complement disagree (RFC 1951, 3.2.4)")]
    StoredLength,
    /// Code lengths that make no prefix code.
    #[error("code lengths that make no prefix code (RFC 1951, 3.2.2)")]
    CodeLengths,
    /// A symbol that no code stands for, or that has no meaning.
    #[error("a code without a meaning (RFC 1951, 3.2.5)")]
    Symbol,
    /// A reference to before the first octet that there is.
    #[error("a reference {distance} octets back where only {available} are known")]
    TooFarBack {
        /// How far back.
        distance: u32,
        /// What the receiver knows, up to 32768 octets.
        available: u32,
    },
}

/// Audits the messages of one direction, however their octets are cut.
#[derive(Debug)]
pub struct Auditor {
    context_takeover: bool,
    /// Size of the window that is watched.
    window: u32,
    state: State,
    /// Whether the current block says that it is the last one.
    is_final: bool,
    bits: Bits,
    literals: Codes,
    distances: Codes,
    /// Where in the message the present call of a decompressor began, and where the next begins.
    call: (u64, u64),
    /// How much the present part of the message had made before the calls were counted.
    part: u64,
    /// Octets of earlier messages that may be referred to, at most 32768.
    history: u32,
    audit: Audit,
    corruption: Option<Corruption>,
}

#[derive(Debug)]
enum State {
    BlockHeader,
    StoredLength,
    /// Octets that are left.
    Stored(u32),
    Lengths(Box<Lengths>),
    Symbols,
    /// A length was read, its distance follows.
    Distance(u32),
}

/// The code lengths of a dynamic block, while they arrive.
#[derive(Debug, Default)]
struct Lengths {
    literals: usize,
    distances: usize,
    /// How many of the code lengths' own lengths there are.
    own: usize,
    read: Vec<u8>,
    own_codes: Option<Codes>,
}

/// Octets that the first call for a part of a message makes at most; later ones double the sum.
const FIRST_CALL: u64 = 16 << 10;
const WINDOW: u32 = 32 << 10;
const OWN_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const END_OF_BLOCK: u16 = 256;

impl Auditor {
    /// An auditor of messages that may refer to earlier ones, or may not.
    pub fn new(context_takeover: bool) -> Self {
        Self {
            context_takeover,
            window: WINDOW,
            state: State::BlockHeader,
            is_final: false,
            bits: Bits::default(),
            literals: Codes::default(),
            distances: Codes::default(),
            call: (0, FIRST_CALL),
            part: 0,
            history: 0,
            audit: Audit::default(),
            corruption: None,
        }
    }

    /// Takes it that all that messages may refer to was seen before.
    #[must_use]
    pub fn assuming_history(mut self) -> Self {
        self.history = WINDOW;
        self
    }

    /// Watches for distances beyond a window of so many octets.
    #[must_use]
    pub fn watching(mut self, window: u32) -> Self {
        self.window = window;
        self
    }

    /// Walks through a part of a message. Once a stream is corrupt nothing more can be said of it.
    pub fn push(&mut self, input: &[u8]) -> Result<(), Corruption> {
        if let Some(corruption) = self.corruption {
            return Err(corruption);
        }
        let mut rest = input;
        loop {
            self.bits.refill(&mut rest);
            match self.step(&mut rest) {
                // No step needs more bits than are held at once.
                Ok(moved) if moved || !rest.is_empty() => {}
                Ok(_) => return Ok(()),
                Err(corruption) => {
                    self.corruption = Some(corruption);
                    return Err(corruption);
                }
            }
        }
    }

    /// A part of the message begins that is decompressed by calls of its own, such as a frame.
    pub fn begin_part(&mut self) {
        self.part = self.audit.len;
        self.call = (self.part, self.part + FIRST_CALL);
    }

    /// What there is of the message that arrives.
    pub fn so_far(&self) -> &Audit {
        &self.audit
    }

    /// The message has ended: says what it was made of.
    pub fn end_message(&mut self) -> Result<Audit, Corruption> {
        let between =
            |auditor: &Self| matches!(auditor.state, State::BlockHeader) && auditor.bits.count == 0;
        if self.corruption.is_none() && self.is_final && between(self) {
            // Nothing was left out after a final block that is the message's end. What is read
            // next begins a stream, as it does for an [`Inflater`](super::Inflater).
            self.audit.ends_in_empty_block = false;
        } else {
            self.push(&TAIL)?;
        }
        self.audit.ends_in_empty_block &= between(self);
        let audit = std::mem::take(&mut self.audit);
        self.begin_part();
        if self.context_takeover {
            let len = u32::try_from(audit.len).unwrap_or(WINDOW);
            self.history = self.history.saturating_add(len).min(WINDOW);
        } else {
            // The next message is a stream of its own.
            self.state = State::BlockHeader;
            self.bits = Bits::default();
            self.is_final = false;
        }
        Ok(audit)
    }

    /// Reads the next piece of the stream, if there are enough octets. None is longer than 48 bits.
    fn step(&mut self, rest: &mut &[u8]) -> Result<bool, Corruption> {
        match &mut self.state {
            State::BlockHeader => {
                let Some(header) = self.bits.take(3) else { return Ok(false) };
                self.audit.ends_in_empty_block = false;
                self.is_final = header & 1 == 1;
                self.audit.final_blocks += header & 1;
                let kind = header >> 1;
                let count = self.audit.blocks.get_mut(kind as usize);
                *count.ok_or(Corruption::BlockType)? += 1;
                self.state = match kind {
                    0 => State::StoredLength,
                    1 => {
                        self.literals = Codes::fixed_literals();
                        self.distances = Codes::fixed_distances();
                        State::Symbols
                    }
                    _ => State::Lengths(Box::default()),
                };
            }
            State::StoredLength => {
                // The filling bits belong to the octet of the block's header.
                let filling = self.bits.count % 8;
                if self.bits.count < filling + 32 {
                    return Ok(false);
                }
                self.bits.take(filling);
                let length = self.bits.take(16).unwrap_or_default();
                let complement = self.bits.take(16).unwrap_or_default();
                if length != !complement & 0xffff {
                    return Err(Corruption::StoredLength);
                }
                self.audit.ends_in_empty_block = length == 0;
                self.state = if length == 0 { State::BlockHeader } else { State::Stored(length) };
            }
            State::Stored(left) => {
                if self.bits.take(8).is_some() {
                    *left -= 1;
                    self.audit.len += 1;
                } else {
                    return Ok(false);
                }
                // What is not in the bits yet is passed over at once.
                if self.bits.count == 0 {
                    let n = rest.len().min(*left as usize);
                    *rest = &rest[n..];
                    *left -= u32::try_from(n).unwrap_or_default();
                    self.audit.len += n as u64;
                }
                if *left == 0 {
                    self.state = State::BlockHeader;
                }
            }
            State::Lengths(lengths) => match lengths.step(&mut self.bits)? {
                Progress::More => return Ok(false),
                Progress::Moved => {}
                Progress::Complete(literals, distances) => {
                    (self.literals, self.distances) = (literals, distances);
                    self.state = State::Symbols;
                }
            },
            State::Symbols => return self.symbol(),
            State::Distance(length) => {
                let length = *length;
                return self.distance(length);
            }
        }
        Ok(true)
    }

    fn symbol(&mut self) -> Result<bool, Corruption> {
        loop {
            let Some((symbol, used)) = self.literals.read(&self.bits)? else { return Ok(false) };
            match symbol {
                0..END_OF_BLOCK => {
                    self.bits.skip(used);
                    self.audit.len += 1;
                }
                END_OF_BLOCK => {
                    self.bits.skip(used);
                    if self.is_final {
                        // Another stream begins, and with it an octet (RFC 7692, 7.2.3.4).
                        self.bits.skip(self.bits.count % 8);
                    }
                    self.state = State::BlockHeader;
                    return Ok(true);
                }
                _ => {
                    let (base, extra) = length_of(symbol).ok_or(Corruption::Symbol)?;
                    if self.bits.count < used + extra {
                        return Ok(false);
                    }
                    self.bits.skip(used);
                    let length = base + self.bits.take(extra).unwrap_or_default();
                    self.state = State::Distance(length);
                    return Ok(true);
                }
            }
        }
    }

    fn distance(&mut self, length: u32) -> Result<bool, Corruption> {
        let Some((symbol, used)) = self.distances.read(&self.bits)? else { return Ok(false) };
        let (base, extra) = distance_of(symbol).ok_or(Corruption::Symbol)?;
        if self.bits.count < used + extra {
            return Ok(false);
        }
        self.bits.skip(used);
        let distance = base + self.bits.take(extra).unwrap_or_default();
        let here = u32::try_from(self.audit.len).unwrap_or(u32::MAX);
        let available = self.history.saturating_add(here).min(WINDOW);
        if distance > available {
            return Err(Corruption::TooFarBack { distance, available });
        }
        if distance > self.window && self.audit.first_beyond.is_none() {
            self.audit.first_beyond = Some((distance, self.audit.len));
        }
        self.reach(distance, length);
        self.audit.len += u64::from(length);
        self.state = State::Symbols;
        Ok(true)
    }
}

impl Auditor {
    /// Notes how far a reference goes before the call in which it is resolved, or before those in
    /// which it is, if a call ends within it.
    fn reach(&mut self, distance: u32, length: u32) {
        let (begin, end) = (self.audit.len, self.audit.len + u64::from(length));
        let mut at = begin;
        while at < end {
            while at >= self.call.1 {
                self.call = (self.call.1, self.part + (self.call.1 - self.part) * 2);
            }
            let made = u32::try_from(at - self.call.0).unwrap_or(u32::MAX);
            self.audit.largest_reach = self.audit.largest_reach.max(distance.saturating_sub(made));
            at = self.call.1;
        }
    }
}

enum Progress {
    More,
    Moved,
    Complete(Codes, Codes),
}

impl Lengths {
    fn step(&mut self, bits: &mut Bits) -> Result<Progress, Corruption> {
        if self.own == 0 {
            let Some(counts) = bits.take(14) else { return Ok(Progress::More) };
            self.literals = (counts & 31) as usize + 257;
            self.distances = (counts >> 5 & 31) as usize + 1;
            self.own = (counts >> 10) as usize + 4;
            // The symbols beyond have no meaning (RFC 1951, 3.2.6).
            if self.literals > 286 || self.distances > 30 {
                return Err(Corruption::CodeLengths);
            }
            return Ok(Progress::Moved);
        }
        let Some(own_codes) = &self.own_codes else {
            let Some(length) = bits.take(3) else { return Ok(Progress::More) };
            self.read.push(length.to_le_bytes()[0]);
            if self.read.len() == self.own {
                let mut lengths = [0; 19];
                for (&symbol, &length) in OWN_ORDER.iter().zip(&self.read) {
                    lengths[symbol] = length;
                }
                self.own_codes = Some(Codes::new(&lengths)?.complete()?);
                self.read.clear();
            }
            return Ok(Progress::Moved);
        };
        let Some((symbol, used)) = own_codes.read(bits)? else { return Ok(Progress::More) };
        let (base, extra) = match symbol {
            0..16 => (1, 0),
            16 => (3, 2),
            17 => (3, 3),
            _ => (11, 7),
        };
        if bits.count < used + extra {
            return Ok(Progress::More);
        }
        bits.skip(used);
        let times = base + bits.take(extra).unwrap_or_default() as usize;
        let length = match symbol {
            0..16 => symbol.to_le_bytes()[0],
            16 => *self.read.last().ok_or(Corruption::CodeLengths)?,
            _ => 0,
        };
        self.read.resize(self.read.len() + times, length);
        let all = self.literals + self.distances;
        if self.read.len() < all {
            return Ok(Progress::Moved);
        }
        if self.read.len() > all || self.read[usize::from(END_OF_BLOCK)] == 0 {
            return Err(Corruption::CodeLengths);
        }
        let (literals, distances) = self.read.split_at(self.literals);
        Ok(Progress::Complete(Codes::of_block(literals)?, Codes::of_block(distances)?))
    }
}

#[cfg(test)]
mod tests;
