//! How a chart is drawn: SVG that is as readable on a phone as on a desk, and says in words what it
//! shows.

use std::fmt::Write;

use super::{Family, Line, Measure, figure, float, short, sizes, unit, words};

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 232.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 368.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 188.0;
/// Lines in colour, with marks; those after them are thin and grey.
const COLOURS: usize = 6;

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
        let points = lines.iter().flat_map(|line| line.points.values()).flatten();
        let (least, most) = points
            .fold((f64::MAX, 0.0f64), |(low, high), it| (low.min(it.least), high.max(it.most)));
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

pub(super) fn svg(lines: &[Line], family: &Family, title: &str) -> String {
    let scale = Scale::new(lines, family.measure);
    let (unit, axis) = (unit(family.measure), family.axis);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}: {unit}, by {axis}. {}\">",
        escaped(title),
        markup(&said(lines))
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
    let last = sizes.len() - 1;
    for (n, size) in sizes.iter().enumerate() {
        // The last size has a label, and none so near before it that both could not be read.
        if n == last || n.is_multiple_of(every) && n + every <= last {
            let (at, size) = (scale.x(*size), short(*size));
            let anchor = if n == last && n > 0 { "end" } else { "middle" };
            text(&mut svg, at, BOTTOM + 18.0, anchor, &size);
        }
    }
    text(&mut svg, 4.0, 14.0, "start", unit);
    text(&mut svg, f64::midpoint(LEFT, RIGHT), HEIGHT - 6.0, "middle", axis);
    // Those in colour lie above the grey ones.
    for (n, line) in lines.iter().enumerate().rev() {
        draw(&mut svg, &scale, n, line);
    }
    svg.push_str("</svg>");
    svg
}

/// The mark of each line in colour with its name, and how many others there are.
pub(super) fn legend(lines: &[Line]) -> Vec<(String, String)> {
    let key = |n: usize| {
        format!(
            "<svg class=\"k\" viewBox=\"0 0 30 12\" aria-hidden=\"true\"><g class=\"s s{n}\"><polyline \
             points=\"0,6 30,6\"/>{}</g></svg>",
            mark(n, 15.0, 6.0)
        )
    };
    let named = lines.iter().take(COLOURS).enumerate();
    let mut legend: Vec<_> = named.map(|(n, line)| (key(n), line.name.clone())).collect();
    if lines.len() > COLOURS {
        let rest = format!("{} more: they are in the numbers", lines.len() - COLOURS);
        legend.push((key(COLOURS), rest));
    }
    legend
}

/// What a chart shows, for those who do not see it.
fn said(lines: &[Line]) -> String {
    let of = |line: &Line| {
        let mut known = line.points.iter().filter_map(|(size, point)| Some((size, (*point)?)));
        let (from, to) = (known.next()?, known.next_back()?);
        let at = |(size, point): (&u64, _)| format!("{} at {}", words(&point), short(*size));
        Some(format!("{}: from {} to {}", crate::words::bounded(&line.name, 200), at(from), at(to)))
    };
    let said: Vec<_> = lines.iter().take(COLOURS).filter_map(of).collect();
    format!("{}. All numbers are below.", said.join("; "))
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// The shape that tells a line from the others where colours do not.
fn mark(n: usize, x: f64, y: f64) -> String {
    match n {
        COLOURS.. => String::new(),
        _ if n.is_multiple_of(3) => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\"/>"),
        _ if n % 3 == 1 => {
            let (x, y) = (x - 3.2, y - 3.2);
            format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"6.4\" height=\"6.4\"/>")
        }
        _ => format!("<path d=\"M{x:.1} {:.1}l4.4 7.6h-8.8z\"/>", y - 4.4),
    }
}

/// A line with its marks; each says its value under the pointer.
fn draw(svg: &mut String, scale: &Scale, n: usize, line: &Line) {
    let name = escaped(&line.name);
    let _ = write!(svg, "<g class=\"s s{}\"><title>{name}</title>", n.min(COLOURS));
    let known = line.points.iter().filter_map(|(size, point)| Some((size, (*point)?)));
    let known: Vec<_> = known.collect();
    let path: Vec<_> = known
        .iter()
        .map(|(size, point)| format!("{:.1},{:.1}", scale.x(**size), scale.y(point.value)))
        .collect();
    let _ = write!(svg, "<polyline points=\"{}\"/>", path.join(" "));
    for (size, point) in known {
        let (x, y) = (scale.x(*size), scale.y(point.value));
        let (low, high) = (scale.y(point.least), scale.y(point.most));
        if point.least < point.most {
            let left = x - 3.0;
            let _ = write!(
                svg,
                "<path class=\"e\" d=\"M{left:.1} {low:.1}h6m-3 0V{high:.1}m-3 0h6\"/>"
            );
        }
        let (mark, words, size) = (mark(n, x, y), words(&point), short(*size));
        if !mark.is_empty() {
            let _ = write!(svg, "<g><title>{name}, {size}: {words}</title>{mark}</g>");
        }
    }
    for (size, _) in line.points.iter().filter(|(_, point)| point.is_none()) {
        // It failed: a cross on the limit, not a gap.
        let (x, size) = (scale.x(*size) - 4.0, short(*size));
        let _ = write!(
            svg,
            "<g><title>{name}, {size}: failed</title><path class=\"w\" d=\"M{x:.1} {TOP}l8 8m0 -8l-8 \
             8\"/></g>"
        );
    }
    svg.push_str("</g>");
}

/// A name as text of an SVG.
fn escaped(name: &str) -> String {
    markup(&crate::words::bounded(name, 200))
}

fn markup(text: &str) -> String {
    text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;")
}
