//! Payloads of which the wire log keeps only the first octets: what they were as a whole.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Payload,
    payload::{quote, repeat},
    transcript::{HEAD, hex},
};

/// A payload that is longer than what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Whole {
    /// The hash of all its octets, not masked.
    pub sha256: PayloadHash,
    /// How all of it can be made again; known of what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// The peer sent the same octets that had been sent to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
}

/// SHA-256 of a payload; 64 hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PayloadHash(
    #[serde(with = "hex")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    [u8; 32],
);

/// Makes a payload of a given length: some octets, then others again and again until it is full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Generator {
    /// What stands before that which is repeated.
    #[serde(default, with = "hex", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub begin: Vec<u8>,
    /// What is repeated, and cut at the end.
    #[serde(with = "hex")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub repeat: Vec<u8>,
}

impl Whole {
    /// What was sent, if it is longer than what is kept of it.
    pub(crate) fn sent(payload: &Payload) -> Option<Self> {
        if payload.len() <= HEAD as u64 {
            return None;
        }
        let mut hasher = Sha256::new();
        payload.each_piece(|piece| {
            hasher.update(piece);
            true
        });
        let sha256 = PayloadHash(hasher.finalize().into());
        Some(Self { sha256, generator: Generator::of(payload), echo: false })
    }
}

impl PayloadHash {
    /// The hash of these octets.
    pub fn of(octets: &[u8]) -> Self {
        Self(Sha256::digest(octets).into())
    }

    pub(crate) fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Generator {
    /// How a payload is made, if its first octets tell.
    fn of(payload: &Payload) -> Option<Self> {
        let head = payload.head(HEAD);
        // The shortest beginning and unit that explain the head, which has the unit at least twice.
        let explained = (1..=HEAD / 2).filter_map(|unit| {
            let differs = |at: &usize| head[*at] != head[*at - unit];
            let begin = (unit..head.len()).rev().find(differs).map_or(0, |at| at + 1 - unit);
            (begin + 2 * unit <= head.len()).then_some((begin, unit))
        });
        let (begin, unit) = explained.min_by_key(|(begin, unit)| begin + unit)?;
        let generator =
            Self { begin: head[..begin].to_vec(), repeat: head[begin..begin + unit].to_vec() };
        let rest = repeat(&generator.repeat, payload.len() - begin as u64);
        let mut at = 0_u64;
        let mut same = true;
        payload.each_piece(|piece| {
            let skipped = begin.saturating_sub(usize::try_from(at).unwrap_or(begin));
            let skipped = skipped.min(piece.len());
            let from = (at + skipped as u64).saturating_sub(begin as u64);
            same = rest.first_difference(from, &piece[skipped..]).is_none();
            at += piece.len() as u64;
            same
        });
        same.then_some(generator)
    }

    /// The first `len` octets of what it makes.
    pub fn octets(&self, len: usize) -> Vec<u8> {
        let mut octets = self.begin.clone();
        octets.extend(self.repeat.iter().copied().cycle().take(len.saturating_sub(octets.len())));
        octets.truncate(len);
        octets
    }

    /// What it makes, in words.
    pub fn describe(&self, len: u64) -> String {
        let rest = len.saturating_sub(self.begin.len() as u64);
        let times = format!("{} repeated to {rest} octets", quote(&self.repeat));
        if self.begin.is_empty() { times } else { format!("{}, then {times}", quote(&self.begin)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fill, octets};

    /// Checks how a payload is found to be made, and that this makes it.
    fn check(payload: &Payload, words: Option<&str>) {
        let whole = Whole::sent(payload);
        let all = payload.to_vec();
        if all.len() > HEAD {
            assert_eq!(whole.as_ref().map(|whole| whole.sha256), Some(PayloadHash::of(&all)));
        }
        let generator = whole.and_then(|whole| whole.generator);
        assert_eq!(generator.as_ref().map(|it| it.describe(payload.len())).as_deref(), words);
        assert!(generator.is_none_or(|generator| generator.octets(all.len()) == all));
    }

    #[test]
    fn repeated_payloads_are_made_again_however_they_begin() {
        check(&fill(b'*', 64), None);
        check(&fill(b'*', 65), Some("\"*\" repeated to 65 octets"));
        check(&fill(0xfe, 65536), Some("FE repeated to 65536 octets"));
        check(&repeat(b"BAsd7&jh23", 65536), Some("\"BAsd7&jh23\" repeated to 65536 octets"));
        // A fragment may begin within the unit.
        let whole = repeat(b"BAsd7&jh23", 9000).to_vec();
        check(&octets(&whole[4096..8192]), Some("\"jh23BAsd7&\" repeated to 4096 octets"));
        let close = [&[3, 0xe8][..], &[b'*'; 123]].concat();
        check(&octets(close), Some("03 E8, then \"*\" repeated to 123 octets"));
        let last = [fill(b'*', 70_000).to_vec(), b"!".to_vec()].concat();
        check(&octets(last), None);
        let counted: Vec<u8> = (0..100).collect();
        check(&octets(counted), None);
    }

    #[test]
    fn hashes_are_hex_digits() {
        let hash = PayloadHash::of(b"abc");
        let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), digits);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, format!("\"{digits}\""));
        assert_eq!(serde_json::from_str::<PayloadHash>(&json).unwrap(), hash);
        assert!(serde_json::from_str::<PayloadHash>("\"ba78\"").is_err());
    }
}
