//! A case as a value: what is sent, what is accepted, why, and where the RFC says so.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use wsproof_proto::Violation;

use crate::{Ask, Expected, Kind, Payload, Series, Step};

/// The id of a case: parts separated by dots, `6.4.1` or `HS.1.1`.
///
/// Ids are ordered part by part, numbers before letters and by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct CaseId(String);

impl CaseId {
    /// An id from its text.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is one of the ids that `wstest` has too: those begin with a digit.
    pub fn is_classic(&self) -> bool {
        self.0.starts_with(|c: char| c.is_ascii_digit())
    }

    /// The part before the first dot.
    pub fn section(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

/// How the parts of an id are ordered.
fn key(parts: &str) -> impl Iterator<Item = (bool, u32, &str)> {
    parts.split('.').map(|part| match part.parse() {
        Ok(number) => (false, number, ""),
        Err(_) => (true, 0, part),
    })
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialOrd for CaseId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CaseId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        // Reports compare ids by the million: parts that are the same text are not read.
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let start = a[..same].iter().rposition(|octet| *octet == b'.').map_or(0, |dot| dot + 1);
        key(&self.0[start..]).cmp(key(&other.0[start..]))
    }
}

/// A document that states rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Spec {
    /// The WebSocket protocol.
    RFC6455,
    /// Compression extensions for WebSocket.
    RFC7692,
    /// HTTP semantics.
    RFC9110,
    /// HTTP/1.1.
    RFC9112,
}

impl Spec {
    /// The number of the RFC.
    pub const fn number(self) -> u16 {
        match self {
            Self::RFC6455 => 6455,
            Self::RFC7692 => 7692,
            Self::RFC9110 => 9110,
            Self::RFC9112 => 9112,
        }
    }
}

/// A place in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Citation {
    /// The document.
    pub spec: Spec,
    /// The section.
    pub section: &'static str,
}

/// How good an accepted outcome is in the classic judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// OK.
    Strict,
    /// NON-STRICT.
    NonStrict,
    /// Not accepted by the classic judgement; only the RFC judgement knows it.
    RfcOnly,
}

/// Why something is accepted or refused: the strength of the rule behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Readers of the RFC disagree; nobody is punished.
    Disputed,
    /// A MUST, or a plain statement of how the protocol works.
    Must,
    /// The order of independent events decides; nobody is punished.
    Race,
    /// A SHOULD.
    Should,
}

/// One list of events that a case accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What the classic judgement calls it.
    pub grade: Grade,
    /// What the RFC judgement rests on.
    pub basis: Basis,
    /// The events, exactly these and in this order.
    pub events: Vec<Expected>,
}

/// Leave that the RFC gives beyond the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Pings that were overtaken by a later one may stay unanswered (RFC 6455, 5.5.3).
    LatestPong,
}

/// What decides `behavior`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accept {
    /// Our own families: a class of outcome.
    Class(Class),
    /// So many echoes, one after the other.
    EchoLoop {
        /// The kind of each message.
        kind: Kind,
        /// What they must be.
        series: Series,
        /// How many.
        count: u32,
    },
    /// One of these lists.
    Events(Vec<Accepted>),
    /// The first message with the right kind and length.
    FirstEcho {
        /// The kind of the message.
        kind: Kind,
        /// What it must be.
        payload: Payload,
    },
}

/// Classes of outcome in our own families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The opening handshake must be accepted, messages echoed, and the connection closed cleanly.
    Accepted,
    /// After our close frame and the end of our sending half, a close frame must still come.
    AnswersHalfClose,
    /// A rule that holds for every answer to an opening handshake in the whole run.
    Passive {
        /// What must never be found in an answer.
        never: &'static [Violation],
    },
    /// The opening handshake must be refused with an HTTP error.
    Refused,
}

/// Who must send the first close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseBy {
    /// The peer, or it ends TCP without one.
    Peer,
    /// The tester.
    Tester,
}

