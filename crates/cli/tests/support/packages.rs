//! Peers that other people wrote, in packages of npm and `PyPI`, and what is expected of them.
//!
//! Packages are installed into `target/peers`. Where a runtime is missing a test is skipped and
//! says so; under `CI=true` it fails instead.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use super::{lines, verdicts};

/// Pinned, for verdicts belong to a version.
pub(crate) const NPM_WS: &str = "ws@8.23.0";
/// Pinned, for verdicts belong to a version.
pub(crate) const PY_WEBSOCKETS: &str = "websockets==17.4";

/// What a peer is expected to get. Every other case is OK / OK.
#[derive(Deserialize)]
struct Expectation {
    other_than_ok: BTreeMap<String, Vec<String>>,
}

/// Compares the report in `dir` with what is expected of the peer `name`, which breaks no MUST;
/// `text` is what the binary said.
pub(crate) fn compare(name: &str, dir: &Path, count: usize, text: &str) {
    compare_verdicts(name, dir, count, text);
    // All that differs from the classic verdicts rests on something that is no MUST.
    for attempt in lines(dir, "attempt") {
        let rfc = &attempt["rfc"];
        assert_ne!(rfc["behavior"], "FAILED", "{name}: {}: {rfc}", attempt["case"]);
    }
}

/// As [`compare`], for a peer that may break one.
pub(crate) fn compare_verdicts(name: &str, dir: &Path, count: usize, text: &str) {
    let file = format!("{}/tests/expectations/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let expected = fs::read_to_string(file).expect("it is stored");
    let expected: Expectation = serde_json::from_str(&expected).expect("it is JSON");
    let judged = verdicts(dir);
    assert_eq!(judged.len(), count, "{name}: {text}");
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
}

/// Three rows of each subsection of 12 and 13 stand for all: small, middling, in fragments.
pub(crate) fn rows_of_compression() -> impl Iterator<Item = String> {
    let subsections = (1..=5).map(|n| (12, n)).chain((1..=7).map(|n| (13, n)));
    subsections.flat_map(|(section, n)| [1, 3, 11].map(|row| format!("{section}.{n}.{row}")))
}

/// Skips a test for want of a runtime, or fails it where nothing may be skipped.
#[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{what}");
    eprintln!("skipped: {what}");
}

/// The name of a browser that can be driven, as it is on the path, or on macOS. Without one, skips a
/// test as `skip` does.
pub(crate) fn browser() -> Option<&'static str> {
    const NAMES: [&str; 4] = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    let found = NAMES.into_iter().find(|name| can_be_run(name));
    if found.is_none() {
        skip(&format!("there is no browser: none of {}", NAMES.join(", ")));
    }
    found
}

/// Whether there is a program that says its version.
pub(crate) fn can_be_run(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// The path of a program in `tests/peers`.
pub(crate) fn script(name: &str) -> String {
    format!("{}/tests/peers/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Installs a package of npm. Returns the folder for `NODE_PATH`.
pub(crate) fn npm(package: &str) -> Result<PathBuf, String> {
    let dir = installed(package, |dir| {
        fs::write(dir.join("package.json"), "{\"private\": true}\n")
            .map_err(|error| format!("package.json cannot be written: {error}"))?;
        run("npm", &["install", "--no-audit", "--no-fund", "--save-exact", package], dir)
    })?;
    Ok(dir.join("node_modules"))
}

/// Installs a package of `PyPI`. Returns the interpreter that finds it.
pub(crate) fn pip(package: &str) -> Result<PathBuf, String> {
    let python = |dir: &Path| dir.join("bin/python");
    let dir = installed(package, |dir| {
        run("python3", &["-m", "venv", "."], dir)?;
        let python = python(dir);
        run(&python.to_string_lossy(), &["-m", "pip", "install", "--quiet", package], dir)
    })?;
    Ok(python(&dir))
}

/// The folder of a package. What another test is installing is waited for.
fn installed(
    package: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(package);
    fs::create_dir_all(&dir).expect("there is room");
    let lock = File::create(dir.join("lock")).expect("there is room");
    lock.lock().expect("files can be locked");
    let done = dir.join("installed");
    if !done.exists() {
        install(&dir)?;
        fs::write(done, "").expect("there is room");
    }
    Ok(dir)
}

/// Runs a program to its end.
pub(crate) fn run(program: &str, args: &[&str], dir: &Path) -> Result<(), String> {
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
