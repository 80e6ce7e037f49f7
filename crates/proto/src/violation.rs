//! What a peer can do wrong, by name.

use serde::{Deserialize, Serialize};

use crate::CloseCode;

/// A violation and the place where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deviation {
    /// What was wrong.
    pub violation: Violation,
    /// Offset of the first deviating octet in the stream, counted from the first octet after the
    /// opening handshake; for a violation of the opening handshake, in the handshake's octets.
    pub offset: u64,
}

macro_rules! violations {
    ($($(#[$doc:meta])* $name:ident: $rfc:literal, $section:literal, $code:expr, $says:literal;)*) => {
        /// One variant for each sin against RFC 6455 or HTTP.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum Violation {
            $(#[doc = $says] $(#[$doc])* $name,)*
        }

        impl Violation {
            /// All violations there are.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number of the RFC and its section that forbids it.
            pub const fn rfc(self) -> (u16, &'static str) {
                match self {
                    $(Self::$name => ($rfc, $section),)*
                }
            }

            /// The code with which an endpoint fails the connection (RFC 6455, 7.4.1); `None`
            /// where there is no WebSocket connection yet.
            pub const fn close_code(self) -> Option<CloseCode> {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What is wrong, in words: a lower-case fragment.
            pub const fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => $says,)*
                }
            }
        }
    };
}

const PROTOCOL: Option<CloseCode> = Some(CloseCode::PROTOCOL_ERROR);
const PAYLOAD: Option<CloseCode> = Some(CloseCode::INVALID_PAYLOAD);

violations! {
    AcceptMissing: 6455, "4.2.2", None, "the answer has no Sec-WebSocket-Accept";
    AcceptRepeated: 6455, "11.3.3", None, "the answer has more than one Sec-WebSocket-Accept";
    AcceptWrong: 6455, "4.2.2", None, "Sec-WebSocket-Accept does not fit the key that was sent";
    CloseBodyOfOneOctet: 6455, "5.5.1", PROTOCOL, "a close body of one octet cannot hold a code";
    CloseCodeReserved: 6455, "7.4", PROTOCOL, "a close code that must not be sent";
    CloseReasonIllFormed: 6455, "5.5.1", PAYLOAD, "a close reason that is not UTF-8";
    ConnectionHeaderWrong: 6455, "4.2.2", None, "the answer has no Connection header with the token Upgrade";
    CompressedBitMisplaced: 7692, "6", PROTOCOL, "RSV1, the mark of a compressed message, on a frame that does not begin one";
    CompressedMessageCut: 7692, "7.2.1", PAYLOAD, "a compressed message that does not end in the empty block whose last four octets are left out";
    CompressionAgreedTwice: 7692, "5", None, "the answer agrees to permessage-deflate more than once";
    ContinuationWithoutStart: 6455, "5.4", PROTOCOL, "a continuation frame outside of a message";
    ControlFragmented: 6455, "5.5", PROTOCOL, "a control frame that is a fragment";
    ControlTooLong: 6455, "5.5", PROTOCOL, "a control frame with more than 125 octets of payload";
    DataAfterClose: 6455, "5.5.1", PROTOCOL, "a data frame after the close frame";
    DeflateCorrupt: 7692, "7.2.2", PAYLOAD, "a compressed message that cannot be decompressed";
    ExtensionNotOffered: 6455, "4.1", None, "the answer names an extension that was not offered";
    ExtensionParameterNotOffered: 7692, "7.1", None, "the answer does not keep to the parameters of permessage-deflate that were offered";
    ExtensionParameterWrong: 7692, "7.1", None, "a parameter of permessage-deflate that is unknown, repeated or out of range";
    ExtensionsMalformed: 6455, "9.1", None, "a Sec-WebSocket-Extensions field that is no list of extensions";
    ExtensionsRepeated: 6455, "11.3.2", None, "the answer has more than one Sec-WebSocket-Extensions";
    FrameInsideMessage: 6455, "5.4", PROTOCOL, "a new data frame inside a fragmented message";
    HeadTooLong: 9112, "3", None, "an HTTP head larger than the reader keeps";
    InflatesWithoutEnd: 6455, "10.4", Some(CloseCode::MESSAGE_TOO_BIG), "a compressed message that grows beyond 16 MiB";
    LengthNotShortest: 6455, "5.2", PROTOCOL, "a payload length that is not in its shortest form";
    LengthTooLarge: 6455, "5.2", PROTOCOL, "a payload length with its highest bit set";
    MaskMissing: 6455, "5.1", PROTOCOL, "a frame from a client that is not masked";
    MaskUnexpected: 6455, "5.1", PROTOCOL, "a frame from a server that is masked";
    NotHttp: 9112, "2.1", None, "the octets are not an HTTP/1.1 message";
    OpcodeReserved: 6455, "5.2", PROTOCOL, "an opcode without a meaning";
    ReferenceTooFarBack: 7692, "7.1.1", PAYLOAD, "a compressed message that refers to earlier ones, which it must not";
    RequestMalformed: 9112, "5", None, "the request is not in the form of an HTTP/1.1 message";
    RequestVersionNot13: 6455, "4.1", None, "the request's Sec-WebSocket-Version is not 13";
    ReservedBitSet: 6455, "5.2", PROTOCOL, "a reserved bit without an extension that gives it a meaning";
    StatusNot101: 6455, "4.1", None, "the answer's status is not 101";
    SubprotocolNotOffered: 6455, "4.1", None, "the answer names a subprotocol that was not offered";
    SubprotocolRepeated: 6455, "11.3.4", None, "the answer has more than one Sec-WebSocket-Protocol";
    TextIllFormed: 6455, "8.1", PAYLOAD, "a text message that is not UTF-8";
    UpgradeHeaderWrong: 6455, "4.2.2", None, "the answer has no Upgrade header that says websocket";
    VersionNot11: 9112, "2.3", None, "the answer's HTTP version is not 1.1";
    WindowExceeded: 7692, "7.1.2", PAYLOAD, "a compressed message that refers to octets beyond the agreed window";
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (rfc, section) = self.rfc();
        write!(f, "{} (RFC {rfc}, {section})", self.describe())
    }
}
