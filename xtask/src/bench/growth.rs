//! How time and memory grow with the number of servers in a run, of clients of a fuzzing server,
//! and of results in a report.

use std::{collections::HashSet, fs, process::Command};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{
    Bench, agents,
    chart::{self, Line},
    measure::{self, Run, cell, median, peak_mib},
};
use crate::peers;

const SERVERS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const AGENTS: [u32; 7] = [1, 3, 10, 30, 100, 300, 1000];
const RESULTS: [u32; 8] = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000];

/// So many servers leave as many results as the largest report is to have.
const SERVERS_OF_REPORTS: u32 = 84;

/// What is left out for servers: what makes pauses of seconds, which say nothing of growth.
const PAUSES: [&str; 6] = ["5.19", "5.20", "6.4.*", "9.*", "12.*", "13.*"];

/// All three.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<()> {
    let across = "servers in a run, 241 cases each";
    grow(bench, "servers", across, &SERVERS, |n| servers(bench, n))?;
    servers(bench, SERVERS_OF_REPORTS)?;
    let stored = fs::read_to_string(bench.folder.join("growth/results.jsonl"))?;
    grow(bench, "results", "results in a report", &RESULTS, |n| report(bench, &stored, n))?;
    let across = "clients of a fuzzing server, 16 cases each";
    grow(bench, "clients", across, &AGENTS, |n| clients(bench, n))
}

/// Measures so many of something, prints a table, and draws its picture.
fn grow(
    bench: &Bench<'_>,
    name: &str,
    across: &str,
    counts: &[u32],
    measure: impl Fn(u32) -> anyhow::Result<Run>,
) -> anyhow::Result<()> {
    println!("\n| {across} | runs | wall s | CPU s | peak MiB |\n|---|---|---|---|---|");
    let (mut walls, mut peaks) = (Vec::new(), Vec::new());
    for &n in counts {
        let runs = (0..bench.runs.unwrap_or(1)).map(|_| measure(n));
        let runs = runs.collect::<anyhow::Result<Vec<_>>>()?;
        let wall = median(&runs, |run| Some(run.wall));
        let (cpu, peak) = (median(&runs, |run| run.tool), peak_mib(&runs));
        let cells = [cell(wall, 2), cell(cpu, 2), cell(peak, 0)].join(" | ");
        println!("| {n} | {} | {cells} |", runs.len());
        walls.extend(wall.map(|wall| (f64::from(n), wall)));
        peaks.extend(peak.map(|peak| (f64::from(n), peak)));
    }
    let lines = [Line { name: "wall s", points: walls }, Line { name: "peak MiB", points: peaks }];
    let title = format!("Time and memory by {name}");
    bench.picture(&format!("growth-{name}"), &chart::draw(&title, across, &lines))
}

/// So many servers in one run, which are all the same one.
fn servers(bench: &Bench<'_>, n: u32) -> anyhow::Result<Run> {
    let peer = peers::built_in(bench.binary, None)?;
    let servers: Vec<_> =
        (0..n).map(|n| json!({"agent": format!("server{n}"), "url": peer.url})).collect();
    let spec = bench.folder.join("growth.json");
    let text = json!({
        "outdir": bench.folder.join("growth"),
        "cases": ["*"],
        "exclude-cases": PAUSES,
        "servers": servers,
    });
    fs::write(&spec, text.to_string())?;
    let mut command = Command::new(bench.binary);
    command.args(["wstest", "-m", "fuzzingclient", "-s"]).arg(&spec);
    measure::measure(&mut command, Some(peer.id()))
}

/// A report of so many results of a stored run.
fn report(bench: &Bench<'_>, stored: &str, n: u32) -> anyhow::Result<Run> {
    let results = bench.folder.join("stored.jsonl");
    fs::write(&results, first_results(stored, usize::try_from(n)?)?)?;
    let mut command = Command::new(bench.binary);
    command.args(["report", "html"]).arg(&results).arg("--out").arg(bench.folder.join("pages"));
    measure::measure(&mut command, None)
}

