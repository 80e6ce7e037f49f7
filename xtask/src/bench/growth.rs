//! How time and memory grow with the number of servers in a run, of clients of a fuzzing server,
//! and of results in a report.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{
    Bench, agents,
    chart::{self, Line},
    measure::{self, Run, cell, peak_mib},
};
use crate::peers;

const SERVERS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const AGENTS: [u32; 7] = [1, 3, 10, 30, 100, 300, 1000];
/// No more than the largest run of servers leaves.
const RESULTS: [usize; 8] = [100, 200, 500, 1000, 2000, 5000, 10_000, 15_000];

/// What is left out for servers: what makes pauses of seconds, which say nothing of growth.
const PAUSES: [&str; 6] = ["5.19", "5.20", "6.4.*", "9.*", "12.*", "13.*"];

/// All three.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<()> {
    let servers = SERVERS.iter().map(|&n| Ok((f64::from(n), servers(bench, n)?)));
    let servers = servers.collect::<anyhow::Result<Vec<_>>>()?;
    show(bench, "servers", "servers in a run, 239 cases each", &servers)?;
    let stored = fs::read_to_string(bench.folder.join("growth/results.jsonl"))?;
    let reports = RESULTS.iter().map(|&n| {
        let results = f64::from(u32::try_from(n)?);
        Ok((results, report(bench, &stored, n)?))
    });
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    show(bench, "results", "results in a report", &reports)?;
    let clients = AGENTS.iter().map(|&n| Ok((f64::from(n), clients(bench, n)?)));
    let clients = clients.collect::<anyhow::Result<Vec<_>>>()?;
    show(bench, "clients", "clients of a fuzzing server, 16 cases each", &clients)
}

/// Prints a table and draws its picture.
fn show(bench: &Bench<'_>, name: &str, across: &str, runs: &[(f64, Run)]) -> anyhow::Result<()> {
    println!("\n| {across} | wall s | CPU s | peak MiB |\n|---|---|---|---|");
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    let memory = |run: &Run| peak_mib(std::slice::from_ref(run));
    for (n, run) in runs {
        let cpu = cell(seconds(run.tool), 2);
        println!("| {n} | {:.2} | {cpu} | {} |", run.wall.as_secs_f64(), cell(memory(run), 0));
    }
    let line = |name, figure: &dyn Fn(&Run) -> Option<f64>| Line {
        name,
        points: runs.iter().filter_map(|(n, run)| Some((*n, figure(run)?))).collect(),
    };
    let lines =
        [line("wall s", &|run| seconds(Some(run.wall))), line("peak MiB", &|run| memory(run))];
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
fn report(bench: &Bench<'_>, stored: &str, n: usize) -> anyhow::Result<Run> {
    let (mut text, mut attempts, mut last) = (String::new(), 0, String::new());
    for line in stored.lines() {
        let value: Value = serde_json::from_str(line)?;
        match value["type"].as_str().unwrap_or_default() {
            "attempt" if attempts == n => continue,
            "attempt" => {
                attempts += 1;
                last = format!("{}/{}", value["peer"], value["case"]);
            }
            // Of what has no attempt nothing is settled.
            "settled" if last != format!("{}/{}", value["peer"], value["case"]) => continue,
            _ => {}
        }
        text.push_str(line);
        text.push('\n');
    }
    let results = bench.folder.join("stored.jsonl");
    fs::write(&results, text)?;
    let mut command = Command::new(bench.binary);
    command.args(["report", "html"]).arg(&results).arg("--out").arg(bench.folder.join("pages"));
    measure::measure(&mut command, None)
}

/// So many clients at once, up to their reports.
fn clients(bench: &Bench<'_>, n: u32) -> anyhow::Result<Run> {
    let port = peers::free_port()?;
    let mut command = Command::new(bench.binary);
    let address = format!("127.0.0.1:{port}");
    command.args(["listen", &address, "--cases", "1.*", "--until-idle", "600", "--out"]);
    command.arg(bench.folder.join("clients"));
    agents::serve(bench, &mut command, port, usize::try_from(n)?)
}
