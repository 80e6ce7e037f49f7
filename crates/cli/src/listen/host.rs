//! What clients did, on its way into the session, to the terminal and into reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};
use wsproof_report::number;
use wsproof_runner::{Event, Visit};

use crate::{
    exit::{Error, Exit},
    output,
    session::{Session, Voice},
};

/// What may be taken in, at most, while somebody waits for a report.
const AT_ONCE: usize = 1000;
/// While cases are at work, the next report is not begun before so many times as long have passed
/// as the last one took: it has everybody in it, so that with many clients it is long, and those
/// who ask meanwhile are served by one.
const PAUSE: u32 = 4;
/// But nobody waits longer than this for a report to begin.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
    /// Cases that have begun and are not judged.
    at_work: usize,
    /// Whether files of cases are written before a report needs them.
    writes_early: bool,
    /// When the next report may be begun beside cases.
    next: Instant,
}

impl Host {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            judged: BTreeMap::new(),
            reported: BTreeSet::new(),
            waiting: Vec::new(),
            meanwhile: 0,
            at_work: 0,
            writes_early: true,
            next: Instant::now(),
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

    /// Whether somebody waits for a report.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the next report may be begun: at once if no case is at work.
    pub(super) fn next_report(&self) -> Instant {
        if self.at_work == 0 { Instant::now() } else { self.next }
    }

    /// Whether a report is due though there is more to be taken in: nobody waits for ever.
    pub(super) fn is_overdue(&self) -> bool {
        self.meanwhile >= AT_ONCE && self.next_report() <= Instant::now()
    }

    /// Writes files of cases before a report needs them. Nobody compares durations of cases that
    /// run beside others, and there they are many.
    pub(super) fn write_cases(&mut self) {
        if self.at_work > 1 && self.writes_early {
            // Nobody has asked for them yet. Whoever does is told if it fails again.
            self.writes_early = self.session.write_cases().is_ok();
        }
    }

    /// Writes the report, once for all who wait for it.
    pub(super) fn report(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.session.write_report()?;
        self.writes_early = true;
        self.next = Instant::now() + (began.elapsed() * PAUSE).min(LONGEST_PAUSE);
        self.meanwhile = 0;
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
        // Those who still wait have come, too; the last report is about to be written.
        self.reported.extend(self.waiting.drain(..).map(|(agent, _)| agent));
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
                self.at_work += 1;
                self.meet(&agent, from)?;
                self.say(&format!(
                    "Running test case ID {} for agent {} from peer {}",
                    case.id,
                    output::clean(&agent),
                    peer(from)
                ));
            }
            Event::Attempt(attempt) => {
                self.at_work = self.at_work.saturating_sub(1);
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
            Event::Logged(_) => {}
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
