//! Several results: merged, and compared.

use wsproof_engine::What;
use wsproof_report::{
    JudgeKind, Line, Results,
    contract::{PartBy, PartInfo, RunInfo},
    diff::diff,
    merge::{Part, join, merge},
};

use crate::sample::{bad_lines, good, good_lines, results};

/// One of two parts of a good run.
fn part(part: u32, change: impl Fn(&mut Line)) -> Part {
    let mine = |id: &str| (id.starts_with('2') || id.starts_with('9')) == (part == 1);
    let lines = good_lines("x").into_iter().filter_map(|mut line| {
        match &mut line {
            Line::Run(run) => {
                run.part =
                    Some(PartInfo { by: PartBy::Slice, part, parts: 2, of: run.cases.len() });
                run.cases.retain(|id| mine(id.as_str()));
            }
            Line::Attempt(attempt) if !mine(attempt.case.as_str()) => return None,
            Line::Verdict(verdict) if !mine(verdict.case.as_str()) => return None,
            _ => {}
        }
        change(&mut line);
        Some(line)
    });
    Part { name: format!("{part}.jsonl"), results: results(lines) }
}

fn plain(n: u32) -> Part {
    part(n, |_| {})
}

#[test]
fn lines_say_all() {
    for results in [good(), crate::sample::both()] {
        let mut again = Results::default();
        results.lines().into_iter().for_each(|line| again.push(line));
        assert_eq!(again, results);
    }
}

#[test]
fn the_parts_of_a_run_make_it_whole() {
    let merged = merge(&[plain(2), plain(1)]).unwrap();
    assert_eq!(merged, results(good_lines("x")));
}

fn refused(parts: &[Part], says: &str) {
    let error = merge(parts).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn what_does_not_make_a_run_is_refused() {
    let with_run = |change: fn(&mut RunInfo)| {
        part(2, move |line| {
            if let Line::Run(run) = line {
                change(run);
            }
        })
    };
    refused(&[], "no results");
    refused(&[plain(1)], "2 of 5 cases are there; add the results of part 2 of 2");
    refused(&[plain(1), plain(1)], "1.jsonl and 1.jsonl both hold case 2.3 of x");
    let many = part(1, |line| {
        if let Line::Run(RunInfo { part: Some(part), .. }) = line {
            part.parts = u32::MAX;
        }
    });
    refused(&[many], "part 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, .. of 4294967295");
    let other = with_run(|run| run.seed = 8);
    refused(&[plain(1), other], "1.jsonl and 2.jsonl are of different runs: not the same --seed");
    refused(&[plain(1), with_run(|run| run.judge = JudgeKind::Classic)], "--judge");
    refused(&[plain(1), with_run(|run| run.catalogue.push('x'))], "not the same version");
    refused(&[plain(1), with_run(|run| run.part = None)], "not divided alike");
    let stranger = Part { name: "y".to_owned(), results: results(good_lines("y")) };
    refused(&[stranger.clone(), stranger.clone()], "not divided alike");
    let joined = join(&[plain(1), stranger]).unwrap();
    assert_eq!(joined.peers().len(), 2);
    let no_run = Part { name: "z".to_owned(), results: Results::default() };
    refused(&[no_run], "z: the first line, `run`, is missing");
}

fn check(before: &Results, after: &Results, worse: bool, text: &str) {
    let found = diff(before, after, JudgeKind::Rfc);
    assert_eq!((&*found.text, found.worse), (text, worse));
}

#[test]
fn what_changed_is_told() {
    let good = |peer: &str| results(good_lines(peer));
    check(&good("x/1"), &good("x/2"), false, "x/1 -> x/2: 5 cases unchanged\n");
    check(
        &good("x"),
        &results(bad_lines("x")),
        true,
        "\
x: 2 cases unchanged
  worse   2.3  passed -> failed: the peer sent a reserved bit without an extension that gives it a meaning (RFC 6455, 5.2) at octet 0
  worse   HS.1.1  passed -> failed: the opening handshake was answered with status 403
  gone    9.1.1  was passed
",
    );
    check(
        &results(bad_lines("x")),
        &good("x"),
        false,
        "\
x: 2 cases unchanged
  better  2.3  failed -> passed
  better  HS.1.1  failed -> passed
  new     9.1.1  passed
",
    );
}

#[test]
fn two_failures_differ_in_their_octets() {
    let with_attempt = |number: u32| {
        let lines = bad_lines("x").into_iter().map(move |line| match line {
            Line::Verdict(mut verdict) if verdict.case.as_str() == "2.3" => {
                verdict.attempt = number;
                Line::Verdict(verdict)
            }
            line => line,
        });
        results(lines)
    };
    let text = "\
x: 3 cases unchanged
  changed 2.3  failed -> failed: frame 1, octet 0: 8A 03 00 FF FF -> C2 02 FF 00
";
    check(&with_attempt(1), &with_attempt(2), false, text);
}

#[test]
fn a_clients_masking_keys_are_no_difference() {
    let masked = |key: u8, last: u8| {
        let lines = bad_lines("x").into_iter().map(move |mut line| {
            if let Line::Attempt(attempt) = &mut line {
                for entry in &mut attempt.outcome.transcript.entries {
                    if let What::FrameReceived { header, head, .. } = &mut entry.what {
                        header.mask = Some([key; 4]);
                        if let Some(octet) = head.last_mut() {
                            *octet = last;
                        }
                    }
                }
            }
            line
        });
        results(lines)
    };
    check(&masked(1, 0), &masked(2, 0), false, "x: 4 cases unchanged\n");
    let text = "\
x: 3 cases unchanged
  changed 2.3  failed -> failed: frame 1, octet 7: C2 82 01 01 01 01 FF 00 -> C2 82 02 02 02 02 FF 03
";
    check(&masked(1, 0), &masked(2, 3), false, text);
}
