//! The known ways in which an endpoint can be made wrong.
//!
//! Each defect is one line of a table: its name, what it does, and the decision of the
//! endpoint that it turns. An endpoint with one defect and no other is a mutant; a test that no
//! mutant fails proves nothing.

pub(crate) mod behaviour;

use std::time::Duration;

use behaviour::{
    AfterClose, Agreeing, Behaviour, CloseAnswer, Compressing, Echo, Failing, Flaw, Fragments,
    Inflating, LengthReading, Masking, OnOpen, Opening, Pong, ReservedOpcode, TcpEnd, TextCheck,
    TextFlaw,
};
use wsproof_proto::{CloseCode, Violation};

macro_rules! defects {
    ($($name:ident $kebab:literal $says:literal |$it:ident| $turn:expr;)*) => {
        /// One way in which an endpoint is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Defect {
            $(#[doc = $says] $name,)*
        }

        impl Defect {
            /// All defects there are.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name on a command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $kebab,)*
                }
            }

            /// What is wrong, in words: a lower-case fragment.
            pub const fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => $says,)*
                }
            }

            /// The defect of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|defect| defect.name() == name)
            }

            /// How an endpoint with this defect, and no other, decides.
            pub(crate) fn behaviour(self) -> Behaviour {
                let mut behaviour = Behaviour::default();
                match self {
                    $(Self::$name => { let $it = &mut behaviour; $turn; })*
                }
                behaviour
            }
        }
    };
}

