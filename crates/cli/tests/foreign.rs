//! Servers that other people wrote, pinned, against stored expectations.
//!
//! Their packages are installed into `target/peers`. Where a runtime is missing the test is
//! skipped and says so; under `CI=true` it fails instead.

// The commands that start them are written for a POSIX shell.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a skipped test must be seen")]

mod support;
#[path = "../examples/tungstenite_echo.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod tungstenite_echo;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use support::{lines, serve, verdicts, wsproof};
use tempfile::TempDir;

/// What a server is expected to get. Every other case is OK / OK.
#[derive(Deserialize)]
struct Expectation {
    other_than_ok: BTreeMap<String, Vec<String>>,
}

fn check(name: &str, args: &[&str]) {
    let dir = TempDir::new().unwrap();
    let mut all = vec!["test", "--agent", "peer", "--out", "out", "--judge", "classic"];
    all.extend(args);
    let cases = cases();
    all.extend(["--cases", &cases]);
    let output = wsproof(dir.path(), &all);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{name}: {text}");
    let file = format!("{}/tests/expectations/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let expected: Expectation =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let judged = verdicts(dir.path());
    assert_eq!(judged.len(), 306 + 36, "{name}: {text}");
    let plain = vec!["OK / OK".to_owned()];
    let wrong: Vec<_> = judged
        .iter()
        .filter_map(|(case, verdict)| {
            let verdict = verdict.rsplit_once(" / ")?.0;
            let wanted = expected.other_than_ok.get(case).unwrap_or(&plain);
            let good = wanted.iter().any(|wanted| wanted == verdict);
            (!good).then(|| format!("{case}: {verdict} instead of {wanted:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{name}:\n{}\n{text}", wrong.join("\n"));
    // All that differs from the classic verdicts rests on something that is no MUST.
    for attempt in lines(dir.path(), "attempt") {
        let rfc = &attempt["rfc"];
        assert_ne!(rfc["behavior"], "FAILED", "{name}: {}: {rfc}", attempt["case"]);
    }
}

/// Every case but the long ones of sections 12 and 13, of which three rows stand for all: small,
/// middling, in fragments.
fn cases() -> String {
    let subsections = (1..=5).map(|n| (12, n)).chain((1..=7).map(|n| (13, n)));
    let rows =
        subsections.flat_map(|(section, n)| [1, 3, 11].map(|row| format!("{section}.{n}.{row}")));
    let others = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "HS.*", "CL.*"];
    others.into_iter().map(str::to_owned).chain(rows).collect::<Vec<_>>().join(",")
}

/// Skips a test for want of a runtime, or fails it where nothing may be skipped.
fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{what}");
    eprintln!("skipped: {what}");
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers")
}

fn script(name: &str) -> String {
    format!("{}/tests/peers/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(program: &str, args: &[&str], dir: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} {} failed:\n{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[test]
fn npm_ws() {
    const PACKAGE: &str = "ws@8.23.0";
    let dir = peers().join(PACKAGE);
    if !dir.join("node_modules/ws/package.json").exists() {
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("package.json"), "{\"private\": true}\n").unwrap();
        let args = ["install", "--no-audit", "--no-fund", "--save-exact", PACKAGE];
        if let Err(error) = run("npm", &args, &dir) {
            return skip(&error);
        }
    }
    let modules = dir.join("node_modules");
    let command =
        format!("NODE_PATH='{}' exec node '{}' {{port}}", modules.display(), script("ws.js"));
    check("npm-ws", &["--server-cmd", &command, "--server-ready", "ready"]);
}

#[test]
fn py_websockets() {
    const PACKAGE: &str = "websockets==17.4";
    let dir = peers().join(PACKAGE);
    let python = dir.join("bin/python");
    let installed = dir.join("installed");
    if !installed.exists() {
        std::fs::create_dir_all(&dir).unwrap();
        let venv = run("python3", &["-m", "venv", "."], &dir);
        let install = venv.and_then(|()| {
            run(&python.to_string_lossy(), &["-m", "pip", "install", "--quiet", PACKAGE], &dir)
        });
        if let Err(error) = install {
            return skip(&error);
        }
        std::fs::write(installed, "").unwrap();
    }
    let command =
        format!("exec '{}' '{}' {{port}}", python.display(), script("websockets_echo.py"));
    check("py-websockets", &["--server-cmd", &command]);
}

#[test]
fn tokio_tungstenite() {
    let server = serve(|stream, _| tungstenite_echo::echo(stream));
    check("tokio-tungstenite", &[&server.url()]);
}
