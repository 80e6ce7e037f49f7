//! What the fuzz targets share: how an input is cut, and the few lines of a peer that they need.
//!
//! An input begins with a few octets that set a target up; what follows is meant for the code under
//! test as it is, so that inputs can be written by hand.

pub mod moves;

use std::time::Duration;

use wsproof_engine::{RunConfig, Settings, Target};
use wsproof_proto::{
    FrameHeader, Opcode, Role, frame,
    handshake::{accept_for, parse_request},
};

/// Cuts octets into pieces of `sizes.0` and `sizes.1` octets, in turn. A size of zero counts as one.
pub fn cut(octets: &[u8], sizes: (u8, u8)) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = octets;
    for size in [sizes.0, sizes.1].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at(usize::from(size.max(1)).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// The configuration of a run, the same for every input.
pub fn config(role: Role, settings: Settings) -> RunConfig {
    RunConfig { settings, ..RunConfig::new(role, Target::new("h", "/"), 1) }
}

/// A frame of `sender` with this first octet and this payload, masked as it must be.
pub fn frame(sender: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 0b111,
        mask: sender.masks().then_some([0x37, 0xfa, 0x21, 0x3d]),
        ..FrameHeader::new(Opcode::from_bits(first), payload.len() as u64)
    };
    let mut octets = Vec::new();
    frame::encode(&header, payload, &mut octets);
    octets
}

/// The right answer to an opening request, which agrees to `extensions` unless that is empty.
pub fn answer(request: &[u8], extensions: &[u8]) -> Vec<u8> {
    let head = parse_request(request).ok();
    let key = head.as_ref().and_then(|head| head.values("Sec-WebSocket-Key").next());
    let accept = accept_for(key.unwrap_or_default());
    let mut octets = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    )
    .into_bytes();
    end_head(&mut octets, extensions);
    octets
}

/// An opening request that offers `extensions` unless that is empty.
pub fn request(extensions: &[u8]) -> Vec<u8> {
    let mut octets = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        .to_vec();
    end_head(&mut octets, extensions);
    octets
}

fn end_head(octets: &mut Vec<u8>, extensions: &[u8]) {
    if !extensions.is_empty() {
        octets.extend_from_slice(b"Sec-WebSocket-Extensions: ");
        octets.extend_from_slice(extensions);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b"\r\n");
}

/// What waits for nothing but time is over after this.
pub const END: Duration = Duration::from_mins(30);
