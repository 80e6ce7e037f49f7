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
}

/// Runs the 247 cases that need no minutes, `runs` times each, and prints a table.
pub(crate) fn run(root: &Path, wstest: Option<&str>, runs: usize) -> anyhow::Result<()> {
    let binary = peers::build(root)?;
    let folder = std::env::temp_dir().join(format!("wsproof-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = tables(root, &binary, &folder, wstest, runs);
    fs::remove_dir_all(&folder)?;
    done
}

fn tables(
    root: &Path,
    binary: &Path,
    folder: &Path,
    wstest: Option<&str>,
    runs: usize,
) -> anyhow::Result<()> {
    println!("| server | tool | runs | median s | min | max | peak MiB | of wstest |");
    println!("|---|---|---|---|---|---|---|---|");
    compare(&peers::npm_ws(root)?, binary, folder, wstest, runs)?;
    compare(&peers::tungstenite(root)?, binary, folder, wstest, runs)?;
    compare(&peers::built_in(binary, None)?, binary, folder, wstest, runs)?;
    // A silent server makes `wstest` wait for minutes; one run of it is enough.
    compare(&peers::built_in(binary, Some("silent"))?, binary, folder, wstest, runs.min(1))
}

fn compare(
    peer: &Peer,
    binary: &Path,
    folder: &Path,
    wstest: Option<&str>,
    runs: usize,
) -> anyhow::Result<()> {
    let spec = folder.join("spec.json");
    let text = json!({
        "outdir": folder.join("out"),
        "cases": ["*"],
        "exclude-cases": ["9.*", "12.*", "13.*"],
        "servers": [{"agent": "peer", "url": peer.url}],
    });
    fs::write(&spec, text.to_string())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        ours.push(measure(Command::new(binary).arg("wstest"), &spec)?);
        if let Some(wstest) = wstest {
            theirs.push(measure(&mut Command::new(wstest), &spec)?);
        }
    }
    let base = median(&theirs);
    row(peer.name, "wsproof", &ours, base);
    row(peer.name, "wstest", &theirs, base);
    Ok(())
}

fn row(peer: &str, tool: &str, runs: &[Run], base: Option<f64>) {
    let Some(middle) = median(runs) else { return };
    let walls = || runs.iter().map(|run| run.wall.as_secs_f64());
    let (min, max) = (walls().fold(f64::MAX, f64::min), walls().fold(0.0, f64::max));
    let memory = runs.iter().filter_map(|run| run.memory).max();
    let memory = memory.map_or_else(|| "?".to_owned(), |kib| (kib / 1024).to_string());
    let ratio = base.map_or_else(|| "?".to_owned(), |base| format!("{:.3}", middle / base));
    println!(
        "| {peer} | {tool} | {} | {middle:.2} | {min:.2} | {max:.2} | {memory} | {ratio} |",
        runs.len()
    );
}

fn median(runs: &[Run]) -> Option<f64> {
    let mut walls: Vec<_> = runs.iter().map(|run| run.wall.as_secs_f64()).collect();
    walls.sort_by(f64::total_cmp);
    walls.get(walls.len() / 2).copied()
}

fn measure(tool: &mut Command, spec: &Path) -> anyhow::Result<Run> {
    let started = Instant::now();
    let mut child = tool
        .args(["-m", "fuzzingclient", "-s"])
        .arg(spec)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start the tool")?;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut memory = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = peak(&status_file).or(memory);
        thread::sleep(Duration::from_millis(5));
    };
    ensure!(status.success(), "the tool ended with {status}");
    Ok(Run { wall: started.elapsed(), memory })
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
