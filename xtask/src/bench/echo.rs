//! The echo server beside others: the same load, made by `wsproof load`, on one server after the
//! other in turns. Each server has one core to itself, where the system can do that, and the load
//! has another; so what is compared is what a core can do.

mod picture;
mod servers;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Context;
use serde_json::Value;

use super::{
    Bench,
    measure::{cell, median, threads_time},
};
use crate::peers::Peer;
use servers::{Certificate, Place};

/// Octets in a message and connections.
type Point = (usize, usize);

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const POINTS: [Point; 10] = [
    (125, 1),
    (125, 100),
    (125, 1000),
    (16 * KIB, 1),
    (16 * KIB, 100),
    (16 * KIB, 1000),
    (MIB, 1),
    (MIB, 100),
    (16 * MIB, 1),
    (16 * MIB, 8),
];

/// How long each point is measured in a run.
const SPAN: Duration = Duration::from_millis(400);

/// How much longer than it should a measurement may take: a thousand connections have to be opened.
const PATIENCE: Duration = Duration::from_secs(10);

/// How messages travel.
#[derive(Clone, Copy)]
struct Way {
    tls: bool,
    deflate: bool,
}

const WAYS: [Way; 4] = [
    Way { tls: false, deflate: false },
    Way { tls: true, deflate: false },
    Way { tls: false, deflate: true },
    Way { tls: true, deflate: true },
];

/// What one run came to.
#[derive(Clone, Copy)]
struct Run {
    messages: f64,
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Processor time of the server for a message in microseconds, where the system tells.
    cpu: Option<f64>,
}

/// Measures each point with each server, prints tables, and draws a picture.
pub(super) fn run(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (root, binary) = (bench.root, bench.binary);
    let certificate = Certificate::make(root, bench.folder)?;
    let mut drawn = Vec::new();
    for way in WAYS {
        let tls = way.tls.then_some(&certificate);
        let servers = servers::start_all(root, binary, tls, way.deflate)?;
        println!("\n{}\n", way.title());
        println!(
            "| octets | connections | server | messages/s | min | max | MB/s | p50 ms | p99 ms \
             | CPU µs a message |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for point in POINTS {
            let mut found: Vec<Vec<Run>> = vec![Vec::new(); servers.len()];
            for _ in 0..bench.runs.unwrap_or(3) {
                for (server, found) in servers.iter().zip(&mut found) {
                    found.extend(measure(binary, server, point, way)?);
                }
            }
            for (server, runs) in servers.iter().zip(&found) {
                row(server.name, point, runs);
                drawn.push((way, point, server.name, median(runs, |run| Some(run.per_second))));
            }
        }
    }
    bench.picture("echo", &picture::draw(&drawn))
}

impl Way {
    fn title(self) -> &'static str {
        match (self.tls, self.deflate) {
            (false, false) => "ws, plain",
            (true, false) => "wss, plain",
            (false, true) => "ws, permessage-deflate",
            (true, true) => "wss, permessage-deflate",
        }
    }
}

fn measure(
    binary: &Path,
    server: &Peer,
    (size, connections): Point,
    way: Way,
) -> anyhow::Result<Option<Run>> {
    let mut load = servers::command(binary, Place::Load);
    load.args(["load", &server.url, "--format", "json", "--warm-up", "0.15"])
        .args(["--size", &size.to_string(), "--connections", &connections.to_string()])
        .args(["--span", &SPAN.as_secs_f64().to_string()]);
    if way.deflate {
        load.arg("--deflate");
    }
    let mut child = load.stdout(Stdio::piped()).spawn().context("start the load")?;
    let output = child.stdout.take().context("read what the load prints")?;
    // A server that has lost an echo is not waited for.
    let (done, stuck) = mpsc::channel::<()>();
    let limit = SPAN + PATIENCE;
    let watching = thread::spawn(move || {
        if stuck.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = child.kill();
        }
        child.wait()
    });
    let (mut times, mut found) = (Vec::new(), None);
    for line in BufReader::new(output).lines() {
        let line: Value = serde_json::from_str(&line?).context("read what the load prints")?;
        if line["measuring"].is_boolean() {
            times.push(threads_time(server.id()));
        } else {
            found = Some(line);
        }
    }
    drop(done);
    let status = watching.join().expect("the thread does not panic")?;
    let Some(found) = found.filter(|_| status.success()) else {
        println!("<!-- {}: no figures, the load ended with {status} -->", server.name);
        return Ok(None);
    };
    let number = |name: &str| found[name].as_f64().with_context(|| format!("no {name}"));
    let messages = number("messages")?;
    let cpu = match times[..] {
        [Some(before), Some(after)] => Some((after - before) * 1e6 / messages),
        _ => None,
    };
    let [p50, p99] = [number("p50_us")? / 1e3, number("p99_us")? / 1e3];
    Ok(Some(Run { messages, per_second: number("messages_per_second")?, p50, p99, cpu }))
}

fn row(server: &str, (size, connections): Point, runs: &[Run]) {
    if runs.is_empty() {
        println!("| {size} | {connections} | {server} | failed | | | | | | |");
        return;
    }
    let rates = || runs.iter().map(|run| run.per_second);
    let (min, max) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
    let figure = |figure: &dyn Fn(&Run) -> Option<f64>| median(runs, figure);
    let rate = figure(&|run| Some(run.per_second));
    #[expect(clippy::cast_precision_loss, reason = "no message is that large")]
    let megabytes = rate.map(|rate| rate * size as f64 / 1e6);
    // A percentile says nothing if fewer messages went round than it takes to tell it apart.
    let of_many = |least: f64, percentile: &dyn Fn(&Run) -> f64| {
        let enough = runs.iter().all(|run| run.messages >= least);
        cell(figure(&|run| enough.then(|| percentile(run))), 3)
    };
    println!(
        "| {size} | {connections} | {server} | {} | {min:.0} | {max:.0} | {} | {} | {} | {} |",
        cell(rate, 0),
        cell(megabytes, 1),
        of_many(3.0, &|run| run.p50),
        of_many(100.0, &|run| run.p99),
        cell(figure(&|run| run.cpu), 1),
    );
}
