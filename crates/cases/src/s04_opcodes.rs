//! 4: opcodes that have no meaning yet.

use wsproof_engine::{
    Basis::Race,
    FrameSpec,
    Grade::{NonStrict, Strict},
    Section,
    Spec::RFC6455,
    echo, frame, ping, secs, text,
};
use wsproof_proto::Opcode;

const WHY: &str = "Frames with an opcode that is not assigned must not be passed over: the \
                   connection must be failed.";
const WHY_AFTER_GOOD: &str = "A good message before does not make the frame with the unassigned \
                              opcode legal; its echo may fall victim to the failed connection.";

pub(crate) fn section(s: &mut Section) {
    for (subsection, kind, first) in [("4.1", "data", 0x3), ("4.2", "control", 0xB)] {
        let opcode = |n: u8| Opcode::from_bits(first + n);
        let title = |n: u8, rest| format!("{kind} opcode 0x{:X} {rest}", first + n);

        s.case(format!("{subsection}.1"), title(0, "without payload"))
            .cites(RFC6455, "5.2")
            .cites(RFC6455, "11.8")
            .why(WHY)
            .send(frame(opcode(0), ""))
            .kill_after(secs(1))
            .accept(Strict, [])
            .peer_fails(1002);

        s.case(format!("{subsection}.2"), title(1, "with a payload"))
            .cites(RFC6455, "5.2")
            .cites(RFC6455, "11.8")
            .why(WHY)
            .send(frame(opcode(1), "reserved opcode payload"))
            .kill_after(secs(1))
            .accept(Strict, [])
            .peer_fails(1002);

        s.case(format!("{subsection}.3"), title(2, "without payload after good text"))
            .cites(RFC6455, "5.2")
            .cites(RFC6455, "11.8")
            .why(WHY_AFTER_GOOD)
            .send_all([text(HELLO), frame(opcode(2), ""), ping("")])
            .kill_after(secs(1))
            .accept(Strict, [echo()])
            .accept(NonStrict, [])
            .because(Race)
            .peer_fails(1002);

        s.case(format!("{subsection}.4"), title(3, "with a payload after good text"))
            .cites(RFC6455, "5.2")
            .cites(RFC6455, "11.8")
            .why(WHY_AFTER_GOOD)
            .send_all(good_then_bad(opcode(3)))
            .kill_after(secs(1))
            .accept(Strict, [echo()])
            .accept(NonStrict, [])
            .because(Race)
            .peer_fails(1002);

        s.case(format!("{subsection}.5"), title(4, "after good text, octet by octet"))
            .cites(RFC6455, "5.2")
            .cites(RFC6455, "11.8")
            .why(WHY_AFTER_GOOD)
            .send_all(good_then_bad(opcode(4)).map(|frame| frame.chopped(1)))
            .kill_after(secs(1))
            .accept(Strict, [echo()])
            .accept(NonStrict, [])
            .because(Race)
            .peer_fails(1002);
    }
}

const HELLO: &str = "Hello, world!";

fn good_then_bad(opcode: Opcode) -> [FrameSpec; 3] {
    [text(HELLO), frame(opcode, HELLO), ping("")]
}
