//! The closing of a connection: the thirteen facts by which it is judged.

use wsproof_engine::{Accept, Case, CloseBy, ClosingState};
use wsproof_proto::{CloseCode, Role};

use super::log;
use crate::words::{bounded, visible, visible_octets};

/// Characters of a reason that are shown.
const REASON: usize = 500;

/// The facts of one connection.
pub(super) struct ClosingView {
    pub(super) heading: String,
    /// Key, value, meaning.
    pub(super) rows: Vec<(&'static str, String, &'static str)>,
}

impl ClosingView {
    /// `number` counts the connections of a case from 1; 0 if there is only one.
    pub(super) fn new(closing: &ClosingState, role: Role, number: usize) -> Self {
        let heading = if number == 0 { String::new() } else { format!("Connection {number}") };
        Self { heading, rows: rows(closing, role) }
    }
}

fn rows(closing: &ClosingState, role: Role) -> Vec<(&'static str, String, &'static str)> {
    let flag = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let code = |code: Option<u16>| code.map_or_else(|| "none".to_owned(), code_words);
    let text = |octets: &Option<Vec<u8>>| match octets.as_deref() {
        None => "none".to_owned(),
        Some([]) => "empty".to_owned(),
        Some(octets) => reason(octets),
    };
    vec![
        ("isServer", flag(role == Role::Server), "the tester was the server, the peer the client"),
        ("closedByMe", flag(closing.closed_by_me), "the tester sent the first close frame"),
        (
            "failedByMe",
            flag(closing.failed_by_me),
            "the tester failed the connection: an illegal octet, or the case's time was over",
        ),
        ("droppedByMe", flag(closing.dropped_by_me), "the tester ended TCP"),
        (
            "wasClean",
            flag(closing.was_clean),
            "close frames went both ways, and the server ended TCP as is its part",
        ),
        (
            "wasNotCleanReason",
            closing
                .not_clean_reason
                .as_deref()
                .map_or_else(|| "none".to_owned(), |why| bounded(&visible(why), REASON)),
            "what happened instead, where it was not clean",
        ),
        (
            "wasServerConnectionDropTimeout",
            flag(closing.server_drop_timeout),
            "the server did not end TCP in time after the closing handshake",
        ),
        (
            "wasOpenHandshakeTimeout",
            flag(closing.open_handshake_timeout),
            "the opening handshake was not complete in time",
        ),
        (
            "wasCloseHandshakeTimeout",
            flag(closing.close_handshake_timeout),
            "the peer did not answer the tester's close frame in time",
        ),
        ("localCloseCode", code(closing.local_code), "the code in the tester's close frame"),
        ("localCloseReason", text(&closing.local_reason), "the reason in the tester's close frame"),
        ("remoteCloseCode", code(closing.remote_code), "the code in the peer's close frame"),
        ("remoteCloseReason", text(&closing.remote_reason), "the reason in the peer's close frame"),
    ]
}

/// What the case wants of the closing; empty where its class says so with the rest.
pub(super) fn expected(case: &Case) -> Vec<String> {
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
pub(super) fn observed(closing: &ClosingState) -> Vec<String> {
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
        lines.push(format!("Not clean: {}.", bounded(&visible(why), REASON).trim_end_matches('.')));
    }
    lines
}

pub(super) fn code_words(code: u16) -> String {
    CloseCode(code).name().map_or_else(|| code.to_string(), |name| format!("{code} ({name})"))
}

fn reason(octets: &[u8]) -> String {
    bounded(&visible_octets(&octets[..octets.len().min(4 * REASON)]), REASON)
}
