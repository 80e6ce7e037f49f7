//! The decisions of an endpoint that a defect may turn: one field per decision.
//!
//! The default of every field is what RFC 6455 asks for. A defect sets one of them, or two, and
//! the endpoint looks at the field where it decides, so that no code asks which defect is on.

use std::time::Duration;

use wsproof_proto::{CloseCode, Violation};

/// All decisions together.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// Violations of the peer that are not noticed.
    pub(crate) tolerates: &'static [Violation],
    /// Flaws of a request that are not noticed.
    pub(crate) overlooks: &'static [Flaw],
    pub(crate) opening: Opening,
    pub(crate) on_open: OnOpen,
    pub(crate) length: LengthReading,
    pub(crate) fragments: Fragments,
    pub(crate) reserved_opcode: ReservedOpcode,
    pub(crate) text: TextCheck,
    pub(crate) echo: Echo,
    pub(crate) pong: Pong,
    pub(crate) failing: Failing,
    /// Which codes a peer may put into its close frame.
    pub(crate) legal_code: fn(CloseCode) -> bool,
    pub(crate) close: CloseAnswer,
    pub(crate) after_close: AfterClose,
    /// After a closing handshake.
    pub(crate) tcp: TcpEnd,
    /// Where it has come to none.
    pub(crate) tcp_of_failed: TcpEnd,
    pub(crate) masking: Masking,
    pub(crate) agreeing: Agreeing,
    pub(crate) compressing: Compressing,
    pub(crate) inflating: Inflating,
    /// A limit on messages in place of the configured one.
    pub(crate) message_limit: Option<usize>,
    /// How late everything is sent.
    pub(crate) delay: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            tolerates: &[],
            overlooks: &[],
            opening: Opening::default(),
            on_open: OnOpen::default(),
            length: LengthReading::default(),
            fragments: Fragments::default(),
            reserved_opcode: ReservedOpcode::default(),
            text: TextCheck::default(),
            echo: Echo::default(),
            pong: Pong::default(),
            failing: Failing::default(),
            legal_code: CloseCode::may_be_sent,
            close: CloseAnswer::default(),
            after_close: AfterClose::default(),
            tcp: TcpEnd::default(),
            tcp_of_failed: TcpEnd::default(),
            masking: Masking::default(),
            agreeing: Agreeing::default(),
            compressing: Compressing::default(),
            inflating: Inflating::default(),
            message_limit: None,
            delay: Duration::ZERO,
        }
    }
}

impl Behaviour {
    pub(crate) fn tolerates(&self, violation: Violation) -> bool {
        self.tolerates.contains(&violation)
    }
}

/// What can be wrong with the request of a client (RFC 6455, 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Connection,
    Content,
    Extensions,
    Head,
    HeadTooLong,
    Host,
    HttpVersion,
    Key,
    Method,
    Origin,
    Subprotocols,
    Target,
    TooLate,
    Upgrade,
    Version,
    VersionRepeated,
}

/// What the opening handshake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Opening {
    #[default]
    Right,
    /// `Sec-WebSocket-Accept` belongs to another key.
    AcceptWrong,
    AcceptMissing,
    /// A subprotocol is named that nobody offered.
    SubprotocolUnasked,
    /// A request without a subprotocol is refused.
    SubprotocolDemanded,
    ExtensionUnasked,
    /// What came behind the head in the same read is lost.
    EarlyOctetsLost,
    /// A refusal of a version does not name the right one.
    VersionUnnamed,
    /// The status of a successful answer is 200.
    Status200,
}

/// What happens as soon as the WebSocket is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnOpen {
    #[default]
    Nothing,
    Close,
    DropTcp,
    Message,
}

/// How payload lengths are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LengthReading {
    #[default]
    Exact,
    /// Only the low 32 of the 64 bits.
    Low32,
    /// The 16-bit form is taken as signed.
    Signed16,
}

/// How fragments make a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fragments {
    #[default]
    Joined,
    /// Each fragment is taken for a message.
    Separate,
    /// Any fragment fails the connection.
    Unsupported,
    /// A control frame between fragments fails the connection.
    Uninterruptible,
}

/// What becomes of a frame whose reserved opcode is tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReservedOpcode {
    #[default]
    Skipped,
    /// A reserved data frame is taken for binary.
    Binary,
}

/// When and how text is checked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum TextCheck {
    #[default]
    AsItArrives,
    AtFrameEnd,
    AtMessageEnd,
    /// Each frame must be well-formed by itself.
    EachFrameAlone,
    Never,
    /// At the end, and this flaw is not noticed.
    Except(TextFlaw),
    /// At the end, and these legal characters are refused.
    Refusing(fn(char) -> bool),
}

