//! What CI does, for everybody: `cargo xtask ci` at home and `.ci/run` on a server come to the same.
//!
//! The checks of our own are here too: which crate may depend on which, and how long a file may be.

#![expect(clippy::print_stdout, reason = "this program is there to print")]

mod bench;
mod flips;
mod fuzz;
mod instructions;
mod layers;
mod lines;
mod peers;
mod schema;

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};
use instructions::Outcome;

const USAGE: &str = "\
  ci      Formatting, layers, lines, schema, lints, documentation, counts, tests
  flips [RUNS]
          Run the quick cases and the handshakes with more and fewer jobs, busy
          and quiet, 3 times each unless told, and look for verdicts that move
  fuzz TARGET [SECONDS]
          Fuzz one of the targets in fuzz/, for ten minutes unless told
  instructions [--update]
          Count what the codec takes for a frame, and compare with the counts in
          the tree
  layers  Compare the dependencies between our crates with the allowed arrows
  lines   Find files that are too long
  schema [--check]
          Write the JSON Schema of results.jsonl, or find out whether it is up to
          date";

fn usage() -> String {
    format!("Usage: cargo xtask <COMMAND>\n\nCommands:\n  {}\n  {USAGE}", bench::USAGE)
}

/// Lints and documentation with these flags fail on any warning.
const DENY_WARNINGS: &str = "-Dwarnings";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["bench", ref more @ ..] => bench::run(&root(), more),
        ["ci"] => ci(),
        ["flips", ref more @ ..] => count(more).and_then(|runs| flips::run(&root(), runs)),
        ["fuzz", ref more @ ..] => fuzz::run(&root(), more),
        ["instructions"] => instructions::run(&root(), false).map(drop),
        ["instructions", "--update"] => instructions::run(&root(), true).map(drop),
        ["layers"] => layers::check(),
        ["lines"] => lines::check(&root()),
        ["schema"] => schema::run(&root(), false),
        ["schema", "--check"] => schema::run(&root(), true),
        ["help" | "-h" | "--help"] => {
            println!("{}", usage());
            Ok(())
        }
        _ => {
            println!("{}", usage());
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How often something is repeated: the first word, or three times.
fn count(words: &[&str]) -> anyhow::Result<usize> {
    let Some(word) = words.first() else { return Ok(3) };
    word.parse().with_context(|| format!("`{word}` is no number of runs"))
}

/// Everything, cheapest first. What fails does not hide what comes after it.
fn ci() -> anyhow::Result<()> {
    let (mut failed, skipped) = (Vec::new(), Cell::new(false));
    let mut step = |name: &'static str, run: &dyn Fn() -> anyhow::Result<()>| {
        println!("== {name}");
        if let Err(error) = run() {
            println!("error: {error:#}");
            failed.push(name);
        }
    };
    step("formatting", &|| cargo(&["fmt", "--all", "--check"], &[]));
    step("layers", &layers::check);
    step("lines", &|| lines::check(&root()));
    step("schema", &|| schema::run(&root(), true));
    step("lints", &|| {
        let lint = ["clippy", "--workspace", "--all-targets", "--locked", "--", DENY_WARNINGS];
        cargo(&lint, &[])
    });
    step("documentation", &|| {
        let doc = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
        cargo(&doc, &[("RUSTDOCFLAGS", DENY_WARNINGS)])
    });
    step("instructions", &|| {
        skipped.set(instructions::run(&root(), false)? == Outcome::Skipped);
        Ok(())
    });
    step("tests", &|| cargo(&["test", "--workspace", "--locked"], &[]));
    if failed.is_empty() {
        let but = if skipped.get() { " but instructions, which were skipped" } else { "" };
        println!("== everything passed{but}");
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    println!("   {line}");
    let status = Command::new(cargo_path())
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("failed to start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// The cargo that runs us, so that both are of the same toolchain.
fn cargo_path() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
