//! What becomes of a case that is tried again.

use wsproof_engine::{Behavior, CloseBehavior, Section, text};

use super::*;
use crate::verdict::Verdict;

const HAD: bool = false;
const AWAY: bool = true;

/// Attempts at a case, each alone, that met a peer which could be had or was away; and for each
/// whether another one was to follow. In the end it counts as `away`.
fn check(attempts: &[(bool, bool)], away: bool) {
    let peer = Peer {
        address: Address { host: "127.0.0.1".to_owned(), port: 1, tls: None },
        target: Target::new(String::new(), String::new()),
        timers: None,
        settings: Settings::default(),
    };
    let limits = Limits::default();
    let options = Options { jobs: 1, overlap_measured: false, limits, seed: 0, watched: false };
    let (events, cancel) = (mpsc::unbounded_channel().0, CancellationToken::new());
    let mut section = Section::default();
    section.case("1.1.1", "a case").send(text("x"));
    let cases: Vec<_> = section.into_cases().into_iter().map(Arc::new).collect();
    let mut scheduler = Scheduler::new(&peer, &cases, &options, &events, &cancel);
    for (n, &(away, again)) in attempts.iter().enumerate() {
        let new = Record {
            case: cases[0].clone(),
            attempts: 1,
            counts: 1,
            verdict: Verdict {
                classic: (if away { Behavior::Failed } else { Behavior::Ok }, CloseBehavior::Ok),
                rfc: (if away { Behavior::Failed } else { Behavior::Ok }, CloseBehavior::Ok),
                code: None,
            },
            duration: Duration::ZERO,
            unstable: false,
            confirmation: Confirmation::NotNeeded,
            needs_confirmation: true,
            rests_on_silence: false,
            opening: Vec::new(),
            settled: false,
            away,
            absences: u32::from(away),
        };
        scheduler.disputed.clear();
        scheduler.record(new, 0, Mode::Alone, away);
        let disputed = !scheduler.disputed.is_empty();
        assert_eq!(disputed, again, "attempt {n} of {attempts:?}");
    }
    assert_eq!(scheduler.records[&cases[0].id].away, away, "{attempts:?}");
}

#[test]
fn a_peer_that_could_be_had_before_is_asked_again() {
    let in_vain = [(AWAY, true), (AWAY, true), (AWAY, true), (AWAY, false)];
    check(&[&[(HAD, false)], &in_vain[..]].concat(), AWAY);
    check(&[(HAD, false), (AWAY, true), (HAD, false)], HAD);
    // Attempts that met it are none in vain.
    let met = [(HAD, false); 4];
    check(&[&met[..], &in_vain[..]].concat(), AWAY);
    // What counts is whether it could be had in the attempt that counts.
    check(&[&[(AWAY, false), (HAD, false)], &in_vain[..]].concat(), AWAY);
    check(&[(AWAY, false), (AWAY, false)], AWAY);
}
