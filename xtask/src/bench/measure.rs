//! What a process takes: time on the wall, of the processor, and memory.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What one run took.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    pub(super) wall: Duration,
    /// Peak resident memory in KiB, where the system tells.
    pub(super) memory: Option<u64>,
    /// Processor time of the tool, and of its peer meanwhile, where the system tells.
    pub(super) tool: Option<Duration>,
    pub(super) peer: Option<Duration>,
}

/// Runs a tool to its end, beside a peer that goes on running.
pub(super) fn measure(tool: &mut Command, peer: Option<u32>) -> anyhow::Result<Run> {
    let peer_time = || peer.and_then(processor_time);
    let (before, started) = (peer_time(), Instant::now());
    let mut child = quiet(tool).spawn().context("start the tool")?;
    let (mut memory, mut tool) = (None, None);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = peak(child.id()).or(memory);
        tool = processor_time(child.id()).or(tool);
        thread::sleep(LOOK);
    };
    let wall = started.elapsed();
    ensure!(status.code().is_some_and(|code| code < 2), "the tool ended with {status}");
    let peer = peer_time().zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Run { wall, memory, tool, peer })
}

/// A process of which nobody reads anything.
pub(super) fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Waits for all of them.
pub(super) fn wait(children: Vec<Child>) -> anyhow::Result<()> {
    for mut child in children {
        let status = child.wait()?;
        ensure!(status.code().is_some_and(|code| code < 2), "a client ended with {status}");
    }
    Ok(())
}

/// Processor time of a process so far, all its threads together. Linux counts it in hundredths of
/// a second.
pub(super) fn processor_time(id: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the fields are counted behind it.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// The most memory that a process has had so far, in KiB.
pub(super) fn peak(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The middle one of what is known, in seconds.
pub(super) fn median(runs: &[Run], figure: impl Fn(&Run) -> Option<Duration>) -> Option<f64> {
    let mut found: Vec<_> = runs.iter().filter_map(figure).map(|d| d.as_secs_f64()).collect();
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied()
}

/// How the medians of a figure compare.
pub(super) fn ratio(
    ours: &[Run],
    theirs: &[Run],
    figure: impl Fn(&Run) -> Option<Duration>,
) -> Option<f64> {
    Some(median(ours, &figure)? / median(theirs, &figure)?)
}

/// Most memory of all runs, in MiB.
pub(super) fn peak_mib(runs: &[Run]) -> Option<f64> {
    let kib = runs.iter().filter_map(|run| run.memory).max()?;
    Some(Duration::from_millis(kib).as_secs_f64() * 1000.0 / 1024.0)
}

/// A number for a table, or a dash where nothing is known.
pub(super) fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}
