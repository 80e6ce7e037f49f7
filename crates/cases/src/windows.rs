//! The eighteen cases of every subsection of 12 and 13: a thousand compressed messages each.

use wsproof_engine::{self as engine, Ask, Kind, Section, Series, Spec::RFC7692, Step, secs};

use crate::corpus::Corpus;

/// Length of each message, the limit in seconds, and the size of fragments, 0 for none.
const ROWS: [(usize, u64, u64); 18] = [
    (16, 60, 0),
    (64, 60, 0),
    (256, 120, 0),
    (1024, 240, 0),
    (4096, 480, 0),
    (8192, 480, 0),
    (16384, 480, 0),
    (32768, 480, 0),
    (65536, 480, 0),
    (131_072, 480, 0),
    (8192, 480, 256),
    (16384, 480, 256),
    (32768, 480, 256),
    (65536, 480, 256),
    (131_072, 480, 256),
    (131_072, 480, 1024),
    (131_072, 480, 4096),
    (131_072, 480, 32768),
];

/// Adds the cases of a subsection. The tester asks for the first of `asks` that the peer can do.
#[track_caller]
pub(crate) fn windows(s: &mut Section, subsection: &str, corpus: Corpus, asks: &[Ask]) {
    for (n, (size, limit, fragment)) in (1..).zip(ROWS) {
        let (kind, unit) =
            if is_text(corpus) { (Kind::Text, "characters") } else { (Kind::Binary, "octets") };
        let cut = match fragment {
            0 => String::new(),
            size => format!(", cut at {size}"),
        };
        let asked = match asks {
            [one] => in_words(*one),
            _ => "three alternatives".to_owned(),
        };
        // Either the corpus or the parameters are what a section is about.
        let title = if subsection.starts_with("12") {
            format!("{size} {unit} of {}{cut}", corpus.name())
        } else {
            format!("{size} {unit}{cut}, {asked}")
        };
        s.case(format!("{subsection}.{n}"), title)
            .cites(RFC7692, if asks == [Ask::default()] { "7.2" } else { "7.1" })
            .why(
                "A thousand messages. Each message refers to those before it, as far as the parameters allow, so that \
                 one octet too many or too few spoils all that follow.",
            )
            .deflate(asks)
            .step(Step::WireLog { on: false, noted: true })
            .step(Step::FragmentSize(fragment))
            .close_after(secs(limit))
            .echo_loop(1000, kind, Series::Windows { corpus: of_engine(corpus), size })
            .measured();
    }
}

fn in_words(ask: Ask) -> String {
    if ask == Ask::default() {
        return "nothing asked".to_owned();
    }
    let takeover = ask.no_context_takeover.then(|| "no takeover".to_owned());
    let bits = ask.max_window_bits.map(|bits| format!("{bits} bits"));
    takeover.into_iter().chain(bits).collect::<Vec<_>>().join(", ")
}

/// Whether the corpus is sent as text; the prose is not, although it could be.
fn is_text(corpus: Corpus) -> bool {
    matches!(corpus, Corpus::Json | Corpus::Html)
}

fn of_engine(corpus: Corpus) -> engine::Corpus {
    let octets: fn() -> _ = match corpus {
        Corpus::Json => || Corpus::Json.octets(),
        Corpus::Bitmap => || Corpus::Bitmap.octets(),
        Corpus::Prose => || Corpus::Prose.octets(),
        Corpus::Html => || Corpus::Html.octets(),
        Corpus::Pdf => || Corpus::Pdf.octets(),
    };
    engine::Corpus { name: corpus.name(), in_code_points: is_text(corpus), octets }
}
