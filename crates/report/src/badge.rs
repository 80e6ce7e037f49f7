//! A badge for a README: SVG that needs no font, no script and no network.

use askama::Template;

use crate::{Gate, words::number};

#[derive(Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge {
    text: String,
    colour: &'static str,
    left: usize,
    right: usize,
}

const LABEL: &str = "WebSocket";
const GOOD: &str = "#1b6e3c";
const BAD: &str = "#b3261e";
const NONE: &str = "#585d68";

/// Renders the badge: how many cases are as they should be, in the colour of the exit code.
pub fn render(gate: &Gate<'_>) -> String {
    let (results, judge) = (gate.question.results, gate.question.judge);
    let peers = results.peers();
    let totals = |peer: &str| {
        let counts = results.counts(peer, judge);
        (counts.total - counts.deviating, counts.total + results.missing(peer).len())
    };
    let good = gate.findings().is_empty();
    let (text, some) = match peers {
        [] => ("not tested".to_owned(), false),
        [peer] => {
            let (passed, of) = totals(&peer.peer);
            (format!("{passed} of {of}"), of > 0)
        }
        _ => {
            let of = number(peers.len(), "peer");
            let conform = peers.iter().map(|peer| totals(&peer.peer));
            let conform = conform.filter(|(passed, of)| passed == of && *of > 0).count();
            (format!("{conform} of {of}"), true)
        }
    };
    let partial = peers.iter().any(|peer| !results.missing(&peer.peer).is_empty());
    let colour = match (some && !partial, good) {
        (_, false) => BAD,
        (true, true) => GOOD,
        (false, true) => NONE,
    };
    // The widths of Verdana at 11 px, rounded up.
    let width = |text: &str| text.chars().count() * 7 + 12;
    let badge = Badge { left: width(LABEL), right: width(&text), text, colour };
    badge.render().unwrap_or_default()
}
