//! WebSocket octets, without I/O and without a clock.
//!
//! A conformance tester must be able to *emit* anything illegal and to *name* anything illegal it
//! reads, so this crate is no ordinary WebSocket library: the writer writes whatever it is told,
//! and the reader reports each deviation as a [`Violation`] and goes on. It decides nothing.

pub mod close;
pub mod deflate;
pub mod frame;
pub mod handshake;
pub mod mask;
pub mod reader;
pub mod utf8;
mod violation;

pub use close::CloseCode;
pub use frame::{FrameHeader, HeaderOctets, LengthForm, Opcode};
pub use reader::{FrameItem, FrameReader};
pub use violation::{Deviation, Violation};

/// One of the two ends of a WebSocket connection (RFC 6455, 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The end that dials and masks its frames.
    Client,
    /// The end that accepts and does not mask its frames.
    Server,
}

impl Role {
    /// The role at the other end of the connection.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Whether frames sent by this role must be masked (RFC 6455, 5.1).
    pub const fn masks(self) -> bool {
        matches!(self, Self::Client)
    }
}
