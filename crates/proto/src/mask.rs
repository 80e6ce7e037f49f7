//! Masking of payloads (RFC 6455, 5.3).

/// Masks or unmasks `data` in place; `offset` is the position of `data[0]` in the frame's payload.
///
/// Applying the same key at the same offset twice gives the original octets back.
pub fn apply(key: [u8; 4], offset: u64, data: &mut [u8]) {
    let mut key = key;
    // The remainder of a division by four always fits.
    key.rotate_left((offset % 4) as usize);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, tail) = data.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (octet, key) in tail.iter_mut().zip(key.into_iter().cycle()) {
        *octet ^= key;
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
