//! Charts of measured cases: one question each, the numbers below.
//!
//! Times are drawn only where nothing else ran beside the case; otherwise one sentence says so.
//! Where each value was measured once, it says that too.

mod plot;

use std::collections::BTreeMap;

use wsproof_engine::{Accept, Case, CaseId, Outcome, Series, Step};

use super::View;
use crate::{contract::Attempt, words::visible};

/// A chart with its values.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) words: String,
    pub(super) svg: String,
    /// The mark of each line, and its name.
    pub(super) legend: Vec<(String, String)>,
    pub(super) rows: Vec<Vec<String>>,
}

/// What a subsection measures.
struct Family {
    /// The subsections that share a chart.
    parts: &'static [&'static str],
    title: &'static str,
    words: &'static str,
    axis: &'static str,
    measure: Measure,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Microseconds for each echo.
    RoundTrip,
    /// Megabytes a second.
    Rate,
    /// Octets on the wire for each octet of the message.
    Ratio,
}

const FAMILIES: &[Family] = &[
    Family {
        parts: &["9.7", "9.8"],
        title: "Round trip",
        words: "9.7, 9.8: mean of 1000 echoes",
        axis: "octets of a message",
        measure: Measure::RoundTrip,
    },
    Family {
        parts: &["9.1", "9.2"],
        title: "Throughput by message size",
        words: "9.1, 9.2: one message, there and back",
        axis: "octets of a message",
        measure: Measure::Rate,
    },
    Family {
        parts: &["9.3", "9.4"],
        title: "Throughput by fragment size",
        words: "9.3, 9.4: 4 MiB, there and back",
        axis: "octets of a fragment",
        measure: Measure::Rate,
    },
    Family {
        parts: &["9.5", "9.6"],
        title: "Throughput by size of a write",
        words: "9.5, 9.6: 1 MiB, there and back",
        axis: "octets of a write",
        measure: Measure::Rate,
    },
    Family {
        parts: &["12.1", "12.2", "12.3", "12.4", "12.5"],
        title: "Compression by content",
        words: "12: octets from the peer for each octet of a message; below 1 is smaller",
        axis: "octets of a message",
        measure: Measure::Ratio,
    },
    Family {
        parts: &["13.1", "13.2", "13.3", "13.4", "13.5", "13.6", "13.7"],
        title: "Compression by parameters",
        words: "13: octets from the peer for each octet of a message",
        axis: "octets of a message",
        measure: Measure::Ratio,
    },
    Family {
        parts: &["12.1", "12.2", "12.3", "12.4", "12.5"],
        title: "Compressed throughput by content",
        words: "12: messages, there and back",
        axis: "octets of a message",
        measure: Measure::Rate,
    },
    Family {
        parts: &["13.1", "13.2", "13.3", "13.4", "13.5", "13.6", "13.7"],
        title: "Compressed throughput by parameters",
        words: "13: messages, there and back",
        axis: "octets of a message",
        measure: Measure::Rate,
    },
];

/// A line: name, and what was measured at each size; of a case that failed, nothing.
struct Line {
    name: String,
    points: BTreeMap<u64, Option<Point>>,
}

/// What was measured: the run that counts, and the least and the most of all.
#[derive(Clone, Copy)]
struct Point {
    value: f64,
    least: f64,
    most: f64,
    runs: usize,
}

pub(super) fn charts(view: &View<'_>) -> Vec<Chart> {
    let several = view.results.peers().len() > 1;
    let mut charts = Vec::new();
    for family in FAMILIES {
        if several && family.parts.len() > 2 {
            // A chart for each part, so that its lines are the peers.
            charts.extend(family.parts.iter().filter_map(|part| chart(view, family, &[part])));
        } else {
            charts.extend(chart(view, family, family.parts));
        }
    }
    charts
}

