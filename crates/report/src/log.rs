//! The wire log as a conversation: the tester on one side, the peer on the other.

use std::time::Duration;

use wsproof_engine::{Entry, Outcome, TcpEnd, Timer, What, Whole};
use wsproof_proto::{CloseCode, FrameHeader, Opcode, close::CloseBody, mask};

use crate::words::{number, spaced_hex, visible, visible_octets};

/// Rows at the beginning and at the end of a long log; what is between them stays in the results.
const FIRST: usize = 250;
const LAST: usize = 100;
/// Digits of a hash that are shown: enough to tell payloads apart.
const HASH_SHOWN: usize = 8;

/// For how long a timer ran that has now expired.
pub(crate) fn timer_ran(before: &[Entry], expired: &Entry) -> Option<Duration> {
    let What::TimerExpired { timer, .. } = &expired.what else { return None };
    before.iter().rev().find_map(|entry| match &entry.what {
        What::TimerStarted { timer: started, after, .. }
            if started == timer && entry.connection == expired.connection =>
        {
            Some(*after)
        }
        _ => None,
    })
}

/// A row of the conversation.
pub(crate) struct LogRow {
    /// Counted from 000; empty where it is no entry of the log.
    pub(crate) number: String,
    pub(crate) at: String,
    pub(crate) lane: Lane,
    pub(crate) name: String,
    pub(crate) words: String,
    pub(crate) octets: Vec<Octets>,
    pub(crate) text: String,
}

/// On whose side a row stands, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Both,
    PeerFrame,
    PeerOctets,
    PeerWrong,
    TesterFrame,
    TesterOctets,
    /// Octets that nothing else may join.
    TesterOwnWrite,
}

/// Octets that belong together, as they were on the wire.
pub(crate) struct Octets {
    pub(crate) wire: Vec<u8>,
    /// Whether they are of lesser interest.
    pub(crate) quiet: bool,
    /// Whether there were more.
    pub(crate) more: bool,
}

impl LogRow {
    /// How it looks.
    pub(crate) const fn class(&self) -> &'static str {
        match self.lane {
            Lane::Both => "both",
            Lane::PeerFrame => "peer",
            Lane::PeerOctets => "peer thin",
            Lane::PeerWrong => "peer wrong",
            Lane::TesterFrame => "tester",
            Lane::TesterOctets => "tester thin",
            Lane::TesterOwnWrite => "tester thin own",
        }
    }

    /// Whose it is, for those who do not see where it stands.
    pub(crate) const fn who(&self) -> &'static str {
        match self.lane {
            Lane::Both => "",
            Lane::PeerFrame => "peer sends",
            Lane::PeerOctets => "peer:",
            Lane::PeerWrong => "the peer is wrong:",
            Lane::TesterFrame => "tester sends",
            Lane::TesterOctets | Lane::TesterOwnWrite => "tester:",
        }
    }
}

impl Octets {
    pub(crate) fn hex(&self) -> String {
        let more = if self.more { " .." } else { "" };
        format!("{}{more}", spaced_hex(&self.wire))
    }
}

/// The rows, the end of TCP last.
pub(crate) fn rows(outcome: &Outcome) -> Vec<LogRow> {
    let several = outcome.openings.len() > 1;
    let entries = &outcome.transcript.entries;
    let hidden = if entries.len() > FIRST + LAST + 1 {
        FIRST..entries.len() - LAST
    } else {
        entries.len()..entries.len()
    };
    let mut rows = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if hidden.contains(&index) {
            if index == hidden.start {
                rows.push(both(&format!(
                    "{} more entries, all of them in results.jsonl{}",
                    hidden.len(),
                    not_kept(outcome)
                )));
            }
            continue;
        }
        let mut row = row(&entry.what);
        row.number = format!("{index:03}");
        row.at = millis(entry.at);
        if several {
            row.words = format!("{} (connection {})", row.words, entry.connection + 1);
        }
        rows.push(row);
    }
    let says_end = |entry: &Entry| matches!(entry.what, What::TcpEnded { .. });
    if let (false, Some(end)) = (entries.last().is_some_and(says_end), outcome.closing.tcp_end) {
        rows.push(LogRow { at: millis(outcome.ended_at), ..both(tcp_end(end)) });
    }
    rows
}

/// The entries that were counted and not kept, as the end of a sentence.
pub(crate) fn not_kept(outcome: &Outcome) -> String {
    match outcome.transcript.omitted {
        0 => String::new(),
        n => format!(", and {n} about octets and frames that were not kept"),
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(time: Duration) -> String {
    format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000)
}

pub(crate) const fn tcp_end(end: TcpEnd) -> &'static str {
    match end {
        TcpEnd::NotConnected => "no connection came about",
        TcpEnd::PeerFin => "the peer ended TCP",
        TcpEnd::PeerReset => "the peer reset TCP",
        TcpEnd::TesterAbort => "the tester reset TCP",
        TcpEnd::TesterFin => "the tester ended TCP",
    }
}

/// [`tcp_end`] as a sentence of its own.
pub(crate) fn tcp_end_sentence(end: TcpEnd) -> String {
    let text = tcp_end(end);
    format!("{}{}.", text[..1].to_uppercase(), &text[1..])
}

