//! A decoder of text with one blind spot, for endpoints with a defect.

use crate::defect::behaviour::TextFlaw;

/// Whether `data` is UTF-8, or would be if `flaw` were none.
pub(super) fn is_well_formed_but_for(data: &[u8], flaw: TextFlaw) -> bool {
    let mut rest = data;
    while let Some((&lead, tail)) = rest.split_first() {
        let follow = match lead {
            0x00..=0x7f => 0,
            0x80..=0xbf if flaw == TextFlaw::StrayContinuation => 0,
            0xfe..=0xff if flaw == TextFlaw::Impossible => 0,
            0xc0..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf7 => 3,
            0xf8..=0xfb => 4,
            0xfc..=0xfd => 5,
            _ => return false,
        };
        let found = tail.iter().take(follow).take_while(|&&octet| octet & 0xc0 == 0x80).count();
        let good = if found < follow {
            let flaw_met =
                if found == tail.len() { TextFlaw::Incomplete } else { TextFlaw::BrokenOff };
            flaw == flaw_met
        } else {
            let sequence = &rest[..=follow];
            follow == 0 || std::str::from_utf8(sequence).is_ok() || flaw_of(sequence) == Some(flaw)
        };
        if !good {
            return false;
        }
        rest = &tail[found..];
    }
    true
}

/// What is wrong with a lead octet and as many continuation octets as it announces.
fn flaw_of(sequence: &[u8]) -> Option<TextFlaw> {
    let (&lead, follow) = sequence.split_first()?;
    let bits = u32::from(lead) & (0x7f >> sequence.len());
    let code = follow.iter().fold(bits, |code, octet| code << 6 | u32::from(octet & 0x3f));
    match (sequence.len(), code) {
        (5.., _) => Some(TextFlaw::LongSequence),
        (2, ..0x80) | (3, ..0x800) | (4, ..0x1_0000) => Some(TextFlaw::Overlong),
        (_, 0xd800..=0xdfff) => Some(TextFlaw::Surrogate),
        (_, 0x11_0000..) => Some(TextFlaw::BeyondUnicode),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAWS: [TextFlaw; 8] = [
        TextFlaw::Surrogate,
        TextFlaw::Overlong,
        TextFlaw::BeyondUnicode,
        TextFlaw::LongSequence,
        TextFlaw::Incomplete,
        TextFlaw::StrayContinuation,
        TextFlaw::BrokenOff,
        TextFlaw::Impossible,
    ];

    fn check(data: &[u8], expected: &[TextFlaw]) {
        let found: Vec<_> =
            FLAWS.into_iter().filter(|&flaw| is_well_formed_but_for(data, flaw)).collect();
        assert_eq!(found, expected, "{data:02x?}");
    }

    #[test]
    fn each_flaw_is_met_once() {
        check("κόσμε 🯾".as_bytes(), &FLAWS);
        check(&[0xed, 0xa0, 0x80], &[TextFlaw::Surrogate]);
        check(&[b'a', 0xc0, 0xaf], &[TextFlaw::Overlong]);
        check(&[0xf4, 0x90, 0x80, 0x80], &[TextFlaw::BeyondUnicode]);
        check(&[0xf8, 0x88, 0x80, 0x80, 0x80], &[TextFlaw::LongSequence]);
        check(&[0xe1, 0xbd], &[TextFlaw::Incomplete]);
        check(&[0x80], &[TextFlaw::StrayContinuation]);
        check(&[0xe1, b' '], &[TextFlaw::BrokenOff]);
        check(&[0xfe], &[TextFlaw::Impossible]);
        check(&[0xfe, 0x80], &[]);
    }
}
