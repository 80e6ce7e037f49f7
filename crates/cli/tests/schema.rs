//! The published schema, held against results that were really written.
//!
//! Python's `jsonschema` is installed into `target/peers`. Without Python the test is skipped and
//! says so; under `CI=true` it fails instead.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a skipped test must be seen")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::{echo, serve, test};
use tempfile::TempDir;

const PACKAGE: &str = "jsonschema==4.23.0";

/// Says of each line of a file what is wrong with it.
const VALIDATE: &str = "\
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for number, line in enumerate(open(sys.argv[2]), 1):
    for error in validator.iter_errors(json.loads(line)):
        print(number, error.message[:300])
";

/// A Python that has the validator.
fn python() -> Result<PathBuf, String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(PACKAGE);
    let (python, installed) = (dir.join("bin/python"), dir.join("installed"));
    if installed.exists() {
        return Ok(python);
    }
    fs::create_dir_all(&dir).unwrap();
    let run = |program: &Path, args: &[&str]| -> Result<(), String> {
        let failed = |text: String| format!("{} {}: {text}", program.display(), args.join(" "));
        let output = Command::new(program).args(args).current_dir(&dir).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(failed(text)) }
    };
    run(Path::new("python3"), &["-m", "venv", "."])?;
    run(&python, &["-m", "pip", "install", "--quiet", PACKAGE])?;
    fs::write(installed, "").unwrap();
    Ok(python)
}

fn validate(python: &Path, results: &Path) -> Output {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/results.schema.json");
    Command::new(python).args(["-c", VALIDATE, schema]).arg(results).output().unwrap()
}

#[test]
fn results_are_as_the_schema_says() {
    let python = match python() {
        Ok(python) => python,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{error}");
            return eprintln!("skipped: {error}");
        }
    };
    let dir = TempDir::new().unwrap();
    let (dir, server) = (dir.path(), serve(|stream, _| echo(stream)));
    let cases = "1.*,2.*,5.3,6.4.1,7.*,9.1.1,12.1.1,13.1.1,HS.*,CL.*";
    let (exit, text) = test(dir, &server.url(), cases, &[]);
    assert!(exit < 2, "{text}");
    let results = dir.join("out/results.jsonl");
    let check = |expected: &str| {
        let output = validate(&python, &results);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.is_empty() == expected.is_empty() && said.contains(expected), "{said}");
    };
    check("");
    // It would find something.
    let lines = fs::read_to_string(&results).unwrap();
    fs::write(&results, lines.replacen(r#""quiet":"#, r#""quite":"#, 1)).unwrap();
    check("3 {'type': 'attempt'");
}
