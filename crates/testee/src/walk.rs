//! The walk of a client under test through the cases of a fuzzing server.
//!
//! The client asks for their number, echoes in each of them, and has the reports written. It learns
//! nothing of what a case is about.

use std::{fmt::Write as _, panic, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;

use crate::{
    ClientConfig, ConnectError, Defect, Endpoint, Event, ServerAddress, client::fresh_seed,
    connection,
};

/// To write the reports of many agents may take so many times what anything else may.
const REPORTS: u32 = 10;

/// How much of an answer that is none is shown.
const SHOWN: usize = 60;

/// A client that goes through all cases of a fuzzing server.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The fuzzing server.
    pub server: ServerAddress,
    /// How the client connects and behaves. Target and seed are the walk's, and so are the limits
    /// that follow from `patience`.
    pub client: ClientConfig,
    /// What the client calls itself in the reports.
    pub agent: String,
    /// What it does wrong.
    pub defect: Option<Defect>,
    /// Cases at work at once.
    pub parallel: usize,
    /// How long the server may say nothing; ten times that while it writes the reports.
    pub patience: Duration,
}

/// What a walk has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There are so many cases.
    Counted(usize),
    /// The case with this number begins.
    Case(usize),
    /// A case is over.
    Over,
    /// All cases are over, and the reports are asked for.
    Reports,
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// All cases are over and the reports are written.
    Through,
    /// It was stopped before.
    Stopped,
}

/// Why a walk did not come to its end; each names what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// There is no connection.
    #[error("{0}")]
    Connect(String, #[source] ConnectError),
    /// The server did not open a WebSocket.
    #[error("{what}: the server opened no WebSocket{}: {why}", status_of(*.status))]
    Refused {
        /// The request target.
        what: String,
        /// Status of the HTTP answer, if there was one.
        status: Option<u16>,
        /// Why it is none.
        why: String,
    },
    /// The server said something else than a number.
    #[error(
        "{what}: the server said `{said}`, which is no number of cases; is it a fuzzing server?"
    )]
    NoCount {
        /// The request target.
        what: String,
        /// What it said, in part.
        said: String,
    },
    /// The server closed without a number.
    #[error("{what}: the server closed and named no number of cases; is it a fuzzing server?")]
    NothingSaid {
        /// The request target.
        what: String,
    },
    /// The connection for the reports ended without a closing handshake.
    #[error("{what}: the server did not close the WebSocket; the reports may be incomplete")]
    NotClosed {
        /// The request target.
        what: String,
    },
    /// The server said nothing for too long.
    #[error("{what}: the server said nothing for {patience:?}")]
    Silent {
        /// The request target.
        what: String,
        /// How long it had.
        patience: Duration,
    },
}

fn status_of(status: Option<u16>) -> String {
    status.map(|status| format!(" (HTTP status {status})")).unwrap_or_default()
}

impl Walk {
    /// Goes through all cases and has the reports written. When `stop` is cancelled, what is open
    /// is closed with 1001 and nothing more is asked for.
    pub async fn run(
        self,
        stop: &CancellationToken,
        mut on_step: impl FnMut(Step),
    ) -> Result<Walked, WalkError> {
        let Some(count) = self.count(stop).await? else { return Ok(Walked::Stopped) };
        on_step(Step::Counted(count));
        let walk = Arc::new(self);
        let mut cases = JoinSet::new();
        for number in 1..=count {
            if cases.len() >= walk.parallel.max(1) {
                ended(cases.join_next().await)?;
                on_step(Step::Over);
            }
            if stop.is_cancelled() {
                break;
            }
            on_step(Step::Case(number));
            let (walk, stop) = (walk.clone(), stop.clone());
            cases.spawn(async move { walk.case(number, &stop).await });
        }
        while let Some(case) = cases.join_next().await {
            ended(Some(case))?;
            on_step(Step::Over);
        }
        if stop.is_cancelled() {
            return Ok(Walked::Stopped);
        }
        on_step(Step::Reports);
        walk.update_reports(stop).await?;
        Ok(if stop.is_cancelled() { Walked::Stopped } else { Walked::Through })
    }

    /// Asks for the number of cases; `None` if stopped meanwhile.
    async fn count(&self, stop: &CancellationToken) -> Result<Option<usize>, WalkError> {
        let target = "/getCaseCount";
        let Answer { said, .. } = self.ask(target, self.patience, stop).await?;
        if stop.is_cancelled() {
            return Ok(None);
        }
        let what = target.to_owned();
        let Some(said) = said else { return Err(WalkError::NothingSaid { what }) };
        let said = String::from_utf8_lossy(&said);
        said.trim().parse().map(Some).map_err(|_| {
            let said = said.chars().take(SHOWN).collect();
            WalkError::NoCount { what, said }
        })
    }

