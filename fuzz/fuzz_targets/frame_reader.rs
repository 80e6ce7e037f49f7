//! Any octets give the same frames, violations and payload however they are cut, and a header that
//! was read is written with the same octets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsproof_fuzz::cut;
use wsproof_proto::{Deviation, FrameHeader, FrameItem, FrameReader, Role};

/// What the reader found, pieces of payload joined.
#[derive(Debug, PartialEq)]
enum Found {
    Header(FrameHeader, u64),
    Violation(Deviation),
    Payload(Vec<u8>),
    End(FrameHeader),
}

fn read(mut reader: FrameReader, pieces: &[&[u8]]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut payload = Vec::new();
    let (mut fed, mut at_next) = (0, 0);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            let (n, item) = reader.read(rest);
            fed += n as u64;
            match item {
                None => break,
                Some(FrameItem::Header { header, offset }) => {
                    found.push(Found::Header(header, offset));
                }
                Some(FrameItem::Violation(deviation)) => {
                    assert!(deviation.offset <= fed, "{deviation:?} of {fed} octets");
                    found.push(Found::Violation(deviation));
                }
                Some(FrameItem::Payload { data, at }) => {
                    assert_eq!(at, at_next);
                    at_next += data.len() as u64;
                    payload.extend_from_slice(data);
                }
                Some(FrameItem::End { header }) => {
                    assert_eq!(at_next, header.length);
                    at_next = 0;
                    found.push(Found::Payload(std::mem::take(&mut payload)));
                    found.push(Found::End(header));
                }
            }
            rest = &mut rest[n..];
        }
        assert_eq!(reader.offset(), fed);
    }
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    assert_eq!(fed, total as u64, "octets were left over");
    found.push(Found::Payload(payload));
    found
}

fuzz_target!(|input: &[u8]| {
    let [flags, a, b, octets @ ..] = input else { return };
    let sender = if flags & 1 == 0 { Role::Client } else { Role::Server };
    let reader = || FrameReader::new(sender).grant_rsv(if flags & 2 == 0 { 0 } else { 0b100 });
    let whole = read(reader(), &[octets]);
    assert_eq!(whole, read(reader(), &cut(octets, (*a, *b))));
    for found in &whole {
        if let Found::Header(header, offset) = found {
            let mut written = Vec::new();
            header.encode(&mut written);
            let offset = usize::try_from(*offset).expect("a header lies within the input");
            assert!(octets[offset..].starts_with(&written), "{header:?}");
        }
    }
});
