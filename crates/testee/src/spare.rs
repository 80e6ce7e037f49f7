//! Large buffers that are used again. A fresh one costs more than what is done with it, since the
//! system has to clear it page by page.
//!
//! They belong to the process, and not to a connection: what is kept is bounded however many there
//! are.

use std::sync::{Mutex, PoisonError};

/// Smaller buffers are not worth it.
const LARGE: usize = 256 << 10;

/// Octets that are kept in all: as much as a few connections with large messages have in use.
const KEPT: usize = 128 << 20;

/// Room is made for so many times what has come, however much is announced: anybody can announce.
const AHEAD: usize = 8;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Keeps a buffer for somebody else, unless there are enough.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() < LARGE {
        return;
    }
    buffer.clear();
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let held: usize = spare.iter().map(Vec::capacity).sum();
    if held + buffer.capacity() <= KEPT {
        spare.push(buffer);
    }
}

/// Appends octets, of which `more` will follow if that is known. If the buffer is too small, one
/// that was used before takes its place.
pub(crate) fn extend(buffer: &mut Vec<u8>, octets: &[u8], more: Option<usize>) {
    let wanted = buffer.len() + octets.len();
    if wanted > buffer.capacity() && wanted >= LARGE {
        let room = room(wanted, more);
        // Where there is no room for what is announced, there may be for what has come.
        if let Some(mut larger) = take(room).or_else(|| fresh(room)) {
            larger.extend_from_slice(buffer);
            give(std::mem::replace(buffer, larger));
        }
    }
    buffer.extend_from_slice(octets);
}

/// How large a buffer is to be. Twice as large as it must be if it may grow, so that its octets are
/// seldom copied.
fn room(wanted: usize, more: Option<usize>) -> usize {
    wanted.saturating_add(more.unwrap_or(wanted).min(wanted.saturating_mul(AHEAD)))
}

/// A new buffer, if the system has the memory.
fn fresh(octets: usize) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(octets).ok().map(|()| buffer)
}

/// The smallest buffer that holds so many octets, and not many times as many.
fn take(octets: usize) -> Option<Vec<u8>> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |capacity| (octets..=octets.saturating_mul(AHEAD)).contains(&capacity);
    let large = spare.iter().enumerate().filter(|(_, it)| fits(it.capacity()));
    let (found, _) = large.min_by_key(|(_, it)| it.capacity())?;
    Some(spare.swap_remove(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_large_and_bounded() {
        let held = || SPARE.lock().unwrap().iter().map(Vec::capacity).sum::<usize>();
        for _ in 0..40 {
            give(Vec::with_capacity(4 << 20));
            assert!(held() <= KEPT);
        }
        assert!(held() > KEPT / 2);
        let mut buffer = b"before".to_vec();
        extend(&mut buffer, &vec![b'*'; LARGE], None);
        assert!(buffer.starts_with(b"before**") && buffer.len() == LARGE + 6);
        assert!(SPARE.lock().unwrap().iter().all(|it| it.is_empty() && it.capacity() >= LARGE));
    }

    #[test]
    fn what_is_announced_is_believed_only_so_far() {
        assert_eq!(room(LARGE, None), 2 * LARGE);
        assert_eq!(room(LARGE, Some(100)), LARGE + 100);
        assert_eq!(room(LARGE, Some(usize::MAX)), (AHEAD + 1) * LARGE);
    }
}
