//! Incremental validation of UTF-8 (RFC 3629), for text that arrives in pieces.

/// So few octets are looked at eight at a time before anything else is done with them.
const SHORT: usize = 64;

/// Validates a text piece by piece and remembers where it went wrong.
///
/// A text is judged by its octets alone: however it is cut, the first ill-formed octet is the
/// same.
#[derive(Debug, Clone, Default)]
pub struct Validator {
    /// Octets of a character that is not complete yet.
    carry: [u8; 4],
    carried: usize,
    seen: u64,
    ill_formed_at: Option<u64>,
}

impl Validator {
    /// A validator at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets. Returns the offset of the first octet that cannot continue a
    /// well-formed text, once, when it is met; later octets are ignored.
    pub fn push(&mut self, mut data: &[u8]) -> Option<u64> {
        if self.ill_formed_at.is_some() {
            return None;
        }
        while self.carried > 0 {
            let (&octet, rest) = data.split_first()?;
            self.carry[self.carried] = octet;
            self.carried += 1;
            match std::str::from_utf8(&self.carry[..self.carried]) {
                Ok(_) => self.carried = 0,
                // The octets before this one were a legal beginning, so this one is at fault.
                Err(error) if error.error_len().is_some() => {
                    self.ill_formed_at = Some(self.seen);
                    return self.ill_formed_at;
                }
                Err(_) => {}
            }
            self.seen += 1;
            data = rest;
        }
        if data.len() <= SHORT && is_ascii(data) {
            self.seen += data.len() as u64;
            return None;
        }
        let (whole, cut) = data.split_at(data.len() - cut_off(data));
        let may_go_on = cut.is_empty()
            || matches!(std::str::from_utf8(cut), Err(error) if error.error_len().is_none());
        // The fast check first; only ill-formed text pays for finding the place.
        if simdutf8::basic::from_utf8(whole).is_err() || !may_go_on {
            let good = std::str::from_utf8(data).map_or_else(|error| error.valid_up_to(), str::len);
            self.ill_formed_at = Some(self.seen + (good + first_bad(&data[good..])) as u64);
            return self.ill_formed_at;
        }
        for (carry, octet) in self.carry.iter_mut().zip(cut) {
            *carry = *octet;
        }
        self.carried = cut.len();
        self.seen += data.len() as u64;
        None
    }

    /// Whether all octets so far form complete, well-formed characters.
    pub fn is_complete(&self) -> bool {
        self.ill_formed_at.is_none() && self.carried == 0
    }

    /// Offset of the first ill-formed octet, if one has been met.
    pub fn ill_formed_at(&self) -> Option<u64> {
        self.ill_formed_at
    }

    /// Number of octets taken before the text went wrong, or in all.
    pub fn seen(&self) -> u64 {
        self.seen
    }
}

/// Whether no octet is above 0x7f.
fn is_ascii(data: &[u8]) -> bool {
    let (words, rest) = data.as_chunks::<8>();
    let end = match data.last_chunk::<8>() {
        Some(end) => u64::from_ne_bytes(*end),
        None => rest.iter().fold(0, |all, octet| all | u64::from(*octet)),
    };
    let all = words.iter().fold(end, |all, word| all | u64::from_ne_bytes(*word));
    all & 0x8080_8080_8080_8080 == 0
}

/// How many octets at the end of `data` begin a character and do not end it.
fn cut_off(data: &[u8]) -> usize {
    if let [] | [.., 0..=0x7f] = data {
        return 0;
    }
    for (i, octet) in data.iter().rev().take(3).enumerate() {
        let needed = match octet {
            0x80..=0xbf => continue,
            0xf0.. => 4,
            0xe0.. => 3,
            0xc0.. => 2,
            _ => 1,
        };
        return if needed > i + 1 { i + 1 } else { 0 };
    }
    0
}

/// Index of the octet in `data` at which its first character becomes impossible.
fn first_bad(data: &[u8]) -> usize {
    (1..=data.len())
        .find(|&n| matches!(std::str::from_utf8(&data[..n]), Err(e) if e.error_len().is_some()))
        .map_or(0, |n| n - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset_of_fault(data: &[u8], cuts: &[usize]) -> (Option<u64>, bool) {
        let mut validator = Validator::new();
        let mut start = 0;
        for &cut in cuts.iter().chain([&data.len()]) {
            let end = cut.clamp(start, data.len());
            validator.push(&data[start..end]);
            start = end;
        }
        (validator.ill_formed_at(), validator.is_complete())
    }

    #[test]
    fn a_surrogate_is_at_fault_in_its_second_octet() {
        let data = [0xce, 0xba, 0xed, 0xa0, 0x80];
        assert_eq!(offset_of_fault(&data, &[]), (Some(3), false));
        assert_eq!(offset_of_fault(&data, &[1, 2, 3, 4]), (Some(3), false));
    }

    #[test]
    fn a_cut_character_is_incomplete_but_not_ill_formed() {
        assert_eq!(offset_of_fault(&[0xf0, 0x9f, 0xbf], &[]), (None, false));
        assert_eq!(offset_of_fault(&[0xf0, 0x9f, 0xbf, 0xbe], &[2]), (None, true));
    }

    #[test]
    fn an_octet_above_0x7f_is_found_wherever_it_stands() {
        for len in 0..=2 * SHORT {
            let mut data = vec![b'a'; len];
            assert_eq!(offset_of_fault(&data, &[]), (None, true), "{len}");
            for at in 0..len {
                data[at] = 0xff;
                assert_eq!(offset_of_fault(&data, &[]), (Some(at as u64), false), "{at} of {len}");
                data[at] = b'a';
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library_however_it_is_cut(
            data in prop::collection::vec(prop_oneof![
                any::<u8>(), Just(0x80), Just(0xbf), Just(0xc3), Just(0xe0), Just(0xed),
                Just(0xf0), Just(0xf4), Just(b'a')
            ], 0..100),
            mut cuts in prop::collection::vec(0usize..100, 0..6),
        ) {
            cuts.sort_unstable();
            let (at, complete) = offset_of_fault(&data, &cuts);
            prop_assert_eq!(complete, std::str::from_utf8(&data).is_ok());
            let octet_by_octet: Vec<usize> = (0..data.len()).collect();
            prop_assert_eq!(at, offset_of_fault(&data, &octet_by_octet).0);
            let fault = matches!(std::str::from_utf8(&data), Err(e) if e.error_len().is_some());
            prop_assert_eq!(at.is_some(), fault);
        }
    }
}
