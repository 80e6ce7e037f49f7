//! Settings of the tester's endpoint that a specification of `wstest` may change.

use serde::{Deserialize, Serialize};

/// How the tester's endpoint behaves. The default is what all verdicts are made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Settings {
    /// Whether the peer masks its frames does not matter.
    pub accepts_any_masking: bool,
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
    /// Frames are masked, or not; `None` is as the role asks.
    pub masks: Option<bool>,
}
