//! How fast a peer answers. What did not come within a limit that is shorter than the peer's
//! fastest answer is late, whatever it would have been: that is one cause, not one for each thing
//! that was due.

use std::{collections::BTreeSet, time::Duration};

use wsproof_engine::{Outcome, Timer, What as Entry};
use wsproof_proto::Opcode;

use super::{
    Evidence, Member, Side,
    finding::{Deviation, Finding, What},
    frames::{frame_side, wanted_side},
    rules::Rule,
    wire::{self, Received},
};
use crate::words::span;

/// So many answers say how fast a peer is where a case has none of its own.
const ENOUGH: usize = 3;

/// The answers of a peer: what they were, and how long they took.
pub(super) struct Pace(Vec<(What, Duration)>);

impl Pace {
    pub(super) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        Self(
            outcomes
                .filter_map(|outcome| answer(outcome).map(|(_, what, took)| (what, took)))
                .collect(),
        )
    }

    /// The fastest answer, of one kind or of all.
    fn fastest(&self, of: Option<What>) -> Option<(Duration, usize)> {
        let fits = self.0.iter().filter(|(what, _)| of.is_none_or(|of| of == *what));
        let times: Vec<_> = fits.map(|(_, took)| *took).collect();
        Some((times.iter().min().copied()?, times.len()))
    }

    /// Turns a finding that something did not come into one that it came too late, if it must have.
    pub(super) fn mend(&self, finding: Finding, outcome: &Outcome) -> Finding {
        let due = match &finding.deviation {
            Deviation::Nothing(what) => *what,
            Deviation::Silent | Deviation::LoopStops => What::Echo,
            Deviation::CloseUnanswered | Deviation::HalfClose => What::Close,
            Deviation::NotRefused(_) if finding.came.is_none() => What::Close,
            _ => return finding,
        };
        let Some(limit) = limit(outcome) else { return finding };
        let own = answer(outcome).map(|(.., took)| took);
        for of in [None, Some(due)] {
            if let Some((fastest, answers)) = self.fastest(of)
                && fastest > limit
                && own.map_or_else(|| listened(outcome) <= fastest, |took| took > limit)
                && (own.is_some() || answers >= ENOUGH)
            {
                let deviation = Deviation::Slow { of, fastest };
                return Finding { deviation, rule: Rule::in_time(), ..finding };
            }
        }
        finding
    }
}

/// For how long the tester listened after the last frame that asked for anything.
fn listened(outcome: &Outcome) -> Duration {
    let entries = &outcome.transcript.entries;
    let end = entries.last().map_or(Duration::ZERO, |entry| entry.at);
    asked(entries).map_or(Duration::ZERO, |at| end.saturating_sub(at))
}

/// When the tester sent its last frame before it gave up: the close frame with which it does so is
/// not what is answered.
fn asked(entries: &[wsproof_engine::Entry]) -> Option<Duration> {
    let gives_up = |entry: &wsproof_engine::Entry| matches!(entry.what, Entry::TimerExpired { .. });
    let until = entries.iter().position(gives_up).unwrap_or(entries.len());
    let sent = entries[..until].iter().rfind(|it| matches!(it.what, Entry::FrameSent { .. }));
    sent.map(|sent| sent.at)
}

/// The first limit within which nothing came.
fn limit(outcome: &Outcome) -> Option<Duration> {
    let entries = &outcome.transcript.entries;
    entries.iter().enumerate().find_map(|(expired, entry)| {
        let timer = match entry.what {
            Entry::TimerExpired { timer, .. } if is_limit(timer) => timer,
            _ => return None,
        };
        let earlier = entries[..expired].iter().enumerate().rev();
        let (started, after) = earlier.into_iter().find_map(|(index, entry)| match entry.what {
            Entry::TimerStarted { timer: of, after, .. } if of == timer => Some((index, after)),
            _ => None,
        })?;
        let came = |entry: &wsproof_engine::Entry| match &entry.what {
            // Before the answer to a close frame all others may come.
            Entry::FrameReceived { header, .. } => {
                timer != Timer::CloseHandshake || header.opcode == Opcode::Close
            }
            _ => false,
        };
        (!entries[started..expired].iter().any(came)).then_some(after)
    })
}

/// Whether a timer waits for frames of the peer.
const fn is_limit(timer: Timer) -> bool {
    matches!(timer, Timer::Await | Timer::CloseAfter | Timer::CloseHandshake | Timer::KillAfter)
}

/// The first frame of the peer, and how long after the tester's last one it came. Nothing where
/// the tester pauses: there nobody knows which frame is answered.
fn answer(outcome: &Outcome) -> Option<(Received<'_>, What, Duration)> {
    let first = wire::received(outcome).into_iter().next()?;
    let entries = &outcome.transcript.entries[..first.index];
    let pauses = |entry: &wsproof_engine::Entry| {
        matches!(entry.what, Entry::TimerExpired { timer: Timer::Wait, .. })
    };
    if entries.iter().any(pauses) {
        return None;
    }
    let what = match first.header.opcode {
        Opcode::Close => What::Close,
        Opcode::Pong => What::Pong,
        _ => What::Echo,
    };
    // What comes before the tester has sent anything answers nothing, and is not late.
    let took = asked(entries).map_or(Duration::ZERO, |at| first.at.saturating_sub(at));
    Some((first, what, took))
}

/// What the peer does, with the fastest answer and the limits.
pub(super) fn sentence(members: &[Member<'_>], of: Option<What>, fastest: Duration) -> String {
    let what = match of {
        None => "Answers come",
        Some(What::Echo) => "Messages are echoed",
        Some(What::Pong) => "Pongs come",
        Some(What::Close) => "Close frames come",
    };
    let limits: BTreeSet<_> = members.iter().filter_map(|it| limit(it.outcome())).collect();
    let limits = match (limits.first(), limits.last()) {
        (Some(least), Some(most)) if least != most => {
            format!("the limits are {} to {}", span(*least), span(*most))
        }
        (Some(only), _) => format!("the limit is {}", span(*only)),
        _ => "that is past the limit".to_owned(),
    };
    format!("{what} too late: after {} at the earliest; {limits}", span(fastest))
}

/// What was due within the limit, and what came after it.
pub(super) fn evidence(member: &Member<'_>) -> Evidence {
    let outcome = member.outcome();
    let within = limit(outcome).map_or(String::new(), |limit| format!(" within {}", span(limit)));
    let expected = match &member.finding.wanted {
        Some(wanted) => wanted_side(wanted).words,
        None if member.sent.fault.is_some() => "a close frame, or the end of TCP".to_owned(),
        None => "an answer".to_owned(),
    };
    // It is not octets that deviate.
    let expected = Side::words(format!("{expected},{within}"));
    let (got, deciding) = match answer(outcome) {
        Some((frame, _, took)) => {
            let words = format!("{}, after {}", frame_side(&frame, None).words, span(took));
            (Side::words(words), Some(frame.index))
        }
        None => (Side::words(format!("nothing{within}")), None),
    };
    super::evidence::plain(expected, got, deciding)
}
