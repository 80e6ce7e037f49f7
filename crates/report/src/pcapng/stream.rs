//! One direction of a connection: where handshake and frames stand in it, and which of their octets
//! are known.

use std::time::Duration;

use wsproof_engine::{Case, Entry, Outcome, What};
use wsproof_proto::{FrameHeader, Opcode, Role, mask};

use super::recall;

/// Octets of a packet at most; with its headers it must stay below 64 KiB.
const MAX_SEGMENT: u64 = 32 << 10;
/// No read or write has more octets; of a damaged one the rest has no packets.
const MAX_WRITE: u64 = 1 << 20;

/// A stream of octets of which some are known.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// In order, and none over another.
    units: Vec<Unit>,
    /// Where octets were not logged, and how many.
    gap: Option<(u64, u64)>,
}

/// A head of the opening handshake or a frame.
#[derive(Debug)]
struct Unit {
    start: u64,
    end: u64,
    /// The first of its octets, or all.
    octets: Vec<u8>,
}

/// Octets that follow each other in one packet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    /// How many there were.
    pub(super) len: u64,
    /// The first of them, as far as they are known.
    pub(super) octets: Vec<u8>,
}

/// The tester's and the peer's stream.
pub(super) fn streams(outcome: &Outcome, case: Option<&Case>, connection: usize) -> [Stream; 2] {
    let opening = outcome.openings.get(connection);
    let heads = opening.map_or((&[][..], &[][..]), |opening| (&opening.request, &opening.response));
    let (ours, theirs) = match outcome.role {
        Role::Client => heads,
        Role::Server => (heads.1, heads.0),
    };
    let entries = &outcome.transcript.entries;
    let entries: Vec<_> = entries.iter().filter(|entry| entry.connection == connection).collect();
    let mut tester = Stream::new(ours);
    let mut peer = Stream::new(theirs);
    if let Some(opening) = opening.filter(|opening| !opening.body.is_empty()) {
        // The answer to a request that was refused goes on with its body.
        let at = theirs.len() as u64;
        peer.units.push(Unit {
            start: at,
            end: at + opening.body.len() as u64,
            octets: opening.body.clone(),
        });
    }
    if outcome.openings.len() == 1 {
        let full = outcome.transcript.omitted > 0;
        tester.gap = gap(&outcome.stats.write_sizes, &entries, full, |what| match what {
            What::Wrote { len, .. } => Some(*len),
            _ => None,
        });
        peer.gap = gap(&outcome.stats.read_sizes, &entries, full, |what| match what {
            What::Read { len, .. } => Some(*len),
            _ => None,
        });
    }
    tester.place_sent(&entries, recall::Sent::new(case));
    peer.place_received(&entries, outcome, case, theirs.len() as u64);
    [tester, peer]
}

/// Where octets were not logged, and how many: where the log was off, else, if it was full, at the
/// end, else after the opening handshake.
fn gap(
    sizes: &std::collections::BTreeMap<usize, u64>,
    entries: &[&Entry],
    full: bool,
    len: impl Fn(&What) -> Option<usize>,
) -> Option<(u64, u64)> {
    let sizes = sizes.iter().map(|(size, count)| (*size as u64).saturating_mul(*count));
    let total = sizes.fold(0, u64::saturating_add);
    let logged = |entries: &[&Entry]| {
        let lens = entries.iter().filter_map(|entry| len(&entry.what)).map(|len| len as u64);
        lens.fold(0, u64::saturating_add)
    };
    let missing = total.checked_sub(logged(entries)).filter(|missing| *missing > 0)?;
    let find = |is: fn(&What) -> bool| entries.iter().position(|entry| is(&entry.what));
    let off = find(|what| matches!(what, What::WireLog { on: false }));
    let opened = || find(|what| matches!(what, What::Opened)).filter(|_| !full);
    let at = off.or_else(opened).unwrap_or(entries.len());
    Some((logged(&entries[..at]), missing))
}

