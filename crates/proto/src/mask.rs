//! Masking of payloads (RFC 6455, 5.3).

/// Masks or unmasks `data` in place; `offset` is the position of `data[0]` in the frame's payload.
///
/// Applying the same key at the same offset twice gives the original octets back.
pub fn apply(key: [u8; 4], offset: u64, data: &mut [u8]) {
    // The key begins with the octet that masks `data[0]`; rotating an array would call memmove.
    let turn = (offset % 4) as u32 * u8::BITS;
    let key = u32::from_le_bytes(key).rotate_right(turn).to_le_bytes();
    // A length that is known when compiling becomes a row of wide steps.
    let (chunks, rest) = data.as_chunks_mut::<128>();
    for chunk in chunks {
        apply_to_words(key, chunk.as_chunks_mut().0);
    }
    let (words, rest) = rest.as_chunks_mut();
    apply_to_words(key, words);
    for (octet, key) in rest.iter_mut().zip(&key) {
        *octet ^= key;
    }
}

#[inline]
fn apply_to_words(key: [u8; 4], words: &mut [[u8; 4]]) {
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hello_masks_to_the_octets_of_rfc_6455_5_7() {
        let mut data = *b"Hello";
        apply([0x37, 0xfa, 0x21, 0x3d], 0, &mut data);
        assert_eq!(data, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    proptest! {
        #[test]
        fn masking_in_pieces_equals_masking_at_once(
            key: [u8; 4], data: Vec<u8>, cut: prop::sample::Index, start in 0u64..9
        ) {
            let naive: Vec<u8> = data
                .iter()
                .enumerate()
                .map(|(i, octet)| octet ^ key[(usize::try_from(start).unwrap() + i) % 4])
                .collect();
            let mut pieces = data.clone();
            let cut = cut.index(data.len() + 1);
            let (head, tail) = pieces.split_at_mut(cut);
            apply(key, start, head);
            apply(key, start + cut as u64, tail);
            prop_assert_eq!(&pieces, &naive);
            apply(key, start, &mut pieces);
            prop_assert_eq!(pieces, data);
        }
    }
}