/// What decides `behaviorClose`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Who must send the first close frame.
    pub by: CloseBy,
    /// Codes the peer may use; none at all is always accepted.
    pub codes: Vec<u16>,
    /// The strength of the rule about the code.
    pub code_basis: Basis,
    /// Whether close frames must have gone both ways.
    pub clean: bool,
    /// Whether the wrong side closing also fails `behavior`.
    pub wrong_side_fails: bool,
    /// Whether a wrong code also fails `behavior`.
    pub wrong_code_fails: bool,
}

/// A change to the plain opening request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Removes every field of that name.
    Remove(&'static str),
}

/// Limits of the closing and opening handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timers {
    /// For the peer's part of the opening handshake.
    pub open_handshake: Duration,
    /// For the answer to a close frame.
    pub close_handshake: Duration,
    /// For the server's end of TCP after the closing handshake.
    pub server_drop: Duration,
}

impl Timers {
    /// Those of `wstest`, which decide verdicts.
    pub const CLASSIC: Self = Self {
        open_handshake: Duration::from_secs(5),
        close_handshake: Duration::from_secs(1),
        server_drop: Duration::from_secs(1),
    };
    /// Those of our own families.
    pub const OWN: Self = Self {
        open_handshake: Duration::from_secs(5),
        close_handshake: Duration::from_secs(5),
        server_drop: Duration::from_secs(5),
    };
}

/// Where a case is defined, so that pages and failures can link to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The source file.
    pub file: &'static str,
    /// The line.
    pub line: u32,
}

/// One conformance case.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id, unique and never reused.
    pub id: CaseId,
    /// What it is, in lower case, under 60 columns.
    pub title: String,
    /// Why it is tested.
    pub why: &'static str,
    /// Where the rules stand.
    pub cites: Vec<Citation>,
    /// Changes to the opening request.
    pub edits: Vec<Edit>,
    /// Whether the opening request is the bare minimum: no field that is not required.
    pub bare_request: bool,
    /// What is asked of the peer's compression, the most demanding alternative first. Without any,
    /// compression is neither offered nor agreed to; with some, a peer that does not agree has not
    /// implemented what the case is about.
    pub deflate: Vec<Ask>,
    /// What the tester does once the connection is open.
    pub steps: Vec<Step>,
    /// What decides `behavior`.
    pub accept: Accept,
    /// Leave beyond the lists.
    pub tolerance: Option<Tolerance>,
    /// What decides `behaviorClose`.
    pub close: Close,
    /// The code with which the tester closes once the first accepted list has come.
    pub close_on_match: Option<u16>,
    /// Whether every outcome is INFORMATIONAL.
    pub informational: bool,
    /// Whether durations are of interest, so that nothing else should run beside it.
    pub measured: bool,
    /// Whether the tester's own fragmenting is part of the case.
    pub checks_own_frames: bool,
    /// The limits of the handshakes.
    pub timers: Timers,
    /// Where it is defined.
    pub location: Location,
}

impl Case {
    /// Payloads with which arriving messages are compared.
    pub fn references(&self) -> Vec<Payload> {
        let mut found: Vec<Payload> = Vec::new();
        let mut add = |payload: &Payload| {
            if !found.contains(payload) {
                found.push(payload.clone());
            }
        };
        match &self.accept {
            Accept::Events(lists) => {
                for list in lists {
                    for event in &list.events {
                        if let Expected::Message(_, payload) = event {
                            add(payload);
                        }
                    }
                }
            }
            Accept::FirstEcho { payload, .. }
            | Accept::EchoLoop { series: Series::Same(payload), .. } => add(payload),
            // What is compared with changes from message to message.
            Accept::EchoLoop { series: Series::Windows { .. }, .. } => {}
            Accept::Class(_) => {
                for step in &self.steps {
                    if let Step::Frame(frame) = step {
                        add(&frame.payload);
                    }
                }
            }
        }
        found
    }

    /// The longest time that the script itself makes necessary with a peer that does as it should.
    pub fn scripted_wait(&self) -> Duration {
        self.steps
            .iter()
            .map(|step| match step {
                Step::Wait { pause, .. } => *pause,
                _ => Duration::ZERO,
            })
            .sum()
    }

