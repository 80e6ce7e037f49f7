//! What clients did, on its way into the session, to the terminal and into reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use tokio::sync::oneshot;
use wsproof_report::number;
use wsproof_runner::{Event, Visit};

use crate::{
    exit::{Error, Exit},
    output,
    session::{Session, Voice},
};

/// Takes what clients did into the session, and tells the user.
pub(super) struct Host {
    session: Session,
    /// Agents with the number of attempts that were judged.
    judged: BTreeMap<String, usize>,
    /// Agents that have asked for their reports.
    reported: BTreeSet<String>,
    /// Those who wait for the files to be written.
    waiting: Vec<(String, oneshot::Sender<()>)>,
    /// Why opening requests were refused.
    refused: BTreeSet<&'static str>,
    /// What was taken in while they did.
    meanwhile: usize,
}

impl Host {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            judged: BTreeMap::new(),
            reported: BTreeSet::new(),
            waiting: Vec::new(),
            meanwhile: 0,
            refused: BTreeSet::new(),
        }
    }

    pub(super) fn take(&mut self, visit: Visit) -> Result<(), Error> {
        self.meanwhile = if self.waiting.is_empty() { 0 } else { self.meanwhile + 1 };
        match visit {
            Visit::Case { agent, from, event } => self.case(agent, from, event)?,
            Visit::Skipped { agent, from, case } => {
                self.meet(&agent, from)?;
                self.say(&format!(
                    "Skipping test case ID {} for agent {} from peer {}",
                    case.id,
                    output::clean(&agent),
                    peer(from)
                ));
            }
            Visit::Refused { from, status, reason } => {
                // Once for each reason, however often a client tries.
                if self.refused.insert(reason) && self.session.voice() == Voice::Own {
                    let from = from.ip().to_canonical();
                    self.warn(&format!(
                        "an opening request from {from} was refused with {status}: {reason}"
                    ))?;
                }
            }
            Visit::Commands { from } => {
                self.say(&format!("Entering direct command mode for peer {}", peer(from)));
            }
            Visit::Reports { agent, from, done } => {
                self.say(&format!("Updating reports, requested by peer {}", peer(from)));
                self.waiting.push((agent, done));
            }
        }
        Ok(())
    }

    /// How much was taken in while somebody waited for a report.
    pub(super) fn taken_meanwhile(&self) -> usize {
        self.meanwhile
    }

    /// Writes the report, if somebody waits for it: once for all who do.
    pub(super) fn report(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.session.write_report()?;
        for (agent, done) in self.waiting.drain(..) {
            if self.session.voice() == Voice::Own {
                let judged = self.judged.get(&agent).copied().unwrap_or_default();
                let agent = output::clean(&agent);
                let judged = number(judged, "case");
                output::notice(&format!("{agent}: {judged} judged, report written"));
            }
            self.reported.insert(agent);
            // The client may have gone meanwhile.
            let _ = done.send(());
        }
        Ok(())
    }

    /// Says something about the run, to the user and in the report.
    pub(super) fn warn(&mut self, text: &str) -> Result<(), Error> {
        output::warning(&output::clean_lines(text));
        self.session.note(text)
    }

    /// Notes for each agent how many cases it did not ask for.
    pub(super) fn expect_all(&mut self) -> Result<(), Error> {
        let agents: Vec<String> = self.judged.keys().cloned().collect();
        if agents.is_empty() {
            self.warn("no client asked for a case")?;
        }
        for agent in agents {
            let (missing, cases) = self.session.missing(&agent);
            if missing > 0 {
                self.warn(&format!(
                    "{agent} has gone through {} of {cases} cases",
                    cases - missing
                ))?;
                self.session.incomplete(agent);
            }
        }
        Ok(())
    }

    /// Says so if no agent has the name that it was given.
    pub(super) fn expect_name(&self, name: &str) {
        if let Some(other) = self.judged.keys().next()
            && !self.judged.contains_key(name)
        {
            output::warning(&format!(
                "no client called itself {}, but one {}; {{agent}} may need quotes in the command",
                output::clean(name),
                output::clean(other)
            ));
        }
    }

    /// Notes if fewer agents than this have asked for their reports.
    pub(super) fn expect(&mut self, agents: usize) {
        if self.reported.len() < agents {
            self.session.incomplete("an agent that did not come".to_owned());
        }
    }

    pub(super) fn finish(self) -> Result<Exit, Error> {
        self.session.finish()
    }

    fn case(&mut self, agent: String, from: SocketAddr, event: Event) -> Result<(), Error> {
        match event {
            Event::Started { case } => {
                self.meet(&agent, from)?;
                self.say(&format!(
                    "Running test case ID {} for agent {} from peer {}",
                    case.id,
                    output::clean(&agent),
                    peer(from)
                ));
            }
            Event::Attempt(attempt) => {
                if self.session.voice() == Voice::Own && attempt.rfc.deviates() {
                    let reason = output::clean(attempt.rfc.deciding_reason());
                    let (case, agent) = (&attempt.case.id, output::clean(&agent));
                    output::notice(&format!("  {agent} deviates in {case}: {reason}"));
                }
                self.session.attempt(&agent, *attempt)?;
                *self.judged.entry(agent).or_default() += 1;
            }
            Event::Settled(settled) => self.session.settled(&agent, settled)?,
            Event::Note(text) => self.session.note(text)?,
        }
        Ok(())
    }

    /// An agent is a peer from the first time on.
    fn meet(&mut self, agent: &str, from: SocketAddr) -> Result<(), Error> {
        if self.judged.contains_key(agent) {
            return Ok(());
        }
        self.judged.insert(agent.to_owned(), 0);
        self.session.peer(agent, &format!("client at {}", from.ip().to_canonical()), None)
    }

    /// A line of `wstest`.
    fn say(&self, line: &str) {
        if self.session.voice() == Voice::Classic {
            output::line(line);
        }
    }
}

/// A client's address, as `wstest` writes it.
fn peer(from: SocketAddr) -> String {
    let family = if from.is_ipv4() { "tcp4" } else { "tcp6" };
    format!("{family}:{from}")
}
