//! All cases by all peers: a table with a part for each section.

use std::collections::BTreeMap;

use wsproof_engine::{Case, CaseId, CloseBehavior, Judgement};

use super::{
    View, stats,
    verdict::{Column, Final},
};
use crate::{
    Missing,
    contract::Attempt,
    refusals::refused,
    words::{Tone, behavior_words, number, visible},
};

pub(super) struct Section {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) words: String,
    /// How many cases of the section deviate, for each peer.
    pub(super) deviating: Vec<usize>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    /// Its position among all cases.
    pub(super) index: usize,
    pub(super) id: String,
    pub(super) title: String,
    /// The title of the subsection that begins here, if it has one.
    pub(super) heading: String,
    /// Which filter hides it.
    pub(super) class: &'static str,
    pub(super) cells: Vec<Cell>,
}

pub(super) struct Cell {
    pub(super) class: &'static str,
    pub(super) symbol: String,
    pub(super) text: String,
    pub(super) link: String,
    pub(super) close_class: &'static str,
    /// Empty if there is no verdict on the closing.
    pub(super) close: String,
    /// Times and sizes of measured cases.
    pub(super) figures: Vec<String>,
    weight: Weight,
}

/// How a cell counts for filters and headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Passed,
    Missing,
    Other,
    Deviates,
}

pub(super) fn sections(view: &View<'_>, ids: &[CaseId], columns: &[Column<'_>]) -> Vec<Section> {
    let mut by_section: BTreeMap<CaseId, Vec<(usize, &CaseId)>> = BTreeMap::new();
    if columns.is_empty() {
        return Vec::new();
    }
    for (index, id) in ids.iter().enumerate() {
        by_section.entry(CaseId::new(id.section())).or_default().push((index, id));
    }
    by_section.iter().map(|(section, ids)| Section::new(view, section, ids, columns)).collect()
}

impl Section {
    fn new(
        view: &View<'_>,
        section: &CaseId,
        ids: &[(usize, &CaseId)],
        columns: &[Column<'_>],
    ) -> Self {
        let rows = ids.iter().map(|(index, id)| Row::new(view, *index, id, columns));
        let mut rows: Vec<_> = rows.collect();
        let mut last = "";
        for (row, (_, id)) in rows.iter_mut().zip(ids) {
            let subsection = subsection(id.as_str());
            if subsection != last
                && let Some(title) = (view.titles)(subsection)
            {
                row.heading = format!("{} {title}", visible(subsection));
            }
            last = subsection;
        }
        let count = |weight| {
            rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.weight == weight).count()
        };
        let mut words = number(ids.len(), "case");
        let peers = columns.len();
        if peers > 1 {
            words = format!("{words} by {peers} peers");
        }
        let mut all_passed = true;
        for (weight, text) in [
            (Weight::Deviates, "deviating"),
            (Weight::Other, "neither passed nor deviating"),
            (Weight::Missing, "without a result"),
        ] {
            let count = count(weight);
            if count > 0 {
                all_passed = false;
                words = format!("{words}, {count} {text}");
            }
        }
        if all_passed {
            words.push_str(", all passed");
        }
        let id = visible(section.as_str());
        let name = match (view.titles)(section.as_str()) {
            Some(title) => format!("{id} {title}"),
            None => format!("Section {id}"),
        };
        let deviates = |peer: usize| {
            rows.iter().filter(|row| row.cells[peer].weight == Weight::Deviates).count()
        };
        let deviating = (0..peers).map(deviates).collect();
        Self { id, name, words, deviating, rows }
    }
}

impl Row {
    fn new(view: &View<'_>, index: usize, id: &CaseId, columns: &[Column<'_>]) -> Self {
        let cells = columns.iter().map(|Column { peer, cells }| {
            let (_, found) = cells[index];
            Cell::new(view, &peer.peer, id, found)
        });
        let cells: Vec<_> = cells.collect();
        let class = match cells.iter().map(|cell| cell.weight).max() {
            Some(Weight::Deviates) => "bad",
            Some(Weight::Passed) => "fine",
            _ => "odd",
        };
        Self {
            index,
            id: visible(id.as_str()),
            title: view.case(id).map(|case| case.title.clone()).unwrap_or_default(),
            heading: String::new(),
            class,
            cells,
        }
    }
}

