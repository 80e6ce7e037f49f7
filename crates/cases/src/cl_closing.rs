//! CL: the closing handshake and the end of TCP.

use wsproof_engine::{Class, Section, Spec::RFC6455, Step};

pub(crate) fn section(s: &mut Section) {
    s.case("CL.3.5", "half-close right after the close frame")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.1.1")
        .why(
            "The end of our sending half says only that nothing follows the close frame; the \
             answer to it can still be sent, and should be.",
        )
        .bare_request()
        .close(1000, "")
        .step(Step::ShutdownWrite)
        .class(Class::AnswersHalfClose);
}
