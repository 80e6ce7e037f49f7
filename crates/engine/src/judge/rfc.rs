//! What the RFCs say.

use std::time::Duration;

use wsproof_proto::{CloseCode, Role, Violation};

use super::{Behavior, CloseBehavior, Judgement, class, distinct_codes, same_events};
use crate::{
    Accept, Basis, Case, CloseBy, Event, Expected, Grade, Observed, Outcome, TcpEnd, Tolerance,
};

/// A verdict, what it rests on, and why.
pub(super) type Ruling<T> = (T, Basis, String);

/// The RFC judgement.
pub fn rfc(case: &Case, outcome: &Outcome) -> Judgement {
    let (mut behavior, mut basis, mut reason) = match &case.accept {
        Accept::Class(class) => class::behavior(class, outcome),
        _ => behavior(case, outcome),
    };
    let (mut close, mut close_basis, mut close_reason) = match &case.accept {
        Accept::Class(class) => class::close(class, outcome),
        _ => close(case, outcome),
    };
    if case.close.wrong_code_fails
        && close == CloseBehavior::WrongCode
        && close_basis == Basis::Must
        && behavior == Behavior::Ok
    {
        (behavior, basis, reason) = (Behavior::Failed, close_basis, close_reason.clone());
    }
    if case.informational && outcome.opened_at.is_some() {
        reason = format!("Any answer is allowed. {reason}");
        behavior = Behavior::Informational;
        basis = Basis::Disputed;
        (close, close_basis) = (CloseBehavior::Informational, Basis::Disputed);
        close_reason = format!("Any answer is allowed. {close_reason}");
    }
    Judgement { behavior, basis, reason, close, close_basis, close_reason }
}

/// Whether the tester had to close because the peer did not.
fn closed_by_tester(outcome: &Outcome) -> bool {
    outcome.closing.closed_by_me && !outcome.closing.peer_closed_first
}

fn behavior(case: &Case, outcome: &Outcome) -> Ruling<Behavior> {
    if outcome.opened_at.is_none() {
        return failed(not_opened(outcome));
    }
    if let Some(misfit) = outcome.openings.first().and_then(|opening| opening.violations.first()) {
        return failed(format!("in the opening handshake, {misfit}"));
    }
    if let Some(text) = illegal_frame(outcome) {
        return failed(text);
    }
    if outcome.unimplemented {
        let text = "the peer does not agree to permessage-deflate".to_owned();
        return (Behavior::Unimplemented, Basis::Should, text);
    }
    let (behavior, basis, reason) = match &case.accept {
        Accept::Events(_) => events(case, outcome),
        Accept::FirstEcho { .. } | Accept::EchoLoop { .. } => echoes(case, outcome),
        Accept::Class(_) => return failed(String::new()),
    };
    if behavior == Behavior::Failed {
        return (behavior, basis, reason);
    }
    if case.close.by == CloseBy::Peer {
        if closed_by_tester(outcome) || !peer_ended(outcome) {
            return failed("the peer left the connection open where it must fail it".to_owned());
        }
    } else if closed_by_tester(outcome) && is_silent(outcome) {
        return failed(
            "the peer sent nothing at all, not even an answer to the close frame".to_owned(),
        );
    }
    (behavior, basis, reason)
}

/// The peer, before the tester, sent a close frame or ended TCP.
fn peer_ended(outcome: &Outcome) -> bool {
    outcome.closing.remote_close_at.is_some() || by_peer(outcome.closing.tcp_end)
}

fn by_peer(end: Option<TcpEnd>) -> bool {
    matches!(end, Some(TcpEnd::PeerFin | TcpEnd::PeerReset))
}

/// No octet came and TCP was left to the tester.
fn is_silent(outcome: &Outcome) -> bool {
    outcome.octets_received == 0 && !by_peer(outcome.closing.tcp_end)
}

