//! The wire log as a conversation: the tester on one side, the peer on the other.

use std::time::Duration;

use wsproof_engine::{Outcome, TcpEnd, Timer, What};
use wsproof_proto::{CloseCode, FrameHeader, Opcode, close::CloseBody, mask};

use crate::words::{number, spaced_hex, visible, visible_octets};

/// Rows at the beginning and at the end of a long log; what is between them stays in the results.
const FIRST: usize = 250;
const LAST: usize = 100;

/// A row of the conversation.
pub(super) struct LogRow {
    /// Counted from 000; empty where it is no entry of the log.
    pub(super) number: String,
    pub(super) at: String,
    /// Where it stands and how it looks.
    pub(super) class: &'static str,
    /// For those who do not see where it stands.
    pub(super) who: &'static str,
    pub(super) name: String,
    pub(super) words: String,
    /// Octets, and whether they are of lesser interest.
    pub(super) octets: Vec<(String, bool)>,
    pub(super) text: String,
}

/// The rows, the end of TCP last.
pub(super) fn rows(outcome: &Outcome) -> Vec<LogRow> {
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
    let says_end = |entry: &wsproof_engine::Entry| matches!(entry.what, What::TcpEnded { .. });
    if let (false, Some(end)) = (entries.last().is_some_and(says_end), outcome.closing.tcp_end) {
        rows.push(LogRow { at: millis(outcome.ended_at), ..both(tcp_end(end)) });
    }
    rows
}

/// The entries that were counted and not kept, as the end of a sentence.
pub(super) fn not_kept(outcome: &Outcome) -> String {
    match outcome.transcript.omitted {
        0 => String::new(),
        n => format!(", and {n} about octets and frames that were not kept"),
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(time: Duration) -> String {
    format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000)
}

pub(super) const fn tcp_end(end: TcpEnd) -> &'static str {
    match end {
        TcpEnd::NotConnected => "no connection came about",
        TcpEnd::PeerFin => "the peer ended TCP",
        TcpEnd::PeerReset => "the peer reset TCP",
        TcpEnd::TesterAbort => "the tester reset TCP",
        TcpEnd::TesterFin => "the tester ended TCP",
    }
}

/// [`tcp_end`] as a sentence of its own.
pub(super) fn tcp_end_sentence(end: TcpEnd) -> String {
    let text = tcp_end(end);
    format!("{}{}.", text[..1].to_uppercase(), &text[1..])
}

pub(super) fn row(what: &What) -> LogRow {
    match what {
        What::Connected => both("TCP is connected"),
        What::Opened => both("the WebSocket is open"),
        What::Deviates { deviation } => LogRow {
            who: "the peer is wrong:",
            words: format!("at octet {} of the peer's stream", deviation.offset),
            ..side("peer wrong", format!("✗ {}", deviation.violation))
        },
        What::FrameReceived { header, head, .. } => frame("peer", "peer sends", header, head),
        What::FrameSent { header, head, chop, own_write, repeated } => {
            let mut row = frame("tester", "tester sends", header, head);
            if let Some(unit) = repeated {
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
            octets("peer thin", "peer:", format!("received {}", number(*len, "octet")), *len, head)
        }
        What::Wrote { len, head, own_write } => {
            let own = if *own_write { ", a write of its own" } else { "" };
            let words = format!("sent {}{own}", number(*len, "octet"));
            let class = if *own_write { "tester thin own" } else { "tester thin" };
            octets(class, "tester:", words, *len, head)
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

fn mark_words(mark: Option<&str>) -> String {
    mark.map_or_else(String::new, |mark| format!(", mark {}", visible(mark)))
}

const fn timer_name(timer: Timer) -> &'static str {
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

fn side(class: &'static str, name: String) -> LogRow {
    LogRow {
        number: String::new(),
        at: String::new(),
        class,
        who: "",
        name,
        words: String::new(),
        octets: Vec::new(),
        text: String::new(),
    }
}

fn both(text: &str) -> LogRow {
    LogRow { words: text.to_owned(), ..side("both", String::new()) }
}

fn octets(
    class: &'static str,
    who: &'static str,
    words: String,
    len: usize,
    head: &[u8],
) -> LogRow {
    let more = if len > head.len() { " .." } else { "" };
    let octets = vec![(format!("{}{more}", spaced_hex(head)), true)];
    LogRow { who, words, octets, ..side(class, String::new()) }
}

/// A frame as it was on the wire, and what it says.
fn frame(class: &'static str, who: &'static str, header: &FrameHeader, head: &[u8]) -> LogRow {
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
    let mut wire = Vec::new();
    FrameHeader { mask: None, ..*header }.encode(&mut wire);
    let mut masked = head.to_vec();
    if let Some(key) = header.mask {
        // The mask bit was left out above to keep the key apart.
        wire[1] |= 0x80;
        mask::apply(key, 0, &mut masked);
    }
    let mut octets = vec![(spaced_hex(&wire), false)];
    octets.extend(header.mask.map(|key| (spaced_hex(&key), true)));
    let more = if header.length > head.len() as u64 { " .." } else { "" };
    if !head.is_empty() {
        octets.push((format!("{}{more}", spaced_hex(&masked)), false));
    }
    let mut name = header.opcode.name().to_uppercase();
    let mut text = format!("{}{more}", visible_octets(head));
    if header.opcode == Opcode::Close {
        let body = CloseBody::split(head);
        text = visible_octets(body.reason);
        if let Some(CloseCode(code)) = body.code {
            name = format!("{name} {code}");
        }
    } else if matches!(header.opcode, Opcode::ReservedControl(_) | Opcode::ReservedData(_)) {
        name = format!("{name} 0x{:X}", header.opcode.bits());
    }
    LogRow { who, words: words.join(", "), octets, text, ..side(class, name) }
}
