//! The page of a case with a peer.

use askama::Template;
use wsproof_engine::{Basis, Case, CaseId, Judgement, Outcome};
use wsproof_proto::{Deviation, Role};

use super::{
    Cite, Piece, View,
    closing::ClosingView,
    linked,
    opening::OpeningView,
    stats::{self, FrameTable, OctetTable},
};
use crate::{
    JudgeKind, Record, account,
    contract::{Attempt, Confirmation, PeerInfo},
    log::{self, LogRow},
    replay,
    words::{
        Tone, behavior_words, bounded, close_words, differs, judge_name, number, other, utc,
        visible,
    },
};

/// Characters of a reason that are shown.
const MAX_TEXT: usize = 1000;

#[derive(Template)]
#[template(path = "case.html")]
pub(super) struct CasePage {
    peer: String,
    url: String,
    id: String,
    tone: Tone,
    chips: Vec<Chip>,
    duration: String,
    started: String,
    description: String,
    expectation: String,
    cites: Vec<Cite>,
    location: String,
    again: String,
    remarks: Vec<String>,
    judge: &'static str,
    differs: bool,
    plan: Vec<String>,
    attempts: Vec<AttemptView>,
    tool: String,
}

/// A verdict in the headline.
struct Chip {
    class: &'static str,
    symbol: &'static str,
    text: String,
}

