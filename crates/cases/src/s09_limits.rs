//! 9: large messages, many fragments, small writes, and many messages in a row.

use wsproof_engine::{
    Kind, Section, Series, Spec::RFC6455, Step, binary_message, fill, frame, repeat, secs,
    text_message,
};
use wsproof_proto::Opcode;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

pub(crate) fn section(s: &mut Section) {
    growing_messages(s);
    growing_fragments(s);
    growing_writes(s);
    echo_loops(s);
}

fn growing_messages(s: &mut Section) {
    let sizes = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
    let families = [
        ("9.1", Opcode::Text, [10, 10, 100, 100, 100, 100]),
        ("9.2", Opcode::Binary, [10, 10, 10, 10, 100, 100]),
    ];
    for (subsection, opcode, limits) in families {
        for (n, (size, limit)) in (1..).zip(sizes.into_iter().zip(limits)) {
            let title = format!("{} message of {}", opcode.name(), in_units(size));
            s.case(format!("{subsection}.{n}"), title)
                .cites(RFC6455, "5.2")
                .cites(RFC6455, "10.4")
                .why("A limit on the size of messages is allowed, but should be far from here.")
                .step(SILENT)
                .send(frame(opcode, repeat(pattern(opcode), size)))
                .close_after(secs(limit))
                .accept_first_echo()
                .measured();
        }
    }
}

fn growing_fragments(s: &mut Section) {
    let sizes = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
    for (n, size) in (1..).zip(sizes) {
        let title = |kind| format!("4 MiB of {kind} in fragments of {}", in_units(size));
        let why = if size < 4 * MIB {
            "A message may have any number of fragments. As its length is a multiple of their \
             size, the last one is empty."
        } else {
            "A message no longer than the fragment size needs no fragments."
        };

        s.case(format!("9.3.{n}"), title("text"))
            .cites(RFC6455, "5.4")
            .cites(RFC6455, "10.4")
            .why(why)
            .step(SILENT)
            .send(text_message(fill(b'*', 4 * MIB)).in_fragments_of(size))
            .close_after(secs(100))
            .accept_first_echo()
            .measured();

        let octet = if n == 1 { 0xFE } else { b'*' };
        s.case(format!("9.4.{n}"), title("binary data"))
            .cites(RFC6455, "5.4")
            .cites(RFC6455, "10.4")
            .why(why)
            .step(SILENT)
            .send(binary_message(fill(octet, 4 * MIB)).in_fragments_of(size))
            .close_after(secs(100))
            .accept_first_echo()
            .measured();
    }
}

fn growing_writes(s: &mut Section) {
    for (subsection, opcode) in [("9.5", Opcode::Text), ("9.6", Opcode::Binary)] {
        for (n, size) in (1..).zip([64, 128, 256, 512, 1024, 2048]) {
            let title = format!("1 MiB {} frame in writes of {size} octets", opcode.name());
            s.case(format!("{subsection}.{n}"), title)
                .cites(RFC6455, "5.2")
                .why("A frame that trickles in must not cost more the smaller its pieces are.")
                .step(SILENT)
                .send(frame(opcode, repeat(pattern(opcode), MIB)).chopped(size))
                .close_after(secs(1000))
                .accept_first_echo()
                .measured();
        }
    }
}

fn echo_loops(s: &mut Section) {
    let rows = [(0, 60), (16, 60), (64, 60), (256, 120), (1024, 240), (4096, 480)];
    for (subsection, kind, octet) in [("9.7", Kind::Text, b'*'), ("9.8", Kind::Binary, 0xFE)] {
        for (n, (size, limit)) in (1..).zip(rows) {
            let title = format!("1000 {} echoes of {size} octets", kind.name());
            s.case(format!("{subsection}.{n}"), title)
                .cites(RFC6455, "5.2")
                .cites(RFC6455, "5.6")
                .why("With one message on its way at a time, what each message costs adds up.")
                .step(Step::WireLog { on: false, noted: true })
                .close_after(secs(limit))
                .echo_loop(1000, kind, Series::Same(fill(octet, size)))
                .measured();
        }
    }
}

const SILENT: Step = Step::WireLog { on: false, noted: false };

/// Octets whose repetition is well-formed as text, and is not where none is needed.
fn pattern(opcode: Opcode) -> &'static [u8] {
    if opcode == Opcode::Text { b"BAsd7&jh23" } else { b"\x00\xFE\x23\xFA\xF0" }
}

fn in_units(octets: u64) -> String {
    match octets {
        MIB.. => format!("{} MiB", octets / MIB),
        KIB.. => format!("{} KiB", octets / KIB),
        _ => format!("{octets} octets"),
    }
}
