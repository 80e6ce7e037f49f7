//! Expected octets beside observed ones, with the first that deviates.

use std::time::Duration;

use wsproof_engine::{Accept, Expected, Observed, Outcome, Payload, Timer, What as Entry};
use wsproof_proto::{FrameHeader, Opcode, Violation};

use super::{
    Mark, Member, Place, Side,
    finding::{Deviation, What},
    frames::{SHOWN, frame_octets, frame_side, hex, wanted_side},
    openings::{opening, opening_is_wrong},
    pace,
    ruler::{self, Ruler},
    wire::{self, Received},
};
use crate::{
    account::code_words,
    log,
    words::{bounded, number, spaced_hex, span, visible},
};

pub(super) struct Evidence {
    pub(super) expected: Side,
    pub(super) got: Side,
    pub(super) place: Option<Place>,
    pub(super) ruler: Option<Ruler>,
    /// The entry of the transcript that decides.
    pub(super) deciding: Option<usize>,
}

pub(super) fn evidence(member: &Member<'_>) -> Evidence {
    let outcome = member.outcome();
    let frames = wire::received(outcome);
    match &member.finding.deviation {
        Deviation::Refused(_) | Deviation::NotOpened(_) | Deviation::Opening(_) => {
            opening(member, None)
        }
        Deviation::Illegal(violation) if opening_is_wrong(outcome, *violation) => {
            opening(member, Some(*violation))
        }
        Deviation::Illegal(violation) => illegal(member, *violation, &frames),
        Deviation::NotRefused(violation) => not_refused(member, *violation, &frames),
        Deviation::CodeReturned
        | Deviation::CodeReserved(_)
        | Deviation::WrongErrorCode(..)
        | Deviation::LegalCodeRefused(_)
        | Deviation::AnswerCode(_) => close_code(member, &frames),
        Deviation::CloseUnanswered | Deviation::HalfClose => {
            let expected =
                Side { octets: hex(&[0x88, 0x02, 0x03, 0xe8], None), words: codes_due(member) };
            let ends = matches!(
                outcome.closing.tcp_end,
                Some(wsproof_engine::TcpEnd::PeerFin | wsproof_engine::TcpEnd::PeerReset)
            );
            let got = if ends {
                Side::words("nothing but the end of TCP, from the peer")
            } else {
                ended(member)
            };
            plain(expected, got, None)
        }
        Deviation::TcpLeftOpen => {
            let close = close_frame(&frames);
            let mut got = close.map_or_else(Side::default, |frame| frame_side(&frame, None));
            got.words = format!("{}; then nothing: TCP stayed open", got.words);
            let expected = Side::words("the end of TCP, from the server, at once");
            plain(expected, got, close.map(|frame| frame.index))
        }
        Deviation::AfterClose => after_close(member, &frames),
        Deviation::Slow { .. } => pace::evidence(member),
        Deviation::ClosesAtOnce => Evidence {
            expected: Side::words("nothing before the tester has sent something"),
            ..ends_good(member, &frames)
        },
        Deviation::EndsGood(_) => ends_good(member, &frames),
        _ => event(member, &frames),
    }
}

pub(super) fn plain(expected: Side, got: Side, deciding: Option<usize>) -> Evidence {
    Evidence { expected, got, place: None, ruler: None, deciding }
}

fn close_frame<'a>(frames: &[Received<'a>]) -> Option<Received<'a>> {
    frames.iter().find(|frame| frame.header.opcode == Opcode::Close).copied()
}

/// How long the tester waited for what did not come.
fn waited(outcome: &Outcome) -> String {
    let entries = &outcome.transcript.entries;
    let is_limit = |entry: &wsproof_engine::Entry| match entry.what {
        Entry::TimerExpired { timer, .. } => !matches!(timer, Timer::ServerDrop | Timer::Wait),
        _ => false,
    };
    let after = entries
        .iter()
        .rposition(is_limit)
        .and_then(|expired| log::timer_ran(&entries[..expired], &entries[expired]));
    after.map_or(String::new(), |after| format!(" within {}", span(after)))
}

/// What came instead of what was due: how the connection ended.
fn ended(member: &Member<'_>) -> Side {
    let outcome = member.outcome();
    let frames = wire::received(outcome);
    if let Some(close) = close_frame(&frames)
        && outcome.closing.peer_closed_first
    {
        return frame_side(&close, None);
    }
    let by_peer = matches!(
        outcome.closing.tcp_end,
        Some(wsproof_engine::TcpEnd::PeerFin | wsproof_engine::TcpEnd::PeerReset)
    ) && !outcome.closing.closed_by_me;
    if by_peer {
        return Side::words("nothing: the peer ended TCP");
    }
    let what = if outcome.octets_received == 0 { "no octet" } else { "nothing" };
    Side::words(format!("{what}{}; the connection stayed open", waited(outcome)))
}

