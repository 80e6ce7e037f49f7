//! HS: the opening handshake of a server under test.

use wsproof_engine::{Class, Edit, Section, Spec::RFC6455, Step, secs, text};
use wsproof_proto::Violation::{AcceptMissing, AcceptRepeated, AcceptWrong};

pub(crate) fn section(s: &mut Section) {
    s.case("HS.1.1", "minimal opening request without a subprotocol")
        .cites(RFC6455, "4.2.1")
        .cites(RFC6455, "4.2.2")
        .why("Origin, subprotocols and extensions are optional: a server must do without them.")
        .bare_request()
        .send(text("wsproof HS.1.1"))
        .step(Step::AwaitEchoes(secs(5)))
        .close(1000, "")
        .class(Class::Accepted);

    s.case("HS.1.50", "the same key on two connections at once")
        .cites(RFC6455, "4.2.1")
        .cites(RFC6455, "4.2.2")
        .why(
            "A key proves that the server understood the request. It names no connection, and \
             two clients may happen on the same.",
        )
        .bare_request()
        .send(text("wsproof HS.1.50, first connection"))
        .step(Step::AwaitEchoes(secs(5)))
        .step(Step::Dial)
        .send(text("wsproof HS.1.50, second connection"))
        .step(Step::AwaitEchoes(secs(5)))
        .close(1000, "")
        .step(Step::Use(0))
        .send(text("wsproof HS.1.50, first connection again"))
        .step(Step::AwaitEchoes(secs(5)))
        .close(1000, "")
        .class(Class::Accepted);

    s.case("HS.2.1", "request without Sec-WebSocket-Key")
        .cites(RFC6455, "4.2.1")
        .why(
            "Without a key there is nothing to prove that the request came from a WebSocket \
             client, so it must be answered with an error.",
        )
        .bare_request()
        .edit(Edit::Remove("Sec-WebSocket-Key"))
        .close(1000, "")
        .class(Class::Refused);

    s.case("HS.3.2", "every answer has one right Sec-WebSocket-Accept")
        .cites(RFC6455, "4.2.2")
        .cites(RFC6455, "11.3.3")
        .why(
            "The field proves that the server read the key. It must come once, with the value \
             that belongs to the key, in every answer of the run.",
        )
        .bare_request()
        .send(text("wsproof HS.3.2"))
        .step(Step::AwaitEchoes(secs(5)))
        .close(1000, "")
        .class(Class::Passive { never: &[AcceptMissing, AcceptRepeated, AcceptWrong] });
}
