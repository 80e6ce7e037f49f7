//! How many files this process may open. A connection is one.

/// Descriptors for everything that is no connection.
const SPARE: usize = 64;

/// The machine lets this process open too few files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{wanted} files must be open at once and the limit is {limit}: try `ulimit -n {wanted}`, or \
     fewer connections"
)]
pub struct TooFewDescriptors {
    wanted: u64,
    limit: u64,
}

/// Sees to it that so many connections may be open at once: the limit is raised as far as this
/// process may do so by itself.
#[cfg(unix)]
pub fn ensure_descriptors(connections: usize) -> Result<(), TooFewDescriptors> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let wanted = connections.saturating_add(SPARE) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Where there is no number there is no limit.
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let limit = maximum.unwrap_or(u64::MAX);
    if limit >= wanted
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok()
    {
        return Ok(());
    }
    // A system may allow less than it says.
    let limit = if limit >= wanted { current.unwrap_or(limit) } else { limit };
    Err(TooFewDescriptors { wanted, limit })
}

/// Sockets are not counted in files here.
#[cfg(not(unix))]
pub fn ensure_descriptors(_: usize) -> Result<(), TooFewDescriptors> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_no_machine_allows_is_named_before() {
        use rustix::process::{Resource, getrlimit};

        assert_eq!(ensure_descriptors(1), Ok(()));
        if getrlimit(Resource::Nofile).maximum.is_some() {
            let fault = ensure_descriptors(usize::MAX >> 1).unwrap_err().to_string();
            assert!(fault.contains("ulimit -n"), "{fault}");
        }
    }
}
