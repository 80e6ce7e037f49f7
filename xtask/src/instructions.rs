//! Instructions that the codec takes for a frame, counted by callgrind and compared with the counts
//! in `xtask/instructions.json`: a machine's speed varies, its number of instructions hardly does.
//!
//! Only our own binary counts, since the C library brings other code for each processor; of that
//! library calls are counted. What remains depends on the compiler and on AVX2, for which simdutf8 has code of
//! its own, so that elsewhere nothing is compared.

use std::{
    collections::HashSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};

/// Where the counts are kept.
const FILE: &str = "xtask/instructions.json";

/// By how much a count may differ from the one that is kept, as a part of it.
const TOLERANCE: f64 = 0.03;

/// What may come and go without meaning anything, for counts that are nearly nothing.
const SLACK: f64 = 0.05;

const UPDATE: &str = "cargo xtask instructions --update";

/// What callgrind is to look at, in the benchmarks of all crates.
const COUNTED: &str = "*::counted::count*";

/// What is done for one frame, message or piece.
struct Counts {
    name: String,
    figures: [f64; 3],
}

/// What is counted, in the order of [`Counts::figures`].
const FIGURES: [&str; 3] = ["instructions", "allocations", "copies and comparisons"];

/// What became of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Counted,
    Skipped,
}

/// Why counts from here cannot be compared with those that are kept.
#[derive(Debug)]
enum Obstacle {
    /// This machine would have other ones.
    Machine(String),
    /// Something could be installed.
    Tool(String),
}

/// Counts and compares, or writes what was counted.
pub(crate) fn run(root: &Path, update: bool) -> anyhow::Result<Outcome> {
    if let Some(obstacle) = obstacle(root)? {
        let may_skip = !update && obstacle.may_be_skipped(env::var("CI").ok().as_deref());
        let (Obstacle::Machine(why) | Obstacle::Tool(why)) = obstacle;
        ensure!(may_skip, "cannot count: {why}");
        // `.ci/run` looks for these words.
        println!("instructions: skipped, {why}");
        return Ok(Outcome::Skipped);
    }
    let mut all = Vec::new();
    for binary in build(root)? {
        all.extend(count_all(&binary)?);
    }
    print(&all);
    let path = root.join(FILE);
    if update {
        let text = serde_json::to_string_pretty(&to_json(&all))?;
        fs::write(&path, text + "\n").with_context(|| format!("failed to write {FILE}"))?;
        println!("instructions: wrote {FILE}");
        return Ok(Outcome::Counted);
    }
    let kept = fs::read_to_string(&path).with_context(|| format!("failed to read {FILE}"))?;
    let kept: Value =
        serde_json::from_str(&kept).with_context(|| format!("failed to read {FILE}"))?;
    let (worse, better) = differences(&all, &kept);
    for line in worse.iter().chain(&better) {
        println!("  {line}");
    }
    if !worse.is_empty() {
        bail!("{} counts are not as in {FILE}; if that is meant, `{UPDATE}`", worse.len());
    }
    if !better.is_empty() {
        println!("  warning: keep what was gained: `{UPDATE}`");
    }
    println!("instructions: {} counts, none has grown", all.len());
    Ok(Outcome::Counted)
}

impl Obstacle {
    /// Whether the counts may go without comparison, given the variable `CI`: what can be installed
    /// in CI must be there, or nobody would notice for long.
    fn may_be_skipped(&self, ci: Option<&str>) -> bool {
        match self {
            Self::Machine(_) => true,
            Self::Tool(_) => ci != Some("true"),
        }
    }
}

