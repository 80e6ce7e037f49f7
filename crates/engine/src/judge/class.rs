//! Classes of outcome in our own families.

use std::time::Duration;

use wsproof_proto::Violation;

use super::{
    Behavior, CloseBehavior,
    rfc::{Ruling, failed, illegal_close, illegal_frame, not_opened},
};
use crate::{Basis, Class, Opening, Outcome, TcpEnd};

/// After the closing handshake a server that ends TCP within this time is prompt.
const PROMPT: Duration = Duration::from_secs(1);

pub(super) fn behavior(class: &Class, outcome: &Outcome) -> Ruling<Behavior> {
    match class {
        Class::Refused => refused(outcome),
        Class::Accepted | Class::AnswersHalfClose | Class::Passive { .. } => {
            // A limit on connections is allowed (RFC 6455, 10.4).
            let limited = |o: &Opening| matches!(o.status, Some(429 | 503));
            if outcome.openings.len() > 1
                && is_accepted(&outcome.openings[0])
                && let Some(opening) = outcome.openings[1..].iter().find(|o| limited(o))
            {
                let status = opening.status.unwrap_or_default();
                let text =
                    format!("a further connection was refused with {status}, as a limit allows");
                return (Behavior::NonStrict, Basis::Should, text);
            }
            if let Some(opening) = outcome.openings.iter().find(|opening| !is_accepted(opening)) {
                return failed(match opening.status {
                    Some(status) => {
                        format!("the opening handshake was answered with status {status}")
                    }
                    None => not_opened(outcome),
                });
            }
            if let Some(text) = illegal_frame(outcome) {
                return failed(text);
            }
            if outcome.echo_timed_out {
                return failed("a message did not come back in time".to_owned());
            }
            let strange = outcome.events.iter().find(|event| {
                !matches!(event.what, crate::Observed::Message { equals: Some(_), .. })
            });
            if let Some(event) = strange {
                return failed(format!("expected an echo, got {}", event.what.describe()));
            }
            if let Class::Passive { never } = class {
                return passive_ruling(
                    never,
                    outcome.openings.iter().map(|opening| ("this case", opening)),
                );
            }
            ok("accepted, and messages come back")
        }
    }
}

pub(super) fn close(class: &Class, outcome: &Outcome) -> Ruling<CloseBehavior> {
    let fine = |text: &str| (CloseBehavior::Ok, Basis::Must, text.to_owned());
    if matches!(class, Class::Refused) {
        return fine("there is no WebSocket connection to close");
    }
    if outcome.opened_at.is_none() {
        return (CloseBehavior::Failed, Basis::Must, not_opened(outcome));
    }
    if let Some(ruling) = illegal_close(outcome) {
        return ruling;
    }
    let further = outcome.openings.iter().skip(1).zip(&outcome.further_closings);
    if further.into_iter().any(|(o, c)| is_accepted(o) && c.remote_close_at.is_none()) {
        let text = "the close frame on a further connection was not answered".to_owned();
        return (CloseBehavior::Unclean, Basis::Must, text);
    }
    let closing = &outcome.closing;
    let Some(answered) = closing.remote_close_at else {
        // A peer may take the end of our sending half for the end of everything.
        let half_close = matches!(class, Class::AnswersHalfClose);
        let basis = if half_close { Basis::Should } else { Basis::Must };
        let text = "the peer did not answer the close frame with one of its own".to_owned();
        return (CloseBehavior::Unclean, basis, text);
    };
    if !closing.closed_by_me {
        let text = "the peer ended a connection on which nothing was wrong".to_owned();
        return (CloseBehavior::Failed, Basis::Must, text);
    }
    if !matches!(closing.tcp_end, Some(TcpEnd::PeerFin | TcpEnd::PeerReset)) {
        let text = "the server did not end TCP after the closing handshake".to_owned();
        return (CloseBehavior::Unclean, Basis::Must, text);
    }
    let took = outcome.ended_at.saturating_sub(answered);
    if took > PROMPT {
        let text =
            format!("the server ended TCP {} ms after the closing handshake", took.as_millis());
        return (CloseBehavior::Unclean, Basis::Should, text);
    }
    fine("as expected")
}

fn refused(outcome: &Outcome) -> Ruling<Behavior> {
    let Some(opening) = outcome.openings.first() else { return failed(String::new()) };
    match opening.status {
        Some(101) => failed("the request was accepted where it must be refused".to_owned()),
        Some(status @ 400..=599) => ok(&format!("refused with status {status}")),
        Some(status) => {
            let text = format!("not accepted, but with status {status} instead of an error");
            (Behavior::NonStrict, Basis::Should, text)
        }
        None if outcome.closing.open_handshake_timeout => {
            failed("the request was not answered in time".to_owned())
        }
        None if outcome.closing.tcp_end == Some(TcpEnd::NotConnected) => {
            failed("no connection came about".to_owned())
        }
        None if opening.violations.contains(&Violation::NotHttp) => {
            failed("the answer is not HTTP".to_owned())
        }
        None => {
            let text = "TCP was ended without an HTTP answer".to_owned();
            (Behavior::NonStrict, Basis::Should, text)
        }
    }
}

/// A passive rule over the answers of many cases, each named by its id.
pub fn passive<'a>(
    never: &[Violation],
    openings: impl IntoIterator<Item = (&'a str, &'a Opening)>,
) -> (Behavior, String) {
    let (behavior, _, reason) = passive_ruling(never, openings);
    (behavior, reason)
}

fn passive_ruling<'a>(
    never: &[Violation],
    openings: impl IntoIterator<Item = (&'a str, &'a Opening)>,
) -> Ruling<Behavior> {
    let mut seen = 0;
    for (case, opening) in openings {
        if opening.status != Some(101) {
            continue;
        }
        seen += 1;
        if let Some(violation) = opening.violations.iter().find(|found| never.contains(found)) {
            return failed(format!("in {case}: {violation}"));
        }
    }
    if seen == 0 {
        return failed("no opening handshake was accepted".to_owned());
    }
    ok(&format!("held in all {seen} answers"))
}

fn is_accepted(opening: &Opening) -> bool {
    opening.status == Some(101) && opening.violations.is_empty()
}

fn ok(reason: &str) -> Ruling<Behavior> {
    (Behavior::Ok, Basis::Must, reason.to_owned())
}
