//! The contract with scripts that were written for `wstest`: what they pass, and what they read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod command_line;
mod files;
mod modes;
mod options;
mod peer;
mod servers;
mod spec;
#[path = "../support/mod.rs"]
mod support;

use std::{path::Path, process::Output};

use serde_json::Value;
use support::{BINARY, command};
use tempfile::TempDir;

/// Runs the binary under its old name.
fn wstest(dir: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(BINARY);
    command.arg("wstest").args(args).current_dir(dir);
    command.envs(environment.iter().copied()).output().unwrap()
}

/// What a run with a specification came to.
struct Ran {
    dir: TempDir,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Runs the fuzzing client with `spec`, which reports into the folder `out`.
    fn with(spec: &str) -> Self {
        Self::with_args(spec, &[])
    }

    fn with_args(spec: &str, args: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("fuzzingclient.json"), spec).unwrap();
        let args = [&["-m", "fuzzingclient"], args].concat();
        let output = wstest(dir.path(), &args, &[]);
        Self {
            dir,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A file of the report.
    fn file(&self, name: &str) -> String {
        let path = self.dir.path().join("out").join(name);
        std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{name}: {error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// A file of the report, read as JSON.
    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.file(name)).unwrap()
    }

    /// Agents and their cases, in the order of the index.
    fn index(&self) -> Vec<(String, Vec<String>)> {
        let index = self.json("index.json");
        let cases = |value: &Value| value.as_object().unwrap().keys().cloned().collect();
        let agents = index.as_object().unwrap();
        agents.iter().map(|(agent, value)| (agent.clone(), cases(value))).collect()
    }
}

/// A specification with one server, called `peer`, and further entries such as `"options": {}`.
fn one(url: &str, cases: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(
        r#"{{"outdir": "out", "cases": [{cases}],
            "servers": [{{"agent": "peer", "url": "{url}"}}]{more}}}"#
    )
}