    /// The longest time that the case's own limits allow a peer that does nothing.
    pub fn limit(&self) -> Duration {
        self.scripted_wait()
            + self
                .steps
                .iter()
                .map(|step| match step {
                    Step::KillAfter(after) | Step::CloseAfter(after) => *after,
                    Step::AwaitEchoes(within) => *within,
                    _ => Duration::ZERO,
                })
                .sum::<Duration>()
    }

    /// Roughly what it costs a peer to echo what the case sends, in octets: a frame costs as much as
    /// a thousand of them. Where cases overlap the costly ones begin first, or they end last.
    pub fn cost(&self) -> u64 {
        const FRAME: u64 = 1000;
        let mut fragment = 0;
        let message = |len: u64, fragment: u64| {
            let frames = if fragment == 0 { 1 } else { len.div_ceil(fragment).max(1) };
            len + FRAME * frames
        };
        let mut cost = 0;
        for step in &self.steps {
            cost += match step {
                Step::FragmentSize(size) => {
                    fragment = *size;
                    0
                }
                Step::Message(it) => {
                    message(it.payload.len(), it.fragment_size.unwrap_or(fragment))
                }
                Step::Frame(frame) => FRAME + frame.payload.len(),
                Step::BeginFrame { .. } => FRAME,
                Step::FramePart(payload) => payload.len(),
                Step::EchoLoop => match &self.accept {
                    Accept::EchoLoop { series, count, .. } => {
                        u64::from(*count) * message(series.size().0, fragment)
                    }
                    _ => 0,
                },
                _ => 0,
            };
        }
        cost
    }

    /// The name of the corpus that a loop of echoes slides over, and the length of its messages.
    /// Cases with the same windows send the same messages.
    pub fn windows(&self) -> Option<(&'static str, usize)> {
        match &self.accept {
            Accept::EchoLoop { series: Series::Windows { corpus, size }, .. } => {
                Some((corpus.name, *size))
            }
            _ => None,
        }
    }

    /// Whether the case needs a connection of its own or only looks at those of others.
    pub fn is_passive(&self) -> bool {
        matches!(self.accept, Accept::Class(Class::Passive { .. }))
    }
}

/// The ids of cases, in their order.
pub fn case_ids(cases: &[Case]) -> Vec<CaseId> {
    cases.iter().map(|case| case.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_alike_are_skipped_and_nothing_else() {
        let ids =
            ["", ".", "1", "1.", "1.1", "1.01", "1.1.1", "1.10", "10.1", "1.a", "1.ab", "é", "1.é"];
        for (a, b) in ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b))) {
            assert_eq!(CaseId::new(a).cmp(&CaseId::new(b)), key(a).cmp(key(b)), "{a} {b}");
        }
    }

    #[test]
    fn many_small_frames_cost_more_than_a_large_one() {
        let cost = |size: u64, fragment: u64| {
            let mut section = crate::Section::default();
            let series = Series::Same(crate::fill(b'*', size));
            let case = section.case("9.1.1", "a case").step(Step::FragmentSize(fragment));
            case.echo_loop(10, Kind::Text, series);
            section.into_cases()[0].cost()
        };
        assert_eq!([cost(0, 0), cost(50, 0), cost(50, 20)], [10_000, 10_500, 30_500]);
        assert!(cost(1 << 17, 256) > cost(1 << 17, 1024));
        assert!(cost(1 << 17, 1 << 15) > cost(1 << 16, 0));
    }

    #[test]
    fn ids_are_ordered_by_number_and_classic_ones_come_first() {
        let mut ids: Vec<_> =
            ["HS.1.1", "10.1.1", "2.10", "2.9", "CL.3.5"].map(CaseId::new).into_iter().collect();
        ids.sort();
        let sorted: Vec<_> = ids.iter().map(CaseId::as_str).collect();
        assert_eq!(sorted, ["2.9", "2.10", "10.1.1", "CL.3.5", "HS.1.1"]);
        assert!(ids[0].is_classic() && !ids[4].is_classic());
    }
}
