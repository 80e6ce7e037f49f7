//! The lines of `results.jsonl`: one JSON object a line, in the order in which things happened.
//!
//! A reader skips fields that it does not know, so fields may be added; whatever changes the
//! meaning of a field raises [`FORMAT`]. Lines are written as results come in, so a file may end
//! early, without its [`End`].

use serde::{Deserialize, Serialize};
use wsproof_engine::{CaseId, Judgement, Outcome, Settings, Target, Timers};

/// The version of the format, written into [`RunInfo::format`].
pub const FORMAT: u32 = 1;

/// One line of `results.jsonl`, told apart by its field `type`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// How the run was started: the first line.
    Run(RunInfo),
    /// A peer is about to be tested.
    Peer(PeerInfo),
    /// Selected cases that are not for this peer.
    Excluded(Excluded),
    /// A case was carried out.
    Attempt(Box<Attempt>),
    /// Which attempt of a case counts.
    Verdict(Verdict),
    /// Something the reader of the report should know.
    Note(Note),
    /// The run is over: the last line.
    End(End),
}

/// How a run was started, and on what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunInfo {
    /// The version of this format.
    pub format: u32,
    /// The tester with its version: `wsproof 0.1.0`.
    pub tool: String,
    /// The version of the catalogue of cases.
    pub catalogue: String,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// When the run began: UTC, RFC 3339 with milliseconds.
    pub started: String,
    /// From which masks and keys are made.
    pub seed: u64,
    /// The judgement that is shown and that decides the exit code.
    pub judge: JudgeKind,
    /// The selected cases.
    pub cases: Vec<CaseId>,
    /// Which part of a divided run this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartInfo>,
    /// The tester's machine.
    pub machine: Machine,
}

/// A part of a run that was divided among machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartInfo {
    /// How its cases were chosen.
    pub by: PartBy,
    /// Which part, counted from 1.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// How many cases all parts have together.
    pub of: usize,
}

/// How cases are divided among parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PartBy {
    /// By their ids, so that further cases move no other.
    Hash,
    /// In turn, so that parts are of one size.
    Slice,
    /// By what cases take, so that parts end at about the same time.
    Weighted,
}

/// The two judgements over an outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum JudgeKind {
    /// What `wstest` says.
    Classic,
    /// What the RFCs say.
    #[default]
    Rfc,
}

/// The tester's machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine {
    /// Its operating system.
    pub os: String,
    /// Its processor architecture.
    pub arch: String,
    /// How many processors the tester may use.
    pub cpus: u32,
}

/// A peer under test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerInfo {
    /// The agent's name, by which all other lines refer to it.
    pub peer: String,
    /// Where it was reached; of a client under test, from where it came.
    pub url: String,
    /// How it was dialled, for who wants to do so again; absent for a client under test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial: Option<Dial>,
}

/// What the tester says of itself when it dials a peer, and how it behaves then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dial {
    /// What every opening request says.
    pub target: Target,
    /// Limits of the handshakes in place of the cases' own.
    pub timers: Option<Timers>,
    /// How the tester's endpoint behaves.
    pub settings: Settings,
}

/// Selected cases that are left out with one peer on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Excluded {
    /// The peer's name.
    pub peer: String,
    /// The cases.
    pub cases: Vec<CaseId>,
}

/// A case that was carried out once with one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attempt {
    /// The peer's name.
    pub peer: String,
    /// The case.
    pub case: CaseId,
    /// Which attempt of this case with this peer, counted from 1.
    pub attempt: u32,
    /// Whether nothing else was at work.
    pub quiet: bool,
    /// How many other cases ran beside it at most.
    pub beside: u32,
    /// Whether its duration can be compared with others.
    pub comparable: bool,
    /// When it began: UTC, RFC 3339 with milliseconds.
    pub started: String,
    /// What happened.
    pub outcome: Outcome,
    /// What `wstest` says about it.
    pub classic: Judgement,
    /// What the RFCs say about it.
    pub rfc: Judgement,
}

impl Attempt {
    /// One of the two judgements.
    pub fn judgement(&self, judge: JudgeKind) -> &Judgement {
        match judge {
            JudgeKind::Classic => &self.classic,
            JudgeKind::Rfc => &self.rfc,
        }
    }
}

/// Which attempt of a case counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The peer's name.
    pub peer: String,
    /// The case.
    pub case: CaseId,
    /// The attempt that counts.
    pub attempt: u32,
    /// Whether attempts came to different verdicts.
    pub unstable: bool,
    /// Whether the verdict was reached once more with nothing else at work.
    pub confirmation: Confirmation,
}

/// What is known about a verdict that was reached beside other cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Confirmation {
    /// The same verdict, or another one that counts instead, was reached in a quiet attempt.
    Confirmed,
    /// The peer was gone before the quiet attempt: the case is as good as not judged.
    Impossible,
    /// The run was interrupted before the quiet attempt.
    Missing,
    /// Nothing else was at work, or it is a plain pass.
    NotNeeded,
    /// So many others in a row were confirmed that this one is taken as confirmed.
    Taken,
}

/// Something that the reader of the report should know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// The peer that it is about, or all of them.
    pub peer: Option<String>,
    /// The note: sentences.
    pub text: String,
}

/// The end of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct End {
    /// When the run ended: UTC, RFC 3339 with milliseconds.
    pub ended: String,
    /// Whether it was interrupted before all cases had run.
    pub interrupted: bool,
}

impl Line {
    /// The line as it stands in the file, without the line feed.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("keys are strings or integers, values have no NaN")
    }
}
