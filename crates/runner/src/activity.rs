//! Whether a running case is at work or only lets time pass.

use std::time::Duration;

use tokio::sync::mpsc;

/// A case with which nothing has happened for so long is taken to wait, at the least.
pub(crate) const SETTLE: Duration = Duration::from_millis(30);
/// The same for measured cases: a slow peer must not look like one that is silent.
const SETTLE_MEASURED: Duration = Duration::from_secs(2);

/// How long nothing must happen before a case is taken to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settle {
    /// While the peer may be at work.
    pub(crate) working: Duration,
    /// While it has nothing to do: that is no work for it, whatever its speed.
    pub(crate) paused: Duration,
}

impl Settle {
    /// For a case whose duration matters: what begins beside it would spoil it.
    pub(crate) const MEASURED: Self = Self { working: SETTLE_MEASURED, paused: SETTLE_MEASURED };

    /// For a peer that may be silent for so long although it is at work.
    pub(crate) fn after(working: Duration) -> Self {
        Self { working, paused: SETTLE }
    }
}

/// Tells the scheduler when one case begins to wait and when it goes on.
#[derive(Debug)]
pub(crate) struct Activity {
    slot: usize,
    waiting: bool,
    settle: Settle,
    signals: mpsc::UnboundedSender<Signal>,
}

/// What the scheduler is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) slot: usize,
    pub(crate) waiting: bool,
}

impl Activity {
    pub(crate) fn new(slot: usize, settle: Settle, signals: mpsc::UnboundedSender<Signal>) -> Self {
        Self { slot, waiting: false, settle, signals }
    }

    /// Of a case that nobody schedules: the peer decides what runs beside what.
    pub(crate) fn unheard() -> Self {
        Self::new(0, Settle::after(SETTLE), mpsc::unbounded_channel().0)
    }

    /// How long nothing must happen; `None` if the case is known to wait already.
    pub(crate) fn settle(&self, paused: bool) -> Option<Duration> {
        let settle = if paused { self.settle.paused } else { self.settle.working };
        (!self.waiting).then_some(settle)
    }

    pub(crate) fn set_waiting(&mut self, waiting: bool) {
        if self.waiting != waiting {
            self.waiting = waiting;
            // The scheduler may be gone already when a run is interrupted.
            let _ = self.signals.send(Signal { slot: self.slot, waiting });
        }
    }
}
