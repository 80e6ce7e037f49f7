//! What an endpoint is told about its connection.

use std::time::Duration;

/// How a server behaves where the RFC leaves it a choice.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Larger messages are refused with 1009.
    pub max_message_size: usize,
    /// Requests with a longer head are refused.
    pub max_head_size: usize,
    /// Subprotocols the server speaks; the first one that the client names is taken.
    pub subprotocols: Vec<String>,
    /// Value of the `Server` header.
    pub server_name: Option<String>,
    /// How long the peer may take to answer a close frame, and to end TCP.
    pub close_timeout: Duration,
    /// How long the client may take to send its request.
    pub handshake_timeout: Duration,
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
    /// Value of the `User-Agent` header.
    pub user_agent: Option<String>,
    /// Further header fields.
    pub fields: Vec<(String, String)>,
    /// Larger messages are refused with 1009.
    pub max_message_size: usize,
    /// Responses with a longer head are refused.
    pub max_head_size: usize,
    /// How long the peer may take to answer a close frame, and to end TCP.
    pub close_timeout: Duration,
    /// How long the server may take to answer the request.
    pub handshake_timeout: Duration,
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
            max_head_size: HEAD,
            subprotocols: Vec::new(),
            server_name: None,
            close_timeout: CLOSE,
            handshake_timeout: HANDSHAKE,
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
            user_agent: None,
            fields: Vec::new(),
            max_message_size: MESSAGE,
            max_head_size: HEAD,
            close_timeout: CLOSE,
            handshake_timeout: HANDSHAKE,
            seed,
        }
    }
}
