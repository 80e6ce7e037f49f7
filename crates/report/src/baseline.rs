//! The baseline: what is expected of each peer, with a reason for everything that is not as it
//! should be. [`Gate`](crate::Gate) compares it with a run, `update` makes one from a run.
//!
//! A baseline is JSON with comments, which people write by hand, so it is read strictly: whatever
//! is not understood is named with its place.

mod read;
mod update;

use std::cmp::Reverse;

use wsproof_engine::{Behavior, CaseId, CloseBehavior, pattern};

use crate::JudgeKind;

pub(crate) use update::UNEXPLAINED;
pub use update::{Update, Updated};

/// What is expected of peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Whose verdicts are meant.
    pub judge: JudgeKind,
    /// An entry for each pattern of peers, in the order of the file.
    pub peers: Vec<Entry>,
}

/// What is expected of the peers whose names a pattern selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Selects names of peers: `ws/*`.
    pub peers: String,
    /// Patterns of the cases that must have a result. Without any, those that were selected.
    pub cases: Vec<String>,
    /// Patterns of cases that need none of them.
    pub exclude: Vec<String>,
    /// What is expected of cases; of all others, that they are as they should be.
    pub rows: Vec<Row>,
}

/// What is expected of the cases that a pattern selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Selects cases: `7.1.*`.
    pub cases: String,
    /// What the verdict on what was received must be one of; without any, nothing that fails.
    pub grades: Vec<Behavior>,
    /// What the verdict on the closing must be one of; without any, nothing that fails.
    pub closes: Vec<CloseBehavior>,
    /// Why that is expected.
    pub why: String,
}

/// Why a baseline cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    Json(String),
    /// A value is not what it should be.
    #[error("{place}: {what}")]
    Value {
        /// The keys that lead to it.
        place: String,
        /// What is wrong, and what to do.
        what: String,
    },
}

/// Where a row stands: index of the entry, index of the row.
pub(crate) type Place = (usize, usize);

impl Baseline {
    /// Reads a baseline.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        read::parse(text)
    }

    /// Names the first pattern that can select no case at all.
    pub fn check_cases<'a>(
        &self,
        known: &(impl Iterator<Item = &'a CaseId> + Clone),
    ) -> Result<(), BaselineError> {
        for entry in &self.peers {
            let place = |key: &str| read::join(&["peers", &entry.peers, key]);
            let rows = entry.rows.iter().map(|row| ("expect", &row.cases));
            let cases = entry.cases.iter().map(|cases| ("cases", cases));
            let exclude = entry.exclude.iter().map(|cases| ("exclude", cases));
            for (key, wanted) in rows.chain(cases).chain(exclude) {
                if !known.clone().any(|id| pattern::selects(wanted, id.as_str())) {
                    return Err(BaselineError::Value {
                        place: place(key),
                        what: format!(
                            "`{wanted}` is no case of this command and selects none; correct or \
                             remove it (`wsproof cases` lists the cases)"
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    /// The entries for a peer, the most exact one first.
    pub(crate) fn entries(&self, peer: &str) -> Vec<usize> {
        let mut found: Vec<_> = (0..self.peers.len())
            .filter(|index| pattern::selects_whole(&self.peers[*index].peers, peer))
            .collect();
        found.sort_by_key(|index| Reverse(exactness(&self.peers[*index].peers)));
        found
    }

    /// The row that speaks about a case: of the most exact entry that has one, the most exact.
    pub(crate) fn row(&self, entries: &[usize], case: &CaseId) -> Option<Place> {
        entries.iter().find_map(|&index| {
            let rows = self.peers[index].rows.iter().enumerate();
            let named = rows.filter(|(_, row)| pattern::selects(&row.cases, case.as_str()));
            // Of equals the first one in the file.
            let exact = named.rev().max_by_key(|(_, row)| exactness(&row.cases));
            exact.map(|(row, _)| (index, row))
        })
    }

    pub(crate) fn at(&self, place: Place) -> &Row {
        &self.peers[place.0].rows[place.1]
    }

    /// Whether a peer must have a result for a case: the most exact entry that says so counts.
    pub(crate) fn demands(&self, entries: &[usize], case: &CaseId) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|p| pattern::selects(p, case.as_str()));
        let entry = entries.iter().map(|&index| &self.peers[index]).find(|e| !e.cases.is_empty());
        entry.is_some_and(|entry| any(&entry.cases) && !any(&entry.exclude))
    }
}

/// A name is more exact than a pattern, a long pattern more exact than a short one.
fn exactness(pattern: &str) -> (bool, usize) {
    (!pattern.contains('*'), pattern.len())
}

const GRADES: [(Behavior, &str); 5] = [
    (Behavior::Ok, "passed"),
    (Behavior::NonStrict, "non-strict"),
    (Behavior::Informational, "informational"),
    (Behavior::Unimplemented, "unimplemented"),
    (Behavior::Failed, "failed"),
];

const CLOSES: [(CloseBehavior, &str); 6] = [
    (CloseBehavior::Ok, "passed"),
    (CloseBehavior::Informational, "informational"),
    (CloseBehavior::FailedByClient, "failed-by-client"),
    (CloseBehavior::WrongCode, "wrong-code"),
    (CloseBehavior::Unclean, "unclean"),
    (CloseBehavior::Failed, "failed"),
];

/// How a value is written in a baseline.
pub(crate) fn name<T: PartialEq>(names: &[(T, &'static str)], value: &T) -> &'static str {
    names.iter().find(|(known, _)| known == value).map_or("", |(_, name)| name)
}

/// A value from how it is written, also as in the classic files: `WRONG CODE`, `OK`.
fn from_name<T: Copy>(names: &[(T, &'static str)], text: &str) -> Option<T> {
    let plain = text.to_lowercase().replace(' ', "-");
    let plain = if plain == "ok" { "passed" } else { &plain };
    names.iter().find(|(_, name)| *name == plain).map(|(value, _)| *value)
}

impl Row {
    /// What is expected, in words: `non-strict or failed, close unclean`.
    pub(crate) fn words(&self) -> String {
        let grades: Vec<_> = self.grades.iter().map(|grade| name(&GRADES, grade)).collect();
        let closes: Vec<_> = self.closes.iter().map(|close| name(&CLOSES, close)).collect();
        let close = format!("close {}", closes.join(" or "));
        match (grades.is_empty(), closes.is_empty()) {
            (_, true) => grades.join(" or "),
            (true, false) => close,
            (false, false) => format!("{}, {close}", grades.join(" or ")),
        }
    }
}