fn codes_due(member: &Member<'_>) -> String {
    let mut codes: Vec<_> = member.case.close.codes.iter().map(|code| code_words(*code)).collect();
    codes.dedup();
    format!("close with {}, or without a code", codes.join(" or "))
}

fn not_refused(member: &Member<'_>, violation: Violation, frames: &[Received<'_>]) -> Evidence {
    let code = member.case.close.codes.last().copied().unwrap_or(1002);
    let [high, low] = code.to_be_bytes();
    let also = match member.finding.came {
        Some(_) => "; no answer",
        None => "",
    };
    let mut expected = Side::words(format!(
        "close with {}, one without a code, or the end of TCP{also}",
        code_words(code)
    ));
    expected.octets.push((Mark::Plain, format!("88 .. {high:02X} {low:02X}")));
    let fault = member.sent.fault.as_ref();
    let text = fault.and_then(|fault| fault.text.as_ref());
    let ruler = text
        .filter(|_| violation == Violation::TextIllFormed)
        .map(|text| ruler::ill_formed(text, fault.map_or(0, |fault| fault.header.len())));
    let deviation = member.outcome().deviations.first();
    let returned = deviation.and_then(|deviation| wire::holding(frames, deviation.offset));
    let frame = came_frame(member, frames).or(returned);
    let same = fault.zip(frame).is_some_and(|(fault, frame)| {
        !fault.payload.is_empty()
            && fault.payload == frame.head
            && fault.opcode == frame.header.opcode
    });
    let got = match frame {
        Some(frame) => {
            let mut side = frame_side(&frame, Some(0));
            let open = if member.outcome().closing.closed_by_me {
                "; the connection stayed open"
            } else {
                ""
            };
            let same = if same { ": the message, unchanged" } else { "" };
            side.words = format!("{}{same}{}{open}", side.words, after(member, &frame));
            side
        }
        None => ended(member),
    };
    let message = text.map(|text| text.at as u64);
    // Where the whole message came back, the octet is in it as well.
    let header = frame.filter(|_| same).map(|frame| frame.header_octets().len() as u64);
    let place = message.map(|at| Place {
        message: Some(at),
        frame: header.map(|header| header.saturating_add(at)),
        stream: header
            .zip(frame)
            .map(|(header, frame)| frame.offset.saturating_add(header).saturating_add(at)),
    });
    Evidence { expected, got, place, ruler, deciding: frame.map(|frame| frame.index) }
}

/// The first frame of the event that came.
fn came_frame<'a>(member: &Member<'_>, frames: &[Received<'a>]) -> Option<Received<'a>> {
    let came = member.finding.came?;
    let marks = member.outcome().events[..came]
        .iter()
        .filter(|event| matches!(event.what, Observed::Timeout { .. }))
        .count();
    wire::events(frames).get(came - marks)?.first().copied()
}

/// How long after the tester's last frame before it.
fn after(member: &Member<'_>, frame: &Received<'_>) -> String {
    let entries = &member.outcome().transcript.entries[..frame.index];
    let sent = entries.iter().rfind(|entry| matches!(entry.what, Entry::FrameSent { .. }));
    sent.map_or(String::new(), |entry| {
        let time = frame.at.saturating_sub(entry.at);
        if time < Duration::from_micros(100) {
            return String::new();
        }
        format!(" ({}.{} ms later)", time.as_millis(), time.subsec_micros() / 100 % 10)
    })
}

fn illegal(member: &Member<'_>, violation: Violation, frames: &[Received<'_>]) -> Evidence {
    let outcome = member.outcome();
    let offset = outcome.deviations.first().map_or(0, |deviation| deviation.offset);
    let expected = Side::words(instead(violation));
    let Some(frame) = wire::holding(frames, offset) else {
        let mut words = violation.describe().to_owned();
        if let Some(why) = &outcome.corruption {
            words = format!("{words}: {}", bounded(&visible(why), 200));
        }
        if let Some(found) = &outcome.window_exceeded {
            words = format!("{found}");
        }
        // The frame was not read to its end; its octets may have been kept all the same.
        let start = wire::start(frames, offset);
        let octets = wire::raw(outcome, start, SHOWN + 4);
        let within = offset - start;
        let shown = usize::try_from(within).is_ok_and(|within| within < octets.len());
        let mut got = Side::words(words);
        if shown {
            got.octets = hex(&octets, usize::try_from(within).ok());
            got.octets.push((Mark::Plain, "..".to_owned()));
        }
        let place = Place { message: None, frame: shown.then_some(within), stream: Some(offset) };
        let entries = &outcome.transcript.entries;
        let deciding = entries.iter().position(|it| matches!(it.what, Entry::Deviates { .. }));
        return Evidence { place: Some(place), ..plain(expected, got, deciding) };
    };
    let within = offset - frame.offset;
    let mark = usize::try_from(within).ok();
    let mut got = frame_side(&frame, mark);
    if let Some(why) = &outcome.corruption {
        got.words = format!("{}: {}", got.words, bounded(&visible(why), 200));
    }
    if let Some(found) = &outcome.window_exceeded {
        got.words = format!("{}: {found}", got.words);
    }
    let expected = Side { octets: mended(violation, &frame), ..expected };
    let place = Place { message: None, frame: Some(within), stream: Some(offset) };
    let deciding = Some(frame.index);
    Evidence { place: Some(place), ..plain(expected, got, deciding) }
}