impl Stream {
    fn new(head: &[u8]) -> Self {
        let mut stream = Self::default();
        if !head.is_empty() {
            let end = head.len() as u64;
            stream.units.push(Unit { start: 0, end, octets: head.to_vec() });
        }
        stream
    }

    /// How many octets are missing between `at` and what is logged next; said once.
    pub(super) fn gap_before(&mut self, at: u64) -> u64 {
        self.gap.take_if(|(start, _)| *start <= at).map_or(0, |(_, missing)| missing)
    }

    fn end(&self) -> u64 {
        self.units.last().map_or(0, |unit| unit.end)
    }

    /// A frame.
    fn add(&mut self, start: u64, header: &FrameHeader, payload: Vec<u8>) {
        let mut octets = Vec::new();
        header.encode(&mut octets);
        let end = start.saturating_add(header.frame_len());
        let at = octets.len();
        octets.extend(payload);
        if let Some(key) = header.mask {
            mask::apply(key, 0, &mut octets[at..]);
        }
        self.units.push(Unit { start, end, octets });
    }

    /// Puts the units in order, and leaves out what would stand over another.
    fn settle(&mut self) {
        self.units.sort_by_key(|unit| unit.start);
        let mut end = 0;
        self.units.retain(|unit| {
            let free = unit.start >= end;
            end = if free { unit.end } else { end };
            free
        });
    }

    /// Frames of the tester: each begins where the one before ended, or with a write.
    fn place_sent(&mut self, entries: &[&Entry], mut sent: recall::Sent) {
        let mut written = 0;
        for entry in entries {
            match &entry.what {
                What::FrameSent { header, head, whole, repeated, .. } => {
                    let payload = sent.payload(header, head, *repeated);
                    let payload = recall::made(whole.as_deref(), header.length).unwrap_or(payload);
                    let gap = self.gap.filter(|(start, _)| written >= *start);
                    let at = written.saturating_add(gap.map_or(0, |(_, missing)| missing));
                    self.add(at.max(self.end()), header, payload);
                }
                What::Wrote { len, head, .. } => {
                    let gap = self.gap.filter(|(start, _)| written >= *start);
                    let at = written.saturating_add(gap.map_or(0, |(_, missing)| missing));
                    // Octets of which no frame is known may stand before a frame.
                    self.units.retain(|unit| unit.agrees(at, head));
                    written = written.saturating_add(*len as u64);
                }
                _ => {}
            }
        }
    }

    /// Frames of the peer: the log says where each began.
    fn place_received(
        &mut self,
        entries: &[&Entry],
        outcome: &Outcome,
        case: Option<&Case>,
        base: u64,
    ) {
        let mut message: Vec<(u64, FrameHeader, Vec<u8>)> = Vec::new();
        let find = |at: Duration, len: u64| {
            let mut events = outcome.events.iter().filter(|event| event.at == at);
            events
                .find_map(|event| recall::received(case, outcome, event).filter(|p| p.len() == len))
        };
        for entry in entries {
            let What::FrameReceived { header, head, whole, offset } = &entry.what else {
                continue;
            };
            let echoed = recall::echoed(entries, whole.as_deref(), header.length);
            let head = echoed.as_ref().unwrap_or(head);
            let start = base.saturating_add(*offset);
            let frame = (start, *header, head.clone());
            if header.opcode.is_control() {
                let whole = find(entry.at, header.length).filter(|_| header.opcode == Opcode::Pong);
                let whole = whole.filter(|whole| whole.first_difference(0, head).is_none());
                let payload = whole.map(|whole| recall::bounded(&whole, 0, header.length));
                self.add(start, header, payload.unwrap_or_else(|| head.clone()));
                continue;
            }
            message.push(frame);
            if !header.fin {
                continue;
            }
            let total = message.iter().fold(0_u64, |sum, (_, h, _)| sum.saturating_add(h.length));
            let whole = find(entry.at, total);
            let mut at = 0;
            for (start, header, head) in std::mem::take(&mut message) {
                let payload = whole.as_ref().map(|whole| recall::bounded(whole, at, header.length));
                at = at.saturating_add(header.length);
                let payload = payload.filter(|payload| payload.starts_with(&head)).unwrap_or(head);
                self.add(start, &header, payload);
            }
        }
        for (start, header, head) in message {
            self.add(start, &header, head);
        }
        self.settle();
    }

