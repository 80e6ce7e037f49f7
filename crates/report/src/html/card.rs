//! A card for each cause: rule, octets, what works nearby, how to see it again, the conversation.

use std::fmt::Write;

use wsproof_engine::{Basis, CaseId};

use super::{Cite, Piece, View, aside, linked, opening::dump, talk::Talk};
use crate::{
    Gate, Record,
    causes::{self, Cause, Mark},
    contract::{Confirmation, PeerInfo},
    refusals::{hint, refused},
    words::{bounded, differs, judge_name, number, other, visible, visible_octets},
};

/// Octets of a refusal's body that a card shows; the page of the case has all that was kept.
const BODY: usize = 600;
/// What is known about the verdicts of a cause that is stable.
pub(super) const CONFIRMED: [&str; 3] =
    ["same when run alone", "taken as confirmed", "not confirmed"];
/// Cases that a card names with their links.
const ALIKE: usize = 40;

/// A cause of a peer as it is shown.
pub(super) struct Card {
    pub(super) peer: String,
    pub(super) peer_index: usize,
    /// The name of the card in links.
    pub(super) anchor: String,
    /// Where it is shown: on the page, or if that has too many, on the page of its case.
    pub(super) href: String,
    pub(super) id: String,
    pub(super) page: String,
    pub(super) sentence: String,
    pub(super) tags: Vec<(&'static str, String)>,
    pub(super) state: &'static str,
    pub(super) rule: String,
    pub(super) cite: Cite,
    pub(super) expected: SideView,
    pub(super) got: SideView,
    pub(super) place: String,
    /// Named rows of octets and text, with the mark apart; the last row points at it.
    pub(super) ruler: Vec<(&'static str, [String; 3])>,
    pub(super) judged: String,
    pub(super) why: Vec<Piece>,
    pub(super) nearby: String,
    /// How each attempt ended, if there were several.
    pub(super) attempts: Vec<Piece>,
    pub(super) again: String,
    /// Head and body of a refusal, and what may help.
    pub(super) refusal: Option<(String, Vec<Piece>)>,
    pub(super) talk: Talk,
    pub(super) ranges: String,
    /// Id and page of the others with the same cause.
    pub(super) alike: Vec<(String, String)>,
    pub(super) more: usize,
    pub(super) ids: Vec<CaseId>,
}

/// One side of a comparison.
pub(super) struct SideView {
    /// Octets, and whether they are marked.
    pub(super) octets: Vec<(String, bool)>,
    pub(super) words: String,
}

impl SideView {
    fn new(side: &causes::Side) -> Self {
        let octets = side.octets.iter();
        Self {
            octets: octets.map(|(mark, text)| (text.clone(), *mark == Mark::Deciding)).collect(),
            words: visible(&side.words),
        }
    }

    /// The octets without marks.
    pub(super) fn hex(&self) -> String {
        self.octets.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Card {
    pub(super) fn new(
        view: &View<'_>,
        (peer_index, peer): (usize, &PeerInfo),
        cause: Cause,
        all: &[CaseId],
    ) -> Option<Self> {
        let record = view.results.record(&peer.peer, &cause.shown)?;
        let attempt = record.final_attempt()?;
        let (rfc, section) = (cause.rule.rfc, cause.rule.section);
        let page = |id: &CaseId| view.names.file(&peer.peer, id, "html");
        let others = cause.ids.iter().filter(|id| **id != cause.shown);
        let alike: Vec<_> = others.take(ALIKE).map(|id| (visible(id.as_str()), page(id))).collect();
        let state = view.gate.map_or("", |gate| state(gate, &peer.peer, &cause.ids));
        let refusal = attempt
            .outcome
            .openings
            .first()
            .filter(|opening| refused(opening).is_some() && attempt.outcome.opened_at.is_none())
            .map(|opening| {
                let body = &opening.body;
                let mut text = dump(&opening.response);
                if !body.is_empty() {
                    let _ = write!(text, "\n\n{}", dump(&body[..body.len().min(BODY)]));
                }
                if body.len() > BODY {
                    text.push_str(" …");
                }
                (text, linked(hint(opening)))
            });
        let judgement = attempt.judgement(view.judge);
        let judged = if differs(attempt) {
            let say = |kind| {
                let judgement = attempt.judgement(kind);
                let (behavior, close) = (judgement.behavior.name(), judgement.close.name());
                format!("{}: {behavior} / {close}", judge_name(kind))
            };
            format!("{} · {}", say(view.judge), say(other(view.judge)))
        } else {
            String::new()
        };
        let reason = bounded(&visible(&crate::words::reason(judgement)), 400);
        let other = reason.eq_ignore_ascii_case(&cause.sentence);
        let anchor = anchor(view, &peer.peer, &cause.shown);
        Some(Self {
            peer: visible(&peer.peer),
            peer_index,
            href: format!("#{anchor}"),
            anchor,
            attempts: if record.attempts().len() > 1 {
                aside::attempts(view, record, &page(&cause.shown))
            } else {
                Vec::new()
            },
            id: visible(cause.shown.as_str()),
            page: page(&cause.shown),
            tags: tags(view, &cause, record, state),
            state,
            rule: cause.rule.text.clone(),
            cite: Cite::new(rfc, section),
            expected: SideView::new(&cause.expected),
            got: SideView::new(&cause.got),
            place: cause.place.map_or(String::new(), |place| place.words()),
            ruler: cause.ruler.as_ref().map(ruler).unwrap_or_default(),
            judged,
            why: if other { Vec::new() } else { linked(&reason) },
            nearby: cause.nearby.clone(),
            again: crate::replay::command(view.results, &peer.peer, cause.shown.as_str())
                .unwrap_or_default(),
            refusal,
            talk: Talk::new(
                &attempt.outcome,
                cause.deciding,
                cause.place.and_then(|place| place.frame),
            ),
            ranges: bounded(&causes::id_ranges(&cause.ids, all), 120),
            more: (cause.ids.len() - 1).saturating_sub(ALIKE),
            alike,
            sentence: cause.sentence,
            ids: cause.ids,
        })
    }

    /// What the filter's text is compared with.
    pub(super) fn haystack(&self) -> String {
        let hex = |side: &SideView| side.hex().replace(' ', "");
        let (expected, got) = (hex(&self.expected), hex(&self.got));
        format!(
            "{} {} {} {} {expected} {got} {}",
            self.id, self.sentence, self.expected.words, self.got.words, self.cite.label
        )
        .to_lowercase()
    }
}

/// The name of a case's place on the page; with one peer its id alone.
pub(super) fn anchor(view: &View<'_>, peer: &str, id: &CaseId) -> String {
    let plain = |text: &str| -> String {
        text.bytes()
            .map(|octet| {
                if octet.is_ascii_alphanumeric() || b".-_/:".contains(&octet) {
                    char::from(octet).to_string()
                } else {
                    format!("%{octet:02X}")
                }
            })
            .collect()
    };
    let id = plain(id.as_str());
    if view.results.peers().len() == 1 { id } else { format!("{id}@{}", plain(peer)) }
}

/// How the cases stand against the baseline: the worst word of any of them.
fn state(gate: &Gate<'_>, peer: &str, ids: &[CaseId]) -> &'static str {
    let words: Vec<_> = ids.iter().map(|id| gate.standing(peer, id).word()).collect();
    ["new", "changed", "known"].into_iter().find(|word| words.contains(word)).unwrap_or_default()
}

fn tags(
    view: &View<'_>,
    cause: &Cause,
    record: &Record,
    state: &'static str,
) -> Vec<(&'static str, String)> {
    let mut tags = Vec::new();
    if !state.is_empty() {
        tags.push((if state == "new" { "fail" } else { "muted" }, state.to_owned()));
    }
    if view.judge == crate::JudgeKind::Rfc {
        let basis = match cause.basis {
            Basis::Disputed => "disputed",
            Basis::Must => "must",
            Basis::Race => "race",
            Basis::Should => "should",
        };
        tags.push(("ink", basis.to_owned()));
    }
    let [alone, taken, missing] = CONFIRMED;
    let confirmed = match record.confirmation() {
        Confirmation::Confirmed if record.is_unstable() => "unstable",
        Confirmation::Confirmed => alone,
        Confirmation::Taken => taken,
        Confirmation::Missing => missing,
        _ => "",
    };
    if !confirmed.is_empty() {
        tags.push(("muted", confirmed.to_owned()));
    }
    if cause.ids.len() > 1 {
        tags.push(("muted", number(cause.ids.len(), "case")));
    }
    tags
}

/// Rows of a ruler as text: offsets above, octets, characters below, then a pointer.
fn ruler(ruler: &causes::Ruler) -> Vec<(&'static str, [String; 3])> {
    let width = ruler.rows.iter().map(|(_, octets)| octets.len()).max().unwrap_or_default();
    let width = width.max(ruler.mark + 1);
    let mut offsets = String::new();
    for column in 0..width {
        let at = ruler.start + column as u64;
        if column == 0 || at.is_multiple_of(5) && column + 2 < width || column == ruler.mark {
            while offsets.len() > column * 3 {
                let cut = offsets.trim_end().rfind(' ').map_or(0, |at| at + 1);
                offsets.truncate(cut);
            }
            let _ = write!(offsets, "{:width$}{at}", "", width = column * 3 - offsets.len());
        }
    }
    let mut lines = vec![("octet", [offsets, String::new(), String::new()])];
    let join = |octets: &[u8]| {
        octets.iter().fold(String::new(), |mut text, octet| {
            let _ = write!(text, "{octet:02X} ");
            text
        })
    };
    for (index, (name, octets)) in ruler.rows.iter().enumerate() {
        let last = index + 1 == ruler.rows.len();
        let mark = ruler.mark.min(octets.len());
        let end = (mark + 1).min(octets.len());
        let marked =
            if last { join(&octets[mark..end]).trim_end().to_owned() } else { String::new() };
        let (before, rest) = if last {
            (join(&octets[..mark]), format!(" {}", join(&octets[end..])))
        } else {
            (join(octets), String::new())
        };
        lines.push((*name, [before, marked, rest.trim_end().to_owned()]));
    }
    if let Some((_, octets)) = ruler.rows.last() {
        lines.push(("text", [characters(octets), String::new(), String::new()]));
    }
    let pointer = format!("{:1$}", "", ruler.mark * 3);
    lines.push(("", [pointer, format!("^ {}", ruler.note), String::new()]));
    lines
}

/// Characters below their first octets, three columns for each octet.
fn characters(octets: &[u8]) -> String {
    let mut line = String::new();
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            let shown = if c.is_control() || visible(&c.to_string()).chars().count() > 1 {
                '·'
            } else {
                c
            };
            line.push(shown);
            let _ = write!(line, "{:1$}", "", c.len_utf8() * 3 - 1);
        }
        for _ in chunk.invalid() {
            line.push_str("?  ");
        }
    }
    visible_octets(line.trim_end().as_bytes())
}
