//! The contract with scripts that were written for `wstest`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{path::Path, process::Command, process::Output};

use support::{Server, echo, serve, verdicts};
use tempfile::TempDir;
use wsproof_testee::{Defect, Endpoint, ServerConfig};

/// Runs the binary under its old name.
fn wstest(dir: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsproof"));
    command.arg("wstest").args(args).current_dir(dir);
    command.env_remove("WSPROOF_JOBS").env_remove("WSPROOF_STRICT_EXIT");
    command.envs(environment.iter().copied()).output().unwrap()
}

fn spec(dir: &Path, server: &Server, cases: &str) {
    let text = format!(
        r#"{{"outdir": "out", "cases": [{cases}], "exclude-cases": [""],
            "exclude-agent-cases": {{"peer*": ["1.1.2"]}},
            "servers": [{{"agent": "peer", "url": "{}"}}],
        }} // as written by hand"#,
        server.url()
    );
    std::fs::write(dir.join("fuzzingclient.json"), text).unwrap();
}

fn with_defect(name: &'static str) -> Server {
    serve(move |stream, _| async move {
        let defect = Defect::from_name(name).unwrap();
        let mut endpoint = Endpoint::server(ServerConfig::default()).with_defect(defect).echo();
        let never = tokio_util::sync::CancellationToken::new();
        let _ =
            wsproof_testee::connection::drive(stream, &mut endpoint, &never, |_, _, _| {}).await;
    })
}

#[test]
fn a_run_prints_the_old_lines_and_writes_the_old_files() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| echo(stream));
    spec(dir.path(), &server, r#""1.1.*", "7.13.1", "99.1""#);
    let output = wstest(dir.path(), &["--mode=fuzzingclient"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("\nOk, will run 9 test cases against 1 servers\n"), "{text}");
    let running = text.lines().filter(|line| line.starts_with("Running test case ID ")).count();
    assert_eq!(running, 8, "{text}");
    let line = format!("Running test case ID 1.1.1 for agent peer from peer tcp4:{}", server.addr);
    assert!(text.contains(&line), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("`99.1` selects nothing"));

    let index = std::fs::read_to_string(dir.path().join("out/index.json")).unwrap();
    let head = "{\n   \"peer\": {\n      \"1.1.1\": {\n         \"behavior\": \"OK\",\n         \
                \"behaviorClose\": \"OK\",\n         \"duration\": ";
    assert!(index.starts_with(head), "{index}");
    assert!(index.ends_with("\n   }\n}"), "no final newline");
    assert!(!index.contains("FAILED") && !index.contains("1.1.2"));
    assert!(dir.path().join("out/peer_case_1_1_1.json").exists());
    let page = std::fs::read_to_string(dir.path().join("out/index.html")).unwrap();
    assert!(page.matches("case_failed").count() <= 2);
}

#[test]
fn verdicts_do_not_change_the_exit_code_unless_asked() {
    let dir = TempDir::new().unwrap();
    let server = with_defect("echoes-twice");
    spec(dir.path(), &server, r#""1.1.1", "1.1.3""#);
    let args = ["-m", "fuzzingclient"];
    assert_eq!(wstest(dir.path(), &args, &[]).status.code(), Some(0));
    assert!(verdicts(dir.path()).iter().all(|(_, verdict)| verdict == "FAILED / OK / 1000"));
    let strict = [("WSPROOF_STRICT_EXIT", "1")];
    assert_eq!(wstest(dir.path(), &args, &strict).status.code(), Some(1));
}

#[test]
fn a_missing_spec_is_written_and_used() {
    let dir = TempDir::new().unwrap();
    // Nobody listens there, or somebody does: the run ends either way.
    let output = wstest(dir.path(), &["-m", "fuzzingclient"], &[("WSPROOF_JOBS", "x")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(dir.path().join("fuzzingclient.json").exists());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Auto-generating spec file 'fuzzingclient.json'"), "{text}");
    assert!(text.contains("WSPROOF_JOBS"), "{text}");
}

#[test]
fn an_unreachable_server_is_skipped_and_the_next_one_tested() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| echo(stream));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        r#"{{"outdir": "out", "cases": ["1.1.1"], "servers": [
            {{"agent": "dead", "url": "ws://127.0.0.1:{port}"}},
            {{"agent": "peer", "url": "{}"}}]}}"#,
        server.url()
    );
    std::fs::write(dir.path().join("s.json"), text).unwrap();
    let output = wstest(dir.path(), &["-m", "fuzzingclient", "-s", "s.json"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("cannot be reached"));
    assert_eq!(verdicts(dir.path()), [("1.1.1".to_owned(), "OK / OK / 1000".to_owned())]);
}

#[test]
fn an_agent_without_a_name_is_the_unknown_server() {
    let dir = TempDir::new().unwrap();
    let server = serve(|stream, _| echo(stream));
    let args = ["-m", "fuzzingclient", "-s", "s.json", "-w", &server.url()];
    std::fs::write(dir.path().join("s.json"), r#"{"outdir": "out", "cases": ["1.1.1"]}"#).unwrap();
    wstest(dir.path(), &args, &[]);
    let index = std::fs::read_to_string(dir.path().join("out/index.json")).unwrap();
    assert!(index.contains("\"UnknownServer\"") && index.contains("unknownserver_case_1_1_1.json"));
}

#[test]
fn wrong_usage_is_1_and_stands_on_stdout() {
    let dir = TempDir::new().unwrap();
    let check = |args: &[&str], says: &str| {
        let output = wstest(dir.path(), args, &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text.contains(says) && text.contains("--help"), "{args:?}: {text}");
    };
    check(&[], "no mode");
    check(&["-m", "nonsense"], "is no mode");
    check(&["-m", "fuzzingserver"], "not there yet");
    check(&["-m", "testeeserver"], "URI");
    check(&["-m", "fuzzingclient", "-s", "nowhere.json"], "nowhere.json");
    check(&["-m", "fuzzingclient", "-u", "99999"], "no port");
    std::fs::write(dir.path().join("bad.json"), r#"{"cases": [1]}"#).unwrap();
    check(&["-m", "fuzzingclient", "-s", "bad.json"], "at `cases[0]`");
}

#[test]
fn versions_and_help_are_0() {
    let dir = TempDir::new().unwrap();
    for flag in ["-a", "--version", "--help"] {
        let output = wstest(dir.path(), &[flag], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty());
    }
    let versions = wstest(dir.path(), &["-a"], &[]);
    assert_eq!(String::from_utf8_lossy(&versions.stdout).lines().count(), 2);
}

#[cfg(unix)]
#[test]
fn the_name_of_the_binary_decides() {
    let dir = TempDir::new().unwrap();
    let link = dir.path().join("wstest");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wsproof"), &link).unwrap();
    let output = Command::new(link).arg("-a").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("AutobahnTestSuite"));
}
