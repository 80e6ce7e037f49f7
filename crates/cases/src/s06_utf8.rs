//! 6: text must be UTF-8 (RFC 3629), however it is cut, and what is not must be refused.

use wsproof_engine::{
    Basis::Disputed,
    Case,
    Grade::{NonStrict, Strict},
    Section,
    Spec::RFC6455,
    continuation, echo, frame_head, frame_part, ms, secs, text, text_message, timeout,
};
use wsproof_proto::Opcode;

pub(crate) fn section(s: &mut Section) {
    empty_fragments(s);
    well_formed(s);
    ill_formed(s);
    early_or_late(s);
    samples(s);
    prefixes(s);
    stray_octets(s);
    cut_sequences(s);
    surrogates(s);
    code_points(s);
}

fn empty_fragments(s: &mut Section) {
    s.case("6.1.1", "empty text in one frame")
        .cites(RFC6455, "5.6")
        .why("No octets at all are a well-formed text.")
        .send(text(""))
        .close_after(secs(1))
        .accept(Strict, [echo()])
        .then_close();

    s.case("6.1.2", "empty text in three fragments")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "5.6")
        .why("Fragments may be empty, all of them; they still make one message.")
        .send_all([text("").not_final(), continuation("").not_final(), continuation("")])
        .close_after(secs(1))
        .accept(Strict, [echo()])
        .then_close();

    s.case("6.1.3", "text between two empty fragments")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "5.6")
        .why("An empty fragment neither ends a message nor takes anything from it.")
        .send(text("").not_final())
        .send(continuation("middle frame payload").not_final())
        .send(continuation(""))
        .close_after(secs(1))
        .accept(Strict, [echo()])
        .then_close();
}

fn well_formed(s: &mut Section) {
    s.case("6.2.1", "text beyond ASCII in one frame")
        .cites(RFC6455, "5.6")
        .cites(RFC6455, "8.1")
        .why("Characters of two octets come back as they were sent.")
        .send(text_message(UMLAUTS))
        .close_after(secs(1))
        .accept(Strict, [echo()])
        .then_close();

    let (head, tail) = UMLAUTS.split_at(15);
    s.case("6.2.2", "text beyond ASCII, cut between characters")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "8.1")
        .why("A text may be cut into fragments where a character ends.")
        .send_all([text(head).not_final(), continuation(tail)])
        .close_after(secs(1))
        .accept(Strict, [echo()])
        .then_close();

    for (id, title, word) in [
        ("6.2.3", "text beyond ASCII in fragments of one octet", UMLAUTS),
        ("6.2.4", "a Greek word in fragments of one octet", KOSME),
    ] {
        s.case(id, title)
            .cites(RFC6455, "5.4")
            .cites(RFC6455, "8.1")
            .why("Fragments may be cut inside a character: only the whole message must be UTF-8.")
            .send(text_message(word).in_fragments_of(1))
            .close_after(secs(1))
            .accept(Strict, [echo()])
            .then_close();
    }
}

fn ill_formed(s: &mut Section) {
    s.case("6.3.1", "ill-formed text in one frame")
        .cites(RFC6455, "5.6")
        .cites(RFC6455, "8.1")
        .why("An encoded surrogate makes the text ill-formed, however good the rest is.")
        .send(text_message(ILL_FORMED))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1007)
        .or_fails();

    s.case("6.3.2", "ill-formed text in fragments of one octet")
        .cites(RFC6455, "5.4")
        .cites(RFC6455, "8.1")
        .why("Each fragment looks like an unfinished character, so the check must span them all.")
        .send(text_message(ILL_FORMED).in_fragments_of(1))
        .kill_after(secs(1))
        .accept(Strict, [])
        .peer_fails(1007)
        .or_fails();
}

