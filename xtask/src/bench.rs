//! Speed, as ratios against peers in the same run: absolute times are the machine's, and machines
//! are noisy. Whatever is compared runs by turns.

mod agents;
mod chart;
mod echo;
mod growth;
mod measure;
mod servers;

use std::{fs, path::Path};

use anyhow::{Context, bail};

use crate::peers;

/// What `cargo xtask bench` takes.
pub(crate) const USAGE: &str = "\
  bench [servers] [OPTIONS]
          Time the 247 quick cases against several servers
  bench all [OPTIONS]
          Time all 517 cases against npm ws and Bun, once unless told
  bench agents [OPTIONS]
          Time the fuzzing server with 1 and with 50 clients
  bench echo [OPTIONS]
          Load the echo server and three others by turns; draws docs/pictures/echo.svg
  bench growth
          Time and memory with more servers, clients and results; draws docs/pictures/growth-*.svg
          OPTIONS: --runs N, 3 unless told; --wstest PATH, to run the original by turns";

/// What the measurements have in common.
struct Bench<'a> {
    root: &'a Path,
    /// The program that is measured.
    binary: &'a Path,
    /// For files that nobody needs afterwards.
    folder: &'a Path,
    wstest: Option<&'a str>,
    runs: Option<usize>,
}

impl Bench<'_> {
    /// Stores a picture for the documents.
    fn picture(&self, name: &str, svg: &str) -> anyhow::Result<()> {
        let folder = self.root.join("docs/pictures");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{name}.svg")), svg).with_context(|| format!("draw {name}"))
    }
}

/// Runs what the words of the command line name, and prints tables.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let (what, options) = match words {
        [what, options @ ..] if !what.starts_with('-') => (*what, options),
        options => ("servers", options),
    };
    let (mut runs, mut wstest) = (None, None);
    for option in options.chunks(2) {
        match *option {
            ["--runs", n] => {
                let n: usize = n.parse().with_context(|| format!("`{n}` is no number of runs"))?;
                runs = Some(n.max(1));
            }
            ["--wstest", path] => wstest = Some(path),
            _ => bail!("`{}` is not known to `bench`:\n{USAGE}", option.join(" ")),
        }
    }
    let measure = match what {
        "servers" => servers::quick,
        "all" => servers::all,
        "agents" => agents::run,
        "echo" => echo::run,
        "growth" => growth::run,
        other => bail!("`bench {other}` is not known:\n{USAGE}"),
    };
    let binary = peers::build(root)?;
    let folder = std::env::temp_dir().join(format!("wsproof-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = measure(&Bench { root, binary: &binary, folder: &folder, wstest, runs });
    fs::remove_dir_all(&folder)?;
    done
}
