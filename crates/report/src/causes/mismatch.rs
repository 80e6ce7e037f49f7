//! Where the events of a case leave what is accepted, and how: missing, too much, changed, out of
//! order, too late.

use wsproof_engine::{Accepted, Case, Event, Expected, Grade, Observed, Outcome, Payload};

use super::{
    finding::{Deviation, Finding, What, by_peer},
    provoked::Sent,
    rules::Rule,
};

/// Where the events leave the list that they follow longest.
pub(super) fn mismatch(
    lists: &[Accepted],
    case: &Case,
    sent: &Sent,
    outcome: &Outcome,
) -> Option<Finding> {
    let references = case.references();
    let common = |list: &Accepted| {
        let same = list.events.iter().zip(&outcome.events);
        same.take_while(|(wanted, event)| event.what.is(wanted, &references)).count()
    };
    let whole = |list: &Accepted| {
        list.events.len() == outcome.events.len() && common(list) == outcome.events.len()
    };
    if lists.iter().any(whole) {
        return None;
    }
    let list = lists
        .iter()
        .filter(|list| list.grade != Grade::RfcOnly)
        .max_by_key(|list| (common(list), usize::from(list.grade == Grade::Strict)))?;
    let same = common(list);
    let (wanted, event) = (list.events.get(same), outcome.events.get(same));
    let deviation = match (wanted, event) {
        (Some(wanted), None) => missing(what(wanted), outcome),
        (None, Some(event)) => extra(event, &outcome.events[..same]),
        (Some(wanted), Some(event)) => {
            differs(wanted, event, &list.events[same + 1..], &outcome.events, same, &references)
        }
        (None, None) => return None,
    };
    let deviation = match event.map(|event| &event.what) {
        Some(Observed::Pong { payload, .. })
            if sent.pongs.contains(payload) && !sent.pings.contains(payload) =>
        {
            Deviation::Unasked(What::Pong)
        }
        _ => deviation,
    };
    let rule = match &deviation {
        Deviation::Unasked(What::Pong) if !sent.pongs.is_empty() => Rule::unsolicited(),
        Deviation::Order(What::Pong) => Rule::pong_to_latest(),
        Deviation::Unasked(_) => Rule::unasked(),
        Deviation::EndsGood(_) => Rule::good_connection(),
        _ if wanted.is_some_and(|wanted| what(wanted) == What::Pong) => Rule::pong(),
        _ => Rule::echo(),
    };
    Some(Finding { deviation, rule, wanted: wanted.cloned(), came: event.map(|_| same) })
}

const fn what(wanted: &Expected) -> What {
    match wanted {
        Expected::Pong(_) => What::Pong,
        Expected::Message(..) | Expected::Timeout(_) => What::Echo,
    }
}

fn missing(what: What, outcome: &Outcome) -> Deviation {
    if by_peer(outcome) {
        Deviation::EndsGood(what)
    } else if outcome.octets_received == 0 {
        Deviation::Silent
    } else {
        Deviation::Nothing(what)
    }
}

fn extra(event: &Event, before: &[Event]) -> Deviation {
    match &event.what {
        Observed::Pong { .. } => {
            let again = before.iter().any(|earlier| earlier.what == event.what);
            if again { Deviation::Twice(What::Pong) } else { Deviation::Unasked(What::Pong) }
        }
        Observed::Message { kind, len, head, .. } => {
            let again = before.iter().any(|earlier| {
                matches!(&earlier.what, Observed::Message { kind: k, len: l, head: h, .. }
                    if (k, l, h) == (kind, len, head))
            });
            if again { Deviation::Twice(What::Echo) } else { Deviation::Unasked(What::Echo) }
        }
        Observed::Timeout { .. } => Deviation::Late(What::Echo),
    }
}

fn differs(
    wanted: &Expected,
    event: &Event,
    rest: &[Expected],
    events: &[Event],
    at: usize,
    references: &[Payload],
) -> Deviation {
    let later = events[at + 1..].iter().any(|event| event.what.is(wanted, references));
    let awaited = rest.iter().any(|other| event.what.is(other, references));
    let before = || events[..at].iter().any(|earlier| earlier.what == event.what);
    match (wanted, &event.what) {
        _ if later && awaited => Deviation::Order(what(wanted)),
        (
            Expected::Message(kind, payload),
            Observed::Message { kind: got, len, equals, first_difference, .. },
        ) => match (equals, first_difference) {
            _ if before() => Deviation::Twice(What::Echo),
            (Some(_), _) if kind != got => Deviation::OtherKind,
            (Some(_), _) => Deviation::Order(What::Echo),
            _ if later => Deviation::Unasked(What::Echo),
            (None, Some(at)) if at == len && *len < payload.len() => Deviation::Shorter(What::Echo),
            (None, Some(at)) if *at == payload.len() => Deviation::Longer(What::Echo),
            _ => Deviation::Altered(What::Echo),
        },
        (Expected::Pong(payload), Observed::Pong { payload: got, .. }) => {
            if before() {
                Deviation::Twice(What::Pong)
            } else if awaited {
                Deviation::Order(What::Pong)
            } else if payload.starts_with(got) {
                Deviation::Shorter(What::Pong)
            } else if got.starts_with(payload) && !payload.is_empty() {
                Deviation::Longer(What::Pong)
            } else {
                Deviation::Altered(What::Pong)
            }
        }
        (Expected::Timeout(_), _) => Deviation::Unasked(What::Echo),
        (_, Observed::Timeout { .. }) => Deviation::Late(what(wanted)),
        (_, Observed::Message { .. }) if later => Deviation::Unasked(What::Echo),
        (_, Observed::Pong { .. }) if later => Deviation::Unasked(What::Pong),
        _ if awaited => Deviation::Nothing(what(wanted)),
        (Expected::Pong(_), _) => Deviation::Unasked(What::Echo),
        (Expected::Message(..), _) => Deviation::Unasked(What::Pong),
    }
}
