//! Fixed results: a few cases, really carried out in virtual time with scripted peers.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use wsproof_engine::{
    Basis, Case, Class,
    Grade::{NonStrict, Strict},
    Input, Outcome, Run, RunConfig, Section,
    Spec::RFC6455,
    Target, TcpEnd, Transmit, echo, fill, judge, ms, ping, pong_to, secs, text, timeout,
};
use wsproof_proto::{Role, handshake::accept_for};
use wsproof_report::{
    Baseline, Gate, JudgeKind, Line, Results,
    contract::{Attempt, Confirmation, End, FORMAT, Machine, Note, PeerInfo, RunInfo, Verdict},
    gate::{FailOn, Question, Scope},
};

/// An agent that tries to break every format.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script> \"FAILED\" \u{202e}\u{1b}[31m|😀";

/// What a scripted peer does.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Fin,
    Send(&'static [u8]),
}

use Act::{Fin, Send};

const CLOSE_1000: &[u8] = b"\x88\x02\x03\xe8";

pub(crate) fn catalogue() -> Vec<Case> {
    let mut s = Section::new();
    s.case("1.1.2", "text message of 125 octets")
        .cites(RFC6455, "5.2")
        .why("125 is the last length that fits into seven bits.")
        .send(text(fill(b'*', 125)))
        .accept(Strict, [echo()])
        .then_close()
        .kill_after(secs(1));
    s.case("2.3", "ping with binary payload")
        .cites(RFC6455, "5.5.3")
        .why("A pong carries the octets of its ping, whatever they are.")
        .send(ping(b"\x00\xff\xfe"))
        .accept(Strict, [pong_to(b"\x00\xff\xfe")])
        .then_close()
        .kill_after(secs(1));
    s.case("6.4.1", "ill-formed text in fragments")
        .cites(RFC6455, "8.1")
        .why("Text that cannot become well-formed any more must fail the connection.")
        .send(text(b"\xce\xba").not_final())
        .wait_while_open(ms(500), "A")
        .accept(Strict, [timeout("A")])
        .accept(NonStrict, [])
        .because(Basis::Race)
        .peer_fails(1007)
        .or_fails()
        .kill_after(secs(1));
    s.case("9.1.1", "text message of 64 KiB")
        .cites(RFC6455, "6.1")
        .why("Large messages take the longest form of the length.")
        .measured()
        .send(text(fill(b'*', 5)))
        .accept_first_echo()
        .close_after(secs(10));
    s.case("HS.1.1", "minimal opening request")
        .cites(RFC6455, "4.2.1")
        .why("Fields that are not required must not be missed.")
        .bare_request()
        .class(Class::Accepted);
    s.into_cases()
}

const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\nServer: x\r\nContent-Length: 29\r\n\r\n<script>alert(1)</script>\xff\x1b[0";

/// Carries out a case; the acts come so many ms after the opening of the WebSocket.
pub(crate) fn carry_out(case: &Case, refusal: Option<&[u8]>, acts: &[(u64, Act)]) -> Outcome {
    let config = RunConfig::new(Role::Client, Target::new("127.0.0.1:9001", "/"), 7);
    let mut run = Run::new(Arc::new(case.clone()), config);
    run.poll_dial();
    run.handle(0, ms(0), Input::Connected);
    let request = String::from_utf8(flush(&mut run, ms(0))).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accepted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nServer: AB-SUT\r\nUpgrade: websocket\r\nConnection: \
         Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_for(key.as_bytes())
    );
    let mut answer = refusal.unwrap_or(accepted.as_bytes()).to_vec();
    run.handle(0, ms(1), Input::Octets(&mut answer));
    flush(&mut run, ms(1));
    for (at, act) in acts {
        let at = ms(1 + at);
        expire(&mut run, at);
        match act {
            Fin => run.handle(0, at, Input::Eof),
            Send(octets) => run.handle(0, at, Input::Octets(&mut octets.to_vec())),
        }
        flush(&mut run, at);
    }
    expire(&mut run, secs(100));
    assert!(run.is_over());
    run.into_outcome(secs(100))
}

fn expire(run: &mut Run, until: Duration) {
    while let Some(due) = run.poll_timeout().filter(|due| *due <= until) {
        run.handle_timeout(due);
        flush(run, due);
    }
}

fn flush(run: &mut Run, now: Duration) -> Vec<u8> {
    let mut written = Vec::new();
    while let Some(Transmit::Octets { .. }) = run.poll_transmit(0, now, &mut written) {}
    written
}

pub(crate) fn attempt(peer: &str, case: &Case, number: u32, outcome: Outcome) -> Line {
    Line::Attempt(Box::new(Attempt {
        peer: peer.to_owned(),
        case: case.id.clone(),
        attempt: number,
        quiet: number > 1,
        beside: if number > 1 { 0 } else { 15 },
        comparable: number > 1,
        started: "2026-11-20T15:52:03.850Z".to_owned(),
        classic: judge::classic(case, &outcome),
        rfc: judge::rfc(case, &outcome),
        outcome,
    }))
}

pub(crate) fn verdict(peer: &str, case: &Case, attempt: u32, unstable: bool) -> Line {
    Line::Verdict(Verdict {
        peer: peer.to_owned(),
        case: case.id.clone(),
        attempt,
        unstable,
        confirmation: if attempt > 1 { Confirmation::Confirmed } else { Confirmation::NotNeeded },
    })
}

