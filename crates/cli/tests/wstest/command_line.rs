//! Flags, exit codes, and where the specification comes from.

use tempfile::TempDir;
use wsproof_testee::Defect;

use crate::{
    Ran, one,
    support::{BINARY, command, echo, serve, verdicts, with_defect},
    wstest,
};

#[test]
fn verdicts_do_not_change_the_exit_code_unless_asked() {
    let server = with_defect(Defect::EchoesTwice);
    let ran = Ran::with(&one(&server.url(), r#""1.1.1", "1.1.3""#, ""));
    assert_eq!(ran.code, Some(0));
    assert!(verdicts(ran.dir.path()).iter().all(|(_, verdict)| verdict == "FAILED / OK / 1000"));
    let args = ["--mode=fuzzingclient", "--spec=fuzzingclient.json"];
    let code =
        |strict| wstest(ran.dir.path(), &args, &[("WSPROOF_STRICT_EXIT", strict)]).status.code();
    assert_eq!(code("1"), Some(1));
    assert_eq!(code("0"), Some(0));
}

#[test]
fn a_run_without_any_answer_has_ended_too() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = Ran::with(&one(&format!("ws://{free}"), r#""*""#, ""));
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.file("index.json"), "{}");
    assert!(ran.stdout.contains("cannot be reached"), "{}", ran.stdout);
    let strict = [("WSPROOF_STRICT_EXIT", "1")];
    let output = wstest(ran.dir.path(), &["-m", "fuzzingclient"], &strict);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_missing_spec_is_written_and_used() {
    let dir = TempDir::new().unwrap();
    // What stops the run after that keeps it from whoever listens on the port of the default.
    let output = wstest(dir.path(), &["-m", "fuzzingclient"], &[("WSPROOF_JOBS", "x")]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Auto-generating spec file 'fuzzingclient.json'"), "{text}");
    assert!(text.contains("Loading spec from fuzzingclient.json"), "{text}");
    let written = std::fs::read_to_string(dir.path().join("fuzzingclient.json")).unwrap();
    let expected = serde_json::json!({
        "outdir": "./reports/servers", "servers": [{"url": "ws://127.0.0.1:9001"}],
        "cases": ["*"], "exclude-cases": [], "exclude-agent-cases": {},
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), expected);
}

#[test]
fn a_spec_that_is_named_must_be_there() {
    let dir = TempDir::new().unwrap();
    let output = wstest(dir.path(), &["-m", "fuzzingclient", "-s", "nowhere.json"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nowhere.json"));
    assert!(!dir.path().join("nowhere.json").exists());
}

#[test]
fn wrong_usage_is_1_and_stands_on_stdout() {
    let dir = TempDir::new().unwrap();
    let check = |args: &[&str], says: &str| {
        let output = wstest(dir.path(), args, &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text.contains("Try wstest --help for usage details"), "{args:?}: {text}");
        let all = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(all.contains(says), "{args:?}: {all}");
    };
    check(&[], "no mode");
    check(&["-m", "nonsense"], "is no mode");
    check(&["-m", "broadcastserver"], "URI");
    check(&["-m", "broadcastclient"], "URI");
    check(&["-m", "serializer"], "-o");
    check(&["-m", "testeeserver"], "URI");
    check(&["-m", "testeeclient"], "URI");
    check(&["-m", "echoclient"], "URI");
    check(&["-m", "echoclient", "-w", "http://localhost"], "neither ws nor wss");
    check(&["-m", "testeeclient", "-w", "ws://localhost", "-i", ""], "-i takes a name");
    check(&["-m", "echoserver", "-w", "localhost"], "scheme");
    check(&["-m", "fuzzingclient", "-u", "99999"], "no port");
    check(&["-m", "fuzzingclient", "-u", "x"], "no port");
    check(&["--nonsense"], "--nonsense");
    check(&["-m", "fuzzingclient", "left over"], "left over");
    check(&["-m", "fuzzingclient", "--user-agent", "mine"], "classic");
    check(&["-m", "testeeserver", "-w", "wss://:1", "-k", "x"], "-c");
    check(&["-m", "testeeserver", "-w", "wss://:1", "-c", "x"], "-k");
    check(&["-m", "testeeserver", "-w", "wss://:1", "-k", "x", "-c", "none.pem"], "none.pem");
    let strict = wstest(dir.path(), &["-m", "nonsense"], &[("WSPROOF_STRICT_EXIT", "1")]);
    assert_eq!(strict.status.code(), Some(2));
}

#[test]
fn specs_that_cannot_be_used_are_1_and_say_where() {
    let dir = TempDir::new().unwrap();
    let check = |spec: &str, says: &str| {
        std::fs::write(dir.path().join("bad.json"), spec).unwrap();
        let output = wstest(dir.path(), &["-m", "fuzzingclient", "--spec", "bad.json"], &[]);
        assert_eq!(output.status.code(), Some(1), "{spec}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("bad.json: ") && text.contains(says), "{spec}: {text}");
    };
    check(r#"{"cases": [1]}"#, "at `cases[0]`");
    check(r#"{"cases": ["*"], "#, "no JSON");
    check(r#"{"cases": ["*"], "options": {"failbydrop": true}}"#, "`options.failbydrop` is no");
    check(r#"{"cases": ["*"], "options": {"version": 0}}"#, "`options.version`: 0");
    let url = |url: &str| one(url, r#""1.1.1""#, "");
    let ran = Ran::with(&url("http://127.0.0.1"));
    assert!(ran.code == Some(1) && ran.stdout.contains("neither ws nor wss"), "{}", ran.stdout);
    let ran = Ran::with(&one("ws://127.0.0.1:1", r#""99.1""#, ""));
    assert!(ran.code == Some(1) && ran.stdout.contains("selects no case"), "{}", ran.stdout);
}

#[test]
fn versions_and_help_are_0() {
    let dir = TempDir::new().unwrap();
    let lines = |flag: &str| {
        let output = wstest(dir.path(), &[flag], &[]);
        assert_eq!(output.status.code(), Some(0), "{flag}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for flag in ["-a", "--autobahnversion"] {
        let lines = lines(flag);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("AutobahnTestSuite 25.10.1"), "{lines:?}");
    }
    assert_eq!(lines("--version").len(), 1);
    let help = lines("--help").join("\n");
    for flag in [
        "-m, --mode",
        "-s, --spec",
        "-w, --wsuri",
        "-u, --webport",
        "-o, --outfile",
        "-i, --ident",
        "-k, --key",
        "-c, --cert",
        "-t, --testset",
        "-d, --debug",
        "-a, --autobahnversion",
        "--version",
        "--help",
        "--user-agent",
        "WSPROOF_STRICT_EXIT",
    ] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}

#[test]
fn all_flags_are_taken_and_the_last_one_counts() {
    let server = serve(|stream, _| echo(stream));
    let args = [
        "-d",
        "-u",
        "0",
        "--webport=8080",
        "-i",
        "me",
        "--ident=me",
        "-t",
        "x",
        "--testset=x",
        "-o",
        "x",
        "--outfile=x",
        "-k",
        "x",
        "--key=x",
        "-c",
        "x",
        "--cert=x",
        "-m",
        "fuzzingclient",
        "--wsuri=ws://127.0.0.1:1",
    ];
    let ran = Ran::with_args(&one(&server.url(), r#""1.1.1""#, ""), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(verdicts(ran.dir.path()), [("1.1.1".to_owned(), "OK / OK / 1000".to_owned())]);
}

#[cfg(unix)]
#[test]
fn the_name_of_the_binary_decides() {
    let dir = TempDir::new().unwrap();
    let link = dir.path().join("wstest");
    std::os::unix::fs::symlink(BINARY, &link).unwrap();
    let output = command(link).arg("-a").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("AutobahnTestSuite"));
}