    /// The packets in which `len` octets from `start` on went, the first of which are `head`. A
    /// packet whose octets are not all known ends with the frame, so that the next one begins with
    /// a frame again.
    pub(super) fn packets(&self, start: u64, len: u64, head: &[u8]) -> Vec<Packet> {
        let end = start.saturating_add(len.min(MAX_WRITE));
        let mut packets = Vec::new();
        let mut at = start;
        while at < end {
            let limit = end.min(at.saturating_add(MAX_SEGMENT));
            let mut octets = Vec::new();
            let mut known = at;
            let stop = loop {
                if known >= limit {
                    break limit;
                }
                let Some(unit) = self.unit_at(known) else {
                    let next = self.units.iter().map(|unit| unit.start).find(|n| *n > known);
                    let stop = next.map_or(limit, |next| next.min(limit));
                    if known == start {
                        octets.extend(first(head, stop - known));
                    }
                    break stop;
                };
                let rest = unit.octets.get(small(known - unit.start)..).unwrap_or_default();
                let rest = first(rest, limit - known);
                octets.extend(rest);
                known += rest.len() as u64;
                if known < unit.end.min(limit) {
                    break unit.end.min(limit);
                }
            };
            packets.push(Packet { len: stop - at, octets });
            at = stop;
        }
        packets
    }

    fn unit_at(&self, at: u64) -> Option<&Unit> {
        let next = self.units.partition_point(|unit| unit.start <= at);
        self.units[..next].last().filter(|unit| at < unit.end)
    }
}

impl Unit {
    /// Whether it has the octets that stand at `at`, as far as both are known.
    fn agrees(&self, at: u64, head: &[u8]) -> bool {
        let (from, to) = (self.start.max(at), self.end.min(at.saturating_add(head.len() as u64)));
        (from..to).all(|n| {
            let mine = self.octets.get(small(n - self.start));
            mine.is_none_or(|mine| head.get(small(n - at)) == Some(mine))
        })
    }
}

fn first(octets: &[u8], n: u64) -> &[u8] {
    &octets[..octets.len().min(small(n))]
}

fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: &Stream, start: u64, len: u64, head: &[u8], expected: &[(u64, &[u8])]) {
        let packets = stream.packets(start, len, head);
        let found: Vec<_> = packets.iter().map(|p| (p.len, &p.octets[..])).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_not_known_is_cut_and_the_next_frame_begins_a_packet() {
        let mut stream = Stream::new(b"GET");
        stream.add(3, &FrameHeader::new(Opcode::Text, 2), b"ab".to_vec());
        stream.add(7, &FrameHeader::new(Opcode::Text, 5), b"c".to_vec());
        stream.add(14, &FrameHeader::new(Opcode::Ping, 0), Vec::new());
        check(&stream, 0, 3, b"GET", &[(3, b"GET")]);
        check(&stream, 0, 7, b"", &[(7, b"GET\x81\x02ab")]);
        check(&stream, 3, 13, b"", &[(11, b"\x81\x02ab\x81\x05c"), (2, b"\x89\x00")]);
        // In the middle of a frame of which no more is known.
        check(&stream, 11, 5, b"zzz", &[(3, b""), (2, b"\x89\x00")]);
        // Where no frame is known, the log's own octets are.
        check(&stream, 16, 4, b"xy", &[(4, b"xy")]);
        check(&stream, 16, MAX_SEGMENT + 1, b"", &[(MAX_SEGMENT, b""), (1, b"")]);
    }
}
