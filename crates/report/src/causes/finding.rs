//! What is wrong in one failed case: a rule, a kind of deviation, and where.

use wsproof_engine::{
    Accept, Behavior, Case, Class, CloseBy, Event, Expected, Judgement, Observed, Outcome, TcpEnd,
};
use wsproof_proto::{FrameHeader, Opcode, Violation};

use super::{mismatch::mismatch, provoked::Sent, rules::Rule};
use crate::{contract::Attempt, words};

/// The kind of a deviation. Two cases with the same one have the same cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deviation {
    /// The opening handshake was refused with a status.
    Refused(u16),
    /// No connection, no answer in time, or TCP was ended instead.
    NotOpened(&'static str),
    /// A request that must be refused was accepted, or the other way about; the case's title.
    Opening(String),
    /// The peer's own octets break a rule.
    Illegal(Violation),
    /// What the tester sent against a rule was not refused.
    NotRefused(Violation),
    /// An illegal close code, or one that nobody may send, came back.
    CodeReturned,
    /// The peer's close frame always carries this code, which nobody may send.
    CodeReserved(u16),
    /// What the tester did against a rule was answered with another code.
    WrongErrorCode(Violation, u16),
    /// A legal close frame was answered with a code that refuses it.
    LegalCodeRefused(u16),
    /// The answer to a close frame has a code that nothing asked for.
    AnswerCode(u16),
    /// The peer ended a connection on which nothing was wrong.
    EndsGood(What),
    /// The peer closes before it has done anything.
    ClosesAtOnce,
    /// A message or a pong did not come.
    Nothing(What),
    /// Nothing at all came.
    Silent,
    /// An echo or a pong came too late.
    Late(What),
    /// What did not come in time would have come: all that the peer sends is late, or all of a
    /// kind; with its fastest answer.
    Slow { of: Option<What>, fastest: std::time::Duration },
    /// It came with other octets.
    Altered(What),
    /// It came with some of its octets.
    Shorter(What),
    /// It came with more octets.
    Longer(What),
    /// Text came back as binary data or the other way about.
    OtherKind,
    /// It came in another order.
    Order(What),
    /// It came once more.
    Twice(What),
    /// It came although nobody asked.
    Unasked(What),
    /// What follows the tester's close frame was answered.
    AfterClose,
    /// A close frame was not answered.
    CloseUnanswered,
    /// The same, when the tester had ended its sending half.
    HalfClose,
    /// The server left TCP open.
    TcpLeftOpen,
    /// Compressed messages stopped coming back.
    LoopStops,
    /// Anything else: the judgement's reason.
    Other(String),
}

/// What a deviation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    Echo,
    Pong,
    Close,
}

/// What is wrong in one case.
pub(crate) struct Finding {
    pub(crate) deviation: Deviation,
    pub(crate) rule: Rule,
    /// The event that should have come.
    pub(crate) wanted: Option<Expected>,
    /// The index of the event that came.
    pub(crate) came: Option<usize>,
}

impl Finding {
    fn new(deviation: Deviation, rule: Rule) -> Self {
        Self { deviation, rule, wanted: None, came: None }
    }

    pub(crate) fn of(case: &Case, sent: &Sent, attempt: &Attempt, judgement: &Judgement) -> Self {
        let outcome = &attempt.outcome;
        let found = if outcome.opened_at.is_none() || is_opening(case) {
            Some(opening(case, outcome))
        } else if let Some(violation) = opening_violation(outcome) {
            Some(Self::new(Deviation::Illegal(violation), Rule::against(violation)))
        } else {
            opened(case, sent, outcome, judgement)
        };
        found.unwrap_or_else(|| Self::other(case, judgement))
    }

