//! The table of sentences: what a cause is called, by rule, kind and field.

use std::collections::BTreeSet;

use wsproof_engine::{Observed, TcpEnd};
use wsproof_proto::{Opcode, Violation};

use super::{
    Member,
    contrast::{Told, subject},
    finding::{Deviation, What},
    pace,
    provoked::TextFault,
    rules::{committed, sent_wrong},
    wire,
};
use crate::{
    account::code_words,
    words::{bounded, visible_octets},
};

/// From so many ways on, ill-formed text is called that.
const FAULTS: usize = 4;

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn sentence(members: &[Member<'_>], passing: &[Told<'_>], every: bool) -> String {
    let first = &members[0];
    let failing: Vec<_> = members.iter().map(Member::told).collect();
    let about = |what| subject(what, &failing, passing);
    match &first.finding.deviation {
        Deviation::Refused(status) if every => {
            format!("Every opening handshake is refused with status {status}")
        }
        Deviation::Refused(status) => {
            format!("The opening handshake is refused with status {status}")
        }
        Deviation::NotOpened(how) => (*how).to_owned(),
        Deviation::Opening(title) => {
            let mut letters = title.chars();
            let capital = letters.next().map(|c| c.to_ascii_uppercase());
            let title: String = capital.into_iter().chain(letters).collect();
            let status = first.outcome().openings.first().and_then(|opening| opening.status);
            match status {
                Some(101) => format!("{title} is accepted instead of refused"),
                _ => format!("{title} is not answered with an HTTP error"),
            }
        }
        Deviation::Illegal(violation) => illegal(*violation, members),
        Deviation::NotRefused(violation) => not_refused(*violation, members),
        Deviation::CodeReturned => {
            format!("Close codes that must not be sent are taken and sent back: {}", codes(members))
        }
        Deviation::CodeReserved(code) => {
            format!("Close frames carry code {}, which must never be sent", code_words(*code))
        }
        Deviation::WrongErrorCode(violation, code) => {
            let due = first.case.close.codes.last().copied().unwrap_or_default();
            let list = if *violation == Violation::CloseCodeReserved {
                format!(" ({})", codes(members))
            } else {
                String::new()
            };
            let wrong = sent_wrong(*violation);
            format!("{wrong}{list} are answered with close code {code} instead of {due}")
        }
        Deviation::LegalCodeRefused(code) => {
            let sent: BTreeSet<_> =
                members.iter().filter_map(|member| member.sent.close_code).collect();
            let unlike = passing.iter().any(|it| it.sent.closes > 0);
            if sent.is_empty() || !unlike {
                return format!("Close frames are answered with code {}", code_words(*code));
            }
            format!("Legal close codes are refused with {}: {}", code_words(*code), list(&sent))
        }
        Deviation::AnswerCode(code) => {
            format!("Close frames are answered with code {}", code_words(*code))
        }
        Deviation::EndsGood(what) => ends_good(*what, members, &about(*what)),
        Deviation::ClosesAtOnce => {
            let code = first.outcome().closing.first_remote_code.map(code_words);
            let code = code.unwrap_or_else(|| "no code".to_owned());
            format!("The peer closes as soon as the WebSocket is open, with {code}")
        }
        Deviation::Nothing(What::Pong) => format!("{} get no pong", about(What::Pong)),
        Deviation::Nothing(what) => format!("{} are not echoed", about(*what)),
        Deviation::Silent => "Nothing comes back: no echo, no pong, no close frame".to_owned(),
        Deviation::Late(What::Pong) => format!("{} get their pong too late", about(What::Pong)),
        Deviation::Late(what) => format!("{} are echoed too late", about(*what)),
        Deviation::Slow { of, fastest } => pace::sentence(members, *of, *fastest),
        Deviation::Altered(What::Pong) => "Pongs do not carry the octets of their ping".to_owned(),
        Deviation::Altered(what) => format!("{} come back changed", about(*what)),
        Deviation::Shorter(What::Pong) => {
            "Pongs carry only a part of the octets of their ping".to_owned()
        }
        Deviation::Shorter(what) => {
            let lengths: BTreeSet<_> = members.iter().filter_map(Member::length).collect();
            let to = match lengths.first() {
                Some(length) if lengths.len() == 1 => format!(", after {length} octets"),
                _ => String::new(),
            };
            format!("{} come back cut short{to}", about(*what))
        }
        Deviation::Longer(What::Pong) => {
            "Pongs carry more than the octets of their ping".to_owned()
        }
        Deviation::Longer(what) => format!("{} come back with octets added", about(*what)),
        Deviation::OtherKind => {
            let kinds: BTreeSet<_> = failing.iter().flat_map(|it| &it.sent.kinds).collect();
            match kinds.first() {
                Some(&&"text") if kinds.len() == 1 => {
                    "Text messages come back as binary ones".to_owned()
                }
                Some(_) if kinds.len() == 1 => "Binary messages come back as text".to_owned(),
                _ => "Messages come back as another kind, text or binary".to_owned(),
            }
        }
        Deviation::Order(What::Pong) => "Pongs come in another order than their pings".to_owned(),
        Deviation::Order(_) => "Answers come in another order than what they answer".to_owned(),
        Deviation::Twice(What::Pong) => "Pings get their pong twice".to_owned(),
        Deviation::Twice(_) => "Messages are echoed twice".to_owned(),
        Deviation::Unasked(What::Pong) => {
            if members.iter().all(Member::answers_pong) {
                "Pongs that nobody asked for are answered with a pong".to_owned()
            } else {
                "Pongs come that answer no ping".to_owned()
            }
        }
        Deviation::Unasked(_) => format!("Messages come that nobody sent{}", quoted(members)),
        Deviation::AfterClose => "What follows a close frame is still answered".to_owned(),
        Deviation::CloseUnanswered => {
            let ends = |member: &Member<'_>| {
                matches!(
                    member.outcome().closing.tcp_end,
                    Some(TcpEnd::PeerFin | TcpEnd::PeerReset)
                )
            };
            if members.iter().all(ends) {
                "Close frames are not answered: the peer just ends TCP".to_owned()
            } else {
                "Close frames are not answered".to_owned()
            }
        }
        Deviation::HalfClose => {
            "A close frame is not answered once the sender's half of TCP has ended".to_owned()
        }
        Deviation::TcpLeftOpen => "TCP is left open after the closing handshake".to_owned(),
        Deviation::LoopStops => {
            let counts: BTreeSet<_> = members.iter().map(|it| it.outcome().echoes).collect();
            match counts.first() {
                Some(1) if counts.len() == 1 => {
                    "Of compressed messages only the first comes back".to_owned()
                }
                Some(n) if counts.len() == 1 => {
                    format!("Of compressed messages only the first {n} come back")
                }
                _ => "Compressed messages stop coming back".to_owned(),
            }
        }
        Deviation::Other(reason) => capital(reason),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect()
}

