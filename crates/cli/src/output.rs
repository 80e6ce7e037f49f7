//! Writing to the terminal. A reader that went away is no error.

use std::{fmt::Write as _, fs, io::Write, path::Path};

use anstyle::{AnsiColor, Effects, Style};
use tracing_subscriber::EnvFilter;
use wsproof_report::summary::{Mark, Span};

use crate::exit::Error;

/// Writes a line to stdout.
pub(crate) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Writes a part of a line to stdout, at once.
pub(crate) fn part(text: &str) {
    let mut stdout = anstream::stdout();
    let _ = write!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Writes a line to stderr.
pub(crate) fn notice(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Writes an error to stderr.
pub(crate) fn error(error: &Error) {
    let style = AnsiColor::Red.on_default().bold();
    notice(&format!("{style}error{style:#}: {error}"));
}

/// Writes a warning to stderr.
pub(crate) fn warning(text: &str) {
    let style = AnsiColor::Yellow.on_default().bold();
    notice(&format!("{style}warning{style:#}: {text}"));
}

/// Writes pieces of a summary to stdout, in colour where the terminal has it.
pub(crate) fn spans(spans: &[Span]) {
    let mut text = String::new();
    for span in spans {
        let style = match span.mark {
            Mark::Fail => AnsiColor::Red.on_default(),
            Mark::Heading => Style::new().effects(Effects::BOLD),
            Mark::Muted => Style::new().effects(Effects::DIMMED),
            Mark::Pass => AnsiColor::Green.on_default(),
            Mark::Plain => Style::new(),
            Mark::Warn => AnsiColor::Yellow.on_default(),
        };
        let _ = write!(text, "{style}{}{style:#}", span.text);
    }
    line(text.trim_end());
}

/// Writes a file that is either there whole or not at all. What is no plain file is written to as it
/// is: nothing can take the place of a pipe or a terminal, and a link is to stay one.
pub(crate) fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let fault = |error| Error::failed(format!("write {}", path.display()), error);
    if path == Path::new("/dev/stdout") {
        // A file behind it that is opened anew is written from its beginning, where other lines are.
        let mut stdout = std::io::stdout().lock();
        return stdout.write_all(contents).and_then(|()| stdout.flush()).map_err(fault);
    }
    if fs::symlink_metadata(path).is_ok_and(|known| !known.is_file()) {
        return fs::write(path, contents).map_err(fault);
    }
    let partial = path.with_extension("partial");
    fs::write(&partial, contents).map_err(fault)?;
    fs::rename(&partial, path).map_err(fault)
}

/// Text from a peer, fit for a terminal: no control characters.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Octets as two hex digits each.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("there.xml"), "before").unwrap();
        for (target, link) in [("there.xml", "a.xml"), ("new.xml", "b.xml")] {
            symlink(target, path(link)).unwrap();
            write_whole(&path(link), b"after").unwrap();
            assert_eq!(fs::read_link(path(link)).unwrap(), Path::new(target));
            assert_eq!(fs::read(path(target)).unwrap(), b"after");
        }
        fs::create_dir(path("folder.xml")).unwrap();
        write_whole(&path("folder.xml"), b"text").unwrap_err();
        // Nothing is left beside them.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    }
}