fn early_or_late(s: &mut Section) {
    // The second part of three makes the text ill-formed: F4 90 lies beyond U+10FFFF.
    let whole = [KOSME.as_bytes(), b"\xF4\x90\x80\x80", b"edited"];
    let torn = [
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4".as_slice(),
        b"\x90",
        b"\x80\x80edited",
    ];
    let parts = [("", whole), (" by one octet", torn)];

    for (n, (how, [good, bad, rest])) in (1..).zip(parts) {
        s.case(format!("6.4.{n}"), format!("text made ill-formed{how} in the second fragment"))
            .cites(RFC6455, "5.6")
            .cites(RFC6455, "8.1")
            .why(
                "Ill-formed text can be refused as soon as it is certain; the RFC does not say \
                 that it must be, and waiting for the whole message is common.",
            )
            .send(text(good).not_final())
            .wait_while_open(secs(1), "A")
            .send(continuation(bad).not_final())
            .wait_while_open(secs(1), "B")
            .send(continuation(rest))
            .kill_after(secs(1))
            .accept(Strict, [timeout("A")])
            .accept(NonStrict, [timeout("A"), timeout("B")])
            .because(Disputed)
            .peer_fails(1007)
            .or_fails();
    }

    for (n, (how, [good, bad, rest])) in (3..).zip(parts) {
        s.case(format!("6.4.{n}"), format!("text made ill-formed{how} in the second write"))
            .cites(RFC6455, "5.6")
            .cites(RFC6455, "8.1")
            .why(
                "Ill-formed text can be refused before the frame that holds it is complete; \
                 the RFC does not say that it must be, and waiting for the frame is common.",
            )
            .step(frame_head(Opcode::Text, false, 21))
            .step(frame_part(good))
            .wait_while_open(secs(1), "A")
            .step(frame_part(bad))
            .wait_while_open(secs(1), "B")
            .step(frame_part(rest))
            .send(continuation(""))
            .kill_after(secs(1))
            .accept(Strict, [timeout("A")])
            .accept(NonStrict, [timeout("A"), timeout("B")])
            .because(Disputed)
            .peer_fails(1007)
            .or_fails();
    }
}

fn samples(s: &mut Section) {
    for (subsection, why, table) in SAMPLES {
        for (n, (title, octets)) in (1..).zip(table) {
            sample(s.case(format!("{subsection}.{n}"), *title), octets).why(why);
        }
    }
}

fn prefixes(s: &mut Section) {
    for n in 1..=KOSME.len() {
        let place = if KOSME.is_char_boundary(n) { "between" } else { "inside" };
        let title = format!("first {n} octets of a Greek word, cut {place} characters");
        sample(s.case(format!("6.6.{n}"), title), &KOSME.as_bytes()[..n])
            .why("A text must not end inside a character, and may end after each.");
    }
}

fn stray_octets(s: &mut Section) {
    let alternating = |len| [0x80, 0xBF].into_iter().cycle().take(len).collect::<Vec<u8>>();
    let runs = [vec![0x80], vec![0xBF]]
        .into_iter()
        .chain((2..=6).map(alternating))
        .chain([(0x80..=0xBE).collect()]);
    for (n, run) in (1..).zip(runs) {
        let title = match run.as_slice() {
            [only] => format!("continuation octet {only:02X} alone"),
            run => format!("{} continuation octets alone", run.len()),
        };
        sample(s.case(format!("6.12.{n}"), title), &run)
            .why("A continuation octet needs a lead octet before it.");
    }

    let leads = [0xC0..=0xDE, 0xE0..=0xEE, 0xF0..=0xF6, 0xF8..=0xFA, 0xFC..=0xFC_u8];
    for (n, leads) in (1..).zip(leads) {
        let title = match leads.len() {
            1 => format!("lead octet {:02X} before a space", leads.start()),
            n => format!("{n} lead octets from {:02X} on, each before a space", leads.start()),
        };
        let octets: Vec<u8> = leads.flat_map(|lead| [lead, b' ']).collect();
        sample(s.case(format!("6.13.{n}"), title), &octets)
            .why("A lead octet needs continuation octets after it, and a space is none.");
    }
}

