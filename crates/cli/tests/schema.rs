//! The published schema, held against results that were really written.
//!
//! Python's `jsonschema` is installed into `target/peers`. Without Python the test is skipped and
//! says so; under `CI=true` it fails instead.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use support::{echo, packages, serve, test};
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

fn validate(python: &Path, results: &Path) -> Output {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/results.schema.json");
    Command::new(python).args(["-c", VALIDATE, schema]).arg(results).output().unwrap()
}

#[test]
fn results_are_as_the_schema_says() {
    let python = match packages::pip(PACKAGE) {
        Ok(python) => python,
        Err(error) => return packages::skip(&error),
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
