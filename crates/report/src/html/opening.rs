//! The opening handshake, octet by octet: what cannot be seen is spelled out.

use std::fmt::Write;

use wsproof_engine::Opening;
use wsproof_proto::{
    Violation,
    deflate::{Agreement, Compression},
};

use super::Cite;
use crate::words::{number, visible_octets};

/// Octets of a head or body that are shown.
const SHOWN: usize = 16 << 10;

pub(super) struct OpeningView {
    pub(super) number: String,
    pub(super) request: String,
    pub(super) response: String,
    pub(super) body: String,
    /// What is special about the answer, each with its colour.
    pub(super) notes: Vec<(String, &'static str)>,
    pub(super) violations: Vec<(&'static str, Cite)>,
}

impl OpeningView {
    /// `number` counts the connections of a case from 1; 0 if there is only one.
    pub(super) fn new(opening: &Opening, number: usize) -> Self {
        let nothing = |octets: &[u8], text: &str| {
            if octets.is_empty() { text.to_owned() } else { dump(octets) }
        };
        let mut notes: Vec<_> =
            opening.agreement.into_iter().map(|agreed| (agreement(agreed), "")).collect();
        if !opening.response.is_empty() && !opening.response.ends_with(b"\r\n\r\n") {
            let text = "The response has no empty line at its end: it is not complete.";
            notes.push((text.to_owned(), "warn"));
        }
        Self {
            number: if number == 0 { String::new() } else { format!(" {number}") },
            request: nothing(&opening.request, "(no octet)"),
            response: nothing(&opening.response, "(no octet)"),
            body: nothing(&opening.body, ""),
            notes,
            violations: violations(&opening.violations),
        }
    }
}

/// Octets as lines. CR LF is a line's end; everything else that cannot be seen is named, and so
/// are blanks at the end of a line.
pub(super) fn dump(octets: &[u8]) -> String {
    let (shown, rest) = octets.split_at(octets.len().min(SHOWN));
    let mut out = String::new();
    let mut lines = shown.split(|octet| *octet == b'\n').peekable();
    while let Some(line) = lines.next() {
        let last = lines.peek().is_none();
        let (line, end) = match line.strip_suffix(b"\r") {
            Some(line) if !last => (line, ""),
            _ if last => (line, ""),
            _ => (line, "<LF alone>"),
        };
        let text = line.trim_ascii_end();
        out.push_str(&visible_octets(text));
        for blank in &line[text.len()..] {
            out.push_str(match blank {
                b' ' => "<SP>",
                b'\t' => "<TAB>",
                _ => "<CR alone>",
            });
        }
        out.push_str(end);
        if !last {
            out.push('\n');
        }
    }
    // The empty line is the end of every head; without it there is a note.
    let mut out = out.trim_end_matches('\n').to_owned();
    if !rest.is_empty() {
        let _ = write!(out, "\n… and {}", number(rest.len(), "more octet"));
    }
    out
}

/// How both ends compress.
fn agreement(agreement: Agreement) -> String {
    let way = |who: &str, how: Compression| {
        let memory = if how.context_takeover { "messages refer" } else { "no message refers" };
        format!("the {who} with a window of {} bits, {memory} to earlier ones", how.window_bits)
    };
    format!(
        "Agreed on permessage-deflate: {}; {}.",
        way("server", agreement.server),
        way("client", agreement.client)
    )
}

fn violations(violations: &[Violation]) -> Vec<(&'static str, Cite)> {
    violations.iter().map(|v| (v.describe(), Cite::from(*v))).collect()
}

#[cfg(test)]
mod tests {
    use super::dump;

    fn check(octets: &[u8], text: &str) {
        assert_eq!(dump(octets), text);
    }

    #[test]
    fn nothing_stays_unseen() {
        check(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\nHost: x");
        check(b"a \t\r\nb\nc\r", "a<SP><TAB>\nb<LF alone>\nc<CR alone>");
        check("\u{202e}\u{feff}\0é".as_bytes(), "<U+202E><U+FEFF><U+0000>é");
        check(b"a\xff", "a<FF>");
        check(b"", "");
    }

    #[test]
    fn endless_heads_are_cut() {
        let text = dump(&vec![b'x'; 20_000]);
        assert!(text.ends_with("x\n… and 3616 more octets"), "{}", &text[text.len() - 60..]);
    }
}
