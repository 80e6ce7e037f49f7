//! How many cases may run at once: more while the peer's answers do not get slower, half as many
//! when they do or when it refuses.

use std::{collections::VecDeque, time::Duration};

use super::queue::Mode;
use crate::activity::SETTLE;

/// The run begins with so many at once.
const START: usize = 2;
/// Connections that only wait, for each case that may be at work.
const WAITING_PER_JOB: usize = 8;
/// Answers to compare before the limit moves.
const SAMPLES: usize = 8;
/// An opening handshake this much slower than the fastest, and this much at least, is slower.
const SLOWER: u32 = 4;
const SLOWER_BY: Duration = Duration::from_millis(25);
/// After so many troubles with nothing beside them, trouble is the peer's own and not the load's.
const OWN_TROUBLES: u32 = 2;

/// A peer that did not bear overlap gets this long to clear away a connection that has ended: it
/// may still count it when the next one comes.
const BREATH: Duration = Duration::from_millis(25);
/// The same for a case that is tried for the last time.
const LONG_BREATH: Duration = Duration::from_millis(250);

/// A peer that has not answered for so many times its longest answer is taken to be silent.
const SILENT: u32 = 8;
/// How long a peer of unknown speed must be silent.
const UNKNOWN: Duration = Duration::from_millis(500);
/// However slow a peer is, it is taken to be silent after this.
const SLOWEST: Duration = Duration::from_secs(2);
/// Answers from which a peer's speed is known.
const ANSWERS: usize = 32;

/// The limit for one peer.
#[derive(Debug)]
pub(super) struct Load {
    jobs: usize,
    limit: usize,
    /// Waiting connections count as much as working ones: the peer has refused some.
    strict: bool,
    fastest: Option<Duration>,
    recent: Vec<Duration>,
    own_troubles: u32,
    troubled: bool,
    answers: VecDeque<Duration>,
    frozen: bool,
}

impl Load {
    pub(super) fn new(jobs: usize) -> Self {
        Self {
            jobs: jobs.max(1),
            limit: START.min(jobs.max(1)),
            strict: jobs <= 1,
            fastest: None,
            recent: Vec::new(),
            own_troubles: 0,
            troubled: false,
            answers: VecDeque::new(),
            frozen: false,
        }
    }

    /// Whether another case may begin while `active` are at work and `all` are connected. A measured
    /// one that may overlap does so as often as it was asked for.
    pub(super) fn may_start(&self, mode: Mode, measured: bool, active: usize, all: usize) -> bool {
        let together = self.jobs * WAITING_PER_JOB;
        match mode {
            Mode::Alone => all == 0,
            Mode::Overlapped if self.strict || self.frozen => all < self.limit,
            Mode::Overlapped if measured => all < self.jobs,
            Mode::Overlapped => active < self.limit && all < together,
            Mode::Quiet | Mode::Measured if self.strict => all == 0,
            Mode::Quiet | Mode::Measured => active == 0 && all < together,
        }
    }

    /// A case is over: did the peer have trouble, and how long did its opening handshake take, if
    /// that says anything about the load?
    pub(super) fn finished(&mut self, mode: Mode, trouble: bool, opening: Option<Duration>) {
        if trouble {
            if self.own_troubles < OWN_TROUBLES {
                if self.limit == 1 || mode != Mode::Overlapped {
                    self.own_troubles += 1;
                } else {
                    self.trouble();
                }
                return;
            }
        } else {
            self.own_troubles = 0;
        }
        if mode != Mode::Overlapped || self.frozen {
            return;
        }
        let Some(opening) = opening else {
            if trouble {
                // A peer that refuses whatever one does is not spared by waiting.
                self.strict = self.jobs <= 1;
                self.troubled = false;
            }
            self.limit = (self.limit + 1).min(self.jobs);
            return;
        };
        self.recent.push(opening);
        if self.recent.len() < SAMPLES.min(self.limit * 2) {
            return;
        }
        self.recent.sort_unstable();
        let median = self.recent[self.recent.len() / 2];
        let fastest = *self.fastest.get_or_insert(median);
        self.fastest = Some(fastest.min(median));
        self.recent.clear();
        if median > fastest * SLOWER && median > fastest + SLOWER_BY {
            self.halve();
        } else {
            self.limit = (self.limit * 2).min(self.jobs);
        }
    }

    /// How long the longest answer in a case took.
    pub(super) fn answered(&mut self, answer: Duration) {
        if self.answers.len() == ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
    }

