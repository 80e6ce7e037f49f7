//! What the report says beyond verdicts: measurements, and a baseline.

use wsproof_engine::secs;
use wsproof_report::{Baseline, JudgeKind, html};

use crate::sample::{
    self,
    Act::{Fin, Send},
    HOSTILE, attempt, bad, carry_out, catalogue, good_lines, results,
};

#[test]
fn what_was_measured_is_drawn_unless_others_ran_beside_it() {
    let draw = |number| {
        let mut lines = good_lines("x<y");
        lines.truncate(2);
        let mut cases = Vec::new();
        for (id, octets) in [("9.1.1", &b"*****"[..]), ("9.1.2", b"******")] {
            let mut case = catalogue()[3].clone();
            case.id = wsproof_engine::CaseId::new(id);
            let payload = wsproof_engine::octets(octets);
            case.steps = vec![
                wsproof_engine::text(octets).into(),
                wsproof_engine::Step::CloseAfter(secs(10)),
            ];
            let kind = wsproof_engine::Kind::Text;
            case.accept = wsproof_engine::Accept::FirstEcho { kind, payload };
            let echo: &[u8] = if id == "9.1.1" { b"\x81\x05*****" } else { b"\x81\x06******" };
            let acts = [(2, Send(echo)), (3, Send(b"\x88\x02\x03\xe8")), (4, Fin)];
            lines.push(attempt("x<y", &case, number, carry_out(&case, None, &acts)));
            cases.push(case);
        }
        let page = html::index(&results(lines), &cases, JudgeKind::Rfc, |_| None, None);
        String::from_utf8(page.contents).unwrap()
    };
    let alone = draw(2);
    for part in ["<svg viewBox", "Throughput by message size", "<summary>numbers</summary>"] {
        assert!(alone.contains(part), "{part}");
    }
    let beside = draw(1);
    assert!(!beside.contains("<svg viewBox"));
    assert!(beside.contains("Not drawn: other cases ran beside 2 of these"));
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
