//! A head is the same however it is cut, and nothing beyond the limit is kept; a request that was
//! read is written and read again the same; what the strict reading takes the lax one takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsproof_fuzz::cut;
use wsproof_proto::{
    Violation,
    handshake::{HeadReader, Offer, check_response, parse_request},
};

/// How many octets were taken and whether the head is complete, or why there is none.
fn read(pieces: &[&[u8]], limit: usize) -> (HeadReader, Result<(usize, bool), Violation>) {
    let mut reader = HeadReader::new(limit);
    let mut taken = 0;
    for piece in pieces {
        let pushed = reader.push(piece);
        assert!(reader.octets().len() <= limit);
        match pushed {
            Ok((n, complete)) => {
                taken += n;
                if complete {
                    return (reader, Ok((taken, true)));
                }
                assert_eq!(n, piece.len());
            }
            Err(violation) => return (reader, Err(violation)),
        }
    }
    (reader, Ok((taken, false)))
}

fuzz_target!(|input: &[u8]| {
    let [a, b, limit, octets @ ..] = input else { return };
    let limit = usize::from(*limit) * 8;
    let (reader, said) = read(&[octets], limit);
    let (in_parts, said_in_parts) = read(&cut(octets, (*a, *b)), limit);
    assert_eq!(said, said_in_parts);
    assert_eq!(reader.octets(), in_parts.octets());
    assert_eq!(reader.may_be_response(), in_parts.may_be_response());
    let strict = reader.response();
    let lax = reader.lax_response();
    let offer = Offer {
        key: "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
        subprotocols: vec!["chat".to_owned()],
        extensions: vec!["permessage-deflate".to_owned()],
    };
    for head in [&strict, &lax].into_iter().flatten() {
        let found = check_response(head, &offer);
        assert!(head.status == 101 || found.contains(&Violation::StatusNot101));
        assert!(head.minor_version == 1 || found.contains(&Violation::VersionNot11));
    }
    // Only empty lines before the head are for the strict reading alone.
    if let Ok(head) = strict
        && reader.octets().starts_with(b"HTTP/")
    {
        let lax = lax.expect("a head that is right is right for everybody");
        assert_eq!((head.minor_version, head.status), (lax.minor_version, lax.status));
    }
    if let Ok(head) = parse_request(octets) {
        assert_eq!(parse_request(&head.encode()), Ok(head));
    }
});