fn obstacle(root: &Path) -> anyhow::Result<Option<Obstacle>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Some(Obstacle::Machine("the counts are those of Linux on x86-64".to_owned())));
    }
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !processor.split_whitespace().any(|flag| flag == "avx2") {
        let why = "the counts are those of a processor with AVX2";
        return Ok(Some(Obstacle::Machine(why.to_owned())));
    }
    let pinned = fs::read_to_string(root.join("rust-toolchain.toml"))?;
    let pinned = pinned.lines().find_map(|line| line.strip_prefix("channel = "));
    let pinned = pinned.context("failed to find the channel in rust-toolchain.toml")?;
    let pinned = pinned.trim_matches('"');
    let compiler = output(Command::new("rustc").arg("--version").current_dir(root))?;
    if compiler.split_whitespace().nth(1) != Some(pinned) {
        let why = format!("the counts are those of Rust {pinned}, not {}", compiler.trim());
        return Ok(Some(Obstacle::Tool(why)));
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        let why = "there is no valgrind; the package of that name has it";
        return Ok(Some(Obstacle::Tool(why.to_owned())));
    }
    Ok(None)
}

/// Builds the benchmarks that can be counted. Those of the other crates need much more building.
fn build(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let messages = output(
        Command::new(crate::cargo_path())
            .args(["bench", "--no-run", "--locked", "--message-format", "json"])
            .args(["--package", "wsproof-proto", "--package", "wsproof-engine"])
            .current_dir(root),
    )?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_benchmark = message["target"]["kind"] == json!(["bench"]);
        message["executable"].as_str().filter(|_| is_benchmark).map(PathBuf::from)
    };
    let mut found: Vec<_> = messages.lines().filter_map(executable).collect();
    found.sort();
    ensure!(!found.is_empty(), "`cargo bench --no-run` named no benchmarks");
    Ok(found)
}

/// Counts all that a binary has.
fn count_all(binary: &Path) -> anyhow::Result<Vec<Counts>> {
    let list = output(Command::new(binary).arg("--counted"))?;
    let entry = |line: &str| {
        let (times, name) = line.split_once(' ').context("failed to read the list of counts")?;
        let profile = profile(binary, name)?;
        let totals = totals(&profile, &binary.to_string_lossy());
        ensure!(totals[0] > 0, "callgrind did not see {COUNTED} for `{name}`");
        let times: f64 = times.parse()?;
        let of_one = |total: u32| (f64::from(total) / times * 100.0).round() / 100.0;
        Ok(Counts { name: name.to_owned(), figures: totals.map(of_one) })
    };
    list.lines().map(entry).collect()
}

/// What callgrind writes about one piece of work.
fn profile(binary: &Path, name: &str) -> anyhow::Result<String> {
    let file = env::temp_dir().join(format!("wsproof-callgrind-{}", std::process::id()));
    output(
        Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
            .arg(format!("--toggle-collect={COUNTED}"))
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(binary)
            .args(["--counted", name]),
    )?;
    let text = fs::read_to_string(&file).context("failed to read what callgrind wrote");
    fs::remove_file(&file).ok();
    text
}

/// Instructions of the functions in `binary`, and its calls of allocating and of other functions
/// of other libraries.
fn totals(profile: &str, binary: &str) -> [u32; 3] {
    const ALLOCATE: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];
    let [mut instructions, mut allocations, mut others] = [0; 3];
    let (mut object, mut callee_object, mut callee) = ("", None, "");
    let mut is_cost_of_call = false;
    for line in profile.lines() {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        match key {
            "ob" => object = value,
            "cob" => callee_object = Some(value),
            "cfn" => callee = value,
            "calls" => {
                let calls = value.split_whitespace().next().and_then(|n| n.parse().ok());
                let calls: u32 = calls.unwrap_or_default();
                if object == binary && callee_object.take().is_some_and(|other| other != binary) {
                    // Without symbols the C library still names what it exports.
                    match callee {
                        callee if ALLOCATE.contains(&callee) => allocations += calls,
                        "free" => {}
                        _ => others += calls,
                    }
                }
                is_cost_of_call = true;
            }
            _ if line.starts_with(|first: char| first.is_ascii_digit()) => {
                let cost = line.split_whitespace().nth(1).and_then(|cost| cost.parse().ok());
                if object == binary && !is_cost_of_call {
                    instructions += cost.unwrap_or(0);
                }
                is_cost_of_call = false;
            }
            _ => {}
        }
    }
    [instructions, allocations, others]
}

