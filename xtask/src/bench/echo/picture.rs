//! A picture of the figures: at each point a bar for each server, as long as its messages in a
//! second are many, beside those of the fastest.

use super::{Point, Way};
use crate::bench::svg;

/// What is drawn: where, who, and messages in a second.
pub(super) type Figure = (Way, Point, &'static str, Option<f64>);

const COLOURS: [(&str, &str); 4] = [
    ("wsproof echo", "#0b6e4f"),
    ("fastwebsockets", "#c9a227"),
    ("tokio-tungstenite", "#b5651d"),
    ("Bun", "#5b7db1"),
];

/// Height of a bar, and what is beside the bars: names of points to the left, figures to the right.
const BAR: f64 = 9.0;
const LABEL: f64 = 190.0;
const FIGURE: f64 = 80.0;
const WIDTH: f64 = 760.0;

/// The picture, as SVG.
pub(super) fn draw(figures: &[Figure]) -> String {
    let mut body = String::new();
    let mut add = |text: String| {
        body.push_str(&text);
        body.push('\n');
    };
    let mut x = LABEL;
    for (name, colour) in COLOURS {
        add(format!(r#"<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>"#));
        add(format!(r#"<text x="{}" y="17">{name}</text>"#, x + 15.0));
        x += 140.0;
    }
    let same = |a: &Figure, b: &Figure| a.0.title() == b.0.title() && a.1 == b.1;
    let (mut y, mut title) = (20.0, "");
    for point in figures.chunk_by(same) {
        let (way, (size, connections), ..) = point[0];
        if way.title() != title {
            title = way.title();
            y += 26.0;
            add(format!(r#"<text x="0" y="{y}" font-weight="bold">{title}</text>"#));
            y += 10.0;
        }
        let name = format!("{size} octets × {connections}");
        add(format!(r#"<text x="0" y="{}">{name}</text>"#, y + 2.0 * BAR));
        let best = point.iter().filter_map(|figure| figure.3).fold(0.0, f64::max);
        for (_, _, name, rate) in point {
            let colour = COLOURS.iter().find(|(known, _)| known == name).map_or("#888", |it| it.1);
            let (length, says) = match rate {
                Some(rate) => (rate / best * (WIDTH - LABEL - FIGURE), format!("{rate:.0}/s")),
                None => (0.0, "failed".to_owned()),
            };
            let (height, foot) = (BAR - 1.0, y + BAR - 1.0);
            let after = LABEL + length + 4.0;
            add(format!(
                r#"<rect x="{LABEL}" y="{y}" width="{length:.0}" height="{height}" fill="{colour}"/>"#
            ));
            add(format!(r#"<text x="{after:.0}" y="{foot}" font-size="8">{says}</text>"#));
            y += BAR;
        }
        y += 6.0;
    }
    svg(WIDTH, y + 10.0, "Messages in a second of echo servers", &body)
}

#[cfg(test)]
mod tests {
    use super::{super::WAYS, *};

    #[test]
    fn bars_are_as_long_as_the_fastest_is_fast() {
        let figure = |size, name, rate| (WAYS[0], (size, 1), name, rate);
        let picture = draw(&[
            figure(125, "wsproof echo", Some(200.0)),
            figure(125, "Bun", Some(100.0)),
            figure(16, "wsproof echo", None),
            figure(16, "Bun", None),
        ]);
        for length in [490, 245] {
            let bar = format!(r#"width="{length}" height="8""#);
            assert!(picture.contains(&bar), "{length}: {picture}");
        }
        assert_eq!(picture.matches(">failed<").count(), 2);
        assert!(!picture.contains("NaN"), "{picture}");
    }
}
