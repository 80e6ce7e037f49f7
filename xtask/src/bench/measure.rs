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
    /// In seconds.
    pub(super) wall: f64,
    /// Peak resident memory in KiB, where the system tells.
    pub(super) memory: Option<u64>,
    /// Processor time of the tool, and of its peer meanwhile, in seconds, where the system tells.
    pub(super) tool: Option<f64>,
    pub(super) peer: Option<f64>,
    /// Clients that gave up.
    pub(super) lost: u32,
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
    let wall = started.elapsed().as_secs_f64();
    ensure!(status.code().is_some_and(|code| code < 2), "the tool ended with {status}");
    let peer = peer_time().zip(before).map(|(after, before)| after - before);
    Ok(Run { wall, memory, tool, peer, lost: 0 })
}

/// A process of which nobody reads anything.
pub(super) fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Waits for all of them. Returns how many did not do what they should.
pub(super) fn wait(children: Vec<Child>) -> anyhow::Result<u32> {
    let mut lost = 0;
    for mut child in children {
        lost += u32::from(child.wait()?.code().is_none_or(|code| code > 1));
    }
    Ok(lost)
}

/// Processor time of a process so far, in seconds: all its threads together, those that have ended
/// too. Linux counts it in hundredths of a second.
pub(super) fn processor_time(id: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the fields are counted behind it.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Processor time of a process so far, in seconds, as the scheduler counts it. Hundredths of a
/// second are too coarse for spans that are shorter than one; but what threads had that have ended
/// is missing here, so that it is for processes that keep theirs.
pub(super) fn threads_time(id: u32) -> Option<f64> {
    let mut nanos = 0.0;
    for thread in fs::read_dir(format!("/proc/{id}/task")).ok()? {
        // A thread may have ended meanwhile.
        let Ok(text) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else { continue };
        nanos += text.split_whitespace().next()?.parse::<f64>().ok()?;
    }
    Some(nanos / 1e9)
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

/// The middle one of what is known of runs; of an even number, the mean of the two in the middle.
pub(super) fn median<R>(runs: &[R], figure: impl Fn(&R) -> Option<f64>) -> Option<f64> {
    let mut found: Vec<_> = runs.iter().filter_map(figure).collect();
    found.sort_by(f64::total_cmp);
    let upper = *found.get(found.len() / 2)?;
    Some(if found.len() % 2 == 1 {
        upper
    } else {
        f64::midpoint(found[found.len() / 2 - 1], upper)
    })
}

/// How the medians of a figure compare.
pub(super) fn ratio(
    ours: &[Run],
    theirs: &[Run],
    figure: impl Fn(&Run) -> Option<f64>,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(runs: &[Option<f64>], expected: Option<f64>) {
        assert_eq!(median(runs, |run| *run), expected, "{runs:?}");
    }

    #[test]
    fn the_median_is_in_the_middle_of_what_is_known() {
        check(&[], None);
        check(&[None], None);
        check(&[Some(3.0)], Some(3.0));
        check(&[Some(9.0), Some(1.0)], Some(5.0));
        check(&[Some(9.0), Some(1.0), None, Some(2.0)], Some(2.0));
        check(&[Some(9.0), Some(1.0), Some(2.0), Some(4.0)], Some(3.0));
    }
}