/// A way in which octets are not UTF-8 (RFC 3629, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFlaw {
    Surrogate,
    Overlong,
    BeyondUnicode,
    /// Sequences of five and six octets.
    LongSequence,
    /// The text ends inside a character.
    Incomplete,
    /// A continuation octet without a start.
    StrayContinuation,
    /// A character is broken off by another.
    BrokenOff,
    /// The octets FE and FF.
    Impossible,
}

/// How a message is echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Echo {
    #[default]
    Faithful,
    Never,
    Twice,
    KindSwapped,
    LastOctetDropped,
    OctetAdded,
    FirstOctetChanged,
    TruncatedAt(usize),
    EmptySkipped,
    EmptyFails,
    Rsv(u8),
    ReservedOpcode,
    /// The last fragment never comes.
    Unfinished,
    /// A second data frame begins inside the message.
    Nested,
    /// The length is not in its shortest form.
    LongLength,
    /// After so many messages TCP is dropped.
    DropAfter(u64),
}

/// How a ping is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pong {
    #[default]
    Faithful,
    Never,
    WrongPayload,
    Empty,
    Twice,
    Fragmented,
    /// A ping comes back as a ping.
    AsPing,
    /// Unsolicited pongs are answered with a pong.
    ToPongs,
    /// Only every second ping is answered.
    EverySecond,
    /// RSV1 is set, as if a control frame could be compressed.
    Rsv1,
}

/// How the connection is failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Failing {
    #[default]
    Close,
    /// 1002 in place of 1007 and the other way round.
    CodesSwapped,
    Always(CloseCode),
    DropTcp,
    Reset,
}

/// How a close frame is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CloseAnswer {
    #[default]
    SameCode,
    Always(u16),
    Never,
    DropTcp,
    /// A body of more than 125 octets.
    TooLong,
    OneOctet,
    /// A reason that is not UTF-8.
    IllFormedReason,
    MessageFirst,
    Twice,
    /// RSV1 is set, as if a control frame could be compressed.
    Rsv1,
}

/// What is still answered after a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AfterClose {
    #[default]
    Nothing,
    Pings,
    Messages,
}

/// How TCP ends after the last close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TcpEnd {
    #[default]
    Orderly,
    Never,
    Reset,
}

/// How frames are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Masking {
    #[default]
    ByRole,
    /// As the other role must.
    Inverted,
    /// A client uses one key for all frames.
    ConstantKey,
}

/// How permessage-deflate is negotiated (RFC 7692, 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Agreeing {
    #[default]
    Right,
    /// The answer says `server_max_window_bits=16`.
    WindowOf16,
    ParameterRepeated,
    /// The answer limits the client's window, whether that was offered or not.
    ClientWindowUnasked,
    /// The answer does not repeat `server_max_window_bits`.
    WindowUnsaid,
    /// The answer does not repeat `server_no_context_takeover`.
    ContextUnsaid,
    /// The answer names the extension twice.
    AnsweredTwice,
    /// Faults in parameters are not noticed.
    FaultsIgnored,
    /// An offer with a fault is refused, in place of being declined.
    FaultsRefused,
    /// No offer after one with a fault is looked at.
    FirstOfferOnly,
}

/// How messages are compressed (RFC 7692, 7.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compressing {
    #[default]
    Right,
    /// With a window of 15 bits, whatever was agreed.
    WindowIgnored,
    /// With references to earlier messages, whatever was agreed.
    ContextKept,
    /// The four octets that every message ends in are sent as well.
    TailKept,
    /// Continuations have RSV1 as well, and each message has one.
    RsvOnContinuations,
    /// RSV1 is never set.
    RsvMissing,
    OctetChanged,
    /// As `OctetChanged`, after so many messages.
    CorruptAfter(u64),
    /// The last two octets are missing.
    Truncated,
    /// Every message becomes very large when it is decompressed.
    Bomb,
}

/// How messages are decompressed (RFC 7692, 7.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Inflating {
    #[default]
    Right,
    /// References to earlier messages are not understood.
    ContextForgotten,
    /// Text that was compressed is not checked.
    TextUnchecked,
    /// Larger messages are refused.
    LimitedTo(usize),
    /// Compressed messages may become as large as they like.
    Unlimited,
    /// What could be decompressed before a fault is taken for the message.
    FaultsDelivered,
    /// All messages are decompressed.
    PlainAsWell,
}
