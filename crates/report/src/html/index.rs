//! The index: a verdict per peer, then what deviates, then everything.

use std::collections::BTreeMap;

use askama::Template;
use wsproof_engine::{CaseId, CloseBehavior, Judgement};

use super::{Cite, View};
use crate::{
    Record,
    contract::{Attempt, Confirmation, PeerInfo},
    words::{Tone, differs, headline, judge_name, number, other, verdict, visible},
};

#[derive(Template)]
#[template(path = "index.html")]
pub(super) struct Index {
    title: String,
    judge: &'static str,
    subtitle: String,
    notes: Vec<String>,
    several: bool,
    peers: Vec<Peer>,
    sections: Vec<Section>,
    facts: Vec<(&'static str, String)>,
}

struct Peer {
    name: String,
    url: String,
    tone: Tone,
    headline: String,
    counts: Vec<(usize, &'static str, &'static str)>,
    lines: Vec<String>,
    failures: Vec<Failure>,
    unstable: Vec<(String, String, String)>,
    differing: Vec<Difference>,
}

struct Failure {
    id: String,
    title: String,
    link: String,
    tags: Vec<String>,
    reasons: Vec<(&'static str, String)>,
    cites: Vec<Cite>,
}

struct Difference {
    id: String,
    link: String,
    rfc: String,
    classic: String,
}

struct Section {
    name: String,
    words: String,
    open: bool,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    title: String,
    cells: Vec<Cell>,
}

struct Cell {
    class: &'static str,
    symbol: String,
    text: &'static str,
    link: String,
    more: String,
}

impl Index {
    pub(super) fn new(view: &View<'_>) -> Self {
        let results = view.results;
        let deviating = results
            .peers()
            .iter()
            .filter(|peer| results.counts(&peer.peer, view.judge).deviating > 0)
            .count();
        let title = match results.peers() {
            [] => "No results".to_owned(),
            [peer] => {
                let counts = results.counts(&peer.peer, view.judge);
                format!("{} {}", visible(&peer.peer), headline(results, &peer.peer, counts))
            }
            peers => {
                let verb = if deviating == 1 { "deviates" } else { "deviate" };
                format!("{deviating} of {} peers {verb}", peers.len())
            }
        };
        let subtitle = match results.run() {
            Some(run) => format!("{} of {}.", visible(&run.tool), visible(&run.started)),
            None => String::new(),
        };
        let general = results.notes().iter().filter(|note| note.peer.is_none());
        Self {
            title,
            judge: judge_name(view.judge),
            subtitle,
            notes: general.map(|note| visible(&note.text)).collect(),
            several: results.peers().len() > 1,
            peers: results.peers().iter().map(|peer| Peer::new(view, peer)).collect(),
            sections: sections(view),
            facts: facts(view),
        }
    }
}

impl Peer {
    fn new(view: &View<'_>, peer: &PeerInfo) -> Self {
        let results = view.results;
        let name = peer.peer.as_str();
        let counts = results.counts(name, view.judge);
        let missing = results.missing(name).len();
        let tone = match (counts.total, counts.deviating) {
            (_, 1..) => Tone::Fail,
            (0, _) => Tone::Warn,
            _ if missing > 0 => Tone::Warn,
            _ => Tone::Pass,
        };
        let all = [
            (counts.failed, "failed", "fail"),
            (counts.close_only, "closed wrongly", "fail"),
            (counts.ok, "passed", "pass"),
            (counts.non_strict, "non-strict", "warn"),
            (counts.informational, "informational", "info"),
            (counts.unimplemented, "unimplemented", "none"),
            (counts.unstable, "unstable", "warn"),
            (missing, "without a result", "none"),
        ];
        let records: Vec<_> = results.records(name).collect();
        let taken = records.iter().filter(|(_, r)| r.confirmation() == Confirmation::Taken).count();
        let mut lines: Vec<_> = results
            .notes()
            .iter()
            .filter(|note| note.peer.as_deref() == Some(name))
            .map(|note| visible(&note.text))
            .collect();
        if taken > 0 {
            lines.push(format!(
                "{} taken as confirmed, because 32 others in a row came out the same when \
                 nothing else was at work.",
                number(taken, "verdict")
            ));
        }
        let finals = || records.iter().filter_map(|(id, r)| Some((*id, *r, r.final_attempt()?)));
        let link = |id: &CaseId| view.names.file(name, id, "html");
        Self {
            name: visible(name),
            url: visible(&peer.url),
            tone,
            headline: headline(results, name, counts),
            counts: all.into_iter().filter(|(count, ..)| *count > 0).collect(),
            lines,
            failures: finals()
                .filter(|(_, _, attempt)| attempt.judgement(view.judge).deviates())
                .map(|(id, record, attempt)| Failure::new(view, id, record, attempt, link(id)))
                .collect(),
            unstable: finals()
                .filter(|(_, record, _)| record.is_unstable())
                .map(|(id, record, _)| (visible(id.as_str()), link(id), attempts(view, record)))
                .collect(),
            differing: finals()
                .filter(|(_, _, attempt)| differs(attempt))
                .map(|(id, _, attempt)| Difference {
                    id: visible(id.as_str()),
                    link: link(id),
                    rfc: both(&attempt.rfc),
                    classic: both(&attempt.classic),
                })
                .collect(),
        }
    }
}

impl Failure {
    fn new(view: &View<'_>, id: &CaseId, record: &Record, attempt: &Attempt, link: String) -> Self {
        let case = view.case(id);
        let judgement = attempt.judgement(view.judge);
        let mut tags = vec![verdict(judgement).to_owned()];
        if record.is_unstable() {
            tags.push("≈ unstable".to_owned());
        }
        if differs(attempt) {
            let name = other(view.judge);
            tags.push(format!("{}: {}", judge_name(name), verdict(attempt.judgement(name))));
        }
        let mut reasons = vec![("", visible(&judgement.reason))];
        if judgement.close != CloseBehavior::Ok && judgement.close_reason != judgement.reason {
            reasons.push(("close", visible(&judgement.close_reason)));
        }
        let cites = case.into_iter().flat_map(|case| &case.cites).map(|cite| Cite::from(*cite));
        Self {
            id: visible(id.as_str()),
            title: case.map(|case| case.title.clone()).unwrap_or_default(),
            link,
            tags,
            reasons,
            cites: cites.collect(),
        }
    }
}

/// The verdicts of all attempts, in order.
fn attempts(view: &View<'_>, record: &Record) -> String {
    let words = record.attempts().iter().map(|attempt| {
        let place = if attempt.quiet { "alone" } else { "beside other cases" };
        format!("{} {place}", verdict(attempt.judgement(view.judge)))
    });
    let counts = record.final_attempt().map_or(0, |attempt| attempt.attempt);
    format!("{}; attempt {counts} counts", words.collect::<Vec<_>>().join(", then "))
}

fn both(judgement: &Judgement) -> String {
    format!("{} / {}", judgement.behavior.name(), judgement.close.name())
}

fn sections(view: &View<'_>) -> Vec<Section> {
    let mut by_section: BTreeMap<CaseId, Vec<CaseId>> = BTreeMap::new();
    for id in view.results.cases() {
        by_section.entry(CaseId::new(id.section())).or_default().push(id);
    }
    let one = by_section.len() == 1;
    by_section.iter().map(|(section, ids)| Section::new(view, section, ids, one)).collect()
}

impl Section {
    fn new(view: &View<'_>, section: &CaseId, ids: &[CaseId], one: bool) -> Self {
        let peers = view.results.peers();
        let rows: Vec<_> = ids
            .iter()
            .map(|id| Row {
                id: visible(id.as_str()),
                title: view.case(id).map(|case| case.title.clone()).unwrap_or_default(),
                cells: peers.iter().map(|peer| Cell::new(view, &peer.peer, id)).collect(),
            })
            .collect();
        let cells = || rows.iter().flat_map(|row| &row.cells);
        let wrong = cells().filter(|cell| cell.class == FAILED).count();
        let missing = cells().filter(|cell| cell.class == MISSING).count();
        let passed = cells().filter(|cell| cell.class == OK).count();
        let others = cells().count() - wrong - missing - passed;
        let mut words = number(ids.len(), "case");
        if wrong > 0 {
            words = format!("{words}, {wrong} deviating");
        }
        if others > 0 {
            words = format!("{words}, {others} neither passed nor deviating");
        }
        if missing > 0 {
            words = format!("{words}, {missing} without a result");
        }
        if wrong + others + missing == 0 {
            words.push_str(", all passed");
        }
        let id = visible(section.as_str());
        let name = match section_title(section.as_str()) {
            Some(title) => format!("{id} {title}"),
            None => format!("Section {id}"),
        };
        Self { name, words, open: one || wrong > 0, rows }
    }
}

const OK: &str = "case_ok";
const FAILED: &str = "case_failed";
const MISSING: &str = "case_missing";

impl Cell {
    fn new(view: &View<'_>, peer: &str, id: &CaseId) -> Self {
        let record = view.results.record(peer, id);
        let Some((record, attempt)) = record.and_then(|r| Some((r, r.final_attempt()?))) else {
            return Self {
                class: MISSING,
                symbol: String::new(),
                text: "no result",
                link: String::new(),
                more: String::new(),
            };
        };
        let judgement = attempt.judgement(view.judge);
        let tone = Tone::of(judgement);
        let class = match tone {
            Tone::Fail => FAILED,
            Tone::Info => "case_info",
            Tone::Pass => OK,
            Tone::Unimplemented => "case_unimplemented",
            Tone::Warn => "case_non_strict",
        };
        let unstable = if record.is_unstable() { " ≈" } else { "" };
        let mut more = Vec::new();
        if let Some(code) = attempt.outcome.closing.remote_code {
            more.push(code.to_string());
        }
        if attempt.comparable && view.case(id).is_some_and(|case| case.measured) {
            more.push(format!("{} ms", attempt.outcome.duration().as_millis()));
        }
        Self {
            class,
            symbol: format!("{}{unstable}", tone.symbol()),
            text: verdict(judgement),
            link: view.names.file(peer, id, "html"),
            more: more.join(", "),
        }
    }
}

fn section_title(section: &str) -> Option<&'static str> {
    Some(match section {
        "1" => "Data frames and length encoding",
        "2" => "Pings and pongs",
        "3" => "Reserved bits",
        "4" => "Reserved opcodes",
        "5" => "Fragmented messages",
        "6" => "UTF-8 in text messages",
        "7" => "Closing the connection",
        "9" => "Size limits and throughput",
        "10" => "The tester's own fragments",
        "12" | "13" => "Compression",
        "HS" => "Opening handshake of a server",
        "CL" => "Closing handshake and the end of TCP",
        _ => return None,
    })
}

fn facts(view: &View<'_>) -> Vec<(&'static str, String)> {
    let Some(run) = view.results.run() else { return Vec::new() };
    let machine = &run.machine;
    let mut facts = vec![
        ("Tester", visible(&run.tool)),
        ("Catalogue", visible(&run.catalogue)),
        ("Command", visible(&run.command.join(" "))),
        ("Started", visible(&run.started)),
        ("Seed", run.seed.to_string()),
        (
            "Machine",
            format!(
                "{}, {}, {}",
                visible(&machine.os),
                visible(&machine.arch),
                number(machine.cpus as usize, "processor")
            ),
        ),
    ];
    if let Some(end) = view.results.end() {
        facts.push(("Ended", visible(&end.ended)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
