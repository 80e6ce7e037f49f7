//! A run that is killed loses nothing that was judged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{collections::BTreeSet, fs, path::Path, process::Stdio};

use serde_json::Value;
use support::{BINARY, command, echo, serve, wsproof};
use tempfile::TempDir;

/// How often a run is killed.
const MOMENTS: u64 = 20;

/// Starts a run and kills it when so many lines of results are there, wherever it is then. 6.4.1
/// waits for two seconds, so that the end is far away.
fn killed_after(dir: &Path, url: &str, lines: usize) {
    let mut child = command(BINARY)
        .args(["test", url, "--cases", "1.*,2.*,3.*,4.*,6.4.1", "--agent", "peer", "--out", "out"])
        .args(["--jobs", "4"])
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let results = dir.join("out/results.jsonl");
    let there = || fs::read(&results).unwrap_or_default();
    while whole_lines(&there()) < lines && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    // On Unix this is SIGKILL: nothing is written after it.
    child.kill().unwrap();
    child.wait().unwrap();
}

fn whole_lines(octets: &[u8]) -> usize {
    octets.split(|octet| *octet == b'\n').count() - 1
}

/// The cases with an attempt in the lines that are whole.
fn judged(results: &[u8]) -> BTreeSet<String> {
    let whole = results.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
    let lines = results[..whole].split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let attempts = lines.filter(|line| line["type"] == "attempt");
    attempts.map(|line| line["case"].as_str().unwrap().to_owned()).collect()
}

fn check(dir: &Path) {
    let results = fs::read(dir.join("out/results.jsonl")).unwrap();
    let judged = judged(&results);
    let report = |args: &[&str], exit: i32| {
        let output = wsproof(dir, &[&["report"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
        String::from_utf8(output.stdout).unwrap()
    };
    report(&["html", "out", "--out", "pages"], 0);
    let names = fs::read_dir(dir.join("pages")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<_> = names
        .filter_map(|name| {
            let case = name.strip_prefix("peer_case_")?.strip_suffix(".html")?;
            Some(case.replace('_', "."))
        })
        .collect();
    assert_eq!(pages, judged);
    let stored: Value = serde_json::from_str(&report(&["json", "out"], 0)).unwrap();
    let peers = stored["peers"].as_array().unwrap();
    let cases = peers.iter().filter_map(|peer| peer["cases"].as_object()).flatten();
    let with_verdict = cases.filter(|(_, case)| case.get("behavior").is_some());
    assert_eq!(with_verdict.map(|(id, _)| id.clone()).collect::<BTreeSet<_>>(), judged);
    // A machine that stood still may have let the run come to its end.
    let ended = results.ends_with(b"\"interrupted\":false}\n");
    assert_eq!(stored["interrupted"], !ended);
    let summary = report(&["check", "out"], if ended { 0 } else { 130 });
    if !judged.is_empty() && !ended {
        assert!(summary.contains(&format!("interrupted after {} of", judged.len())), "{summary}");
    }
}

#[test]
fn whenever_a_run_is_killed_the_report_has_what_was_judged() {
    let server = serve(|stream, _| echo(stream));
    let mut seed = 6455_u64;
    for moment in 0..MOMENTS {
        // The numbers of Knuth's generator are random enough for this.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dir = TempDir::new().unwrap();
        // There is a line for the run, one for the peer, and two for each of 45 cases.
        let lines = 1 + usize::try_from((seed >> 33) % 90).unwrap();
        killed_after(dir.path(), &server.url(), lines);
        let there = fs::read(dir.path().join("out/results.jsonl")).unwrap();
        assert!(whole_lines(&there) >= lines, "{moment}");
        check(dir.path());
    }
}
