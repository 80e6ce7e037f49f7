//! TAP version 14: a test point for each case of each peer.
//!
//! What the baseline expects is a `TODO`, which no harness counts as a failure.

use std::fmt::Write;

use serde_json::Value;
use wsproof_engine::CaseId;

use crate::{
    Gate,
    gate::{Finding, Standing},
    replay,
    words::visible,
};

/// Renders the document.
pub fn render(gate: &Gate<'_>) -> String {
    let mut points = String::new();
    let mut number = 0;
    for peer in gate.question.results.peers() {
        for (case, standing) in gate.cases_of(&peer.peer) {
            number += 1;
            let name = escaped(&format!("{} {}", peer.peer, gate.name(&case)));
            let _ = match standing {
                Standing::Good => writeln!(points, "ok {number} - {name}"),
                Standing::Absent(why) => {
                    writeln!(points, "ok {number} - {name} # SKIP {}", why.words())
                }
                Standing::Known(why) => {
                    writeln!(points, "not ok {number} - {name} # TODO known: {}", escaped(why))
                }
                Standing::Found(finding) => {
                    let _ = writeln!(points, "not ok {number} - {name}");
                    diagnostic(&mut points, gate, finding, Some((&peer.peer, &case)))
                }
            };
        }
    }
    for finding in gate.apart() {
        number += 1;
        let name = escaped(&format!("baseline {} {}", finding.peer, finding.case));
        let _ = writeln!(points, "not ok {number} - {}", name.trim_end());
        let _ = diagnostic(&mut points, gate, finding, None);
    }
    format!("TAP version 14\n1..{number}\n{points}")
}

/// A block of YAML; a text of JSON is one of YAML, too.
fn diagnostic(
    out: &mut String,
    gate: &Gate<'_>,
    finding: &Finding,
    case: Option<(&str, &CaseId)>,
) -> std::fmt::Result {
    let replay =
        case.and_then(|(peer, case)| replay::command(gate.question.results, peer, case.as_str()));
    let texts = [
        ("kind", Some(finding.kind.word().to_owned())),
        ("message", Some(finding.what.clone())),
        ("mend", Some(finding.mend.clone()).filter(|mend| !mend.is_empty())),
        ("replay", replay),
    ];
    writeln!(out, "  ---")?;
    for (key, text) in texts {
        if let Some(text) = text {
            writeln!(out, "  {key}: {}", Value::from(text))?;
        }
    }
    writeln!(out, "  ...")
}

/// A text in which nothing is a directive.
fn escaped(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('#', "\\#")
}