fn illegal(violation: Violation, members: &[Member<'_>]) -> String {
    let detail = match violation {
        Violation::ReservedBitSet => {
            let bits: BTreeSet<_> = members
                .iter()
                .flat_map(|member| wire::received(member.outcome()))
                .filter(|frame| frame.header.rsv != 0)
                .map(|frame| frame.header.rsv)
                .collect();
            let name = match bits.first() {
                Some(0b100) => "RSV1",
                Some(0b010) => "RSV2",
                Some(0b001) => "RSV3",
                _ => "a reserved bit",
            };
            if bits.len() == 1 {
                return format!("Frames have {name} set, which no extension gives a meaning");
            }
            String::new()
        }
        Violation::ControlFragmented | Violation::ControlTooLong => {
            let names: BTreeSet<_> = members.iter().filter_map(control_name).collect();
            match names.first() {
                Some(name) if names.len() == 1 => {
                    let rest = if violation == Violation::ControlTooLong {
                        "are sent with more than 125 octets"
                    } else {
                        "are sent without FIN, as fragments"
                    };
                    return format!("{name} {rest}");
                }
                _ => String::new(),
            }
        }
        Violation::WindowExceeded => {
            let first = members.iter().find_map(|member| member.outcome().window_exceeded.as_ref());
            first.map_or(String::new(), |found| format!(": {found}"))
        }
        Violation::ExtensionNotOffered
        | Violation::SubprotocolNotOffered
        | Violation::ExtensionParameterWrong
        | Violation::ExtensionParameterNotOffered => {
            let line = members.iter().find_map(|it| wire::field(it.outcome(), violation));
            let line = line.map(|line| match line.split_once(": ") {
                Some((_, value)) => value.to_owned(),
                None => line,
            });
            line.map_or(String::new(), |line| format!(": {}", bounded(&line, 140)))
        }
        _ => String::new(),
    };
    format!("{}{detail}", committed(violation))
}

/// `Pongs`, if that is what breaks the rule.
fn control_name(member: &Member<'_>) -> Option<&'static str> {
    let offset = member.outcome().deviations.first()?.offset;
    if member.outcome().openings.len() != 1 {
        // Each connection has a stream of its own.
        return None;
    }
    let frames = wire::received(member.outcome());
    let first = match wire::holding(&frames, offset) {
        Some(frame) => frame.header.opcode.bits(),
        None => *wire::raw(member.outcome(), wire::start(&frames, offset), 1).first()?,
    };
    Some(match Opcode::from_bits(first) {
        Opcode::Pong => "Pongs",
        Opcode::Ping => "Pings",
        Opcode::Close => "Close frames",
        _ => "Control frames",
    })
}

fn not_refused(violation: Violation, members: &[Member<'_>]) -> String {
    let reactions: BTreeSet<_> = members
        .iter()
        .map(|member| {
            let fault = member.sent.fault.as_ref();
            let ping = fault.is_some_and(|fault| fault.opcode == Opcode::Ping);
            let fault = fault.map_or(&[][..], |fault| fault.payload.as_slice());
            let returned = member.outcome().deviations.first().map(|found| found.violation);
            match member.came().map(|event| &event.what) {
                _ if returned == Some(violation) && ping => "answered with a pong",
                _ if returned == Some(violation) => "sent back",
                Some(Observed::Message { head, .. }) if head.starts_with(fault) => "echoed",
                Some(Observed::Message { .. }) if violation == Violation::TextIllFormed => "echoed",
                Some(Observed::Pong { payload, .. }) if !fault.is_empty() && payload == fault => {
                    "answered with a pong"
                }
                _ => "ignored",
            }
        })
        .collect();
    let reaction = match reactions.first() {
        Some(&reaction) if reactions.len() == 1 => reaction,
        _ if reactions.contains("ignored") => "accepted",
        _ => "answered",
    };
    let reaction = match reaction {
        "sent back" if violation == Violation::TextIllFormed => "echoed",
        reaction => reaction,
    };
    if violation != Violation::TextIllFormed {
        return format!("{} are {reaction} instead of refused", sent_wrong(violation));
    }
    let faults: BTreeSet<_> = members
        .iter()
        .filter_map(|member| Some(member.sent.fault.as_ref()?.text.as_ref()?.fault))
        .collect();
    let words: Vec<_> = faults.iter().map(|fault| fault.words()).collect();
    if words.len() == TextFault::ALL {
        return format!("Text that is not UTF-8 is {reaction} instead of refused, of every kind");
    }
    if words.len() >= FAULTS {
        let list = words.join(", ");
        return format!("Text that is not UTF-8 is {reaction} instead of refused: {list}");
    }
    format!("Text with {} is {reaction} instead of refused", and(&words))
}

fn ends_good(what: What, members: &[Member<'_>], about: &str) -> String {
    let ends: BTreeSet<_> = members
        .iter()
        .map(|member| &member.outcome().closing)
        .map(|closing| (closing.remote_close_at.is_some(), closing.first_remote_code))
        .collect();
    let how = match ends.first() {
        Some((true, Some(code))) if ends.len() == 1 => {
            format!("refused with {}", code_words(*code))
        }
        Some((true, None)) if ends.len() == 1 => "refused with a close frame".to_owned(),
        Some((false, _)) if ends.len() == 1 => "refused: the peer ends TCP".to_owned(),
        _ => "refused".to_owned(),
    };
    if what == What::Close {
        let how = how.replacen("refused", "ended by the peer", 1);
        return format!("{about} are {how}");
    }
    format!("{about} are {how}")
}

/// The message, if it is the same in all cases.
fn quoted(members: &[Member<'_>]) -> String {
    let texts: BTreeSet<_> = members
        .iter()
        .filter_map(Member::came)
        .map(|event| match &event.what {
            Observed::Message { head, kind, .. } => {
                format!("{} “{}”", kind.name(), bounded(&visible_octets(head), 40))
            }
            _ => String::new(),
        })
        .collect();
    match texts.first() {
        Some(text) if texts.len() == 1 && !text.is_empty() => format!(": {text}"),
        _ => String::new(),
    }
}

/// The illegal codes that the tester sent.
fn codes(members: &[Member<'_>]) -> String {
    let codes: BTreeSet<_> =
        members.iter().filter_map(|member| member.sent.fault.as_ref()?.code).collect();
    list(&codes)
}

fn list(codes: &BTreeSet<u16>) -> String {
    codes.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// `a, b and c`.
pub(super) fn and(words: &[&str]) -> String {
    match words {
        [] => "octets that are not UTF-8".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
