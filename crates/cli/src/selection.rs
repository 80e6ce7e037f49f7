//! Which cases run: ids and patterns.

use wsproof_engine::{Case, pattern::selects};
use wsproof_report::{contract::PartInfo, gate::Scope};

use crate::{args::RunArgs, exit::Error, gate, output, partition::Partition, stored};

/// Takes what `wanted` selects and `excluded` does not, in the order of the catalogue: without a
/// wish, all cases. A pattern that selects nothing is wrong usage, but an empty one beside others is
/// harmless.
pub(crate) fn select(
    mut cases: Vec<Case>,
    wanted: &[String],
    excluded: &[String],
) -> Result<Vec<Case>, Error> {
    let all = ["*".to_owned()];
    let wanted = if wanted.is_empty() { &all } else { wanted };
    let mut patterns = wanted.iter().chain(excluded).filter(|pattern| !pattern.is_empty());
    let is_void = |pattern: &str| !cases.iter().any(|case| selects(pattern, case.id.as_str()));
    if let Some(pattern) = patterns.find(|pattern| is_void(pattern)) {
        return Err(Error::usage(format!(
            "`{pattern}` is no case and selects none; `wsproof cases` lists them"
        )));
    }
    if wanted.iter().all(String::is_empty) {
        return Err(Error::usage(
            "no case is named where some are to be; leave the empty pattern out for all of them",
        ));
    }
    let any = |patterns: &[String], id: &str| patterns.iter().any(|pattern| selects(pattern, id));
    cases.retain(|case| any(wanted, case.id.as_str()) && !any(excluded, case.id.as_str()));
    if cases.is_empty() {
        return Err(Error::usage("--exclude leaves no case to run"));
    }
    Ok(cases)
}

/// What a run is about.
pub(crate) struct Selected {
    pub(crate) cases: Vec<Case>,
    /// Which part of a divided run this is.
    pub(crate) part: Option<PartInfo>,
    pub(crate) gate: gate::Setup,
}

/// The cases of a run among those that there are, and what it is compared with. Nothing if there
/// is nothing to do, which is said.
pub(crate) fn select_for(
    catalogue: Vec<Case>,
    run: &RunArgs,
    partition: Option<Partition>,
) -> Result<Option<Selected>, Error> {
    let mut cases = select(catalogue.clone(), &run.cases, &run.exclude)?;
    let scope = if run.last_failed || partition.is_some() { Scope::Part } else { Scope::Whole };
    let all = if run.cases.is_empty() { vec!["*".to_owned()] } else { run.cases.clone() };
    let selection = (all, run.exclude.clone());
    let gate = gate::Setup::new(&run.gate, run.judge.into(), selection, catalogue, scope)?;
    if run.last_failed {
        cases = stored::last_failed(cases, run, gate.fail_on())?;
        if cases.is_empty() {
            output::line("nothing failed in the last run: nothing to do");
            return Ok(None);
        }
    }
    let mut part = None;
    if let Some(partition) = partition {
        let (mine, info) = partition.take(cases)?;
        if mine.is_empty() {
            let PartInfo { part, parts, .. } = info;
            output::line(&format!("part {part} of {parts} has no case: nothing to do"));
            return Ok(None);
        }
        (cases, part) = (mine, Some(info));
    }
    Ok(Some(Selected { cases, part, gate }))
}