    /// What the judgement says, and nothing more.
    pub(crate) fn other(case: &Case, judgement: &Judgement) -> Self {
        let reason = words::bounded(&words::visible(&words::reason(judgement)), 300);
        let rule = case.cites.first().map_or_else(
            || Rule::new(case.why, 6455, "1"),
            |cite| Rule::new(case.why, cite.spec.number(), cite.section),
        );
        Self::new(Deviation::Other(reason), rule)
    }
}

fn is_opening(case: &Case) -> bool {
    matches!(case.accept, Accept::Class(Class::Refused))
}

fn opening_violation(outcome: &Outcome) -> Option<Violation> {
    outcome.openings.iter().find_map(|opening| opening.violations.first()).copied()
}

fn opening(case: &Case, outcome: &Outcome) -> Finding {
    let opening = outcome.openings.first();
    if is_opening(case) {
        let (rfc, section) =
            case.cites.first().map_or((6455, "4.2.1"), |cite| (cite.spec.number(), cite.section));
        let deviation = Deviation::Opening(format!("a {}", case.title));
        let rule = Rule { rfc, section, ..Rule::refusal() };
        return Finding::new(deviation, rule);
    }
    let status = opening.and_then(|opening| opening.status);
    if let Some(status) = status.filter(|status| *status != 101) {
        return Finding::new(Deviation::Refused(status), Rule::opening());
    }
    if let Some(violation) = opening_violation(outcome) {
        return Finding::new(Deviation::Illegal(violation), Rule::against(violation));
    }
    let how = match outcome.closing.tcp_end {
        Some(TcpEnd::NotConnected) => "No connection comes about",
        _ if outcome.closing.open_handshake_timeout => {
            "The opening handshake is not answered in time"
        }
        _ => "TCP is ended during the opening handshake",
    };
    Finding::new(Deviation::NotOpened(how), Rule::opening())
}

fn opened(case: &Case, sent: &Sent, outcome: &Outcome, judgement: &Judgement) -> Option<Finding> {
    let closing = &outcome.closing;
    if closes_at_once(sent, outcome) {
        return Some(Finding::new(Deviation::ClosesAtOnce, Rule::good_connection()));
    }
    if answers_after_close(sent, outcome) {
        return Some(Finding::new(Deviation::AfterClose, Rule::after_close()));
    }
    if let Some(found) = illegal(sent, outcome) {
        return Some(found);
    }
    let events = match &case.accept {
        Accept::Events(lists) => mismatch(lists, case, sent, outcome),
        Accept::Class(_) => class(sent, outcome),
        _ => echoes(case, outcome),
    };
    let behavior = judgement.behavior == Behavior::Failed;
    if case.close.by == CloseBy::Peer
        && let Some(fault) = &sent.fault
    {
        let ended = closing.peer_closed_first
            || matches!(closing.tcp_end, Some(TcpEnd::PeerFin | TcpEnd::PeerReset))
                && !closing.closed_by_me;
        // A missing echo of what came before the fault is another matter, and so is what has
        // nothing to do with it.
        let extra = events.as_ref().is_none_or(|found| {
            let other = match &found.deviation {
                Deviation::Twice(_) => true,
                Deviation::Unasked(_) => !is_related(sent, outcome, found.came),
                // What was legal came otherwise than it should.
                _ => matches!(found.wanted, Some(Expected::Message(..) | Expected::Pong(_))),
            };
            found.came.is_some() && !other
        });
        if (!ended || behavior) && extra {
            let rule = Rule::against(fault.violation);
            let index = events.and_then(|found| found.came);
            let deviation = Deviation::NotRefused(fault.violation);
            return Some(Finding { came: index, ..Finding::new(deviation, rule) });
        }
    }
    if behavior && events.is_some() {
        return events;
    }
    close(case, sent, outcome, judgement).or(events)
}