    /// Echoes in a case until it is over. What the server does in it is its own affair.
    async fn case(&self, number: usize, stop: &CancellationToken) -> Result<(), WalkError> {
        let target = format!("/runCase?case={number}&agent={}", escaped(&self.agent));
        let mut endpoint = self.endpoint(&target, self.patience).echo();
        if let Some(defect) = self.defect {
            endpoint = endpoint.with_defect(defect);
        }
        self.converse(&target, endpoint, stop, |_, _, _| {}).await
    }

    /// Has the reports written; when it is closed they are.
    async fn update_reports(&self, stop: &CancellationToken) -> Result<(), WalkError> {
        let target = format!("/updateReports?agent={}", escaped(&self.agent));
        let answer = self.ask(&target, self.patience * REPORTS, stop).await?;
        if answer.closed || stop.is_cancelled() {
            Ok(())
        } else {
            Err(WalkError::NotClosed { what: target })
        }
    }

    /// What the server has to say to a request within `limit`.
    async fn ask(
        &self,
        target: &str,
        limit: Duration,
        stop: &CancellationToken,
    ) -> Result<Answer, WalkError> {
        let mut answer = Answer::default();
        let endpoint = self.endpoint(target, limit);
        let asking = self.converse(target, endpoint, stop, |endpoint, now, event| match event {
            Event::Message { payload, .. } => {
                answer.said = Some(payload);
                endpoint.close(now, CloseCode::NORMAL, "");
            }
            Event::Closed { clean, .. } => answer.closed = clean,
            _ => {}
        });
        // A server that goes on about something else does not answer either.
        match timeout(limit, asking).await {
            Ok(ended) => ended.map(|()| answer),
            Err(_) if answer.said.is_some() => Ok(answer),
            Err(_) => Err(silent(target, limit)),
        }
    }

    fn endpoint(&self, target: &str, limit: Duration) -> Endpoint {
        Endpoint::client(ClientConfig {
            target: target.to_owned(),
            handshake_timeout: limit,
            idle_timeout: limit,
            seed: fresh_seed(),
            ..self.client.clone()
        })
    }

    async fn converse(
        &self,
        target: &str,
        mut endpoint: Endpoint,
        stop: &CancellationToken,
        mut on_event: impl FnMut(&mut Endpoint, Duration, Event),
    ) -> Result<(), WalkError> {
        let connected = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            connected = self.server.connect() => connected,
        };
        let stream = connected.map_err(|error| WalkError::Connect(target.to_owned(), error))?;
        let mut fault = None;
        let driven = connection::drive(stream, &mut endpoint, stop, |endpoint, now, event| {
            tracing::debug!(target, ?event);
            match event {
                Event::Refused { status, why } => {
                    fault = Some(WalkError::Refused { what: target.to_owned(), status, why });
                }
                Event::Silent => fault = Some(silent(target, self.patience)),
                event => on_event(endpoint, now, event),
            }
        });
        if let Err(error) = driven.await {
            // Cases may end like this.
            tracing::debug!(target, %error, "connection lost");
        }
        match fault {
            Some(fault) if !stop.is_cancelled() => Err(fault),
            _ => Ok(()),
        }
    }
}

fn silent(target: &str, patience: Duration) -> WalkError {
    WalkError::Silent { what: target.to_owned(), patience }
}

/// An answer of a fuzzing server.
#[derive(Debug, Default)]
struct Answer {
    /// Its first message.
    said: Option<Vec<u8>>,
    /// Whether the closing handshake came to its end.
    closed: bool,
}

type Joined = Result<Result<(), WalkError>, tokio::task::JoinError>;

/// What became of a case. That of a task that was cancelled is not of interest any more; one that
/// panicked is no case that went well.
fn ended(case: Option<Joined>) -> Result<(), WalkError> {
    match case {
        Some(Ok(ended)) => ended,
        Some(Err(error)) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Some(Err(_)) | None => Ok(()),
    }
}

/// A value as it stands in a query: whatever might mean something else is escaped (RFC 3986, 2.1).
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for octet in value.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(octet));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(text, "%{octet:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_whatever_is_in_it() {
        for (name, query) in [
            ("", ""),
            ("AZaz09-._~", "AZaz09-._~"),
            ("a b&c#d=e+f%", "a%20b%26c%23d%3De%2Bf%25"),
            ("Käse/1.0\n", "K%C3%A4se%2F1.0%0A"),
        ] {
            assert_eq!(escaped(name), query);
        }
    }

    #[tokio::test]
    #[should_panic(expected = "in a case")]
    async fn a_panic_in_a_case_is_no_success() {
        let mut cases = JoinSet::new();
        cases.spawn(async { panic!("in a case") });
        let _ = ended(cases.join_next().await);
    }
}
