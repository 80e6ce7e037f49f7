//! The conversation on a card: what both ends said, without reads, writes and timers.

use std::time::Duration;

use wsproof_engine::{Entry, Outcome, Timer, What};
use wsproof_proto::{Deviation, FrameHeader, Role};

use crate::{
    log::{self, LogRow},
    refusals::status_line,
    words::{number, spaced_hex, visible},
};

/// Rows that are drawn; the page of the case has the others.
const ROWS: usize = 60;
/// Rows of a conversation in short.
const FEW: usize = 8;
/// What the markup of a row takes, in octets.
const MARKUP: usize = 200;

/// What octets of a frame are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Header or mask.
    Frame,
    /// The first octet that deviates.
    Marked,
    Payload,
}

/// A row of a conversation.
pub(super) struct Row {
    pub(super) number: usize,
    pub(super) at: String,
    /// `tester`, `peer` or `both`.
    pub(super) side: &'static str,
    pub(super) wrong: bool,
    /// For those who do not see where it stands.
    pub(super) who: &'static str,
    pub(super) name: String,
    pub(super) words: String,
    pub(super) octets: Vec<(String, Part)>,
    pub(super) text: String,
    /// Lines that open on demand.
    pub(super) more: String,
}

impl Row {
    fn mark_wrong(&mut self) {
        self.wrong = true;
        if self.side == "peer" {
            self.who = "peer sends, wrong:";
        }
    }
}

/// A conversation, as far as it is drawn.
pub(super) struct Talk {
    pub(super) rows: Vec<Row>,
    pub(super) left: usize,
    pub(super) words: String,
}

impl Talk {
    /// `deciding` is the entry of the transcript that is marked; without one the first wait is.
    /// `at` is the octet of its frame that deviates.
    pub(super) fn new(outcome: &Outcome, deciding: Option<usize>, at: Option<u64>) -> Self {
        let at = at.and_then(|at| usize::try_from(at).ok());
        let mut rows = rows(outcome, deciding, at);
        if deciding.is_none()
            && let Some(wait) =
                rows.iter_mut().find(|row| row.side == "both" && !row.name.is_empty())
        {
            wait.wrong = true;
        }
        let words =
            format!("{}, {} ms", number(rows.len(), "event"), log::millis(outcome.ended_at));
        for (number, row) in (1..).zip(&mut rows) {
            row.number = number;
        }
        let mut talk = Self { rows, left: 0, words };
        talk.cut(ROWS);
        talk
    }

    /// Keeps the rows around the one that decides.
    pub(super) fn shorten(&mut self) {
        self.cut(FEW);
        for row in &mut self.rows {
            // Both heads are on the page of the case.
            row.more.clear();
        }
    }

    fn cut(&mut self, most: usize) {
        let marked = self.rows.iter().position(|row| row.wrong).unwrap_or_default();
        let over = self.rows.len().saturating_sub(most);
        let first = marked.saturating_sub(most / 2).min(over);
        self.left += over;
        self.rows = self.rows.drain(..).skip(first).take(most).collect();
    }

    /// About how many octets of the page it takes.
    pub(super) fn size(&self) -> usize {
        let octets = |row: &Row| row.octets.iter().map(|(octets, _)| octets.len()).sum::<usize>();
        let row =
            |row: &Row| MARKUP + row.words.len() + row.text.len() + row.more.len() + octets(row);
        self.rows.iter().map(row).sum()
    }
}

