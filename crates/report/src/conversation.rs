//! An attempt as a conversation for the terminal: the wire log in two lanes, then the verdicts.
//!
//! Lines fit into 80 columns. Reads and writes are shown where no frame says the same.

use wsproof_engine::{Accept, Case, Entry, Outcome, Timer, What};
use wsproof_proto::{FrameHeader, Role};

use crate::{
    JudgeKind, Line, Results, account,
    causes::{self, Cause, Rule},
    contract::Attempt,
    log::{self, Lane, LogRow, millis},
    summary::{COLUMNS, Mark, Span, sides, wrap},
    words::{judge_name, other, visible, visible_octets},
};

/// Where a row begins, behind its time.
const LEFT: usize = 11;
/// How far the peer's lane is to the right.
const SHIFT: usize = 14;
/// Columns of a lane.
const LANE: usize = COLUMNS - LEFT - SHIFT;
/// Lines of a head or a refusal's body that are shown.
const MAX_LINES: usize = 40;

/// The whole of it: what happened, what was expected and observed, and both judgements.
pub fn render(case: Option<&Case>, attempt: &Attempt, judge: JudgeKind) -> Vec<Span> {
    let mut out = Out(Vec::new());
    out.add(Mark::Muted, format!("{:>9}  {:SHIFT$}peer\n", "ms", "tester"));
    let found = case.and_then(|case| cause(case, attempt, judge));
    log_rows(&mut out, attempt, marked(case, attempt, judge, found.as_ref()));
    out.add(Mark::Plain, "\n");
    if let Some(found) = &found {
        let Rule { rfc, section, .. } = found.rule;
        let rule = format!("{} (RFC {rfc}, {section})", visible(&found.sentence));
        out.paragraph(Mark::Fail, "cause     ", &rule);
        for (name, side) in sides(found) {
            out.paragraph(Mark::Muted, &format!("{name:<10}"), &side);
        }
        let place = found.place.map(|place| place.words()).filter(|place| !place.is_empty());
        out.block("at", place.into_iter());
    } else if let Some(case) = case {
        let expected = account::expected(case).into_iter().map(|(name, events)| {
            let lead = if name == "Accepted" { String::new() } else { format!("{name}: ") };
            format!("{lead}{}", events.join(", then "))
        });
        out.block("expected", expected.chain(account::close_expected(case)));
    }
    let outcome = &attempt.outcome;
    let closing = account::close_observed(&outcome.closing);
    out.block("observed", account::observed(outcome).into_iter().chain(closing));
    for kind in [judge, other(judge)] {
        let judgement = attempt.judgement(kind);
        let mark = if judgement.deviates() { Mark::Fail } else { Mark::Pass };
        let half = |name: &str, why: &str| match why {
            "" => name.to_owned(),
            why => format!("{name}: {}", visible(why)),
        };
        let lead = format!("{:<10}", judge_name(kind));
        out.paragraph(mark, &lead, &half(judgement.behavior.name(), &judgement.reason));
        let close = half(judgement.close.name(), &judgement.close_reason);
        out.paragraph(mark, &" ".repeat(10), &format!("closing {close}"));
    }
    out.0
}

/// A line that stands with the rest, wrapped beside its lead.
pub fn line(lead: &str, text: &str) -> Vec<Span> {
    let mut out = Out(Vec::new());
    out.paragraph(Mark::Muted, &format!("{lead:<10}"), &visible(text));
    out.0
}

/// In what a later attempt differs from an earlier one: verdicts, codes, events. Nothing if it
/// came out the same.
pub fn differences(before: &Attempt, after: &Attempt) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in [JudgeKind::Rfc, JudgeKind::Classic] {
        let (was, is) = (before.judgement(kind), after.judgement(kind));
        let name = judge_name(kind);
        let mut differ = |what: &str, was: &str, is: &str| {
            if was != is {
                lines.push(format!("{name} {what} was {}, is {}", visible(was), visible(is)));
            }
        };
        differ("judgement", was.behavior.name(), is.behavior.name());
        differ("judgement of the closing", was.close.name(), is.close.name());
    }
    let code = |attempt: &Attempt| {
        let code = attempt.outcome.closing.remote_code;
        code.map_or_else(|| "none".to_owned(), account::code_words)
    };
    let status = |attempt: &Attempt| {
        let status = attempt.outcome.openings.first().and_then(|opening| opening.status);
        status.map_or_else(|| "none".to_owned(), |status| status.to_string())
    };
    let end = |attempt: &Attempt| {
        attempt.outcome.closing.tcp_end.map_or("nothing said", log::tcp_end).to_owned()
    };
    let events = |attempt: &Attempt| {
        let events = attempt.outcome.events.iter().map(|event| event.what.describe());
        let events: Vec<_> = events.collect();
        if events.is_empty() { "none".to_owned() } else { events.join(", then ") }
    };
    for (what, of) in [
        ("the status of the answer", &status as &dyn Fn(&Attempt) -> String),
        ("what was received", &events),
        ("the peer's close code", &code),
        ("the end of TCP", &end),
    ] {
        let (was, is) = (visible(&of(before)), visible(&of(after)));
        if was != is {
            lines.push(format!("{what}: was {was}; is {is}"));
        }
    }
    lines
}

