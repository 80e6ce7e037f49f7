//! What all connections of a fuzzing server share: what runs, and how it came out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use wsproof_engine::{Behavior, CaseId};

use crate::verdict::Verdict;

/// How long a request about results waits for cases that its agent has begun before. A client
/// knows that a case is over as soon as it has ended TCP, and may ask before we do.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// The shared state.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    /// Told of every change.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    next_slot: u64,
    running: BTreeMap<u64, Slot>,
    results: HashMap<(String, CaseId), Record>,
    /// Connections whose request was read.
    open: usize,
    /// Whether a client was there.
    any: bool,
    /// Whether a case ended without a verdict.
    cut_off: bool,
}

#[derive(Debug)]
struct Slot {
    agent: String,
    beside: u32,
    is_judged: bool,
}

#[derive(Debug)]
struct Record {
    attempts: u32,
    verdict: Option<Verdict>,
}

impl Default for Board {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::channel(()).0 }
    }
}

impl Board {
    /// Counts a connection until the guard is dropped.
    pub(super) fn enter(&self) -> Open<'_> {
        self.lock().open += 1;
        self.changed.send_replace(());
        Open { board: self }
    }

    /// Notes that there is a client: somebody asked for something.
    pub(super) fn greet(&self) {
        self.lock().any = true;
    }

    /// How many connections there are.
    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    /// Begins a case of an agent.
    pub(super) fn begin(&self, agent: &str, case: &CaseId) -> Running<'_> {
        let mut state = self.lock();
        let slot = state.next_slot;
        state.next_slot += 1;
        let beside = u32::try_from(state.running.len()).unwrap_or(u32::MAX);
        for other in state.running.values_mut() {
            other.beside = other.beside.max(beside);
        }
        state.running.insert(slot, Slot { agent: agent.to_owned(), beside, is_judged: false });
        Running { board: self, slot, key: (agent.to_owned(), case.clone()) }
    }

    /// Notes that a case is not for an agent.
    pub(super) fn skip(&self, agent: &str, case: &CaseId) {
        let key = (agent.to_owned(), case.clone());
        self.lock().results.entry(key).or_insert(Record { attempts: 0, verdict: None });
        self.changed.send_replace(());
    }

    /// Whether a case was cut off, or would be if everything ended now.
    pub(super) fn is_cut_off(&self) -> bool {
        let state = self.lock();
        state.cut_off || !state.running.is_empty()
    }

    /// How a case came out, as soon as that is known. What is not for the agent was not done.
    pub(super) async fn behavior(&self, agent: &str, case: &CaseId) -> Behavior {
        self.runs_of(Some(agent)).await;
        let key = (agent.to_owned(), case.clone());
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(record) = self.lock().results.get(&key) {
                let verdict = record.verdict;
                return verdict.map_or(Behavior::Unimplemented, |verdict| verdict.classic.0);
            }
            let _ = changed.changed().await;
        }
    }

    /// Waits for the cases that an agent, or anybody, has begun, within limits.
    pub(super) async fn runs_of(&self, agent: Option<&str>) {
        let runs = |state: &State| -> BTreeSet<u64> {
            let of_agent = |slot: &Slot| agent.is_none_or(|agent| slot.agent == agent);
            let running = state.running.iter();
            running.filter(|(_, slot)| of_agent(slot)).map(|(slot, _)| *slot).collect()
        };
        let mut changed = self.changed.subscribe();
        let begun = runs(&self.lock());
        let over = async {
            while !runs(&self.lock()).is_disjoint(&begun) {
                let _ = changed.changed().await;
            }
        };
        let _ = timeout(STRAGGLERS, over).await;
    }

    /// Completes when somebody was there, and nobody has been for so long.
    pub(super) async fn idle(&self, limit: Duration) {
        let mut changed = self.changed.subscribe();
        loop {
            let empty = {
                let state = self.lock();
                state.any && state.open == 0
            };
            if !empty {
                let _ = changed.changed().await;
            } else if timeout(limit, changed.changed()).await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is there.
#[derive(Debug)]
pub(super) struct Open<'a> {
    board: &'a Board,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.board.lock().open -= 1;
        self.board.changed.send_replace(());
    }
}

/// A case that runs, until this is dropped.
#[derive(Debug)]
pub(super) struct Running<'a> {
    board: &'a Board,
    slot: u64,
    key: (String, CaseId),
}

impl Running<'_> {
    /// How many others ran at most beside it.
    pub(super) fn beside(&self) -> u32 {
        self.board.lock().running.get(&self.slot).map_or(0, |slot| slot.beside)
    }

    /// Takes the verdict in. Returns the attempt's number, and whether an earlier one came to
    /// another verdict.
    pub(super) fn judged(&self, verdict: Verdict) -> (u32, bool) {
        let mut state = self.board.lock();
        if let Some(slot) = state.running.get_mut(&self.slot) {
            slot.is_judged = true;
        }
        let new = Record { attempts: 0, verdict: None };
        let record = state.results.entry(self.key.clone()).or_insert(new);
        record.attempts += 1;
        let before = record.verdict.replace(verdict);
        (record.attempts, before.is_some_and(|before| before != verdict))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.board.lock();
        let slot = state.running.remove(&self.slot);
        state.cut_off |= slot.is_some_and(|slot| !slot.is_judged);
        drop(state);
        self.board.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use wsproof_engine::Section;

    use super::*;

    /// Whether a request is held up by a case of agent `x`.
    async fn check(agent: Option<&str>, held_up: bool) {
        let board = Board::default();
        let mut section = Section::default();
        section.case("1.1.1", "a case");
        let running = board.begin("x", &section.into_cases()[0].id);
        let mut waiting = pin!(board.runs_of(agent));
        let waits = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
        assert_eq!(waits, held_up, "{agent:?}");
        if waits {
            drop(running);
            waiting.await;
        }
    }

    #[tokio::test]
    async fn who_asks_about_results_waits_for_what_runs() {
        check(Some("x"), true).await;
        check(Some("y"), false).await;
        check(None, true).await;
    }
}
