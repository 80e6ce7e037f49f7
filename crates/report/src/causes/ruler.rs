//! Octets under a ruler: where content decides, the window around the first wrong octet.

use wsproof_engine::Payload;

use super::provoked::{IllFormed, TextFault};

/// Octets on each side of the first wrong one.
const AROUND: usize = 16;

/// A window of octets with its offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruler {
    /// Offset of the first octet of each row.
    pub start: u64,
    /// The column of the first wrong octet.
    pub mark: usize,
    /// Named rows of octets; the last one is the one that is wrong.
    pub rows: Vec<(&'static str, Vec<u8>)>,
    /// What is wrong at the mark.
    pub note: String,
}

/// A text that the tester sent; it should have been refused at the mark.
pub(super) fn ill_formed(text: &IllFormed, _header: usize) -> Ruler {
    let start = text.at.saturating_sub(AROUND);
    let end = text.octets.len().min(text.at + AROUND);
    let note = match text.fault {
        TextFault::Surrogate => "after ED only 80 to 9F may follow (RFC 3629, 4)",
        TextFault::OverLong => "an over-long form: the shortest one is the only one (RFC 3629, 3)",
        TextFault::Beyond => "nothing lies beyond F4 8F BF BF (RFC 3629, 3)",
        TextFault::LongForm => "F8 to FD began forms of five and six octets, which are withdrawn",
        TextFault::Never => "UTF-8 never uses FE and FF",
        TextFault::Stray => "80 to BF go on with a character; here none has begun",
        TextFault::Cut => "the character before is not complete",
    };
    Ruler {
        start: start as u64,
        mark: text.at - start,
        rows: vec![("sent", text.octets[start..end].to_vec())],
        note: note.to_owned(),
    }
}

/// What should have come above what came, as far as that was kept.
pub(super) fn compared(at: u64, wanted: &Payload, came: &[u8]) -> Option<Ruler> {
    let mark = usize::try_from(at).ok().filter(|at| *at <= came.len())?;
    let start = mark.saturating_sub(AROUND);
    let mut expected = Vec::new();
    wanted.copy_to(start as u64, mark - start + AROUND, &mut expected);
    let got = came[start..came.len().min(mark + AROUND)].to_vec();
    let note = match (expected.get(mark - start), got.get(mark - start)) {
        (Some(due), Some(got)) => format!("{got:02X} instead of {due:02X}"),
        (Some(due), None) => format!("the end instead of {due:02X}"),
        (None, Some(got)) => format!("{got:02X} where nothing more is due"),
        (None, None) => return None,
    };
    Some(Ruler {
        start: start as u64,
        mark: mark - start,
        rows: vec![("expected", expected), ("got", got)],
        note,
    })
}