fn rows(outcome: &Outcome, deciding: Option<usize>, at: Option<usize>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut heads = outcome.openings.iter();
    let mut opening = heads.next();
    let mut asked = false;
    let mut answered = false;
    // What is wrong with the frame that is under way.
    let mut wrong: Option<Deviation> = None;
    let mut told = None;
    let entries = &outcome.transcript.entries;
    for (index, entry) in entries.iter().enumerate() {
        let decides = deciding == Some(index);
        match &entry.what {
            What::Connected if outcome.role == Role::Client => {
                if asked {
                    opening = heads.next();
                }
                asked = false;
                answered = false;
            }
            What::Wrote { .. } | What::Read { .. } if !asked => {
                asked = true;
                if let Some(opening) = opening {
                    rows.push(request(entry, outcome, &opening.request));
                }
            }
            What::Read { .. } | What::Opened if asked && !answered => {
                answered = true;
                if let Some(opening) = opening.filter(|opening| !opening.response.is_empty()) {
                    let mut row = response(entry, outcome, opening);
                    row.wrong = !opening.violations.is_empty();
                    rows.push(row);
                }
            }
            What::FrameSent { .. } => rows.push(frame(entry, None, None)),
            What::FrameReceived { header, offset, .. } => {
                let own = wrong.take_if(|deviation| holds(header, *offset, deviation.offset));
                let mut row = frame(entry, own, at.filter(|_| decides));
                if decides {
                    row.mark_wrong();
                }
                rows.push(row);
            }
            What::Deviates { deviation } => {
                let complete = entries[index..].iter().any(|later| {
                    matches!(&later.what, What::FrameReceived { header, offset, .. }
                        if holds(header, *offset, deviation.offset))
                });
                if complete {
                    wrong.get_or_insert(*deviation);
                    told = Some(deviation.violation);
                } else if told == Some(deviation.violation) && rows.last().is_some_and(|r| r.wrong)
                {
                    // The end of a text is found wrong once more.
                } else {
                    rows.push(deviates(entry, *deviation));
                }
            }
            What::TimerExpired { timer, mark } => {
                let after = log::timer_ran(&entries[..index], entry);
                rows.push(wait(entry, *timer, after, mark.as_deref()));
            }
            What::WriteShutDown => rows.push(end(entry, "tester", "ends its sending half of TCP")),
            // What was on its way is still written when the tester ends TCP; the end comes last.
            What::TcpEnded { .. } if sends_more(&entries[index + 1..]) => {}
            What::TcpEnded { by } => rows.push(tcp_end(entry, *by)),
            _ => {}
        }
    }
    let says_end = |entry: &Entry| matches!(entry.what, What::TcpEnded { .. });
    if let (false, Some(by)) = (entries.last().is_some_and(says_end), outcome.closing.tcp_end) {
        let what = What::TcpEnded { by };
        let last = entries.last().map_or(outcome.ended_at, |entry| entry.at.max(outcome.ended_at));
        rows.push(tcp_end(&Entry { at: last, connection: 0, what }, by));
    }
    rows
}

/// Whether frames follow on the same connection.
fn sends_more(entries: &[Entry]) -> bool {
    let mut same = entries.iter().take_while(|entry| !matches!(entry.what, What::Connected));
    same.any(|entry| matches!(entry.what, What::FrameSent { .. }))
}

/// Whether a frame holds an octet of the stream.
fn holds(header: &FrameHeader, offset: u64, at: u64) -> bool {
    offset <= at && at < offset.saturating_add(header.frame_len())
}

fn row(entry: &Entry, side: &'static str) -> Row {
    Row {
        number: 0,
        at: log::millis(entry.at),
        side,
        wrong: false,
        who: match side {
            "tester" => "tester sends",
            "peer" => "peer sends",
            _ => "",
        },
        name: String::new(),
        words: String::new(),
        octets: Vec::new(),
        text: String::new(),
        more: String::new(),
    }
}

fn sides(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Client => ("tester", "peer"),
        Role::Server => ("peer", "tester"),
    }
}

fn request(entry: &Entry, outcome: &Outcome, head: &[u8]) -> Row {
    let (client, _) = sides(outcome.role);
    let offers = crate::causes::wire::lines_of(head, "sec-websocket-extensions");
    let offers = offers.first().and_then(|line| line.split_once(": ")).map(|(_, value)| value);
    let offers =
        offers.map_or_else(|| "offers nothing".to_owned(), |value| format!("offers {value}"));
    let octets = number(head.len(), "octet");
    Row {
        name: "GET".to_owned(),
        words: format!("upgrade, {octets}, {offers}"),
        more: super::opening::dump(head),
        ..row(entry, client)
    }
}

