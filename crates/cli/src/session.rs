//! One run from start to end: peers one after the other, every event into `results.jsonl` as it
//! comes, then the report. Both command lines end here.

mod folder;
mod teller;

use std::{
    collections::HashSet,
    fs,
    io::{BufWriter, Write},
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Case, CaseId, Limits};
use wsproof_report::{
    JudgeKind, Line, Results,
    contract::{
        self, Confirmation, End, Excluded, Machine, Note, PartInfo, PeerInfo, RunInfo, Verdict,
    },
};
use wsproof_runner::{Attempt, Event, Options, Peer, Settled, run_peer};

use crate::{
    captures,
    exit::{Error, Exit},
    gate::{self, Ended},
    shelf::Shelf,
    stored,
};
use folder::{Folder, Stale};
use teller::Teller;

/// Files of fewer cases are not written before a report needs them: what all of them are made from
/// is prepared each time.
const AT_ONCE: usize = 64;

/// How the user is told what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The lines that `wstest` prints on stdout.
    Classic,
    /// A bar or plain lines on stderr.
    Own,
}

/// Everything about a run that is the same for all peers.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) cases: Vec<Arc<Case>>,
    pub(crate) judge: JudgeKind,
    pub(crate) voice: Voice,
    pub(crate) out: PathBuf,
    /// Cases at work at once; `None` takes the default for each peer.
    pub(crate) jobs: Option<usize>,
    pub(crate) limits: Limits,
    pub(crate) seed: u64,
    /// Agents and the cases that are not run with them.
    pub(crate) excluded: Vec<(String, Vec<String>)>,
    /// Which part of a divided run this is.
    pub(crate) part: Option<PartInfo>,
    /// Folder for captures.
    pub(crate) pcapng: Option<PathBuf>,
    /// What the run is compared with.
    pub(crate) gate: gate::Setup,
}

/// A peer with its name.
#[derive(Debug)]
pub(crate) struct NamedPeer {
    pub(crate) url: String,
    /// `None` takes what the peer says of itself.
    pub(crate) agent: Option<String>,
    /// The name of a peer that says nothing of itself.
    pub(crate) fallback: String,
    pub(crate) peer: Peer,
}

/// A run under way.
pub(crate) struct Session {
    plan: Plan,
    /// Its cases, as reports take them.
    cases: Vec<Case>,
    /// The same for the classic files.
    classic_order: Vec<Case>,
    results: Results,
    file: BufWriter<fs::File>,
    path: PathBuf,
    /// Octets in the file.
    written_octets: u64,
    /// What the results leave in the file.
    shelf: Shelf,
    names: HashSet<String>,
    /// Peers of which some case was not judged.
    incomplete: Vec<String>,
    /// Cases whose files are to be written.
    stale: Stale,
    cancel: CancellationToken,
}

impl Session {
    /// Opens the report's folder and writes the first line of the results.
    pub(crate) fn start(plan: Plan, cancel: CancellationToken) -> Result<Self, Error> {
        let folders = [Some(&plan.out), plan.pcapng.as_ref()];
        folders.into_iter().flatten().try_for_each(|folder| stored::create_folder(folder))?;
        let path = stored::path_in(&plan.out);
        let file = fs::File::create(&path)
            .map_err(|error| Error::failed(format!("create {}", path.display()), error))?;
        let shelf = Shelf::open(&path)
            .map_err(|error| Error::failed(format!("read {}", path.display()), error))?;
        let run = RunInfo {
            format: contract::FORMAT,
            tool: concat!("wsproof ", env!("CARGO_PKG_VERSION")).to_owned(),
            catalogue: wsproof_cases::CATALOGUE_VERSION.to_owned(),
            command: std::env::args().collect(),
            started: timestamp(SystemTime::now()),
            seed: plan.seed,
            judge: plan.judge,
            cases: plan.cases.iter().map(|case| case.id.clone()).collect(),
            part: plan.part,
            machine: Machine {
                os: std::env::consts::OS.to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
                cpus: std::thread::available_parallelism()
                    .map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            },
        };
        let cases: Vec<_> = plan.cases.iter().map(|case| Case::clone(case)).collect();
        let mut session = Self {
            plan,
            classic_order: stored::classic_order(&cases),
            cases,
            results: Results::default(),
            file: BufWriter::new(file),
            path,
            written_octets: 0,
            shelf,
            names: HashSet::new(),
            incomplete: Vec::new(),
            stale: Stale::default(),
            cancel,
        };
        session.write(Line::Run(run))?;
        Ok(session)
    }

