//! The page of a case with a peer.

use askama::Template;
use wsproof_engine::{Basis, Behavior, Case, CaseId, CloseBehavior, Judgement, Opening, Outcome};
use wsproof_proto::{CloseCode, Deviation, Opcode, Role};

use super::{
    Cite, View,
    log::{self, LogRow},
};
use crate::{
    JudgeKind, Record,
    contract::{Attempt, Confirmation, PeerInfo},
    words::{Tone, judge_name, number, other, verdict, visible, visible_octets},
};

#[derive(Template)]
#[template(path = "case.html")]
pub(super) struct CasePage {
    peer: String,
    url: String,
    id: String,
    tone: Tone,
    verdict: &'static str,
    description: String,
    expectation: String,
    observed: Vec<String>,
    duration: String,
    started: String,
    cites: Vec<Cite>,
    location: String,
    remarks: Vec<String>,
    judgements: Vec<JudgementRow>,
    plan: Vec<String>,
    attempts: Vec<AttemptView>,
    tool: String,
}

struct JudgementRow {
    name: String,
    class: &'static str,
    verdict: &'static str,
    basis: &'static str,
    reason: String,
}

struct AttemptView {
    heading: String,
    words: String,
    deviations: Vec<DeviationRow>,
    log: Vec<LogRow>,
    log_notes: Vec<String>,
    openings: Vec<OpeningView>,
    closing: Vec<(&'static str, String, &'static str)>,
    stats: Vec<(&'static str, String, u64)>,
}

struct DeviationRow {
    text: &'static str,
    cite: Cite,
    offset: u64,
}

struct OpeningView {
    number: String,
    request: String,
    response: String,
    body: String,
    violations: Vec<(&'static str, Cite)>,
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
            verdict: verdict(judgement),
            description: case.map_or_else(
                || "This version's catalogue does not have this case.".to_owned(),
                Case::description,
            ),
            expectation: case.map(Case::expectation).unwrap_or_default(),
            observed: observed(&attempt.outcome),
            duration: format!("{} ms", log::millis(attempt.outcome.duration())),
            started: visible(&attempt.started),
            cites: cites.map(|cite| Cite::from(*cite)).collect(),
            location: case.map(location).unwrap_or_default(),
            remarks: remarks(case, record, attempt),
            judgements: [view.judge, other(view.judge)]
                .into_iter()
                .flat_map(|judge| judgement_rows(judge, attempt.judgement(judge)))
                .collect(),
            plan: case.map(Case::plan).unwrap_or_default(),
            attempts: attempts.map(|attempt| AttemptView::new(view, attempt)).collect(),
            tool: view.results.run().map_or_else(String::new, |run| visible(&run.tool)),
        })
    }
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
        lines.push(
            "Unstable: attempts came to different verdicts; the quiet one counts.".to_owned(),
        );
    }
    match record.confirmation() {
        Confirmation::Taken => lines.push(
            "Taken as confirmed: this verdict was reached beside other cases, and 32 such \
             verdicts in a row were the same when nothing else was at work."
                .to_owned(),
        ),
        Confirmation::Missing if !attempt.quiet => lines.push(
            "Not confirmed: this verdict was reached beside other cases, and the run ended \
             before the quiet attempt."
                .to_owned(),
        ),
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

fn judgement_rows(judge: JudgeKind, judgement: &Judgement) -> [JudgementRow; 2] {
    let name = judge_name(judge);
    // Each half has a colour of its own: as if the other one were fine.
    let half =
        |behavior, close| Tone::of(&Judgement { behavior, close, ..judgement.clone() }).class();
    [
        JudgementRow {
            name: name.to_owned(),
            class: half(judgement.behavior, CloseBehavior::Ok),
            verdict: judgement.behavior.name(),
            basis: basis(judgement.basis),
            reason: visible(&judgement.reason),
        },
        JudgementRow {
            name: format!("{name}, closing"),
            class: half(Behavior::Ok, judgement.close),
            verdict: judgement.close.name(),
            basis: basis(judgement.close_basis),
            reason: visible(&judgement.close_reason),
        },
    ]
}

const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Disputed => "disputed",
        Basis::Must => "must",
        Basis::Race => "race",
        Basis::Should => "should",
    }
}

/// What happened, in words: the events, then how it ended.
fn observed(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    if outcome.opened_at.is_none() {
        lines.push("The WebSocket never opened.".to_owned());
    }
    for event in &outcome.events {
        lines.push(format!("{} ms: {}", log::millis(event.at), visible(&event.what.describe())));
    }
    if outcome.events_omitted > 0 {
        lines.push(format!("and {} more events", outcome.events_omitted));
    }
    if outcome.events.is_empty() && outcome.opened_at.is_some() {
        lines.push(match outcome.echoes {
            0 => "No message and no pong.".to_owned(),
            n => format!("{} received whole.", number(n as usize, "message")),
        });
    }
    let closing = &outcome.closing;
    if let Some(at) = closing.remote_close_at {
        let code = closing.remote_code.map_or_else(
            || "without a code".to_owned(),
            |code| format!("with {}", code_words(code)),
        );
        lines.push(format!("{} ms: close frame {code}", log::millis(at)));
    }
    if let Some(end) = closing.tcp_end {
        lines.push(format!("{} ms: {}", log::millis(outcome.ended_at), log::tcp_end(end)));
    }
    lines
}

