//! The wire log of a run: data, in order, with times; bounded whatever the peer sends.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wsproof_proto::{Deviation, FrameHeader};

/// Entries about octets and frames beyond this many are counted, not kept.
const MAX_TRAFFIC: usize = 1500;
/// All other entries are few by nature; this bounds them against a hostile peer.
const MAX_ENTRIES: usize = 2000;
/// Octets of each read, write and payload that are kept.
pub(crate) const HEAD: usize = 64;

/// Everything that happened on the connections of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transcript {
    /// The entries in order.
    pub entries: Vec<Entry>,
    /// How many more there were about octets and frames.
    pub omitted: u64,
}

/// One line of the wire log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Time since the first connection was begun.
    pub at: Duration,
    /// Which connection, counted from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connection: usize,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// A timer of the tester.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    /// The script's own limit for what it waits for.
    Await,
    /// Closes without a code: the case's limit for a peer that should answer.
    CloseAfter,
    /// The peer's time to answer a close frame.
    CloseHandshake,
    /// Fails the connection: the case's limit for a peer that should end it.
    KillAfter,
    /// The peer's time to finish the opening handshake.
    OpenHandshake,
    /// The server's time to end TCP after the closing handshake.
    ServerDrop,
    /// A pause of the script.
    Wait,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum What {
    /// TCP (and TLS) is there.
    Connected,
    /// The peer's frame deviates from the RFC.
    Deviates {
        /// How and where.
        deviation: Deviation,
    },
    /// A frame from the peer is complete, or its connection ended inside it.
    FrameReceived {
        /// Its header.
        header: FrameHeader,
        /// The first octets of its payload, unmasked.
        #[serde(with = "hex")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        head: Vec<u8>,
        /// Offset of its first octet in the peer's stream.
        offset: u64,
    },
    /// A frame was given to the writer.
    FrameSent {
        /// Its header.
        header: FrameHeader,
        /// The first octets of its payload, unmasked.
        #[serde(with = "hex")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        head: Vec<u8>,
        /// Size of the writes into which it is cut.
        chop: Option<usize>,
        /// Whether it is a write of its own.
        own_write: bool,
        /// Whether its payload is one octet string repeated.
        repeated: Option<usize>,
    },
    /// The opening handshake succeeded.
    Opened,
    /// Octets were read in one go.
    Read {
        /// How many.
        len: usize,
        /// The first of them.
        #[serde(with = "hex")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        head: Vec<u8>,
    },
    /// TCP ended.
    TcpEnded {
        /// By whom and how.
        by: crate::TcpEnd,
    },
    /// A timer expired.
    TimerExpired {
        /// Which.
        timer: Timer,
        /// The script's mark, for a pause that has one.
        mark: Option<String>,
    },
    /// A timer was started.
    TimerStarted {
        /// Which.
        timer: Timer,
        /// For how long.
        after: Duration,
        /// The script's mark, for a pause that has one.
        mark: Option<String>,
    },
    /// The log of octets and frames was turned off or on.
    WireLog {
        /// On or off.
        on: bool,
    },
    /// The sending half of TCP was ended.
    WriteShutDown,
    /// Octets were written in one go.
    Wrote {
        /// How many.
        len: usize,
        /// The first of them.
        #[serde(with = "hex")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        head: Vec<u8>,
        /// Whether nothing else may join this write.
        own_write: bool,
    },
}

impl Transcript {
    pub(crate) fn push(&mut self, at: Duration, connection: usize, what: What) {
        self.push_below(MAX_ENTRIES, at, connection, || what);
    }

    /// As [`Self::push`], for octets and frames, which are not even looked at if there were many.
    pub(crate) fn push_traffic(
        &mut self,
        at: Duration,
        connection: usize,
        what: impl FnOnce() -> What,
    ) {
        self.push_below(MAX_TRAFFIC, at, connection, what);
    }

    fn push_below(
        &mut self,
        limit: usize,
        at: Duration,
        connection: usize,
        what: impl FnOnce() -> What,
    ) {
        if self.entries.len() < limit {
            self.entries.push(Entry { at, connection, what: what() });
        } else {
            self.omitted += 1;
        }
    }
}

/// The octets kept of a larger run of octets.
pub(crate) fn head(octets: &[u8]) -> Vec<u8> {
    octets[..octets.len().min(HEAD)].to_vec()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Octets as a hex string in JSON.
pub(crate) mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        octets: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(octets.len() * 2);
        for octet in octets {
            text.push(char::from(DIGITS[usize::from(octet >> 4)]));
            text.push(char::from(DIGITS[usize::from(octet & 15)]));
        }
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) {
            return Err(D::Error::custom("read hex: an odd number of digits"));
        }
        digits
            .chunks_exact(2)
            .map(|pair| {
                let high = char::from(pair[0]).to_digit(16);
                let low = char::from(pair[1]).to_digit(16);
                match (high, low) {
                    (Some(high), Some(low)) => {
                        u8::try_from(high * 16 + low).map_err(D::Error::custom)
                    }
                    _ => Err(D::Error::custom("read hex: a character that is no digit")),
                }
            })
            .collect()
    }
}
