//! The requirements behind causes, in our words, each with the section where it stands.

use wsproof_proto::Violation;

/// A requirement of an RFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The requirement: a sentence.
    pub text: String,
    /// The number of the RFC.
    pub rfc: u16,
    /// The section in it.
    pub section: &'static str,
}

impl Rule {
    pub(crate) fn new(text: &str, rfc: u16, section: &'static str) -> Self {
        Self { text: text.to_owned(), rfc, section }
    }

    /// What forbids a violation, whoever commits it.
    pub(crate) fn against(violation: Violation) -> Self {
        let (rfc, section) = violation.rfc();
        Self::new(requirement(violation), rfc, section)
    }

    pub(crate) fn pong() -> Self {
        Self::new(
            "A ping MUST be answered with a pong that carries the same octets.",
            6455,
            "5.5.3",
        )
    }

    pub(crate) fn pong_to_latest() -> Self {
        Self::new(
            "Pings are answered; one that was overtaken by a later ping may stay without a pong.",
            6455,
            "5.5.3",
        )
    }

    pub(crate) fn unsolicited() -> Self {
        Self::new("A pong that nobody asked for may come; no answer is due.", 6455, "5.5.3")
    }

    pub(crate) fn echo() -> Self {
        Self::new(
            "A message arrives whole and unchanged, with the kind that its first frame names: the \
             peer echoes, so the same octets come back, once.",
            6455,
            "6.2",
        )
    }

    pub(crate) fn fragments() -> Self {
        Self::new(
            "Fragments make one message, and control frames may stand between them.",
            6455,
            "5.4",
        )
    }

    pub(crate) fn unasked() -> Self {
        Self::new("The peer echoes: it sends what was sent to it, and nothing else.", 6455, "6.1")
    }

    pub(crate) fn close_answered() -> Self {
        Self::new(
            "Who receives a close frame and has sent none MUST answer with one.",
            6455,
            "5.5.1",
        )
    }

    pub(crate) fn after_close() -> Self {
        Self::new(
            "After its close frame an endpoint MUST NOT send any more data, and what comes after \
             the other's close frame is discarded.",
            6455,
            "5.5.1",
        )
    }

    pub(crate) fn good_connection() -> Self {
        Self::new(
            "Only an endpoint that finds an error fails the connection; here every octet was legal.",
            6455,
            "7.1.7",
        )
    }

    pub(crate) fn in_time() -> Self {
        Self::new(
            "Pings and close frames are answered as soon as is practical. No RFC says how soon that \
             is, so that the limits are the tester's; its option time-scale stretches them.",
            6455,
            "5.5.2",
        )
    }

    pub(crate) fn legal_code() -> Self {
        Self::new(
            "1000 to 1003, 1007 to 1014 and 3000 to 4999 may stand in a close frame and are to be \
             accepted.",
            6455,
            "7.4",
        )
    }

    pub(crate) fn tcp_end() -> Self {
        Self::new("After the closing handshake the server MUST end TCP at once.", 6455, "7.1.1")
    }

    pub(crate) fn error_code() -> Self {
        Self::new(
            "The close frame says why: 1002 for a breach of the protocol, 1007 for data that does \
             not fit its kind.",
            6455,
            "7.4.1",
        )
    }

    pub(crate) fn answer_code() -> Self {
        Self::new("The answer to a close frame repeats its code, as a rule.", 6455, "5.5.1")
    }

    pub(crate) fn opening() -> Self {
        Self::new(
            "A server accepts an opening request that is complete with status 101.",
            6455,
            "4.2.2",
        )
    }

    pub(crate) fn refusal() -> Self {
        Self::new(
            "A request that lacks what the opening handshake needs is answered with an HTTP error.",
            6455,
            "4.2.1",
        )
    }
}

