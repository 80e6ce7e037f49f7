//! Frames as one side of a comparison: their octets in pieces, and what they are in words.

use wsproof_engine::{Expected, Kind, Payload};
use wsproof_proto::{FrameHeader, Opcode, mask};

use super::{Mark, Side, wire::Received};
use crate::account::code_words;
use crate::words::{bounded, number, spaced_hex, visible_octets};

/// Octets of a payload that are shown beside its header.
pub(super) const SHOWN: usize = 24;

pub(super) fn hex(octets: &[u8], mark: Option<usize>) -> Vec<(Mark, String)> {
    let Some(at) = mark.filter(|at| *at < octets.len()) else {
        return vec![(Mark::Plain, spaced_hex(octets))];
    };
    let parts = [
        (Mark::Plain, &octets[..at]),
        (Mark::Deciding, &octets[at..=at]),
        (Mark::Plain, &octets[at + 1..]),
    ];
    parts
        .into_iter()
        .filter(|(_, octets)| !octets.is_empty())
        .map(|(mark, octets)| (mark, spaced_hex(octets)))
        .collect()
}

/// A header with the first octets of its payload; `mark` counts from the header's first octet.
pub(super) fn frame_octets(
    header: &[u8],
    head: &[u8],
    len: u64,
    mark: Option<usize>,
) -> Vec<(Mark, String)> {
    let shown = head.len().min(SHOWN);
    let mut octets = header.to_vec();
    octets.extend(&head[..shown]);
    let mut pieces = hex(&octets, mark);
    if len > shown as u64 {
        pieces.push((Mark::Plain, "..".to_owned()));
    }
    pieces
}

/// A frame as it came, in octets and words.
pub(super) fn frame_side(frame: &Received<'_>, mark: Option<usize>) -> Side {
    let header = frame.header_octets();
    let mut head = frame.head.to_vec();
    if let Some(key) = frame.header.mask {
        // The octets are those of the wire.
        mask::apply(key, 0, &mut head);
    }
    let len = frame.header.length;
    Side { octets: frame_octets(&header, &head, len, mark), words: frame_words(frame) }
}

fn frame_words(frame: &Received<'_>) -> String {
    let header = &frame.header;
    let mut words = vec![header.opcode.name().to_owned()];
    if header.opcode == Opcode::Close {
        let body = wsproof_proto::close::CloseBody::split(frame.head);
        words[0] = match body.code {
            Some(code) => format!("close with {}", code_words(code.0)),
            None if frame.head.is_empty() => "close without a code".to_owned(),
            None => "close with a body of one octet".to_owned(),
        };
        if !body.reason.is_empty() {
            words.push(format!("“{}”", bounded(&visible_octets(body.reason), 60)));
        }
        return words.join(", ");
    }
    if !header.fin {
        words.push("not final".to_owned());
    }
    if header.rsv != 0 {
        words.push(format!("RSV {:03b}", header.rsv));
    }
    if header.mask.is_some() {
        words.push("masked".to_owned());
    }
    words.push(octets(header.length));
    words.join(", ")
}

fn octets(n: u64) -> String {
    number(usize::try_from(n).unwrap_or(usize::MAX), "octet")
}

/// What should have come, as one frame.
pub(super) fn wanted_side(wanted: &Expected) -> Side {
    let (opcode, payload) = match wanted {
        Expected::Message(kind, payload) => {
            let opcode = match kind {
                Kind::Binary => Opcode::Binary,
                Kind::Text => Opcode::Text,
            };
            (opcode, payload.clone())
        }
        Expected::Pong(octets) => (Opcode::Pong, Payload::Octets(octets.as_slice().into())),
        Expected::Timeout(_) => return Side::words("nothing before the tester's pause is over"),
    };
    let mut header = Vec::new();
    FrameHeader::new(opcode, payload.len()).encode(&mut header);
    let head = payload.head(SHOWN);
    let words = match opcode {
        Opcode::Pong => format!("pong with the ping's {}", octets(payload.len())),
        _ => format!("{}, {}, as sent", opcode.name(), octets(payload.len())),
    };
    Side { octets: frame_octets(&header, &head, payload.len(), None), words }
}
