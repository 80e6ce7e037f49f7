//! What a client wants: path and query of its request.

use std::sync::Arc;

use wsproof_engine::Case;

/// A request of the control protocol.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// How many cases there are.
    Count,
    /// What a case is about.
    Info(Arc<Case>),
    /// To run a case.
    Run { case: Arc<Case>, agent: String },
    /// How a case came out.
    Status { case: Arc<Case>, agent: String },
    /// To write the reports.
    Reports { agent: String, then_stop: bool },
    /// To stop the server.
    Stop,
    /// Anything else: to give commands.
    Commands,
}

/// Parameters that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense;

impl Ask {
    /// Reads a target.
    pub(super) fn read(target: &str, cases: &[Arc<Case>]) -> Result<Self, Nonsense> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let case = named_case(query, cases)?.ok_or(Nonsense);
        let agent = parameter(query, "agent")?.ok_or(Nonsense);
        let stop = parameter(query, "shutdownOnComplete")?.unwrap_or_default();
        Ok(match path {
            "/getCaseCount" => Self::Count,
            "/getCaseInfo" => Self::Info(case?),
            "/runCase" => Self::Run { case: case?, agent: agent? },
            "/getCaseStatus" => Self::Status { case: case?, agent: agent? },
            "/updateReports" => Self::Reports {
                agent: agent?,
                then_stop: ["true", "yes"].contains(&stop.to_ascii_lowercase().as_str()),
            },
            "/stopServer" => Self::Stop,
            _ => Self::Commands,
        })
    }
}

/// The case that a query names, by place or by id.
fn named_case(query: &str, cases: &[Arc<Case>]) -> Result<Option<Arc<Case>>, Nonsense> {
    let by_id = parameter(query, "casetuple")?;
    if let Some(place) = parameter(query, "case")? {
        let place: usize = place.trim().parse().map_err(|_| Nonsense)?;
        return match place.checked_sub(1) {
            // No case, which is good where none is needed.
            None => Ok(None),
            Some(index) => cases.get(index).cloned().map(Some).ok_or(Nonsense),
        };
    }
    let Some(id) = by_id else { return Ok(None) };
    let found = cases.iter().find(|case| case.id.as_str() == id.trim());
    found.cloned().map(Some).ok_or(Nonsense)
}

/// The decoded value of a parameter, if it is there and not empty. None may be repeated.
pub(super) fn parameter(query: &str, name: &str) -> Result<Option<String>, Nonsense> {
    let mut values = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, value)| decoded(key) == name && !value.is_empty())
        .map(|(_, value)| decoded(value));
    let first = values.next();
    if values.next().is_some() { Err(Nonsense) } else { Ok(first) }
}

/// A part of a query without its percent signs and pluses.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        let hex = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = hex
            .filter(|digits| octet == b'%' && !digits.starts_with('+'))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                octets.push(value);
                rest = &tail[2..];
            }
            None => octets.push(if octet == b'+' { b' ' } else { octet }),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use wsproof_engine::{Section, text};

    use super::*;

    /// Three cases: 1.1.1, 1.1.2 and 2.1.
    fn cases() -> Vec<Arc<Case>> {
        let mut section = Section::default();
        for id in ["1.1.1", "1.1.2", "2.1"] {
            section.case(id, "a case").send(text("x"));
        }
        section.into_cases().into_iter().map(Arc::new).collect()
    }

    fn check(target: &str, expected: &str) {
        let said = match Ask::read(target, &cases()) {
            Err(Nonsense) => "nonsense".to_owned(),
            Ok(Ask::Info(case)) => format!("info {}", case.id),
            Ok(Ask::Run { case, agent }) => format!("run {} as {agent}", case.id),
            Ok(Ask::Status { case, agent }) => format!("status {} of {agent}", case.id),
            Ok(Ask::Reports { agent, then_stop }) => format!("reports {agent} {then_stop}"),
            Ok(other) => format!("{other:?}"),
        };
        assert_eq!(said, expected, "{target}");
    }

    #[test]
    fn what_clients_want() {
        check("/getCaseCount", "Count");
        check("/getCaseCount?case=0&x=1&x=2", "Count");
        check("/getCaseInfo?case=3", "info 2.1");
        check("/getCaseInfo?casetuple=1.1.2", "info 1.1.2");
        check("/getCaseInfo?case=1&casetuple=2.1", "info 1.1.1");
        check("/getCaseInfo?case=%2b1", "info 1.1.1");
        check("/runCase?case=1&agent=a%20b+c%C3%A9%2", "run 1.1.1 as a b cé%2");
        check("/runCase?agent=x&casetuple=2.1", "run 2.1 as x");
        check("/getCaseStatus?case=2&agent=x", "status 1.1.2 of x");
        check("/updateReports?agent=x", "reports x false");
        check("/updateReports?agent=x&shutdownOnComplete=True", "reports x true");
        check("/updateReports?agent=x&shutdownOnComplete=yes", "reports x true");
        check("/updateReports?agent=x&shutdownOnComplete=1", "reports x false");
        check("/stopServer", "Stop");
        for other in ["/", "/getCaseCount/", "/getcasecount", "/?agent=x", "/a?b=c&b=d"] {
            check(other, "Commands");
        }
    }

    #[test]
    fn what_makes_no_sense() {
        for target in [
            "/getCaseCount?case=4",
            "/getCaseInfo",
            "/getCaseInfo?case=0",
            "/getCaseInfo?case=",
            "/getCaseInfo?case=-1",
            "/getCaseInfo?case=x",
            "/getCaseInfo?case=1&case=1",
            "/getCaseInfo?casetuple=9.9",
            "/runCase?case=1",
            "/runCase?case=1&agent=",
            "/runCase?agent=x",
            "/runCase?case=4&agent=x",
            "/getCaseStatus?case=1",
            "/updateReports",
            "/?case=4",
        ] {
            check(target, "nonsense");
        }
    }
}