defects! {
    AcceptMissing "accept-missing" "answers the opening handshake without Sec-WebSocket-Accept"
        |it| it.opening = Opening::AcceptMissing;
    AcceptWrong "accept-wrong" "answers the opening handshake with the accept value of another key"
        |it| it.opening = Opening::AcceptWrong;
    AddsOctet "adds-octet" "appends an octet to each echo"
        |it| it.echo = Echo::OctetAdded;
    AnswersAfterCloseMessages "echoes-after-close" "echoes messages that follow a close frame"
        |it| it.after_close = AfterClose::Messages;
    AnswersAfterClosePings "pongs-after-close" "answers pings that follow a close frame"
        |it| it.after_close = AfterClose::Pings;
    AnswersLate "answers-late" "sends everything a second and a half late"
        |it| it.delay = Duration::from_millis(1500);
    AnswersPongs "answers-pongs" "answers unsolicited pongs with a pong"
        |it| it.pong = Pong::ToPongs;
    ChangesFirstOctet "changes-first-octet" "echoes with the first octet changed"
        |it| it.echo = Echo::FirstOctetChanged;
    CharactersBrokenOff "utf8-accepts-broken-off" "does not notice characters that another breaks off"
        |it| it.text = TextCheck::Except(TextFlaw::BrokenOff);
    CharactersIncomplete "utf8-accepts-incomplete" "does not notice that a text ends inside a character"
        |it| it.text = TextCheck::Except(TextFlaw::Incomplete);
    CloseCode1005 "sends-close-1005" "answers close frames with the code 1005"
        |it| it.close = CloseAnswer::Always(1005);
    CloseCodesAny "close-code-any" "takes any close code and sends it back"
        |it| it.tolerates = &[Violation::CloseCodeReserved];
    CloseCodesPrivateRefused "close-code-private-refused" "refuses the close codes 3000 to 4999"
        |it| it.legal_code = |code| code.0 < 3000 && code.may_be_sent();
    CloseCodesRecentRefused "close-code-recent-refused" "refuses the close codes 1012 to 1014"
        |it| it.legal_code = |code| !matches!(code.0, 1012..=1014) && code.may_be_sent();
    CloseCodesOnly1000 "close-code-only-1000" "refuses any close code but 1000"
        |it| it.legal_code = |code| code == CloseCode::NORMAL;
    CloseDropsTcp "close-drops-tcp" "ends TCP on a close frame without answering it"
        |it| it.close = CloseAnswer::DropTcp;
    CloseGoingAway "close-answer-1001" "answers close frames with the code 1001"
        |it| it.close = CloseAnswer::Always(1001);
    CloseIllFormed "sends-close-ill-formed" "answers close frames with a reason that is not UTF-8"
        |it| it.close = CloseAnswer::IllFormedReason;
    CloseLong "sends-close-long" "answers close frames with a body of more than 125 octets"
        |it| it.close = CloseAnswer::TooLong;
    CloseMessageFirst "message-before-close" "sends a message before it answers a close frame"
        |it| it.close = CloseAnswer::MessageFirst;
    CloseOneOctet "sends-close-one-octet" "answers close frames with a body of one octet"
        |it| it.close = CloseAnswer::OneOctet;
    CloseOneOctetTaken "close-one-octet-taken" "takes a close body of one octet for code 1000"
        |it| it.tolerates = &[Violation::CloseBodyOfOneOctet];
    CloseProtocolError "close-answer-1002" "answers close frames with the code 1002"
        |it| it.close = CloseAnswer::Always(1002);
    CloseReasonAny "close-reason-any" "does not check close reasons for UTF-8"
        |it| it.tolerates = &[Violation::CloseReasonIllFormed];
    CloseRsv1 "close-rsv1" "answers close frames with RSV1 set"
        |it| it.close = CloseAnswer::Rsv1;
    CloseTwice "sends-close-twice" "answers a close frame with two"
        |it| it.close = CloseAnswer::Twice;
    CloseUnanswered "close-unanswered" "never answers a close frame"
        |it| it.close = CloseAnswer::Never;
    ClosesAtOpen "closes-at-open" "closes as soon as the WebSocket is open"
        |it| it.on_open = OnOpen::Close;
    ControlFragmentsTaken "control-fragments-taken" "answers control frames that are fragments"
        |it| it.tolerates = &[Violation::ControlFragmented];
    ControlLongTaken "control-long-taken" "answers control frames with more than 125 octets"
        |it| it.tolerates = &[Violation::ControlTooLong];
    ControlRefusedInMessage "control-refused-in-message" "refuses control frames inside a fragmented message"
        |it| it.fragments = Fragments::Uninterruptible;
    DeflateAnsweredTwice "deflate-answered-twice" "agrees to permessage-deflate twice"
        |it| it.agreeing = Agreeing::AnsweredTwice;
    DeflateBomb "deflate-bomb" "compresses 64 MiB of zeros in place of each message"
        |it| it.compressing = Compressing::Bomb;
    DeflateClientWindowUnasked "deflate-client-window-unasked" "limits the window of a client that did not offer that"
        |it| it.agreeing = Agreeing::ClientWindowUnasked;
    DeflateContextForgotten "deflate-context-forgotten" "decompresses each message as if none came before"
        |it| it.inflating = Inflating::ContextForgotten;
    DeflateContextKept "deflate-context-kept" "refers to earlier messages though it agreed not to"
        |it| it.compressing = Compressing::ContextKept;
    DeflateContextUnsaid "deflate-context-unsaid" "does not confirm that it compresses each message by itself"
        |it| it.agreeing = Agreeing::ContextUnsaid;
    DeflateCorruptsLate "deflate-corrupt-after-500" "changes an octet of what it compresses after 500 messages"
        |it| it.compressing = Compressing::CorruptAfter(500);
    DeflateFaultsDelivered "deflate-faults-delivered" "takes what it could decompress before a fault"
        |it| it.inflating = Inflating::FaultsDelivered;
    DeflateFirstOfferOnly "deflate-first-offer-only" "looks at no offer after one that it must decline"
        |it| it.agreeing = Agreeing::FirstOfferOnly;
    DeflateLimit64KiB "deflate-limit-64k" "refuses messages that become 64 KiB and more"
        |it| it.inflating = Inflating::LimitedTo((64 << 10) - 1);
    DeflateLimitNone "deflate-limit-none" "decompresses messages without limit"
        |it| it.inflating = Inflating::Unlimited;
    DeflateOctetChanged "deflate-octet-changed" "changes an octet of what it compresses"
        |it| it.compressing = Compressing::OctetChanged;
    DeflateOffersAny "deflate-parameters-any" "accepts permessage-deflate with faulty parameters"
        |it| it.agreeing = Agreeing::FaultsIgnored;
    DeflateOffersRefused "deflate-offers-refused" "refuses a request for an offer that it should decline"
        |it| it.agreeing = Agreeing::FaultsRefused;
    DeflateParameterRepeated "deflate-parameter-repeated" "agrees with a parameter that comes twice"
        |it| it.agreeing = Agreeing::ParameterRepeated;
    DeflatePlainInflated "deflate-plain-inflated" "decompresses messages that are not compressed"
        |it| it.inflating = Inflating::PlainAsWell;
    DeflateRsvMissing "deflate-rsv1-missing" "compresses without setting RSV1"
        |it| it.compressing = Compressing::RsvMissing;
    DeflateRsvOnContinuations "deflate-rsv1-on-continuations" "sends compressed messages in fragments that all have RSV1"
        |it| it.compressing = Compressing::RsvOnContinuations;
    DeflateTailKept "deflate-tail-kept" "sends the four octets that a compressed message ends in"
        |it| it.compressing = Compressing::TailKept;
    DeflateTextUnchecked "deflate-text-unchecked" "does not check compressed text for UTF-8"
        |it| it.inflating = Inflating::TextUnchecked;
    DeflateTruncated "deflate-truncated" "leaves out the last octets of what it compresses"
        |it| it.compressing = Compressing::Truncated;
    DeflateWindow16 "deflate-window-16" "agrees with a window of 16 bits"
        |it| it.agreeing = Agreeing::WindowOf16;
    DeflateWindowIgnored "deflate-window-ignored" "compresses with a window of 15 bits, whatever was agreed"
        |it| it.compressing = Compressing::WindowIgnored;
    DeflateWindowUnsaid "deflate-window-unsaid" "does not confirm the window that was asked for"
        |it| it.agreeing = Agreeing::WindowUnsaid;
    DropsAfterMany "drops-after-500" "drops TCP after 500 messages"
        |it| it.echo = Echo::DropAfter(500);
    DropsAtOpen "drops-at-open" "drops TCP as soon as the WebSocket is open"
        |it| it.on_open = OnOpen::DropTcp;
    DropsLastOctet "drops-last-octet" "echoes without the last octet"
        |it| it.echo = Echo::LastOctetDropped;
    EarlyOctetsLost "early-octets-lost" "loses octets that arrive together with the handshake"
        |it| it.opening = Opening::EarlyOctetsLost;
    EchoLengthLong "sends-long-lengths" "writes payload lengths in a form that is too long"
        |it| it.echo = Echo::LongLength;
    EchoNested "sends-nested-message" "begins a second message inside the first"
        |it| it.echo = Echo::Nested;
    EchoReservedOpcode "sends-reserved-opcode" "echoes with a reserved opcode"
        |it| it.echo = Echo::ReservedOpcode;
    EchoRsv "sends-rsv2" "echoes with a reserved bit set"
        |it| it.echo = Echo::Rsv(0b010);
    EchoUnfinished "echo-unfinished" "never sends the last fragment of an echo"
        |it| it.echo = Echo::Unfinished;
    EchoesTwice "echoes-twice" "echoes each message twice"
        |it| it.echo = Echo::Twice;
    EmptyRefused "empty-refused" "closes on an empty message"
        |it| it.echo = Echo::EmptyFails;
    EmptySkipped "empty-skipped" "does not echo empty messages"
        |it| it.echo = Echo::EmptySkipped;
    ErrorCodesSwapped "error-codes-swapped" "fails with 1007 where 1002 is due, and the other way round"
        |it| it.failing = Failing::CodesSwapped;
    ErrorDropsTcp "error-drops-tcp" "fails the connection without a close frame"
        |it| it.failing = Failing::DropTcp;
    ErrorNormal "error-code-1000" "fails the connection with the code 1000"
        |it| it.failing = Failing::Always(CloseCode::NORMAL);
    ErrorResets "error-resets-tcp" "fails the connection with a reset"
        |it| it.failing = Failing::Reset;
    ErrorsIgnored "errors-ignored" "ignores every violation"
        |it| { it.tolerates = Violation::ALL; it.text = TextCheck::Never };
    ExtensionUnasked "extension-unasked" "names an extension that was not offered"
        |it| it.opening = Opening::ExtensionUnasked;
    FragmentsRefused "fragments-refused" "refuses fragmented messages"
        |it| it.fragments = Fragments::Unsupported;
    FragmentsSeparate "fragments-separate" "takes each fragment for a message"
        |it| it.fragments = Fragments::Separate;
    HandshakeChecksNothing "handshake-checks-nothing" "accepts a request whatever is wrong in it"
        |it| it.overlooks = &[
            Flaw::Connection, Flaw::Content, Flaw::Extensions, Flaw::Host, Flaw::HttpVersion,
            Flaw::Key, Flaw::Method, Flaw::Subprotocols, Flaw::Target, Flaw::Upgrade,
            Flaw::Version, Flaw::VersionRepeated,
        ];
    HandshakeHostAny "handshake-host-any" "accepts a request without a Host, or with two"
        |it| it.overlooks = &[Flaw::Host];
    HandshakeKeyAny "handshake-key-any" "accepts any Sec-WebSocket-Key"
        |it| it.overlooks = &[Flaw::Key];
    HandshakeMethodAny "handshake-method-any" "accepts an opening handshake with any method"
        |it| it.overlooks = &[Flaw::Method];
    HandshakeResponseAny "handshake-response-any" "accepts a response whatever is wrong in it"
        |it| it.tolerates = &[
            Violation::AcceptMissing, Violation::AcceptRepeated, Violation::AcceptWrong,
            Violation::ConnectionHeaderWrong, Violation::ExtensionNotOffered,
            Violation::SubprotocolNotOffered, Violation::UpgradeHeaderWrong,
            Violation::VersionNot11,
        ];
    HandshakeStatus200 "handshake-status-200" "answers a good request with the status 200"
        |it| it.opening = Opening::Status200;
    HandshakeTokensAny "handshake-tokens-any" "accepts a request without the tokens of an upgrade"
        |it| it.overlooks = &[Flaw::Connection, Flaw::Upgrade];
    HandshakeVersionAny "handshake-version-any" "accepts any Sec-WebSocket-Version"
        |it| it.overlooks = &[Flaw::Version, Flaw::VersionRepeated];
    HandshakeVersionUnnamed "handshake-version-unnamed" "refuses a version without naming the right one"
        |it| it.opening = Opening::VersionUnnamed;
    InterleavedTaken "interleaved-message-taken" "lets a new message replace an unfinished one"
        |it| it.tolerates = &[Violation::FrameInsideMessage];
    KindSwapped "kind-swapped" "echoes text as binary and binary as text"
        |it| it.echo = Echo::KindSwapped;
    LengthLow32 "length-low-32" "reads the low 32 bits of a length only"
        |it| { it.length = LengthReading::Low32; it.tolerates = &[Violation::LengthTooLarge, Violation::LengthNotShortest] };
    LengthSigned16 "length-signed-16" "takes the 16-bit length for signed"
        |it| it.length = LengthReading::Signed16;
    LengthsLongTaken "long-lengths-taken" "takes lengths that are not in their shortest form"
        |it| it.tolerates = &[Violation::LengthNotShortest];
    LongSequences "utf8-accepts-long-sequences" "accepts UTF-8 sequences of five and six octets"
        |it| it.text = TextCheck::Except(TextFlaw::LongSequence);
    MaskConstant "mask-constant" "masks all frames with one key"
        |it| it.masking = Masking::ConstantKey;
    MaskInverted "mask-inverted" "masks as the other role must"
        |it| it.masking = Masking::Inverted;
    MaskUnchecked "mask-unchecked" "does not check whether frames are masked"
        |it| it.tolerates = &[Violation::MaskMissing, Violation::MaskUnexpected];
    MessageLimit64KiB "message-limit-64k" "refuses messages of 64 KiB and more"
        |it| it.message_limit = Some((64 << 10) - 1);
    MessageLimitNone "message-limit-none" "gathers messages without limit"
        |it| it.message_limit = Some(usize::MAX);
    MessageUnsolicited "message-unsolicited" "sends a message that nobody asked for"
        |it| it.on_open = OnOpen::Message;
    NonCharactersRefused "utf8-refuses-non-characters" "refuses characters that Unicode does not assign"
        |it| it.text = TextCheck::Refusing(is_non_character);
    NulRefused "utf8-refuses-nul" "refuses the character U+0000"
        |it| it.text = TextCheck::Refusing(|character| character == '\0');
    NoncharactersSpecialsRefused "utf8-refuses-specials" "refuses the characters U+FFF0 to U+FFFF"
        |it| it.text = TextCheck::Refusing(|c| matches!(c, '\u{fff0}'..='\u{ffff}'));
    Overlong "utf8-accepts-overlong" "accepts overlong UTF-8"
        |it| it.text = TextCheck::Except(TextFlaw::Overlong);
    PongEmpty "pong-empty" "answers pings with an empty pong"
        |it| it.pong = Pong::Empty;
    PongEverySecond "pong-every-second" "answers every second ping only"
        |it| it.pong = Pong::EverySecond;
    PongFragmented "pong-fragmented" "sends pongs in fragments"
        |it| it.pong = Pong::Fragmented;
    PongIsPing "pong-as-ping" "answers a ping with a ping"
        |it| it.pong = Pong::AsPing;
    PongMissing "pong-missing" "never answers a ping"
        |it| it.pong = Pong::Never;
    PongRsv1 "pong-rsv1" "answers pings with RSV1 set"
        |it| it.pong = Pong::Rsv1;
    PongTwice "pong-twice" "answers a ping with two pongs"
        |it| it.pong = Pong::Twice;
    PongWrong "pong-wrong-payload" "answers a ping with another payload"
        |it| it.pong = Pong::WrongPayload;
    ReservedOpcodeBinary "reserved-opcode-binary" "takes reserved data frames for binary messages"
        |it| { it.tolerates = &[Violation::OpcodeReserved]; it.reserved_opcode = ReservedOpcode::Binary };
    ReservedOpcodeSkipped "reserved-opcode-skipped" "skips frames with a reserved opcode"
        |it| it.tolerates = &[Violation::OpcodeReserved];
    RsvIgnored "rsv-ignored" "ignores reserved bits"
        |it| it.tolerates = &[Violation::ReservedBitSet];
    Silent "silent" "never echoes"
        |it| it.echo = Echo::Never;
    StrayContinuationSkipped "stray-continuation-skipped" "skips continuations outside of a message"
        |it| it.tolerates = &[Violation::ContinuationWithoutStart];
    StrayOctets "utf8-accepts-stray-octets" "accepts continuation octets without a start"
        |it| it.text = TextCheck::Except(TextFlaw::StrayContinuation);
    SubprotocolDemanded "subprotocol-demanded" "refuses requests that offer no subprotocol"
        |it| it.opening = Opening::SubprotocolDemanded;
    SubprotocolUnasked "subprotocol-unasked" "names a subprotocol that was not offered"
        |it| it.opening = Opening::SubprotocolUnasked;
    Surrogates "utf8-accepts-surrogates" "accepts surrogates in UTF-8"
        |it| it.text = TextCheck::Except(TextFlaw::Surrogate);
    TcpKept "tcp-kept" "never ends TCP"
        |it| { it.tcp = TcpEnd::Never; it.tcp_of_failed = TcpEnd::Never };
    TcpKeptAfterClose "tcp-kept-after-close" "never ends TCP after a closing handshake"
        |it| it.tcp = TcpEnd::Never;
    TcpReset "tcp-reset" "ends TCP with a reset"
        |it| { it.tcp = TcpEnd::Reset; it.tcp_of_failed = TcpEnd::Reset };
    TextAtFrameEnd "utf8-at-frame-end" "checks text when a frame is complete"
        |it| it.text = TextCheck::AtFrameEnd;
    TextAtMessageEnd "utf8-at-message-end" "checks text when the message is complete"
        |it| it.text = TextCheck::AtMessageEnd;
    TextEachFrameAlone "utf8-each-frame-alone" "refuses characters that are split over fragments"
        |it| it.text = TextCheck::EachFrameAlone;
    TextUnchecked "utf8-unchecked" "does not check text for UTF-8"
        |it| it.text = TextCheck::Never;
    Truncates65535 "truncates-65535" "echoes the first 65535 octets only"
        |it| it.echo = Echo::TruncatedAt(65535);
    UnicodeBeyond "utf8-accepts-beyond-unicode" "accepts characters beyond U+10FFFF"
        |it| it.text = TextCheck::Except(TextFlaw::BeyondUnicode);
    UnicodeImpossible "utf8-accepts-fe-ff" "accepts the octets FE and FF in text"
        |it| it.text = TextCheck::Except(TextFlaw::Impossible);
}

fn is_non_character(character: char) -> bool {
    let code = u32::from(character);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_read_back() {
        for (i, defect) in Defect::ALL.iter().enumerate() {
            let name = defect.name();
            assert!(name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{name}");
            assert_eq!(Defect::from_name(name), Some(*defect));
            assert!(Defect::ALL[..i].iter().all(|other| other.name() != name), "{name}");
            assert!(!defect.describe().ends_with('.'), "{name}");
        }
        assert_eq!(Defect::from_name("nonsense"), None);
    }
}
