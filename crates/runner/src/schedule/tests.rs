//! What becomes of a case that is tried again.

use wsproof_engine::{Behavior, CloseBehavior, Grade, Section, echo, text};

use super::*;
use crate::verdict::Verdict;

const HAD: bool = false;
const AWAY: bool = true;

const LATE: bool = true;

fn the_case() -> Arc<Case> {
    let mut section = Section::default();
    section
        .case("1.1.1", "a case")
        .send(text("x"))
        .accept(Grade::Strict, [echo()])
        .then_close()
        .kill_after(Duration::from_secs(1));
    Arc::new(section.into_cases().remove(0))
}

/// Takes in attempts at a case, each alone, and says whether another one was to follow each. In the
/// end the record is given back.
fn check(attempts: impl IntoIterator<Item = (Record, bool)>) -> Record {
    with_scheduler(&mpsc::unbounded_channel().0, |scheduler| {
        for (n, (new, again)) in attempts.into_iter().enumerate() {
            let away = new.away;
            scheduler.disputed.clear();
            scheduler.record(new, 0, Mode::Alone, away);
            assert_eq!(!scheduler.disputed.is_empty(), again, "attempt {n}");
        }
        scheduler.records.remove(&the_case().id).unwrap()
    })
}

/// Does something with a scheduler of the one case.
fn with_scheduler<T>(
    events: &mpsc::UnboundedSender<Event>,
    act: impl FnOnce(&mut Scheduler<'_>) -> T,
) -> T {
    let peer = Peer {
        address: Address { host: "127.0.0.1".to_owned(), port: 1, tls: None },
        target: Target::new(String::new(), String::new()),
        timers: None,
        settings: Settings::default(),
    };
    let limits = Limits::default();
    let options = Options { jobs: 1, overlap_measured: false, limits, seed: 0, watched: false };
    let (cases, cancel) = ([the_case()], CancellationToken::new());
    act(&mut Scheduler::new(&peer, &cases, &options, events, &cancel))
}

fn record(good: bool) -> Record {
    let behavior = if good { Behavior::Ok } else { Behavior::Failed };
    let verdict = (behavior, CloseBehavior::Ok);
    Record {
        case: the_case(),
        attempts: 1,
        counts: 1,
        verdict: Verdict { classic: verdict, rfc: verdict, code: None },
        duration: Duration::ZERO,
        unstable: false,
        confirmation: Confirmation::NotNeeded,
        needs_confirmation: true,
        rests_on_silence: false,
        opening: Vec::new(),
        settled: false,
        away: false,
        absences: 0,
        late: false,
        alone: true,
    }
}

/// Attempts that met a peer which could be had or was away; and for each whether another one was to
/// follow. In the end it counts as `away`.
fn check_away(attempts: &[(bool, bool)], away: bool) {
    let met = |&(away, again): &(bool, bool)| {
        (Record { away, absences: u32::from(away), ..record(!away) }, again)
    };
    assert_eq!(check(attempts.iter().map(met)).away, away, "{attempts:?}");
}

#[test]
fn a_peer_that_could_be_had_before_is_asked_again() {
    let in_vain = [(AWAY, true), (AWAY, true), (AWAY, true), (AWAY, false)];
    check_away(&[&[(HAD, false)], &in_vain[..]].concat(), AWAY);
    check_away(&[(HAD, false), (AWAY, true), (HAD, false)], HAD);
    // Attempts that met it are none in vain.
    let met = [(HAD, false); 4];
    check_away(&[&met[..], &in_vain[..]].concat(), AWAY);
    // What counts is whether it could be had in the attempt that counts.
    check_away(&[&[(AWAY, false), (HAD, false)], &in_vain[..]].concat(), AWAY);
    check_away(&[(AWAY, false), (AWAY, false)], AWAY);
}

#[test]
fn what_came_in_time_before_is_waited_for_again() {
    let late = |late: bool, again| (Record { late, ..record(!late) }, again);
    let last = check([late(!LATE, false), late(LATE, true), late(!LATE, false)]);
    assert_eq!((last.verdict.rfc.0, last.counts, last.unstable), (Behavior::Ok, 3, true));
    let last = check([late(!LATE, false), late(LATE, true), late(LATE, false)]);
    assert_eq!((last.verdict.rfc.0, last.counts), (Behavior::Failed, 2));
    // Whose answers are late now and then is not asked for ever.
    let by_turns = [(!LATE, false), (LATE, true), (!LATE, false), (LATE, false)];
    check(by_turns.map(|(it, again)| late(it, again)));
}

/// The record of a first attempt with nothing beside it. The peer sends octets, or nothing, and ends
/// TCP or does not.
fn attempted(octets: &[u8], ends: bool) -> Record {
    let case = the_case();
    let config = RunConfig::new(Role::Client, Target::new("h", "/"), 1);
    let mut run = wsproof_engine::Run::opened(case.clone(), config, Duration::ZERO);
    if !octets.is_empty() {
        let mut octets = octets.to_vec();
        run.handle(0, Duration::ZERO, wsproof_engine::Input::Octets(&mut octets));
    }
    if ends {
        run.handle(0, Duration::ZERO, wsproof_engine::Input::Eof);
    }
    while let Some(due) = run.poll_timeout() {
        run.handle_timeout(due);
        while run.poll_transmit(0, due, &mut Vec::new()).is_some() {}
    }
    let outcome = run.into_outcome(Duration::ZERO);
    let (classic, rfc) = (judge::classic(&case, &outcome), judge::rfc(&case, &outcome));
    Record::new(&case, &outcome, (&classic, &rfc), Mode::Overlapped, 0)
}

/// Whether an attempt with nothing beside it is repeated.
fn check_alone(octets: &[u8], ends: bool, again: bool) {
    let record = attempted(octets, ends);
    assert_ne!(record.verdict.rfc, (Behavior::Ok, CloseBehavior::Ok), "{octets:?}");
    assert_eq!(record.needs_confirmation, again, "{octets:?}");
}

#[test]
fn who_sends_all_rightly_and_then_nothing_may_be_asked_again_beside_others_that_wait() {
    for silent in [&b""[..], b"\x81\x01x"] {
        assert!(attempted(silent, false).rests_on_silence, "{silent:?}");
    }
    assert!(!attempted(b"\x81\x01y", false).rests_on_silence);
    assert!(!attempted(b"\x81\x01x\x88\x02\x03\xf3", false).rests_on_silence);
    assert!(!attempted(b"\x81\x01x\xc1\x00", false).rests_on_silence);
}

#[test]
fn a_peer_that_stood_still_is_asked_again_even_if_it_was_alone() {
    check_alone(b"", false, true);
    // An echo, and no answer to the close frame; a close frame, and no end of TCP.
    check_alone(b"\x81\x01x", false, true);
    check_alone(b"\x88\x02\x03\xe8", false, true);
    // Nobody was waited for.
    check_alone(b"", true, false);
    check_alone(b"\x81\x01y\x88\x02\x03\xe8", true, false);
}

/// What becomes of a verdict that is not confirmed when the peer is gone.
fn check_gone(alone: bool, away: bool, confirmation: Confirmation) {
    let (sender, mut events) = mpsc::unbounded_channel();
    with_scheduler(&sender, |scheduler| {
        let record = Record { late: true, alone, away, ..record(false) };
        scheduler.records.insert(record.case.id.clone(), record);
        scheduler.settle_unconfirmed();
    });
    drop(sender);
    let mut found = None;
    while let Ok(event) = events.try_recv() {
        if let Event::Settled(settled) = event {
            found = Some(settled.confirmation);
        }
    }
    assert_eq!(found, Some(confirmation), "alone: {alone}, away: {away}");
}

#[test]
fn what_was_reached_alone_stands_when_the_peer_is_gone() {
    check_gone(true, false, Confirmation::NotNeeded);
    check_gone(false, false, Confirmation::Impossible);
    check_gone(true, AWAY, Confirmation::Impossible);
}
