//! The end of a run: is it as expected? The answer is an exit code, a summary, and files for CI.
//!
//! Nothing here can lose results: they and the report are on disk before it begins, and a file
//! that cannot be written is said so and keeps no other from being written.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use wsproof_engine::Case;
use wsproof_report::{
    File, Gate, JudgeKind, Results, badge,
    baseline::{Baseline, Update},
    gate::{FailOn, Fault, FindingKind, Question, Scope},
    github, html, junit, markdown,
    summary::{self, Ending},
    tap,
};

use crate::{
    args::{FailOnName, GateArgs},
    exit::{Error, Exit},
    output,
};

/// What a run is compared with, and which files are wanted.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    fail_on: FailOn,
    baseline: Option<Expected>,
    update: bool,
    files: GateArgs,
    /// The patterns that selected the cases, and those that left some out.
    selection: (Vec<String>, Vec<String>),
    scope: Scope,
    /// All cases that there are for such peers.
    catalogue: Vec<Case>,
}

/// A baseline as it was read.
#[derive(Debug)]
struct Expected {
    path: PathBuf,
    /// Nothing if there is no file yet.
    text: Option<String>,
    baseline: Baseline,
}

/// What makes a file of a comparison.
pub(crate) type Render = fn(&Gate<'_>) -> String;

/// A run that is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) results: &'a Results,
    pub(crate) cases: &'a [Case],
    pub(crate) judge: JudgeKind,
    /// The report's page, or the stored results.
    pub(crate) page: &'a Path,
    /// Whether that is a page that was written now.
    pub(crate) is_written: bool,
    pub(crate) interrupted: bool,
    /// Whether some peer did not get through its cases.
    pub(crate) incomplete: bool,
}

impl Setup {
    /// Reads what the command line names. What is wrong with it is said before anything is run.
    pub(crate) fn new(
        args: &GateArgs,
        judge: JudgeKind,
        selection: (Vec<String>, Vec<String>),
        catalogue: Vec<Case>,
        scope: Scope,
    ) -> Result<Self, Error> {
        let fail_on = fail_on(args)?;
        if args.update_baseline && scope == Scope::Part {
            return Err(Error::usage(
                "--update-baseline wants a whole run, not --last-failed or --partition",
            ));
        }
        let baseline = args.expect.baseline.as_ref().map(|path| Expected::read(path, args, judge));
        let baseline = baseline.transpose()?;
        if let Some(Expected { path, baseline, .. }) = &baseline {
            let fault = |what: String| Error::usage(format!("{}: {what}", path.display()));
            let known = catalogue.iter().map(|case| &case.id);
            baseline.check_cases(&known).map_err(|error| fault(error.to_string()))?;
            if baseline.judge != judge && !args.update_baseline {
                return Err(fault(
                    "`judge` is another one than that of --judge; use the same, or \
                     --update-baseline"
                        .to_owned(),
                ));
            }
        }
        Ok(Self {
            fail_on,
            baseline,
            update: args.update_baseline,
            files: args.clone(),
            selection,
            scope,
            catalogue,
        })
    }

    /// Which faults fail a run.
    pub(crate) fn fail_on(&self) -> &FailOn {
        &self.fail_on
    }

    /// How a run went, for an exit code alone.
    pub(crate) fn exit(&self, ended: Ended<'_>) -> Exit {
        exit(&Gate::new(self.question(ended, None)), ended)
    }

    /// Compares, for a file alone.
    pub(crate) fn render(&self, ended: Ended<'_>, render: Render) -> String {
        let baseline = self.baseline.as_ref().map(|expected| &expected.baseline);
        render(&Gate::new(self.question(ended, baseline)))
    }

    /// The report's page with what the comparison with the baseline came to, if there is one.
    pub(crate) fn index(&self, ended: Ended<'_>) -> Option<File> {
        let baseline = &self.baseline.as_ref()?.baseline;
        Some(index(&Gate::new(self.question(ended, Some(baseline))), ended))
    }

    /// Compares, writes the wanted files and prints the summary.
    pub(crate) fn conclude(&self, ended: Ended<'_>) -> Exit {
        let mut failed = false;
        let mut attempt = |done: Result<(), Error>| {
            if let Err(error) = done {
                output::error(&error);
                failed = true;
            }
        };
        let mut updated = None;
        if self.update {
            match self.updated(ended) {
                Ok(baseline) => updated = baseline,
                Err(error) => attempt(Err(error)),
            }
        }
        let read = self.baseline.as_ref().map(|expected| &expected.baseline);
        let gate = Gate::new(self.question(ended, updated.as_ref().or(read)));
        if gate.has_baseline() && ended.is_written {
            // The page was written before anything could be compared.
            attempt(write(ended.page, &index(&gate, ended).contents));
        }
        let files: [(_, Render); 3] = [
            (&self.files.junit, junit::render),
            (&self.files.tap, tap::render),
            (&self.files.badge, badge::render),
        ];
        for (path, render) in files {
            if let Some(path) = path {
                attempt(write(path, render(&gate).as_bytes()));
            }
        }
        attempt(on_github(&gate));
        let mut exit = exit(&gate, ended);
        if failed && exit == Exit::AsExpected {
            exit = Exit::NotCarriedOut;
        }
        let page = ended.page.display().to_string();
        let ending = Ending { report: &page, exit: exit as u8 };
        output::spans(&summary::spans(&gate, Some(ending)));
        exit
    }

