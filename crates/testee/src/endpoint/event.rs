//! What goes into an endpoint and what comes out.

use wsproof_proto::CloseCode;

/// Something that happened to the connection.
#[derive(Debug)]
pub enum Input<'a> {
    /// Octets were received; they are unmasked in place.
    Octets(&'a mut [u8]),
    /// The peer ended its direction of TCP.
    Eof,
    /// TCP is gone.
    Reset,
}

/// Something to do, in the order in which it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// Send these octets.
    Octets(Vec<u8>),
    /// End our direction of TCP and go on reading.
    ShutdownWrite,
    /// End TCP in order. Nothing follows.
    Close,
    /// Abort TCP. Nothing follows.
    Reset,
}

/// Something the application may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The opening handshake succeeded.
    Opened {
        /// The request target.
        target: String,
        /// The subprotocol agreed upon.
        subprotocol: Option<String>,
        /// How the peer calls itself: `User-Agent` of a client, `Server` of a server.
        agent: Option<String>,
    },
    /// The opening handshake failed. Nothing but the end of TCP follows.
    Refused {
        /// Status of the HTTP answer, sent or received, if there was one.
        status: Option<u16>,
        /// Why, in words.
        why: String,
    },
    /// A message arrived. An endpoint that echoes by itself does not report them.
    Message {
        /// Whether it is text.
        text: bool,
        /// What it says.
        payload: Vec<u8>,
    },
    /// A ping arrived and was answered. Not reported by an endpoint that echoes by itself.
    Ping(Vec<u8>),
    /// A pong arrived. Not reported by an endpoint that echoes by itself.
    Pong(Vec<u8>),
    /// Nothing arrived for as long as was allowed, and TCP is ended for it.
    Silent,
    /// The peer broke the protocol, and the connection was failed for it.
    Failed {
        /// The code sent.
        code: CloseCode,
        /// Why, in words.
        why: &'static str,
    },
    /// The WebSocket is closed. No message follows.
    Closed {
        /// The code received, if one was.
        code: Option<CloseCode>,
        /// The reason received.
        reason: String,
        /// Whether close frames went both ways.
        clean: bool,
    },
}
