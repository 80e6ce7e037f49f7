//! What the specifications of servers and of clients under test say alike: which cases are run, and
//! where the report goes.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use wsproof_engine::{Case, Limits};
use wsproof_report::JudgeKind;

use super::pattern;
use crate::{
    exit::Error,
    gate, output,
    session::{Plan, Voice, seed_from_clock},
};

/// A run of these cases, without those that are not for an agent.
pub(super) fn plan(
    cases: Vec<Case>,
    exclude_agent_cases: &BTreeMap<String, Vec<String>>,
    outdir: &Path,
    jobs: Option<usize>,
) -> Plan {
    Plan {
        excluded: excluded(exclude_agent_cases, &cases),
        cases: cases.into_iter().map(Arc::new).collect(),
        judge: JudgeKind::Classic,
        voice: Voice::Classic,
        pcapng: None,
        out: outdir.to_owned(),
        jobs,
        limits: Limits::default(),
        seed: seed_from_clock(),
        part: None,
        gate: gate::Setup::default(),
    }
}

/// The selected cases in the order of their ids.
pub(super) fn selected(
    all: Vec<Case>,
    wanted: &[String],
    unwanted: &[String],
) -> Result<Vec<Case>, Error> {
    // `[""]` is how many write that nothing is excluded.
    for text in wanted.iter().chain(unwanted).filter(|text| !text.is_empty()) {
        if !all.iter().any(|case| pattern::selects(text, &case.id)) {
            output::warning(&format!(
                "`{text}` selects nothing; a case is named by its id, and several by a pattern \
                 with `*`, such as `1.*`"
            ));
        }
    }
    let any = |patterns: &[String], case: &Case| {
        patterns.iter().any(|text| pattern::selects(text, &case.id))
    };
    let mut cases = all;
    cases.retain(|case| any(wanted, case) && !any(unwanted, case));
    if cases.is_empty() {
        return Err(Error::usage("the specification selects no case; see `cases` in it"));
    }
    Ok(cases)
}

/// Patterns of agents with the ids of the cases that are not for them.
fn excluded(agents: &BTreeMap<String, Vec<String>>, cases: &[Case]) -> Vec<(String, Vec<String>)> {
    let ids = |patterns: &[String]| {
        let excluded =
            |case: &&Case| patterns.iter().any(|text| pattern::selects_whole(text, &case.id));
        cases.iter().filter(excluded).map(|case| case.id.to_string()).collect()
    };
    agents.iter().map(|(agent, patterns)| (agent.clone(), ids(patterns))).collect()
}

/// A list as Python writes it.
pub(super) fn quoted<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = texts.map(|text| format!("'{text}'")).collect();
    format!("[{}]", quoted.join(", "))
}
