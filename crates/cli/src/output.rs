//! Writing to the terminal. A reader that went away is no error.

use std::io::Write;

use tracing_subscriber::EnvFilter;

use crate::exit::Error;

/// Writes a line to stdout.
pub(crate) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Writes a line to stderr.
pub(crate) fn notice(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Writes an error to stderr.
pub(crate) fn error(error: &Error) {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    notice(&format!("{style}error{style:#}: {error}"));
}

/// Writes a warning to stderr.
pub(crate) fn warning(text: &str) {
    let style = anstyle::AnsiColor::Yellow.on_default().bold();
    notice(&format!("{style}warning{style:#}: {text}"));
}

/// Text from a peer, fit for a terminal: no control characters.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Like [`clean`], but keeps the line breaks.
pub(crate) fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// Turns on what `WSPROOF_LOG` asks for, such as `debug`.
pub(crate) fn start_logging() {
    let filter = EnvFilter::try_from_env("WSPROOF_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as in tests, changes nothing.
    let _ = subscriber.try_init();
}
