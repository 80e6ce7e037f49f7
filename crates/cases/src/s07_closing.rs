//! 7: the closing handshake: frames around it, its body, and its codes.

use wsproof_engine::{
    Basis::{Disputed, Must, Race, Should},
    Grade::{NonStrict, Strict},
    Section,
    Spec::RFC6455,
    close_frame, continuation, echo, echo_of, ping, repeat, secs, text,
};

pub(crate) fn section(s: &mut Section) {
    frames_around_the_close(s);
    bodies(s);
    codes(s);
}

fn frames_around_the_close(s: &mut Section) {
    s.case("7.1.1", "text, then the closing handshake")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.1")
        .why("The plain case: a message comes back, and then the connection is closed.")
        .send(text("Hello World!"))
        .kill_after(secs(1))
        .accept(Strict, [echo()])
        .then_close()
        .wrong_code_fails(Should);

    s.case("7.1.2", "two close frames")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.1")
        .why("One answer to the first close frame is all that is due; the second is ignored.")
        .close(1000, "")
        .send(close_frame(""))
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.1.3", "ping after the close frame")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "5.5.2")
        .why("A ping needs no answer once a close frame has been received.")
        .close(1000, "")
        .send(ping(""))
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.1.4", "text after the close frame")
        .cites(RFC6455, "5.5.1")
        .why("No data may follow a close frame; what comes nevertheless is discarded.")
        .close(1000, "")
        .send(text("Hello World!"))
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.1.5", "close frame between two fragments")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "5.5.1")
        .why(
            "Control frames may interrupt a message, and nothing may follow a close frame; some \
             readers of the RFC take the unfinished message for an error.",
        )
        .send(text("fragment1").not_final())
        .close(1000, "")
        .send(continuation("fragment2"))
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Disputed);

    s.case("7.1.6", "256 KiB of text, short text, close frame, and ping")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.1")
        .why("What came before the close frame may be answered or not, but it is worth knowing.")
        .send(text(repeat(b"BAsd7&jh23", 256 << 10)))
        .send(text("Hello World!"))
        .close(1000, "")
        .send(ping(""))
        .kill_after(secs(1))
        .accept(Strict, [echo_of(1)])
        .accept(NonStrict, [])
        .because(Race)
        .informational();
}

fn bodies(s: &mut Section) {
    s.case("7.3.1", "close frame without body")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.4")
        .why("A close frame may be empty; it must be answered all the same.")
        .close(NO_CODE, "")
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.3.2", "close frame with a body of one octet")
        .cites(RFC6455, "5.5.1")
        .why("If there is a body it begins with a code of two octets, so one octet is an error.")
        .close(NO_CODE, "a")
        .kill_after(secs(1))
        .accept(Strict, [])
        .answered_with_or_dropped(&[1002])
        .wrong_code_fails(Should);

    s.case("7.3.3", "close frame with a code alone")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.4")
        .why("A code needs no reason.")
        .close(1000, "")
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.3.4", "close frame with a code and a reason")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "7.1.6")
        .why("A reason may follow the code.")
        .close(1000, "Hello World!")
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.3.5", "close frame with a reason of 123 octets")
        .cites(RFC6455, "5.5")
        .cites(RFC6455, "5.5.1")
        .why("With its code, a reason of 123 octets just fits into a control frame.")
        .close(1000, [b'*'; 123])
        .kill_after(secs(1))
        .accept(Strict, [])
        .wrong_code_fails(Should);

    s.case("7.3.6", "close frame with a reason of 124 octets")
        .cites(RFC6455, "5.5")
        .why("With its code, a reason of 124 octets makes the control frame too long.")
        .close(1000, [b'*'; 124])
        .kill_after(secs(1))
        .accept(Strict, [])
        .answered_with_or_dropped(&[1002])
        .wrong_code_fails(Should);

    s.case("7.5.1", "close frame with a reason that is not UTF-8")
        .cites(RFC6455, "5.5.1")
        .cites(RFC6455, "8.1")
        .why("A reason is UTF-8; an encoded surrogate makes it ill-formed.")
        .close(1000, ILL_FORMED)
        .kill_after(secs(1))
        .accept(Strict, [])
        .answered_with_or_dropped(&[1002, 1007])
        .wrong_code_fails(Should);
}

fn codes(s: &mut Section) {
    const DEFINED: &str = "The RFC defines this code for use in close frames, so it must be taken.";
    const REGISTERED: &str = "Codes from 3000 to 3999 are registered for libraries, frameworks \
                              and applications; each of them is legal.";
    const PRIVATE: &str = "Codes from 4000 to 4999 are for private use; each of them is legal.";
    let legal = [
        (1000, DEFINED),
        (1001, DEFINED),
        (1002, DEFINED),
        (1003, DEFINED),
        (1007, DEFINED),
        (1008, DEFINED),
        (1009, DEFINED),
        (1010, DEFINED),
        (1011, DEFINED),
        (3000, REGISTERED),
        (3999, REGISTERED),
        (4000, PRIVATE),
        (4999, PRIVATE),
    ];
    for (n, (code, why)) in (1..).zip(legal) {
        s.case(format!("7.7.{n}"), format!("legal close code {code}"))
            .cites(RFC6455, "7.4.1")
            .cites(RFC6455, "7.4.2")
            .why(why)
            .close(code, "")
            .kill_after(secs(1))
            .accept(Strict, [])
            .answered_with(&[1000, code])
            .wrong_code_fails(Must);
    }

    let illegal = [
        (0, "Codes below 1000 are not used."),
        (999, "999 is the last of the codes below 1000, which are not used."),
        (1004, "1004 is reserved; what it could mean has never been said."),
        (1005, "1005 stands for a close frame without a code, so it is never in a close frame."),
        (1006, "1006 stands for an end without a close frame, so it is never in a close frame."),
        (1016, "1016 is not assigned."),
        (1100, "Codes from 1000 to 2999 are the protocol's own, and 1100 is not assigned."),
        (2000, "2000 lies among the codes kept for later versions and extensions."),
        (2999, "2999 is the last of the codes kept for later versions and extensions."),
    ];
    for (n, (code, why)) in (1..).zip(illegal) {
        s.case(format!("7.9.{n}"), format!("illegal close code {code}"))
            .cites(RFC6455, "7.4.1")
            .cites(RFC6455, "7.4.2")
            .why(why)
            .close(code, "")
            .kill_after(secs(1))
            .accept(Strict, [])
            .answered_with_or_dropped(&[1002])
            .wrong_code_fails(Should);
    }

    for (n, code) in (1..).zip([5000, 65535]) {
        s.case(format!("7.13.{n}"), format!("close code {code} beyond every range"))
            .cites(RFC6455, "7.4.2")
            .why("The RFC is silent about codes from 5000 on; what a peer does with them is free.")
            .close(code, "")
            .kill_after(secs(1))
            .accept(Strict, [])
            .answered_with_or_dropped(&[1000, code, 1002])
            .informational();
    }
}

const NO_CODE: Option<u16> = None;

/// Greek text, an encoded surrogate, and ASCII.
const ILL_FORMED: &[u8] = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited";
