//! A peer on the index: its verdict, its refusals, and what deviates, each thing said once.

use wsproof_engine::{CaseId, CloseBehavior, Judgement};

use super::{Cite, Piece, View, anchor, linked, opening::dump};
use crate::{
    JudgeKind, Missing, Record,
    contract::{Attempt, Confirmation, PeerInfo},
    refusals::{Refusal, Refusals, hint, status_line},
    words::{
        Tone, behavior_words, bounded, close_words, differs, headline, judge_name, number, other,
        visible,
    },
};

/// Octets of a refusal's body that the index shows; the page of the case has all that was kept.
const BODY: usize = 600;
/// From so many cases on, a card names them without their titles.
const TITLES: usize = 6;
/// Rules that a card of several cases cites.
const CITES: usize = 6;

pub(super) struct Peer {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) tone: Tone,
    pub(super) headline: String,
    pub(super) counts: Vec<(usize, &'static str, &'static str)>,
    pub(super) lines: Vec<String>,
    pub(super) refusals: Vec<RefusalView>,
    pub(super) cards: Vec<Card>,
    pub(super) unstable: Vec<(String, String, String)>,
    pub(super) differing: Vec<Difference>,
}

/// Opening handshakes that were refused with one status.
pub(super) struct RefusalView {
    pub(super) words: String,
    pub(super) status_line: String,
    pub(super) body: String,
    /// The case that stands for all, and its page.
    pub(super) sample: (String, String),
    pub(super) hints: Vec<Piece>,
}

/// What deviates in the same way.
pub(super) struct Card {
    pub(super) cases: Vec<CardCase>,
    pub(super) tags: Vec<String>,
    pub(super) reasons: Vec<(&'static str, Vec<Piece>)>,
    pub(super) cites: Vec<Cite>,
}

pub(super) struct CardCase {
    pub(super) id: String,
    pub(super) anchor: String,
    pub(super) title: String,
    pub(super) link: String,
}

pub(super) struct Difference {
    pub(super) id: String,
    pub(super) link: String,
    pub(super) rfc: String,
    pub(super) classic: String,
    pub(super) why: Vec<Piece>,
}

impl Card {
    pub(super) fn titles(&self) -> bool {
        self.cases.len() < TITLES
    }
}

impl Peer {
    pub(super) fn new(view: &View<'_>, peer: &PeerInfo) -> Self {
        let results = view.results;
        let name = peer.peer.as_str();
        let counts = results.counts(name, view.judge);
        let refusals = Refusals::of(results, name);
        let finals: Vec<_> = results
            .records(name)
            .filter_map(|(id, record)| Some((id, record, record.final_attempt()?)))
            .collect();
        let link = |id: &CaseId| view.names.file(name, id, "html");
        let all = [
            (counts.failed, "failed", "fail"),
            (counts.close_only, "closed wrongly", "fail"),
            (counts.ok, "passed", "pass"),
            (counts.non_strict, "non-strict", "warn"),
            (counts.informational, "informational", "info"),
            (counts.unimplemented, "unimplemented", "none"),
            (counts.unstable, "unstable", "warn"),
        ];
        Self {
            name: visible(name),
            url: visible(&peer.url),
            tone: match (counts.total, counts.deviating) {
                (_, 1..) => Tone::Fail,
                (0, _) => Tone::Warn,
                _ if !results.missing(name).is_empty() => Tone::Warn,
                _ => Tone::Pass,
            },
            headline: headline(results, name, counts),
            counts: all.into_iter().chain(missing(view, name)).filter(|(n, ..)| *n > 0).collect(),
            lines: lines(view, name),
            // A peer that refuses everything has no other fault.
            cards: if refusals.every().is_some() {
                Vec::new()
            } else {
                cards(view, &finals, &link)
            },
            unstable: finals
                .iter()
                .filter(|(_, record, _)| record.is_unstable())
                .map(|(id, record, _)| (visible(id.as_str()), link(id), attempts(view, record)))
                .collect(),
            differing: finals
                .iter()
                .filter(|(_, _, attempt)| differs(attempt))
                .map(|(id, _, attempt)| Difference::new(view.judge, id, attempt, link(id)))
                .collect(),
            refusals: refusals
                .by_status
                .iter()
                .filter_map(|(status, found)| {
                    RefusalView::new(view.judge, *status, found, refusals.total, &link)
                })
                .collect(),
        }
    }
}

/// How many cases have no result, by reason.
fn missing(view: &View<'_>, peer: &str) -> Vec<(usize, &'static str, &'static str)> {
    let results = view.results;
    let mut without = results.missing(peer);
    without.extend(results.excluded(peer));
    let reasons: Vec<_> =
        without.into_iter().filter_map(|id| results.why_missing(peer, id)).collect();
    [Missing::Excluded, Missing::NotAsked, Missing::NotRun, Missing::Unreachable]
        .map(|why| (reasons.iter().filter(|found| **found == why).count(), why.words(), "none"))
        .into()
}

fn lines(view: &View<'_>, peer: &str) -> Vec<String> {
    let notes = view.results.notes().iter();
    let mut lines: Vec<_> = notes
        .filter(|note| note.peer.as_deref() == Some(peer))
        .map(|note| visible(&note.text))
        .collect();
    let records = view.results.records(peer);
    let taken = records.filter(|(_, r)| r.confirmation() == Confirmation::Taken).count();
    if taken > 0 {
        lines.push(format!(
            "{} taken as confirmed, because 32 others in a row came out the same when nothing \
             else was at work.",
            number(taken, "verdict")
        ));
    }
    lines
}

impl RefusalView {
    /// None if refusing is what those cases are about.
    fn new(
        judge: JudgeKind,
        status: u16,
        found: &[Refusal<'_>],
        total: usize,
        link: &dyn Fn(&CaseId) -> String,
    ) -> Option<Self> {
        let wrong: Vec<_> =
            found.iter().filter(|r| r.attempt.judgement(judge).deviates()).collect();
        let first = wrong.first()?;
        let words = if found.len() == total {
            // The headline has said it.
            "This is the answer.".to_owned()
        } else {
            let of = format!("{} of {}", found.len(), number(total, "opening handshake"));
            let verb = if found.len() == 1 { "was" } else { "were" };
            format!("{of} {verb} refused with status {status}.")
        };
        let words = match found.len() - wrong.len() {
            0 => words,
            rightly => format!("{words} Only in {} is that right.", number(rightly, "case")),
        };
        let body = &first.opening.body;
        let mut shown = dump(&body[..body.len().min(BODY)]);
        if body.len() > BODY {
            shown.push_str(" …");
        }
        Some(Self {
            words,
            status_line: status_line(first.opening),
            body: shown,
            sample: (visible(first.case.as_str()), link(first.case)),
            hints: if found.len() == total { linked(hint(first.opening)) } else { Vec::new() },
        })
    }
}

type Final<'a> = (&'a CaseId, &'a Record, &'a Attempt);

/// What deviates, in the order of the catalogue; the same fault in several cases is one card.
fn cards(view: &View<'_>, finals: &[Final<'_>], link: &dyn Fn(&CaseId) -> String) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::new();
    for (id, record, attempt) in finals {
        let judgement = attempt.judgement(view.judge);
        if !judgement.deviates() {
            continue;
        }
        let case = view.case(id);
        let (tags, reasons) = (tags(view, record, attempt), reasons(judgement));
        let cites = case.into_iter().flat_map(|case| &case.cites).map(|cite| Cite::from(*cite));
        let this = CardCase {
            id: visible(id.as_str()),
            anchor: anchor(id),
            title: case.map(|case| case.title.clone()).unwrap_or_default(),
            link: link(id),
        };
        let same = |card: &&mut Card| card.tags == tags && card.reasons == reasons;
        if let Some(card) = cards.iter_mut().find(same) {
            card.cases.push(this);
            for cite in cites {
                if card.cites.len() < CITES && !card.cites.contains(&cite) {
                    card.cites.push(cite);
                }
            }
        } else {
            let cites = cites.collect();
            cards.push(Card { cases: vec![this], tags, reasons, cites });
        }
    }
    cards
}

