//! What a case waits for and what it gets: messages, pongs, and the script's own time marks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Payload;

/// The kind of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Octets.
    Binary,
    /// UTF-8.
    Text,
}

impl Kind {
    /// The RFC's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
        }
    }
}

/// An event that a case expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A whole data message; how the peer fragments it does not matter.
    Message(Kind, Payload),
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// The script came as far as this mark before the peer ended the connection.
    Timeout(&'static str),
}

/// An event that was observed, with the time since the connection began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// When it was complete.
    pub at: Duration,
    /// What it was.
    pub what: Observed,
}

/// What was observed. Long payloads are compared while they arrive and not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// A data message.
    Message {
        /// Text or binary.
        kind: Kind,
        /// Length of the whole message in octets.
        len: u64,
        /// The first octets.
        #[serde(with = "crate::transcript::hex")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        head: Vec<u8>,
        /// Which of the case's payloads it equals, by index.
        equals: Option<usize>,
        /// Where it first differs from the payload it comes closest to.
        first_difference: Option<u64>,
    },
    /// A pong.
    Pong {
        /// Its payload, at most the first 125 octets of it.
        #[serde(with = "crate::transcript::hex")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        payload: Vec<u8>,
        /// Length of the payload on the wire.
        len: u64,
    },
    /// A mark of the script.
    Timeout {
        /// Which one.
        tag: String,
    },
}

/// Octets of a message that are kept for reports.
pub(crate) const HEAD: usize = 64;

/// Follows a message while it arrives and compares it with every payload that could be meant. One
/// follows all messages of a connection, one after the other, so that none needs memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Arriving {
    /// Of the message that has begun and not ended.
    kind: Option<Kind>,
    len: u64,
    head: Vec<u8>,
    /// For each payload the offset at which the message first differed from it.
    differs: Vec<Option<u64>>,
}

/// What a whole message came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    pub(crate) kind: Kind,
    pub(crate) len: u64,
    /// Which of the payloads it equals.
    pub(crate) equals: Option<usize>,
    /// Where it first differs from the payload it comes closest to.
    pub(crate) first_difference: Option<u64>,
}

impl Arriving {
    pub(crate) fn begin(&mut self, kind: Kind, references: usize) {
        self.kind = Some(kind);
        self.len = 0;
        self.head.clear();
        self.differs.clear();
        self.differs.resize(references, None);
    }

    /// Whether a message has begun and not ended.
    pub(crate) fn has_begun(&self) -> bool {
        self.kind.is_some()
    }

    pub(crate) fn push(&mut self, data: &[u8], references: &[Payload]) {
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&data[..data.len().min(room)]);
        for (differs, reference) in self.differs.iter_mut().zip(references) {
            if differs.is_none() {
                *differs = reference.first_difference(self.len, data);
            }
        }
        self.len += data.len() as u64;
    }

    /// Ends the message, if one has begun.
    pub(crate) fn end(&mut self, references: &[Payload]) -> Option<Arrived> {
        let (kind, len) = (self.kind.take()?, self.len);
        let same =
            |index: &usize| self.differs[*index].is_none() && references[*index].len() == len;
        let equals = (0..references.len().min(self.differs.len())).find(same);
        let first_difference = if equals.is_some() {
            None
        } else {
            // A message that ends too early differs where it ends.
            self.differs.iter().map(|at| at.unwrap_or(len)).max()
        };
        Some(Arrived { kind, len, equals, first_difference })
    }

    /// The message that ended last, as an event.
    pub(crate) fn observed(&self, arrived: Arrived) -> Observed {
        let Arrived { kind, len, equals, first_difference } = arrived;
        Observed::Message { kind, len, head: self.head.clone(), equals, first_difference }
    }
}

impl Observed {
    /// Whether this is the expected event; `references` are the case's payloads.
    pub fn is(&self, expected: &Expected, references: &[Payload]) -> bool {
        match (self, expected) {
            (
                Self::Message { kind, equals: Some(index), .. },
                Expected::Message(wanted, payload),
            ) => kind == wanted && references.get(*index).is_some_and(|same| same == payload),
            (Self::Pong { payload, len }, Expected::Pong(wanted)) => {
                payload == wanted && *len == wanted.len() as u64
            }
            (Self::Timeout { tag }, Expected::Timeout(wanted)) => tag == wanted,
            _ => false,
        }
    }
}

impl Expected {
    /// The event in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Message(kind, payload) => with_payload(kind.name(), &payload.describe()),
            Self::Pong(payload) => with_payload("pong", &crate::payload::quote(payload)),
            Self::Timeout(tag) => format!("time mark {tag}"),
        }
    }
}

impl Observed {
    /// The event in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Message { kind, len, head, .. } => {
                if *len <= HEAD as u64 {
                    with_payload(kind.name(), &crate::payload::quote(head))
                } else {
                    format!("{} of {len} octets", kind.name())
                }
            }
            Self::Pong { payload, .. } => with_payload("pong", &crate::payload::quote(payload)),
            Self::Timeout { tag } => format!("time mark {tag}"),
        }
    }
}

/// An event with its payload in words; an empty one is not to be taken for none.
fn with_payload(what: &str, payload: &str) -> String {
    if payload == "nothing" { format!("an empty {what}") } else { format!("{what} {payload}") }
}
