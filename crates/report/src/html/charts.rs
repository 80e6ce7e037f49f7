//! Charts of measured cases as SVG: one question each, the numbers below.
//!
//! Times are drawn only where nothing else ran beside the case; otherwise one sentence says so.

use std::{collections::BTreeMap, fmt::Write};

use wsproof_engine::{Accept, Case, CaseId, Outcome, Series, Step};

use super::View;
use crate::{contract::Attempt, words::visible};

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 462.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 204.0;
/// Lines in colour; those after them are grey.
const COLOURS: usize = 6;
/// Lines of a chart.
const LINES: usize = 12;

/// A chart with its values.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) words: String,
    pub(super) svg: String,
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

/// A line: name, and a value at each size; a case that failed has none.
struct Line {
    name: String,
    points: BTreeMap<u64, Option<f64>>,
}

pub(super) fn charts(view: &View<'_>) -> Vec<Chart> {
    FAMILIES.iter().filter_map(|family| chart(view, family)).collect()
}

fn chart(view: &View<'_>, family: &Family) -> Option<Chart> {
    let peers = view.results.peers();
    let mut lines = Vec::new();
    let mut beside = 0;
    for part in family.parts {
        for peer in peers {
            let mut points = BTreeMap::new();
            for (id, record) in view.results.records(&peer.peer) {
                let Some(attempt) = record.final_attempt().filter(|_| is_part(id, part)) else {
                    continue;
                };
                let Some(case) = view.case(id) else { continue };
                let Some(size) = size(case, id) else { continue };
                if attempt.outcome.unimplemented {
                    continue;
                }
                if !attempt.comparable && family.measure != Measure::Ratio {
                    beside += 1;
                    continue;
                }
                points.insert(size, value(case, attempt, family.measure));
            }
            if points.values().filter(|value| value.is_some()).count() > 1 {
                let name = name(view, part, family);
                let name =
                    if peers.len() == 1 { name } else { format!("{} {name}", visible(&peer.peer)) };
                lines.push(Line { name, points });
            }
        }
    }
    let title = family.title.to_owned();
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
            rows: Vec::new(),
        });
    }
    let rows = rows(&lines, family);
    lines.truncate(LINES);
    let svg = svg(&lines, family);
    Some(Chart { title, words: family.words.to_owned(), svg, rows })
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
            Some(Some(value)) => figure(*value),
            Some(None) => "failed".to_owned(),
            None => String::new(),
        });
        std::iter::once(line.name.clone()).chain(cells).collect()
    });
    std::iter::once(head).chain(body).collect()
}

const fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::RoundTrip => "µs",
        Measure::Rate => "MB/s",
        Measure::Ratio => "out/in",
    }
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

