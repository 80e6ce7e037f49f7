//! The closing of a connection: the thirteen facts by which it is judged.

use wsproof_engine::ClosingState;
use wsproof_proto::Role;

use crate::{
    account::{MAX_REASON, code_words, reason},
    words::{bounded, visible},
};

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
                .map_or_else(|| "none".to_owned(), |why| bounded(&visible(why), MAX_REASON)),
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
