//! The gate as CI meets it: baselines, exit codes, and files for other programs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, path::Path, process::Stdio};

use support::{BINARY, Server, command, echo, lines, serve, test, with_defect, wsproof_with};
use tempfile::TempDir;
use wsproof_testee::Defect;

/// Control frames of any length are taken, which deviates in 2.5 and nowhere else in 1.1 and 2.
const DEFECT: Defect = Defect::ControlLongTaken;

const CASES: &str = "1.1.1,2.4,2.5";

/// Tests a server with these options; checks the exit code and parts of what is said.
fn check(
    dir: &Path,
    server: &Server,
    cases: &str,
    more: &[&str],
    exit: i32,
    says: &[&str],
) -> String {
    let (code, text) = test(dir, &server.url(), cases, more);
    assert_eq!(code, exit, "{more:?}: {text}");
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in says {
        assert!(plain.contains(part), "{more:?} does not say {part}: {text}");
    }
    text
}

/// As `check`, with a baseline of these rows.
fn check_rows(server: &Server, cases: &str, rows: &str, exit: i32, says: &[&str]) {
    let dir = TempDir::new().unwrap();
    let text = format!(
        "{{ \"peers\": {{ \"pe*\": {{ \"cases\": [\"1.1.1\", \"2.4\", \"2.5\"], \
         \"expect\": {{ {rows} }} }} }} }}"
    );
    fs::write(dir.path().join("b.jsonc"), text).unwrap();
    check(dir.path(), server, cases, &["--baseline", "b.jsonc"], exit, says);
}

const ROW: &str = "\"2.5\": { \"grade\": \"failed\", \"why\": \"by the proxy\" }";

#[test]
fn a_baseline_made_from_a_run_passes() {
    let dir = TempDir::new().unwrap();
    let server = with_defect(DEFECT);
    let dir = dir.path();
    let made = ["--baseline", "b.jsonc", "--update-baseline"];
    let says = ["b.jsonc updated, rows: 1; give 1 of them a reason", "exit 0"];
    check(dir, &server, CASES, &made, 0, &says);
    let says = ["baseline 0 new, 1 known, 0 stale, 1 without a reason of yours"];
    check(dir, &server, CASES, &made[..2], 0, &says);
    // A reason and a comment of a person survive.
    let text = fs::read_to_string(dir.join("b.jsonc")).unwrap();
    let (before, after) = text.split_once("not looked at yet").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    let own = format!("// By hand.\n{before}by the proxy\"{after}");
    fs::write(dir.join("b.jsonc"), &own).unwrap();
    check(dir, &server, CASES, &made, 0, &["rows: 1", "by the proxy"]);
    assert_eq!(fs::read_to_string(dir.join("b.jsonc")).unwrap(), own);
    // What does not hold any more goes, and is said.
    let good = serve(|stream, _| echo(stream));
    check(
        dir,
        &good,
        CASES,
        &made,
        0,
        &["no longer expected `2.5` of `*`: by the proxy", "rows: 0"],
    );
}

#[test]
fn whatever_differs_from_the_baseline_is_1_and_says_what_to_do() {
    let (server, good) = (with_defect(DEFECT), serve(|stream, _| echo(stream)));
    check_rows(&server, CASES, ROW, 0, &["0 new, 1 known, 0 stale"]);
    // A verdict that is worse than expected, or better.
    check_rows(&server, CASES, "", 1, &["FAIL 2.5", "NEW", "replay wsproof replay"]);
    check_rows(&good, CASES, ROW, 1, &["unexpected pass 2.5: passed where", "remove the row"]);
    // A case that was not run, with a row and without.
    check_rows(&server, "1.1.1,2.4", ROW, 1, &["missing 2.5", "run what the baseline names"]);
    check_rows(&server, "1.1.1,2.5", ROW, 1, &["missing 2.4", "run what the baseline names"]);
    // A row that decides nothing, and a typo.
    let stale = ROW.replace("2.5", "7.*");
    check_rows(&good, CASES, &stale, 1, &["missing", "run what the baseline names"]);
    let typo = ROW.replace("2.5", "2.55");
    let says = ["peers.`pe*`.expect: `2.55` is no case", "correct or remove it"];
    check_rows(&server, CASES, &typo, 2, &says);
}

#[test]
fn a_baseline_that_cannot_be_used_is_2() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), serve(|stream, _| echo(stream)));
    let baseline = ["--baseline", "b.jsonc"];
    check(dir, &server, "1.1.1", &baseline, 2, &["b.jsonc", "--update-baseline makes one"]);
    fs::write(dir.join("b.jsonc"), "{ \"peers\": { \"x\": { \"rows\": {} } } }").unwrap();
    check(dir, &server, "1.1.1", &baseline, 2, &["b.jsonc: peers.x.rows: this key is not known"]);
    fs::write(dir.join("b.jsonc"), "{ \"judge\": \"classic\" }").unwrap();
    check(dir, &server, "1.1.1", &baseline, 2, &["`judge` is another one"]);
    // An entry for a peer that did not come.
    fs::write(dir.join("b.jsonc"), "{ \"peers\": { \"x/*\": {} } }").unwrap();
    let says = ["no peer of this run has a name like `x/*`; there are: peer"];
    check(dir, &server, "1.1.1", &baseline, 1, &says);
}