fn response(entry: &Entry, outcome: &Outcome, opening: &wsproof_engine::Opening) -> Row {
    let (_, server) = sides(outcome.role);
    let line = status_line(opening);
    let rest = line.strip_prefix("HTTP/1.1 ").unwrap_or(&line);
    let (name, words) = rest.split_once(' ').unwrap_or((rest, ""));
    Row {
        name: name.to_owned(),
        words: format!("{words}, {}", number(opening.response.len(), "octet")),
        more: super::opening::dump(&opening.response),
        ..row(entry, server)
    }
}

/// A frame, with the octet apart that deviates, where one does.
fn frame(entry: &Entry, wrong: Option<Deviation>, mark: Option<usize>) -> Row {
    let LogRow { lane, name, words, octets, text, .. } = log::row(&entry.what);
    let side = if lane == log::Lane::TesterFrame { "tester" } else { "peer" };
    let octets = parts(octets, mark);
    let mut row = Row { name, words, octets, text, ..row(entry, side) };
    if let Some(deviation) = wrong {
        row.words = format!("{}: {}", row.words, deviation.violation.describe());
        row.mark_wrong();
    }
    row
}

/// Header, mask and payload in hex, with the marked octet apart.
fn parts(pieces: Vec<log::Octets>, mark: Option<usize>) -> Vec<(String, Part)> {
    let several = pieces.len() > 1;
    let mut parts = Vec::new();
    let mut start = 0;
    for (n, piece) in pieces.into_iter().enumerate() {
        let part = if piece.quiet || n == 0 && several { Part::Frame } else { Part::Payload };
        let length = piece.wire.len();
        match mark.and_then(|mark| mark.checked_sub(start)).filter(|at| *at < length) {
            Some(at) => {
                let rest = log::Octets { wire: piece.wire[at + 1..].to_vec(), ..piece };
                parts.push((spaced_hex(&piece.wire[..at]), part));
                parts.push((spaced_hex(&piece.wire[at..=at]), Part::Marked));
                parts.push((rest.hex(), part));
            }
            None => parts.push((piece.hex(), part)),
        }
        start += length;
    }
    parts.retain(|(octets, _)| !octets.is_empty());
    parts
}

fn deviates(entry: &Entry, deviation: Deviation) -> Row {
    Row {
        wrong: true,
        who: "peer sends, wrong:",
        name: deviation.violation.describe().to_owned(),
        words: format!("at octet {} of its stream", deviation.offset),
        ..row(entry, "peer")
    }
}

fn wait(entry: &Entry, timer: Timer, after: Option<Duration>, mark: Option<&str>) -> Row {
    let span = after.map_or_else(String::new, |after| {
        if after.subsec_millis() == 0 {
            format!("{} s", after.as_secs())
        } else {
            format!("{} ms", after.as_millis())
        }
    });
    let words = match timer {
        Timer::Await => format!("waited {span} for the echoes"),
        Timer::CloseAfter => format!("waited {span} for what is due; the tester closes"),
        Timer::KillAfter => format!("waited {span} for the peer; the tester ends the connection"),
        Timer::CloseHandshake => format!("waited {span} for the answer to the close frame"),
        Timer::OpenHandshake => format!("waited {span} for the opening handshake"),
        Timer::ServerDrop => format!("waited {span} for the server to end TCP"),
        Timer::Wait => match mark {
            Some(mark) => format!("pause of {span}, mark {}", visible(mark)),
            None => format!("pause of {span}"),
        },
    };
    let name = if timer == Timer::Wait { String::new() } else { "nothing".to_owned() };
    Row { name, words, ..row(entry, "both") }
}

fn end(entry: &Entry, side: &'static str, words: &str) -> Row {
    Row { who: side, words: words.to_owned(), ..row(entry, side) }
}

fn tcp_end(entry: &Entry, by: wsproof_engine::TcpEnd) -> Row {
    use wsproof_engine::TcpEnd as End;
    match by {
        End::PeerFin => end(entry, "peer", "ends TCP"),
        End::PeerReset => end(entry, "peer", "resets TCP"),
        End::TesterFin => end(entry, "tester", "ends TCP"),
        End::TesterAbort => end(entry, "tester", "resets TCP"),
        End::NotConnected => Row { words: log::tcp_end(by).to_owned(), ..row(entry, "both") },
    }
}