fn chart(view: &View<'_>, family: &Family, parts: &[&str]) -> Option<Chart> {
    let peers = view.results.peers();
    let mut lines = Vec::new();
    let mut beside = 0;
    // Of a part without cases no peer has anything.
    let has_cases = |part: &&&str| view.cases.iter().any(|case| is_part(&case.id, part));
    for part in parts.iter().filter(has_cases) {
        for peer in peers {
            let (points, left) = points(view, family, part, &peer.peer);
            beside += left;
            if points.values().filter(|point| point.is_some()).count() > 1 {
                let part = name(view, part, family);
                let name = match (peers.len(), parts.len()) {
                    (1, _) => part,
                    (_, 1) => visible(&peer.peer),
                    _ => format!("{} {part}", visible(&peer.peer)),
                };
                lines.push(Line { name, points });
            }
        }
    }
    let mut title = family.title.to_owned();
    if let ([part], true) = (parts, family.parts.len() > 1) {
        title = format!("{title}: {}", name(view, part, family));
    }
    if lines.is_empty() {
        // One sentence in place of the chart.
        return (beside > 1).then(|| Chart {
            title,
            words: format!(
                "{}. Not drawn: other cases ran beside {beside} of these, so that their times mean \
                 nothing.",
                family.words
            ),
            svg: String::new(),
            legend: Vec::new(),
            rows: Vec::new(),
        });
    }
    Some(Chart {
        words: format!("{}{}", family.words, spread(&lines, family.measure)),
        svg: plot::svg(&lines, family, &title),
        legend: plot::legend(&lines),
        rows: rows(&lines, family),
        title,
    })
}

/// What a peer's cases of a subsection say, and how many say nothing since others ran beside them.
fn points(
    view: &View<'_>,
    family: &Family,
    part: &str,
    peer: &str,
) -> (BTreeMap<u64, Option<Point>>, usize) {
    let mut points = BTreeMap::new();
    let mut beside = 0;
    for (id, record) in view.results.records(peer).filter(|(id, _)| is_part(id, part)) {
        let Some(attempt) = record.final_attempt() else { continue };
        let Some(case) = view.case(id) else { continue };
        let Some(size) = size(case, id) else { continue };
        if attempt.outcome.unimplemented {
            continue;
        }
        let means = |attempt: &Attempt| attempt.comparable || family.measure == Measure::Ratio;
        if !means(attempt) {
            beside += 1;
            continue;
        }
        let all = record.attempts().iter().filter(|attempt| means(attempt));
        let all: Vec<_> = all.filter_map(|it| value(case, it, family.measure)).collect();
        let point = value(case, attempt, family.measure).map(|value| Point {
            value,
            least: all.iter().copied().fold(value, f64::min),
            most: all.iter().copied().fold(value, f64::max),
            runs: all.len(),
        });
        points.insert(size, point);
    }
    (points, beside)
}

/// How much is known of how the values vary.
fn spread(lines: &[Line], measure: Measure) -> String {
    let points = || lines.iter().flat_map(|line| line.points.values()).flatten();
    match points().map(|point| point.runs).max() {
        Some(runs) if runs > 1 => {
            format!("; whiskers: least and most of up to {runs} runs of a case")
        }
        // Octets do not vary as times do.
        _ if measure == Measure::Ratio => String::new(),
        _ => "; one run each, so that the spread is unknown".to_owned(),
    }
}

/// What tells the lines of a chart apart.
fn name(view: &View<'_>, part: &str, family: &Family) -> String {
    let first = view.cases.iter().find(|case| is_part(&case.id, part));
    match first.map(|case| &case.accept) {
        Some(Accept::EchoLoop { series: Series::Windows { corpus, .. }, .. })
            if part.starts_with("12") =>
        {
            corpus.name.to_owned()
        }
        Some(Accept::FirstEcho { kind, .. } | Accept::EchoLoop { kind, .. })
            if family.parts.len() == 2 =>
        {
            kind.name().to_owned()
        }
        _ => part.to_owned(),
    }
}