fn events(case: &Case, outcome: &Outcome) -> Ruling<Behavior> {
    let Accept::Events(lists) = &case.accept else { return failed(String::new()) };
    let references = case.references();
    let same = |events: &[Expected]| {
        outcome.events_omitted == 0 && same_events(events, &outcome.events, &references)
    };
    if let Some(list) = lists.iter().find(|list| same(&list.events)) {
        return match (list.grade, list.basis) {
            (Grade::Strict, basis) => (Behavior::Ok, basis, "as expected".to_owned()),
            (_, basis @ Basis::Race) => (
                Behavior::Ok,
                basis,
                "as expected; the order of independent events is free".to_owned(),
            ),
            (_, basis @ Basis::Disputed) => {
                (Behavior::Ok, basis, "one of the readings of the RFC that are in use".to_owned())
            }
            (_, basis) => {
                (Behavior::NonStrict, basis, "allowed, but not what is recommended".to_owned())
            }
        };
    }
    if case.tolerance == Some(Tolerance::LatestPong)
        && let Some(list) = lists.first()
        && are_latest_pongs(&list.events, &outcome.events)
    {
        let text = "pings overtaken by a later one may stay unanswered".to_owned();
        return (Behavior::Ok, Basis::Disputed, text);
    }
    failed(first_mismatch(lists.first().map_or(&[], |list| &list.events), outcome, &references))
}

/// The observed pongs are some of the expected ones in order, the last one among them.
fn are_latest_pongs(expected: &[Expected], events: &[Event]) -> bool {
    let mut left = expected.iter();
    let in_order = events.iter().all(|event| left.any(|wanted| event.what.is(wanted, &[])));
    let last = expected.last().zip(events.last());
    in_order && last.is_some_and(|(wanted, event)| event.what.is(wanted, &[]))
}

/// Says at which event the observation leaves the expectation.
fn first_mismatch(
    expected: &[Expected],
    outcome: &Outcome,
    references: &[crate::Payload],
) -> String {
    let same = expected
        .iter()
        .zip(&outcome.events)
        .take_while(|(wanted, event)| event.what.is(wanted, references))
        .count();
    match (expected.get(same), outcome.events.get(same)) {
        (Some(wanted), Some(event)) => {
            let place = match &event.what {
                Observed::Message { first_difference: Some(at), .. } => {
                    format!(" (first different at octet {at})")
                }
                _ => String::new(),
            };
            format!("got {}{place} instead of {}", event.what.describe(), wanted.describe())
        }
        (Some(wanted), None) => format!("got nothing instead of {}", wanted.describe()),
        (None, Some(event)) if expected.is_empty() => {
            format!("got {} where no message and no pong is due", event.what.describe())
        }
        (None, Some(event)) => format!("got {} where nothing more is due", event.what.describe()),
        (None, None) => "more events than can be kept".to_owned(),
    }
}

fn echoes(case: &Case, outcome: &Outcome) -> Ruling<Behavior> {
    let (wanted, count) = match &case.accept {
        Accept::EchoLoop { count, .. } => (*count, "echoes"),
        _ => (1, "echo"),
    };
    if let Some(at) = outcome.content_differs_at {
        return failed(format!("the echo differs from what was sent, first at octet {at}"));
    }
    if let Some(code) = limit_of_peer(case, outcome) {
        let text = format!("refused with {code}: limits are allowed (RFC 6455, 10.4)");
        return (Behavior::NonStrict, Basis::Should, text);
    }
    if outcome.kind_differs {
        let text = "an echo came back as another kind of message, text or binary, than was sent";
        return failed(text.to_owned());
    }
    if !outcome.computed_ok {
        if may_have_relied_on_hint(outcome) {
            let text = "the peer may have taken the offer of client_no_context_takeover for a \
                        promise (RFC 7692, 7.1.1.2); the tester does not keep it, as wstest does not";
            return (Behavior::NonStrict, Basis::Disputed, text.to_owned());
        }
        let got = outcome.echoes;
        let closing = &outcome.closing;
        let how = match (closing.first_remote_code, closing.tcp_end) {
            (Some(code), _) if closing.peer_closed_first => format!("then a close with {code}"),
            (None, _) if closing.peer_closed_first => "then a close without a code".to_owned(),
            (_, end) if by_peer(end) && !closing.closed_by_me => "then the end of TCP".to_owned(),
            _ => return failed(format!("got {got} of {wanted} {count} in time")),
        };
        return failed(format!("got {got} of {wanted} {count}, {how}"));
    }
    if outcome.echoes > wanted {
        return failed(format!("got {} echoes instead of {wanted}", outcome.echoes));
    }
    (Behavior::Ok, Basis::Must, "every message came back unchanged".to_owned())
}

