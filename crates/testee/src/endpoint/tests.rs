//! Tests of the endpoint: octets in, octets and ends of TCP out, in virtual time.

mod any_octets;
mod closing;
mod defects;
mod deflate;
mod frames;
mod handshake;
mod options;
mod pair;

use std::time::Duration;

use super::*;

const SEED: [u8; 32] = [7; 32];

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a:1\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Everything to transmit at `now`, neighbouring octets joined.
fn drain(endpoint: &mut Endpoint, now: Duration) -> Vec<Transmit> {
    let mut all = Vec::new();
    while let Some(transmit) = endpoint.poll_transmit(now) {
        match (all.last_mut(), transmit) {
            (Some(Transmit::Octets(before)), Transmit::Octets(more)) => before.extend(more),
            (_, transmit) => all.push(transmit),
        }
    }
    all
}

fn events(endpoint: &mut Endpoint) -> Vec<Event> {
    std::iter::from_fn(|| endpoint.poll_event()).collect()
}

/// A server that has answered a good request.
fn open_server(endpoint: Endpoint) -> Endpoint {
    let mut endpoint = endpoint;
    endpoint.handle(Duration::ZERO, Input::Octets(&mut REQUEST.as_bytes().to_vec()));
    let head = drain(&mut endpoint, Duration::ZERO);
    assert!(
        matches!(&head[0], Transmit::Octets(o) if o.starts_with(ANSWER.as_bytes())),
        "{head:?}"
    );
    assert!(matches!(&events(&mut endpoint)[0], Event::Opened { target, .. } if target == "/chat"));
    endpoint
}

fn echo_server() -> Endpoint {
    open_server(Endpoint::server(ServerConfig::default()).echo())
}

/// A frame of a client with a mask that changes nothing.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 0b111,
        mask: Some([0; 4]),
        ..FrameHeader::new(Opcode::from_bits(first), payload.len() as u64)
    };
    let mut octets = Vec::new();
    wsproof_proto::frame::encode(&header, payload, &mut octets);
    octets
}

/// The same from a server.
fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = masked(first, payload);
    let key = octets.len() - payload.len() - 4;
    octets.drain(key..key + 4);
    octets[1] &= 0x7f;
    octets
}

/// What a server that failed the connection with this code sends, the reason left out.
fn without_reason(all: &[Transmit]) -> Vec<Transmit> {
    let mut all = all.to_vec();
    if let Some(Transmit::Octets(octets)) = all.first_mut() {
        // Only a close frame that stands last can be found without parsing.
        for at in (0..octets.len().saturating_sub(3)).rev() {
            if octets[at] == 0x88 && at + 2 + usize::from(octets[at + 1]) == octets.len() {
                octets.truncate(at + 4);
                octets[at + 1] = 2;
                break;
            }
        }
    }
    all
}
