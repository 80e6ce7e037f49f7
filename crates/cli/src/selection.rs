//! Which cases run: ids and patterns.

use wsproof_engine::{Case, pattern::selects};
use wsproof_report::gate::Scope;

use crate::{args::RunArgs, exit::Error, gate, output, stored};

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

/// The cases of a run among those that there are, and what it is compared with. Nothing if
/// --last-failed finds that nothing failed, which is said.
pub(crate) fn select_for(
    catalogue: Vec<Case>,
    run: &RunArgs,
) -> Result<Option<(Vec<Case>, gate::Setup)>, Error> {
    let mut cases = select_known(catalogue.clone(), &run.cases, &run.exclude)?;
    let scope = if run.last_failed { Scope::Part } else { Scope::Whole };
    let gate = gate::Setup::new(run, catalogue, scope)?;
    if run.last_failed {
        cases = stored::last_failed(cases, run, gate.fail_on())?;
        if cases.is_empty() {
            output::line("nothing failed in the last run: nothing to do");
            return Ok(None);
        }
    }
    Ok(Some((cases, gate)))
}
