//! Several results as one: the parts of a run that was divided among machines, or runs beside each
//! other.

use std::collections::BTreeSet;

use wsproof_engine::CaseId;

use crate::{
    Line, Results,
    contract::{End, RunInfo},
    words::visible,
};

/// Parts that an error message lists at most.
const LISTED: usize = 12;

/// Results with the name of their file.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The name, for messages.
    pub name: String,
    /// The results.
    pub results: Results,
}

/// Why results do not make one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("there are no results to merge")]
    Nothing,
    /// A file does not say how its run was started.
    #[error("{name}: the first line, `run`, is missing; run this part again")]
    NoRun {
        /// The file.
        name: String,
    },
    /// Two files are of different runs.
    #[error("{one} and {two} are of different runs: {what}")]
    Different {
        /// The first file.
        one: String,
        /// The other one.
        two: String,
        /// In what they differ, and what to do.
        what: String,
    },
    /// Two files hold the same case of the same peer.
    #[error("{one} and {two} both hold case {case} of {peer}; leave one of them out")]
    Doubled {
        /// The first file.
        one: String,
        /// The other one.
        two: String,
        /// The case.
        case: String,
        /// The peer.
        peer: String,
    },
    /// Parts of a run are not there.
    #[error("{found} of {of} cases are there; add the results of {missing}")]
    Missing {
        /// How many cases were selected in the files.
        found: usize,
        /// How many there should be.
        of: usize,
        /// The parts that are not there.
        missing: String,
    },
}

/// Makes one of the parts of a run. All parts must be there, each once, and of the same run.
pub fn merge(parts: &[Part]) -> Result<Results, MergeError> {
    let first = parts.first().ok_or(MergeError::Nothing)?;
    let plan = run(first)?;
    for part in &parts[1..] {
        let other = run(part)?;
        let different = |what: &str| MergeError::Different {
            one: first.name.clone(),
            two: part.name.clone(),
            what: what.to_owned(),
        };
        let same = |run: &RunInfo| run.part.map(|part| (part.by, part.parts, part.of));
        if (&plan.tool, &plan.catalogue) != (&other.tool, &other.catalogue) {
            return Err(different("not the same version; run all parts with one"));
        }
        if plan.judge != other.judge {
            return Err(different("not the same --judge"));
        }
        if plan.seed != other.seed {
            return Err(different("not the same --seed"));
        }
        if plan.part.is_none() || same(plan) != same(other) {
            return Err(different(
                "not divided alike; give all parts the same --partition and cases",
            ));
        }
        let names = |part: &Part| -> BTreeSet<String> {
            part.results.peers().iter().map(|peer| peer.peer.clone()).collect()
        };
        if names(first) != names(part) {
            return Err(different("not the same peers; give them a name with --agent"));
        }
    }
    let merged = join(parts)?;
    if let Some(part) = plan.part {
        let there: BTreeSet<u32> =
            parts.iter().filter_map(|part| Some(run(part).ok()?.part?.part)).collect();
        let found = merged.run().map_or(0, |run| run.cases.len());
        // A part without any case leaves no results.
        if found < part.of {
            let mut missing =
                (1..=part.parts).filter(|n| !there.contains(n)).map(|n| n.to_string());
            let named: Vec<_> = missing.by_ref().take(LISTED).collect();
            let more = if missing.next().is_some() { ", .." } else { "" };
            let missing = format!("part {}{more} of {}", named.join(", "), part.parts);
            return Err(MergeError::Missing { found, of: part.of, missing });
        }
    }
    Ok(merged)
}

/// Puts runs beside each other, whatever they are, unless they hold the same case of a peer.
pub fn join(parts: &[Part]) -> Result<Results, MergeError> {
    let first = parts.first().ok_or(MergeError::Nothing)?;
    for (index, two) in parts.iter().enumerate() {
        for one in &parts[..index] {
            doubled(one, two)?;
        }
    }
    let mut joined = Results::default();
    if let Some(run) = first.results.run() {
        let cases: BTreeSet<&CaseId> =
            parts.iter().filter_map(|p| p.results.run()).flat_map(|run| &run.cases).collect();
        joined.push(Line::Run(RunInfo {
            cases: cases.into_iter().cloned().collect(),
            part: if parts.len() > 1 { None } else { run.part },
            ..run.clone()
        }));
    }
    for part in parts {
        let lines = part.results.lines().into_iter();
        lines.filter(|line| !matches!(line, Line::Run(_) | Line::End(_))).for_each(|line| {
            joined.push(line);
        });
    }
    let ends: Option<Vec<_>> = parts.iter().map(|part| part.results.end()).collect();
    if let Some(ends) = ends {
        let ended = ends.iter().map(|end| end.ended.clone()).max().unwrap_or_default();
        let interrupted = ends.iter().any(|end| end.interrupted);
        joined.push(Line::End(End { ended, interrupted }));
    }
    Ok(joined)
}

fn run(part: &Part) -> Result<&RunInfo, MergeError> {
    part.results.run().ok_or_else(|| MergeError::NoRun { name: part.name.clone() })
}

fn doubled(one: &Part, two: &Part) -> Result<(), MergeError> {
    for peer in one.results.peers() {
        let mut cases = one.results.records(&peer.peer);
        if let Some((case, _)) = cases.find(|(id, _)| two.results.record(&peer.peer, id).is_some())
        {
            return Err(MergeError::Doubled {
                one: one.name.clone(),
                two: two.name.clone(),
                case: visible(case.as_str()),
                peer: visible(&peer.peer),
            });
        }
    }
    Ok(())
}
