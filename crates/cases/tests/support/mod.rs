//! Scripted peers, played to a case in virtual time.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use wsproof_engine::{Case, Input, Outcome, Run, RunConfig, Target};
use wsproof_proto::Role;

/// What the peer does, and when.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) at: Duration,
    /// Octets to send; nothing ends TCP.
    pub(crate) send: Option<Vec<u8>>,
}

/// How the peer's octets are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
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

pub(crate) fn hex(text: &str) -> Vec<u8> {
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
pub(crate) fn play(case: &Case, role: Role, script: &[Act], cut: Cut) -> Outcome {
    let config = RunConfig::new(role, Target::new("h", "/"), 1);
    let mut run = Run::opened(Arc::new(case.clone()), config, Duration::ZERO);
    drain(&mut run, Duration::ZERO);
    for act in script {
        let at = act.at;
        while let Some(due) = run.poll_timeout().filter(|due| *due < at) {
            run.handle_timeout(due);
            drain(&mut run, due);
        }
        match &act.send {
            Some(octets) => {
                for mut piece in cut.apply(octets) {
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
        assert!(due < Duration::from_secs(2000), "{} does not end", case.id);
    }
    run.into_outcome(Duration::ZERO)
}

/// The classic case of that id.
pub(crate) fn case(id: &str) -> Case {
    let cases = wsproof_cases::catalogue();
    cases.into_iter().find(|case| case.id.as_str() == id).expect("there is such a case")
}
