//! The report: a verdict for each peer, what deviates and why, then everything.

use askama::Template;
use wsproof_engine::CaseId;

use super::{
    View,
    aside::{Aside, Difference, Rows, asides, differing},
    card::{CONFIRMED, Card},
    charts, data,
    matrix::{self, Section},
    talk::Part,
    verdict::{self, Column, Verdict},
};
use crate::{
    Gate, Missing,
    causes::causes,
    contract::Confirmation,
    gate::{Finding, FindingKind},
    refusals::Refusals,
    words::{Tone, bounded, judge_name, number, utc, visible, visible_lines},
};

/// Octets of conversations that are drawn whole; those after them are drawn in short.
const TALKS: usize = 2 << 20;
/// Cards in all; what is left is listed with the causes.
const CARDS: usize = 600;
/// Causes that are listed before a fold.
const CAUSES: usize = 12;

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct Index {
    title: String,
    head: Head,
    judge: &'static str,
    subtitle: String,
    notes: Vec<String>,
    several: bool,
    counts: Vec<Count>,
    gate: Option<GateView>,
    peers: Vec<PeerRow>,
    causes: Vec<CauseRow>,
    cards: Vec<Card>,
    conforms: Vec<String>,
    unstable: Rows<Aside>,
    informational: Rows<Aside>,
    differing: Rows<Difference>,
    charts: Vec<charts::Chart>,
    /// The peers in the order of the columns of all cases.
    columns: Vec<String>,
    sections: Vec<Section>,
    total: usize,
    facts: Vec<(&'static str, String)>,
    data: String,
}

/// The first line.
struct Head {
    class: &'static str,
    symbol: &'static str,
    name: String,
    verdict: String,
    rest: String,
}

struct Count {
    verdict: Verdict,
    number: usize,
}

struct GateView {
    new: usize,
    known: usize,
    /// What else is not as the baseline says.
    others: Vec<String>,
    findings: Vec<FindingRow>,
}

/// Something that is not as expected, and what to do.
struct FindingRow {
    word: &'static str,
    peer: String,
    case: String,
    what: String,
    mend: String,
}

/// A peer among several.
struct PeerRow {
    class: &'static str,
    name: String,
    url: String,
    words: String,
    causes: usize,
    counts: [usize; 3],
    new: Option<usize>,
    /// Where its first card is.
    href: String,
    /// A bar for each section: its name, and how many of how many failed.
    bars: Vec<(String, usize, usize)>,
}

/// A cause among the causes; with several peers, of all of them.
struct CauseRow {
    sentence: String,
    href: String,
    tags: Vec<(&'static str, String)>,
    evidence: String,
    /// Octets, or words where none decide.
    expected: (bool, String),
    got: (bool, String),
    /// Where it is shown for each peer, if there are several.
    peers: Vec<(String, String)>,
}

impl Index {
    pub(super) fn new(view: &View<'_>) -> Self {
        let results = view.results;
        let ids = results.cases();
        let columns = verdict::columns(view, &ids);
        let several = results.peers().len() > 1;
        let mut cards = Vec::new();
        for (index, peer) in results.peers().iter().enumerate() {
            let found = causes(results, &peer.peer, view.judge, view.cases);
            let made = found.into_iter();
            cards.extend(made.filter_map(|cause| Card::new(view, (index, peer), cause, &ids)));
        }
        let mut peers = peer_rows(view, &ids, &columns, &cards);
        // The worst peer first; what is new before what is known.
        let rank: Vec<_> = peers.iter().map(|row| row.counts[0]).collect();
        cards.sort_by_key(|card| {
            let known = card.state == "known";
            (known, std::cmp::Reverse(rank[card.peer_index]), card.peer_index)
        });
        for card in cards.iter_mut().skip(CARDS) {
            card.href.clone_from(&card.page);
        }
        for (index, row) in peers.iter_mut().enumerate() {
            let first = cards.iter().find(|card| card.peer_index == index);
            row.href = first.map(|card| card.href.clone()).unwrap_or_default();
        }
        let causes = cause_rows(&cards, several);
        let data = data::json(view, &ids, &columns, &cards);
        cards.truncate(CARDS);
        let mut drawn = 0;
        for card in &mut cards {
            if drawn > TALKS {
                card.talk.shorten();
            }
            drawn += card.talk.size();
        }
        let mut sorted = peers;
        sorted.sort_by_key(|row| {
            std::cmp::Reverse((row.new.unwrap_or_default(), row.counts[0], row.counts[1]))
        });
        let head = head(view, causes.len());
        let counts = Verdict::ALL.map(|verdict| {
            let cells = columns.iter().flat_map(|column| &column.cells);
            Count { verdict, number: cells.filter(|(own, _)| *own == verdict).count() }
        });
        let general = results.notes().iter().map(|note| match &note.peer {
            Some(peer) if several => format!("{}: {}", visible(peer), visible_lines(&note.text)),
            _ => visible_lines(&note.text),
        });
        Self {
            title: [head.name.as_str(), &head.verdict, &head.rest].join(" ").trim().to_owned(),
            conforms: conforms(view, &head),
            head,
            judge: judge_name(view.judge),
            subtitle: subtitle(view),
            notes: general.chain(taken(view)).collect(),
            several,
            counts: counts.into_iter().filter(|count| count.number > 0).collect(),
            gate: view.gate.map(GateView::new),
            peers: sorted,
            causes,
            cards,
            unstable: asides(view, Verdict::Unstable),
            informational: asides(view, Verdict::Informational),
            differing: differing(view),
            charts: charts::charts(view),
            columns: results.peers().iter().map(|peer| visible(&peer.peer)).collect(),
            sections: matrix::sections(view, &ids, &columns),
            total: ids.len(),
            facts: facts(view),
            data,
        }
    }
}

/// The first line: who, and how it went.
fn head(view: &View<'_>, ways: usize) -> Head {
    let results = view.results;
    let standard = match view.judge {
        crate::JudgeKind::Rfc => "deviates from RFC 6455",
        crate::JudgeKind::Classic => "deviates from what wstest expects",
    };
    let head = |tone: Tone, name: &str, verdict: String, rest: String| Head {
        class: tone.class(),
        symbol: tone.symbol(),
        name: visible(name),
        verdict,
        rest,
    };
    let [peer] = results.peers() else {
        let deviates = |peer: &&crate::contract::PeerInfo| {
            results.counts(&peer.peer, view.judge).deviating > 0
        };
        let deviating = results.peers().iter().filter(deviates).count();
        let total = results.peers().len();
        if total == 0 {
            return head(Tone::Warn, "", "No results".to_owned(), String::new());
        }
        let verb = if deviating == 1 { "deviates" } else { "deviate" };
        let missing = results.peers().iter().any(|peer| !results.missing(&peer.peer).is_empty());
        let tone = match (deviating, missing) {
            (0, false) => Tone::Pass,
            (0, true) => Tone::Warn,
            _ => Tone::Fail,
        };
        let rest = if results.is_interrupted() && missing { "so far: interrupted" } else { "" };
        let words = format!("{deviating} of {total} peers {verb}");
        return head(tone, "", words, rest.to_owned());
    };
    let counts = results.counts(&peer.peer, view.judge);
    let missing = results.missing(&peer.peer).len();
    let selected = counts.total + missing;
    let ways = if ways == 1 { "in 1 way".to_owned() } else { format!("in {ways} ways") };
    if counts.total == 0 {
        return head(Tone::Warn, &peer.peer, "has no results".to_owned(), String::new());
    }
    if results.is_interrupted() && missing > 0 {
        let words = format!("interrupted after {} of {selected} cases:", counts.total);
        let (tone, so_far) = match counts.deviating {
            0 => (Tone::Warn, "no deviation so far".to_owned()),
            _ => (Tone::Fail, format!("deviates {ways} so far")),
        };
        return head(tone, &peer.peer, words, so_far);
    }
    if counts.deviating > 0 {
        let refused = Refusals::of(results, &peer.peer).every();
        return match refused {
            Some(status) => head(
                Tone::Fail,
                &peer.peer,
                format!("refuses every opening handshake with status {status}"),
                format!("{} cases", counts.total),
            ),
            None => head(Tone::Fail, &peer.peer, standard.to_owned(), ways),
        };
    }
    let tone = if missing > 0 { Tone::Warn } else { Tone::Pass };
    let of = format!("{} of {selected} cases", counts.total);
    let verdict = if missing > 0 { "conforms so far:" } else { "conforms:" };
    head(tone, &peer.peer, verdict.to_owned(), of)
}

/// What it means that all is well.
fn conforms(view: &View<'_>, head: &Head) -> Vec<String> {
    let results = view.results;
    let [peer] = results.peers() else { return Vec::new() };
    if head.class != Tone::Pass.class() {
        return Vec::new();
    }
    let counts = results.counts(&peer.peer, view.judge);
    let catalogue = results.run().map_or(0, |run| run.cases.len());
    let mut lines = vec![format!(
        "{} of {} were run and judged by the {} judgement; in none of them the peer broke a rule.",
        counts.total,
        number(catalogue.max(counts.total), "selected case"),
        judge_name(view.judge)
    )];
    if counts.unimplemented > 0 {
        lines.push(format!(
            "{} about permessage-deflate, to which the peer does not agree: they say nothing \
             about it.",
            match counts.unimplemented {
                1 => "1 case is".to_owned(),
                n => format!("{n} cases are"),
            }
        ));
    }
    let excluded = results.excluded(&peer.peer).len();
    if excluded > 0 {
        lines.push(format!("{} left out with this peer on purpose.", number(excluded, "case")));
    }
    lines
}

fn peer_rows(
    view: &View<'_>,
    ids: &[CaseId],
    columns: &[Column<'_>],
    cards: &[Card],
) -> Vec<PeerRow> {
    let results = view.results;
    let rows = columns.iter().enumerate().map(|(index, Column { peer, cells })| {
        let counts = results.counts(&peer.peer, view.judge);
        let own = || cards.iter().filter(|card| card.peer_index == index);
        let missing = results.missing(&peer.peer).len();
        let (class, words) = match (counts.total, counts.deviating) {
            (0, _) => ("none", "✗ no results".to_owned()),
            (_, 1..) => ("fail", "✗ deviates".to_owned()),
            _ if missing > 0 => ("warn", "! incomplete".to_owned()),
            _ => ("pass", "✓ conforms".to_owned()),
        };
        let mut bars: Vec<(String, usize, usize)> = Vec::new();
        for (id, (verdict, _)) in ids.iter().zip(cells) {
            let failed = usize::from(*verdict == Verdict::Failed);
            match bars.last_mut() {
                Some((section, of, all)) if section == id.section() => {
                    *of += failed;
                    *all += 1;
                }
                _ => bars.push((id.section().to_owned(), failed, 1)),
            }
        }
        let new = view.gate.map(|gate| {
            let name = visible(&peer.peer);
            let of = |finding: &&Finding| finding.peer == name;
            gate.findings().iter().filter(of).filter(|f| f.kind == FindingKind::New).count()
        });
        PeerRow {
            class,
            name: visible(&peer.peer),
            url: visible(&peer.url),
            words,
            causes: own().count(),
            counts: [counts.deviating, counts.unstable, counts.total],
            new,
            href: String::new(),
            bars,
        }
    });
    rows.collect()
}

/// The causes; the same sentence with several peers is one row.
fn cause_rows(cards: &[Card], several: bool) -> Vec<CauseRow> {
    let mut rows: Vec<CauseRow> = Vec::new();
    for card in cards {
        let place = (card.peer.clone(), card.href.clone());
        if let Some(row) = rows.iter_mut().find(|row| several && row.sentence == card.sentence) {
            row.peers.push(place);
            continue;
        }
        rows.push(CauseRow {
            sentence: card.sentence.clone(),
            href: card.href.clone(),
            tags: card
                .tags
                .iter()
                .filter(|(_, tag)| !CONFIRMED.contains(&tag.as_str()))
                .cloned()
                .collect(),
            evidence: card.ranges.clone(),
            expected: evidence(&card.expected.hex(), &card.expected.words),
            got: evidence(&card.got.hex(), &card.got.words),
            peers: if several { vec![place] } else { Vec::new() },
        });
    }
    if several {
        rows.sort_by_key(|row| std::cmp::Reverse(row.peers.len()));
    }
    rows
}

/// Octets in short, or words where none decide.
fn evidence(hex: &str, words: &str) -> (bool, String) {
    const OCTETS: usize = 41;
    if hex.is_empty() { (false, bounded(words, 110)) } else { (true, bounded(hex, OCTETS)) }
}

impl GateView {
    fn new(gate: &Gate<'_>) -> Self {
        let others = [
            (FindingKind::Changed, "changed"),
            (FindingKind::Passes, "passing unexpectedly"),
            (FindingKind::Missing, "missing"),
            (FindingKind::Stale, "stale"),
        ];
        let others = others.map(|(kind, what)| (gate.count(kind), what));
        Self {
            new: gate.count(FindingKind::New),
            known: gate.known(),
            others: others
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"))
                .collect(),
            findings: gate
                .findings()
                .iter()
                .map(|finding| FindingRow {
                    word: finding.kind.word(),
                    peer: visible(&finding.peer),
                    case: visible(&finding.case),
                    what: visible(&finding.what),
                    mend: visible(&finding.mend),
                })
                .collect(),
        }
    }
}

/// What is said of verdicts that were not repeated, and of cases without any.
fn taken(view: &View<'_>) -> Vec<String> {
    let results = view.results;
    let mut lines = Vec::new();
    let records = results.peers().iter().flat_map(|peer| results.records(&peer.peer));
    let taken = records.filter(|(_, r)| r.confirmation() == Confirmation::Taken).count();
    if taken > 0 {
        lines.push(format!(
            "{} taken as confirmed, because 32 others in a row came out the same when nothing \
             else was at work.",
            number(taken, "verdict")
        ));
    }
    for peer in results.peers() {
        let mut without = results.missing(&peer.peer);
        without.extend(results.excluded(&peer.peer));
        let whys = without.iter().map(|id| results.why_missing(&peer.peer, id));
        let whys: Vec<_> = whys.collect();
        for why in [Missing::Excluded, Missing::NotAsked, Missing::NotRun, Missing::Unreachable] {
            let count = whys.iter().filter(|own| **own == Some(why)).count();
            if count > 0 {
                let who = if results.peers().len() > 1 {
                    format!("{}: ", visible(&peer.peer))
                } else {
                    String::new()
                };
                lines.push(format!(
                    "{who}{} without a result: {}.",
                    number(count, "case"),
                    why.words()
                ));
            }
        }
    }
    lines
}

fn subtitle(view: &View<'_>) -> String {
    let Some(run) = view.results.run() else { return String::new() };
    let mut parts = vec![utc(&run.started)];
    if let [peer] = view.results.peers()
        && !peer.url.is_empty()
    {
        parts.push(visible(&peer.url));
    }
    parts.push(format!("seed {}", run.seed));
    parts.push(visible(&run.tool));
    parts.join(" · ")
}

fn facts(view: &View<'_>) -> Vec<(&'static str, String)> {
    let Some(run) = view.results.run() else { return Vec::new() };
    let machine = &run.machine;
    let cpus = number(machine.cpus as usize, "processor");
    let mut facts = vec![
        ("Command", visible(&run.command.join(" "))),
        ("Tester", format!("{}, catalogue {}", visible(&run.tool), visible(&run.catalogue))),
        ("Judged by", format!("the {} judgement", judge_name(view.judge))),
        ("Machine", format!("{}, {}, {cpus}", visible(&machine.os), visible(&machine.arch))),
        ("Started", utc(&run.started)),
    ];
    if let Some(end) = view.results.end() {
        facts.push(("Ended", utc(&end.ended)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