/// The first `n` verdicts of stored results with all attempts that led to them, without peers of
/// which no verdict is left.
fn first_results(stored: &str, n: usize) -> anyhow::Result<String> {
    let lines = stored.lines().map(|line| Ok((serde_json::from_str(line)?, line)));
    let lines = lines.collect::<anyhow::Result<Vec<(Value, _)>>>()?;
    let verdicts = lines.iter().map(|(line, _)| line).filter(|line| line["type"] == "verdict");
    let kept: Vec<_> = verdicts.map(|line| (&line["peer"], &line["case"])).take(n).collect();
    ensure!(kept.len() == n, "the stored run has no more than {} results", kept.len());
    let peers: HashSet<_> = kept.iter().map(|(peer, _)| *peer).collect();
    let kept: HashSet<_> = kept.into_iter().collect();
    let is_kept = |line: &Value| {
        let (peer, case) = (&line["peer"], &line["case"]);
        (peer.is_null() || peers.contains(peer)) && (case.is_null() || kept.contains(&(peer, case)))
    };
    let lines = lines.iter().filter(|(line, _)| is_kept(line));
    Ok(lines.flat_map(|(_, line)| [line, "\n"]).collect())
}

/// So many clients at once, up to their reports.
fn clients(bench: &Bench<'_>, n: u32) -> anyhow::Result<Run> {
    let port = peers::free_port()?;
    let mut command = Command::new(bench.binary);
    let address = format!("127.0.0.1:{port}");
    command.args(["listen", &address, "--cases", "1.*", "--until-idle", "600", "--out"]);
    command.arg(bench.folder.join("clients"));
    let run = agents::serve(bench, &mut command, port, usize::try_from(n)?)?;
    ensure!(run.lost == 0, "{} of {n} clients gave up", run.lost);
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a run as they are stored, without what is of no use here.
    const STORED: [&str; 12] = [
        r#"{"type":"run","format":1,"cases":["1.1.1","2.6"]}"#,
        r#"{"type":"peer","peer":"a","url":"ws://127.0.0.1:1"}"#,
        r#"{"type":"excluded","peer":"a","cases":["9.1.1"]}"#,
        r#"{"type":"attempt","peer":"a","case":"1.1.1","attempt":1,"quiet":false}"#,
        r#"{"type":"attempt","peer":"a","case":"2.6","attempt":1,"quiet":false}"#,
        r#"{"type":"verdict","peer":"a","case":"2.6","attempt":1,"unstable":false}"#,
        r#"{"type":"attempt","peer":"a","case":"1.1.1","attempt":2,"quiet":true}"#,
        r#"{"type":"verdict","peer":"a","case":"1.1.1","attempt":2,"unstable":true}"#,
        r#"{"type":"peer","peer":"b","url":"ws://127.0.0.1:2"}"#,
        r#"{"type":"attempt","peer":"b","case":"2.6","attempt":1,"quiet":false}"#,
        r#"{"type":"verdict","peer":"b","case":"2.6","attempt":1,"unstable":false}"#,
        r#"{"type":"end","ended":"2025-01-31T12:30:01.250Z","interrupted":false}"#,
    ];

    fn check(n: usize, kept: &[usize]) {
        let lines = first_results(&STORED.join("\n"), n).unwrap();
        let expected: Vec<_> = kept.iter().map(|&line| STORED[line]).collect();
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected, "{n}");
    }

    #[test]
    fn verdicts_are_kept_with_their_attempts() {
        check(1, &[0, 1, 2, 4, 5, 11]);
        check(2, &[0, 1, 2, 3, 4, 5, 6, 7, 11]);
        check(3, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert!(first_results(&STORED.join("\n"), 4).is_err());
    }

    /// What is told apart above is what stored results have.
    #[test]
    fn the_schema_knows_these_lines() {
        let schema = include_str!("../../../schemas/results.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let kinds = schema["oneOf"].as_array().unwrap();
        for line in STORED {
            let line: Value = serde_json::from_str(line).unwrap();
            let kind =
                kinds.iter().find(|kind| kind["properties"]["type"]["const"] == line["type"]);
            let name = kind.unwrap_or_else(|| panic!("{line}"))["$ref"].as_str().unwrap();
            let fields = &schema["$defs"][name.rsplit('/').next().unwrap()]["properties"];
            for field in line.as_object().unwrap().keys().filter(|field| *field != "type") {
                assert!(!fields[field].is_null(), "{field} of {line}");
            }
        }
    }
}
