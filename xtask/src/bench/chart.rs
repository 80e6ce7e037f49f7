//! A picture of growth: both axes logarithmic, so that what grows linearly is a line of the same
//! slope as the dashed one.

use std::fmt::Write as _;

use super::svg;

/// Size of the picture, and where its axes are.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 345.0;

/// Colours that are told apart on white and on black, and by the colour-blind.
const COLOURS: [&str; 3] = ["#3b7dd8", "#d2691e", "#2e9e5b"];

/// A line of the picture.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// Numbers above 0, from left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// Draws lines. `across` says what is counted along the bottom.
pub(super) fn draw(title: &str, across: &str, lines: &[Line<'_>]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (left, right) = decades(points().map(|point| point.0));
    let (low, high) = decades(points().map(|point| point.1));
    let x = |value: f64| LEFT + (value.log10() - left) / (right - left) * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - (value.log10() - low) / (high - low) * (BOTTOM - TOP);
    let mut body = String::new();
    let mut add = |text: String| {
        body.push_str(&text);
        body.push('\n');
    };
    add(format!("<text x=\"{LEFT}\" y=\"26\" font-size=\"16\">{title}</text>"));
    for value in powers(left, right) {
        let at = x(value);
        add(format!("<path d=\"M{at:.1} {TOP}V{BOTTOM}\" stroke=\"#ddd\"/>"));
        add(format!(
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>",
            BOTTOM + 18.0
        ));
    }
    for value in powers(low, high) {
        let at = y(value);
        add(format!("<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/>"));
        add(format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            LEFT - 8.0,
            at + 4.0
        ));
    }
    add(format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{across}</text>",
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 40.0
    ));
    for (line, colour) in lines.iter().zip(COLOURS) {
        let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else { continue };
        let linear = first.1 * last.0 / first.0;
        let mut path = String::new();
        for (n, point) in line.points.iter().enumerate() {
            let command = if n == 0 { 'M' } else { 'L' };
            // Writing to a string does not fail.
            let _ = write!(path, "{command}{:.1} {:.1}", x(point.0), y(point.1));
        }
        add(format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"));
        for point in &line.points {
            add(format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(point.0),
                y(point.1)
            ));
        }
        // Where linear growth from the first point would have led.
        let end = linear.min(10_f64.powf(high));
        let across = first.0 * end / first.1;
        add(format!(
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{colour}\" stroke-dasharray=\"3 4\"/>",
            x(first.0),
            y(first.1),
            x(across),
            y(end)
        ));
        add(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            x(last.0),
            y(last.1) - 8.0,
            line.name
        ));
    }
    svg(WIDTH, HEIGHT, title, &body)
}

/// The powers of ten around all values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for value in values {
        low = low.min(value.log10().floor());
        high = high.max(value.log10().ceil());
    }
    if low >= high { (high - 1.0, high) } else { (low, high) }
}

fn powers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(low), |power| Some(power + 1.0))
        .take_while(move |power| *power <= high)
        .map(|power| 10_f64.powf(power))
}
