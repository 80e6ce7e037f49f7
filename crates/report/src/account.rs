//! What a case accepts and what was observed, in words: for the page and for the terminal.

use wsproof_engine::{Accept, Case, CloseBy, ClosingState, Event, Expected, Grade, Outcome};
use wsproof_proto::CloseCode;

use crate::{
    log,
    words::{bounded, number, visible, visible_octets},
};

/// Characters of a reason in a close frame that are shown.
pub(crate) const MAX_REASON: usize = 500;
/// Events, expected or observed, that are shown.
const MAX_EVENTS: usize = 40;
/// Characters of an event that are shown.
const MAX_TEXT: usize = 1000;

/// The accepted lists of events, each with its name.
pub(crate) fn expected(case: &Case) -> Vec<(&'static str, Vec<String>)> {
    let message = |kind: wsproof_engine::Kind, payload: &wsproof_engine::Payload| {
        Expected::Message(kind, payload.clone()).describe()
    };
    match &case.accept {
        Accept::Class(_) => vec![("Accepted", vec![case.expectation()])],
        Accept::EchoLoop { kind, series, count } => {
            let (size, unit) = series.size();
            let text = format!("{count} {} messages of {size} {unit}, unchanged", kind.name());
            vec![("Accepted", vec![text])]
        }
        Accept::FirstEcho { kind, payload } => {
            vec![("Accepted", vec![format!("{}, once", message(*kind, payload))])]
        }
        Accept::Events(lists) => lists
            .iter()
            .map(|list| {
                let name = match (list.grade, list.basis) {
                    (Grade::Strict, _) => "Accepted",
                    (_, wsproof_engine::Basis::Race) => "Also accepted, as these events race",
                    (Grade::NonStrict, _) => "Also accepted, but not preferred",
                    (Grade::RfcOnly, _) => "Also accepted by the RFC judgement",
                };
                (name, events(list.events.iter().map(Expected::describe), 0))
            })
            .collect(),
    }
}

/// What was received, in words, and whether the WebSocket ever opened.
pub(crate) fn observed(outcome: &Outcome) -> Vec<String> {
    if outcome.opened_at.is_none() {
        return vec!["The WebSocket never opened.".to_owned()];
    }
    let words = |event: &Event| format!("{} ms: {}", log::millis(event.at), event.what.describe());
    let mut lines = events(outcome.events.iter().map(words), outcome.events_omitted);
    if outcome.events.is_empty() && outcome.echoes > 0 {
        lines = vec![format!("{} received whole", number(outcome.echoes as usize, "message"))];
    }
    if let Some(at) = outcome.content_differs_at {
        lines.push(format!("the first wrong octet of an echo is its octet {at}"));
    }
    if outcome.echo_timed_out {
        lines.push("not all messages had come back in time".to_owned());
    }
    lines.extend(outcome.window_exceeded.map(|exceeded| exceeded.to_string()));
    lines
}

/// The first of the events; `omitted` were not kept at all.
fn events(all: impl ExactSizeIterator<Item = String>, omitted: u64) -> Vec<String> {
    let more = (all.len().saturating_sub(MAX_EVENTS) as u64).saturating_add(omitted);
    let shown = all.take(MAX_EVENTS).map(|text| bounded(&visible(&text), MAX_TEXT));
    let mut lines: Vec<_> = shown.collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if lines.is_empty() {
        lines.push("no message and no pong".to_owned());
    }
    lines
}

/// What the case wants of the closing; empty where its class says so with the rest.
pub(crate) fn close_expected(case: &Case) -> Vec<String> {
    if matches!(case.accept, Accept::Class(_)) {
        return Vec::new();
    }
    let close = &case.close;
    let mut codes: Vec<_> = close.codes.iter().map(|code| code_words(*code)).collect();
    codes.dedup();
    codes.push("none".to_owned());
    let by = match close.by {
        CloseBy::Peer => "The peer closes first, or ends TCP.",
        CloseBy::Tester => "The tester closes first.",
    };
    let mut lines = vec![by.to_owned(), format!("The peer's code: {}.", codes.join(" or "))];
    if close.clean {
        lines.push("Close frames go both ways, and the server ends TCP.".to_owned());
    }
    lines
}

/// What happened, in a few lines.
pub(crate) fn close_observed(closing: &ClosingState) -> Vec<String> {
    let frame = |who: &str, at, code: Option<u16>, text: &Option<Vec<u8>>| {
        let code = code.map_or_else(
            || "without a code".to_owned(),
            |code| format!("with {}", code_words(code)),
        );
        let why = match text.as_deref() {
            None | Some([]) => String::new(),
            Some(octets) => format!(", saying “{}”", reason(octets)),
        };
        format!("{} ms: {who} sent a close frame {code}{why}.", log::millis(at))
    };
    let mut lines = Vec::new();
    if let Some(at) = closing.local_close_at {
        lines.push((at, frame("the tester", at, closing.local_code, &closing.local_reason)));
    }
    if let Some(at) = closing.remote_close_at {
        lines.push((at, frame("the peer", at, closing.remote_code, &closing.remote_reason)));
    }
    lines.sort_by_key(|(at, _)| *at);
    if closing.remote_close_at.is_some()
        && closing.local_close_at.is_some()
        && closing.peer_closed_first
    {
        // Both may stand at the same instant.
        lines.sort_by_key(|(at, text)| (*at, !text.contains("the peer sent")));
    }
    let mut lines: Vec<_> = lines.into_iter().map(|(_, text)| text).collect();
    if closing.remote_close_at.is_none() {
        lines.push("The peer sent no close frame.".to_owned());
    }
    if let Some(end) = closing.tcp_end {
        lines.push(log::tcp_end_sentence(end));
    }
    if let (false, Some(why)) = (closing.was_clean, &closing.not_clean_reason) {
        lines.push(format!(
            "Not clean: {}.",
            bounded(&visible(why), MAX_REASON).trim_end_matches('.')
        ));
    }
    lines
}

/// A code with its name: `1002 (protocol error)`.
pub(crate) fn code_words(code: u16) -> String {
    CloseCode(code).name().map_or_else(|| code.to_string(), |name| format!("{code} ({name})"))
}

pub(crate) fn reason(octets: &[u8]) -> String {
    bounded(&visible_octets(&octets[..octets.len().min(4 * MAX_REASON)]), MAX_REASON)
}
