//! What waits to be written: frames as descriptions, turned into octets when there is room.

use std::{collections::VecDeque, num::NonZeroUsize};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use wsproof_proto::{FrameHeader, HeaderOctets, Opcode, mask};

use crate::{FrameSpec, Kind, Payload};

/// Frames that may wait before pings are left unanswered: a peer that pings without end must not
/// fill our memory, and pings overtaken by a later one need no answer (RFC 6455, 5.5.3).
const MAX_WAITING: usize = 1024;

/// Octets put into one write at most.
const BURST: usize = 64 << 10;

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    queue: VecDeque<Item>,
    /// Frames that must not be written into the middle of an unfinished one.
    held: VecDeque<Item>,
    /// The frame whose payload is fed in parts: its key and what is still owed.
    unfinished: Option<(Option<[u8; 4]>, u64, u64)>,
    keys: Option<ChaCha8Rng>,
}

/// A frame that is about to be written, for the log.
pub(crate) struct Sent {
    pub(crate) header: FrameHeader,
    pub(crate) payload: Payload,
    pub(crate) chop: Option<usize>,
    pub(crate) own_write: bool,
}

#[derive(Debug)]
enum Item {
    /// Octets of a handshake, a part of a frame, or a whole frame; `at` counts what is written already.
    Octets {
        /// The header of a frame.
        head: HeaderOctets,
        payload: Payload,
        key: Option<[u8; 4]>,
        /// Position of the payload in its frame, for the mask.
        from: u64,
        at: u64,
        chop: Option<NonZeroUsize>,
        own_write: bool,
        /// The frame, until it has been logged.
        frame: Option<FrameHeader>,
    },
    /// A message, cut into frames as they are needed.
    Fragments { kind: Kind, rsv: u8, payload: Payload, size: u64, at: u64 },
}

