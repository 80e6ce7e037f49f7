//! The wire log in two lanes: the tester's on the left, the peer's on the right.

use wsproof_engine::{Entry, Opening, Outcome, What};
use wsproof_proto::{Deviation, FrameHeader, Role};

use crate::{
    log::{self, Lane, LogRow, millis},
    summary::{COLUMNS, Mark, Span, wrap},
    words::visible_octets,
};

/// Where a row begins, behind its time.
const LEFT: usize = 11;
/// How far the peer's lane is to the right.
pub(super) const SHIFT: usize = 14;
/// Columns of a lane.
const LANE: usize = COLUMNS - LEFT - SHIFT;
/// Lines of a head or a refusal's body that are shown.
const MAX_LINES: usize = 40;
/// Lines of a row that is told once more.
const FEW_LINES: usize = 3;

/// What is printed.
pub(super) struct Out(pub(super) Vec<Span>);

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Both,
    Peer,
    Tester,
}

/// Lines beside a time.
pub(super) struct Row {
    at: String,
    place: Place,
    wrong: bool,
    texts: Vec<(Mark, String)>,
}

impl Out {
    pub(super) fn add(&mut self, mark: Mark, text: impl Into<String>) {
        self.0.push(Span { mark, text: text.into() });
    }

    /// A lead and text that is wrapped beside it.
    pub(super) fn paragraph(&mut self, mark: Mark, lead: &str, text: &str) {
        let indent = " ".repeat(lead.chars().count());
        for (n, line) in lines(text, COLUMNS - indent.len()).into_iter().enumerate() {
            self.add(mark, if n == 0 { lead } else { &indent });
            self.add(Mark::Plain, format!("{line}\n"));
        }
    }

    pub(super) fn block(&mut self, lead: &str, texts: impl Iterator<Item = String>) {
        for (n, text) in texts.filter(|text| !text.is_empty()).enumerate() {
            self.paragraph(Mark::Muted, &format!("{:<10}", if n == 0 { lead } else { "" }), &text);
        }
    }

    /// A row about the log itself.
    fn remark(&mut self, text: String) {
        let texts = vec![(Mark::Muted, text)];
        self.row(Row { at: String::new(), place: Place::Both, wrong: false, texts });
    }

    /// A row: a time, a place, lines that are wrapped there. The first has a cross if it is wrong.
    pub(super) fn row(&mut self, row: Row) {
        let Row { at, place, wrong, texts } = row;
        let (shift, room) = match place {
            Place::Both => (0, COLUMNS - LEFT),
            Place::Peer => (SHIFT, LANE),
            Place::Tester => (0, LANE),
        };
        let mut first = true;
        for (mark, text) in texts {
            for line in lines(&text, room) {
                let at = if first { &*at } else { "" };
                let cross = if first && wrong { "✗ " } else { "  " };
                self.add(Mark::Muted, format!("{at:>9}{:shift$}", ""));
                self.add(if wrong { Mark::Fail } else { mark }, format!("{cross}{line}\n"));
                first = false;
            }
        }
    }
}

/// As [`wrap`], but no word is longer than a line.
fn lines(text: &str, room: usize) -> Vec<String> {
    let mut out = Vec::new();
    for line in wrap(text, room) {
        let mut rest: Vec<char> = line.chars().collect();
        while rest.len() > room {
            let tail = rest.split_off(room);
            out.push(rest.into_iter().collect());
            rest = tail;
        }
        out.push(rest.into_iter().collect());
    }
    out
}

/// What was seen of one connection so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    wrote: bool,
    read: bool,
    opened: bool,
    /// Octets of frames that are in the log and not yet written.
    owed: u64,
}

/// The wire log, and what is needed to read it.
pub(super) struct View<'a> {
    pub(super) role: Role,
    pub(super) entries: &'a [Entry],
    pub(super) openings: &'a [Opening],
    pub(super) deviations: &'a [Deviation],
}

impl<'a> From<&'a Outcome> for View<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        Self {
            role: outcome.role,
            entries: &outcome.transcript.entries,
            openings: &outcome.openings,
            deviations: &outcome.deviations,
        }
    }
}

impl View<'_> {
    /// Whether what came after an entry says what it was: the first read of a connection may be a
    /// part of an answer.
    fn is_settled(&self, index: usize) -> bool {
        let connection = self.entries[index].connection;
        let later = self.entries[index + 1..].iter().filter(|e| e.connection == connection);
        later.into_iter().any(|entry| {
            !matches!(
                entry.what,
                What::Read { .. } | What::Wrote { .. } | What::TimerStarted { .. }
            )
        })
    }
}