/// The peer's close frame was its first and came before it can have read anything of the case.
fn closes_at_once(sent: &Sent, outcome: &Outcome) -> bool {
    let closing = &outcome.closing;
    let code = closing.first_remote_code;
    let answered = sent.closes > 0 && (code == sent.close_code || code == Some(1000));
    let errors = [1002, 1003, 1007, 1008, 1009, 1010, 1011].map(Some);
    outcome.events.is_empty()
        && outcome.echoes == 0
        && outcome.deviations.is_empty()
        && closing.remote_close_at.is_some()
        && closing.peer_closed_first
        && sent.fault.is_none()
        && !answered
        && !errors.contains(&code)
        && code.is_some()
}

fn answers_after_close(sent: &Sent, outcome: &Outcome) -> bool {
    let after = |violation| violation == Violation::DataAfterClose;
    let data = outcome.deviations.iter().any(|deviation| after(deviation.violation));
    let pong = outcome.events.iter().any(|event| matches!(event.what, Observed::Pong { .. }));
    let frames = super::wire::received(outcome);
    let close = frames.iter().position(|frame| frame.header.opcode == Opcode::Close);
    let alike = close.is_some_and(|at| frames[at + 1..].iter().any(|f| sent.knows(f.head)));
    let returned = outcome.events.iter().any(|event| match &event.what {
        Observed::Message { head, .. } => {
            sent.after_close.iter().any(|sent| sent.head(head.len()) == *head)
                && !sent.messages.iter().any(|sent| sent.head(head.len()) == *head)
        }
        _ => false,
    });
    let message = (data && alike || returned) && !sent.after_close.is_empty();
    message || pong && sent.pings_after_close > 0 && sent.pings.is_empty()
}

/// Whether what came has to do with what was sent.
fn is_related(sent: &Sent, outcome: &Outcome, came: Option<usize>) -> bool {
    match came.and_then(|came| outcome.events.get(came)).map(|event| &event.what) {
        Some(Observed::Message { head, .. }) => sent.knows(head),
        _ => true,
    }
}

/// What no endpoint may send.
fn illegal(sent: &Sent, outcome: &Outcome) -> Option<Finding> {
    let deviation = outcome.deviations.first()?;
    let violation = deviation.violation;
    let fault = sent.fault.as_ref().map(|fault| fault.violation);
    if violation == Violation::CloseCodeReserved {
        let code = outcome.closing.first_remote_code.unwrap_or_default();
        let returned = sent.fault.as_ref().and_then(|fault| fault.code) == Some(code);
        let deviation =
            if returned { Deviation::CodeReturned } else { Deviation::CodeReserved(code) };
        return Some(Finding::new(deviation, Rule::against(violation)));
    }
    if fault == Some(violation) {
        // It came back as it was sent: that it was not refused is the fault.
        return None;
    }
    Some(Finding::new(Deviation::Illegal(violation), Rule::against(violation)))
}

fn class(sent: &Sent, outcome: &Outcome) -> Option<Finding> {
    let strange = outcome
        .events
        .iter()
        .position(|event| !matches!(event.what, Observed::Message { equals: Some(_), .. }));
    if let Some(came) = strange {
        let (deviation, rule) = if is_related(sent, outcome, Some(came)) {
            (changed(sent, &outcome.events[came]), Rule::echo())
        } else {
            (Deviation::Unasked(What::Echo), Rule::unasked())
        };
        return Some(Finding { came: Some(came), ..Finding::new(deviation, rule) });
    }
    outcome.echo_timed_out.then(|| Finding::new(Deviation::Nothing(What::Echo), Rule::echo()))
}

/// How a message differs from all that were sent.
fn changed(sent: &Sent, event: &Event) -> Deviation {
    let Observed::Message { head, len, .. } = &event.what else {
        return Deviation::Altered(What::Echo);
    };
    let mut messages = sent.messages.iter();
    if messages.any(|sent| *len > sent.len() && head.starts_with(&sent.head(head.len()))) {
        return Deviation::Longer(What::Echo);
    }
    let mut messages = sent.messages.iter();
    if messages.any(|sent| *len < sent.len() && sent.head(head.len()) == *head) {
        return Deviation::Shorter(What::Echo);
    }
    Deviation::Altered(What::Echo)
}