fn head(cases: &[Case]) -> Line {
    Line::Run(RunInfo {
        format: FORMAT,
        tool: "wsproof 0.1.0".to_owned(),
        catalogue: "1".to_owned(),
        command: ["wsproof", "test", "ws://127.0.0.1:9001"].map(str::to_owned).to_vec(),
        started: "2026-11-20T15:52:03.800Z".to_owned(),
        seed: 7,
        judge: JudgeKind::Rfc,
        cases: cases.iter().map(|case| case.id.clone()).collect(),
        part: None,
        machine: Machine { os: "linux".to_owned(), arch: "x86_64".to_owned(), cpus: 2 },
    })
}

fn end() -> Line {
    Line::End(End { ended: "2026-11-20T15:52:09.001Z".to_owned(), interrupted: false })
}

pub(crate) fn echo_125() -> &'static [u8] {
    const ECHO: [u8; 127] = {
        let mut octets = [b'*'; 127];
        octets[0] = 0x81;
        octets[1] = 125;
        octets
    };
    &ECHO
}

/// The lines of a run against a good peer.
pub(crate) fn good_lines(peer: &str) -> Vec<Line> {
    let cases = catalogue();
    let closes: &[(u64, Act)] = &[(3, Send(CLOSE_1000)), (4, Fin)];
    let acts: [Vec<(u64, Act)>; 5] = [
        vec![(2, Send(echo_125()))],
        vec![(2, Send(b"\x8a\x03\x00\xff\xfe"))],
        vec![(501, Send(b"\x88\x02\x03\xef")), (502, Fin)],
        vec![(2, Send(b"\x81\x05*****"))],
        vec![(2, Send(CLOSE_1000)), (3, Fin)],
    ];
    let mut lines =
        vec![head(&cases), Line::Peer(PeerInfo { peer: peer.to_owned(), ..PeerInfo::default() })];
    for (case, mut acts) in cases.iter().zip(acts) {
        if case.id.as_str().len() < 6 && case.id.as_str() != "6.4.1" {
            acts.extend(closes);
        }
        let mut case = case.clone();
        if case.id.as_str() == "HS.1.1" {
            case.close(1000, "");
        }
        lines.push(attempt(peer, &case, 1, carry_out(&case, None, &acts)));
        lines.push(verdict(peer, &case, 1, false));
    }
    lines.push(end());
    lines
}

/// The lines of a run against a peer with faults: a wrong pong, a wrong close code that changed
/// when it was alone, and a refusal.
pub(crate) fn bad_lines(peer: &str) -> Vec<Line> {
    let cases = catalogue();
    let [echo, pong, utf8, _, refused] = &cases[..] else { panic!("there are five cases") };
    let url = "ws://127.0.0.1:9001/<b>".to_owned();
    let out = |case, acts: &[(u64, Act)]| carry_out(case, None, acts);
    let close = [(3, Send(CLOSE_1000)), (4, Fin)];
    let wrong_pong = [(2, Send(b"\x8a\x03\x00\xff\xff")), (3, Send(CLOSE_1000)), (4, Fin)];
    let wrong_code = [(2, Send(b"\x88\x05\x03\xea<b>")), (3, Fin)];
    let illegal = [(2, Send(b"\xc2\x02\xff\x00")), (3, Send(CLOSE_1000)), (4, Fin)];
    vec![
        head(&cases),
        Line::Peer(PeerInfo { peer: peer.to_owned(), url, dial: None }),
        attempt(peer, echo, 1, out(echo, &[(2, Send(echo_125())), close[0], close[1]])),
        verdict(peer, echo, 1, false),
        attempt(peer, pong, 1, out(pong, &wrong_pong)),
        attempt(peer, pong, 2, out(pong, &illegal)),
        verdict(peer, pong, 2, false),
        attempt(peer, utf8, 1, out(utf8, &wrong_code)),
        attempt(peer, utf8, 2, out(utf8, &[(501, Send(b"\x88\x02\x03\xef")), (502, Fin)])),
        verdict(peer, utf8, 2, true),
        attempt(peer, refused, 1, carry_out(refused, Some(REFUSAL), &[(400, Fin)])),
        attempt(peer, refused, 2, carry_out(refused, Some(REFUSAL), &[(400, Fin)])),
        verdict(peer, refused, 2, false),
        Line::Note(Note {
            peer: Some(peer.to_owned()),
            text: "The peer got slower, so cases ran alone.".to_owned(),
        }),
        end(),
    ]
}

pub(crate) fn results(lines: impl IntoIterator<Item = Line>) -> Results {
    let mut results = Results::default();
    for line in lines {
        results.push(line);
    }
    results
}

pub(crate) fn good() -> Results {
    results(good_lines("AB-SUT"))
}

pub(crate) fn bad() -> Results {
    results(bad_lines(HOSTILE))
}

pub(crate) fn both() -> Results {
    results(good_lines("AB-SUT").into_iter().chain(bad_lines(HOSTILE)))
}

/// The answer to the usual question, or to that of a baseline.
pub(crate) fn gate<'a>(results: &'a Results, baseline: Option<&'a Baseline>) -> Gate<'a> {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(catalogue);
    static FAIL_ON: LazyLock<FailOn> = LazyLock::new(FailOn::default);
    Gate::new(Question {
        results,
        cases: &CASES,
        judge: JudgeKind::Rfc,
        fail_on: &FAIL_ON,
        baseline,
        scope: Scope::Whole,
    })
}

#[test]
fn the_scripts_do_what_they_are_for() {
    let ends = |results: &Results, peer: &str| {
        let records = results.records(peer);
        records.map(|(_, r)| r.final_attempt().unwrap().outcome.closing.tcp_end).collect::<Vec<_>>()
    };
    assert_eq!(ends(&good(), "AB-SUT"), [Some(TcpEnd::PeerFin); 5]);
    let fin = Some(TcpEnd::PeerFin);
    assert_eq!(ends(&bad(), HOSTILE)[..3], [fin; 3]);
}