/// Goes through a wire log, all of it or as it grows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// What was seen of each connection.
    seen: Vec<Seen>,
    /// The entry that comes next.
    next: usize,
    /// How many rows of octets and frames are wanted at most.
    most: Option<usize>,
    /// How many there were.
    traffic: usize,
}

impl Rows {
    /// The rows of one entry alone, as the one that is wrong; no more than the first lines of it.
    pub(super) fn alone(out: &mut Out, view: &View<'_>, wanted: usize) {
        let mut rows = Self::default();
        while rows.next < view.entries.len().min(wanted + 1) {
            let row = rows.row(view, rows.next);
            if let Some(mut row) = row.filter(|_| rows.next == wanted) {
                row.texts.truncate(FEW_LINES);
                out.row(Row { wrong: true, ..row });
            }
            rows.next += 1;
        }
    }

    /// As [`Rows::default`], with so many rows of octets and frames at most.
    pub(super) fn at_most(rows: usize) -> Self {
        Self { most: Some(rows), ..Self::default() }
    }

    /// The rows that are new; of a log that is not `over`, as far as they are certain.
    pub(super) fn advance(
        &mut self,
        out: &mut Out,
        view: &View<'_>,
        marked: Option<usize>,
        over: bool,
    ) {
        while let Some(entry) = view.entries.get(self.next) {
            let is_first_read = matches!(entry.what, What::Read { .. })
                && !self.seen.get(entry.connection).is_some_and(|seen| seen.read);
            if is_first_read && !over && !view.is_settled(self.next) {
                return;
            }
            if let Some(mut row) = self.row(view, self.next) {
                row.wrong |= marked == Some(self.next);
                let is_traffic = !row.wrong && !matches!(row.place, Place::Both);
                self.traffic += usize::from(is_traffic);
                let beyond = self.most.map_or(0, |most| self.traffic.saturating_sub(most));
                if !is_traffic || beyond == 0 {
                    out.row(row);
                } else if beyond == 1 {
                    out.remark("from here on octets and frames are only counted".to_owned());
                }
            }
            self.next += 1;
        }
    }

    /// The row of an entry; nothing if others say the same.
    fn row(&mut self, view: &View<'_>, index: usize) -> Option<Row> {
        let entry = &view.entries[index];
        self.seen.resize(view.openings.len().max(1), Seen::default());
        let seen = self.seen.get_mut(entry.connection)?;
        let opening = view.openings.get(entry.connection);
        let at = millis(entry.at);
        let heads = opening.map(|opening| match view.role {
            Role::Client => (&opening.request, &opening.response),
            Role::Server => (&opening.response, &opening.request),
        });
        match &entry.what {
            What::Wrote { .. } if !std::mem::replace(&mut seen.wrote, true) => {
                let texts = head(heads.map_or(&[], |(ours, _)| ours));
                return Some(Row { at, place: Place::Tester, wrong: false, texts });
            }
            What::Wrote { len, .. } => {
                let owed = seen.owed;
                seen.owed = owed.saturating_sub(*len as u64);
                if owed > 0 {
                    return None;
                }
            }
            What::Read { .. } if !std::mem::replace(&mut seen.read, true) => {
                let mut texts = head(heads.map_or(&[], |(_, theirs)| theirs));
                if let Some(opening) = opening.filter(|opening| !opening.body.is_empty()) {
                    texts.push((Mark::Plain, String::new()));
                    texts.extend(head(&opening.body));
                }
                return Some(Row { at, place: Place::Peer, wrong: false, texts });
            }
            // A read that ends a frame is told by the frame.
            What::Read { .. } => {
                let mut later = view.entries[index + 1..].iter();
                let next = later.find(|e| e.connection == entry.connection);
                let cut = next.is_none_or(|next| {
                    !matches!(next.what, What::FrameReceived { .. } | What::Deviates { .. })
                });
                if !cut || !seen.opened {
                    return None;
                }
            }
            What::FrameSent { header, .. } => {
                seen.owed = seen.owed.saturating_add(header.frame_len());
            }
            What::Opened => seen.opened = true,
            // What comes of it is told: the wait, or what ended it.
            What::TimerStarted { .. } => return None,
            What::TimerExpired { timer, mark } => {
                let waited = waited(&view.entries[..index], entry);
                let name = log::timer_name(*timer);
                let text = format!("- - - {waited}{name}{}", log::mark_words(mark.as_deref()));
                let texts = vec![(Mark::Muted, text)];
                return Some(Row { at, place: Place::Both, wrong: false, texts });
            }
            _ => {}
        }
        let several = view.openings.len() > 1;
        let row = log::row(&entry.what);
        let bad = match &entry.what {
            What::FrameReceived { header, offset, .. } => {
                bad_octets(view.deviations, *offset, header)
            }
            _ => Vec::new(),
        };
        let place = match row.lane {
            Lane::Both => Place::Both,
            Lane::PeerFrame | Lane::PeerOctets | Lane::PeerWrong => Place::Peer,
            Lane::TesterFrame | Lane::TesterOctets | Lane::TesterOwnWrite => Place::Tester,
        };
        let wrong = row.lane == Lane::PeerWrong;
        let connection = several.then_some(entry.connection + 1);
        Some(Row { at, place, wrong, texts: texts(row, connection, &bad) })
    }

