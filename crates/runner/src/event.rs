//! What a run tells: everything that reports, progress and exit codes are made from.

use std::{sync::Arc, time::SystemTime};

use wsproof_engine::{Case, Judgement, Logged, Outcome};

/// One thing that happened, in the order in which it happened.
#[derive(Debug)]
pub enum Event {
    /// A case begins.
    Started {
        /// Which.
        case: Arc<Case>,
    },
    /// Something came to the wire log of a case that is watched.
    Logged(Logged),
    /// An attempt at a case is over and judged.
    Attempt(Box<Attempt>),
    /// It is known which attempt of a case counts.
    Settled(Settled),
    /// Something about the run that a reader of the results should know.
    Note(String),
}

/// One attempt at a case.
#[derive(Debug)]
pub struct Attempt {
    /// The case.
    pub case: Arc<Case>,
    /// Counted from 1.
    pub number: u32,
    /// Whether nothing else was at work; cases that only waited may have been there.
    pub quiet: bool,
    /// How many other cases ran at most beside it.
    pub beside: u32,
    /// Whether its durations can be compared with those of other runs.
    pub comparable: bool,
    /// When it began.
    pub started: SystemTime,
    /// What happened.
    pub outcome: Outcome,
    /// The verdict of `wstest`.
    pub classic: Judgement,
    /// The verdict of the RFCs.
    pub rfc: Judgement,
}

/// How a verdict that was reached beside other cases was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// It was reached once more in a quiet pass, or replaced by the quiet verdict.
    Confirmed,
    /// The peer was gone before that could be done. Nobody knows whose fault the verdict is.
    Impossible,
    /// It was a plain pass, or nothing else ran beside it.
    NotNeeded,
    /// So many others were confirmed unchanged that this one was not repeated.
    Taken,
}

/// Which attempt of a case counts.
#[derive(Debug)]
pub struct Settled {
    /// The case.
    pub case: Arc<Case>,
    /// The attempt that counts, counted from 1.
    pub attempt: u32,
    /// Whether attempts came to different verdicts.
    pub unstable: bool,
    /// How it was confirmed.
    pub confirmation: Confirmation,
}
