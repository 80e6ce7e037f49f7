//! Why connections were not opened, in words that say how to mend it.

use std::{collections::BTreeMap, error::Error, io};

use wsproof_testee::ConnectError;

/// Reasons that are told apart. A server that invents new ones costs no memory.
const KINDS: usize = 16;

/// Failed attempts by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    reasons: BTreeMap<String, usize>,
}

impl Failures {
    pub(crate) fn add(&mut self, why: &str) {
        let why = if self.reasons.len() < KINDS || self.reasons.contains_key(why) {
            why
        } else {
            "other reasons"
        };
        *self.reasons.entry(why.to_owned()).or_default() += 1;
    }

    /// How many there were.
    pub fn total(&self) -> usize {
        self.reasons.values().sum()
    }

    /// Reasons with their counts, the commonest first.
    pub fn by_count(&self) -> Vec<(&str, usize)> {
        let mut reasons: Vec<_> =
            self.reasons.iter().map(|(why, count)| (why.as_str(), *count)).collect();
        reasons.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        reasons
    }
}

pub(crate) fn of_connect(error: &ConnectError) -> String {
    match error {
        ConnectError::Tcp(error) => of_io(error),
        error => {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            format!("failed to {error}{source}")
        }
    }
}

pub(crate) fn of_io(error: &io::Error) -> String {
    match error.kind() {
        _ if is_out_of_descriptors(error) => {
            "too many open files; raise the limit with `ulimit -n`, or start fewer connections"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no local port is free; a machine has some 28 000 for one server, so start fewer \
             connections, or wait a minute for those that were closed"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

pub(crate) fn of_opening(status: Option<u16>, why: &str) -> String {
    let status = status.map(|status| format!(" (HTTP status {status})")).unwrap_or_default();
    format!("no WebSocket was opened{status}: {why}")
}

#[cfg(unix)]
fn is_out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let codes = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

#[cfg(not(unix))]
fn is_out_of_descriptors(_: &io::Error) -> bool {
    // Sockets are not counted in files there.
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_bounded() {
        let mut failures = Failures::default();
        for n in 0..1000 {
            failures.add("refused");
            failures.add(&format!("reason {n}"));
        }
        assert_eq!(failures.total(), 2000);
        let counted = failures.by_count();
        assert_eq!(counted[0], ("refused", 1000));
        assert_eq!((counted[1].0, counted.len()), ("other reasons", KINDS + 1));
    }

    #[cfg(unix)]
    #[test]
    fn limits_of_the_machine_are_named() {
        let why = |errno: rustix::io::Errno| of_io(&errno.into());
        assert!(why(rustix::io::Errno::MFILE).contains("ulimit -n"));
        assert!(why(rustix::io::Errno::ADDRNOTAVAIL).contains("local port"));
        assert!(why(rustix::io::Errno::CONNREFUSED).contains("refused"));
    }
}