/// What should have been sent, in words.
const fn instead(violation: Violation) -> &'static str {
    use Violation as V;
    match violation {
        V::ReservedBitSet => "RSV1, RSV2 and RSV3 all 0",
        V::CompressedBitMisplaced => "RSV1 only on the first frame of a compressed message",
        V::MaskUnexpected => "the same without a mask",
        V::MaskMissing => "the same, masked",
        V::ControlFragmented => "the same with FIN set",
        V::ControlTooLong => "at most 125 octets of payload",
        V::FrameInsideMessage => "opcode 0: a continuation",
        V::ContinuationWithoutStart => "opcode 1 or 2: the beginning of a message",
        V::DataAfterClose => "nothing after the close frame but the end of TCP",
        V::LengthNotShortest | V::LengthTooLarge => "the length in its shortest form",
        V::OpcodeReserved => "opcode 0, 1, 2, 8, 9 or A",
        V::TextIllFormed => "UTF-8",
        V::CloseBodyOfOneOctet => "a code of two octets, or no body",
        V::CloseReasonIllFormed => "a reason in UTF-8, or none",
        V::CompressedMessageCut => "the block's end without its last four octets 00 00 FF FF",
        V::WindowExceeded => "references within the agreed window",
        V::ReferenceTooFarBack => "each message compressed by itself",
        V::DeflateCorrupt => "DEFLATE data that give the message",
        _ => "what the rule says",
    }
}

/// The frame's header as the rule wants it.
fn mended(violation: Violation, frame: &Received<'_>) -> Vec<(Mark, String)> {
    use Violation as V;
    let header = frame.header;
    let right = match violation {
        V::ReservedBitSet | V::CompressedBitMisplaced => FrameHeader { rsv: 0, ..header },
        V::MaskUnexpected => FrameHeader { mask: None, ..header },
        V::ControlFragmented => FrameHeader { fin: true, ..header },
        V::FrameInsideMessage => FrameHeader { opcode: Opcode::Continuation, ..header },
        V::LengthNotShortest => FrameHeader { form: wsproof_proto::LengthForm::Shortest, ..header },
        _ => return Vec::new(),
    };
    let mut octets = Vec::new();
    right.encode(&mut octets);
    frame_octets(&octets, frame.head, header.length, None)
}

fn close_code(member: &Member<'_>, frames: &[Received<'_>]) -> Evidence {
    let mut codes = member.case.close.codes.clone();
    codes.dedup();
    let frame = close_frame(frames);
    let due: Vec<_> = codes
        .iter()
        .map(|code| spaced_hex(&[&[0x88, 0x02][..], &code.to_be_bytes()].concat()))
        .collect();
    let mut octets = vec![(Mark::Plain, due.join(" or "))];
    octets.push((Mark::Plain, "or 88 00".to_owned()));
    let expected = Side { octets, words: codes_due(member) };
    let Some(frame) = frame else { return plain(expected, ended(member), None) };
    // The first octet of the code in which it differs from the one that is due.
    let due = codes.last().copied().unwrap_or(1000).to_be_bytes();
    let header = frame.header_octets().len();
    let same = due.iter().zip(frame.head).take_while(|(due, got)| due == got).count();
    let within = header + same.min(1);
    let mut got = frame_side(&frame, Some(within));
    got.words.push_str(&after(member, &frame));
    let place = Place {
        message: None,
        frame: Some(within as u64),
        stream: Some(frame.offset.saturating_add(within as u64)),
    };
    Evidence { place: Some(place), ..plain(expected, got, Some(frame.index)) }
}

fn after_close(member: &Member<'_>, frames: &[Received<'_>]) -> Evidence {
    let close = frames.iter().position(|frame| frame.header.opcode == Opcode::Close);
    let data = close.and_then(|at| frames[at + 1..].first());
    let frame = data.or_else(|| frames.iter().find(|f| f.header.opcode == Opcode::Pong));
    let expected = Side::words("a close frame, and nothing else but the end of TCP");
    let got = frame.map_or_else(|| ended(member), |frame| frame_side(frame, Some(0)));
    plain(expected, got, frame.map(|frame| frame.index))
}