    fn question<'a>(&'a self, ended: Ended<'a>, baseline: Option<&'a Baseline>) -> Question<'a> {
        let cases = if self.catalogue.is_empty() { ended.cases } else { &self.catalogue };
        Question {
            results: ended.results,
            cases,
            judge: ended.judge,
            fail_on: &self.fail_on,
            baseline,
            scope: self.scope,
        }
    }

    /// Makes the baseline equal to the run.
    fn updated(&self, ended: Ended<'_>) -> Result<Option<Baseline>, Error> {
        let Some(Expected { path, text, .. }) = &self.baseline else { return Ok(None) };
        if ended.interrupted || ended.incomplete || ended.results.peers().is_empty() {
            output::warning(&format!(
                "{} stays as it was, since the run did not get to its end",
                path.display()
            ));
            return Ok(None);
        }
        let (cases, exclude) = &self.selection;
        let update = Update { question: self.question(ended, None), cases, exclude };
        let what = || format!("update {}", path.display());
        let updated = update.apply(text.as_deref()).map_err(|e| Error::failed(what(), e))?;
        let baseline = Baseline::parse(&updated.text).map_err(|e| Error::failed(what(), e))?;
        write(path, updated.text.as_bytes())?;
        for dropped in &updated.dropped {
            output::notice(&format!("  no longer expected {dropped}"));
        }
        let rows: usize = baseline.peers.iter().map(|entry| entry.rows.len()).sum();
        let without = match updated.unexplained {
            0 => String::new(),
            n => format!("; give {n} of them a reason in `why`"),
        };
        output::notice(&format!("{} updated, rows: {rows}{without}", path.display()));
        Ok(Some(baseline))
    }
}

impl Expected {
    fn read(path: &Path, args: &GateArgs, judge: JudgeKind) -> Result<Self, Error> {
        let path = path.to_owned();
        match fs::read_to_string(&path) {
            Ok(text) => {
                let baseline = Baseline::parse(&text)
                    .map_err(|error| Error::usage(format!("{}: {error}", path.display())))?;
                Ok(Self { path, text: Some(text), baseline })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && args.update_baseline => {
                let baseline = Baseline { judge, ..Baseline::default() };
                Ok(Self { path, text: None, baseline })
            }
            Err(error) => Err(Error::usage(format!(
                "failed to read the baseline {}: {error}; --update-baseline makes one from a run",
                path.display()
            ))),
        }
    }
}

fn fail_on(args: &GateArgs) -> Result<FailOn, Error> {
    let mut faults = FailOn::default();
    for name in &args.expect.fail_on {
        faults.0.insert(match name {
            FailOnName::Deviation => Fault::Deviation,
            FailOnName::Informational => Fault::Informational,
            FailOnName::Missing => Fault::Missing,
            FailOnName::NonStrict => Fault::NonStrict,
            FailOnName::Unimplemented => Fault::Unimplemented,
            FailOnName::Unstable => Fault::Unstable,
            FailOnName::Never
                if args.expect.fail_on.len() > 1 || args.expect.baseline.is_some() =>
            {
                return Err(Error::usage(
                    "--fail-on never goes with no other value and no --baseline",
                ));
            }
            FailOnName::Never => {
                faults.0.clear();
                break;
            }
        });
    }
    Ok(faults)
}

fn index(gate: &Gate<'_>, ended: Ended<'_>) -> File {
    let titles = wsproof_cases::section_title;
    html::index(ended.results, ended.cases, ended.judge, titles, Some(gate))
}

fn exit(gate: &Gate<'_>, ended: Ended<'_>) -> Exit {
    // What is missing because a peer was gone is no deviation of the peer.
    let gone = ended.incomplete && gate.findings().len() == gate.count(FindingKind::Missing);
    if ended.interrupted {
        Exit::Interrupted
    } else if ended.results.peers().is_empty() || gone {
        Exit::NotCarriedOut
    } else if gate.findings().is_empty() {
        Exit::AsExpected
    } else {
        Exit::Deviates
    }
}

/// Annotations and the step summary, where a workflow of GitHub runs us.
fn on_github(gate: &Gate<'_>) -> Result<(), Error> {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return Ok(());
    }
    for line in github::annotations(gate) {
        output::line(&line);
    }
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) else {
        return Ok(());
    };
    let text = markdown::render(gate);
    // Other steps write there as well.
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Error::failed(format!("write {}", path.display()), error))
}

fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| {
            Error::failed(format!("create the folder {}", folder.display()), error)
        })?;
    }
    output::write_whole(path, contents)
}