impl Outgoing {
    /// A queue whose frames are masked with keys from `seed`, or not masked at all.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            queue: VecDeque::new(),
            held: VecDeque::new(),
            unfinished: None,
            keys: seed.map(ChaCha8Rng::seed_from_u64),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.held.clear();
    }

    /// Whether all that waits is a close frame and what little stands before it, none of it begun.
    pub(crate) fn is_farewell(&self) -> bool {
        const LITTLE: u64 = 4 << 10;
        let untouched = |item: &Item| match item {
            Item::Octets { head, payload, at: 0, .. } => Some(head.len() as u64 + payload.len()),
            _ => None,
        };
        let len: Option<u64> = self.queue.iter().map(untouched).sum();
        let is_close = |item: &Item| match item {
            Item::Octets { frame: Some(header), .. } => header.opcode == Opcode::Close,
            _ => false,
        };
        len.is_some_and(|len| len <= LITTLE) && self.queue.back().is_some_and(is_close)
    }

    /// Octets as they are.
    pub(crate) fn raw(&mut self, octets: Vec<u8>) {
        self.part(octets.into(), None, 0);
    }

    fn part(&mut self, payload: Payload, key: Option<[u8; 4]>, from: u64) {
        self.queue.push_back(Item::Octets {
            head: HeaderOctets::default(),
            payload,
            key,
            from,
            at: 0,
            chop: None,
            own_write: false,
            frame: None,
        });
    }

    pub(crate) fn frame(&mut self, spec: &FrameSpec) {
        let item = self.item(spec);
        self.queue.push_back(item);
    }

    /// The answer to a ping. It waits until an unfinished frame is complete.
    pub(crate) fn pong(&mut self, payload: Payload) {
        if self.queue.len() + self.held.len() >= MAX_WAITING {
            return;
        }
        let spec = &FrameSpec::new(Opcode::Pong, payload);
        let item = self.item(spec);
        if self.unfinished.is_some() {
            self.held.push_back(item);
        } else {
            self.queue.push_back(item);
        }
    }

    /// A message whose first frame has the reserved bits `rsv`. Cuts at multiples of `size`. FIN goes on the first piece that runs past the end, so a
    /// message of an exact multiple ends in an empty frame; 0 means one frame.
    pub(crate) fn message(&mut self, kind: Kind, rsv: u8, payload: Payload, size: u64) {
        if size == 0 || payload.len() <= size {
            self.frame(&FrameSpec::new(opcode(kind), payload).rsv(rsv));
        } else {
            self.queue.push_back(Item::Fragments { kind, rsv, payload, size, at: 0 });
        }
    }

    pub(crate) fn begin_frame(&mut self, opcode: Opcode, fin: bool, length: u64) {
        let key = self.next_key();
        let header = FrameHeader { fin, mask: key, ..FrameHeader::new(opcode, length) };
        self.raw(header.octets().to_vec());
        self.unfinished = Some((key, 0, length));
    }

    pub(crate) fn frame_part(&mut self, payload: Payload) {
        let (key, from, length) = self.unfinished.take().unwrap_or_default();
        let end = from + payload.len();
        self.part(payload, key, from);
        if end < length {
            self.unfinished = Some((key, end, length));
        } else {
            self.queue.append(&mut self.held);
        }
    }

    /// Appends the octets of the next write to `buf`, and tells `log` each frame that begins in
    /// it. Returns whether the write must stay alone, or nothing if the queue is empty.
    pub(crate) fn fill(&mut self, buf: &mut Vec<u8>, mut log: impl FnMut(Sent)) -> Option<bool> {
        let mut any = false;
        while buf.len() < BURST {
            self.expand();
            let Some(Item::Octets { head, payload, key, from, at, chop, own_write, frame }) =
                self.queue.front_mut()
            else {
                break;
            };
            let alone = *own_write || chop.is_some();
            if any && alone {
                return Some(false);
            }
            any = true;
            if let Some(header) = frame.take() {
                log(Sent {
                    header,
                    payload: payload.clone(),
                    chop: chop.map(NonZeroUsize::get),
                    own_write: *own_write,
                });
            }
            let room = BURST - buf.len();
            let n = chop.map_or(room, |chop| chop.get().min(room));
            let start = buf.len();
            let head_len = head.len() as u64;
            if *at < head_len {
                let rest = &head[usize::try_from(*at).unwrap_or_default()..];
                buf.extend_from_slice(&rest[..rest.len().min(n)]);
            }
            let from_payload = at.saturating_sub(head_len);
            let payload_start = buf.len();
            payload.copy_to(from_payload, n - (payload_start - start), buf);
            if let Some(key) = key {
                mask::apply(*key, *from + from_payload, &mut buf[payload_start..]);
            }
            *at += (buf.len() - start) as u64;
            if *at == head_len + payload.len() {
                self.queue.pop_front();
            }
            if alone {
                return Some(true);
            }
        }
        any.then_some(false)
    }

    /// Turns the next fragment of a message at the front into a frame.
    fn expand(&mut self) {
        let Some(Item::Fragments { kind, rsv, payload, size, at }) = self.queue.front_mut() else {
            return;
        };
        let start = *at;
        let mut piece = Vec::new();
        payload.copy_to(start, usize::try_from(*size).unwrap_or(usize::MAX), &mut piece);
        let fin = (piece.len() as u64) < *size;
        let (opcode, rsv) =
            if start == 0 { (opcode(*kind), *rsv) } else { (Opcode::Continuation, 0) };
        *at += piece.len() as u64;
        if fin {
            self.queue.pop_front();
        }
        let frame = FrameSpec { fin, rsv, ..FrameSpec::new(opcode, piece.into()) };
        let item = self.item(&frame);
        self.queue.push_front(item);
    }

    fn item(&mut self, spec: &FrameSpec) -> Item {
        let key = self.next_key();
        let length = spec.payload.len();
        let header = FrameHeader {
            fin: spec.fin,
            rsv: spec.rsv,
            opcode: spec.opcode,
            mask: key,
            length,
            form: spec.form,
        };
        Item::Octets {
            head: header.octets(),
            payload: spec.payload.clone(),
            key,
            from: 0,
            at: 0,
            chop: spec.chop,
            own_write: spec.own_write,
            frame: Some(FrameHeader { form: spec.form.or_shortest(length), ..header }),
        }
    }

    fn next_key(&mut self) -> Option<[u8; 4]> {
        self.keys.as_mut().map(|keys| {
            let mut key = [0; 4];
            keys.fill_bytes(&mut key);
            key
        })
    }
}