fn is_part(id: &CaseId, part: &str) -> bool {
    id.as_str().strip_prefix(part).is_some_and(|rest| rest.starts_with('.'))
}

/// The size that grows in a subsection.
fn size(case: &Case, id: &CaseId) -> Option<u64> {
    let fragments = case.steps.iter().any(|s| matches!(s, Step::FragmentSize(n) if *n > 0));
    match &case.accept {
        // Rows that are cut into fragments repeat a size.
        Accept::EchoLoop { series, .. } => (!fragments).then(|| series.size().0),
        Accept::FirstEcho { payload, .. } => case.steps.iter().find_map(|step| match step {
            Step::Frame(frame) => Some(frame.chop.map_or(payload.len(), |chop| chop.get() as u64)),
            Step::Message(message) => message.fragment_size,
            _ => None,
        }),
        _ => id.as_str().parse().ok(),
    }
}

fn value(case: &Case, attempt: &Attempt, measure: Measure) -> Option<f64> {
    let outcome = &attempt.outcome;
    if !outcome.computed_ok {
        return None;
    }
    let seconds = busy(outcome);
    match measure {
        Measure::RoundTrip => Some(seconds * 1e6 / f64::from(outcome.echoes.max(1))),
        Measure::Rate => {
            let octets = match &case.accept {
                Accept::FirstEcho { payload, .. } => payload.len(),
                Accept::EchoLoop { series: Series::Windows { size, .. }, count, .. } => {
                    *size as u64 * u64::from(*count)
                }
                _ => return None,
            };
            (seconds > 0.0).then(|| float(octets) * 2.0 / seconds / 1e6)
        }
        Measure::Ratio => {
            let incoming = outcome.traffic.as_ref()?.incoming;
            (incoming.app_octets > 0)
                .then(|| float(incoming.payload_octets) / float(incoming.app_octets))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a chart has no more digits")]
const fn float(n: u64) -> f64 {
    n as f64
}

/// From the opening of the WebSocket to the first close frame, in seconds.
fn busy(outcome: &Outcome) -> f64 {
    let closing = &outcome.closing;
    let closed = closing.local_close_at.into_iter().chain(closing.remote_close_at).min();
    let end = closed.unwrap_or(outcome.ended_at);
    end.saturating_sub(outcome.opened_at.unwrap_or_default()).as_secs_f64()
}

fn rows(lines: &[Line], family: &Family) -> Vec<Vec<String>> {
    let sizes = sizes(lines);
    let mut head = vec![format!("{}; {}", unit(family.measure), family.axis)];
    head.extend(sizes.iter().map(|size| short(*size)));
    let body = lines.iter().map(|line| {
        let cells = sizes.iter().map(|size| match line.points.get(size) {
            Some(Some(point)) => words(point),
            Some(None) => "failed".to_owned(),
            None => String::new(),
        });
        std::iter::once(line.name.clone()).chain(cells).collect()
    });
    std::iter::once(head).chain(body).collect()
}

const fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::RoundTrip => "µs for each echo",
        Measure::Rate => "MB/s",
        Measure::Ratio => "octets sent for each octet",
    }
}

/// A value, and what it was in other runs.
fn words(point: &Point) -> String {
    let value = figure(point.value);
    if point.least < point.most {
        return format!("{value} ({} to {})", figure(point.least), figure(point.most));
    }
    value
}

fn sizes(lines: &[Line]) -> Vec<u64> {
    let all: std::collections::BTreeSet<_> = lines.iter().flat_map(|l| l.points.keys()).collect();
    all.into_iter().copied().collect()
}

/// `64`, `1 Ki`, `4 Mi`.
fn short(size: u64) -> String {
    match size {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{} Mi", n >> 20),
        n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => format!("{} Ki", n >> 10),
        n => n.to_string(),
    }
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
