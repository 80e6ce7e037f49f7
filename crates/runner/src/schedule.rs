//! Runs the cases for one peer: overlapped as far as the peer bears it, then confirmed quietly.
//!
//! Order and overlap are decided here and nowhere else. A verdict that was reached beside other
//! cases and is not a plain pass is reached once more with nothing else at work, so that neither
//! a parallel run nor a peer's limit on connections is sold as the peer's fault. So is one that
//! comes from waiting in vain: the machine may have stood still.

mod load;
mod queue;
mod record;
mod settle;

use std::{cmp::Reverse, collections::BTreeMap, panic::resume_unwind, sync::Arc, time::Duration};

use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Case, Limits, RunConfig, Settings, Target, Timers, judge};
use wsproof_proto::Role;

use crate::{
    Address, Attempt, Confirmation, Event,
    activity::{Activity, Settle, Signal},
    drive::{Driven, drive},
};
use load::Load;
use queue::{Mode, Queue, Running};
use record::{Record, is_trouble};

/// So many confirmations in a row without a change speak for the rest.
const ENOUGH_CONFIRMED: usize = 32;
/// Attempts in vain after which a peer that could be had before is taken at its word.
const PATIENCE: u32 = 4;
/// A peer that refuses TCP is asked again so often before it is given up.
const REFUSALS: u32 = 4;
/// Before a peer that refused TCP is asked again.
const AGAIN: Duration = Duration::from_millis(250);

/// Whom the cases are run against.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it listens.
    pub address: Address,
    /// What it is asked for.
    pub target: Target,
    /// Limits of the handshakes in place of the cases' own.
    pub timers: Option<Timers>,
    /// How the tester's endpoint behaves.
    pub settings: Settings,
}

/// How the cases are run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cases at work at once, at most.
    pub jobs: usize,
    /// Whether measured cases may overlap too. Their durations are not comparable then.
    pub overlap_measured: bool,
    /// What happens to limits.
    pub limits: Limits,
    /// From which masks and keys are made, together with the id of the case.
    pub seed: u64,
    /// Whether somebody wants to see what goes over the wire while it does: each entry of the log is
    /// told at once, and what cases leave out of it is logged as well, within the log's bound.
    pub watched: bool,
}

/// Runs `cases` against `peer`. Returns whether all of them were judged.
///
/// Events go to `events` as they happen. When `cancel` is called what runs is given up, and
/// nothing is said of it.
pub async fn run_peer(
    peer: &Peer,
    cases: &[Arc<Case>],
    options: &Options,
    events: &mpsc::UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> bool {
    let mut scheduler = Scheduler::new(peer, cases, options, events, cancel);
    scheduler.work().await;
    if cancel.is_cancelled() {
        return false;
    }
    scheduler.settle_unconfirmed();
    scheduler.settle_passive();
    scheduler.settled == cases.len()
}

struct Scheduler<'a> {
    peer: &'a Peer,
    options: &'a Options,
    events: &'a mpsc::UnboundedSender<Event>,
    cancel: &'a CancellationToken,
    load: Load,
    /// Cases that may overlap, and have not begun.
    overlapped: Queue,
    /// Cases whose durations matter, and which have not begun.
    measured: Queue,
    tasks: JoinSet<(usize, Option<Driven>)>,
    signals: mpsc::UnboundedReceiver<Signal>,
    signal_sender: mpsc::UnboundedSender<Signal>,
    running: BTreeMap<usize, Running>,
    next_slot: usize,
    /// The verdicts reached so far, by the case's place in the catalogue.
    records: BTreeMap<wsproof_engine::CaseId, Record>,
    /// Cases whose quiet verdict may still have been disturbed.
    disputed: Vec<Arc<Case>>,
    /// Attempts at passive cases, whose verdict comes last.
    passive: Vec<Attempt>,
    confirmed_in_a_row: usize,
    refusals: u32,
    gone: bool,
    settled: usize,
}

impl<'a> Scheduler<'a> {
    fn new(
        peer: &'a Peer,
        cases: &[Arc<Case>],
        options: &'a Options,
        events: &'a mpsc::UnboundedSender<Event>,
        cancel: &'a CancellationToken,
    ) -> Self {
        let (signal_sender, signals) = mpsc::unbounded_channel();
        let alone = |case: &&Arc<Case>| case.measured && !options.overlap_measured;
        let (mut measured, mut others): (Vec<_>, Vec<_>) = cases.iter().partition(alone);
        // Compressed messages are kept for the next case that sends the same ones, but not for long.
        measured.sort_by_key(|case| case.windows());
        others.sort_by_key(|case| case.windows());
        // What only waits is no load, and the sooner it begins the sooner all is over. Of measured
        // cases what takes long begins first, or it would go on when nothing is beside it any more.
        if options.jobs > 1 {
            others.sort_by_key(|case| {
                let cost = if case.measured { case.cost() } else { 0 };
                (case.scripted_wait().is_zero(), case.measured, Reverse(cost))
            });
        }
        Self {
            overlapped: Queue::new(others.into_iter().cloned()),
            measured: Queue::new(measured.into_iter().cloned()),
            peer,
            options,
            events,
            cancel,
            load: Load::new(options.jobs),
            tasks: JoinSet::new(),
            signals,
            signal_sender,
            running: BTreeMap::new(),
            next_slot: 0,
            records: BTreeMap::new(),
            disputed: Vec::new(),
            passive: Vec::new(),
            confirmed_in_a_row: 0,
            refusals: 0,
            gone: false,
            settled: 0,
        }
    }

