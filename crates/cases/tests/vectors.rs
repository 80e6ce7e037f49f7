//! Scripted peers and the classic verdicts on them, however their octets are cut.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use wsproof_engine::{Case, Input, Limits, Outcome, Run, RunConfig, Target, judge};
use wsproof_proto::Role;

#[derive(Debug, Deserialize)]
struct Vector {
    case: String,
    tester_is_server: bool,
    peer: String,
    script: Vec<Entry>,
    verdict: Option<Verdict>,
    never_ends: bool,
}

#[derive(Debug, Deserialize)]
struct Entry {
    at: f64,
    send: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    behavior: String,
    behavior_close: String,
    closed_by_me: bool,
    dropped_by_me: bool,
    events: usize,
    failed_by_me: bool,
    remote_close_code: Option<u16>,
    was_clean: bool,
}

/// How the peer's octets are cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Whole,
    Octets,
    Random(u64),
}

impl Cut {
    fn apply(self, octets: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Whole => vec![octets.to_vec()],
            Self::Octets => octets.chunks(1).map(<[u8]>::to_vec).collect(),
            Self::Random(seed) => {
                let (mut state, mut rest, mut pieces) = (seed, octets, Vec::new());
                while !rest.is_empty() {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let n = 1 + usize::try_from(state >> 60).unwrap() % rest.len();
                    pieces.push(rest[..n].to_vec());
                    rest = &rest[n..];
                }
                pieces
            }
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn drain(run: &mut Run, now: Duration) {
    let mut buf = Vec::new();
    while run.poll_transmit(0, now, &mut buf).is_some() {
        buf.clear();
    }
}

/// Plays the script to the case; the peer leaves at the end if nothing else ends the run.
fn play(case: &Case, vector: &Vector, cut: Cut) -> Outcome {
    let role = if vector.tester_is_server { Role::Server } else { Role::Client };
    let config = RunConfig {
        role,
        target: Target::new("h", "/"),
        seed: 1,
        limits: Limits::default(),
        timers: None,
    };
    let mut run = Run::opened(Arc::new(case.clone()), config, Duration::ZERO);
    drain(&mut run, Duration::ZERO);
    for entry in &vector.script {
        let at = Duration::from_secs_f64(entry.at);
        while let Some(due) = run.poll_timeout().filter(|due| *due < at) {
            run.handle_timeout(due);
            drain(&mut run, due);
        }
        match &entry.send {
            Some(octets) => {
                for mut piece in cut.apply(&hex(octets)) {
                    run.handle(0, at, Input::Octets(&mut piece));
                    drain(&mut run, at);
                }
            }
            None => run.handle(0, at, Input::Eof),
        }
    }
    while !run.is_over() {
        let due = run.poll_timeout().expect("a run that is not over waits for a time");
        run.handle_timeout(due);
        drain(&mut run, due);
        assert!(due < Duration::from_secs(2000), "{}: {} does not end", vector.case, vector.peer);
    }
    run.into_outcome(Duration::ZERO)
}

fn verdict(case: &Case, outcome: &Outcome) -> Verdict {
    let judgement = judge::classic(case, outcome);
    Verdict {
        behavior: judgement.behavior.name().to_owned(),
        behavior_close: judgement.close.name().to_owned(),
        closed_by_me: outcome.closing.closed_by_me,
        dropped_by_me: outcome.closing.dropped_by_me,
        events: outcome.events.len(),
        failed_by_me: outcome.closing.failed_by_me,
        remote_close_code: outcome.closing.remote_code,
        was_clean: outcome.closing.was_clean,
    }
}

fn check(cut: Cut) {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 142);
    let cases = wsproof_cases::classic();
    for vector in &vectors {
        let case = cases.iter().find(|case| case.id.as_str() == vector.case).unwrap();
        let outcome = play(case, vector, cut);
        let got = verdict(case, &outcome);
        let role = if vector.tester_is_server { "server" } else { "client" };
        let name = format!("{} as {role}, {} ({cut:?})", vector.case, vector.peer);
        match &vector.verdict {
            Some(expected) => assert_eq!(&got, expected, "{name}"),
            None => {
                assert!(vector.never_ends);
                // The original waits for ever; the drop timer gives these a verdict.
                let close = if vector.case == "6.4.1" { "FAILED BY CLIENT" } else { "FAILED" };
                assert_eq!(got.behavior_close, close, "{name}");
            }
        }
    }
}

#[test]
fn whole() {
    check(Cut::Whole);
}

#[test]
fn octet_by_octet() {
    check(Cut::Octets);
}

#[test]
fn at_random() {
    for seed in 1..20 {
        check(Cut::Random(seed));
    }
}

/// What was found in real peers and is not among the scripted ones.
fn check_found(case: &str, octets: &[u8], behavior: &str, close: &str) {
    let cases = wsproof_cases::classic();
    let case = cases.iter().find(|known| known.id.as_str() == case).unwrap();
    for cut in [Cut::Whole, Cut::Octets, Cut::Random(5)] {
        let text = octets.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"));
        let at = |at: f64, send: Option<String>| Entry { at, send };
        let vector = Vector {
            case: case.id.to_string(),
            tester_is_server: false,
            peer: "found".to_owned(),
            script: vec![at(0.01, Some(text)), at(0.02, None)],
            verdict: None,
            never_ends: false,
        };
        let got = verdict(case, &play(case, &vector, cut));
        assert_eq!((got.behavior.as_str(), got.behavior_close.as_str()), (behavior, close), "{cut:?}");
    }
}

#[test]
fn text_is_not_looked_at_once_the_connection_has_failed() {
    // A new message inside of one that stopped within a character, then an obedient close.
    let octets = b"\x01\x01\xce\x81\x0a\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\x88\x02\x03\xea";
    check_found("6.5.5", octets, "FAILED", "WRONG CODE");
}
