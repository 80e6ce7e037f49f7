//! Opening handshakes that a peer answered, but not with 101.
//!
//! A peer that refuses everything fails every case in the same way. That is one fact about the
//! peer, so it is found here once and not told again with every case.

use std::collections::BTreeMap;

use wsproof_engine::Opening;

use crate::{Results, words::visible_octets};

/// The refused opening handshakes of a peer.
pub(crate) struct Refusals<'a> {
    /// By status.
    pub(crate) by_status: BTreeMap<u16, Vec<Refusal<'a>>>,
    /// How many cases have a result.
    pub(crate) total: usize,
}

/// A refused opening handshake; some cases ask for just that.
pub(crate) struct Refusal<'a> {
    pub(crate) opening: &'a Opening,
}

impl<'a> Refusals<'a> {
    pub(crate) fn of(results: &'a Results, peer: &str) -> Self {
        let mut by_status: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        let mut total = 0;
        for (_, record) in results.records(peer) {
            let Some(attempt) = record.final_attempt() else { continue };
            total += 1;
            if attempt.outcome.opened_at.is_none()
                && let Some(opening) = attempt.outcome.openings.first()
                && let Some(status) = refused(opening)
            {
                by_status.entry(status).or_default().push(Refusal { opening });
            }
        }
        Self { by_status, total }
    }

    /// The status, or statuses, with which every opening handshake was refused.
    pub(crate) fn every(&self) -> Option<String> {
        let refused: usize = self.by_status.values().map(Vec::len).sum();
        let every = refused > 0 && refused == self.total;
        every.then(|| {
            let statuses: Vec<_> = self.by_status.keys().map(u16::to_string).collect();
            statuses.join(" or ")
        })
    }
}

/// The status of an answer that refuses.
pub(crate) fn refused(opening: &Opening) -> Option<u16> {
    opening.status.filter(|status| *status != 101)
}

/// The first line of a response.
pub(crate) fn status_line(opening: &Opening) -> String {
    let line = opening.response.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    visible_octets(&line[..line.len().min(200)])
}

/// What servers often ask for without right.
pub(crate) fn hint(opening: &Opening) -> &'static str {
    let mut lines = opening.request.split(|octet| *octet == b'\n');
    let name = b"sec-websocket-protocol:";
    let names_one = lines
        .any(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
    if names_one {
        ""
    } else {
        "The tester offered no subprotocol. A server must not demand one, for the field is \
         optional (RFC 6455, 4.2.1); if this one does, --subprotocol NAME gets the other cases \
         through."
    }
}
