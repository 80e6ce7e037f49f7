//! One side of a comparison, and the place where the sides part.

/// How octets are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing special.
    Plain,
    /// The first that deviates, or that counts.
    Deciding,
}

/// One side of a comparison: octets in hex, and words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// Octets in hex, in pieces; empty if none decide.
    pub octets: Vec<(Mark, String)>,
    /// What they are.
    pub words: String,
}

/// The first octet that deviates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its offset in the message, if content decides.
    pub message: Option<u64>,
    /// Its offset in its frame.
    pub frame: Option<u64>,
    /// Its offset in the stream after the opening handshake.
    pub stream: Option<u64>,
}

impl Side {
    pub(super) fn words(words: impl Into<String>) -> Self {
        Self { octets: Vec::new(), words: words.into() }
    }

    /// The octets as plain text.
    pub fn hex(&self) -> String {
        self.octets.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Place {
    /// The place in words: `octet 12 of the message, 14 of its frame, 20 of the stream`.
    pub fn words(&self) -> String {
        let parts = [
            (self.message, "of the message"),
            (self.frame, "of its frame"),
            (self.stream, "of the peer's stream"),
        ];
        let known: Vec<_> =
            parts.iter().filter_map(|(at, of)| at.map(|at| format!("{at} {of}"))).collect();
        if known.is_empty() { String::new() } else { format!("octet {}", known.join(", ")) }
    }
}
