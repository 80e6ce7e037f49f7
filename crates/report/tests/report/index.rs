//! What the report says beyond verdicts: measurements, and a baseline.

use wsproof_engine::secs;
use wsproof_report::{Baseline, JudgeKind, html};

use crate::sample::{
    self,
    Act::{Fin, Send},
    HOSTILE, attempt, bad, carry_out, catalogue, good_lines, results,
};

/// The page of these attempts at two measured cases, by each peer: number, and how late the echo is.
fn drawn(peers: &[&str], attempts: &[(u32, u64)]) -> String {
    let mut lines = good_lines("x<y");
    lines.truncate(1);
    let mut cases = Vec::new();
    for (id, octets) in [("9.1.1", &b"*****"[..]), ("9.1.2", b"******")] {
        let mut case = catalogue()[3].clone();
        case.id = wsproof_engine::CaseId::new(id);
        let payload = wsproof_engine::octets(octets);
        case.steps =
            vec![wsproof_engine::text(octets).into(), wsproof_engine::Step::CloseAfter(secs(10))];
        let kind = wsproof_engine::Kind::Text;
        case.accept = wsproof_engine::Accept::FirstEcho { kind, payload };
        let echo: &[u8] = if id == "9.1.1" { b"\x81\x05*****" } else { b"\x81\x06******" };
        for peer in peers {
            for (number, late) in attempts {
                let at = 2 + late;
                let acts = [(at, Send(echo)), (at + 1, Send(b"\x88\x02\x03\xe8")), (at + 2, Fin)];
                lines.push(attempt(peer, &case, *number, carry_out(&case, None, &acts)));
            }
        }
        cases.push(case);
    }
    let page = html::index(&results(lines), &cases, JudgeKind::Rfc, |_| None, None);
    String::from_utf8(page.contents).unwrap()
}

fn check_drawn(page: &str, parts: &[&str], never: &[&str]) {
    let chart = page.split("<section id=\"charts\">").nth(1).unwrap();
    let chart = chart.split("</section>").next().unwrap();
    for part in parts {
        assert!(chart.contains(part), "no {part} in {chart}");
    }
    for part in never {
        assert!(!chart.contains(part), "{part} in {chart}");
    }
}

#[test]
fn what_was_measured_is_drawn_unless_others_ran_beside_it() {
    let whisker = "class=\"e\"";
    check_drawn(
        &drawn(&["x<y"], &[(2, 0)]),
        &[
            "<svg viewBox",
            "Throughput by message size",
            "one run each, so that the spread is unknown",
            "MB/s, by octets of a message. text: from 0.01 at 5 to 0.01 at 6. All numbers are below.",
            "<summary>numbers</summary>",
            "<title>text, 5: 0.01</title>",
        ],
        &[whisker, "class=\"legend\""],
    );
    check_drawn(
        &drawn(&["x<y"], &[(1, 0)]),
        &["Not drawn: other cases ran beside 2 of these"],
        &["<svg viewBox"],
    );
}

#[test]
fn several_runs_have_whiskers_and_several_peers_a_legend() {
    let whisker = "class=\"e\"";
    // The first one ran beside others, and says nothing.
    check_drawn(
        &drawn(&["x<y"], &[(1, 90), (2, 0), (3, 2)]),
        &["whiskers: least and most of up to 2 runs of a case", whisker],
        &["one run each"],
    );
    check_drawn(
        &drawn(&["x<y", "b"], &[(2, 0)]),
        &["class=\"legend\"", "<bdi>x&#60;y text</bdi>", "<bdi>b text</bdi>"],
        &[whisker, "x<y"],
    );
    let names: Vec<_> = (0..9).map(|n| format!("peer {n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    check_drawn(
        &drawn(&names, &[(2, 0)]),
        &["<bdi>peer 5 text</bdi>", "<bdi>3 more: they are in the numbers</bdi>"],
        &["<li><svg class=\"k\" viewBox=\"0 0 30 12\" aria-hidden=\"true\"><g class=\"s s7\">"],
    );
}

#[test]
fn a_baseline_has_its_place() {
    let text = format!(
        r#"{{"peers": {{{}: {{"expect": {{
            "2.3": {{"grade": "failed", "why": "known"}},
            "1.1.2": {{"grade": "failed", "why": "once so"}}
        }}}}}}}}"#,
        serde_json::Value::from(HOSTILE)
    );
    let (results, baseline) = (bad(), Baseline::parse(&text).unwrap());
    let gate = sample::gate(&results, Some(&baseline));
    let page = html::index(&results, &catalogue(), JudgeKind::Rfc, |_| None, Some(&gate));
    let page = String::from_utf8(page.contents).unwrap();
    let mut rest = page.as_str();
    for part in [
        "Against the baseline:",
        "1 known",
        // What is new comes first.
        "class=\"card new\" id=\"HS.1.1\"",
        "class=\"card known\" id=\"2.3\"",
    ] {
        let Some(at) = rest.find(part) else { panic!("{part} is not in its place in:\n{page}") };
        rest = &rest[at..];
    }
}