    /// What is not shown, at the end.
    pub(super) fn left_out(&self, out: &mut Out, outcome: &Outcome) {
        let hidden = self.most.map_or(0, |most| self.traffic.saturating_sub(most));
        if hidden > 0 {
            out.remark(format!("{hidden} more, not printed; --pcapng DIR keeps them"));
        }
        if outcome.transcript.omitted > 0 {
            out.remark(format!("{} more, not kept", outcome.transcript.omitted));
        }
        if !outcome.log_was_on {
            out.remark("octets and frames were not logged any more".to_owned());
        }
    }
}

fn waited(before: &[Entry], expired: &Entry) -> String {
    log::timer_ran(before, expired)
        .map_or_else(String::new, |after| format!("waited {} ms: ", after.as_millis()))
}

/// The lines of a row; the octets at these places of a frame are put into brackets.
fn texts(row: LogRow, connection: Option<usize>, bad: &[u64]) -> Vec<(Mark, String)> {
    let name = row.name.trim_start_matches("✗ ");
    let mut title = [name, &row.words].join("  ").trim().to_owned();
    if let Some(connection) = connection {
        title = format!("{title} (connection {connection})");
    }
    let mark = match row.lane {
        Lane::Both | Lane::PeerOctets | Lane::TesterOctets | Lane::TesterOwnWrite => Mark::Muted,
        _ => Mark::Heading,
    };
    let mut texts = vec![(mark, title)];
    let mut at = 0;
    let mut pieces = Vec::new();
    for piece in &row.octets {
        let octets = piece.wire.iter().map(|octet| {
            let is_bad = bad.contains(&at);
            at += 1;
            if is_bad { format!("[{octet:02X}]") } else { format!("{octet:02X}") }
        });
        let more = if piece.more { " .." } else { "" };
        pieces.push(octets.collect::<Vec<_>>().join(" ") + more);
    }
    if !pieces.is_empty() {
        texts.push((Mark::Plain, pieces.join("|")));
    }
    // Octets that are no text at all and not masked were just shown.
    let repeats = row.octets.len() == 2
        && row.text.starts_with('<')
        && row.text.find('>') == Some(row.text.len() - 1);
    if !row.text.is_empty() && !repeats {
        texts.push((Mark::Plain, row.text));
    }
    texts
}

/// Where in a frame that began at `offset` octets deviate.
fn bad_octets(deviations: &[Deviation], offset: u64, header: &FrameHeader) -> Vec<u64> {
    let frame = offset..offset.saturating_add(header.frame_len());
    let within = deviations.iter().filter(|deviation| frame.contains(&deviation.offset));
    within.map(|deviation| deviation.offset - offset).collect()
}

/// A head of the opening handshake, or a body, as lines.
fn head(octets: &[u8]) -> Vec<(Mark, String)> {
    let text: Vec<_> = octets.split(|octet| *octet == b'\n').collect();
    let ends = |line: &&[u8]| line.strip_suffix(b"\r").unwrap_or(line).is_empty();
    let blank = text.iter().rev().take_while(|line| ends(line)).count();
    let shown = &text[..text.len() - blank];
    let mut lines: Vec<_> = shown
        .iter()
        .take(MAX_LINES)
        .enumerate()
        .map(|(n, line)| {
            let mark = if n == 0 { Mark::Heading } else { Mark::Plain };
            (mark, visible_octets(line.strip_suffix(b"\r").unwrap_or(line)))
        })
        .collect();
    if shown.len() > MAX_LINES {
        lines.push((Mark::Muted, format!("and {} more lines", shown.len() - MAX_LINES)));
    }
    lines
}
