//! Do verdicts move? The quick cases and the handshakes again and again, with more and with fewer
//! jobs, beside a busy machine and on a quiet one, with all servers at the same time.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::peers::{self, Peer};

type Verdicts = BTreeMap<String, String>;

const JOBS: [&str; 4] = ["1", "2", "16", "64"];

/// Servers with one fault each, which fail in different ways: at once, late, by a reset, in some
/// messages, in none. Faults that make each case wait for its limit would take hours.
const DEFECTS: [&str; 9] = [
    "close-drops-tcp",
    "control-long-taken",
    "error-drops-tcp",
    "error-resets-tcp",
    "pong-fragmented",
    "sends-close-one-octet",
    "sends-nested-message",
    "sends-reserved-opcode",
    "tcp-reset",
];

/// What became of the runs with one server.
struct Watched {
    peer: Peer,
    first: Option<Verdicts>,
    pairs: usize,
    flips: usize,
}

/// Runs everything `runs` times and fails if any verdict differs from the first one.
pub(crate) fn run(root: &Path, runs: usize) -> anyhow::Result<()> {
    let binary = peers::build(root)?;
    let folder = std::env::temp_dir().join(format!("wsproof-flips-{}", std::process::id()));
    let mut peers = vec![
        peers::npm_ws(root)?,
        peers::tungstenite(root)?,
        peers::bun(root)?,
        peers::built_in(&binary, None)?,
    ];
    for defect in DEFECTS {
        peers.push(peers::built_in(&binary, Some(defect))?);
    }
    let watched = |peer| Watched { peer, first: None, pairs: 0, flips: 0 };
    let mut watched: Vec<_> = peers.into_iter().map(watched).collect();
    let begun = Instant::now();
    for busy in [false, true] {
        let stop = AtomicBool::new(false);
        let hogs = if busy { cpus() } else { 0 };
        thread::scope(|scope| {
            for _ in 0..hogs {
                scope.spawn(|| hog(&stop));
            }
            // A run spends most of its time in pauses, which may as well be those of all servers.
            let repeat = |it| scope.spawn(|| Watched::repeat(it, &binary, &folder, runs, busy));
            let repeating: Vec<_> = watched.iter_mut().map(repeat).collect();
            let ended: Vec<_> = repeating.into_iter().map(ScopedJoinHandle::join).collect();
            stop.store(true, Ordering::Relaxed);
            ended.into_iter().try_for_each(|ended| ended.expect("the thread does not panic"))
        })?;
    }
    fs::remove_dir_all(&folder)?;
    let pairs: usize = watched.iter().map(|it| it.pairs).sum();
    let flips: usize = watched.iter().map(|it| it.flips).sum();
    let took = begun.elapsed().as_secs();
    println!("flips: {pairs} pairs of verdicts compared in {took} s, {flips} flips");
    ensure!(flips == 0, "{flips} of {pairs} verdicts moved");
    Ok(())
}

impl Watched {
    /// Repeats the cases with more and more jobs.
    fn repeat(
        &mut self,
        binary: &Path,
        folder: &Path,
        runs: usize,
        busy: bool,
    ) -> anyhow::Result<()> {
        let Self { peer, first, pairs, flips } = self;
        let folder = folder.join(peer.name);
        for jobs in JOBS {
            for _ in 0..runs {
                let verdicts = verdicts(binary, &folder, peer, jobs)?;
                let Some(first) = first else {
                    *first = Some(verdicts);
                    continue;
                };
                ensure!(first.len() == verdicts.len(), "{}: cases are missing", peer.name);
                *pairs += verdicts.len();
                for (case, verdict) in verdicts.iter().filter(|(case, it)| first[*case] != **it) {
                    *flips += 1;
                    let hogs = if busy { ", busy" } else { "" };
                    let was = &first[case];
                    println!("{} {case} with {jobs} jobs{hogs}: {was} became {verdict}", peer.name);
                }
            }
        }
        println!("{}: {pairs} pairs so far, {flips} flips", peer.name);
        Ok(())
    }
}

fn verdicts(binary: &Path, folder: &Path, peer: &Peer, jobs: &str) -> anyhow::Result<Verdicts> {
    let status = Command::new(binary)
        .args(["test", &peer.url, "--agent", "peer", "--judge", "classic", "--jobs", jobs])
        .args(["--exclude", "9.*,12.*,13.*", "--out"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.code().is_some_and(|code| code < 2), "the run ended with {status}");
    let text = fs::read_to_string(folder.join("index.json"))?;
    let index: Value = serde_json::from_str(&text)?;
    let cases = index["peer"].as_object().context("no verdicts")?;
    let verdict = |entry: &Value| {
        let [behavior, closing] = [&entry["behavior"], &entry["behaviorClose"]];
        // Which octets arrive before a reset is for the system to say, and no verdict here.
        if closing == "INFORMATIONAL" {
            return format!("{behavior} / {closing}");
        }
        format!("{behavior} / {closing} / {}", entry["remoteCloseCode"])
    };
    Ok(cases.iter().map(|(case, entry)| (case.clone(), verdict(entry))).collect())
}

fn hog(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::black_box((0..10_000_u64).fold(0, |sum: u64, n| sum ^ n.rotate_left(7)));
    }
}

fn cpus() -> usize {
    thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