/// `6.4` of `6.4.1`; of `2.1` nothing, which is no subsection.
fn subsection(id: &str) -> &str {
    let mut dots = id.match_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(second)) => &id[..second],
        _ => "",
    }
}

const OK: &str = "case_ok";
const FAILED: &str = "case_failed";
const INFO: &str = "case_info";
const MISSING: &str = "case_missing";
const NON_STRICT: &str = "case_non_strict";
const REFUSED: &str = "refused: ";

impl Cell {
    fn new(view: &View<'_>, peer: &str, id: &CaseId, found: Option<Final<'_>>) -> Self {
        let Some((record, attempt)) = found else {
            let why = view.results.why_missing(peer, id).unwrap_or(Missing::NotSelected);
            return Self {
                class: MISSING,
                symbol: String::new(),
                text: format!("missing: {}", why.words()),
                link: String::new(),
                close_class: MISSING,
                close: String::new(),
                figures: Vec::new(),
                weight: Weight::Missing,
            };
        };
        let judgement = attempt.judgement(view.judge);
        let tone = Tone::of_behavior(judgement);
        let unstable = if record.is_unstable() { " ≈" } else { "" };
        let status = attempt.outcome.openings.first().and_then(refused);
        let text = match status {
            Some(status) if tone == Tone::Fail && attempt.outcome.opened_at.is_none() => {
                format!("{REFUSED}{status}")
            }
            _ => behavior_words(judgement.behavior).to_owned(),
        };
        let (close_class, close) = close(judgement, attempt);
        Self {
            class: class(tone),
            symbol: format!("{}{unstable}", tone.symbol()),
            text,
            link: view.names.file(peer, id, "html"),
            close_class,
            close,
            figures: figures(view.case(id), attempt),
            weight: match Tone::of(judgement) {
                Tone::Fail => Weight::Deviates,
                Tone::Pass => Weight::Passed,
                _ => Weight::Other,
            },
        }
    }
}

/// These names are what scripts count.
const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Fail => FAILED,
        Tone::Info => INFO,
        Tone::Pass => OK,
        Tone::Unimplemented => "case_unimplemented",
        Tone::Warn => NON_STRICT,
    }
}

/// The verdict on the closing, and the code in the peer's close frame.
fn close(judgement: &Judgement, attempt: &Attempt) -> (&'static str, String) {
    let outcome = &attempt.outcome;
    if outcome.opened_at.is_none() {
        return (MISSING, String::new());
    }
    let code =
        outcome.closing.remote_code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let text = match judgement.close {
        CloseBehavior::Ok | CloseBehavior::Informational => code,
        CloseBehavior::Failed => format!("failed ({code})"),
        CloseBehavior::FailedByClient => format!("{code}, TCP left open"),
        CloseBehavior::Unclean => format!("unclean ({code})"),
        CloseBehavior::WrongCode => format!("{code}, wrong code"),
    };
    (class(Tone::of_close(judgement)), text)
}

/// The duration of a measured case, if it is worth anything, and what compression left.
fn figures(case: Option<&Case>, attempt: &Attempt) -> Vec<String> {
    let outcome = &attempt.outcome;
    let mut figures = Vec::new();
    if outcome.opened_at.is_none() {
        return figures;
    }
    if outcome.unimplemented {
        return figures;
    }
    if case.is_some_and(|case| case.measured) {
        figures.push(if attempt.comparable {
            format!("{} ms", outcome.duration().as_millis())
        } else {
            "time not comparable".to_owned()
        });
    }
    let compressed = outcome.openings.iter().any(|opening| opening.agreement.is_some());
    if let (true, Some(traffic)) = (compressed, &outcome.traffic) {
        figures.push(stats::ratios(traffic));
    }
    figures
}
