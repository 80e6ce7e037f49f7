//! `wsproof report` and `--partition`: results that were stored.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, path::Path};

use support::{echo, serve, with_defect, wsproof, wsproof_with};
use tempfile::TempDir;
use wsproof_testee::Defect;

/// Deviates in 2.5 and nowhere else in 1.1 and 2.
const DEFECT: Defect = Defect::ControlLongTaken;

/// Runs a command; checks its exit code and a part of what it says.
fn check(dir: &Path, command: &str, exit: i32, says: &str) -> String {
    let args: Vec<_> = command.split(' ').collect();
    let output = wsproof(dir, &args);
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{command}: {text}");
    assert!(text.contains(says), "{command} does not say {says}: {text}");
    text
}

#[test]
fn the_parts_of_a_run_make_one_report() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), with_defect(DEFECT));
    let run = |part: &str, exit: i32, says: &str| {
        let url = server.url();
        let out = part.replace(['/', ':'], "-");
        let args = format!("test {url} --cases 1.1.*,2.* --agent x --partition {part} --out {out}");
        check(dir, &args, exit, says);
    };
    run("slice:1/2", 1, "deviates in 1 of 10 cases");
    run("slice:2/2", 0, "conforms in 9 cases");
    run("hash:2/2", 0, "conforms in");
    let (one, two) = ("slice-1-2", "slice-2-2");
    let merge = |parts: &str, more: &str, exit: i32, says: &str| {
        check(dir, &format!("report merge {parts} --out all{more}"), exit, says)
    };
    merge(one, "", 2, "10 of 19 cases are there; add the results of part 2 of 2");
    merge(&format!("{one} {one}"), "", 2, "both hold case 1.1.1 of x");
    merge(&format!("{one} hash-2-2"), "", 2, "not divided alike");
    let both = format!("{two} {one}");
    merge(&both, "", 1, "deviates in 1 of 19 cases");
    assert!(dir.join("all/index.html").exists() && dir.join("all/index.json").exists());
    // The baseline is that of the whole.
    merge(&both, " --baseline b.jsonc --update-baseline", 0, "0 new, 1 known");
    let baseline = fs::read_to_string(dir.join("b.jsonc")).unwrap();
    assert!(baseline.contains("\"2.*\"]"), "{baseline}");
    check(dir, "report check all --baseline b.jsonc", 0, "0 new, 1 known, 0 stale");
    check(dir, &format!("report check {one} --baseline b.jsonc"), 0, "0 new, 1 known, 0 stale");
    check(dir, "report check all", 1, "exit 1");
}

#[test]
fn a_ci_system_says_which_part() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| echo(stream));
    let url = server.url();
    let args = ["test", &url, "--cases", "1.1.*", "--partition", "auto"];
    let output = wsproof_with(dir.path(), &args, &[("CI_NODE_INDEX", "4"), ("CI_NODE_TOTAL", "5")]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("conforms in 1 case\n"), "{text}");
    let wrong = "test ws://a --partition slice:3/2";
    check(dir.path(), wrong, 2, "there is no part 3 of 2; parts count from 1");
    let update = "test ws://a --partition slice:1/2 --baseline b --update-baseline";
    check(dir.path(), update, 2, "wants a whole run");
    let few = "test ws://a --cases 1.1.1 --partition slice:2/2";
    check(dir.path(), few, 0, "part 2 of 2 has no case: nothing to do");
}

#[test]
fn stored_results_are_rendered_again() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), with_defect(DEFECT));
    check(dir, &format!("test {} --cases 1.1.*,2.5 --agent x --out a", server.url()), 1, "");
    check(dir, "report junit a", 0, "<testcase name=\"2.5 ping with 126 octets\"");
    check(dir, "report tap a/results.jsonl", 0, "\nnot ok 9 - x 2.5");
    check(dir, "report markdown a", 0, "| x | deviates in 1 of 9 cases | 1 | 8 | 0 | 0 |");
    check(dir, "report json a", 0, "\"standing\": \"failure\"");
    check(dir, "report badge a --out b", 0, "b/badge.svg");
    check(dir, "report html a --out again", 0, "again");
    check(dir, "report classic a --out again", 0, "again");
    for name in ["index.html", "index.json", "x_case_2_5.html", "x_case_2_5.json"] {
        let read = |folder: &str| fs::read_to_string(dir.join(folder).join(name)).unwrap();
        assert_eq!(read("a"), read("again"), "{name}");
    }
    // The page says what the baseline makes of it, as after a run.
    let baseline = "--baseline b.jsonc";
    let update = format!("report check a {baseline} --update-baseline");
    check(dir, &update, 0, "0 new, 1 known");
    check(dir, &format!("report html a --out known {baseline}"), 0, "known");
    let page = fs::read_to_string(dir.join("known/index.html")).unwrap();
    assert!(page.contains("Against the baseline:"), "{page}");
    check(dir, "report html a --baseline nowhere.jsonc", 2, "read the baseline nowhere.jsonc");
    check(dir, "report html a --fail-on missing", 2, "add --baseline FILE");
    for wrong in ["classic a --baseline b", "pcapng a --fail-on never", "pcapng a --judge rfc"] {
        check(dir, &format!("report {wrong}"), 2, "unexpected argument");
    }
    // Cut off in the middle of a line.
    let octets = fs::read(dir.join("a/results.jsonl")).unwrap();
    fs::write(dir.join("cut.jsonl"), &octets[..octets.len() / 2]).unwrap();
    check(dir, "report markdown cut.jsonl", 0, "interrupted after");
    check(dir, "report check cut.jsonl", 130, "without result");
    fs::write(dir.join("bad.jsonl"), "{}\n").unwrap();
    check(dir, "report html bad.jsonl", 2, "bad.jsonl: read line 1");
    check(dir, "report html nowhere", 2, "read the results nowhere");
    fs::write(dir.join("empty.jsonl"), "").unwrap();
    check(dir, "report html empty.jsonl --out again", 2, "empty.jsonl: no run is in it");
    check(dir, "report junit a a", 2, "both hold case 1.1.1 of x");
}

#[test]
fn two_runs_are_compared() {
    let dir = TempDir::new().unwrap();
    let (bad, good) = (with_defect(DEFECT), serve(|stream, _| echo(stream)));
    let dir = dir.path();
    for (server, name, exit) in [(&bad, "bad", 1), (&good, "good", 0)] {
        let args = format!("test {} --cases 1.1.1,2.5 --agent {name}/1 --out {name}", server.url());
        check(dir, &args, exit, "");
    }
    let text = check(dir, "report diff good bad", 1, "good/1 -> bad/1: 1 case unchanged");
    assert!(text.contains("worse   2.5  passed -> failed: the peer sent"), "{text}");
    check(dir, "report diff bad good", 0, "better  2.5  failed -> passed");
    check(dir, "report diff good good", 0, "good/1: 2 cases unchanged");
}