/// Whether the peer gave up on messages that refer to earlier ones. What the tester offers hints
/// that there are none, even if the answer does not take it up; without them, that a peer can read
/// such messages would never be tried.
fn may_have_relied_on_hint(outcome: &Outcome) -> bool {
    // Later than this a message has referred to another one long ago.
    const SOON: u32 = 64;
    let closing = &outcome.closing;
    let agreement = outcome.openings.first().and_then(|opening| opening.agreement);
    outcome.role == Role::Client
        && agreement.is_some_and(|agreement| agreement.client.context_takeover)
        && (1..SOON).contains(&outcome.echoes)
        && !outcome.computed_ok
        && outcome.deviations.is_empty()
        && (closing.peer_closed_first || by_peer(closing.tcp_end) && !closing.closed_by_me)
}

/// The code with which the peer refused messages of this size or number of fragments: an endpoint
/// may have such limits.
fn limit_of_peer(case: &Case, outcome: &Outcome) -> Option<u16> {
    let limits = [CloseCode::MESSAGE_TOO_BIG.0, CloseCode::POLICY_VIOLATION.0];
    let measured = matches!(case.accept, Accept::FirstEcho { .. } | Accept::EchoLoop { .. });
    let refused = measured && !closed_by_tester(outcome) && !outcome.computed_ok;
    outcome.closing.first_remote_code.filter(|code| refused && limits.contains(code))
}

/// A frame that no endpoint may send. Bodies of close frames are judged with the closing.
pub(super) fn illegal_frame(outcome: &Outcome) -> Option<String> {
    outcome
        .deviations
        .iter()
        .find(|deviation| {
            !matches!(
                deviation.violation,
                Violation::CloseCodeReserved
                    | Violation::CloseBodyOfOneOctet
                    | Violation::CloseReasonIllFormed
            )
        })
        .map(|deviation| {
            let detail = match deviation.violation {
                // What is wrong says it all, and in a line.
                Violation::WindowExceeded if let Some(found) = outcome.window_exceeded => {
                    let (rfc, section) = deviation.violation.rfc();
                    return format!("{found} (RFC {rfc}, {section})");
                }
                Violation::DeflateCorrupt | Violation::ReferenceTooFarBack => {
                    outcome.corruption.clone()
                }
                _ => None,
            };
            let detail = detail.map_or(String::new(), |detail| format!(": {detail}"));
            format!("the peer sent {} at octet {}{detail}", deviation.violation, deviation.offset)
        })
}

pub(super) fn not_opened(outcome: &Outcome) -> String {
    let opening = outcome.openings.first();
    let violation = opening.and_then(|opening| opening.violations.first());
    match (opening.and_then(|opening| opening.status), violation) {
        (Some(status), Some(Violation::StatusNot101)) => {
            format!("the opening handshake was refused with status {status}")
        }
        (_, Some(violation)) => format!("the opening handshake failed: {violation}"),
        _ if outcome.closing.open_handshake_timeout => {
            "the opening handshake was not answered in time".to_owned()
        }
        _ if outcome.closing.tcp_end == Some(TcpEnd::NotConnected) => {
            "no connection came about".to_owned()
        }
        _ => "the peer ended TCP during the opening handshake".to_owned(),
    }
}