fn to_json(all: &[Counts]) -> Value {
    let entry = |counts: &Counts| {
        let figures = FIGURES.iter().zip(counts.figures);
        let figures: Map<_, _> =
            figures.map(|(figure, count)| ((*figure).to_owned(), json!(count))).collect();
        (counts.name.clone(), Value::Object(figures))
    };
    Value::Object(all.iter().map(entry).collect())
}

/// What has grown, or is not the same set of counts any more, and what has fallen.
fn differences(all: &[Counts], kept: &Value) -> (Vec<String>, Vec<String>) {
    let (mut worse, mut better) = (Vec::new(), Vec::new());
    for Counts { name, figures } in all {
        for (figure, now) in FIGURES.iter().zip(*figures) {
            let Some(was) = kept[name][figure].as_f64() else {
                worse.push(format!("{name}: {now} {figure}, none is kept"));
                continue;
            };
            let line = format!("{name}: {now} {figure}, kept are {was}");
            let margin = was * TOLERANCE + SLACK;
            if now > was + margin {
                worse.push(line);
            } else if now < was - margin {
                better.push(line);
            }
        }
    }
    let names: HashSet<_> = all.iter().map(|counts| counts.name.as_str()).collect();
    let kept = kept.as_object().into_iter().flat_map(Map::keys);
    let gone = kept.filter(|name| !names.contains(name.as_str()));
    worse.extend(gone.map(|name| format!("{name}: is kept and not counted any more")));
    (worse, better)
}

fn print(all: &[Counts]) {
    println!("| for one | {} |", FIGURES.join(" | "));
    println!("|---|---|---|---|");
    for Counts { name, figures: [instructions, allocations, others] } in all {
        println!("| {name} | {instructions:.0} | {allocations:.2} | {others:.2} |");
    }
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("failed to start {program}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} ended with {}\n{errors}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("failed to read {program}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_instructions_count_and_our_calls_of_others() {
        let profile = "\
events: Ir

ob=/bench
fn=count
0 100
cfn=inner
calls=2 0
0 50
cob=/libc.so.6
cfn=malloc
calls=3 0
0 900
cob=/libc.so.6
cfn=0x00000000001a2b30
calls=4 0
0 80

ob=/libc.so.6
fn=malloc
0 900
cob=/libc.so.6
cfn=sbrk
calls=1 0
0 7

totals: 1137
";
        assert_eq!(totals(profile, "/bench"), [100, 3, 4]);
    }

    #[test]
    fn ci_skips_what_no_installation_mends_alone() {
        let machine = Obstacle::Machine("other".to_owned());
        let tool = Obstacle::Tool("old".to_owned());
        for (ci, tool_may) in [(None, true), (Some("false"), true), (Some("true"), false)] {
            assert!(machine.may_be_skipped(ci), "{ci:?}");
            assert_eq!(tool.may_be_skipped(ci), tool_may, "{ci:?}");
        }
    }

    fn check(now: f64, worse: bool, better: bool) {
        let counts = Counts { name: "a".to_owned(), figures: [now, 0.0, 0.0] };
        let kept = to_json(&[Counts { name: "a".to_owned(), figures: [100.0, 0.0, 0.0] }]);
        let (grown, fallen) = differences(&[counts], &kept);
        assert_eq!((!grown.is_empty(), !fallen.is_empty()), (worse, better), "{now}");
    }

    #[test]
    fn counts_may_move_by_three_in_a_hundred() {
        check(100.0, false, false);
        check(103.0, false, false);
        check(104.0, true, false);
        check(96.0, false, true);
    }

    #[test]
    fn the_file_and_the_benchmarks_name_the_same_counts() {
        let counts = |name: &str| Counts { name: name.to_owned(), figures: [1.0, 0.0, 0.0] };
        let (worse, _) = differences(&[counts("a")], &to_json(&[counts("b")]));
        assert_eq!(worse.len(), FIGURES.len() + 1, "{worse:?}");
    }
}