    /// Works until every case is judged and confirmed, or the peer is gone.
    async fn work(&mut self) {
        loop {
            while let Some((case, mode)) = self.next() {
                self.start(case, mode);
            }
            if self.running.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {
                    self.tasks.shutdown().await;
                    self.running.clear();
                    return;
                }
                Some(joined) = self.tasks.join_next() => {
                    let (slot, driven) = match joined.map_err(JoinError::try_into_panic) {
                        Ok(joined) => joined,
                        // Its slot would never become free.
                        Err(Ok(panic)) => resume_unwind(panic),
                        Err(Err(_)) => continue,
                    };
                    let Some(running) = self.running.remove(&slot) else { continue };
                    if let Some(driven) = driven {
                        self.finished(running, driven).await;
                    }
                }
                Some(signal) = self.signals.recv() => self.activity(signal),
            }
        }
    }

    /// The case to begin now, if one may: first all that overlap, then what needs confirmation,
    /// then the measured ones. Confirmations may begin while others still wait.
    fn next(&mut self) -> Option<(Arc<Case>, Mode)> {
        if self.gone || self.cancel.is_cancelled() {
            return None;
        }
        if let Some(case) = self.overlapped.peek() {
            let (active, all) = self.at_work();
            return if self.load.may_start(Mode::Overlapped, case.measured, active, all) {
                self.overlapped.next().map(|case| (case, Mode::Overlapped))
            } else {
                None
            };
        }
        if self.confirmed_in_a_row >= ENOUGH_CONFIRMED {
            self.take_rest();
        }
        if let Some((case, mode)) = self.unconfirmed() {
            return self.may_start(mode).then_some((case, mode));
        }
        if !self.measured.is_empty() {
            // A straggler of the first pass would disturb what is measured.
            let undisturbed = self.running.values().all(|running| running.mode == Mode::Measured);
            return if undisturbed && self.may_start(Mode::Measured) {
                self.measured.next().map(|case| (case, Mode::Measured))
            } else {
                None
            };
        }
        if !self.disputed.is_empty() && self.may_start(Mode::Alone) {
            return self.disputed.pop().map(|case| (case, Mode::Alone));
        }
        None
    }

    /// Whether a case that overlaps with none at work may begin.
    fn may_start(&self, mode: Mode) -> bool {
        let (active, all) = self.at_work();
        self.load.may_start(mode, false, active, all)
    }

    /// How many cases are at work, and how many run.
    fn at_work(&self) -> (usize, usize) {
        let active = self.running.values().filter(|running| !running.waiting).count();
        (active, self.running.len())
    }

    fn start(&mut self, case: Arc<Case>, mode: Mode) {
        let slot = self.next_slot;
        self.next_slot += 1;
        let beside = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        for other in self.running.values_mut() {
            other.beside = other.beside.max(beside);
        }
        let _ = self.events.send(Event::Started { case: case.clone() });
        let settle =
            if case.measured { Settle::MEASURED } else { Settle::after(self.load.settle()) };
        let activity = Activity::new(slot, settle, self.signal_sender.clone());
        let config = RunConfig {
            role: Role::Client,
            target: self.peer.target.clone(),
            seed: case_seed(self.options.seed, case.id.as_str()),
            limits: self.options.limits,
            timers: self.peer.timers,
            settings: self.peer.settings,
        };
        let (address, cancel) = (self.peer.address.clone(), self.cancel.clone());
        let away = self.records.get(&case.id).is_some_and(|record| record.absences > 0);
        let (driven, breath) = (case.clone(), self.load.breath(mode, away));
        let watch = self.options.watched.then(|| self.events.clone());
        self.tasks.spawn(async move {
            if let Some(breath) = breath {
                sleep_unless(&cancel, breath).await;
            }
            (slot, drive(driven, config, &address, activity, watch, &cancel).await)
        });
        self.running.insert(slot, Running { case, mode, waiting: false, beside });
    }

    fn activity(&mut self, signal: Signal) {
        if let Some(running) = self.running.get_mut(&signal.slot) {
            running.waiting = signal.waiting;
        }
    }

    /// Judges an attempt.
    async fn finished(&mut self, running: Running, driven: Driven) {
        if let Some(error) = &driven.connect_error {
            self.not_connected(running, error).await;
            return;
        }
        self.refusals = 0;
        let Running { case, mode, beside, .. } = running;
        let outcome = driven.outcome;
        let classic = judge::classic(&case, &outcome);
        let rfc = judge::rfc(&case, &outcome);
        let trouble = is_trouble(&case, &outcome, &rfc);
        // Under large messages answers are slow because there is so much to do.
        self.load.finished(mode, trouble, driven.opening.filter(|_| !case.measured));
        self.load.answered(driven.answer);
        let quiet = mode != Mode::Overlapped || beside == 0;
        let mut record = Record::new(&case, &outcome, (&classic, &rfc), mode, beside);
        // Who looks on wants to see what happens, and not whether it happens again.
        record.needs_confirmation &= !self.options.watched || record.away;
        let number = self.record(record, beside, mode, trouble);
        let attempt = Attempt {
            number,
            quiet,
            beside,
            comparable: beside == 0,
            started: driven.started,
            outcome,
            classic,
            rfc,
            case: case.clone(),
        };
        if case.is_passive() {
            // Its verdict needs the answers of all cases; nobody has to wait for it meanwhile.
            self.passive.push(attempt);
            return;
        }
        let _ = self.events.send(Event::Attempt(Box::new(attempt)));
        if self.records.get(&case.id).is_some_and(|record| !record.needs_confirmation) {
            self.settle(&case.id);
        }
    }

    /// Takes a verdict in; a later one replaces an earlier one. Returns its number.
    fn record(&mut self, new: Record, beside: u32, mode: Mode, trouble: bool) -> u32 {
        let Some(old) = self.records.get_mut(&new.case.id) else {
            self.records.insert(new.case.id.clone(), new);
            return 1;
        };
        old.attempts += 1;
        old.absences = if new.away { old.absences + 1 } else { 0 };
        if new.away && !old.away && old.absences < PATIENCE {
            // It could be had before: it may still count a connection that has just ended.
            old.needs_confirmation = true;
            self.disputed.push(old.case.clone());
            return old.attempts;
        }
        old.needs_confirmation = false;
        old.confirmation = Confirmation::Confirmed;
        if old.verdict == new.verdict {
            let beside_silence = mode == Mode::Quiet && beside > 0 && !new.rests_on_silence;
            if beside_silence || mode == Mode::Quiet && trouble && self.load.is_troubled() {
                // The others may have been at work after all, or the peer may still have counted
                // a connection that had just ended.
                old.needs_confirmation = true;
                self.disputed.push(old.case.clone());
            } else {
                self.confirmed_in_a_row += 1;
            }
            return old.attempts;
        }
        self.confirmed_in_a_row = 0;
        old.unstable = true;
        old.verdict = new.verdict;
        old.counts = old.attempts;
        old.duration = new.duration;
        old.opening = new.opening;
        old.away = new.away;
        let stood_still = new.late && !old.late && old.attempts < PATIENCE;
        old.late = new.late;
        old.alone = beside == 0;
        if mode == Mode::Quiet && beside > 0 || stood_still {
            // Others only waited, but one cannot know: it is tried once more, all alone. So is what
            // came in time before.
            old.needs_confirmation = true;
            self.disputed.push(old.case.clone());
        }
        self.load.no_more_overlap();
        old.attempts
    }

    async fn not_connected(&mut self, running: Running, error: &std::io::Error) {
        self.load.refused(running.beside > 0);
        if running.beside == 0 {
            self.refusals += 1;
        }
        if self.refusals >= REFUSALS || (self.records.is_empty() && running.beside == 0) {
            if !self.gone {
                self.gone = true;
                let after = self.records.len();
                let text = if after == 0 {
                    format!("{} cannot be reached: {error}", self.peer.address)
                } else {
                    format!(
                        "{} accepts no more connections ({error}) after {after} cases; \
                         case {} was to be next",
                        self.peer.address, running.case.id
                    )
                };
                let _ = self.events.send(Event::Note(text));
            }
            return;
        }
        if running.beside == 0 {
            sleep_unless(self.cancel, AGAIN).await;
        }
        match running.mode {
            Mode::Overlapped => self.overlapped.again(running.case),
            Mode::Measured => self.measured.again(running.case),
            Mode::Alone => self.disputed.push(running.case),
            // What still needs confirmation is found again by itself.
            Mode::Quiet => {}
        }
    }

    /// A case that was reached beside others and is no plain pass: first what rests on silence,
    /// which may wait together, then what must be alone; the quickest first.
    fn unconfirmed(&self) -> Option<(Arc<Case>, Mode)> {
        let runs = |case: &Arc<Case>| self.running.values().any(|r| r.case.id == case.id);
        let disputed = |case: &Arc<Case>| self.disputed.iter().any(|other| other.id == case.id);
        self.records
            .values()
            .filter(|record| record.needs_confirmation)
            .filter(|record| !runs(&record.case) && !disputed(&record.case))
            .min_by_key(|record| (!record.rests_on_silence, record.duration))
            .map(|record| {
                let mode = if record.rests_on_silence { Mode::Quiet } else { Mode::Alone };
                (record.case.clone(), mode)
            })
    }
}

/// Every case has its own stream of masks and keys, the same in every attempt.
pub(crate) fn case_seed(seed: u64, id: &str) -> u64 {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    id.bytes().fold(rng.next_u64(), |seed, octet| {
        (seed ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

async fn sleep_unless(cancel: &CancellationToken, time: Duration) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = sleep(time) => {}
    }
}

#[cfg(test)]
mod tests;