    /// Runs all cases against one peer.
    pub(crate) async fn run(&mut self, named: &NamedPeer) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Ok(());
        }
        let cases = self.cases_for(named.agent.as_deref());
        let local = named.peer.address.is_local();
        let options = Options {
            jobs: self.plan.jobs.unwrap_or(if local { 16 } else { 4 }),
            overlap_measured: self.plan.jobs.is_some_and(|jobs| jobs > 1),
            limits: self.plan.limits,
            seed: self.plan.seed,
            watched: false,
        };
        let (sender, mut events) = mpsc::unbounded_channel();
        let cancel = self.cancel.clone();
        let running = run_peer(&named.peer, &cases, &options, &sender, &cancel);
        tokio::pin!(running);
        let mut teller = Teller::new(&self.plan, named, cases.len());
        let all = loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.take(&mut teller, named, event)?,
                all = &mut running => break all,
            }
        };
        while let Ok(event) = events.try_recv() {
            self.take(&mut teller, named, event)?;
        }
        let name = teller.finish();
        if !all && !self.cancel.is_cancelled() {
            self.incomplete.push(name.unwrap_or_else(|| named.fallback.clone()));
        }
        Ok(())
    }

    /// Says something about the run as a whole or about a peer that never answered.
    pub(crate) fn note(&mut self, text: impl Into<String>) -> Result<(), Error> {
        self.write(Line::Note(Note { peer: None, text: text.into() }))
    }

    /// How the user is told what happens.
    pub(crate) fn voice(&self) -> Voice {
        self.plan.voice
    }

    /// How many cases have no result with a peer though they should, and how many there are for it.
    pub(crate) fn missing(&self, peer: &str) -> (usize, usize) {
        (self.results.missing(peer).len(), self.cases_for(Some(peer)).len())
    }

    /// Notes that a peer did not get through its cases.
    pub(crate) fn incomplete(&mut self, peer: String) {
        self.incomplete.push(peer);
    }

    /// Writes the end of the results and the report, prints the summary, and says how it went.
    pub(crate) fn finish(mut self) -> Result<Exit, Error> {
        let interrupted = self.cancel.is_cancelled();
        self.write(Line::End(End { ended: timestamp(SystemTime::now()), interrupted }))?;
        self.file
            .flush()
            .map_err(|error| Error::failed(format!("write {}", self.path.display()), error))?;
        self.write_report()?;
        if let Some(folder) = &self.plan.pcapng {
            captures::write(folder, &self.results, &self.cases)?;
        }
        let ended = Ended {
            results: &self.results,
            cases: &self.cases,
            judge: self.plan.judge,
            page: &self.plan.out.join("index.html"),
            is_written: true,
            interrupted,
            incomplete: !self.incomplete.is_empty(),
        };
        Ok(match self.plan.voice {
            Voice::Classic => self.plan.gate.exit(ended),
            Voice::Own => self.plan.gate.conclude(ended),
        })
    }

    /// Writes the report, as far as the run has come: what is not there yet, and what has changed
    /// since it was written last. Many agents may ask for it many times.
    pub(crate) fn write_report(&mut self) -> Result<(), Error> {
        // Scripts clean up between two clients.
        stored::create_folder(&self.plan.out)?;
        let (folder, stale) = self.folder();
        folder.find_removed(stale)?;
        folder.write_cases(stale)?;
        folder.write_index()?;
        self.shelf.clear();
        Ok(())
    }

    /// Writes files of cases that a report would have to write, if they are worth the trouble.
    pub(crate) fn write_cases(&mut self) -> Result<(), Error> {
        if self.stale.count() < AT_ONCE {
            return Ok(());
        }
        stored::create_folder(&self.plan.out)?;
        let (folder, stale) = self.folder();
        folder.write_cases(stale)?;
        self.shelf.clear();
        Ok(())
    }

    fn folder(&mut self) -> (Folder<'_>, &mut Stale) {
        let Self { plan, cases, classic_order, results, shelf, stale, .. } = self;
        let folder = Folder::new(&plan.out, (results, shelf), [cases, classic_order], plan.judge);
        (folder, stale)
    }

    fn cases_for(&self, agent: Option<&str>) -> Vec<Arc<Case>> {
        let excluded = |case: &Case| agent.is_some_and(|a| self.is_excluded(a, &case.id));
        self.plan.cases.iter().filter(|case| !excluded(case)).cloned().collect()
    }

    fn excluded_for(&self, agent: &str) -> Vec<CaseId> {
        let ids = self.plan.cases.iter().map(|case| &case.id);
        ids.filter(|id| self.is_excluded(agent, id)).cloned().collect()
    }

    fn is_excluded(&self, agent: &str, case: &CaseId) -> bool {
        is_excluded(&self.plan.excluded, agent, case)
    }

    fn take(&mut self, teller: &mut Teller, named: &NamedPeer, event: Event) -> Result<(), Error> {
        match event {
            Event::Started { case } => teller.started(&case),
            // Only a replay watches.
            Event::Logged(_) => {}
            Event::Note(text) => {
                teller.say(&text);
                self.write(Line::Note(Note { peer: teller.name.clone(), text }))?;
            }
            Event::Attempt(attempt) => {
                if teller.name.is_none() {
                    let name = self.name(named, attempt.outcome.openings.first());
                    teller.named(&name);
                    let peer = &named.peer;
                    let dial = contract::Dial {
                        target: peer.target.clone(),
                        timers: peer.timers,
                        settings: peer.settings,
                    };
                    self.peer(&name, &named.url, Some(dial))?;
                }
                self.attempt(&teller.name.clone().unwrap_or_default(), *attempt)?;
            }
            Event::Settled(settled) => {
                let peer = teller.name.clone().unwrap_or_default();
                if self.is_excluded(&peer, &settled.case.id) {
                    return Ok(());
                }
                let (case, unstable) = (settled.case.clone(), settled.unstable);
                self.settled(&peer, settled)?;
                let judged = self.results.final_attempt(&peer, &case.id);
                teller.settled(&case, judged, self.plan.judge, unstable);
            }
        }
        Ok(())
    }

    /// Takes a peer in, with the cases that are not for it.
    pub(crate) fn peer(
        &mut self,
        name: &str,
        url: &str,
        dial: Option<contract::Dial>,
    ) -> Result<(), Error> {
        let (peer, url) = (name.to_owned(), url.to_owned());
        self.write(Line::Peer(PeerInfo { peer: peer.clone(), url, dial }))?;
        let cases = self.excluded_for(name);
        if cases.is_empty() { Ok(()) } else { self.write(Line::Excluded(Excluded { peer, cases })) }
    }

    /// Takes an attempt in, unless the case is not for that peer.
    pub(crate) fn attempt(&mut self, peer: &str, attempt: Attempt) -> Result<(), Error> {
        if self.is_excluded(peer, &attempt.case.id) {
            return Ok(());
        }
        self.write(Line::Attempt(Box::new(to_stored(peer, attempt))))
    }

    /// Takes in which attempt of a case counts.
    pub(crate) fn settled(&mut self, peer: &str, settled: Settled) -> Result<(), Error> {
        let Settled { case, attempt, unstable, confirmation } = settled;
        let confirmation = match confirmation {
            wsproof_runner::Confirmation::Confirmed => Confirmation::Confirmed,
            wsproof_runner::Confirmation::Impossible => Confirmation::Impossible,
            wsproof_runner::Confirmation::NotNeeded => Confirmation::NotNeeded,
            wsproof_runner::Confirmation::Taken => Confirmation::Taken,
        };
        let (peer, case) = (peer.to_owned(), case.id.clone());
        self.write(Line::Verdict(Verdict { peer, case, attempt, unstable, confirmation }))
    }

    /// A name that no other peer of the run has.
    fn name(&mut self, named: &NamedPeer, opening: Option<&wsproof_engine::Opening>) -> String {
        let said = || opening.and_then(|opening| opening.server.clone());
        let name = named.agent.clone().or_else(said).unwrap_or_else(|| named.fallback.clone());
        let mut unique = name.clone();
        let mut n = 1;
        while !self.names.insert(unique.clone()) {
            n += 1;
            unique = format!("{name} #{n}");
        }
        unique
    }

    fn write(&mut self, mut line: Line) -> Result<(), Error> {
        let mut text = line.to_json();
        text.push('\n');
        // What is judged is on disk before anything else happens: an interrupt loses nothing.
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.flush())
            .map_err(|error| Error::failed(format!("write {}", self.path.display()), error))?;
        // A capture wants all transcripts at once.
        if let (Line::Attempt(attempt), None) = (&mut line, &self.plan.pcapng) {
            self.shelf.put(attempt, (self.written_octets, text.len()));
        }
        match &line {
            Line::Attempt(attempt) => self.stale.add(&attempt.peer, &attempt.case),
            Line::Verdict(verdict) => self.stale.add(&verdict.peer, &verdict.case),
            _ => {}
        }
        self.written_octets += text.len() as u64;
        self.results.push(line);
        Ok(())
    }
}

/// An attempt as it is stored.
pub(crate) fn to_stored(peer: &str, attempt: Attempt) -> contract::Attempt {
    contract::Attempt {
        peer: peer.to_owned(),
        case: attempt.case.id.clone(),
        attempt: attempt.number,
        quiet: attempt.quiet,
        beside: attempt.beside,
        comparable: attempt.comparable,
        started: timestamp(attempt.started),
        outcome: attempt.outcome,
        classic: attempt.classic,
        rfc: attempt.rfc,
    }
}

/// Whether a case is not for an agent.
pub(crate) fn is_excluded(excluded: &[(String, Vec<String>)], agent: &str, case: &CaseId) -> bool {
    use wsproof_engine::pattern::selects_whole;
    excluded.iter().any(|(agents, cases)| {
        selects_whole(agents, agent)
            && cases.iter().any(|pattern| selects_whole(pattern, case.as_str()))
    })
}

/// UTC with milliseconds.
pub(crate) fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

/// A seed for a run that was given none; it stands in the results.
pub(crate) fn seed_from_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Whole numbers up to 2^53 survive every JSON reader.
    u64::try_from(since.as_nanos() & ((1 << 53) - 1)).unwrap_or_default()
}