pub(crate) fn row(what: &What) -> LogRow {
    match what {
        What::Connected => both("TCP is connected"),
        What::Opened => both("the WebSocket is open"),
        What::Deviates { deviation } => LogRow {
            words: format!("at octet {} of the peer's stream", deviation.offset),
            ..side(Lane::PeerWrong, format!("✗ {}", deviation.violation))
        },
        What::FrameReceived { header, head, whole, .. } => {
            frame(Lane::PeerFrame, header, head, whole.as_deref())
        }
        What::FrameSent { header, head, whole, chop, own_write, repeated, .. } => {
            let mut row = frame(Lane::TesterFrame, header, head, whole.as_deref());
            // Older results know no more of it.
            if let (Some(unit), None) = (repeated, whole) {
                row.words = format!("{}, a unit of {unit} repeated", row.words);
            }
            if let Some(chop) = chop {
                row.words = format!("{}, in writes of {chop}", row.words);
            } else if *own_write {
                row.words.push_str(", as a write of its own");
            }
            row
        }
        What::Read { len, head } => {
            octets(Lane::PeerOctets, format!("received {}", number(*len, "octet")), *len, head)
        }
        What::Wrote { len, head, own_write } => {
            let (lane, own) = if *own_write {
                (Lane::TesterOwnWrite, ", a write of its own")
            } else {
                (Lane::TesterOctets, "")
            };
            octets(lane, format!("sent {}{own}", number(*len, "octet")), *len, head)
        }
        What::TcpEnded { by } => both(tcp_end(*by)),
        What::TimerStarted { timer, after, mark } => both(&format!(
            "timer started: {}, {} ms{}",
            timer_name(*timer),
            after.as_millis(),
            mark_words(mark.as_deref())
        )),
        What::TimerExpired { timer, mark } => {
            both(&format!("timer fired: {}{}", timer_name(*timer), mark_words(mark.as_deref())))
        }
        What::WireLog { on: true } => both("the log of octets and frames is on"),
        What::WireLog { on: false } => both("the log of octets and frames is off"),
        What::WriteShutDown => both("the tester ended its sending half of TCP"),
    }
}

pub(crate) fn mark_words(mark: Option<&str>) -> String {
    mark.map_or_else(String::new, |mark| format!(", mark {}", visible(mark)))
}

pub(crate) const fn timer_name(timer: Timer) -> &'static str {
    match timer {
        Timer::Await => "time for the echoes",
        Timer::CloseAfter => "time until the tester closes",
        Timer::CloseHandshake => "time for the answer to the close frame",
        Timer::KillAfter => "time until the tester fails the connection",
        Timer::OpenHandshake => "time for the opening handshake",
        Timer::ServerDrop => "time for the server's end of TCP",
        Timer::Wait => "pause",
    }
}

fn side(lane: Lane, name: String) -> LogRow {
    LogRow {
        number: String::new(),
        at: String::new(),
        lane,
        name,
        words: String::new(),
        octets: Vec::new(),
        text: String::new(),
    }
}

fn both(text: &str) -> LogRow {
    LogRow { words: text.to_owned(), ..side(Lane::Both, String::new()) }
}

fn octets(lane: Lane, words: String, len: usize, head: &[u8]) -> LogRow {
    let octets = vec![Octets { wire: head.to_vec(), quiet: true, more: len > head.len() }];
    LogRow { words, octets, ..side(lane, String::new()) }
}

/// A frame as it was on the wire, and what it says.
fn frame(lane: Lane, header: &FrameHeader, head: &[u8], whole: Option<&Whole>) -> LogRow {
    let mut words = vec![if header.fin { "final" } else { "not final" }.to_owned()];
    if header.rsv != 0 {
        words.push(format!("RSV {:03b}", header.rsv));
    }
    if header.mask.is_some() {
        words.push("masked".to_owned());
    }
    words.push(if header.length == 1 {
        "1 octet".to_owned()
    } else {
        format!("{} octets", header.length)
    });
    if let Some(whole) = whole {
        words.push(format!("sha256 {}…", &whole.sha256.to_string()[..HASH_SHOWN]));
        if whole.echo {
            words.push("the same that were sent".to_owned());
        }
    }
    let mut wire = Vec::new();
    FrameHeader { mask: None, ..*header }.encode(&mut wire);
    let mut masked = head.to_vec();
    if let Some(key) = header.mask {
        // The mask bit was left out above to keep the key apart.
        wire[1] |= 0x80;
        mask::apply(key, 0, &mut masked);
    }
    let piece = |wire: Vec<u8>, quiet| Octets { wire, quiet, more: false };
    let mut octets = vec![piece(wire, false)];
    octets.extend(header.mask.map(|key| piece(key.to_vec(), true)));
    let more = header.length > head.len() as u64;
    if !head.is_empty() {
        octets.push(Octets { more, ..piece(masked, false) });
    }
    let mut name = header.opcode.name().to_uppercase();
    let dots = if more { " .." } else { "" };
    let generator = whole.and_then(|whole| whole.generator.as_ref());
    let mut text = match generator {
        Some(generator) => visible(&generator.describe(header.length)),
        None => format!("{}{dots}", visible_octets(head)),
    };
    if header.opcode == Opcode::Close {
        let body = CloseBody::split(head);
        text = visible_octets(body.reason);
        if let Some(CloseCode(code)) = body.code {
            name = format!("{name} {code}");
        }
    } else if matches!(header.opcode, Opcode::ReservedControl(_) | Opcode::ReservedData(_)) {
        name = format!("{name} 0x{:X}", header.opcode.bits());
    }
    LogRow { words: words.join(", "), octets, text, ..side(lane, name) }
}
