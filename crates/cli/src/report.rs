//! `wsproof report`: stored results rendered, merged, compared and checked.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use wsproof_engine::{Case, CaseId};
use wsproof_report::{
    File, JudgeKind, Results, badge, diff,
    gate::Scope,
    json, junit, markdown,
    merge::{self, Part},
    pcapng, tap,
};

use crate::{
    args::{
        CheckArgs, DiffArgs, FilesArgs, FolderArgs, GateArgs, Judge, MergeArgs, RenderArgs,
        ReportCommand,
    },
    exit::{Error, Exit},
    gate::{Ended, Render, Setup},
    listen::for_clients,
    output, stored,
};

pub(crate) fn run(command: &ReportCommand) -> Result<Exit, Error> {
    match command {
        ReportCommand::Badge(args) => text(args, "badge.svg", badge::render),
        ReportCommand::Check(args) => check(args),
        ReportCommand::Classic(args) => {
            folder(args, |stored| stored::classic_files(&stored.results, &stored.cases))
        }
        ReportCommand::Diff(args) => compare(args),
        ReportCommand::Html(args) => pages(args),
        ReportCommand::Json(args) => text(args, "report.json", json::render),
        ReportCommand::Junit(args) => text(args, "junit.xml", junit::render),
        ReportCommand::Markdown(args) => text(args, "report.md", markdown::render),
        ReportCommand::Merge(args) => merge(args),
        ReportCommand::Pcapng(args) => {
            folder(args, |stored| pcapng::files(&stored.results, &stored.cases).collect())
        }
        ReportCommand::Tap(args) => text(args, "report.tap", tap::render),
    }
}

/// Results with what is needed to speak about them.
struct Stored {
    results: Results,
    /// The selected cases, and others with a result.
    cases: Vec<Case>,
    /// All cases that there are for such peers.
    catalogue: Vec<Case>,
    judge: JudgeKind,
}

impl Stored {
    fn new(results: Results, judge: Option<Judge>) -> Self {
        let mut catalogue = wsproof_cases::catalogue();
        let peers = results.peers();
        if !peers.is_empty() && peers.iter().all(|peer| results.is_client(&peer.peer)) {
            catalogue = for_clients(catalogue);
        }
        let ids: BTreeSet<_> = results.cases().into_iter().collect();
        let cases = catalogue.iter().filter(|case| ids.contains(&case.id)).cloned().collect();
        let told = results.run().map(|run| run.judge).unwrap_or_default();
        Self { results, cases, catalogue, judge: judge.map_or(told, JudgeKind::from) }
    }

    fn read(args: &FilesArgs) -> Result<Self, Error> {
        Ok(Self::new(joined(&args.files)?, args.judge))
    }

    fn setup(&self, gate: &GateArgs) -> Result<Setup, Error> {
        let part = self.results.run().is_some_and(|run| run.part.is_some());
        let scope = if part { Scope::Part } else { Scope::Whole };
        let selection = (patterns(&self.cases, &self.catalogue), Vec::new());
        Setup::new(gate, self.judge, selection, self.catalogue.clone(), scope)
    }

    /// For what is rendered, and neither decides nor writes anything else.
    fn expected(&self, args: &RenderArgs) -> Result<Setup, Error> {
        self.setup(&GateArgs { expect: args.expect.clone(), ..GateArgs::default() })
    }

    /// `is_written` says whether `page` is one that was written now.
    fn ended<'a>(&'a self, page: &'a Path, is_written: bool) -> Ended<'a> {
        let results = &self.results;
        let gone = |peer: &str| !results.is_client(peer) && !results.missing(peer).is_empty();
        Ended {
            results,
            cases: &self.cases,
            judge: self.judge,
            page,
            is_written,
            interrupted: results.is_interrupted(),
            incomplete: results.peers().iter().any(|peer| gone(&peer.peer)),
        }
    }
}

/// The results of all files as one.
fn joined(files: &[PathBuf]) -> Result<Results, Error> {
    merge::join(&parts(files)?).map_err(|error| Error::usage(error.to_string()))
}

fn parts(files: &[PathBuf]) -> Result<Vec<Part>, Error> {
    let part = |path: &PathBuf| {
        Ok(Part { name: path.display().to_string(), results: stored::read(path)? })
    };
    files.iter().map(part).collect()
}

