//! 1: data frames at the edges of the three length encodings.

use wsproof_engine::{Grade::Strict, Section, Spec::RFC6455, echo, fill, frame, secs};
use wsproof_proto::Opcode;

const LENGTHS: [(u64, &str); 7] = [
    (
        0,
        "An empty payload is legal; it is neither the end of the stream nor the lack of a message.",
    ),
    (125, "125 is the largest length that the 7-bit field can hold."),
    (
        126,
        "126 is the smallest length that needs the 16-bit field, and the mark that announces it.",
    ),
    (127, "127 announces the 64-bit field; as a length it stands in the 16-bit field."),
    (
        128,
        "128 lies beyond both marks, and shows that the 16-bit field is unsigned and big-endian.",
    ),
    (65535, "65535 is the largest length that the 16-bit field can hold."),
    (65536, "65536 is the smallest length that needs the 64-bit field."),
];

pub(crate) fn section(s: &mut Section) {
    for (subsection, opcode, octet) in [("1.1", Opcode::Text, b'*'), ("1.2", Opcode::Binary, 0xFE)]
    {
        let kind = opcode.name();
        for (n, (len, why)) in (1..).zip(LENGTHS) {
            s.case(format!("{subsection}.{n}"), format!("{kind} message of {len} octets"))
                .cites(RFC6455, "5.2")
                .cites(RFC6455, "5.6")
                .why(why)
                .send(frame(opcode, fill(octet, len)))
                .kill_after(secs(if len < 65535 { 1 } else { 10 }))
                .accept(Strict, [echo()])
                .then_close();
        }
        s.case(format!("{subsection}.8"), format!("{kind} message of 65536 octets in odd pieces"))
            .cites(RFC6455, "5.2")
            .cites(RFC6455, "5.6")
            .why("TCP knows no frames: header and payload may arrive cut anywhere.")
            .send(frame(opcode, fill(octet, 65536)).chopped(997))
            .kill_after(secs(10))
            .accept(Strict, [echo()])
            .then_close();
    }
}
