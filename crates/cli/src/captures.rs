//! Captures of attempts: written into a folder, and what they lack is said.

use std::path::Path;

use wsproof_engine::Case;
use wsproof_report::{Results, conversation, number, pcapng};

use crate::{exit::Error, output, stored};

/// Writes a capture of each attempt.
pub(crate) fn write(folder: &Path, results: &Results, cases: &[Case]) -> Result<(), Error> {
    let (mut all, mut lacking, mut octets) = (0, 0, 0_u64);
    // One by one: they are large.
    for captured in pcapng::files(results, cases) {
        stored::write(folder, &[captured.file])?;
        all += 1;
        lacking += usize::from(captured.missing > 0);
        octets = octets.saturating_add(captured.missing);
    }
    let mut text = format!("{}, {}", folder.display(), number(all, "file"));
    if lacking > 0 {
        let those = if all == 1 { "it lacks".to_owned() } else { format!("{lacking} lack") };
        let lack = format!("{octets} octets that the log does not have");
        text = format!("{text}; {those} {lack}, as comments of packets say");
    }
    output::spans(&conversation::line("captures", &text));
    Ok(())
}
