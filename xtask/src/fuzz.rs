//! Fuzzing of one target of `fuzz/`, from a copy of its seeds, so that what is found on the way
//! stays out of them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};

/// How long a target is fuzzed unless told.
const SECONDS: u32 = 600;
/// No input is worth an allocation of this size, or so much time.
const LIMITS: [&str; 2] = ["-malloc_limit_mb=64", "-timeout=20"];

/// Fuzzes the target that the first word names, for as many seconds as the second one says.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let known = targets(root)?;
    let (target, seconds) = match words {
        [target] => (*target, SECONDS),
        [target, seconds] => {
            let seconds = seconds.parse().with_context(|| format!("`{seconds}` are no seconds"))?;
            (*target, seconds)
        }
        _ => bail!("name one target: {}", known.join(", ")),
    };
    ensure!(
        known.iter().any(|name| name == target),
        "there is no target `{target}`: {}",
        known.join(", ")
    );
    let corpus = copy_seeds(root, target)?;
    let status = Command::new(crate::cargo_path())
        .args(["fuzz", "run", target])
        .arg(&corpus)
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(LIMITS)
        // Instrumentation is not stable yet; this spares a second toolchain.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root)
        .status()
        .context("failed to start `cargo fuzz`")?;
    if !status.success() {
        bail!(
            "`cargo fuzz` ended with {status}; findings are in fuzz/artifacts/{target}, and \
             `cargo install cargo-fuzz --locked` installs it where it is missing"
        );
    }
    Ok(())
}

fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for path in files(&folder)? {
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// The folder in which the fuzzer works. What it found there before stays.
fn copy_seeds(root: &Path, target: &str) -> anyhow::Result<PathBuf> {
    let corpus = root.join("fuzz/target/corpus").join(target);
    fs::create_dir_all(&corpus)
        .with_context(|| format!("failed to create {}", corpus.display()))?;
    for seed in files(&root.join("fuzz/corpus").join(target))? {
        let name = seed.file_name().unwrap_or_default();
        fs::copy(&seed, corpus.join(name))
            .with_context(|| format!("failed to copy {}", seed.display()))?;
    }
    Ok(corpus)
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let list = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect();
    fs::read_dir(folder)
        .and_then(list)
        .with_context(|| format!("failed to list {}", folder.display()))
}