fn cut_sequences(s: &mut Section) {
    let cut: [(&str, &[u8]); 10] = [
        ("two-octet form of zero", b"\xC0"),
        ("three-octet form of zero", b"\xE0\x80"),
        ("four-octet form of zero", b"\xF0\x80\x80"),
        ("five-octet form of zero", b"\xF8\x80\x80\x80"),
        ("six-octet form of zero", b"\xFC\x80\x80\x80\x80"),
        ("highest two-octet form", b"\xDF"),
        ("highest three-octet form", b"\xEF\xBF"),
        ("highest four-octet form", b"\xF7\xBF\xBF"),
        ("highest five-octet form", b"\xFB\xBF\xBF\xBF"),
        ("highest six-octet form", b"\xFD\xBF\xBF\xBF\xBF"),
    ];
    for (n, (form, octets)) in (1..).zip(cut) {
        sample(s.case(format!("6.14.{n}"), format!("{form} without its last octet")), octets)
            .why("A sequence that lacks an octet is ill-formed, whatever it would have become.");
    }
    let joined = cut.map(|(_, octets)| octets).concat();
    sample(s.case("6.15.1", "ten sequences, each without its last octet"), &joined)
        .why("What one sequence lacks, the next one does not supply.");
}

fn surrogates(s: &mut Section) {
    let lone = [0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF];
    for (n, lone) in (1..).zip(lone) {
        sample(s.case(format!("6.20.{n}"), format!("lone surrogate U+{lone:04X}")), &encoded(lone))
            .why("Surrogates are no characters, and UTF-8 has no room for them.");
    }

    let pairs = [0xD800, 0xDB7F, 0xDB80, 0xDBFF]
        .into_iter()
        .flat_map(|high| [0xDC00, 0xDFFF].map(|low| [high, low]));
    for (n, [high, low]) in (1..).zip(pairs) {
        let title = format!("surrogates U+{high:04X} and U+{low:04X}, each encoded");
        sample(s.case(format!("6.21.{n}"), title), &[encoded(high), encoded(low)].concat())
            .why("A pair of surrogates belongs to UTF-16; UTF-8 encodes the character itself.");
    }
}

fn code_points(s: &mut Section) {
    let planes = (0x0..=0x10_u32).flat_map(|plane| [plane << 16 | 0xFFFE, plane << 16 | 0xFFFF]);
    for (n, c) in (1..).zip(planes.filter_map(char::from_u32)) {
        let title = format!("noncharacter U+{:04X}", u32::from(c));
        sample(s.case(format!("6.22.{n}"), title), c.to_string().as_bytes())
            .why("Noncharacters are not meant for interchange, but are well-formed.");
    }
    for (n, c) in (1..).zip('\u{FFF9}'..='\u{FFFF}') {
        let title = format!("special code point U+{:04X}", u32::from(c));
        sample(s.case(format!("6.23.{n}"), title), c.to_string().as_bytes())
            .why("These code points have odd meanings, but are well-formed.");
    }
}

/// One text frame with these octets: echoed if they are UTF-8, else reason to fail.
fn sample<'a>(case: &'a mut Case, octets: &[u8]) -> &'a mut Case {
    case.cites(RFC6455, "5.6").cites(RFC6455, "8.1").send(text_message(octets)).kill_after(ms(500));
    if std::str::from_utf8(octets).is_ok() {
        case.accept(Strict, [echo()]).then_close()
    } else {
        case.accept(Strict, []).peer_fails(1007).or_fails()
    }
}

/// The octets that a surrogate would have if it were a character.
fn encoded(surrogate: u16) -> [u8; 3] {
    let [high, low] = surrogate.to_be_bytes();
    [0xE0 | high >> 4, 0x80 | (high & 0x0F) << 2 | low >> 6, 0x80 | low & 0x3F]
}

const UMLAUTS: &str = "Hello-µ@ßöäüàá-UTF-8!!";
const KOSME: &str = "κ\u{1F79}σμε";
/// Greek text, an encoded surrogate, and ASCII.
const ILL_FORMED: &[u8] = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited";

