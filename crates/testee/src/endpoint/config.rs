//! What an endpoint is told about its connection.

use std::{num::NonZeroUsize, time::Duration};

use super::{
    deflate::{DeflateOffer, DeflateOptions},
    origins::Origins,
    ping::AutoPing,
};

/// How a server behaves where the RFC leaves it a choice.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Larger messages are refused with 1009.
    pub max_message_size: usize,
    /// Larger frames are refused with 1009.
    pub max_frame_size: usize,
    /// Messages that are larger are sent in fragments of this size.
    pub fragment_size: Option<NonZeroUsize>,
    /// Requests with a longer head are refused.
    pub max_head_size: usize,
    /// Subprotocols the server speaks; the first one that the client names is taken.
    pub subprotocols: Vec<String>,
    /// How the server agrees to permessage-deflate; without it, every offer is declined.
    pub deflate: Option<DeflateOptions>,
    /// Value of the `Server` header.
    pub server_name: Option<String>,
    /// Which origins may connect.
    pub origins: Origins,
    /// How long the peer may take to answer a close frame, and to end TCP. Zero: any time.
    pub close_timeout: Duration,
    /// How long the client may take to send its request. Zero: any time.
    pub handshake_timeout: Duration,
    /// Pings that the server sends by itself.
    pub auto_ping: Option<AutoPing>,
    /// What becomes of a connection whose client breaks the protocol.
    pub fail_by: FailBy,
    /// What a close frame is answered with.
    pub close_reply: CloseReply,
    /// Whether text must be UTF-8, as RFC 6455, 8.1 asks for.
    pub validate_text: bool,
    /// Whether frames of the client must be masked, as RFC 6455, 5.1 asks for.
    pub require_masks: bool,
    /// Whether frames are sent masked, which RFC 6455, 5.1 forbids a server.
    pub mask_frames: bool,
}

/// How a connection is failed (RFC 6455, 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailBy {
    /// With a close frame that says why.
    #[default]
    Close,
    /// By ending TCP without a word.
    DroppingTcp,
}

/// The body of the close frame that answers another (RFC 6455, 5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloseReply {
    /// The code 1000, whatever was received.
    Normal,
    /// The code that was received, if there was one.
    #[default]
    SameCode,
    /// The code and the reason that were received.
    SameCodeAndReason,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Value of the `Host` header: host and, unless it is the default, port.
    pub host: String,
    /// The request target: path and query.
    pub target: String,
    /// Subprotocols to offer.
    pub subprotocols: Vec<String>,
    /// What to offer of permessage-deflate.
    pub deflate: Option<DeflateOffer>,
    /// Value of the `User-Agent` header.
    pub user_agent: Option<String>,
    /// Further header fields.
    pub fields: Vec<(String, String)>,
    /// Larger messages are refused with 1009.
    pub max_message_size: usize,
    /// Responses with a longer head are refused.
    pub max_head_size: usize,
    /// How long the peer may take to answer a close frame, and to end TCP. Zero: any time.
    pub close_timeout: Duration,
    /// How long the server may take to answer the request. Zero: any time.
    pub handshake_timeout: Duration,
    /// How long an open WebSocket may bring nothing before TCP is ended. Zero: any time.
    pub idle_timeout: Duration,
    /// What becomes of a connection whose server breaks the protocol.
    pub fail_by: FailBy,
    /// What a close frame is answered with.
    pub close_reply: CloseReply,
    /// The key and all masks follow from it. It must be fresh for each connection and hard to
    /// guess (RFC 6455, 5.3); the same seed gives the same octets.
    pub seed: [u8; 32],
}

const MESSAGE: usize = 32 << 20;
const HEAD: usize = 64 << 10;
const CLOSE: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(10);

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_message_size: MESSAGE,
            max_frame_size: usize::MAX,
            fragment_size: None,
            max_head_size: HEAD,
            subprotocols: Vec::new(),
            deflate: Some(DeflateOptions::default()),
            server_name: None,
            origins: Origins::default(),
            close_timeout: CLOSE,
            handshake_timeout: HANDSHAKE,
            auto_ping: None,
            fail_by: FailBy::default(),
            close_reply: CloseReply::default(),
            validate_text: true,
            require_masks: true,
            mask_frames: false,
        }
    }
}

impl ClientConfig {
    /// The configuration of a connection to `host` for `target`, everything else as usual.
    pub fn new(host: impl Into<String>, target: impl Into<String>, seed: [u8; 32]) -> Self {
        Self {
            host: host.into(),
            target: target.into(),
            subprotocols: Vec::new(),
            deflate: None,
            user_agent: None,
            fields: Vec::new(),
            max_message_size: MESSAGE,
            max_head_size: HEAD,
            close_timeout: CLOSE,
            handshake_timeout: HANDSHAKE,
            idle_timeout: Duration::ZERO,
            fail_by: FailBy::default(),
            close_reply: CloseReply::default(),
            seed,
        }
    }
}
