//! Speed, as ratios against peers in the same run: absolute times are the machine's, and machines
//! are noisy. Whatever is compared runs by turns.

mod agents;
mod chart;
mod echo;
mod growth;
mod measure;
mod servers;

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};

use crate::peers;

/// What `cargo xtask bench` takes.
pub(crate) const USAGE: &str = "\
  bench [servers] [--runs N] [--wstest PATH]
          Time the 247 quick cases against several servers, 3 times unless told,
          and against two that are wrong, once
  bench all [--runs N] [--wstest PATH]
          Time all 517 cases against npm ws and Bun, once unless told
  bench agents [--runs N] [--wstest PATH]
          Time the fuzzing server with 1 and with 50 clients, 3 times and once
          unless told
  bench echo [--runs N]
          Load the echo server and three others by turns, 3 times unless told;
          draws docs/pictures/echo.svg
  bench growth [--runs N]
          Time and memory with more servers, clients and results, once unless
          told; draws docs/pictures/growth-*.svg
          PATH is the original, which then runs by turns with ours";

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

/// One of the measurements, and whether the original can take part in it.
#[derive(Clone, Copy)]
struct Measurement {
    run: fn(&Bench<'_>) -> anyhow::Result<()>,
    beside_wstest: bool,
}

/// What the words of the command line ask for.
struct Request<'a> {
    measurement: Measurement,
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
    let Request { measurement, wstest, runs } = request(words)?;
    let binary = peers::build(root)?;
    let folder = std::env::temp_dir().join(format!("wsproof-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = (measurement.run)(&Bench { root, binary: &binary, folder: &folder, wstest, runs });
    fs::remove_dir_all(&folder)?;
    done
}

fn request<'a>(words: &[&'a str]) -> anyhow::Result<Request<'a>> {
    let (what, options) = match words {
        [what, options @ ..] if !what.starts_with('-') => (*what, options),
        options => ("servers", options),
    };
    let measurement = match what {
        "servers" => Measurement { run: servers::quick, beside_wstest: true },
        "all" => Measurement { run: servers::all, beside_wstest: true },
        "agents" => Measurement { run: agents::run, beside_wstest: true },
        "echo" => Measurement { run: echo::run, beside_wstest: false },
        "growth" => Measurement { run: growth::run, beside_wstest: false },
        other => bail!("`bench {other}` is not known:\n  {USAGE}"),
    };
    let (mut runs, mut wstest) = (None, None);
    for option in options.chunks(2) {
        match *option {
            ["--runs", n] => {
                let n = n.parse().ok().filter(|&n| n > 0);
                runs = Some(n.with_context(|| format!("`{}` is no number of runs", option[1]))?);
            }
            ["--wstest", path] => {
                ensure!(measurement.beside_wstest, "`bench {what}` takes no --wstest:\n  {USAGE}");
                wstest = Some(path);
            }
            _ => bail!("`{}` is not known to `bench`:\n  {USAGE}", option.join(" ")),
        }
    }
    Ok(Request { measurement, wstest, runs })
}

/// A picture as a file: `body` on white, with this title.
fn svg(width: f64, height: f64, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for: runs and the original; or a part of what is wrong.
    fn check(words: &[&str], expected: Result<(Option<usize>, Option<&str>), &str>) {
        match (request(words), expected) {
            (Ok(request), expected) => {
                assert_eq!(Ok((request.runs, request.wstest)), expected, "{words:?}");
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{words:?}: {error}");
            }
            (Err(error), Ok(_)) => panic!("{words:?}: {error}"),
        }
    }

    #[test]
    fn options_that_are_not_taken_are_refused() {
        check(&[], Ok((None, None)));
        check(&["--runs", "5"], Ok((Some(5), None)));
        check(&["agents", "--wstest", "w", "--runs", "2"], Ok((Some(2), Some("w"))));
        check(&["growth", "--runs", "2"], Ok((Some(2), None)));
        check(&["growth", "--wstest", "w"], Err("`bench growth` takes no --wstest"));
        check(&["echo", "--wstest", "w"], Err("`bench echo` takes no --wstest"));
        check(&["echo", "--runs", "0"], Err("`0` is no number of runs"));
        check(&["all", "--runs"], Err("`--runs` is not known"));
        check(&["alle"], Err("`bench alle` is not known"));
    }
}
