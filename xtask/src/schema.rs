//! The JSON Schema of `results.jsonl`, made from the types that are stored.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail};

/// Where it is published.
const FILE: &str = "schemas/results.schema.json";

/// Writes the schema, or finds out whether the one that is there is as it should be.
pub(crate) fn run(root: &Path, check: bool) -> anyhow::Result<()> {
    let made = generate(root)?;
    let path = root.join(FILE);
    if !check {
        fs::write(&path, made).with_context(|| format!("failed to write {FILE}"))?;
        println!("schema: wrote {FILE}");
        return Ok(());
    }
    let stored = fs::read_to_string(&path).with_context(|| format!("failed to read {FILE}"))?;
    // Git may have changed line ends.
    if stored.replace("\r\n", "\n") != made {
        bail!("{FILE} is not what the types say; run `cargo xtask schema` and look at the change");
    }
    println!("schema: {FILE} is up to date");
    Ok(())
}

fn generate(root: &Path) -> anyhow::Result<String> {
    let output = Command::new(crate::cargo_path())
        .args(["run", "--quiet", "--locked", "--package", "wsproof-report"])
        .args(["--features", "schema", "--example", "results_schema"])
        .current_dir(root)
        .output()
        .context("failed to start cargo")?;
    if !output.status.success() {
        bail!("failed to make the schema:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("failed to read the schema")
}
