//! Whether a running case is at work or only lets time pass.

use std::time::Duration;

use tokio::sync::mpsc;

/// A case with which nothing has happened for so long is taken to wait, at the least.
pub(crate) const SETTLE: Duration = Duration::from_millis(30);
/// The same for measured cases: a slow peer must not look like one that is silent.
pub(crate) const SETTLE_MEASURED: Duration = Duration::from_secs(2);

/// Tells the scheduler when one case begins to wait and when it goes on.
#[derive(Debug)]
pub(crate) struct Activity {
    slot: usize,
    waiting: bool,
    settle: Duration,
    signals: mpsc::UnboundedSender<Signal>,
}

/// What the scheduler is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) slot: usize,
    pub(crate) waiting: bool,
}

impl Activity {
    pub(crate) fn new(
        slot: usize,
        settle: Duration,
        signals: mpsc::UnboundedSender<Signal>,
    ) -> Self {
        Self { slot, waiting: false, settle, signals }
    }

    /// Of a case that nobody schedules: the peer decides what runs beside what.
    pub(crate) fn unheard() -> Self {
        Self::new(0, SETTLE, mpsc::unbounded_channel().0)
    }

    /// How long nothing must happen; `None` if the case is known to wait already. A pause of the
    /// script's own is no work for the peer, whatever its speed.
    pub(crate) fn settle(&self, paused: bool) -> Option<Duration> {
        let settle = if paused { SETTLE } else { self.settle };
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
