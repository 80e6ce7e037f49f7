//! What failing cases have in common and passing ones do not: a contrast of facts, from which the
//! subject of a sentence is taken.

use wsproof_engine::{Accept, Case, Expected};

use super::{finding::What, provoked::Sent};

/// A case with what it sends.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) case: &'a Case,
    pub(super) sent: &'a Sent,
}

type Trait = (&'static str, fn(Told<'_>) -> bool);

/// The more special one comes first.
const MESSAGES: &[Trait] = &[
    ("Messages with a control frame between their fragments", |it| {
        it.sent.control_in_message && it.sent.fragments
    }),
    ("Messages with an empty fragment", |it| it.sent.empty_fragment),
    ("Messages cut inside a character", |it| it.sent.inside_character),
    ("Messages in fragments", |it| it.sent.fragments),
    ("Frames that arrive in pieces", |it| it.sent.chopped),
    ("Compressed messages", |it| !it.case.deflate.is_empty()),
    ("Empty messages", |it| it.sent.longest == 0),
    ("Text messages beyond ASCII", |it| {
        it.sent.messages.iter().any(|message| !message.head(64).is_ascii())
            && it.sent.kinds.iter().all(|kind| *kind == "text")
    }),
    ("Text messages", |it| it.sent.kinds.iter().all(|kind| *kind == "text")),
    ("Binary messages", |it| it.sent.kinds.iter().all(|kind| *kind == "binary")),
];

const PINGS: &[Trait] = &[
    ("Pings inside a fragmented message", |it| it.sent.control_in_message),
    ("Pings without octets", |it| it.sent.pings.iter().all(Vec::is_empty)),
    ("Pings with octets that are not UTF-8", |it| {
        it.sent.pings.iter().any(|ping| std::str::from_utf8(ping).is_err())
    }),
    ("Pings with 125 octets", |it| it.sent.pings.iter().any(|ping| ping.len() == 125)),
    ("Pings that arrive in pieces", |it| it.sent.chopped),
    ("Several pings in a row", |it| it.sent.pings.len() > 1),
];

/// What the failing cases are about, in the plural.
pub(super) fn subject(what: What, failing: &[Told<'_>], passing: &[Told<'_>]) -> String {
    let (traits, base) = match what {
        What::Pong => (PINGS, "Pings"),
        What::Echo => (MESSAGES, "Messages"),
        What::Close => return "Connections on which nothing is wrong".to_owned(),
    };
    let rivals: Vec<_> = passing.iter().copied().filter(|it| asks(it.case, what)).collect();
    if rivals.is_empty() {
        return base.to_owned();
    }
    if what == What::Echo {
        let least = failing.iter().map(|it| it.sent.longest).min().unwrap_or_default();
        let most = rivals.iter().map(|it| it.sent.longest).max().unwrap_or_default();
        // That an empty message comes back unchanged says nothing of the size.
        if most > 0 && least > most {
            return format!("Messages of {least} octets and more");
        }
    }
    let special = traits
        .iter()
        .find(|(_, has)| failing.iter().all(|it| has(*it)) && !rivals.iter().any(|it| has(*it)));
    special.map_or(base, |(words, _)| words).to_owned()
}

/// Whether a case wants an echo, or a pong.
fn asks(case: &Case, what: What) -> bool {
    if case.informational {
        return false;
    }
    match &case.accept {
        Accept::Events(lists) => lists.first().is_some_and(|list| {
            list.events.iter().any(|event| match event {
                Expected::Message(..) => what == What::Echo,
                Expected::Pong(_) => what == What::Pong,
                Expected::Timeout(_) => false,
            })
        }),
        Accept::EchoLoop { .. } | Accept::FirstEcho { .. } => what == What::Echo,
        Accept::Class(_) => false,
    }
}
