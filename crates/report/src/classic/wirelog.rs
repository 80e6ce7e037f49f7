//! The wire log in the form of the classic files: arrays without times.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};
use wsproof_engine::{Accept, Case, Entry, Outcome, Timer, What};

/// Octets that remain of a longer payload, read or write.
pub(super) const CUT: usize = 64;
/// Up to so many octets nothing is marked as cut.
const WHOLE: u64 = 60;

/// The log of an outcome. `wstest` switches it off when it finds that the peer does not compress,
/// and leaves it off.
pub(super) fn log(case: Option<&Case>, outcome: &Outcome) -> Vec<Value> {
    let entries = &outcome.transcript.entries;
    if outcome.unimplemented {
        let before = entries.iter().take_while(|entry| entry.what != What::Opened);
        let log = before.filter_map(|it| entry(&it.what));
        return log.chain([json!(["WLM", false])]).collect();
    }
    // In the other cases most of what is sent is not logged.
    if case.is_some_and(|case| matches!(case.accept, Accept::Events(_))) {
        return in_classic_order(entries);
    }
    entries.iter().filter_map(|it| entry(&it.what)).collect()
}

/// Where a script sends and then starts a timer, `wstest` writes before the timer starts, but of
/// a chopped frame only the first octets. Here all of it leaves afterwards.
fn in_classic_order(entries: &[Entry]) -> Vec<Value> {
    let mut log = Vec::new();
    let mut timers = Vec::new();
    let mut chopped = false;
    for Entry { what, .. } in entries {
        match what {
            What::TimerStarted { .. } => {
                timers.extend(entry(what));
                continue;
            }
            What::FrameSent { chop, .. } => chopped = chop.is_some(),
            What::Wrote { .. } if chopped => {
                log.extend(entry(what));
                log.append(&mut timers);
                continue;
            }
            What::Wrote { .. } => {}
            _ => log.append(&mut timers),
        }
        log.extend(entry(what));
    }
    log.append(&mut timers);
    log
}

/// An entry; nothing for what `wstest` does not log.
fn entry(what: &What) -> Option<Value> {
    Some(match what {
        What::Read { len, head } => json!(["RO", [len, octets(head, *len as u64)]]),
        What::Wrote { len, head, own_write } => {
            json!(["TO", [len, octets(head, *len as u64)], own_write])
        }
        What::FrameReceived { header, head, .. } => json!([
            "RF",
            [header.length, payload_text(head, header.length)],
            header.opcode.bits(),
            header.fin,
            header.rsv,
            header.mask.is_some(),
            header.mask.map(|key| hex(&key)),
        ]),
        What::FrameSent { header, head, chop, own_write, repeated, .. } => {
            // Of a repeated payload the unit is shown, and the length on the wire on its own.
            // One octet over and over is a text like any other.
            let (len, repeat_len) = match repeated {
                Some(unit) if *unit > 1 => (*unit as u64, Some(header.length)),
                _ => (header.length, None),
            };
            let shown =
                usize::try_from(len).map_or(head.as_slice(), |len| &head[..head.len().min(len)]);
            json!([
                "TF",
                [len, payload_text(shown, len)],
                header.opcode.bits(),
                header.fin,
                header.rsv,
                header.mask.map(|key| hex(&key)),
                repeat_len,
                chop,
                own_write,
            ])
        }
        What::TimerStarted { timer, after, mark } => match timer {
            Timer::Wait => json!(["CT", seconds(*after), mark]),
            Timer::KillAfter => json!(["KL", seconds(*after)]),
            Timer::CloseAfter => json!(["TI", seconds(*after)]),
            _ => return None,
        },
        What::TimerExpired { timer, mark } => match timer {
            Timer::Wait => json!(["CTE", mark]),
            Timer::KillAfter => json!(["KLE"]),
            Timer::CloseAfter => json!(["TIE"]),
            _ => return None,
        },
        What::WireLog { on } => json!(["WLM", on]),
        What::Connected
        | What::Deviates { .. }
        | What::Opened
        | What::TcpEnded { .. }
        | What::WriteShutDown => return None,
    })
}

/// A payload of `len` octets, of which at most the first 64 are given: text, or hex where it is
/// not UTF-8.
pub(super) fn payload_text(head: &[u8], len: u64) -> String {
    let mut text = match std::str::from_utf8(head) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("0x{}", hex(head)),
    };
    if len > WHOLE {
        text.push_str(" ...");
    }
    text
}

pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

fn octets(head: &[u8], len: u64) -> String {
    let mut text = hex(head);
    if len > WHOLE {
        text.push_str(" ...");
    }
    text
}

/// Seconds, as a whole number where they are whole.
fn seconds(time: Duration) -> Value {
    if time.subsec_nanos() == 0 { time.as_secs().into() } else { time.as_secs_f64().into() }
}

