//! Which cases run: ids and patterns.

use wsproof_engine::{Case, pattern::selects};
use wsproof_report::{contract::PartInfo, gate::Scope};

use crate::{args::RunArgs, exit::Error, gate, output, partition::Partition, stored};

/// The cases that a user asked for, in catalogue order.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) cases: Vec<Case>,
    /// Patterns that select nothing.
    pub(crate) void: Vec<String>,
}

/// Takes what `wanted` selects and `excluded` does not. Empty patterns are harmless.
pub(crate) fn select(cases: Vec<Case>, wanted: &[String], excluded: &[String]) -> Selection {
    let any = |patterns: &[String], id: &str| patterns.iter().any(|pattern| selects(pattern, id));
    let void = wanted
        .iter()
        .chain(excluded)
        .filter(|pattern| !pattern.is_empty())
        .filter(|pattern| !cases.iter().any(|case| selects(pattern, case.id.as_str())))
        .cloned()
        .collect();
    let cases = cases
        .into_iter()
        .filter(|case| any(wanted, case.id.as_str()) && !any(excluded, case.id.as_str()))
        .collect();
    Selection { cases, void }
}

/// As [`select`], for a command line: without a wish, all cases; a pattern that selects nothing is
/// wrong usage.
fn select_known(
    cases: Vec<Case>,
    wanted: &[String],
    excluded: &[String],
) -> Result<Vec<Case>, Error> {
    let all = ["*".to_owned()];
    let wanted = if wanted.is_empty() { &all } else { wanted };
    let Selection { cases, void } = select(cases, wanted, excluded);
    if let Some(pattern) = void.first() {
        return Err(Error::usage(format!(
            "`{pattern}` is no case and selects none; `wsproof cases` lists them"
        )));
    }
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
    let mut cases = select_known(catalogue.clone(), &run.cases, &run.exclude)?;
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
