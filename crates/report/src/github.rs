//! Annotations of a workflow run on GitHub: commands that a step prints.

use crate::{Gate, words::number};

/// So many are shown for a step; the rest would be dropped without a word.
const MAX: usize = 10;

/// Renders a line for each finding, and one for those beyond the first nine.
pub fn annotations(gate: &Gate<'_>) -> Vec<String> {
    let findings = gate.findings();
    let shown = if findings.len() > MAX { MAX - 1 } else { findings.len() };
    let mut lines: Vec<_> = findings[..shown]
        .iter()
        .map(|finding| {
            let kind = finding.kind.word();
            let of = [kind, &finding.peer, &finding.case].map(str::trim).join(" ");
            annotation(&format!("wsproof: {}", of.trim_end()), &finding.sentence())
        })
        .collect();
    if let Some(more) = findings.len().checked_sub(shown).filter(|more| *more > 0) {
        let failures = findings[shown..].iter().filter(|f| f.kind.is_failure()).count();
        let text = format!(
            "{} not as expected beyond these, {} among them; the report has all",
            number(more, "thing"),
            number(failures, "failure")
        );
        lines.push(annotation("wsproof", &text));
    }
    lines
}

fn annotation(title: &str, text: &str) -> String {
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::error title={title}::{}", data(text))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