/// Patterns that select these cases of the catalogue, as few as sections allow.
fn patterns(cases: &[Case], catalogue: &[Case]) -> Vec<String> {
    let selected: BTreeSet<&CaseId> = cases.iter().map(|case| &case.id).collect();
    let mut sections: Vec<(&str, Vec<&CaseId>)> = Vec::new();
    for case in catalogue {
        match sections.last_mut().filter(|(section, _)| *section == case.id.section()) {
            Some((_, ids)) => ids.push(&case.id),
            None => sections.push((case.id.section(), vec![&case.id])),
        }
    }
    if selected.len() == catalogue.len() {
        return vec!["*".to_owned()];
    }
    let patterns = sections.into_iter().flat_map(|(section, ids)| {
        let of = ids.iter().filter(|id| selected.contains(*id)).map(ToString::to_string);
        let of: Vec<_> = of.collect();
        if of.len() == ids.len() { vec![format!("{section}.*")] } else { of }
    });
    patterns.collect()
}

/// Renders into a folder what does not depend on a judgement.
fn folder(args: &FolderArgs, files: impl Fn(&Stored) -> Vec<File>) -> Result<Exit, Error> {
    let stored = Stored::new(joined(&args.files)?, None);
    stored::write(&args.out, &files(&stored))?;
    output::line(&format!("report    {}", args.out.display()));
    Ok(Exit::AsExpected)
}

/// Renders the report for people.
fn pages(args: &RenderArgs) -> Result<Exit, Error> {
    if args.expect.baseline.is_none() && !args.expect.fail_on.is_empty() {
        return Err(Error::usage(
            "the pages show what --fail-on finds beside a baseline only; add --baseline FILE, or \
             leave --fail-on out",
        ));
    }
    let stored = Stored::read(&args.stored)?;
    let setup = stored.expected(args)?;
    let mut files = stored::pages(&stored.results, &stored.cases, stored.judge);
    if let Some(index) = setup.index(stored.ended(Path::new(""), false)) {
        files.retain(|file| file.name != index.name);
        files.push(index);
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("wsproof-report"));
    stored::write(&out, &files)?;
    output::line(&format!("report    {}", out.display()));
    Ok(Exit::AsExpected)
}

/// Renders a text, into a file of a folder or to stdout.
fn text(args: &RenderArgs, name: &str, render: Render) -> Result<Exit, Error> {
    let stored = Stored::read(&args.stored)?;
    let setup = stored.expected(args)?;
    let text = setup.render(stored.ended(Path::new(""), false), render);
    if let Some(out) = &args.out {
        let file = File { name: name.to_owned(), contents: text.into_bytes() };
        stored::write(out, &[file])?;
        output::line(&format!("report    {}", out.join(name).display()));
    } else {
        output::line(text.trim_end());
    }
    Ok(Exit::AsExpected)
}

fn check(args: &CheckArgs) -> Result<Exit, Error> {
    let stored = Stored::read(&args.stored)?;
    let setup = stored.setup(&args.gate)?;
    // At least one file is named.
    let first = args.stored.files.first().cloned().unwrap_or_default();
    Ok(setup.conclude(stored.ended(&first, false)))
}

fn merge(args: &MergeArgs) -> Result<Exit, Error> {
    let parts = parts(&args.files)?;
    let merged = merge::merge(&parts).map_err(|error| Error::usage(error.to_string()))?;
    let stored = Stored::new(merged, None);
    let setup = stored.setup(&args.gate)?;
    let lines: String = stored.results.lines().iter().map(|line| line.to_json() + "\n").collect();
    let mut files = stored::report(&stored.results, &stored.cases, stored.judge);
    files.push(File { name: "results.jsonl".to_owned(), contents: lines.into_bytes() });
    stored::write(&args.out, &files)?;
    Ok(setup.conclude(stored.ended(&args.out.join("index.html"), true)))
}

fn compare(args: &DiffArgs) -> Result<Exit, Error> {
    let (before, after) = (stored::read(&args.before)?, stored::read(&args.after)?);
    let told = after.run().map(|run| run.judge).unwrap_or_default();
    let diff = diff::diff(&before, &after, args.judge.map_or(told, JudgeKind::from));
    output::line(diff.text.trim_end());
    Ok(if diff.worse { Exit::Deviates } else { Exit::AsExpected })
}