struct Out(Vec<Span>);

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Both,
    Peer,
    Tester,
}

impl Out {
    fn add(&mut self, mark: Mark, text: impl Into<String>) {
        self.0.push(Span { mark, text: text.into() });
    }

    /// A lead and text that is wrapped beside it.
    fn paragraph(&mut self, mark: Mark, lead: &str, text: &str) {
        let indent = " ".repeat(lead.chars().count());
        for (n, line) in lines(text, COLUMNS - indent.len()).into_iter().enumerate() {
            self.add(mark, if n == 0 { lead } else { &indent });
            self.add(Mark::Plain, format!("{line}\n"));
        }
    }

    fn block(&mut self, lead: &str, texts: impl Iterator<Item = String>) {
        for (n, text) in texts.filter(|text| !text.is_empty()).enumerate() {
            self.paragraph(Mark::Muted, &format!("{:<10}", if n == 0 { lead } else { "" }), &text);
        }
    }

    /// A row: a time, a place, lines that are wrapped there. The first has a cross if it is wrong.
    fn row(&mut self, at: &str, place: Place, wrong: bool, texts: Vec<(Mark, String)>) {
        let (shift, room) = match place {
            Place::Both => (0, COLUMNS - LEFT),
            Place::Peer => (SHIFT, LANE),
            Place::Tester => (0, LANE),
        };
        let mut first = true;
        for (mark, text) in texts {
            for line in lines(&text, room) {
                let at = if first { at } else { "" };
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
#[derive(Clone, Copy, Default)]
struct Seen {
    wrote: bool,
    read: bool,
    opened: bool,
    /// Octets of frames that are in the log and not yet written.
    owed: u64,
}

fn log_rows(out: &mut Out, attempt: &Attempt, marked: Option<usize>) {
    let outcome = &attempt.outcome;
    let entries = &outcome.transcript.entries;
    let mut seen = vec![Seen::default(); outcome.openings.len().max(1)];
    for (index, entry) in entries.iter().enumerate() {
        let Some(seen) = seen.get_mut(entry.connection) else { continue };
        let opening = outcome.openings.get(entry.connection);
        let at = millis(entry.at);
        let wrong = marked == Some(index);
        let heads = opening.map(|opening| match outcome.role {
            Role::Client => (&opening.request, &opening.response),
            Role::Server => (&opening.response, &opening.request),
        });
        match &entry.what {
            What::Wrote { .. } if !std::mem::replace(&mut seen.wrote, true) => {
                out.row(&at, Place::Tester, wrong, head(heads.map_or(&[], |(ours, _)| ours)));
                continue;
            }
            What::Wrote { len, .. } => {
                let owed = seen.owed;
                seen.owed = owed.saturating_sub(*len as u64);
                if owed > 0 {
                    continue;
                }
            }
            What::Read { .. } if !std::mem::replace(&mut seen.read, true) => {
                let mut texts = head(heads.map_or(&[], |(_, theirs)| theirs));
                if let Some(opening) = opening.filter(|opening| !opening.body.is_empty()) {
                    texts.push((Mark::Plain, String::new()));
                    texts.extend(head(&opening.body));
                }
                out.row(&at, Place::Peer, wrong, texts);
                continue;
            }
            // A read that ends a frame is told by the frame.
            What::Read { .. } => {
                let next = entries[index + 1..].iter().find(|e| e.connection == entry.connection);
                let cut = next.is_none_or(|next| {
                    !matches!(next.what, What::FrameReceived { .. } | What::Deviates { .. })
                });
                if !cut || !seen.opened {
                    continue;
                }
            }
            What::FrameSent { header, .. } => {
                seen.owed = seen.owed.saturating_add(octets_of(header));
            }
            What::Opened => seen.opened = true,
            // What comes of it is told: the wait, or what ended it.
            What::TimerStarted { .. } => continue,
            What::TimerExpired { timer, mark } => {
                let waited = waited(&entries[..index], entry);
                let name = log::timer_name(*timer);
                let text = format!("- - - {waited}{name}{}", log::mark_words(mark.as_deref()));
                out.row(&at, Place::Both, wrong, vec![(Mark::Muted, text)]);
                continue;
            }
            _ => {}
        }
        let several = outcome.openings.len() > 1;
        let row = log::row(&entry.what);
        let bad = match &entry.what {
            What::FrameReceived { header, offset, .. } => bad_octets(outcome, *offset, header),
            _ => Vec::new(),
        };
        let place = match row.lane {
            Lane::Both => Place::Both,
            Lane::PeerFrame | Lane::PeerOctets | Lane::PeerWrong => Place::Peer,
            Lane::TesterFrame | Lane::TesterOctets | Lane::TesterOwnWrite => Place::Tester,
        };
        let wrong = wrong || row.lane == Lane::PeerWrong;
        let connection = several.then_some(entry.connection + 1);
        out.row(&at, place, wrong, texts(row, connection, &bad));
    }
    if outcome.transcript.omitted > 0 {
        let text = format!("{} more, not kept", outcome.transcript.omitted);
        out.row("", Place::Both, false, vec![(Mark::Muted, text)]);
    }
    if !outcome.log_was_on {
        let text = "octets and frames were not logged any more".to_owned();
        out.row("", Place::Both, false, vec![(Mark::Muted, text)]);
    }
}

/// For how long a timer ran that has now expired.
fn waited(before: &[Entry], expired: &Entry) -> String {
    let What::TimerExpired { timer, .. } = &expired.what else { return String::new() };
    let started = before.iter().rev().find_map(|entry| match &entry.what {
        What::TimerStarted { timer: started, after, .. }
            if started == timer && entry.connection == expired.connection =>
        {
            Some(*after)
        }
        _ => None,
    });
    started.map_or_else(String::new, |after| format!("waited {} ms: ", after.as_millis()))
}

fn octets_of(header: &FrameHeader) -> u64 {
    let mut octets = Vec::new();
    header.encode(&mut octets);
    (octets.len() as u64).saturating_add(header.length)
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
fn bad_octets(outcome: &Outcome, offset: u64, header: &FrameHeader) -> Vec<u64> {
    let frame = offset..offset.saturating_add(octets_of(header));
    let within = outcome.deviations.iter().filter(|deviation| frame.contains(&deviation.offset));
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

/// The entry that decides, if the attempt deviates: what its cause says, else where the tester's
/// patience ended, else where TCP did.
fn marked(
    case: Option<&Case>,
    attempt: &Attempt,
    judge: JudgeKind,
    found: Option<&Cause>,
) -> Option<usize> {
    if !attempt.judgement(judge).deviates() {
        return None;
    }
    let entries = &attempt.outcome.transcript.entries;
    let deciding = found.and_then(|found| found.deciding);
    let limit = |what: &What| match what {
        What::TimerExpired { timer, .. } => *timer != Timer::Wait,
        _ => false,
    };
    let is_class = case.is_some_and(|case| matches!(case.accept, Accept::Class(_)));
    let first = |is: &dyn Fn(&What) -> bool| entries.iter().position(|entry| is(&entry.what));
    let answer = || first(&|what| matches!(what, What::Read { .. }));
    let refused = attempt.outcome.opened_at.is_none() || is_class;
    deciding
        .or_else(|| answer().filter(|_| refused))
        .or_else(|| first(&limit))
        .or_else(|| first(&|what| matches!(what, What::TcpEnded { .. })))
}

/// Why the attempt deviates, found as for the report.
fn cause(case: &Case, attempt: &Attempt, judge: JudgeKind) -> Option<Cause> {
    let mut results = Results::default();
    results.push(Line::Attempt(Box::new(attempt.clone())));
    let cases = std::slice::from_ref(case);
    causes::causes(&results, &attempt.peer, judge, cases).into_iter().next()
}