fn opcode(kind: Kind) -> Opcode {
    match kind {
        Kind::Text => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{binary, fill, ping, text};

    fn writes(out: &mut Outgoing) -> Vec<(Vec<u8>, bool)> {
        let mut writes = Vec::new();
        loop {
            let mut buf = Vec::new();
            match out.fill(&mut buf, |_| {}) {
                Some(alone) => writes.push((buf, alone)),
                None => return writes,
            }
        }
    }

    #[test]
    fn frames_leave_in_one_burst_unless_they_are_cut_or_alone() {
        let mut out = Outgoing::new(None);
        out.frame(&text("a"));
        out.frame(&ping(""));
        out.frame(&text("b").own_write());
        out.frame(&text("cd").chopped(3));
        assert_eq!(
            writes(&mut out),
            [
                (b"\x81\x01a\x89\x00".to_vec(), false),
                (b"\x81\x01b".to_vec(), true),
                (b"\x81\x02c".to_vec(), true),
                (b"d".to_vec(), true),
            ]
        );
    }

    #[test]
    fn an_exact_multiple_ends_in_an_empty_frame() {
        let mut out = Outgoing::new(None);
        out.message(Kind::Text, 0, fill(b'*', 4), 2);
        assert_eq!(writes(&mut out), [(b"\x01\x02**\x00\x02**\x80\x00".to_vec(), false)]);
        out.message(Kind::Binary, 0, fill(b'*', 3), 2);
        assert_eq!(writes(&mut out), [(b"\x02\x02**\x80\x01*".to_vec(), false)]);
        out.message(Kind::Binary, 0, fill(b'*', 3), 3);
        assert_eq!(writes(&mut out), [(b"\x82\x03***".to_vec(), false)]);
    }

    #[test]
    fn a_pong_waits_for_the_end_of_an_unfinished_frame() {
        let mut out = Outgoing::new(None);
        out.begin_frame(Opcode::Text, false, 4);
        out.frame_part("ab".into());
        out.pong("x".into());
        assert_eq!(writes(&mut out), [(b"\x01\x04ab".to_vec(), false)]);
        out.frame_part("cd".into());
        assert_eq!(writes(&mut out), [(b"cd\x8a\x01x".to_vec(), false)]);
    }

    #[test]
    fn pings_without_end_are_not_all_answered() {
        let mut out = Outgoing::new(None);
        for _ in 0..100_000 {
            out.pong("".into());
        }
        assert_eq!(out.queue.len(), MAX_WAITING);
    }

    #[test]
    fn masks_run_on_across_writes_and_parts() {
        let whole = repeat_masked(&mut |out| out.frame(&binary(fill(7, 200_000))));
        assert!(whole.iter().all(|octet| *octet == 7));
        let parts = repeat_masked(&mut |out| {
            out.begin_frame(Opcode::Binary, true, 5);
            out.frame_part(fill(7, 2));
            out.frame_part(fill(7, 3));
        });
        assert_eq!(parts, [7; 5]);
    }

    fn repeat_masked(build: &mut dyn FnMut(&mut Outgoing)) -> Vec<u8> {
        let mut out = Outgoing::new(Some(1));
        build(&mut out);
        let mut octets: Vec<u8> = writes(&mut out).into_iter().flat_map(|(buf, _)| buf).collect();
        let mut reader = wsproof_proto::FrameReader::new(wsproof_proto::Role::Client);
        let mut rest = &mut octets[..];
        let mut payload = Vec::new();
        while let (n, Some(item)) = reader.read(rest) {
            if let wsproof_proto::FrameItem::Payload { data, .. } = item {
                payload.extend_from_slice(data);
            }
            rest = &mut rest[n..];
        }
        payload
    }
}
