//! Sentences and words that the page and the terminal share.

use std::{fmt::Write, time::Duration};

pub(crate) use wsproof_engine::spaced_hex;
use wsproof_engine::{Behavior, CloseBehavior, Judgement};

use crate::{Counts, JudgeKind, Results, contract::Attempt, refusals::Refusals};

/// How good a verdict is, for colours and symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Fail,
    Info,
    Pass,
    Unimplemented,
    Warn,
}

impl Tone {
    /// Of the verdict on what was received alone.
    pub(crate) fn of_behavior(judgement: &Judgement) -> Self {
        Self::of(&Judgement { close: CloseBehavior::Ok, ..judgement.clone() })
    }

    /// Of the verdict on the closing alone.
    pub(crate) fn of_close(judgement: &Judgement) -> Self {
        if judgement.close == CloseBehavior::Informational {
            return Self::Info;
        }
        Self::of(&Judgement { behavior: Behavior::Ok, ..judgement.clone() })
    }

    pub(crate) fn of(judgement: &Judgement) -> Self {
        use CloseBehavior::{Informational, Ok};
        match judgement.behavior {
            _ if judgement.deviates() => Self::Fail,
            Behavior::Unimplemented => Self::Unimplemented,
            Behavior::Informational => Self::Info,
            Behavior::Ok if matches!(judgement.close, Ok | Informational) => Self::Pass,
            _ => Self::Warn,
        }
    }

    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Info => "info",
            Self::Pass => "pass",
            Self::Unimplemented => "none",
            Self::Warn => "warn",
        }
    }

    /// Shape before colour.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Fail => "✗",
            Self::Info => "○",
            Self::Pass => "✓",
            Self::Unimplemented => "–",
            Self::Warn => "!",
        }
    }
}

/// The verdict in a word or two: the worse of both halves.
pub(crate) fn verdict(judgement: &Judgement) -> &'static str {
    match (judgement.behavior, judgement.close) {
        (Behavior::Failed, _) => "failed",
        (Behavior::Informational, _) if !judgement.deviates() => "informational",
        (Behavior::Unimplemented, _) if !judgement.deviates() => "unimplemented",
        (_, CloseBehavior::Failed) => "close failed",
        (_, CloseBehavior::Unclean) => "close unclean",
        (_, CloseBehavior::WrongCode) => "wrong close code",
        (Behavior::NonStrict, _) => "non-strict",
        (Behavior::Ok, CloseBehavior::FailedByClient) => "TCP left open",
        (Behavior::Ok, CloseBehavior::Ok | CloseBehavior::Informational) => "passed",
        // A closing that deviates is none of the three that are left.
        (Behavior::Informational | Behavior::Unimplemented, _) => "failed",
    }
}

/// The verdict on what was received, in a word.
pub(crate) const fn behavior_words(behavior: Behavior) -> &'static str {
    match behavior {
        Behavior::Failed => "failed",
        Behavior::Informational => "informational",
        Behavior::NonStrict => "non-strict",
        Behavior::Ok => "passed",
        Behavior::Unimplemented => "unimplemented",
    }
}

/// The verdict on the closing, in a word or two.
pub(crate) const fn close_words(close: CloseBehavior) -> &'static str {
    match close {
        CloseBehavior::Failed => "failed",
        CloseBehavior::FailedByClient => "TCP left open",
        CloseBehavior::Informational => "informational",
        CloseBehavior::Ok => "as it should be",
        CloseBehavior::Unclean => "unclean",
        CloseBehavior::WrongCode => "wrong code",
    }
}

/// Why a case is not as it should be: the reason of the half that is not.
pub(crate) fn reason(judgement: &Judgement) -> String {
    let of_close = judgement.behavior == Behavior::Ok && judgement.close != CloseBehavior::Ok;
    if judgement.behavior == Behavior::Failed || !(judgement.deviates() || of_close) {
        judgement.reason.clone()
    } else {
        format!("close: {}", judgement.close_reason)
    }
}

/// Whether the two judgements give different verdicts.
pub(crate) fn differs(attempt: &Attempt) -> bool {
    let (classic, rfc) = (&attempt.classic, &attempt.rfc);
    classic.behavior != rfc.behavior || classic.close != rfc.close
}

/// The name of a judgement.
pub(crate) const fn judge_name(judge: JudgeKind) -> &'static str {
    match judge {
        JudgeKind::Classic => "classic",
        JudgeKind::Rfc => "RFC",
    }
}

pub(crate) const fn other(judge: JudgeKind) -> JudgeKind {
    match judge {
        JudgeKind::Classic => JudgeKind::Rfc,
        JudgeKind::Rfc => JudgeKind::Classic,
    }
}

/// What a peer's results come to, to be read after its name.
pub(crate) fn headline(results: &Results, peer: &str, counts: Counts) -> String {
    let Counts { total, deviating, .. } = counts;
    if total == 0 {
        return "has no results".to_owned();
    }
    if deviating > 0
        && let Some(status) = Refusals::of(results, peer).every()
    {
        let of = number(total, "case");
        return format!("– every opening handshake was refused with status {status}: {of}");
    }
    let missing = results.missing(peer).len();
    if results.is_interrupted() && missing > 0 {
        let selected = total + missing;
        return format!(
            "– interrupted after {total} of {selected} cases, {deviating} deviating so far"
        );
    }
    let of = number(total, "case");
    let without = match missing {
        0 => String::new(),
        n => format!("; {n} without a result"),
    };
    match deviating {
        0 => format!("conforms in {of}{without}"),
        n => format!("deviates in {n} of {of}{without}"),
    }
}

/// A time as people write it: `1 s`, `1.5 s`, `80 ms`.
pub(crate) fn span(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{} ms", time.as_millis());
    }
    let seconds = format!("{}.{:03}", time.as_secs(), time.subsec_millis());
    format!("{} s", seconds.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 case`, `2 cases`.
pub fn number(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

/// Text that may come from a peer, fit for a terminal and for a line of a page: no controls, no
/// changes of direction, nothing without a width.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) {
            out.push(c);
        } else {
            let _ = write!(out, "<U+{:04X}>", u32::from(c));
        }
    }
    out
}

/// Like [`visible`], line by line: the tester's own notes may have several.
pub(crate) fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// A stored date, RFC 3339 in UTC, as people write it; anything else as it is.
pub(crate) fn utc(date: &str) -> String {
    let date = visible(date);
    match date.strip_suffix('Z').and_then(|date| date.split_once('T')) {
        Some((day, time)) => format!("{day} {time} UTC"),
        None => date,
    }
}

/// Octets as text: what is not UTF-8 or not visible stands as `<ED A0 80>`.
pub(crate) fn visible_octets(octets: &[u8]) -> String {
    let mut out = String::new();
    let mut broken = Vec::new();
    for chunk in octets.utf8_chunks() {
        if !chunk.valid().is_empty() {
            flush(&mut broken, &mut out);
            out.push_str(&visible(chunk.valid()));
        }
        broken.extend_from_slice(chunk.invalid());
    }
    flush(&mut broken, &mut out);
    out
}

/// Writes octets that are no text, those that follow each other together.
fn flush(broken: &mut Vec<u8>, out: &mut String) {
    if !broken.is_empty() {
        let _ = write!(out, "<{}>", spaced_hex(broken));
        broken.clear();
    }
}

/// The text, or its first characters and a mark that there were more.
pub(crate) fn bounded(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_visible(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let empty = matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !turns && !empty
}
