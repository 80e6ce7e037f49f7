//! What it came to.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{Event, Failures, member::News};

/// The longest time that is told apart from longer ones, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// What opening many connections came to.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Connections that were wanted.
    pub wanted: usize,
    /// Connections whose WebSocket was open.
    pub opened: usize,
    /// Those of them that ended before they were closed.
    pub lost: usize,
    /// Attempts that failed.
    pub failures: Failures,
    /// Time from the start until the last one was open, or until there was no point in it.
    pub elapsed: Duration,
    /// How it ended.
    pub end: End,
    latencies: Histogram<u64>,
}

/// Why no more connections were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All were opened.
    Complete,
    /// None had succeeded for too long.
    GivenUp,
    /// It was stopped.
    Stopped,
}

impl Summary {
    pub(crate) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            opened: 0,
            lost: 0,
            failures: Failures::default(),
            elapsed: Duration::ZERO,
            end: End::Stopped,
            latencies: Histogram::new_with_bounds(1, LONGEST, 3)
                .expect("the bounds and the digits are legal"),
        }
    }

    pub(crate) fn take(&mut self, news: News) -> Event {
        match news {
            News::Opened(after) => {
                self.opened += 1;
                let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
                self.latencies.saturating_record(micros);
                Event::Opened { count: self.opened }
            }
            News::Failed(why) => {
                self.failures.add(&why);
                Event::Failed { why }
            }
            News::Lost => {
                self.lost += 1;
                Event::Lost
            }
        }
    }

    /// In what time this part of the connections was open, counted from when each dialled: TCP,
    /// TLS and the opening handshake. `None` if there were none.
    pub fn latency(&self, quantile: f64) -> Option<Duration> {
        (!self.latencies.is_empty())
            .then(|| Duration::from_micros(self.latencies.value_at_quantile(quantile)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_those_of_what_was_opened() {
        let mut summary = Summary::new(100);
        assert_eq!(summary.latency(0.5), None);
        summary.take(News::Failed("refused".to_owned()));
        for n in 1..=100 {
            let event = summary.take(News::Opened(Duration::from_millis(n)));
            assert_eq!(event, Event::Opened { count: summary.opened });
        }
        summary.take(News::Lost);
        assert_eq!((summary.opened, summary.lost, summary.failures.total()), (100, 1, 1));
        for (quantile, millis) in [(0.5, 50_u128), (0.9, 90), (0.99, 99), (1.0, 100)] {
            assert_eq!(summary.latency(quantile).map(|time| time.as_millis()), Some(millis));
        }
    }

    #[test]
    fn the_longest_times_are_no_fault() {
        let mut summary = Summary::new(1);
        summary.take(News::Opened(Duration::MAX));
        assert!(summary.latency(1.0) >= Some(Duration::from_micros(LONGEST)));
    }
}