fn ends_good(member: &Member<'_>, frames: &[Received<'_>]) -> Evidence {
    let expected = match &member.finding.wanted {
        Some(wanted) => wanted_side(wanted),
        None => due(member),
    };
    let close = close_frame(frames).filter(|_| member.outcome().closing.peer_closed_first);
    let mut got = close.map_or_else(|| ended(member), |frame| frame_side(&frame, Some(0)));
    if let Some(frame) = &close {
        got.words.push_str(&after(member, frame));
    }
    plain(expected, got, close.map(|frame| frame.index))
}

/// What a case without a list of events waits for.
fn due(member: &Member<'_>) -> Side {
    match &member.case.accept {
        Accept::FirstEcho { kind, payload } => {
            wanted_side(&Expected::Message(*kind, payload.clone()))
        }
        Accept::EchoLoop { kind, series, count } => {
            let (size, unit) = series.size();
            Side::words(format!("{count} echoes of {} messages of {size} {unit}", kind.name()))
        }
        Accept::Class(_) => Side::words("the echo of what was sent"),
        Accept::Events(_) => Side::words("the closing handshake, begun by the tester"),
    }
}

fn event(member: &Member<'_>, frames: &[Received<'_>]) -> Evidence {
    let outcome = member.outcome();
    let finding = &member.finding;
    let mut expected = match &finding.wanted {
        Some(wanted) => wanted_side(wanted),
        None if finding.came.is_some() => Side::words("no message and no pong"),
        None => due(member),
    };
    if matches!(finding.deviation, Deviation::Twice(_)) && finding.wanted.is_none() {
        expected = Side::words("nothing more: it has come already");
    }
    let frame = came_frame(member, frames);
    let Some(event) = member.came() else {
        let mut got = ended(member);
        if let Some(at) = outcome.content_differs_at {
            got.words = format!("other octets, the first of them octet {at} of the message");
        } else if outcome.echoes > 0 {
            let came = number(outcome.echoes as usize, "message");
            got.words = format!("{came}, then {}", got.words);
        }
        let message = outcome.content_differs_at;
        let place = message.map(|_| Place { message, frame: None, stream: None });
        return Evidence { place, ..plain(expected, got, None) };
    };
    let mut got = frame.map_or_else(Side::default, |frame| frame_side(&frame, Some(0)));
    if got.words.is_empty() {
        got.words = bounded(&visible(&event.what.describe()), 200);
    }
    let compared = finding.wanted.as_ref().and_then(|wanted| compare(wanted, &event.what));
    let mut evidence = plain(expected, got, frame.map(|frame| frame.index));
    if let (Some((at, wanted, came)), Some(frame)) = (compared, frame) {
        let header = frame.header_octets().len();
        // Where the length differs, that is the first wrong octet of the frame.
        let shorter = matches!(event.what, Observed::Message { len, .. } | Observed::Pong { len, .. } if len != wanted.len());
        let whole = frame.header.fin;
        let within = if shorter && whole {
            1
        } else {
            header.saturating_add(usize::try_from(at).unwrap_or(0))
        };
        evidence.got = frame_side(&frame, Some(within));
        let within_frame = at.saturating_add(header as u64);
        let stream = frame.offset.saturating_add(within_frame);
        evidence.place = Some(Place {
            message: Some(at),
            frame: whole.then_some(within_frame),
            stream: whole.then_some(stream),
        });
        evidence.ruler = ruler::compared(at, &wanted, &came);
    }
    if let Some(frame) = frame {
        evidence.got.words.push_str(&after(member, &frame));
    }
    evidence
}

/// Where what came leaves what was wanted.
fn compare(wanted: &Expected, came: &Observed) -> Option<(u64, Payload, Vec<u8>)> {
    match (wanted, came) {
        (Expected::Message(_, payload), Observed::Message { head, first_difference, .. }) => {
            Some(((*first_difference)?, payload.clone(), head.clone()))
        }
        (Expected::Pong(wanted), Observed::Pong { payload, .. }) => {
            let same = wanted.iter().zip(payload).take_while(|(a, b)| a == b).count();
            let octets = Payload::Octets(wanted.as_slice().into());
            Some((same as u64, octets, payload.clone()))
        }
        _ => None,
    }
}

/// Whether the finding is about an echo or a pong that came otherwise.
pub(super) const fn is_content(deviation: &Deviation) -> bool {
    matches!(
        deviation,
        Deviation::Altered(What::Echo | What::Pong) | Deviation::Shorter(_) | Deviation::Longer(_)
    )
}
