//! The fuzzing server with one client and with fifty, beside `wstest` with the same client. Cases
//! count where the client got through.

use std::{fs, process::Command, time::Instant};

use anyhow::Context;
use serde_json::json;

use super::{
    Bench,
    measure::{self, Run, cell, median, peak_mib, quiet, ratio},
};
use crate::peers;

/// Cases of the quick ones, each asked for by each client.
const CASES: f64 = 247.0;

/// How many clients there are.
const AGENTS: [usize; 2] = [1, 50];

/// Both tools, with each number of clients.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<()> {
    println!(
        "| clients | tool | runs | gave up | wall s | cases per s | tool CPU s | peak MiB \
         | wall of wstest |"
    );
    println!("|{}", "---|".repeat(9));
    for agents in AGENTS {
        let runs = bench.runs.unwrap_or(if agents == 1 { 3 } else { 1 });
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(walks(bench, Command::new(bench.binary).arg("wstest"), agents)?);
            if let Some(wstest) = bench.wstest {
                theirs.push(walks(bench, &mut Command::new(wstest), agents)?);
            }
        }
        for (tool, runs) in [("wsproof", &ours), ("wstest", &theirs)] {
            let wall = |run: &Run| Some(run.wall);
            let Some(middle) = median(runs, wall) else { continue };
            let lost = runs.iter().map(|run| run.lost).max().unwrap_or_default();
            let through = |run: &Run| {
                let clients = u32::try_from(agents).ok()?.checked_sub(run.lost)?;
                Some(f64::from(clients) * CASES / run.wall)
            };
            println!(
                "| {agents} | {tool} | {} | {lost} | {middle:.2} | {} | {} | {} | {} |",
                runs.len(),
                cell(median(runs, through), 0),
                cell(median(runs, |run| run.tool), 2),
                cell(peak_mib(runs), 0),
                cell(ratio(runs, &theirs, wall), 3),
            );
        }
    }
    Ok(())
}

/// Starts a fuzzing server and lets so many clients go through its cases at once, up to their
/// reports.
fn walks(bench: &Bench<'_>, server: &mut Command, agents: usize) -> anyhow::Result<Run> {
    let (spec, port) = (bench.folder.join("listen.json"), peers::free_port()?);
    let text = json!({
        "url": format!("ws://127.0.0.1:{port}"),
        "outdir": bench.folder.join("agents"),
        "cases": ["*"],
        "exclude-cases": ["9.*", "12.*", "13.*"],
        "exclude-agent-cases": {},
    });
    fs::write(&spec, text.to_string())?;
    server.args(["-m", "fuzzingserver", "-u", "0", "-s"]).arg(&spec);
    serve(bench, server, port, agents)
}

/// Starts a fuzzing server that will listen on `port`, and lets so many clients go through its
/// cases at once.
pub(super) fn serve(
    bench: &Bench<'_>,
    server: &mut Command,
    port: u16,
    agents: usize,
) -> anyhow::Result<Run> {
    let mut server = quiet(server).spawn().context("start the fuzzing server")?;
    let walked = peers::wait_for(port).and_then(|()| clients(bench, port, agents));
    let taken = walked.map(|(wall, lost)| Run {
        wall,
        lost,
        memory: measure::peak(server.id()),
        tool: measure::processor_time(server.id()),
        peer: None,
    });
    // It would wait for further clients.
    server.kill()?;
    server.wait()?;
    taken
}

/// Lets clients go through all cases at once. Returns how many seconds it took, and how many gave
/// up.
fn clients(bench: &Bench<'_>, port: u16, agents: usize) -> anyhow::Result<(f64, u32)> {
    let url = format!("ws://127.0.0.1:{port}");
    let started = Instant::now();
    let start = |n| {
        let mut command = Command::new(bench.binary);
        command.args(["testee", &url, "--timeout", "600", "--agent", &format!("agent{n}")]);
        quiet(&mut command).spawn()
    };
    let children = (0..agents).map(start).collect::<Result<Vec<_>, _>>()?;
    let lost = measure::wait(children)?;
    Ok((started.elapsed().as_secs_f64(), lost))
}
