//! Evidence from opening handshakes: header lines instead of octets.

use wsproof_engine::Outcome;
use wsproof_proto::{Violation, handshake::accept_for};

use super::{
    Member, Side,
    evidence::{Evidence, plain},
    finding::Deviation,
    wire,
};
use crate::words::bounded;

pub(super) fn opening_is_wrong(outcome: &Outcome, violation: Violation) -> bool {
    outcome.openings.iter().any(|opening| opening.violations.contains(&violation))
}

pub(super) fn opening(member: &Member<'_>, violation: Option<Violation>) -> Evidence {
    let outcome = member.outcome();
    let opening = outcome.openings.first();
    let status = opening.map(crate::refusals::status_line).filter(|line| !line.is_empty());
    let no_answer = || "no answer".to_owned();
    let expected = match (violation, &member.finding.deviation) {
        (
            Some(Violation::AcceptMissing | Violation::AcceptRepeated | Violation::AcceptWrong),
            _,
        ) => {
            let keys = opening.map(|opening| wire::lines_of(&opening.request, "sec-websocket-key"));
            let key = keys.unwrap_or_default().pop().unwrap_or_default();
            let key = key.split_once(": ").map_or("", |(_, key)| key);
            format!("Sec-WebSocket-Accept: {}", accept_for(key.as_bytes()))
        }
        (Some(Violation::SubprotocolNotOffered | Violation::SubprotocolRepeated), _) => {
            offered(opening, "sec-websocket-protocol", "Sec-WebSocket-Protocol")
        }
        (Some(violation), _) if wire::field(outcome, violation).is_some() => {
            offered(opening, "sec-websocket-extensions", "Sec-WebSocket-Extensions")
        }
        (_, Deviation::Opening(_)) => "HTTP status 400 to 499".to_owned(),
        _ => "HTTP/1.1 101".to_owned(),
    };
    let got = violation
        .and_then(|violation| wire::field(outcome, violation))
        .or(status)
        .unwrap_or_else(no_answer);
    plain(Side::words(expected), Side::words(got), None)
}

/// What the answer may name, by what was offered.
fn offered(opening: Option<&wsproof_engine::Opening>, name: &str, field: &str) -> String {
    let lines = opening.map(|opening| wire::lines_of(&opening.request, name)).unwrap_or_default();
    match lines.first() {
        Some(line) => format!("an answer to what was offered: {}", bounded(line, 160)),
        None => format!("no {field}: nothing was offered"),
    }
}