fn code_words(code: u16) -> String {
    CloseCode(code).name().map_or_else(|| code.to_string(), |name| format!("{code} ({name})"))
}

impl AttemptView {
    fn new(view: &View<'_>, attempt: &Attempt) -> Self {
        let outcome = &attempt.outcome;
        let mut words = vec![verdict(attempt.judgement(view.judge)).to_owned()];
        words.push(if attempt.quiet {
            "nothing else at work".to_owned()
        } else {
            format!("at most {} beside it", number(attempt.beside as usize, "other case"))
        });
        words.push(visible(&attempt.started));
        let mut log_notes = Vec::new();
        if outcome.transcript.omitted > 0 {
            log_notes.push(format!("{} more entries were not kept.", outcome.transcript.omitted));
        }
        if !outcome.log_was_on {
            log_notes.push("The log of octets and frames was off when the run ended.".to_owned());
        }
        let several = outcome.openings.len() > 1;
        Self {
            heading: format!("Attempt {}", attempt.attempt),
            words: words.join(", "),
            deviations: outcome.deviations.iter().map(deviation).collect(),
            log: log::rows(&outcome.transcript, several),
            log_notes,
            openings: (1..)
                .zip(&outcome.openings)
                .map(|(n, opening)| opening_view(opening, if several { n } else { 0 }))
                .collect(),
            closing: closing(outcome),
            stats: stats(outcome),
        }
    }
}

fn deviation(deviation: &Deviation) -> DeviationRow {
    DeviationRow {
        text: deviation.violation.describe(),
        cite: deviation.violation.into(),
        offset: deviation.offset,
    }
}

fn opening_view(opening: &Opening, number: usize) -> OpeningView {
    let text = |octets: &[u8]| {
        // Line ends stay line ends, everything else that cannot be seen is spelled out.
        let lines: Vec<_> = octets
            .split(|octet| *octet == b'\n')
            .map(|line| visible_octets(line.strip_suffix(b"\r").unwrap_or(line)))
            .collect();
        lines.join("\n").trim_end().to_owned()
    };
    let or_nothing = |text: String| if text.is_empty() { "(nothing)".to_owned() } else { text };
    OpeningView {
        number: if number == 0 { String::new() } else { format!(" {number}") },
        request: or_nothing(text(&opening.request)),
        response: or_nothing(text(&opening.response)),
        body: text(&opening.body),
        violations: opening.violations.iter().map(|v| (v.describe(), Cite::from(*v))).collect(),
    }
}

fn closing(outcome: &Outcome) -> Vec<(&'static str, String, &'static str)> {
    let closing = &outcome.closing;
    let flag = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let code = |code: Option<u16>| code.map_or_else(|| "none".to_owned(), code_words);
    let text = |octets: &Option<Vec<u8>>| {
        octets.as_deref().map_or_else(|| "none".to_owned(), visible_octets)
    };
    vec![
        ("isServer", flag(outcome.role == Role::Server), "the tester was the server"),
        ("closedByMe", flag(closing.closed_by_me), "the tester sent the first close frame"),
        (
            "failedByMe",
            flag(closing.failed_by_me),
            "the tester failed the connection: an illegal octet, or the case's time was over",
        ),
        ("droppedByMe", flag(closing.dropped_by_me), "the tester ended TCP"),
        (
            "wasClean",
            flag(closing.was_clean),
            "close frames went both ways and TCP ended as it should",
        ),
        (
            "wasNotCleanReason",
            closing.not_clean_reason.as_deref().map_or_else(|| "none".to_owned(), visible),
            "why it was not clean",
        ),
        (
            "wasServerConnectionDropTimeout",
            flag(closing.server_drop_timeout),
            "the server did not end TCP in time after the closing handshake",
        ),
        (
            "wasOpenHandshakeTimeout",
            flag(closing.open_handshake_timeout),
            "the opening handshake was not complete in time",
        ),
        (
            "wasCloseHandshakeTimeout",
            flag(closing.close_handshake_timeout),
            "the peer did not answer the close frame in time",
        ),
        ("localCloseCode", code(closing.local_code), "the code in the tester's close frame"),
        ("localCloseReason", text(&closing.local_reason), "the reason in the tester's close frame"),
        ("remoteCloseCode", code(closing.remote_code), "the code in the peer's close frame"),
        ("remoteCloseReason", text(&closing.remote_reason), "the reason in the peer's close frame"),
    ]
}

fn stats(outcome: &Outcome) -> Vec<(&'static str, String, u64)> {
    let stats = &outcome.stats;
    let octets = |(size, count): (&usize, &u64)| (number(*size, "octet"), *count);
    let frames = |(opcode, count): (&u8, &u64)| {
        (format!("{opcode} ({})", Opcode::from_bits(*opcode).name()), *count)
    };
    let mut rows = Vec::new();
    let mut add = |what, kinds: Vec<(String, u64)>| {
        rows.extend(kinds.into_iter().map(|(kind, count)| (what, kind, count)));
    };
    add("frames received", stats.frames_received.iter().map(frames).collect());
    add("frames sent", stats.frames_sent.iter().map(frames).collect());
    add("reads", stats.read_sizes.iter().map(octets).collect());
    add("writes", stats.write_sizes.iter().map(octets).collect());
    rows
}
