//! Speed beside `wstest` in alternating runs against the same server. Ratios count; the machines
//! are noisy.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::peers::{self, Peer};

/// What one run took.
#[derive(Clone, Copy)]
struct Run {
    wall: Duration,
    /// Peak resident memory in KiB, where the system tells.
    memory: Option<u64>,
    /// Processor time of the tool, and of the server meanwhile, where the system tells.
    tool: Option<Duration>,
    server: Option<Duration>,
}

/// Which cases are run.
#[derive(Clone, Copy)]
pub(crate) enum Cases {
    /// All 517.
    All,
    /// The 247 that need no minutes.
    Quick,
}

/// Runs the cases `runs` times with each server and prints a table.
pub(crate) fn run(
    root: &Path,
    cases: Cases,
    wstest: Option<&str>,
    runs: usize,
) -> anyhow::Result<()> {
    let binary = peers::build(root)?;
    let folder = std::env::temp_dir().join(format!("wsproof-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let bench = Bench { binary: &binary, folder: &folder, cases, wstest };
    let done = bench.tables(root, runs);
    fs::remove_dir_all(&folder)?;
    done
}

struct Bench<'a> {
    binary: &'a Path,
    folder: &'a Path,
    cases: Cases,
    wstest: Option<&'a str>,
}

impl Bench<'_> {
    fn tables(&self, root: &Path, runs: usize) -> anyhow::Result<()> {
        println!(
            "| server | tool | runs | median s | min | max | tool CPU s | server CPU s | peak MiB \
             | wall of wstest | CPU of wstest |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
        self.compare(&peers::npm_ws(root)?, runs)?;
        if matches!(self.cases, Cases::All) {
            return Ok(());
        }
        self.compare(&peers::tungstenite(root)?, runs)?;
        self.compare(&peers::built_in(self.binary, None)?, runs)?;
        // A silent server makes `wstest` wait for minutes; one run of it is enough.
        self.compare(&peers::built_in(self.binary, Some("silent"))?, runs.min(1))
    }

    fn compare(&self, peer: &Peer, runs: usize) -> anyhow::Result<()> {
        let spec = self.folder.join("spec.json");
        let excluded: &[&str] = match self.cases {
            Cases::All => &[],
            Cases::Quick => &["9.*", "12.*", "13.*"],
        };
        let text = json!({
            "outdir": self.folder.join("out"),
            "cases": ["*"],
            "exclude-cases": excluded,
            "servers": [{"agent": "peer", "url": peer.url}],
        });
        fs::write(&spec, text.to_string())?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs.max(1) {
            ours.push(measure(Command::new(self.binary).arg("wstest"), &spec, peer)?);
            if let Some(wstest) = self.wstest {
                theirs.push(measure(&mut Command::new(wstest), &spec, peer)?);
            }
        }
        row(peer.name, "wsproof", &ours, &theirs);
        row(peer.name, "wstest", &theirs, &theirs);
        Ok(())
    }
}

fn row(peer: &str, tool: &str, runs: &[Run], base: &[Run]) {
    let wall = |run: &Run| Some(run.wall);
    let cpu = |run: &Run| run.tool;
    let Some(middle) = median(runs, wall) else { return };
    let walls = || runs.iter().map(|run| run.wall.as_secs_f64());
    let (min, max) = (walls().fold(f64::MAX, f64::min), walls().fold(0.0, f64::max));
    let memory = runs.iter().filter_map(|run| run.memory).max();
    let memory = memory.map_or_else(|| "?".to_owned(), |kib| (kib / 1024).to_string());
    let known = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "?".to_owned(), |value| format!("{value:.digits$}"))
    };
    let of_base = |figure: &dyn Fn(&Run) -> Option<Duration>| {
        median(runs, figure).zip(median(base, figure)).map(|(ours, theirs)| ours / theirs)
    };
    println!(
        "| {peer} | {tool} | {} | {middle:.2} | {min:.2} | {max:.2} | {} | {} | {memory} | {} | {} |",
        runs.len(),
        known(median(runs, cpu), 1),
        known(median(runs, |run| run.server), 1),
        known(of_base(&wall), 3),
        known(of_base(&cpu), 3),
    );
}

fn median(runs: &[Run], figure: impl Fn(&Run) -> Option<Duration>) -> Option<f64> {
    let mut found: Vec<_> = runs.iter().filter_map(figure).map(|d| d.as_secs_f64()).collect();
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied()
}

fn measure(tool: &mut Command, spec: &Path, peer: &Peer) -> anyhow::Result<Run> {
    let server_before = processor_time(peer.id());
    let started = Instant::now();
    let mut child = tool
        .args(["-m", "fuzzingclient", "-s"])
        .arg(spec)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start the tool")?;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let (mut memory, mut tool) = (None, None);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = peak(&status_file).or(memory);
        tool = processor_time(child.id()).or(tool);
        thread::sleep(Duration::from_millis(5));
    };
    ensure!(status.success(), "the tool ended with {status}");
    let wall = started.elapsed();
    let server = processor_time(peer.id())
        .zip(server_before)
        .map(|(after, before)| after.saturating_sub(before));
    Ok(Run { wall, memory, tool, server })
}

/// Processor time of a process so far, all its threads together. Linux counts it in hundredths of
/// a second.
fn processor_time(id: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the fields are counted behind it.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

fn peak(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
