//! `wsproof cases`: the catalogue, listed or one by one.

use std::fmt::Write;

use serde_json::json;
use wsproof_engine::Case;

use crate::{
    args::{CasesArgs, Format},
    exit::{Error, Exit},
    output,
    selection::select,
};

pub(crate) fn run(args: &CasesArgs) -> Result<Exit, Error> {
    let cases = select(wsproof_cases::catalogue(), &args.patterns, &[])?;
    let in_full = !args.patterns.is_empty() && cases.len() <= 20;
    let text = match args.format {
        Format::Json => json_text(&cases),
        Format::Md => markdown(&cases),
        Format::Text if in_full => cases.iter().map(details).collect::<Vec<_>>().join("\n"),
        Format::Text => list(&cases),
    };
    output::line(text.trim_end());
    Ok(Exit::AsExpected)
}

fn list(cases: &[Case]) -> String {
    let mut text = String::new();
    let mut section = "";
    for case in cases {
        if case.id.section() != section {
            section = case.id.section();
            let title = wsproof_cases::section_title(section).unwrap_or_default();
            let _ = writeln!(text, "{}{section}  {title}", if text.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(text, "  {:<9} {}", case.id, case.title);
    }
    let _ = write!(text, "\n{} cases. `wsproof cases ID` shows one.", cases.len());
    text
}

fn details(case: &Case) -> String {
    let cites: Vec<_> =
        case.cites.iter().map(|c| format!("RFC {}, {}", c.spec.number(), c.section)).collect();
    let mut text = format!("{}  {}\n", case.id, case.title);
    let _ = writeln!(text, "  {}", case.why);
    let _ = writeln!(text, "  by       {}", cites.join("; "));
    let _ = writeln!(text, "  defined  {}:{}", case.location.file, case.location.line);
    let _ = writeln!(text, "  sends    (a client sets the mask bit, and adds a key from the seed)");
    for (n, step) in case.plan().iter().enumerate() {
        let _ = writeln!(text, "    {:>2}. {step}", n + 1);
    }
    let _ = writeln!(text, "  expects\n    {}", case.expectation());
    text
}

fn markdown(cases: &[Case]) -> String {
    let mut text = "| id | case | rule |\n|---|---|---|\n".to_owned();
    for case in cases {
        let cites: Vec<_> =
            case.cites.iter().map(|c| format!("RFC {} {}", c.spec.number(), c.section)).collect();
        let title = case.title.replace('|', "\\|");
        let _ = writeln!(text, "| {} | {title} | {} |", case.id, cites.join(", "));
    }
    text
}

fn json_text(cases: &[Case]) -> String {
    let all: Vec<_> = cases
        .iter()
        .map(|case| {
            let cites: Vec<_> = case
                .cites
                .iter()
                .map(|c| json!({"rfc": c.spec.number(), "section": c.section}))
                .collect();
            json!({
                "id": case.id,
                "title": case.title,
                "why": case.why,
                "cites": cites,
                "sends": case.plan(),
                "expects": case.expectation(),
                "measured": case.measured,
                "defined": format!("{}:{}", case.location.file, case.location.line),
            })
        })
        .collect();
    serde_json::to_string_pretty(&all).unwrap_or_default()
}
