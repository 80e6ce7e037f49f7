//! Results of earlier runs.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use wsproof_engine::{Case, CaseId};
use wsproof_report::{File, JudgeKind, Results, classic, gate::FailOn, html};

use crate::{args::RunArgs, exit::Error, output};

/// The results in a report's folder.
pub(crate) fn path_in(out: &Path) -> PathBuf {
    out.join("results.jsonl")
}

/// Reads a `results.jsonl`, or that of a folder.
pub(crate) fn read(path: &Path) -> Result<Results, Error> {
    let path = if path.is_dir() { path_in(path) } else { path.to_owned() };
    let octets = fs::read(&path).map_err(|error| {
        Error::usage(format!("failed to read the results {}: {error}", path.display()))
    })?;
    let results = Results::parse(octets)
        .map_err(|error| Error::usage(format!("{}: {error}", path.display())))?;
    if results.run().is_none() && results.peers().is_empty() {
        return Err(Error::usage(format!(
            "{}: no run is in it; name a results.jsonl, or the folder of a report",
            path.display()
        )));
    }
    Ok(results)
}

/// All files of a report.
pub(crate) fn report(results: &Results, cases: &[Case], judge: JudgeKind) -> Vec<File> {
    let mut files = pages(results, cases, judge);
    files.extend(classic_files(results, cases));
    files
}

/// The report for people.
pub(crate) fn pages(results: &Results, cases: &[Case], judge: JudgeKind) -> Vec<File> {
    html::files(results, cases, judge, wsproof_cases::section_title)
}

/// The files of `wstest`.
pub(crate) fn classic_files(results: &Results, cases: &[Case]) -> Vec<File> {
    classic::files(results, &classic_order(cases))
}

/// The cases in the order in which `wstest` counts them, with those that it does not have.
pub(crate) fn classic_order(cases: &[Case]) -> Vec<Case> {
    let mut order: Vec<Case> = wsproof_cases::classic();
    order.extend(cases.iter().filter(|case| !case.id.is_classic()).cloned());
    order
}

/// Writes files of a report into its folder.
pub(crate) fn write(out: &Path, files: &[File]) -> Result<(), Error> {
    create_folder(out)?;
    files.iter().try_for_each(|file| write_file(out, file))
}

/// Writes a file of a report.
pub(crate) fn write_file(out: &Path, file: &File) -> Result<(), Error> {
    output::write_whole(&out.join(&file.name), &file.contents)
}

/// Makes a folder for results.
pub(crate) fn create_folder(out: &Path) -> Result<(), Error> {
    fs::create_dir_all(out)
        .map_err(|error| Error::failed(format!("create the folder {}", out.display()), error))
}

/// Leaves the cases that failed or were not judged in the results that lie in the report's folder.
pub(crate) fn last_failed(
    mut cases: Vec<Case>,
    run: &RunArgs,
    fail_on: &FailOn,
) -> Result<Vec<Case>, Error> {
    let path = path_in(&run.out);
    if matches!(fs::metadata(&path), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        return Err(Error::usage(format!(
            "--last-failed: there is no {}; run without it first, or name the report's folder \
             with --out",
            path.display()
        )));
    }
    let again = again(&read(&path)?, run.judge.into(), fail_on);
    cases.retain(|case| again.contains(&case.id));
    Ok(cases)
}

fn again(results: &Results, judge: JudgeKind, fail_on: &FailOn) -> BTreeSet<CaseId> {
    let peers = results.peers().iter().flat_map(|peer| {
        let records = results.records(&peer.peer);
        let failed = records.filter(move |(_, record)| {
            let attempt = record.final_attempt();
            attempt.is_none_or(|a| fail_on.minds(record, a.judgement(judge)))
        });
        failed.map(|(id, _)| id).chain(results.missing(&peer.peer)).cloned()
    });
    let peers: BTreeSet<_> = peers.collect();
    if results.peers().is_empty() { results.cases().into_iter().collect() } else { peers }
}
