//! A picture of the figures: at each point a bar for each server, as long as its messages in a
//! second are many, beside those of the fastest.

use std::fmt::Write;

use super::{Point, Way};

/// What is drawn: where, who, and messages in a second.
pub(super) type Figure = (Way, Point, &'static str, Option<f64>);

const COLOURS: [(&str, &str); 4] = [
    ("wsproof echo", "#0b6e4f"),
    ("fastwebsockets", "#c9a227"),
    ("tokio-tungstenite", "#b5651d"),
    ("Bun", "#5b7db1"),
];

const BAR: usize = 9;
const LABEL: usize = 190;
const WIDTH: usize = 760;

/// The picture, as SVG.
pub(super) fn draw(figures: &[Figure]) -> String {
    let mut body = String::new();
    let mut y = 20;
    for (n, (name, colour)) in COLOURS.iter().enumerate() {
        let x = LABEL + n * 140;
        let _ = writeln!(body, r#"<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>"#);
        let _ = writeln!(body, r#"<text x="{}" y="17">{name}</text>"#, x + 15);
    }
    let same = |a: &Figure, b: &Figure| a.0.title() == b.0.title() && a.1 == b.1;
    let mut title = "";
    for point in figures.chunk_by(same) {
        let (way, (size, connections), ..) = point[0];
        if way.title() != title {
            title = way.title();
            y += 26;
            let _ = writeln!(body, r#"<text x="0" y="{y}" font-weight="bold">{title}</text>"#);
            y += 10;
        }
        let best = point.iter().filter_map(|figure| figure.3).fold(0.0, f64::max);
        let middle = y + point.len() * BAR / 2 + 4;
        let _ = writeln!(body, r#"<text x="0" y="{middle}">{size} octets × {connections}</text>"#);
        for (_, _, name, rate) in point {
            let rate = rate.unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "a picture is not that wide")]
            let length = rate / best * (WIDTH - LABEL - 80) as f64;
            let colour = COLOURS.iter().find(|(known, _)| known == name).map_or("#888", |it| it.1);
            let height = BAR - 1;
            let _ = writeln!(
                body,
                r#"<rect x="{LABEL}" y="{y}" width="{length:.0}" height="{height}" fill="{colour}"/><text x="{:.0}" y="{}" font-size="8">{rate:.0}/s</text>"#,
                190.0 + length + 4.0,
                y + height,
            );
            y += BAR;
        }
        y += 6;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#fff\"/>\n{body}</svg>\n",
        y + 10
    )
}
