//! The auditor against literal octets, and against the library's compressor.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::deflate::{Compression, Deflater, InflateError, Inflater};

fn audit(auditor: &mut Auditor, octets: &[u8]) -> Result<Audit, Corruption> {
    auditor.push(octets)?;
    auditor.end_message()
}

fn check(octets: &[u8], expected: &str) {
    let said = match audit(&mut Auditor::new(true), octets) {
        Ok(Audit { len, blocks, final_blocks, ends_in_empty_block, .. }) => {
            format!(
                "{len} octets, blocks {blocks:?}, \
                 {final_blocks} final, whole: {ends_in_empty_block}"
            )
        }
        Err(corruption) => corruption.to_string(),
    };
    assert_eq!(said, expected, "{octets:02x?}");
}

#[test]
fn the_examples_of_rfc_7692_7_2_3() {
    // One compressed block, and the same with its window shared.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    check(&hello, "5 octets, blocks [1, 1, 0], 0 final, whole: true");
    let mut auditor = Auditor::new(true).watching(4);
    audit(&mut auditor, &hello).unwrap();
    let again = audit(&mut auditor, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap();
    assert_eq!((again.len, again.first_beyond, again.largest_reach), (5, Some((5, 1)), 4));
    // Not compressed at all.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    check(&stored, "5 octets, blocks [2, 0, 0], 0 final, whole: true");
    // With a final block.
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    check(&last, "5 octets, blocks [1, 1, 0], 1 final, whole: true");
    // Two blocks in one message, and an empty message.
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    check(&two, "5 octets, blocks [2, 2, 0], 0 final, whole: true");
    check(&[0x00], "0 octets, blocks [1, 0, 0], 0 final, whole: true");
}

#[test]
fn corruption_is_named() {
    check(&[0x06], "a block of the reserved type 3 (RFC 1951, 3.2.3)");
    check(
        &[0x00, 0x05, 0x00, 0xfa, 0xfe],
        "a stored block whose length and complement disagree (RFC 1951, 3.2.4)",
    );
    check(&[0xf2, 0x00, 0x11, 0x00, 0x00], "a reference 5 octets back where only 1 are known");
    check(&[0x04, 0, 0, 0, 0, 0], "code lengths that make no prefix code (RFC 1951, 3.2.2)");
    // Here the library waits for more before it says so.
    check(&[0x75, 0x2e], "code lengths that make no prefix code (RFC 1951, 3.2.2)");
    // The octets that are not sent are taken for something else.
    check(&[0xf2, 0x48, 0xcd], "3 octets, blocks [1, 1, 0], 0 final, whole: false");
}

#[test]
fn a_message_that_ends_with_a_final_block_spoils_no_other() {
    // The octet 0x00 should have followed (RFC 7692, 7.2.3.4).
    let mut auditor = Auditor::new(true);
    let hello = audit(&mut auditor, &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap();
    assert_eq!((hello.len, hello.blocks, hello.ends_in_empty_block), (5, [0, 1, 0], false));
    let again = audit(&mut auditor, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap();
    assert_eq!((again.len, again.blocks, again.ends_in_empty_block), (5, [1, 1, 0], true));
}

#[test]
fn what_comes_before_a_fault_is_handed_out_however_it_is_cut() {
    // A literal, then a reference to what is not there.
    let octets = [0xf2, 0x00, 0x11, 0x00, 0x00];
    for cut in 1..=octets.len() {
        let mut inflater = Inflater::new(Compression { context_takeover: true, window_bits: 15 });
        let mut came = Vec::new();
        let mut each = |octets: &[u8]| {
            came.extend_from_slice(octets);
            ControlFlow::Continue(())
        };
        let said = octets.chunks(cut).try_for_each(|piece| inflater.push(piece, &mut each));
        assert_eq!(
            (said, &came[..]),
            (Err(InflateError::Corrupt), &b"H"[..]),
            "in pieces of {cut}"
        );
    }
}

#[test]
fn without_takeover_each_message_begins_anew() {
    let mut auditor = Auditor::new(false);
    audit(&mut auditor, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap();
    let again = audit(&mut auditor, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
    assert_eq!(again, Err(Corruption::TooFarBack { distance: 5, available: 1 }));
}

/// Octets that compress in every way: repeated, random, both.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u8>(), 1usize..3000).prop_map(|(octet, n)| vec![octet; n]),
        prop::collection::vec(any::<u8>(), 0..600),
        prop::collection::vec(0u8..4, 0..600),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_compressor_goes_on_from_what_the_receiver_knows() {
    let text: Vec<u8> = b"the quick brown fox jumps over the lazy dog; ".repeat(40);
    for window_bits in 8..=15 {
        let how = Compression { context_takeover: true, window_bits };
        let mut inflater = Inflater::new(how);
        let mut auditor = Auditor::new(true).watching(how.window());
        let mut came = Vec::new();
        for (start, end) in [(0, 700), (700, 900), (900, 1800)] {
            let mut sent = Vec::new();
            let mut deflater = Deflater::with_history(how, 6, &text[..start]);
            deflater.message(&text[start..end], &mut sent);
            auditor.push(&sent).unwrap();
            let audit = auditor.end_message().unwrap();
            assert_eq!(audit.first_beyond, None, "{window_bits}");
            assert_eq!(audit.largest_reach > 0, start > 0 && window_bits > 8, "{window_bits}");
            let mut each = |octets: &[u8]| {
                came.extend_from_slice(octets);
                ControlFlow::Continue(())
            };
            inflater.push(&sent, &mut each).and_then(|()| inflater.end_message()).unwrap();
        }
        assert!(came == text[..1800]);
    }
}

proptest! {
    #[test]
    fn what_the_library_compresses_is_audited_and_comes_back(
        messages in prop::collection::vec(payload(), 1..5),
        window_bits in 8u8..16, context_takeover: bool, level in 0u32..10, cut in 1usize..50,
    ) {
        let how = Compression { context_takeover, window_bits };
        let mut deflater = Deflater::new(how, level);
        let mut inflater = Inflater::new(how);
        let mut auditor = Auditor::new(context_takeover).watching(how.window());
        for message in messages {
            let mut sent = Vec::new();
            deflater.message(&message, &mut sent);
            let mut came = Vec::new();
            for piece in sent.chunks(cut) {
                auditor.push(piece).unwrap();
                let each = |octets: &[u8]| { came.extend_from_slice(octets); ControlFlow::Continue(()) };
                inflater.push(piece, each).unwrap();
            }
            let audit = auditor.end_message().unwrap();
            inflater.end_message().unwrap();
            prop_assert!(came == message);
            prop_assert_eq!(audit.len, message.len() as u64);
            prop_assert!(audit.ends_in_empty_block);
            prop_assert_eq!(audit.first_beyond, None);
        }
    }

    #[test]
    fn any_octets_are_walked_through_alike_however_they_are_cut(
        octets in prop::collection::vec(any::<u8>(), 0..300), cut in 1usize..40,
        context_takeover: bool,
    ) {
        let mut whole = Auditor::new(context_takeover);
        let mut parts = Auditor::new(context_takeover);
        let pushed = octets.chunks(cut).try_for_each(|piece| parts.push(piece));
        let said = pushed.and_then(|()| parts.end_message());
        prop_assert_eq!(audit(&mut whole, &octets), said);
        // What the auditor takes, the decompressor takes, and the other way about.
        let mut inflater = Inflater::new(Compression { context_takeover, window_bits: 15 });
        let mut len = 0;
        let mut each = |octets: &[u8]| {
            len += octets.len() as u64;
            ControlFlow::Continue(())
        };
        let inflated = inflater.push(&octets, &mut each).and_then(|()| inflater.end_message());
        if let Ok(audit) = said && audit.final_blocks == 0 {
            prop_assert_eq!(inflated, Ok(()));
            // What comes out of the octets that were not sent is dropped.
            prop_assert!(len == audit.len || len < audit.len && !audit.ends_in_empty_block);
        } else if inflated.is_ok() {
            // Only a final block lets the library forget what came before, and it reads to their
            // end lengths that no code stands for.
            let late = || !context_takeover || inflater.push(&[0xff; 256], each).is_err();
            prop_assert!(said.is_ok() || late());
        } else {
            prop_assert_eq!(inflated, Err(InflateError::Corrupt));
        }
    }
}
