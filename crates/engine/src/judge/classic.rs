//! What `wstest` says.

use super::{Behavior, CloseBehavior, Judgement, join_codes, same_events};
use crate::{Accept, Basis, Case, CloseBy, Grade, Outcome, Step};

/// The classic judgement. It knows no basis: every rule counts as a MUST.
///
/// Our own families have none; for them the RFC judgement stands in.
pub fn classic(case: &Case, outcome: &Outcome) -> Judgement {
    if matches!(case.accept, Accept::Class(_)) {
        return super::rfc(case, outcome);
    }
    let (mut behavior, mut reason) = behavior(case, outcome);
    let (mut close, mut close_reason) = close(case, outcome);
    if case.close.wrong_side_fails && outcome.opened_at.is_some() && wrong_side(case, outcome) {
        behavior = Behavior::Failed;
        "The connection was closed by the wrong side.".clone_into(&mut reason);
    }
    if case.close.wrong_code_fails && close == CloseBehavior::WrongCode {
        behavior = Behavior::Failed;
        "The peer answered with a close code that is not accepted here.".clone_into(&mut reason);
    }
    if case.informational {
        behavior = Behavior::Informational;
        close = CloseBehavior::Informational;
        close_reason = format!("Whatever the peer does is accepted. {close_reason}");
    }
    Judgement {
        behavior,
        basis: Basis::Must,
        reason,
        close,
        close_basis: Basis::Must,
        close_reason,
    }
}

fn wrong_side(case: &Case, outcome: &Outcome) -> bool {
    outcome.closing.closed_by_me != (case.close.by == CloseBy::Tester)
}

fn behavior(case: &Case, outcome: &Outcome) -> (Behavior, String) {
    if outcome.opened_at.is_none() {
        return (Behavior::Failed, "The opening handshake was not completed.".to_owned());
    }
    if outcome.unimplemented {
        return (Behavior::Unimplemented, NOT_AGREED.to_owned());
    }
    match &case.accept {
        Accept::Class(_) => (Behavior::Failed, String::new()),
        Accept::EchoLoop { .. } if outcome.pong_in_loop => {
            let text = "A pong that nobody asked for ends the loop of echoes.";
            (Behavior::Failed, text.to_owned())
        }
        Accept::EchoLoop { .. } if outcome.went_on_after_final_block => {
            let text = "Messages after a final block of compressed data are not read.";
            (Behavior::Failed, text.to_owned())
        }
        Accept::FirstEcho { .. } | Accept::EchoLoop { .. } if outcome.computed_ok => {
            (Behavior::Ok, "The messages came back with the right kind and length.".to_owned())
        }
        Accept::FirstEcho { .. } | Accept::EchoLoop { .. } => {
            // Scripts look for this sentence.
            let seconds = limit_in_seconds(case);
            (Behavior::Failed, format!("Did not receive message within {seconds} seconds."))
        }
        Accept::Events(lists) => {
            let references = case.references();
            let complete = outcome.events_omitted == 0;
            let found = lists.iter().find(|list| {
                list.grade != Grade::RfcOnly
                    && complete
                    && same_events(&list.events, &outcome.events, &references)
            });
            match found.map(|list| list.grade) {
                Some(Grade::Strict) => {
                    (Behavior::Ok, "The events are exactly those expected.".to_owned())
                }
                Some(_) => (
                    Behavior::NonStrict,
                    "The events are not the preferred ones, but accepted.".to_owned(),
                ),
                None => (Behavior::Failed, "The events are none of those expected.".to_owned()),
            }
        }
    }
}

fn limit_in_seconds(case: &Case) -> u64 {
    case.steps
        .iter()
        .find_map(|step| match step {
            Step::CloseAfter(after) | Step::KillAfter(after) => Some(after.as_secs()),
            _ => None,
        })
        .unwrap_or_default()
}

const NOT_AGREED: &str =
    "The peer does not agree to permessage-deflate, so that there is nothing to see.";

/// The decision table, first hit wins.
fn close(case: &Case, outcome: &Outcome) -> (CloseBehavior, String) {
    let closing = &outcome.closing;
    let expected = &case.close;
    if outcome.opened_at.is_none() {
        return (CloseBehavior::Failed, "The opening handshake was not completed.".to_owned());
    }
    if wrong_side(case, outcome) {
        let who = if expected.by == CloseBy::Tester { "tester" } else { "peer" };
        let text = format!("The connection should have been closed by the {who}.");
        return (CloseBehavior::Failed, text);
    }
    if expected.clean && !closing.was_clean {
        let why = closing.not_clean_reason.as_deref().unwrap_or("it was not clean");
        return (CloseBehavior::Unclean, format!("A clean closing handshake was due: {why}."));
    }
    if closing.remote_code.is_some_and(|code| !expected.codes.contains(&code)) {
        // Scripts look for this sentence.
        let codes = join_codes(&expected.codes);
        return (
            CloseBehavior::WrongCode,
            format!("The close code should have been {codes} or empty"),
        );
    }
    if outcome.role == wsproof_proto::Role::Client && closing.dropped_by_me {
        let text = "The server should have ended TCP; the tester had to.".to_owned();
        return (CloseBehavior::FailedByClient, text);
    }
    (CloseBehavior::Ok, "The connection was closed as it should be.".to_owned())
}
