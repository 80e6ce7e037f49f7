//! 3: reserved bits that no extension has given a meaning.

use wsproof_engine::{
    Basis::Race,
    FrameSpec,
    Grade::{NonStrict, Strict},
    Section,
    Spec::{RFC6455, RFC7692},
    binary, close_frame, echo, ping, secs, text,
};

pub(crate) fn section(s: &mut Section) {
    s.case("3.1", "text with RSV3")
        .cites(RFC6455, "5.2")
        .why("Without an extension that defines RSV3, the connection must be failed.")
        .send(text(HELLO).rsv(0b001))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("3.2", "good text, then text with RSV2, then a ping")
        .cites(RFC6455, "5.2")
        .why("No extension defines RSV2. The echo may fall victim to the failed connection.")
        .send_all(good_then_bad(0b010))
        .kill_after(secs(1))
        .accept(Strict, [echo()])
        .accept(NonStrict, [])
        .because(Race)
        .peer_fails(1002);

    s.case("3.3", "as 3.2 with RSV2 and RSV3, frame by frame")
        .cites(RFC6455, "5.2")
        .why("Two bits are as illegal as one, also when each frame arrives by itself.")
        .send_all(good_then_bad(0b011).map(FrameSpec::own_write))
        .kill_after(secs(1))
        .accept(Strict, [echo()])
        .accept(NonStrict, [])
        .because(Race)
        .peer_fails(1002);

    s.case("3.4", "as 3.2 with RSV1, octet by octet")
        .cites(RFC6455, "5.2")
        .cites(RFC7692, "6")
        .why("RSV1 marks compressed messages, but only where compression was agreed on.")
        .send_all(good_then_bad(0b100).map(|frame| frame.chopped(1)))
        .kill_after(secs(1))
        .accept(Strict, [echo()])
        .accept(NonStrict, [])
        .because(Race)
        .peer_fails(1002);

    s.case("3.5", "binary with RSV1 and RSV3")
        .cites(RFC6455, "5.2")
        .why("The rule about reserved bits holds for binary frames as for text.")
        .send(binary([0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF]).rsv(0b101))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("3.6", "binary with RSV1 and RSV2")
        .cites(RFC6455, "5.2")
        .why("A meaning of RSV1 cannot make up for RSV2, which has none.")
        .send(binary(HELLO).rsv(0b110))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);

    s.case("3.7", "close frame with all reserved bits")
        .cites(RFC6455, "5.2")
        .cites(RFC6455, "5.5.1")
        .why("Reserved bits make a close frame illegal too; it is failed, not answered.")
        .send(close_frame("").rsv(0b111))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1002);
}

const HELLO: &str = "Hello, world!";

fn good_then_bad(rsv: u8) -> [FrameSpec; 3] {
    [text(HELLO), text(HELLO).rsv(rsv), ping("")]
}