/// What an endpoint must do or not do, in our words.
const fn requirement(violation: Violation) -> &'static str {
    use Violation as V;
    match violation {
        V::AcceptMissing | V::AcceptRepeated | V::AcceptWrong => {
            "The answer has one Sec-WebSocket-Accept, made from the key of the request; a client \
             that finds another value MUST fail the connection."
        }
        V::CloseBodyOfOneOctet => {
            "If a close frame has a body, it MUST begin with a code of two octets; one octet cannot \
             hold it."
        }
        V::CloseCodeReserved => {
            "Only 1000 to 1003, 1007 to 1014 and 3000 to 4999 may stand in a close frame; 1005, \
             1006 and 1015 are for use inside an endpoint and MUST NOT be sent."
        }
        V::CloseReasonIllFormed => "A close reason MUST be UTF-8.",
        V::ConnectionHeaderWrong => "The answer has a Connection header with the token Upgrade.",
        V::CompressedBitMisplaced => {
            "RSV1 marks a compressed message on its first frame, and MUST NOT be set on others."
        }
        V::CompressedMessageCut => {
            "The sender removes 00 00 FF FF from the end of what it compressed, no more and no less."
        }
        V::CompressionAgreedTwice => "An extension is agreed to once.",
        V::ContinuationWithoutStart => {
            "A continuation frame continues a message that is under way; without one the connection \
             is failed."
        }
        V::ControlFragmented => "Control frames MUST NOT be fragmented.",
        V::ControlTooLong => "Control frames MUST hold at most 125 octets.",
        V::DataAfterClose => {
            "After sending a close frame an endpoint MUST NOT send any more data frames."
        }
        V::DeflateCorrupt => "What is marked as compressed is DEFLATE data that can be read.",
        V::ExtensionNotOffered => "The answer MUST NOT name an extension that was not offered.",
        V::ExtensionParameterNotOffered => {
            "The answer keeps to the parameters of permessage-deflate that were offered."
        }
        V::ExtensionParameterWrong => {
            "A parameter of permessage-deflate comes once, with a value that is in range: 8 to 15 \
             for window bits."
        }
        V::ExtensionsMalformed | V::ExtensionsRepeated => {
            "Sec-WebSocket-Extensions comes once in an answer and is a list of extensions."
        }
        V::FrameInsideMessage => {
            "The fragments of a message MUST NOT be interrupted by frames of another message; all \
             after the first have opcode 0."
        }
        V::HeadTooLong => "The head of an HTTP answer ends within a reasonable size.",
        V::InflatesWithoutEnd => "A message stays within a reasonable size.",
        V::LengthNotShortest => "A payload length MUST be written in its shortest form.",
        V::LengthTooLarge => "The highest bit of a 64-bit payload length MUST be 0.",
        V::MaskMissing => "A client MUST mask every frame that it sends.",
        V::MaskUnexpected => "A server MUST NOT mask the frames that it sends.",
        V::NotHttp | V::VersionNot11 => "The opening handshake is HTTP/1.1.",
        V::OpcodeReserved => {
            "Opcodes 3 to 7 and B to F are not assigned; who receives one MUST fail the connection."
        }
        V::ReferenceTooFarBack => {
            "Without context takeover each message is compressed by itself: it MUST NOT refer to an \
             earlier one."
        }
        V::RequestMalformed | V::RequestVersionNot13 => {
            "The opening request is a GET of HTTP/1.1 with Sec-WebSocket-Version 13."
        }
        V::ReservedBitSet => {
            "RSV1 to RSV3 MUST be 0 unless an extension was agreed that gives them a meaning; who \
             receives anything else MUST fail the connection."
        }
        V::StatusNot101 => "A server accepts an opening request with status 101.",
        V::SubprotocolNotOffered | V::SubprotocolRepeated => {
            "The answer names at most one subprotocol, one of those that were offered."
        }
        V::TextIllFormed => {
            "Text is UTF-8; an endpoint that finds anything else in it MUST fail the connection."
        }
        V::UpgradeHeaderWrong => "The answer has an Upgrade header that says websocket.",
        V::WindowExceeded => {
            "A compressed message MUST NOT refer further back than the agreed window."
        }
    }
}