fn tags(view: &View<'_>, record: &Record, attempt: &Attempt) -> Vec<String> {
    let judgement = attempt.judgement(view.judge);
    let mut tags = vec![both(judgement)];
    if record.is_unstable() {
        tags.push("≈ unstable".to_owned());
    }
    if differs(attempt) {
        let name = judge_name(other(view.judge));
        tags.push(format!("{name}: {}", both(attempt.judgement(other(view.judge)))));
    }
    tags
}

fn reasons(judgement: &Judgement) -> Vec<(&'static str, Vec<Piece>)> {
    let text = |reason: &str| linked(&bounded(&visible(reason), 1000));
    let mut reasons = vec![("", text(&judgement.reason))];
    if judgement.close != CloseBehavior::Ok && judgement.close_reason != judgement.reason {
        reasons.push(("closing:", text(&judgement.close_reason)));
    }
    reasons
}

/// Both halves of a verdict, told apart.
fn both(judgement: &Judgement) -> String {
    let behavior = behavior_words(judgement.behavior);
    match judgement.close {
        CloseBehavior::Ok => behavior.to_owned(),
        close => format!("{behavior}, closing {}", close_words(close)),
    }
}

/// The verdicts of all attempts, in order.
fn attempts(view: &View<'_>, record: &Record) -> String {
    let words = record.attempts().iter().map(|attempt| {
        let place = if attempt.quiet { "alone" } else { "beside other cases" };
        format!("{} {place}", both(attempt.judgement(view.judge)))
    });
    let counts = record.final_attempt().map_or(0, |attempt| attempt.attempt);
    format!("{}; attempt {counts} counts", words.collect::<Vec<_>>().join(", then "))
}

impl Difference {
    /// The reasons are those of the shown judgement.
    fn new(judge: JudgeKind, id: &CaseId, attempt: &Attempt, link: String) -> Self {
        let names = |j: &Judgement| format!("{} / {}", j.behavior.name(), j.close.name());
        let judgement = attempt.judgement(judge);
        let mut why = judgement.reason.clone();
        if judgement.close != CloseBehavior::Ok && judgement.close_reason != why {
            why = format!("{why}; closing: {}", judgement.close_reason);
        }
        Self {
            id: visible(id.as_str()),
            link,
            rfc: names(&attempt.rfc),
            classic: names(&attempt.classic),
            why: linked(&bounded(&visible(&why), 300)),
        }
    }
}