#[cfg(test)]
mod tests {
    use wsproof_proto::{FrameHeader, Opcode};

    use super::*;

    fn check(what: &What, expected: impl Into<Option<Value>>) {
        assert_eq!(entry(what), expected.into());
    }

    #[test]
    fn payloads_are_text_or_hex_and_cut_at_64_octets() {
        let x = |n: usize| "x".repeat(n);
        assert_eq!(payload_text(x(60).as_bytes(), 60), x(60));
        assert_eq!(payload_text(x(61).as_bytes(), 61), x(61) + " ...");
        assert_eq!(payload_text(x(64).as_bytes(), 70_000), x(64) + " ...");
        assert_eq!(payload_text(&[0xce, 0xba, 0xff], 3), "0xcebaff");
        assert_eq!(payload_text(b"", 0), "");
    }

    #[test]
    fn timers_start_after_what_was_sent_before() {
        let sent = |chop| What::FrameSent {
            header: FrameHeader::new(Opcode::Ping, 0),
            head: Vec::new(),
            whole: None,
            offset: None,
            chop,
            own_write: false,
            repeated: None,
        };
        let wrote = || What::Wrote { len: 1, head: vec![0], own_write: false };
        let timer = || What::TimerStarted {
            timer: Timer::KillAfter,
            after: Duration::from_secs(1),
            mark: None,
        };
        let read = || What::Read { len: 1, head: vec![0] };
        let check = |what: Vec<What>, kinds: &[&str]| {
            let entry = |what| Entry { at: Duration::ZERO, connection: 0, what };
            let log = in_classic_order(&what.into_iter().map(entry).collect::<Vec<_>>());
            let got: Vec<_> = log.iter().map(|entry| entry[0].as_str().unwrap()).collect();
            assert_eq!(got, kinds);
        };
        check(
            vec![read(), timer(), sent(None), sent(None), wrote(), read(), sent(None), wrote()],
            &["RO", "TF", "TF", "TO", "KL", "RO", "TF", "TO"],
        );
        check(
            vec![timer(), sent(Some(1)), wrote(), wrote(), wrote()],
            &["TF", "TO", "KL", "TO", "TO"],
        );
        check(vec![timer()], &["KL"]);
    }

    #[test]
    fn frames() {
        let key = Some([0xb4, 0xbf, 0xa3, 0xd9]);
        let header = FrameHeader { fin: false, mask: key, ..FrameHeader::new(Opcode::Text, 9) };
        let head = b"fragment1".to_vec();
        let sent = What::FrameSent {
            header,
            head: head.clone(),
            whole: None,
            offset: None,
            chop: None,
            own_write: true,
            repeated: None,
        };
        let expected = json!(["TF", [9, "fragment1"], 1, false, 0, "b4bfa3d9", null, null, true]);
        check(&sent, Some(expected));
        let header = FrameHeader { mask: None, rsv: 2, ..header };
        let received = What::FrameReceived { header, head, whole: None, offset: 0 };
        check(&received, Some(json!(["RF", [9, "fragment1"], 1, false, 2, false, null])));
        let header = FrameHeader::new(Opcode::Binary, 65536);
        let repeated = What::FrameSent {
            header,
            head: b"ab".repeat(32),
            whole: None,
            offset: None,
            chop: Some(3),
            own_write: false,
            repeated: Some(2),
        };
        check(&repeated, Some(json!(["TF", [2, "ab"], 2, true, 0, null, 65536, 3, false])));
        let filled = What::FrameSent {
            header: FrameHeader::new(Opcode::Text, 61),
            head: vec![b'*'; 61],
            whole: None,
            offset: None,
            chop: None,
            own_write: false,
            repeated: Some(1),
        };
        let shown = "*".repeat(61) + " ...";
        check(&filled, Some(json!(["TF", [61, shown], 1, true, 0, null, null, null, false])));
    }

    #[test]
    fn timers_and_octets() {
        let started = |timer, ms, mark: Option<&str>| What::TimerStarted {
            timer,
            after: Duration::from_millis(ms),
            mark: mark.map(str::to_owned),
        };
        check(&started(Timer::Wait, 1000, Some("A")), Some(json!(["CT", 1, "A"])));
        check(&started(Timer::KillAfter, 500, None), Some(json!(["KL", 0.5])));
        check(&started(Timer::CloseHandshake, 1000, None), None);
        let expired = What::TimerExpired { timer: Timer::CloseAfter, mark: None };
        check(&expired, Some(json!(["TIE"])));
        check(&What::Read { len: 2, head: vec![0x88, 0] }, Some(json!(["RO", [2, "8800"]])));
        let wrote = What::Wrote { len: 61, head: vec![0; 61], own_write: false };
        check(&wrote, Some(json!(["TO", [61, "00".repeat(61) + " ..."], false])));
        check(&What::WireLog { on: false }, Some(json!(["WLM", false])));
    }
}
