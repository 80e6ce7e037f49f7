//! Cases that wait for their turn, and those that have it.

use std::{collections::VecDeque, sync::Arc};

use wsproof_engine::Case;

/// How a case may meet others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One after the other, nothing beside.
    Alone,
    /// One at a time; beside one that is silent for long others may begin.
    Measured,
    /// As many as the peer bears.
    Overlapped,
    /// One at work at a time; those that only wait may wait together.
    Quiet,
}

/// A case that has begun.
pub(super) struct Running {
    pub(super) case: Arc<Case>,
    pub(super) mode: Mode,
    /// Whether it only lets time pass.
    pub(super) waiting: bool,
    /// How many others ran at most beside it.
    pub(super) beside: u32,
}

/// Cases in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Queue {
    cases: VecDeque<Arc<Case>>,
}

impl Queue {
    pub(super) fn new(cases: impl IntoIterator<Item = Arc<Case>>) -> Self {
        Self { cases: cases.into_iter().collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The case that is next.
    pub(super) fn peek(&self) -> Option<&Case> {
        self.cases.front().map(AsRef::as_ref)
    }

    pub(super) fn next(&mut self) -> Option<Arc<Case>> {
        self.cases.pop_front()
    }

    /// A case that did not come about is next again.
    pub(super) fn again(&mut self, case: Arc<Case>) {
        self.cases.push_front(case);
    }
}