    /// How long a case must be silent to be taken for one that only waits: slower peers need
    /// longer, or their work would be mistaken for waiting.
    pub(super) fn settle(&self) -> Duration {
        let slowest = self.answers.iter().max();
        slowest.map_or(UNKNOWN, |slowest| (*slowest * SILENT).clamp(SETTLE, SLOWEST))
    }

    /// TCP was refused.
    pub(super) fn refused(&mut self, beside_others: bool) {
        if beside_others {
            self.trouble();
        }
    }

    /// How long to wait before a case begins; `away` says that its last attempt met a peer that
    /// could not be had.
    pub(super) fn breath(&self, mode: Mode, away: bool) -> Option<Duration> {
        match mode {
            Mode::Alone => (self.troubled || away).then_some(LONG_BREATH),
            _ => self.troubled.then_some(BREATH),
        }
    }

    /// Whether the peer had trouble that came with overlap.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled
    }

    /// A verdict changed: from now on one case at a time. Confirmations that only wait may still
    /// wait together, as the peer did not refuse anything.
    pub(super) fn no_more_overlap(&mut self) {
        self.limit = 1;
        self.frozen = true;
    }

    fn trouble(&mut self) {
        self.halve();
        self.strict = true;
        self.troubled = true;
    }

    fn halve(&mut self) {
        self.limit = (self.limit / 2).max(1);
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Option<Duration> = Some(Duration::from_millis(1));
    const SLOW: Option<Duration> = Some(Duration::from_millis(300));

    fn feed(load: &mut Load, n: usize, trouble: bool, opening: Option<Duration>) {
        for _ in 0..n {
            load.finished(Mode::Overlapped, trouble, opening);
        }
    }

    #[test]
    fn the_limit_grows_to_the_jobs_and_halves_when_answers_get_slower() {
        let mut load = Load::new(16);
        assert_eq!(load.limit, 2);
        feed(&mut load, 100, false, QUICK);
        assert_eq!(load.limit, 16);
        feed(&mut load, 8, false, SLOW);
        assert_eq!(load.limit, 8);
    }

    #[test]
    fn a_refusal_halves_and_makes_waiting_connections_count() {
        let mut load = Load::new(16);
        feed(&mut load, 100, false, QUICK);
        assert!(load.may_start(Mode::Overlapped, false, 3, 40));
        feed(&mut load, 1, true, None);
        assert_eq!(load.limit, 8);
        assert!(!load.may_start(Mode::Overlapped, false, 0, 8));
    }

    #[test]
    fn what_says_nothing_about_the_load_forgives_no_refusal() {
        let mut load = Load::new(16);
        feed(&mut load, 100, false, None);
        assert_eq!(load.limit, 16);
        feed(&mut load, 1, true, None);
        feed(&mut load, 100, false, None);
        assert_eq!((load.limit, load.strict, load.is_troubled()), (16, true, true));
    }

    #[test]
    fn measured_cases_overlap_at_once_but_for_a_peer_that_refuses() {
        let mut load = Load::new(16);
        assert!(load.may_start(Mode::Overlapped, true, 15, 15));
        assert!(!load.may_start(Mode::Overlapped, true, 0, 16));
        feed(&mut load, 1, true, None);
        assert!(!load.may_start(Mode::Overlapped, true, 1, 1));
    }

    #[test]
    fn a_peer_that_always_refuses_is_not_run_serially_for_ever() {
        let mut load = Load::new(16);
        feed(&mut load, 100, true, None);
        assert_eq!(load.limit, 16);
    }

    #[test]
    fn a_peer_that_is_away_gets_time_to_come_back() {
        let mut load = Load::new(1);
        assert_eq!(load.breath(Mode::Alone, false), None);
        assert_eq!(load.breath(Mode::Alone, true), Some(LONG_BREATH));
        load.refused(true);
        assert_eq!(load.breath(Mode::Alone, false), Some(LONG_BREATH));
        assert_eq!(load.breath(Mode::Quiet, true), Some(BREATH));
    }

    #[test]
    fn one_job_means_one_connection() {
        let load = Load::new(1);
        for mode in [Mode::Overlapped, Mode::Quiet, Mode::Measured, Mode::Alone] {
            assert!(load.may_start(mode, false, 0, 0));
            assert!(!load.may_start(mode, false, 0, 1), "{mode:?}");
        }
    }
}
