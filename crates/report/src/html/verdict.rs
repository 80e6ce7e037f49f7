//! One word for each case and peer: what is counted, filtered and drawn in the map.

use wsproof_engine::CaseId;

use super::View;
use crate::{
    Record,
    contract::{Attempt, PeerInfo},
    words::Tone,
};

/// A case's record, and the attempt in it that counts.
pub(super) type Final<'a> = (&'a Record, &'a Attempt);

/// A peer with all cases of the report, in their order: looked up once, read by each part of it.
pub(super) struct Column<'a> {
    pub(super) peer: &'a PeerInfo,
    pub(super) cells: Vec<(Verdict, Option<Final<'a>>)>,
}

/// A column for each peer. `ids` are all cases.
pub(super) fn columns<'a>(view: &View<'a>, ids: &[CaseId]) -> Vec<Column<'a>> {
    let results = view.results;
    let columns = results.peers().iter().map(|peer| {
        // Both are in the order of the catalogue.
        let mut records = results.records(&peer.peer).peekable();
        let cells = ids.iter().map(|id| {
            let record = records.next_if(|(own, _)| own.cmp(&id).is_eq());
            let found = record.and_then(|(_, record)| Some((record, record.final_attempt()?)));
            (Verdict::of(view, found), found)
        });
        Column { peer, cells: cells.collect() }
    });
    columns.collect()
}

/// A verdict as the page counts it. Every case has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Failed,
    Unstable,
    NonStrict,
    Informational,
    Unimplemented,
    Passed,
    Missing,
}

impl Verdict {
    pub(super) const ALL: [Self; 7] = [
        Self::Failed,
        Self::Unstable,
        Self::NonStrict,
        Self::Informational,
        Self::Unimplemented,
        Self::Missing,
        Self::Passed,
    ];

    pub(super) fn of(view: &View<'_>, found: Option<Final<'_>>) -> Self {
        let Some((record, attempt)) = found else { return Self::Missing };
        match Tone::of(attempt.judgement(view.judge)) {
            Tone::Fail => Self::Failed,
            _ if record.is_unstable() => Self::Unstable,
            Tone::Info => Self::Informational,
            Tone::Pass => Self::Passed,
            Tone::Unimplemented => Self::Unimplemented,
            Tone::Warn => Self::NonStrict,
        }
    }

    /// The letter in links and in the embedded data.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Failed => 'f',
            Self::Unstable => 'u',
            Self::NonStrict => 'n',
            Self::Informational => 'i',
            Self::Unimplemented => 'm',
            Self::Passed => 'p',
            Self::Missing => 'x',
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unstable => "unstable",
            Self::NonStrict => "non-strict",
            Self::Informational => "informational",
            Self::Unimplemented => "unimplemented",
            Self::Passed => "passed",
            Self::Missing => "without a result",
        }
    }

    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Failed => "✗",
            Self::Unstable => "△",
            Self::NonStrict => "!",
            Self::Informational => "○",
            Self::Unimplemented => "–",
            Self::Passed => "✓",
            Self::Missing => "□",
        }
    }

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Failed => "fail",
            Self::Unstable | Self::NonStrict => "warn",
            Self::Informational => "info",
            Self::Unimplemented | Self::Missing => "none",
            Self::Passed => "pass",
        }
    }

    /// What it means, for the legend.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "a rule was broken, in what was sent or in the closing",
            Self::Unstable => {
                "attempts came to different verdicts; the page of the case says which one counts"
            }
            Self::NonStrict => "allowed, but another behaviour is preferred",
            Self::Informational => "no rule says what is right; it is worth knowing",
            Self::Unimplemented => "the peer does not have the extension that the case is about",
            Self::Passed => "the peer did what the rules ask for",
            Self::Missing => "excluded for this peer, not asked for, not run, or the peer was gone",
        }
    }
}