/// What a peer does that commits a violation: to be read after its name.
pub(crate) const fn committed(violation: Violation) -> &'static str {
    use Violation as V;
    match violation {
        V::AcceptMissing => "The opening handshake is answered without Sec-WebSocket-Accept",
        V::AcceptRepeated => "The opening handshake is answered with two Sec-WebSocket-Accept",
        V::AcceptWrong => {
            "The opening handshake is answered with a Sec-WebSocket-Accept that does not fit the key"
        }
        V::CloseBodyOfOneOctet => "Close frames have a body of one octet",
        V::CloseCodeReserved => "Close frames carry a code that must never be sent",
        V::CloseReasonIllFormed => "Close frames carry a reason that is not UTF-8",
        V::ConnectionHeaderWrong => "The opening handshake is answered without Connection: Upgrade",
        V::CompressedBitMisplaced => "RSV1 is set on frames that begin no compressed message",
        V::CompressedMessageCut => {
            "Compressed messages do not end as they should: the four octets 00 00 FF FF are kept, \
             or more than them is cut off"
        }
        V::CompressionAgreedTwice => "The opening handshake agrees to permessage-deflate twice",
        V::ContinuationWithoutStart => "A continuation frame comes outside of a message",
        V::ControlFragmented => "Control frames are sent without FIN, as fragments",
        V::ControlTooLong => "Control frames are sent with more than 125 octets",
        V::DataAfterClose => "A data frame comes after the peer's own close frame",
        V::DeflateCorrupt => "Compressed messages cannot be decompressed",
        V::ExtensionNotOffered => {
            "The opening handshake is answered with an extension that was not offered"
        }
        V::ExtensionParameterNotOffered => {
            "The opening handshake agrees to parameters of permessage-deflate that were not offered"
        }
        V::ExtensionParameterWrong => {
            "The opening handshake agrees with a parameter of permessage-deflate that is unknown, \
             repeated or out of range"
        }
        V::ExtensionsMalformed => {
            "The opening handshake is answered with a Sec-WebSocket-Extensions that is no list"
        }
        V::ExtensionsRepeated => {
            "The opening handshake is answered with two Sec-WebSocket-Extensions"
        }
        V::FrameInsideMessage => {
            "A frame after the first of a message has the opcode of a new message, not 0"
        }
        V::HeadTooLong => "The head of the answer to the opening handshake does not end",
        V::InflatesWithoutEnd => "Compressed messages grow beyond all measure",
        V::LengthNotShortest => "Payload lengths are not written in their shortest form",
        V::LengthTooLarge => "A payload length has its highest bit set",
        V::MaskMissing => "The client's frames are not masked",
        V::MaskUnexpected => "The server's frames are masked",
        V::NotHttp => "The answer to the opening handshake is not HTTP",
        V::OpcodeReserved => "Frames have an opcode that is not assigned",
        V::ReferenceTooFarBack => {
            "Compressed messages refer to earlier ones, although that was agreed away"
        }
        V::RequestMalformed => "The opening request is not in the form of HTTP/1.1",
        V::RequestVersionNot13 => "The opening request names another version than 13",
        V::ReservedBitSet => "Frames have a reserved bit set that no extension gives a meaning",
        V::StatusNot101 => "The opening handshake is not accepted",
        V::SubprotocolNotOffered => {
            "The opening handshake is answered with a subprotocol that was not offered"
        }
        V::SubprotocolRepeated => "The opening handshake is answered with two subprotocols",
        V::TextIllFormed => "Text messages are sent that are not UTF-8",
        V::UpgradeHeaderWrong => "The opening handshake is answered without Upgrade: websocket",
        V::VersionNot11 => "The opening handshake is answered with another version than HTTP/1.1",
        V::WindowExceeded => "Compressed messages refer further back than the agreed window",
    }
}

/// What the tester sent against a rule, in the plural: the subject of a sentence.
pub(crate) const fn sent_wrong(violation: Violation) -> &'static str {
    use Violation as V;
    match violation {
        V::CloseBodyOfOneOctet => "Close bodies of one octet",
        V::CloseCodeReserved => "Close codes that must not be sent",
        V::CloseReasonIllFormed => "Close reasons that are not UTF-8",
        V::ContinuationWithoutStart => "Continuation frames outside of a message",
        V::ControlFragmented => "Control frames that are fragments",
        V::ControlTooLong => "Control frames of more than 125 octets",
        V::FrameInsideMessage => "New data frames inside a fragmented message",
        V::OpcodeReserved => "Frames with an opcode that is not assigned",
        V::ReservedBitSet => "Frames with a reserved bit set",
        V::TextIllFormed => "Text messages that are not UTF-8",
        _ => "Frames that break a rule",
    }
}
