//! What is known of a case: its verdict so far, and whether that must be confirmed.

use std::{sync::Arc, time::Duration};

use wsproof_engine::{
    Accept, Behavior, Case, Class, Event, Judgement, Observed, Opening, Outcome, TcpEnd,
};

use super::queue::Mode;
use crate::{Confirmation, verdict::Verdict};

/// What took longer is not done again for a peer that stood still at its end.
const LONG: Duration = Duration::from_secs(30);

/// What is known of a case.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Record {
    pub(super) case: Arc<Case>,
    pub(super) attempts: u32,
    pub(super) counts: u32,
    pub(super) verdict: Verdict,
    pub(super) duration: Duration,
    pub(super) unstable: bool,
    pub(super) confirmation: Confirmation,
    pub(super) needs_confirmation: bool,
    /// Whether it may be confirmed beside others that wait: it rests on silence alone.
    pub(super) rests_on_silence: bool,
    pub(super) opening: Vec<Opening>,
    pub(super) settled: bool,
    /// Whether the verdict comes from a peer that said that it cannot be had at the moment.
    pub(super) away: bool,
    /// So many attempts in a row, the last one among them, met such a peer.
    pub(super) absences: u32,
    /// Whether the peer was waited for in vain: it, or the machine, may have stood still.
    pub(super) late: bool,
    /// Whether nothing was beside the attempt that counts.
    pub(super) alone: bool,
}

impl Record {
    /// The record of a first attempt, with its classic and its RFC judgement.
    pub(super) fn new(
        case: &Arc<Case>,
        outcome: &Outcome,
        (classic, rfc): (&Judgement, &Judgement),
        mode: Mode,
        beside: u32,
    ) -> Self {
        let silent = outcome.octets_received == 0
            && !matches!(outcome.closing.tcp_end, Some(TcpEnd::PeerFin | TcpEnd::PeerReset));
        // A connection that breaks off is a good answer to some cases, and so is one that breaks
        // because the peer could bear no more: only alone can they be told apart.
        let broke_off = outcome.opened_at.is_some() && outcome.closing.remote_close_at.is_none();
        let late = outcome.is_out_of_time() && outcome.duration() < LONG;
        let plain = is_plain(case, classic) && is_plain(case, rfc) && !silent && !broke_off;
        Self {
            case: case.clone(),
            attempts: 1,
            counts: 1,
            verdict: Verdict::of(classic, rfc, outcome),
            duration: outcome.duration(),
            unstable: false,
            confirmation: Confirmation::NotNeeded,
            needs_confirmation: !plain
                && (beside > 0 || late || is_away(outcome))
                && !case.is_passive()
                && !matches!(mode, Mode::Quiet | Mode::Alone),
            rests_on_silence: rests_on_silence(case, outcome, [classic, rfc]),
            opening: outcome.openings.clone(),
            settled: false,
            away: is_away(outcome),
            absences: u32::from(is_away(outcome)),
            late,
            alone: beside == 0,
        }
    }
}

/// Whether a verdict comes from what the peer did not send, or did not do after all was sent as it
/// should be. Others that wait beside such a case do not change it; what a peer did send may depend
/// on what else it had to do.
fn rests_on_silence(case: &Case, outcome: &Outcome, judgements: [&Judgement; 2]) -> bool {
    let mark = |event: &Event| matches!(event.what, Observed::Timeout { .. });
    let nothing_sent = outcome.echoes == 0 && outcome.events.iter().all(mark);
    let code = outcome.closing.remote_code;
    let rightly_sent = judgements.iter().all(|it| it.behavior == Behavior::Ok)
        && code.is_none_or(|code| case.close.codes.contains(&code))
        && outcome.deviations.is_empty();
    !case.measured && (nothing_sent || rightly_sent && outcome.is_out_of_time())
}

/// A plain pass; where everything is informational that is the plainest there is.
fn is_plain(case: &Case, judgement: &Judgement) -> bool {
    !case.informational && judgement.is_plain_pass()
}

/// Whether the outcome may come from more load or more connections than the peer bears.
pub(super) fn is_trouble(case: &Case, outcome: &Outcome, rfc: &Judgement) -> bool {
    let refusal_wanted = matches!(case.accept, Accept::Class(Class::Refused));
    let not_opened = outcome.opened_at.is_none() && !refusal_wanted;
    let try_later = outcome.closing.remote_code == Some(1013);
    let reset = outcome.closing.tcp_end == Some(TcpEnd::PeerReset) && !rfc.is_plain_pass();
    not_opened || is_away(outcome) || try_later || reset
}

/// Whether somebody says that the server cannot be had at the moment: it itself, or the proxy
/// before one that is still starting.
fn is_away(outcome: &Outcome) -> bool {
    outcome.openings.iter().any(|o| matches!(o.status, Some(429 | 502..=504)))
}
