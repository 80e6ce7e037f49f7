//! The cases of servers, beside `wstest` in alternating runs against the same server.

use std::{fs, path::Path, process::Command};

use anyhow::Context;
use serde_json::{Value, json};

use super::{
    Bench,
    measure::{Run, cell, measure, median, peak_mib, ratio},
};
use crate::peers::{self, Peer};

/// What is left out of the quick cases.
const SLOW: [&str; 3] = ["9.*", "12.*", "13.*"];

/// How many cases may overlap where the measured ones may.
const JOBS: &str = "16";

/// How long the parts of a run took, in seconds, as its stored results tell.
#[derive(Default)]
struct Parts {
    /// All cases, each once.
    first_pass: Option<f64>,
    /// The longest case of that.
    longest: Option<f64>,
}

/// The 247 quick cases.
pub(super) fn quick(bench: &Bench<'_>) -> anyhow::Result<()> {
    let runs = bench.runs.unwrap_or(3);
    heads();
    for peer in [peers::npm_ws, peers::websockets, peers::tungstenite, peers::bun] {
        bench.compare(&peer(bench.root)?, &SLOW, runs)?;
    }
    bench.compare(&peers::built_in(bench.binary, None)?, &SLOW, runs)?;
    // They make `wstest` wait for minutes; one run is enough. Where TCP is kept after a fault, too, it
    // would never come to an end.
    for defect in ["silent", "tcp-kept-after-close"] {
        bench.compare(&peers::built_in(bench.binary, Some(defect))?, &SLOW, 1)?;
    }
    Ok(())
}

/// All 517 cases. The server compresses 11 GB, so that nobody repeats this for pleasure.
pub(super) fn all(bench: &Bench<'_>) -> anyhow::Result<()> {
    let runs = bench.runs.unwrap_or(1);
    heads();
    for peer in [peers::bun, peers::npm_ws] {
        let peer = peer(bench.root)?;
        let mut overlapped = Vec::new();
        for _ in 0..runs {
            let mut command = Command::new(bench.binary);
            command
                .args(["test", &peer.url, "--exclude", "HS.*,CL.*", "--jobs", JOBS, "--out"])
                .arg(bench.folder.join("overlapped"));
            overlapped.push(measure(&mut command, Some(peer.id()))?);
        }
        row(peer.name, &format!("wsproof --jobs {JOBS}"), &overlapped, &[], &Parts::default());
        bench.compare(&peer, &[], runs)?;
    }
    Ok(())
}

fn heads() {
    let heads = [
        "server",
        "tool",
        "runs",
        "wall s",
        "min",
        "max",
        "first pass s",
        "longest case s",
        "tool CPU s",
        "server CPU s",
        "wall of server CPU",
        "peak MiB",
        "wall of wstest",
        "CPU of wstest",
    ];
    println!("| {} |", heads.join(" | "));
    println!("|{}", "---|".repeat(heads.len()));
}

impl Bench<'_> {
    /// Runs the cases with ours and the original by turns, through the same specification.
    fn compare(&self, peer: &Peer, excluded: &[&str], runs: usize) -> anyhow::Result<()> {
        let (spec, reports) = (self.folder.join("spec.json"), self.folder.join("reports"));
        let text = json!({
            "outdir": reports,
            "cases": ["*"],
            "exclude-cases": excluded,
            "servers": [{"agent": "peer", "url": peer.url}],
        });
        fs::write(&spec, text.to_string())?;
        let (mut ours, mut theirs, mut parts) = (Vec::new(), Vec::new(), Parts::default());
        for _ in 0..runs {
            let arguments = |command: &mut Command| {
                command.args(["-m", "fuzzingclient", "-s"]).arg(&spec);
                measure(command, Some(peer.id()))
            };
            ours.push(arguments(Command::new(self.binary).arg("wstest"))?);
            parts = read_parts(&reports.join("results.jsonl"))?;
            if let Some(wstest) = self.wstest {
                theirs.push(arguments(&mut Command::new(wstest))?);
            }
        }
        row(peer.name, "wsproof", &ours, &theirs, &parts);
        row(peer.name, "wstest", &theirs, &theirs, &Parts::default());
        Ok(())
    }
}

fn row(peer: &str, tool: &str, runs: &[Run], base: &[Run], parts: &Parts) {
    let wall = |run: &Run| Some(run.wall);
    let Some(middle) = median(runs, wall) else { return };
    let walls = || runs.iter().map(|run| run.wall);
    let server = median(runs, |run| run.peer);
    println!(
        "| {peer} | {tool} | {} | {middle:.2} | {:.2} | {:.2} | {} | {} | {} | {} | {} | {} | {} | {} |",
        runs.len(),
        walls().fold(f64::MAX, f64::min),
        walls().fold(0.0, f64::max),
        cell(parts.first_pass, 2),
        cell(parts.longest, 2),
        cell(median(runs, |run| run.tool), 2),
        cell(server, 2),
        cell(server.filter(|cpu| *cpu > 1.0).map(|cpu| middle / cpu), 2),
        cell(peak_mib(runs), 0),
        cell(ratio(runs, base, wall), 3),
        cell(ratio(runs, base, |run| run.tool), 3),
    );
}

/// What the attempts of a stored run say of its first pass.
fn read_parts(results: &Path) -> anyhow::Result<Parts> {
    let text = fs::read_to_string(results).context("the results of the run")?;
    let (mut first, mut last, mut longest) = (f64::MAX, 0.0_f64, 0.0_f64);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        if line["type"] != "attempt" || line["attempt"] != 1 {
            continue;
        }
        let ended = &line["outcome"]["ended_at"];
        let took = ended["secs"].as_f64().zip(ended["nanos"].as_f64());
        let started = line["started"].as_str().and_then(seconds_of_day);
        let (Some((secs, nanos)), Some(started)) = (took, started) else { continue };
        let took = secs + nanos / 1e9;
        first = first.min(started);
        last = last.max(started + took);
        longest = longest.max(took);
    }
    let known = |value: f64| (last > 0.0).then_some(value);
    Ok(Parts { first_pass: known(last - first), longest: known(longest) })
}

/// The time of the day in a timestamp such as `2025-01-31T12:30:01.250Z`.
fn seconds_of_day(stamp: &str) -> Option<f64> {
    let time = stamp.split_once('T')?.1.trim_end_matches('Z');
    let parts: Vec<f64> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    Some((hours * 60.0 + minutes) * 60.0 + seconds)
}
