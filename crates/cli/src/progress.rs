//! What is shown while a run goes on: a bar on a terminal, plain lines in a pipe.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// The progress of one peer's cases.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    shown: usize,
}

/// Lines about single cases that are shown while the run goes on; the report has them all.
const MAX_LINES: usize = 20;

impl Progress {
    pub(crate) fn new(title: &str, cases: usize) -> Self {
        output::notice(title);
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(cases as u64);
            let style = "{bar:30} {pos}/{len} cases {elapsed} {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, shown: 0 }
    }

    pub(crate) fn started(&self, case: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(case.to_owned());
        }
    }

    pub(crate) fn settled(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// A line that stays, such as a failure.
    pub(crate) fn say(&mut self, line: &str) {
        self.shown += 1;
        if self.shown > MAX_LINES {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| output::notice(line)),
            None => output::notice(line),
        }
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
