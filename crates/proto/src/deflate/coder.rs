//! Compressing and decompressing the payload of messages (RFC 7692, 7.2).

use std::{fmt, ops::ControlFlow};

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::Compression;

/// The octets that end every compressed message and are not sent (RFC 7692, 7.2.1).
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The smallest window that the library has.
const LEAST_BITS: u8 = 9;

/// Octets that are decompressed at once.
const PIECE: usize = 32 << 10;

/// Compresses one direction of a connection.
pub struct Deflater {
    how: Compression,
    compress: Compress,
}

impl Deflater {
    /// A compressor with `level` 0 (none) to 9 (best).
    pub fn new(how: Compression, level: u32) -> Self {
        let (level, bits) = (flate2::Compression::new(level.min(9)), how.window_bits);
        let compress = Compress::new_with_window_bits(level, false, bits.clamp(LEAST_BITS, 15));
        Self { how, compress }
    }

    /// A compressor whose receiver knows `history` already: the end of what was sent before.
    pub fn with_history(how: Compression, level: u32, history: &[u8]) -> Self {
        let mut deflater = Self::new(how, level);
        // A window of the smallest size forgets with each message, see below.
        if how.context_takeover && how.window_bits >= LEAST_BITS {
            deflater.begin_after(history);
        }
        deflater
    }

    /// Begins anew, for a receiver who knows `history` already, as far as the window reaches.
    pub(super) fn begin_after(&mut self, history: &[u8]) {
        self.compress.reset();
        if !history.is_empty() {
            let known = &history[history.len().saturating_sub(self.how.window() as usize)..];
            self.compress.set_dictionary(known).expect("a new compressor takes a dictionary");
        }
    }

    /// Compresses a message and appends what is to be sent.
    pub fn message(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if !self.how.context_takeover {
            self.compress.reset();
        }
        if payload.is_empty() {
            // The library would flush nothing for nothing (RFC 7692, 7.2.3.6).
            out.push(0);
            return;
        }
        let start = out.len();
        if self.how.window_bits < LEAST_BITS {
            // What was flushed in full is forgotten, so that nothing is farther away than this.
            for piece in payload.chunks(1 << self.how.window_bits) {
                self.feed(piece, FlushCompress::Full, out);
            }
        } else {
            self.feed(payload, FlushCompress::Sync, out);
        }
        debug_assert!(out[start..].ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
    }

    pub(super) fn feed(&mut self, mut input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        loop {
            // A flush is complete when room was left. A second one would be another empty block, so
            // that there must be room for all, even if it does not compress.
            let room = input.len() + input.len() / 8 + 128;
            out.reserve(room);
            let (before_in, before_out) = (self.compress.total_in(), out.len());
            self.compress
                .compress_vec(input, out, flush)
                .expect("a compressor without dictionary does not fail");
            let taken = usize::try_from(self.compress.total_in() - before_in)
                .expect("no more is taken than was given");
            input = &input[taken..];
            let full = out.len() == out.capacity();
            if input.is_empty() && !full || (taken == 0 && out.len() == before_out) {
                return;
            }
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("how", &self.how).finish_non_exhaustive()
    }
}

/// Why decompressing stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// The octets are no DEFLATE stream, or refer to what is not there.
    Corrupt,
    /// The receiver of the octets wanted no more.
    Stopped,
}

/// Decompresses one direction of a connection.
///
/// Every window is read as if it had 15 bits: a peer whose window is larger than agreed is for an
/// [`Auditor`](super::Auditor) to find.
pub struct Inflater {
    context_takeover: bool,
    decompress: Decompress,
    piece: Box<[u8]>,
    /// A block said that it was the last one, and so many octets came after it.
    after_final: Option<u64>,
    went_on: bool,
}

impl Inflater {
    /// A decompressor of what `how` compresses.
    pub fn new(how: Compression) -> Self {
        Self {
            context_takeover: how.context_takeover,
            decompress: Decompress::new(false),
            piece: vec![0; PIECE].into(),
            after_final: None,
            went_on: false,
        }
    }

    /// Decompresses a part of a message and hands the octets to `each`, which may say stop.
    pub fn push(
        &mut self,
        mut input: &[u8],
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), InflateError> {
        loop {
            let (before_in, before_out) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self.decompress.decompress(input, &mut self.piece, FlushDecompress::Sync);
            let count = |now: u64, before| usize::try_from(now - before).unwrap_or(usize::MAX);
            let taken = count(self.decompress.total_in(), before_in);
            let made = count(self.decompress.total_out(), before_out);
            input = &input[taken..];
            self.went_on |= self.after_final.is_some() && made > 0;
            self.after_final = self.after_final.map(|before| before + taken as u64);
            if made > 0 && each(&self.piece[..made]).is_break() {
                return Err(InflateError::Stopped);
            }
            // What comes before a fault is handed out first, or it would depend on the cuts.
            let status = status.map_err(|_| InflateError::Corrupt)?;
            if status == Status::StreamEnd {
                // A final block is legal, and another stream begins after it (RFC 7692, 7.2.3.4).
                self.decompress.reset(false);
                self.after_final = Some(0);
            } else if input.is_empty() && made < self.piece.len() {
                return Ok(());
            } else if taken == 0 && made == 0 {
                return Err(InflateError::Corrupt);
            }
        }
    }

    /// The message has ended: takes the octets that were not sent. They stand for nothing; what
    /// comes out of them in a message that breaks off is dropped.
    pub fn end_message(&mut self) -> Result<(), InflateError> {
        // Nothing may be left out after a final block that is the message's end.
        if self.after_final != Some(0) {
            self.push(&TAIL, |_| ControlFlow::Continue(()))?;
        }
        if !self.context_takeover {
            self.decompress.reset(false);
            self.after_final = None;
        }
        Ok(())
    }

    /// Whether a final block has come; a decompressor that stops there reads nothing more.
    pub fn has_ended(&self) -> bool {
        self.after_final.is_some()
    }

    /// Whether octets came after a final block that a decompressor which stops there has missed.
    pub fn went_on(&self) -> bool {
        self.went_on
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("context_takeover", &self.context_takeover)
            .finish_non_exhaustive()
    }
}