fn close(case: &Case, outcome: &Outcome) -> Ruling<CloseBehavior> {
    let closing = &outcome.closing;
    let must = |verdict, text: &str| (verdict, Basis::Must, text.to_owned());
    if outcome.opened_at.is_none() {
        return (CloseBehavior::Failed, Basis::Must, not_opened(outcome));
    }
    if let Some(ruling) = illegal_close(outcome) {
        return ruling;
    }
    if let Some(code) = limit_of_peer(case, outcome) {
        return (
            CloseBehavior::Ok,
            Basis::Should,
            format!("refused with {code}, as a limit allows"),
        );
    }
    if closing.tcp_end == Some(TcpEnd::TesterFin) && closing.remote_close_at.is_none() {
        let text = "not judged: the tester ended TCP because of what the peer had sent".to_owned();
        return (CloseBehavior::Ok, Basis::Disputed, text);
    }
    if may_have_relied_on_hint(outcome) {
        let text = "not judged: the peer may have relied on a hint that was not kept".to_owned();
        return (CloseBehavior::Ok, Basis::Disputed, text);
    }
    if closed_by_tester(outcome) != (case.close.by == CloseBy::Tester) {
        return match case.close.by {
            CloseBy::Tester => must(
                CloseBehavior::Failed,
                "the peer ended a connection on which nothing was wrong",
            ),
            CloseBy::Peer => must(
                CloseBehavior::Failed,
                "the peer did not fail the connection; the tester had to close it",
            ),
        };
    }
    if case.close.clean && closing.remote_close_at.is_none() {
        return must(
            CloseBehavior::Unclean,
            "the peer did not answer the close frame with one of its own",
        );
    }
    if case.close.clean && closing.server_drop_timeout {
        return must(
            CloseBehavior::Unclean,
            "the server did not end TCP after the closing handshake",
        );
    }
    // A tester whose patience has ended goes away with a code that no case waits for; the peer does
    // well to send it back (RFC 6455, 5.5.1).
    let sent_back = closing.failed_by_me && closing.local_code == Some(CloseCode::GOING_AWAY.0);
    let wrong = |code: &u16| {
        let going_away = sent_back && *code == CloseCode::GOING_AWAY.0;
        !case.close.codes.contains(code) && !going_away
    };
    if let Some(code) = closing.first_remote_code.filter(wrong) {
        let text =
            format!("close code {code} where {} or none is due", distinct_codes(&case.close.codes));
        return (CloseBehavior::WrongCode, case.close.code_basis, text);
    }
    if outcome.role == Role::Client && closing.dropped_by_me {
        return (
            CloseBehavior::FailedByClient,
            Basis::Should,
            format!(
                "the server left TCP open for {} ms after the close",
                left_open(outcome).as_millis()
            ),
        );
    }
    must(CloseBehavior::Ok, "as expected")
}

/// A close frame that no endpoint may send.
pub(super) fn illegal_close(outcome: &Outcome) -> Option<Ruling<CloseBehavior>> {
    let found = outcome.deviations.iter().find_map(|deviation| match deviation.violation {
        Violation::CloseCodeReserved => {
            let code =
                outcome.closing.first_remote_code.filter(|code| !CloseCode(*code).may_be_sent())?;
            Some(format!(
                "the peer sent close code {code}, which no endpoint may send (RFC 6455, 7.4)"
            ))
        }
        Violation::CloseBodyOfOneOctet | Violation::CloseReasonIllFormed => {
            Some(format!("the peer sent {}", deviation.violation))
        }
        _ => None,
    })?;
    Some((CloseBehavior::WrongCode, Basis::Must, found))
}

fn left_open(outcome: &Outcome) -> Duration {
    outcome.ended_at.saturating_sub(outcome.closing.remote_close_at.unwrap_or(outcome.ended_at))
}

pub(super) fn failed(reason: String) -> Ruling<Behavior> {
    (Behavior::Failed, Basis::Must, reason)
}
