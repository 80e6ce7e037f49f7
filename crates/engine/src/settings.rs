//! Settings of the tester's endpoint that a specification of `wstest` may change.

use serde::{Deserialize, Serialize};

/// How the tester's endpoint behaves. The default is what all verdicts are made for.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Settings {
    /// Masked frames of a server are no violation.
    pub accepts_masked: bool,
    /// A close frame is answered with the code and the reason that came with it, not with 1000.
    pub echoes_close: bool,
    /// A violation ends TCP at once; there is no closing handshake.
    pub fails_by_drop: bool,
    /// Messages are sent in fragments of this size, unless the case says how; 0 for whole ones.
    pub fragment_size: u64,
    /// A frame with a larger payload is refused with 1008; 0 for any size.
    pub max_frame: u64,
    /// A message with larger frames in sum is refused with 1009; 0 for any size.
    pub max_message: u64,
    /// A client's frames are not masked.
    pub unmasked: bool,
}
