//! Large buffers that are used again. A fresh one costs more than what is done with it, since the
//! system has to clear it page by page.
//!
//! They belong to the process, and not to a connection: what is kept is bounded however many there
//! are.

use std::sync::{Mutex, PoisonError};

/// Smaller buffers are not worth it.
const LARGE: usize = 256 << 10;

/// Octets that are kept in all.
const KEPT: usize = 64 << 20;

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

/// Appends octets, in a buffer that was used before if this one is too small.
pub(crate) fn extend(buffer: &mut Vec<u8>, octets: &[u8]) {
    let wanted = buffer.len() + octets.len();
    if wanted > buffer.capacity()
        && wanted >= LARGE
        && let Some(mut larger) = take(wanted)
    {
        larger.extend_from_slice(buffer);
        give(std::mem::replace(buffer, larger));
    }
    buffer.extend_from_slice(octets);
}

/// The smallest buffer that holds twice as many octets, so that what grows is seldom copied.
fn take(octets: usize) -> Option<Vec<u8>> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let large = spare.iter().enumerate().filter(|(_, it)| it.capacity() / 2 >= octets);
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
        extend(&mut buffer, &vec![b'*'; LARGE]);
        assert!(buffer.starts_with(b"before**") && buffer.len() == LARGE + 6);
        assert!(SPARE.lock().unwrap().iter().all(|it| it.is_empty() && it.capacity() >= LARGE));
    }
}
