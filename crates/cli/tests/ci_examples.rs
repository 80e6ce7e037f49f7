//! The examples for CI systems: they fit the schemas of those who read them, and their commands do
//! what they are for, with the numbers that each job would have.

// The commands are written for a POSIX shell.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use support::{BINARY, packages};

/// Checks files against the schemas of GitHub workflows.
const CHECK_JSONSCHEMA: &str = "check-jsonschema==0.39.0";
/// Checks manifests against the schemas of Kubernetes.
const KUBERNETES_VALIDATE: &str = "kubernetes-validate==1.37.0";
const PARTS: usize = 4;

fn example(name: &str) -> String {
    format!("{}/../../examples/ci/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The commands of an example that call `wsproof`.
fn commands(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(example(name)).unwrap();
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
    let lines = lines.map(|line| line.strip_prefix("run: ").unwrap_or(line));
    lines.filter(|line| line.starts_with("wsproof ")).map(str::to_owned).collect()
}

/// Runs a command as its job would, but with few cases.
fn shell(dir: &Path, command: &str, variables: &[(&str, String)]) {
    let own = format!("'{BINARY}'");
    let command = command
        .replacen("wsproof", &own, 1)
        .replace("./server {port}", &format!("{BINARY} echo 127.0.0.1:{{port}}"));
    let command = command.replace(" --partition", " --cases '1.*,2.*,6.4.*' --partition");
    let output = support::command("sh")
        .args(["-c", &command])
        .current_dir(dir)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command}: {text}");
}

/// All cases are in the report that the parts were merged into.
fn check_whole(dir: &Path) {
    let text = std::fs::read_to_string(dir.join("report/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(index["server"].as_object().unwrap().len(), 31);
}

#[test]
fn a_matrix_of_github() {
    let dir = tempfile::tempdir().unwrap();
    let [part, merge] = &commands("github-matrix.yml")[..] else { panic!("other commands") };
    for number in 1..=PARTS {
        let part = part.replace("${{ matrix.part }}", &number.to_string());
        shell(dir.path(), &part, &[]);
    }
    shell(dir.path(), merge, &[]);
    check_whole(dir.path());
    let python = match packages::pip(CHECK_JSONSCHEMA) {
        Ok(python) => python,
        Err(error) => return packages::skip(&error),
    };
    let args = [
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        &example("github-matrix.yml"),
    ];
    packages::run(&python.to_string_lossy(), &args, dir.path()).unwrap();
}

#[test]
fn an_indexed_job_of_kubernetes() {
    let dir = tempfile::tempdir().unwrap();
    let server = support::serve(|stream, _| support::echo(stream));
    let [pod] = &commands("kubernetes-indexed-job.yaml")[..] else { panic!("other commands") };
    for index in 0..PARTS {
        let variables = [
            ("SERVER", server.url()),
            ("JOB_COMPLETIONS", PARTS.to_string()),
            ("JOB_COMPLETION_INDEX", index.to_string()),
        ];
        shell(dir.path(), &pod.replace("/results/", "results/"), &variables);
    }
    shell(dir.path(), "wsproof report merge results/part-*/results.jsonl --out report", &[]);
    check_whole(dir.path());
    let python = match packages::pip(KUBERNETES_VALIDATE) {
        Ok(python) => python,
        Err(error) => return packages::skip(&error),
    };
    let program = python.with_file_name("kubernetes-validate");
    let args = ["--strict", &example("kubernetes-indexed-job.yaml")];
    packages::run(&program.to_string_lossy(), &args, dir.path()).unwrap();
}
