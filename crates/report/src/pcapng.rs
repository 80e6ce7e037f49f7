//! Stored attempts as captures (pcapng) that Wireshark reads.
//!
//! A transcript has no packets, so these are made up: addresses, ports and handshakes of TCP. The
//! octets of the WebSocket, their order and their times are real. Octets that were not stored and
//! cannot be computed are left out, and the packet says how many there were. What went over TLS
//! stands in clear.

mod blocks;
mod recall;
mod stream;

use std::{fmt::Write, time::Duration};

use jiff::Timestamp;
use wsproof_engine::{Case, TcpEnd, What};
use wsproof_proto::Role;

use crate::{
    File, Results,
    contract::{Attempt, PeerInfo},
    names::Names,
    words::visible,
};
use blocks::Capture;
use stream::{Packet, Stream};

/// The tester's address, one of those that are kept for documentation (RFC 5737).
const TESTER: [u8; 4] = [192, 0, 2, 1];
/// The peer's address.
const PEER: [u8; 4] = [192, 0, 2, 2];
/// Ports of clients begin here.
const CLIENT_PORT: u16 = 49152;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The capture of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The capture itself.
    pub file: File,
    /// How many octets went over the wire and are not in it.
    pub missing: u64,
}

/// A capture for each attempt of the results.
pub fn files<'a>(results: &'a Results, cases: &'a [Case]) -> impl Iterator<Item = Captured> + 'a {
    let names = Names::new(results);
    let attempts = results.peers().iter().flat_map(|info| {
        let records = results.records(&info.peer);
        records.flat_map(move |(_, record)| record.attempts().iter().map(move |it| (info, it)))
    });
    attempts.map(move |(info, attempt)| {
        let extension = match attempt.attempt {
            1 => "pcapng".to_owned(),
            n => format!("{n}.pcapng"),
        };
        let case = cases.iter().find(|case| case.id == attempt.case);
        let (contents, missing) = capture(attempt, case, info);
        let name = names.file(&info.peer, &attempt.case, &extension);
        Captured { file: File { name, contents }, missing }
    })
}

/// The capture of an attempt, and how many octets are missing in it. With the case more of the
/// payloads can be computed.
fn capture(attempt: &Attempt, case: Option<&Case>, info: &PeerInfo) -> (Vec<u8>, u64) {
    let outcome = &attempt.outcome;
    let began: i128 = attempt.started.parse::<Timestamp>().map_or(0, Timestamp::as_nanosecond);
    let mut comment = format!("case {} with {}", attempt.case, visible(&attempt.peer));
    for (judge, judgement) in [("RFC", &attempt.rfc), ("classic", &attempt.classic)] {
        let (behavior, close) = (judgement.behavior.name(), judgement.close.name());
        let _ = write!(comment, "; {judge}: {behavior}, closing {close}");
    }
    let mut capture = Capture::new(&comment, began);
    let connections = outcome.transcript.entries.iter().map(|entry| entry.connection).max();
    let mut wires: Vec<_> = (0..=connections.unwrap_or_default().min(outcome.openings.len()))
        .map(|index| Wire::new(attempt, case, info, index))
        .collect();
    let mut said = Some(comment);
    for entry in &outcome.transcript.entries {
        let Some(wire) = wires.get_mut(entry.connection) else { continue };
        wire.take(&mut capture, entry.at, &entry.what, &mut said);
    }
    (capture.finish(), wires.iter().map(|wire| wire.missing).fold(0, u64::saturating_add))
}

/// One connection under way.
struct Wire {
    role: Role,
    /// Ports of the tester and of the peer.
    ports: [u16; 2],
    tester: Side,
    peer: Side,
    /// Octets that are not in the capture.
    missing: u64,
}

/// What one side has sent.
struct Side {
    stream: Stream,
    /// Octets that are on the wire.
    sent: u64,
    syn: bool,
    fin: bool,
}

impl Side {
    fn new(stream: Stream) -> Self {
        Self { stream, sent: 0, syn: false, fin: false }
    }

    /// The sequence number of what comes next.
    fn seq(&self) -> u64 {
        self.sent.wrapping_add(u64::from(self.syn) + u64::from(self.fin))
    }
}

/// Who sends a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Tester,
    Peer,
}

const BOTH: [By; 2] = [By::Tester, By::Peer];

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Tester => "tester",
            Self::Peer => "peer",
        }
    }
}

impl Wire {
    fn new(attempt: &Attempt, case: Option<&Case>, info: &PeerInfo, index: usize) -> Self {
        let outcome = &attempt.outcome;
        let client = CLIENT_PORT.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
        let ports = match outcome.role {
            Role::Client => [client, port(&info.url)],
            Role::Server => [9001, client],
        };
        let [tester, peer] = stream::streams(outcome, case, index);
        let (tester, peer) = (Side::new(tester), Side::new(peer));
        Self { role: outcome.role, ports, tester, peer, missing: 0 }
    }