fn echoes(case: &Case, outcome: &Outcome) -> Option<Finding> {
    let looped = matches!(case.accept, Accept::EchoLoop { .. });
    let whole = match &case.accept {
        Accept::FirstEcho { payload, .. } => Some(payload.len()),
        Accept::EchoLoop { series, .. } => Some(series.size().0),
        _ => None,
    };
    let count = match &case.accept {
        Accept::EchoLoop { count, .. } => *count,
        _ => 1,
    };
    let deviation = if let Some(at) = outcome.content_differs_at {
        if Some(at) == whole {
            Deviation::Longer(What::Echo)
        } else if whole.is_some_and(|whole| is_too_little(outcome, whole)) && !looped {
            Deviation::Shorter(What::Echo)
        } else {
            Deviation::Altered(What::Echo)
        }
    } else if outcome.kind_differs {
        Deviation::OtherKind
    } else if outcome.echoes > count {
        Deviation::Twice(What::Echo)
    } else if outcome.computed_ok {
        return None;
    } else if outcome.octets_received == 0 && !by_peer(outcome) {
        Deviation::Nothing(What::Echo)
    } else if by_peer(outcome) {
        Deviation::EndsGood(What::Echo)
    } else if looped && !case.deflate.is_empty() && outcome.echoes > 0 {
        Deviation::LoopStops
    } else {
        Deviation::Nothing(What::Echo)
    };
    Some(Finding::new(deviation, Rule::echo()))
}

/// Fewer octets came than a frame with the whole message has.
fn is_too_little(outcome: &Outcome, whole: u64) -> bool {
    let mut header = Vec::new();
    FrameHeader::new(Opcode::Binary, whole).encode(&mut header);
    outcome.octets_received < whole + header.len() as u64
}

/// The peer ended the connection before the tester did.
pub(super) fn by_peer(outcome: &Outcome) -> bool {
    let closing = &outcome.closing;
    closing.peer_closed_first
        || matches!(closing.tcp_end, Some(TcpEnd::PeerFin | TcpEnd::PeerReset))
            && !closing.closed_by_me
}

fn close(case: &Case, sent: &Sent, outcome: &Outcome, judgement: &Judgement) -> Option<Finding> {
    let closing = &outcome.closing;
    let code = closing.first_remote_code;
    if case.close.by == CloseBy::Tester && by_peer(outcome) {
        let deviation = Deviation::EndsGood(What::Close);
        return Some(Finding::new(deviation, Rule::good_connection()));
    }
    if let Some(code) = code.filter(|code| !case.close.codes.contains(code)) {
        let finding = if let Some(fault) = &sent.fault {
            let deviation = Deviation::WrongErrorCode(fault.violation, code);
            let rule = if fault.violation == Violation::CloseCodeReserved {
                Rule::against(fault.violation)
            } else {
                Rule::error_code()
            };
            Finding::new(deviation, rule)
        } else if matches!(code, 1002 | 1007) && sent.close_code != Some(code) {
            Finding::new(Deviation::LegalCodeRefused(code), Rule::legal_code())
        } else {
            Finding::new(Deviation::AnswerCode(code), Rule::answer_code())
        };
        return Some(finding);
    }
    if closing.remote_close_at.is_none() && judgement.close != wsproof_engine::CloseBehavior::Ok {
        let half = matches!(case.accept, Accept::Class(Class::AnswersHalfClose));
        let deviation = if half { Deviation::HalfClose } else { Deviation::CloseUnanswered };
        return Some(Finding::new(deviation, Rule::close_answered()));
    }
    if closing.server_drop_timeout
        || matches!(closing.tcp_end, Some(TcpEnd::TesterFin | TcpEnd::TesterAbort))
    {
        return Some(Finding::new(Deviation::TcpLeftOpen, Rule::tcp_end()));
    }
    None
}
