//! What two attempts at a case are compared by.

use wsproof_engine::{Behavior, CloseBehavior, Judgement, Outcome};

/// What must not change between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) classic: (Behavior, CloseBehavior),
    pub(crate) rfc: (Behavior, CloseBehavior),
    /// The close code that came.
    pub(crate) code: Option<u16>,
}

impl Verdict {
    /// The verdict that an attempt came to.
    pub(crate) fn of(classic: &Judgement, rfc: &Judgement, outcome: &Outcome) -> Self {
        Self {
            classic: (classic.behavior, classic.close),
            rfc: (rfc.behavior, rfc.close),
            code: outcome.closing.remote_code,
        }
    }
}