    fn take(
        &mut self,
        capture: &mut Capture,
        at: Duration,
        what: &What,
        said: &mut Option<String>,
    ) {
        let (dialling, dialled) = match self.role {
            Role::Client => (By::Tester, By::Peer),
            Role::Server => (By::Peer, By::Tester),
        };
        let mut send = |wire: &mut Self, by, flags, packet: &Packet, comment| {
            let comment: Option<String> = comment;
            wire.send(capture, at, by, flags, packet, comment.as_deref());
        };
        let none = Packet::default();
        match what {
            What::Connected => {
                send(self, dialling, SYN, &none, said.take());
                send(self, dialled, SYN | ACK, &none, None);
                send(self, dialling, ACK, &none, None);
            }
            What::Wrote { len, head, .. } | What::Read { len, head } => {
                let by = if matches!(what, What::Wrote { .. }) { By::Tester } else { By::Peer };
                let missing = self.skip(by, false);
                let side = self.side(by);
                let end = side.sent.saturating_add(*len as u64);
                let packets = side.stream.packets(side.sent, *len as u64, head);
                let mut comment = (missing > 0).then(|| {
                    format!("{missing} octets before these were not logged, nor their times")
                });
                for packet in packets {
                    let whole = packet.len == packet.octets.len() as u64;
                    let cut = format!("only the first {} octets are known", packet.octets.len());
                    let cut = (!whole).then_some(cut);
                    let text = [comment.take(), cut].into_iter().flatten().collect::<Vec<_>>();
                    let text = (!text.is_empty()).then(|| text.join("; "));
                    send(self, by, PSH | ACK, &packet, text);
                    let unknown = packet.len - packet.octets.len() as u64;
                    self.missing = self.missing.saturating_add(unknown);
                    let side = self.side(by);
                    side.sent = side.sent.saturating_add(packet.len);
                }
                self.side(by).sent = end;
            }
            What::WriteShutDown => self.end(&mut send, By::Tester, &[By::Tester]),
            What::TcpEnded { by } => match by {
                TcpEnd::NotConnected => send(self, dialling, SYN, &none, said.take()),
                TcpEnd::PeerFin => {
                    self.end(&mut send, By::Peer, &BOTH);
                    self.end(&mut send, By::Tester, &BOTH);
                    send(self, By::Peer, ACK, &none, None);
                }
                TcpEnd::TesterFin => self.end(&mut send, By::Tester, &BOTH),
                TcpEnd::PeerReset => self.reset(&mut send, By::Peer),
                TcpEnd::TesterAbort => self.reset(&mut send, By::Tester),
            },
            _ => {}
        }
    }

    /// Ends one direction, once. `over` are the sides of which nothing comes after it.
    fn end(
        &mut self,
        send: &mut impl FnMut(&mut Self, By, u8, &Packet, Option<String>),
        by: By,
        over: &[By],
    ) {
        let text = self.unlogged(over);
        if !self.side(by).fin {
            send(self, by, FIN | ACK, &Packet::default(), text);
            self.side(by).fin = true;
        } else if text.is_some() {
            send(self, by, ACK, &Packet::default(), text);
        }
    }

    /// Ends both directions at once.
    fn reset(&mut self, send: &mut impl FnMut(&mut Self, By, u8, &Packet, Option<String>), by: By) {
        let text = self.unlogged(&BOTH);
        send(self, by, RST | ACK, &Packet::default(), text);
    }

    /// Goes over what was not logged before the next octets of a side, or before its end. Returns
    /// how many octets that were.
    fn skip(&mut self, by: By, to_end: bool) -> u64 {
        let side = self.side(by);
        let missing = side.stream.gap_before(if to_end { u64::MAX } else { side.sent });
        side.sent = side.sent.saturating_add(missing);
        self.missing = self.missing.saturating_add(missing);
        missing
    }

    /// What went before the end of these sides and was not logged, in words.
    fn unlogged(&mut self, sides: &[By]) -> Option<String> {
        let missing = sides
            .iter()
            .map(|by| (by.name(), self.skip(*by, true)))
            .filter(|(_, missing)| *missing > 0)
            .map(|(name, missing)| {
                format!(
                    "{missing} octets of the {name} before this were not logged, nor their times"
                )
            });
        let missing: Vec<_> = missing.collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    fn side(&mut self, by: By) -> &mut Side {
        match by {
            By::Tester => &mut self.tester,
            By::Peer => &mut self.peer,
        }
    }

    fn send(
        &mut self,
        capture: &mut Capture,
        at: Duration,
        by: By,
        flags: u8,
        packet: &Packet,
        comment: Option<&str>,
    ) {
        let [tester, peer] = self.ports;
        let (from, to, mine, theirs) = match by {
            By::Tester => ((TESTER, tester), (PEER, peer), &self.tester, &self.peer),
            By::Peer => ((PEER, peer), (TESTER, tester), &self.peer, &self.tester),
        };
        let ack = if flags & ACK == 0 { 0 } else { theirs.seq() };
        let segment = blocks::Segment { from, to, seq: mine.seq(), ack, flags };
        capture.segment(at, &segment, &packet.octets, packet.len, comment);
        if flags & SYN != 0 {
            self.side(by).syn = true;
        }
    }
}

/// The port of a URL.
fn port(url: &str) -> u16 {
    let default = if url.starts_with("wss") { 443 } else { 80 };
    let authority = url.split("://").nth(1).unwrap_or_default();
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    port.and_then(|port| port.parse().ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_of_the_url() {
        for (url, expected) in [
            ("ws://h:9001/a:1", 9001),
            ("wss://h/x", 443),
            ("ws://[::1]:81", 81),
            ("ws://[::1]", 80),
            ("client at ::1", 80),
        ] {
            assert_eq!(port(url), expected, "{url}");
        }
    }
}
