//! The index: a verdict per peer, then what deviates, then everything.

use askama::Template;

use super::{
    View,
    matrix::{self, Section, Text},
    peer::Peer,
};
use crate::words::{headline, judge_name, number, utc, visible};

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
    texts: Vec<Text>,
    legend: &'static [(&'static str, &'static str, &'static str)],
    facts: Vec<(&'static str, String)>,
}

/// Kinds of deviation that are shown without a click.
const MAX_CARDS: usize = 40;

/// Class, words, meaning.
const LEGEND: &[(&str, &str, &str)] = &[
    ("pass", "✓ passed", "the peer did what the rules ask for"),
    ("warn", "! non-strict", "allowed, but another behaviour is preferred"),
    ("fail", "✗ failed", "a rule was broken"),
    ("info", "○ informational", "no rule says what is right; it is worth knowing"),
    ("none", "– unimplemented", "the peer does not have the extension that the case is about"),
    ("none", "missing", "no result: excluded for this peer, not run, or the peer was gone"),
    ("warn", "≈", "attempts came to different verdicts; the one made alone counts"),
    (
        "none",
        "closing",
        "the code in the peer's close frame, or none; then what was wrong with the closing",
    ),
    (
        "none",
        "12 ms [0.090/0.514]",
        "measured cases: the time until TCP ended, and what compression left of the octets \
         received and sent",
    ),
];

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
            Some(run) => format!("{} of {}.", visible(&run.tool), utc(&run.started)),
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
            sections: matrix::sections(view),
            texts: matrix::texts(view),
            legend: LEGEND,
            facts: facts(view),
        }
    }
}

fn facts(view: &View<'_>) -> Vec<(&'static str, String)> {
    let Some(run) = view.results.run() else { return Vec::new() };
    let machine = &run.machine;
    let mut facts = vec![
        ("Tester", visible(&run.tool)),
        ("Catalogue", visible(&run.catalogue)),
        ("Command", visible(&run.command.join(" "))),
        ("Started", utc(&run.started)),
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
        facts.push(("Ended", utc(&end.ended)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