#[test]
fn what_fails_a_run_can_be_widened_and_turned_off() {
    let dir = TempDir::new().unwrap();
    let (dir, bad, good) = (dir.path(), with_defect(DEFECT), serve(|stream, _| echo(stream)));
    check(dir, &bad, CASES, &["--fail-on", "never"], 0, &["deviates in 1 of 3", "exit 0"]);
    check(dir, &bad, CASES, &["--fail-on", "non-strict"], 1, &["FAIL 2.5"]);
    check(dir, &good, "7.1.6", &[], 0, &["1 informational"]);
    let wide = ["--fail-on", "unstable,informational"];
    check(dir, &good, "7.1.6", &wide, 1, &["FAIL 7.1.6", "informational", "exit 1"]);
    check(dir, &good, "7.1.6", &["--fail-on", "never,missing"], 2, &["goes with no other value"]);
}

#[test]
fn files_for_ci_are_written() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), with_defect(DEFECT));
    let files = ["--junit", "ci/j.xml", "--tap", "ci/t.tap", "--badge", "ci/b.svg"];
    check(dir, &server, CASES, &files, 1, &[]);
    let read = |name: &str| fs::read_to_string(dir.join("ci").join(name)).unwrap();
    let junit = read("j.xml");
    assert!(junit.contains("tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"0\""), "{junit}");
    assert!(junit.contains("<testcase name=\"2.5 ping with 126 octets\" classname=\"peer\""));
    assert!(junit.contains("replay: wsproof test --cases 2.5 --seed"), "{junit}");
    let tap = read("t.tap");
    assert!(tap.starts_with("TAP version 14\n1..3\nok 1 - peer 1.1.1"), "{tap}");
    assert!(tap.contains("\nnot ok 3 - peer 2.5"), "{tap}");
    assert!(read("b.svg").contains("WebSocket: 2 of 3"));
    let mut names: Vec<_> =
        fs::read_dir(dir.join("ci")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["b.svg", "j.xml", "t.tap"]);
}

#[test]
fn a_file_that_cannot_be_written_costs_no_other() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), serve(|stream, _| echo(stream)));
    fs::write(dir.join("file"), "").unwrap();
    let files = ["--junit", "file/j.xml", "--tap", "t.tap"];
    check(dir, &server, "1.1.1", &files, 3, &["failed to create the folder file", "exit 3"]);
    assert!(dir.join("t.tap").exists() && dir.join("out/index.html").exists());
    assert_eq!(lines(dir, "end").len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_may_be_stdout() {
    let dir = TempDir::new().unwrap();
    let said = dir.path().join("said");
    let mut run = command(BINARY);
    run.args(["test", "--cases", "1.1.1", "--junit", "/dev/stdout"]).current_dir(dir.path());
    run.stdout(fs::File::create(&said).unwrap()).stderr(Stdio::null());
    let status = run.status().unwrap();
    assert!(status.success() && !fs::symlink_metadata("/dev/stdout").unwrap().is_file());
    // Nothing is written over anything.
    let said = fs::read_to_string(said).unwrap();
    assert!(said.starts_with("<?xml ") && said.contains("</testsuites>"), "{said}");
    assert!(said.ends_with("\nexit 0\n"), "{said}");
}

#[test]
fn a_workflow_of_github_gets_annotations_and_a_summary() {
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), with_defect(DEFECT));
    let summary = dir.join("summary.md");
    fs::write(&summary, "# Before\n").unwrap();
    let url = server.url();
    let args = ["test", &url, "--cases", CASES, "--agent", "peer"];
    let env = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    let output = wsproof_with(dir, &args, &env);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap();
    let said = "::error title=wsproof%3A failure peer 2.5::failed: the peer";
    assert!(line.starts_with(said), "{text}");
    let summary = fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("# Before\n## WebSocket conformance\n"), "{summary}");
    assert!(summary.contains("| peer | deviates in 1 of 3 cases | 1 | 2 | 0 | 0 |"), "{summary}");
}

#[test]
fn what_failed_last_is_run_again() {
    let dir = TempDir::new().unwrap();
    let (dir, bad, good) = (dir.path(), with_defect(DEFECT), serve(|stream, _| echo(stream)));
    let again = ["--last-failed"];
    check(dir, &bad, CASES, &again, 2, &["there is no out/results.jsonl", "run without it first"]);
    check(dir, &bad, CASES, &[], 1, &["deviates in 1 of 3"]);
    check(dir, &bad, "*", &again, 1, &["deviates in 1 of 1"]);
    // The rest of the baseline is not asked about.
    let text = format!("{{ \"peers\": {{ \"*\": {{ \"expect\": {{ {ROW} }} }} }} }}");
    fs::write(dir.join("b.jsonc"), text.replace("2.5", "2.*")).unwrap();
    let known = ["--last-failed", "--baseline", "b.jsonc"];
    check(dir, &bad, "*", &known, 0, &["0 new, 1 known, 0 stale"]);
    check(dir, &good, "*", &again, 0, &["conforms in 1 case"]);
    check(dir, &good, "*", &again, 0, &["nothing failed in the last run: nothing to do"]);
    assert_eq!(lines(dir, "attempt").len(), 1);
    let both = ["--last-failed", "--baseline", "b.jsonc", "--update-baseline"];
    check(dir, &good, "*", &both, 2, &["--update-baseline wants a whole run"]);
}
