//! A client under test that is started by us, and waited for.

use std::{future::pending, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};
use wsproof_runner::{Ended, Event, Program, Visit};

use super::host::Host;
use crate::exit::Error;

/// How long a client that has asked for its report may do nothing before it is through, and how
/// long it then has to end by itself. Browsers and the like never do.
const GRACE: Duration = Duration::from_secs(3);
/// After the end of a client, for connections that it has left behind.
const LEFTOVERS: Duration = Duration::from_millis(300);

/// A client to be started.
#[derive(Debug)]
pub(crate) struct Client {
    /// The command, with `{url}` and `{agent}` to be replaced.
    pub(crate) command: String,
    /// What it is to call itself.
    pub(crate) agent: String,
    /// How long it may be without a case at work.
    pub(crate) timeout: Duration,
}

/// A client that was started.
#[derive(Debug)]
pub(super) struct Started {
    client: Client,
    program: Program,
    ended: Option<Ended>,
    /// Its cases that are at work.
    at_work: usize,
    /// Whether it has asked for a report.
    reported: bool,
    /// When it was last heard of.
    heard: Instant,
    given_up: bool,
    /// Whether its command told it a name.
    is_named: bool,
}

impl Started {
    /// Starts a client that is to connect to `url`.
    pub(super) fn new(client: Client, url: &str) -> Result<Self, Error> {
        let is_named = client.command.contains("{agent}");
        let command = client.command.replace("{url}", url).replace("{agent}", &client.agent);
        let variables = [("WSPROOF_URL", url), ("WSPROOF_AGENT", &client.agent)];
        let program = Program::start(&command, &variables)
            .map_err(|error| Error::failed(format!("start the client `{command}`"), error))?;
        let client = Client { command, ..client };
        let heard = Instant::now();
        Ok(Self {
            client,
            program,
            ended: None,
            at_work: 0,
            reported: false,
            heard,
            given_up: false,
            is_named,
        })
    }

    /// Takes in what a client did.
    pub(super) fn see(&mut self, visit: &Visit) {
        self.heard = Instant::now();
        match visit {
            Visit::Case { event: Event::Started { .. }, .. } => self.at_work += 1,
            Visit::Case { event: Event::Attempt(_), .. } => {
                self.at_work = self.at_work.saturating_sub(1);
            }
            Visit::Reports { .. } => self.reported = true,
            _ => {}
        }
    }

    /// Completes when nothing more is to be expected of it.
    async fn over(&mut self) {
        loop {
            let patience = match (&self.ended, self.reported) {
                (Some(_), _) => LEFTOVERS,
                (None, true) => GRACE,
                (None, false) => self.client.timeout,
            };
            let idle = self.at_work == 0;
            tokio::select! {
                () = sleep_until(self.heard + patience), if idle => {
                    self.given_up = self.ended.is_none() && !self.reported;
                    return;
                }
                ended = self.program.wait(), if self.ended.is_none() => {
                    self.ended = Some(ended);
                    self.heard = Instant::now();
                }
                else => pending().await,
            }
        }
    }

    /// Ends it if it has not ended by itself, and says what became of it.
    pub(super) async fn finish(mut self, host: &mut Host) -> Result<(), Error> {
        if self.ended.is_none() && self.reported {
            self.ended = timeout_at(self.heard + GRACE, self.program.wait()).await.ok();
        }
        match &self.ended {
            Some(ended) if !ended.success => host.warn(&format!("the client failed: {ended}"))?,
            None if self.given_up => host.warn(&format!(
                "the client was given up: it did nothing for {} s{}",
                self.client.timeout.as_secs_f64(),
                self.program.output_text()
            ))?,
            _ => {}
        }
        // It may have left others behind.
        self.program.stop().await;
        if self.is_named {
            host.expect_name(&self.client.agent);
        }
        host.expect_all()
    }
}

/// Completes when nothing more is to be expected of a client, if there is one.
pub(super) async fn over(client: &mut Option<Started>) {
    match client {
        Some(client) => client.over().await,
        None => pending().await,
    }
}