/// Subsection, why, and samples: title and octets.
type Samples = (&'static str, &'static str, &'static [(&'static str, &'static [u8])]);

const SAMPLES: [Samples; 10] = [
    (
        "6.5",
        "Characters of every encoded length come back as they were sent.",
        &[
            ("dollar sign, one octet, between two words", b"hello$world"),
            ("cent sign, two octets, between two words", b"hello\xC2\xA2world"),
            ("euro sign, three octets, between two words", b"hello\xE2\x82\xACworld"),
            ("character of four octets between two words", b"hello\xF0\xA4\xAD\xA2world"),
            ("a Greek word", KOSME.as_bytes()),
        ],
    ),
    (
        "6.7",
        "The lowest code point of each length shows whether ranges begin where they should.",
        &[
            ("lowest code point of one octet, U+0000", b"\x00"),
            ("lowest code point of two octets, U+0080", b"\xC2\x80"),
            ("lowest code point of three octets, U+0800", b"\xE0\xA0\x80"),
            ("lowest code point of four octets, U+10000", b"\xF0\x90\x80\x80"),
        ],
    ),
    (
        "6.8",
        "The forms of five and six octets were withdrawn when the code space got its end.",
        &[
            ("lowest form of five octets", b"\xF8\x88\x80\x80\x80"),
            ("lowest form of six octets", b"\xFC\x84\x80\x80\x80\x80"),
        ],
    ),
    (
        "6.9",
        "The highest code point of each length shows whether ranges end where they should.",
        &[
            ("highest code point of one octet, U+007F", b"\x7F"),
            ("highest code point of two octets, U+07FF", b"\xDF\xBF"),
            ("highest code point of three octets, U+FFFF", b"\xEF\xBF\xBF"),
            ("highest code point of four octets, U+10FFFF", b"\xF4\x8F\xBF\xBF"),
        ],
    ),
    (
        "6.10",
        "Four octets have room beyond U+10FFFF, and longer forms have more, but it is no code \
         space.",
        &[
            ("highest form of four octets", b"\xF7\xBF\xBF\xBF"),
            ("highest form of five octets", b"\xFB\xBF\xBF\xBF\xBF"),
            ("highest form of six octets", b"\xFD\xBF\xBF\xBF\xBF\xBF"),
        ],
    ),
    (
        "6.11",
        "The code space has a gap for surrogates and an end; its edges are well-formed.",
        &[
            ("last code point before the surrogates, U+D7FF", b"\xED\x9F\xBF"),
            ("first code point after the surrogates, U+E000", b"\xEE\x80\x80"),
            ("replacement character, U+FFFD", b"\xEF\xBF\xBD"),
            ("last code point of all, U+10FFFF", b"\xF4\x8F\xBF\xBF"),
            ("first value beyond the code space, 0x110000", b"\xF4\x90\x80\x80"),
        ],
    ),
    (
        "6.16",
        "No form of any length contains FE or FF.",
        &[
            ("octet FE", b"\xFE"),
            ("octet FF", b"\xFF"),
            ("octets FE FE FF FF", b"\xFE\xFE\xFF\xFF"),
        ],
    ),
    (
        "6.17",
        "Over-long forms slip past checks for a character, so they are ill-formed.",
        &[
            ("slash in two octets", b"\xC0\xAF"),
            ("slash in three octets", b"\xE0\x80\xAF"),
            ("slash in four octets", b"\xF0\x80\x80\xAF"),
            ("slash in five octets", b"\xF8\x80\x80\x80\xAF"),
            ("slash in six octets", b"\xFC\x80\x80\x80\x80\xAF"),
        ],
    ),
    (
        "6.18",
        "The largest value that would have fitted into fewer octets is still over-long.",
        &[
            ("largest over-long form of two octets", b"\xC1\xBF"),
            ("largest over-long form of three octets", b"\xE0\x9F\xBF"),
            ("largest over-long form of four octets", b"\xF0\x8F\xBF\xBF"),
            ("largest over-long form of five octets", b"\xF8\x87\xBF\xBF\xBF"),
            ("largest over-long form of six octets", b"\xFC\x83\xBF\xBF\xBF\xBF"),
        ],
    ),
    (
        "6.19",
        "An over-long NUL is how some runtimes keep NUL out of strings; it is not UTF-8.",
        &[
            ("over-long NUL in two octets", b"\xC0\x80"),
            ("over-long NUL in three octets", b"\xE0\x80\x80"),
            ("over-long NUL in four octets", b"\xF0\x80\x80\x80"),
            ("over-long NUL in five octets", b"\xF8\x80\x80\x80\x80"),
            ("over-long NUL in six octets", b"\xFC\x80\x80\x80\x80\x80"),
        ],
    ),
];
