//! What the auditor takes the decompressor takes, and the other way about, however the octets are
//! cut; what is compressed keeps to its window and comes back.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use wsproof_fuzz::cut;
use wsproof_proto::deflate::{
    Audit, Auditor, Compression, Corruption, Deflater, InflateError, Inflater,
};

/// Messages, each with its length in two octets before it.
fn messages(mut input: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let [low, high, rest @ ..] = input {
        let length = usize::from(u16::from_le_bytes([*low, high & 0b11]));
        let (message, tail) = rest.split_at(length.min(rest.len()));
        messages.push(message);
        input = tail;
    }
    messages
}

fuzz_target!(|input: &[u8]| {
    let [flags, a, b, rest @ ..] = input else { return };
    let how = Compression { context_takeover: flags & 1 == 1, window_bits: 8 + (flags >> 2 & 7) };
    let (messages, sizes) = (messages(rest), (*a, *b));
    if flags & 2 == 0 { walk(how, &messages, sizes) } else { go_and_return(how, &messages, sizes) }
});

fn walk(how: Compression, messages: &[&[u8]], sizes: (u8, u8)) {
    let auditor = || Auditor::new(how.context_takeover);
    let (mut whole, mut in_parts) = (auditor(), auditor());
    let (mut inflater, mut inflater_in_parts) = (Inflater::new(how), Inflater::new(how));
    let mut final_blocks = 0;
    for message in messages {
        let pieces = cut(message, sizes);
        let said = audit(&mut whole, &[message]);
        assert_eq!(said, audit(&mut in_parts, &pieces));
        let (inflated, octets) = inflate(&mut inflater, &[message]);
        let (inflated_in_parts, octets_in_parts) = inflate(&mut inflater_in_parts, &pieces);
        assert_eq!((inflated, &octets), (inflated_in_parts, &octets_in_parts));
        match (&said, inflated) {
            (Ok(audit), inflated) => {
                final_blocks += audit.final_blocks;
                assert!(audit.largest_reach <= 32 << 10);
                if inflated.is_err() {
                    // Only a final block lets the library forget what came before.
                    assert!(final_blocks > 0, "the auditor takes more");
                    return;
                }
                // What comes out of the octets that were not sent is dropped.
                assert!(octets.len() as u64 <= audit.len);
                assert!(!audit.ends_in_empty_block || octets.len() as u64 == audit.len);
            }
            (Err(corruption), Err(fault)) => {
                assert_eq!(fault, InflateError::Corrupt, "{corruption}");
                return;
            }
            (Err(corruption), Ok(())) => {
                assert!(is_late(how, inflater, message), "the library takes more: {corruption}");
                return;
            }
        }
        if !how.context_takeover {
            final_blocks = 0;
        }
    }
}

/// Whether the library only waits for more octets before it names a fault: code lengths that no
/// code stands for are read to their end first.
fn is_late(how: Compression, mut inflater: Inflater, message: &[u8]) -> bool {
    if !how.context_takeover {
        inflater = Inflater::new(Compression { context_takeover: true, ..how });
        if inflate(&mut inflater, &[message]).0.is_err() {
            return true;
        }
    }
    inflate(&mut inflater, &[&[0xff; 256]]).0.is_err()
}

/// The messages as payload: compressed, audited and decompressed.
fn go_and_return(how: Compression, messages: &[&[u8]], sizes: (u8, u8)) {
    // The last octet of a message is the level at hand.
    let level = messages.last().and_then(|message| message.last()).map_or(6, |&octet| octet % 10);
    let mut deflater = Deflater::new(how, level.into());
    let mut inflater = Inflater::new(how);
    let mut auditor = Auditor::new(how.context_takeover).watching(how.window());
    for message in messages {
        // Long enough to leave the smaller windows.
        let payload = message.repeat(1 + usize::from(sizes.0 % 4));
        let mut sent = Vec::new();
        deflater.message(&payload, &mut sent);
        let audit = audit(&mut auditor, &cut(&sent, sizes)).expect("what we compress is right");
        assert_eq!((audit.len, audit.ends_in_empty_block), (payload.len() as u64, true));
        assert_eq!(audit.first_beyond, None, "{audit:?}");
        let (inflated, octets) = inflate(&mut inflater, &cut(&sent, sizes));
        assert_eq!(inflated, Ok(()));
        assert!(octets == payload);
    }
}

fn audit(auditor: &mut Auditor, pieces: &[&[u8]]) -> Result<Audit, Corruption> {
    pieces.iter().try_for_each(|piece| auditor.push(piece))?;
    auditor.end_message()
}

fn inflate(inflater: &mut Inflater, pieces: &[&[u8]]) -> (Result<(), InflateError>, Vec<u8>) {
    let mut octets = Vec::new();
    let mut each = |made: &[u8]| {
        assert!(made.len() <= 32 << 10, "what is handed out at once is bounded");
        octets.extend_from_slice(made);
        ControlFlow::Continue(())
    };
    let pushed = pieces.iter().try_for_each(|piece| inflater.push(piece, &mut each));
    (pushed.and_then(|()| inflater.end_message()), octets)
}
