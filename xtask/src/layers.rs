//! Which of our crates may depend on which: the picture in `ARCHITECTURE.md` as a table.
//!
//! Only what ends in the binary counts; tests may depend on anything.

use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// A crate, what it may depend on, and whether it does without I/O.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    pure: bool,
}

const LAYERS: [Layer; 9] = [
    Layer { name: "wsproof-proto", may_use: &[], pure: true },
    Layer { name: "wsproof-engine", may_use: &["wsproof-proto"], pure: true },
    Layer { name: "wsproof-cases", may_use: &["wsproof-engine", "wsproof-proto"], pure: true },
    Layer { name: "wsproof-report", may_use: &["wsproof-engine", "wsproof-proto"], pure: true },
    Layer { name: "wsproof-runner", may_use: &["wsproof-engine", "wsproof-proto"], pure: false },
    Layer { name: "wsproof-testee", may_use: &["wsproof-proto"], pure: false },
    Layer { name: "wsproof-load", may_use: &["wsproof-proto", "wsproof-testee"], pure: false },
    Layer {
        name: "wsproof",
        may_use: &[
            "wsproof-cases",
            "wsproof-engine",
            "wsproof-load",
            "wsproof-proto",
            "wsproof-report",
            "wsproof-runner",
            "wsproof-testee",
        ],
        pure: false,
    },
    Layer { name: "xtask", may_use: &[], pure: false },
];

/// What a crate without I/O has no use for.
const IO: [&str; 5] = ["mio", "socket2", "tokio", "tokio-util", "tracing"];

/// Compares the workspace as it is with the table.
pub(crate) fn check() -> anyhow::Result<()> {
    let output = Command::new(crate::cargo_path())
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(crate::root())
        .output()
        .context("failed to start `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("failed to read `cargo metadata`")?;
    let crates = crates(&metadata);
    let faults = faults(&crates);
    for fault in &faults {
        println!("  {fault}");
    }
    if !faults.is_empty() {
        bail!("{} against the layers in xtask/src/layers.rs", faults.len());
    }
    println!("layers: {} crates, all arrows allowed", crates.len());
    Ok(())
}

/// Each crate of the workspace with the names of its dependencies, those of its tests left out.
fn crates(metadata: &Value) -> Vec<(&str, Vec<&str>)> {
    entries(metadata, "packages")
        .filter_map(|package| {
            let dependencies = entries(package, "dependencies")
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .filter_map(|dependency| dependency["name"].as_str())
                .collect();
            Some((package["name"].as_str()?, dependencies))
        })
        .collect()
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn faults(crates: &[(&str, Vec<&str>)]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, dependencies) in crates {
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == *name) else {
            faults.push(format!("{name} stands in no layer"));
            continue;
        };
        for dependency in dependencies {
            let is_ours = crates.iter().any(|(name, _)| name == dependency);
            if is_ours && !layer.may_use.contains(dependency) {
                faults.push(format!("{name} must not depend on {dependency}"));
            }
            if layer.pure && IO.contains(dependency) {
                faults.push(format!("{name} does no I/O and must not depend on {dependency}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn finds(crates: &[(&str, &[&str])], expected: &[&str]) {
        let crates: Vec<_> = crates.iter().map(|(name, uses)| (*name, uses.to_vec())).collect();
        assert_eq!(faults(&crates), expected);
    }

    #[test]
    fn arrows_point_one_way() {
        let engine: (&str, &[&str]) = ("wsproof-engine", &["serde", "wsproof-proto"]);
        finds(&[("wsproof-proto", &["sha1"]), engine], &[]);
        finds(
            &[("wsproof-proto", &["wsproof-engine"]), engine],
            &["wsproof-proto must not depend on wsproof-engine"],
        );
    }

    #[test]
    fn pure_crates_know_no_sockets() {
        let fault = "wsproof-cases does no I/O and must not depend on tokio";
        finds(&[("wsproof-cases", &["tokio"])], &[fault]);
        finds(&[("wsproof-runner", &["tokio"])], &[]);
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        finds(&[("wsproof-utils", &[])], &["wsproof-utils stands in no layer"]);
    }

    #[test]
    fn dependencies_of_tests_do_not_count() {
        let metadata = serde_json::json!({"packages": [{"name": "a", "dependencies": [
            {"name": "b", "kind": null}, {"name": "c", "kind": "dev"}, {"name": "d", "kind": "build"},
        ]}]});
        assert_eq!(crates(&metadata), [("a", vec!["b", "d"])]);
    }
}
