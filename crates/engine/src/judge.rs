//! Two judgements over one outcome.
//!
//! [`classic()`] says what `wstest` says and fills the classic files. [`rfc()`] is ours: it follows
//! the RFCs and today's registries, and says on what each verdict rests.

mod class;
mod classic;
mod rfc;

use serde::{Deserialize, Serialize};

pub use class::passive;
pub use classic::classic;
pub use rfc::rfc;

use crate::{Accept, Basis, Case, Event, Grade, Payload};

/// Verdict on what was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Behavior {
    /// As it should be.
    #[serde(rename = "OK")]
    Ok,
    /// Not what was hoped for, but allowed.
    #[serde(rename = "NON-STRICT")]
    NonStrict,
    /// Worth knowing, no fault.
    #[serde(rename = "INFORMATIONAL")]
    Informational,
    /// The peer lacks what the case is about.
    #[serde(rename = "UNIMPLEMENTED")]
    Unimplemented,
    /// Wrong.
    #[serde(rename = "FAILED")]
    Failed,
}

/// Verdict on how the connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CloseBehavior {
    /// As it should be.
    #[serde(rename = "OK")]
    Ok,
    /// Worth knowing, no fault.
    #[serde(rename = "INFORMATIONAL")]
    Informational,
    /// The tester had to end TCP, which was the server's part.
    #[serde(rename = "FAILED BY CLIENT")]
    FailedByClient,
    /// A code that does not fit.
    #[serde(rename = "WRONG CODE")]
    WrongCode,
    /// Close frames did not go both ways, or the server did not end TCP in time.
    #[serde(rename = "UNCLEAN")]
    Unclean,
    /// The wrong side closed, or nobody did.
    #[serde(rename = "FAILED")]
    Failed,
}

impl Behavior {
    /// The word in the classic files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::NonStrict => "NON-STRICT",
            Self::Informational => "INFORMATIONAL",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Failed => "FAILED",
        }
    }
}

impl CloseBehavior {
    /// The word in the classic files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Informational => "INFORMATIONAL",
            Self::FailedByClient => "FAILED BY CLIENT",
            Self::WrongCode => "WRONG CODE",
            Self::Unclean => "UNCLEAN",
            Self::Failed => "FAILED",
        }
    }
}

/// Both verdicts with what they rest on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judgement {
    /// On what was received.
    pub behavior: Behavior,
    /// The strength of the rule behind it.
    pub basis: Basis,
    /// Why, in a sentence.
    pub reason: String,
    /// On the closing.
    pub close: CloseBehavior,
    /// The strength of the rule behind it.
    pub close_basis: Basis,
    /// Why, in a sentence.
    pub close_reason: String,
}

impl Judgement {
    /// Whether the peer deviates from what it must do: the question of the exit code.
    pub fn deviates(&self) -> bool {
        use CloseBehavior::{Failed, Unclean, WrongCode};
        let close =
            matches!(self.close, Failed | Unclean | WrongCode) && self.close_basis == Basis::Must;
        self.behavior == Behavior::Failed || close
    }

    /// What is to be said of a deviation: the reason of what failed, else that of the closing.
    pub fn deciding_reason(&self) -> &str {
        if self.behavior == Behavior::Failed { &self.reason } else { &self.close_reason }
    }

    /// Whether both verdicts are a plain OK.
    pub fn is_plain_pass(&self) -> bool {
        self.behavior == Behavior::Ok && self.close == CloseBehavior::Ok
    }
}

/// Whether the events are exactly the first strict list of the case, and the case has no other:
/// the moment at which the tester closes.
pub(crate) fn matches_first(case: &Case, events: &[Event], references: &[Payload]) -> bool {
    let Accept::Events(lists) = &case.accept else { return false };
    lists.iter().find(|list| list.grade == Grade::Strict).is_some_and(|list| {
        list.events.len() == events.len() && same_events(&list.events, events, references)
    })
}

pub(crate) fn same_events(
    expected: &[crate::Expected],
    events: &[Event],
    references: &[Payload],
) -> bool {
    expected.len() == events.len()
        && events.iter().zip(expected).all(|(event, expected)| event.what.is(expected, references))
}

/// Codes for people: each once.
pub(crate) fn distinct_codes(codes: &[u16]) -> String {
    let mut distinct = codes.to_vec();
    distinct.dedup();
    join_codes(&distinct).replace(',', ", ")
}

/// Codes as they stand in the classic files.
pub(crate) fn join_codes(codes: &[u16]) -> String {
    codes.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}