struct AttemptView {
    /// Links name it; what is in a folded attempt is opened by the browser.
    number: u32,
    heading: String,
    words: String,
    outcome: Vec<Ruling>,
    expected: Vec<(&'static str, Vec<String>)>,
    observed: Vec<String>,
    close: Vec<Ruling>,
    close_expected: Vec<String>,
    close_observed: Vec<String>,
    deviations: Vec<DeviationRow>,
    openings: Vec<OpeningView>,
    closings: Vec<ClosingView>,
    figures: Vec<(&'static str, String)>,
    traffic: Vec<(&'static str, [String; 2])>,
    octets: [OctetTable; 2],
    frames: [FrameTable; 2],
    log: Vec<LogRow>,
    log_notes: Vec<String>,
}

/// What one judgement says about one half.
struct Ruling {
    judge: &'static str,
    class: &'static str,
    symbol: &'static str,
    /// Its name in the classic files.
    name: &'static str,
    basis: &'static str,
    reason: Vec<Piece>,
}

struct DeviationRow {
    text: &'static str,
    cite: Cite,
    offset: u64,
}

impl CasePage {
    pub(super) fn new(
        view: &View<'_>,
        peer: &PeerInfo,
        id: &CaseId,
        record: &Record,
    ) -> Option<Self> {
        let attempt = record.final_attempt()?;
        let case = view.case(id);
        let judgement = attempt.judgement(view.judge);
        let others = record.attempts().iter().filter(|a| !std::ptr::eq(*a, attempt));
        let attempts = std::iter::once(attempt).chain(others);
        let cites = case.into_iter().flat_map(|case| &case.cites);
        Some(Self {
            peer: visible(&peer.peer),
            url: visible(&peer.url),
            id: visible(id.as_str()),
            tone: Tone::of(judgement),
            chips: chips(judgement),
            duration: duration(&attempt.outcome),
            started: utc(&attempt.started),
            description: case.map_or_else(
                || "This version's catalogue does not have this case.".to_owned(),
                Case::description,
            ),
            expectation: case.map(Case::expectation).unwrap_or_default(),
            cites: cites.map(|cite| Cite::from(*cite)).collect(),
            location: case.map(location).unwrap_or_default(),
            again: replay::command(view.results, &peer.peer, id.as_str()).unwrap_or_default(),
            remarks: remarks(case, record, attempt),
            judge: judge_name(view.judge),
            differs: differs(attempt),
            plan: case.map(Case::plan).unwrap_or_default(),
            attempts: attempts.map(|attempt| AttemptView::new(view, case, attempt)).collect(),
            tool: view.results.run().map_or_else(String::new, |run| visible(&run.tool)),
        })
    }
}

fn chips(judgement: &Judgement) -> Vec<Chip> {
    let chip = |tone: Tone, text: String| Chip { class: tone.class(), symbol: tone.symbol(), text };
    vec![
        chip(Tone::of_behavior(judgement), behavior_words(judgement.behavior).to_owned()),
        chip(Tone::of_close(judgement), format!("closing {}", close_words(judgement.close))),
    ]
}

fn duration(outcome: &Outcome) -> String {
    if outcome.opened_at.is_some() {
        return format!("{} ms", log::millis(outcome.duration()));
    }
    format!("never opened, TCP ended after {} ms", log::millis(outcome.ended_at))
}

/// File and line, from the root of the source tree on, wherever it was built.
fn location(case: &Case) -> String {
    let file = case.location.file;
    let from = file.rfind("crates/").unwrap_or_default();
    format!("{}:{}", &file[from..], case.location.line)
}

fn remarks(case: Option<&Case>, record: &Record, attempt: &Attempt) -> Vec<String> {
    let mut lines = Vec::new();
    if record.is_unstable() {
        let counts = match attempt.outcome.role {
            Role::Client => "the quiet one counts",
            // What is repeated, and beside what, is the client's choice.
            Role::Server => "the last one counts",
        };
        lines.push(format!("Unstable: attempts came to different verdicts; {counts}."));
    }
    match (record.confirmation(), reached(attempt)) {
        (Confirmation::Taken, Some(how)) => lines.push(format!(
            "Taken as confirmed: this verdict was reached {how}, and 32 such verdicts in a row \
             were the same when nothing else was at work."
        )),
        (Confirmation::Missing, Some(how)) => lines.push(format!(
            "Not confirmed: this verdict was reached {how}, and the run ended before another \
             attempt."
        )),
        _ => {}
    }
    if !attempt.comparable && case.is_some_and(|case| case.measured) {
        lines.push(format!(
            "Durations are not comparable: {} ran beside this one.",
            number(attempt.beside as usize, "other case")
        ));
    }
    lines
}

/// How a verdict was reached, if that makes it need confirmation.
fn reached(attempt: &Attempt) -> Option<&'static str> {
    if attempt.beside > 0 {
        return Some("beside other cases");
    }
    attempt.outcome.is_out_of_time().then_some("by waiting in vain")
}

impl AttemptView {
    fn new(view: &View<'_>, case: Option<&Case>, attempt: &Attempt) -> Self {
        let outcome = &attempt.outcome;
        let judgement = attempt.judgement(view.judge);
        let place = if attempt.quiet {
            "nothing else at work".to_owned()
        } else {
            format!("at most {} beside it", number(attempt.beside as usize, "other case"))
        };
        let words = [
            behavior_words(judgement.behavior).to_owned(),
            format!("closing {}", close_words(judgement.close)),
            place,
            duration(outcome),
            utc(&attempt.started),
        ];
        let judges = [view.judge, other(view.judge)];
        let measured = case.is_some_and(|case| case.measured);
        let several = outcome.openings.len() > 1;
        let counted = move |n| if several { n } else { 0 };
        let closings = std::iter::once(&outcome.closing).chain(&outcome.further_closings);
        Self {
            number: attempt.attempt,
            heading: format!("Attempt {}", attempt.attempt),
            words: words.join(", "),
            outcome: judges.map(|judge| Ruling::outcome(judge, attempt)).into(),
            expected: case.map(account::expected).unwrap_or_default(),
            observed: account::observed(outcome),
            close: judges.map(|judge| Ruling::closing(judge, attempt)).into(),
            close_expected: case.map(account::close_expected).unwrap_or_default(),
            close_observed: account::close_observed(&outcome.closing),
            deviations: outcome.deviations.iter().map(deviation).collect(),
            openings: (1..)
                .zip(&outcome.openings)
                .map(|(n, opening)| OpeningView::new(opening, counted(n)))
                .collect(),
            closings: (1..)
                .zip(closings)
                .map(|(n, closing)| ClosingView::new(closing, outcome.role, counted(n)))
                .collect(),
            figures: if measured { stats::figures(outcome) } else { Vec::new() },
            traffic: outcome.traffic.iter().flat_map(stats::traffic).collect(),
            octets: stats::octet_tables(&outcome.stats),
            frames: stats::frame_tables(&outcome.stats),
            log: log::rows(outcome),
            log_notes: log_notes(outcome),
        }
    }
}

impl Ruling {
    fn outcome(judge: JudgeKind, attempt: &Attempt) -> Self {
        let judgement = attempt.judgement(judge);
        Self {
            judge: judge_name(judge),
            class: Tone::of_behavior(judgement).class(),
            symbol: Tone::of_behavior(judgement).symbol(),
            name: judgement.behavior.name(),
            basis: basis(judge, judgement.basis),
            reason: linked(&bounded(&visible(&judgement.reason), MAX_TEXT)),
        }
    }

    fn closing(judge: JudgeKind, attempt: &Attempt) -> Self {
        let judgement = attempt.judgement(judge);
        Self {
            judge: judge_name(judge),
            class: Tone::of_close(judgement).class(),
            symbol: Tone::of_close(judgement).symbol(),
            name: judgement.close.name(),
            basis: basis(judge, judgement.close_basis),
            reason: linked(&bounded(&visible(&judgement.close_reason), MAX_TEXT)),
        }
    }
}

/// The strength of the rule; the classic judgement knows none.
const fn basis(judge: JudgeKind, basis: Basis) -> &'static str {
    match (judge, basis) {
        (JudgeKind::Classic, _) => "",
        (JudgeKind::Rfc, Basis::Disputed) => ", disputed",
        (JudgeKind::Rfc, Basis::Must) => ", must",
        (JudgeKind::Rfc, Basis::Race) => ", race",
        (JudgeKind::Rfc, Basis::Should) => ", should",
    }
}

fn deviation(deviation: &Deviation) -> DeviationRow {
    DeviationRow {
        text: deviation.violation.describe(),
        cite: deviation.violation.into(),
        offset: deviation.offset,
    }
}

fn log_notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if outcome.transcript.omitted > 0 {
        notes.push(format!(
            "{} entries about octets and frames were counted, not kept.",
            outcome.transcript.omitted
        ));
    }
    if !outcome.log_was_on {
        notes.push(
            "The log of octets and frames was off when the run ended: what went over the wire \
             then is not shown."
                .to_owned(),
        );
    }
    notes
}