/// A round number at or above a value.
fn ceiling(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// Where values stand in a chart.
struct Scale {
    sizes: Vec<u64>,
    top: f64,
    bottom: f64,
    log: bool,
}

impl Scale {
    fn new(lines: &[Line], measure: Measure) -> Self {
        let values = lines.iter().flat_map(|line| line.points.values()).flatten();
        let (least, most) =
            values.fold((f64::MAX, 0.0f64), |(low, high), v| (low.min(*v), high.max(*v)));
        let log = measure == Measure::Rate && most > least * 50.0 && least > 0.0;
        let top = if measure == Measure::Ratio { most.max(1.2) } else { ceiling(most) };
        let bottom = if log { 10f64.powf(least.log10().floor()) } else { 0.0 };
        Self { sizes: sizes(lines), top, bottom, log }
    }

    fn x(&self, size: u64) -> f64 {
        let across = float(self.sizes.len().saturating_sub(1).max(1) as u64);
        let at = self.sizes.iter().position(|known| *known == size).unwrap_or_default();
        LEFT + (RIGHT - LEFT) * float(at as u64) / across
    }

    fn y(&self, value: f64) -> f64 {
        let part = if self.log {
            (value / self.bottom).log10() / (self.top / self.bottom).log10()
        } else {
            value / self.top
        };
        BOTTOM - (BOTTOM - TOP) * part.clamp(0.0, 1.0)
    }

    fn ticks(&self, measure: Measure) -> Vec<f64> {
        let ticks: Vec<f64> = if self.log {
            (0..8).map(|n| self.bottom * 10f64.powi(n)).collect()
        } else if measure == Measure::Ratio {
            vec![0.0, 0.25, 0.5, 0.75, 1.0]
        } else {
            (0..=4).map(|n| self.top * f64::from(n) / 4.0).collect()
        };
        ticks.into_iter().filter(|tick| *tick <= self.top * 1.001).collect()
    }
}

fn svg(lines: &[Line], family: &Family) -> String {
    let scale = Scale::new(lines, family.measure);
    let (unit, axis) = (unit(family.measure), family.axis);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}, {unit} by {axis}; the \
         numbers are below\">",
        family.title
    );
    for tick in scale.ticks(family.measure) {
        let (at, left) = (scale.y(tick), LEFT - 6.0);
        let text = if tick == 0.0 { "0".to_owned() } else { figure(tick) };
        let text = match text.split_once('.') {
            Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
            None => &text,
        };
        let _ = write!(
            svg,
            "<path class=\"g\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/><text x=\"{left:.0}\" y=\"{:.1}\" \
             text-anchor=\"end\">{text}</text>",
            at + 4.0
        );
    }
    let sizes = &scale.sizes;
    let every = sizes.len().div_ceil(6).max(1);
    for (n, size) in sizes.iter().enumerate() {
        if n.is_multiple_of(every) || n + 1 == sizes.len() {
            let (at, size) = (scale.x(*size), short(*size));
            middle(&mut svg, at, BOTTOM + 17.0, &size);
        }
    }
    let _ = write!(svg, "<text x=\"4\" y=\"13\">{unit}</text>");
    middle(&mut svg, f64::midpoint(LEFT, RIGHT), HEIGHT - 8.0, axis);
    let mut taken = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        draw(&mut svg, &scale, n, line, &mut taken);
    }
    svg.push_str("</svg>");
    svg
}

fn middle(svg: &mut String, x: f64, y: f64, text: &str) {
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.0}\" text-anchor=\"middle\">{text}</text>");
}

/// A line with its marks, and its name at the end where no other name is.
fn draw(svg: &mut String, scale: &Scale, n: usize, line: &Line, taken: &mut Vec<f64>) {
    let _ = write!(svg, "<g class=\"s s{}\">", n.min(COLOURS));
    let places = line.points.iter();
    let points: Vec<_> =
        places.filter_map(|(size, value)| Some((scale.x(*size), scale.y((*value)?)))).collect();
    let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(svg, "<polyline points=\"{}\"/>", path.join(" "));
    for (x, y) in &points {
        let _ = match n % 3 {
            0 => write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\"/>"),
            1 => {
                let (x, y) = (x - 3.0, y - 3.0);
                write!(svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"6\" height=\"6\"/>")
            }
            _ => write!(svg, "<path d=\"M{x:.1} {:.1}l4 7h-8z\"/>", y - 4.0),
        };
    }
    for (size, _) in line.points.iter().filter(|(_, value)| value.is_none()) {
        // It failed: a cross on the limit, not a gap.
        let x = scale.x(*size) - 4.0;
        let _ = write!(svg, "<path class=\"w\" d=\"M{x:.1} {TOP}l8 8m0 -8l-8 8\"/>");
    }
    if let Some((_, at)) = points.last() {
        let mut at = *at;
        while taken.iter().any(|other: &f64| (other - at).abs() < 12.0) && at > TOP {
            at -= 4.0;
        }
        taken.push(at);
        let (x, y, name) = (RIGHT + 8.0, at + 4.0, escaped(&line.name));
        let _ = write!(svg, "<text x=\"{x:.0}\" y=\"{y:.1}\">{name}</text>");
    }
    svg.push_str("</g>");
}

/// A name as text of an SVG, cut to what fits.
fn escaped(name: &str) -> String {
    let cut: String = name.chars().take(14).collect();
    cut.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;")
}
