//! A run in Markdown, for step summaries and comments: totals, then what is not as expected.

use std::fmt::Write;

use crate::{
    Gate,
    words::{headline, judge_name, number, visible},
};

/// More findings than this are counted.
const MAX_SHOWN: usize = 30;

/// Renders the text.
pub fn render(gate: &Gate<'_>) -> String {
    let (results, judge) = (gate.question.results, gate.question.judge);
    let findings = gate.findings();
    let mut out = "## WebSocket conformance\n\n".to_owned();
    out.push_str("| peer | result | failed | passed | other | known |\n");
    out.push_str("|---|---|--:|--:|--:|--:|\n");
    for peer in results.peers() {
        let counts = results.counts(&peer.peer, judge);
        let result = headline(results, &peer.peer, counts);
        let other = counts.non_strict + counts.informational + counts.unimplemented;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {other} | {} |",
            escaped(&peer.peer),
            escaped(result.trim_start_matches("– ")),
            counts.deviating,
            counts.ok,
            gate.known_of(&peer.peer)
        );
    }
    if results.peers().is_empty() {
        out.push_str("| none | nobody was tested | | | | |\n");
    }
    let _ = match findings.len() {
        0 if results.peers().is_empty() => Ok(()),
        0 => writeln!(out, "\nEverything is as expected."),
        n => writeln!(out, "\n**{} not as expected:**\n", number(n, "thing")),
    };
    for finding in findings.iter().take(MAX_SHOWN) {
        let _ = writeln!(
            out,
            "- **{}** {} {}: {}",
            finding.kind.word(),
            escaped(&finding.peer),
            escaped(&finding.case),
            escaped(&finding.sentence())
        );
    }
    if let Some(more) = findings.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "- and {more} more");
    }
    if let Some(run) = results.run() {
        let _ = writeln!(
            out,
            "\n{}, catalogue {}, {} judgement, seed {}.",
            escaped(&run.tool),
            escaped(&run.catalogue),
            judge_name(judge),
            run.seed
        );
    }
    out
}

/// A text in which nothing is markup, names nobody, and ends no cell.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Neither an address nor a number of an issue.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
