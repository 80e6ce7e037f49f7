//! The baseline: read strictly, compared with a run, made from a run.

use proptest::{collection::vec, prelude::*};
use wsproof_report::{
    Baseline, JudgeKind, Line, Results,
    baseline::{Update, Updated},
    gate::{FailOn, Fault, FindingKind, Question, Scope},
};

use crate::sample::{
    Act, attempt, bad, bad_lines, carry_out, catalogue, gate, good, good_lines, results,
};

fn parse_error(text: &str, says: &str) {
    let error = Baseline::parse(text).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

/// A baseline for all peers with these rows.
fn with_rows(rows: &str) -> String {
    format!("{{ \"peers\": {{ \"*\": {{ \"expect\": {{ {rows} }} }} }} }}")
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    parse_error("", "it must be one object");
    parse_error("[1]", "it must be one object");
    parse_error("{ \"peers\": {} ", "it is no JSON");
    parse_error("{ \"peer\": {} }", "peer: this key is not known; there are judge and peers");
    parse_error("{ \"judge\": \"mine\" }", "judge: `mine` is none of rfc, classic");
    parse_error("{ \"peers\": { \"ws/*\": 1 } }", "peers.`ws/*`: it must be an object");
    parse_error(
        "{ \"peers\": { \"x\": { \"cases\": \"*\" } } }",
        "peers.x.cases: it must be a list",
    );
    let row = |row: &str, says: &str| parse_error(&with_rows(row), says);
    row("\"2.3\": { \"grade\": \"failed\" }", "peers.`*`.expect.`2.3`: `why` is missing");
    row("\"2.3\": { \"grade\": \"failed\", \"why\": \" \" }", "`why` is missing");
    row("\"2.3\": { \"why\": \"x\" }", "`grade` is missing");
    row(
        "\"2.3\": { \"grade\": \"faild\", \"why\": \"x\" }",
        "`faild` is none of passed, non-strict",
    );
    row(
        "\"2.3\": { \"close\": \"bad\", \"why\": \"x\" }",
        "`bad` is none of passed, informational",
    );
    row("\"2.3\": { \"grades\": \"x\" }", "`2.3`.grades: this key is not known");
    row("\"2.3\": { \"grade\": 1, \"why\": \"x\" }", "it must be a text in quotes");
    let twice = "\"2.3\": { \"grade\": \"failed\", \"why\": \"x\" }";
    row(&format!("{twice}, {twice}"), "`2.3` is there twice");
}

#[test]
fn a_pattern_that_selects_no_case_is_a_typo() {
    let text = with_rows("\"2.33\": { \"grade\": \"failed\", \"why\": \"x\" }");
    let cases = catalogue();
    let known = cases.iter().map(|case| &case.id);
    let error = Baseline::parse(&text).unwrap().check_cases(&known).unwrap_err();
    let says = "peers.`*`.expect: `2.33` is no case of this command and selects none; correct";
    assert!(error.to_string().starts_with(says), "{error}");
}

fn check(results: &Results, baseline: &str, expected: &[(FindingKind, &str)]) {
    let baseline = Baseline::parse(baseline).unwrap();
    let gate = gate(results, Some(&baseline));
    let found: Vec<_> = gate.findings().iter().map(|f| (f.kind, f.case.as_str())).collect();
    assert_eq!(found, expected, "{:?}", gate.findings());
}

const ROWS: &str = r#"
    // Classic words are understood, too.
    "2.3": { "grade": "FAILED", "why": "RSV1" },
    "HS.*": { "grade": "failed", "why": "refused" },
    "9.1.1": { "grade": ["passed", "failed"], "why": "comes and goes" }"#;

#[test]
fn reality_must_equal_it() {
    use FindingKind::{Missing, New, Passes, Stale};
    let rows = with_rows(ROWS);
    check(&bad(), &rows, &[(Missing, "9.1.1")]);
    check(&good(), &rows, &[(Passes, "2.3"), (Passes, "HS.1.1")]);
    check(&good(), &with_rows(""), &[]);
    check(&bad(), &with_rows(""), &[(New, "2.3"), (New, "HS.1.1"), (Missing, "9.1.1")]);
    // The most exact row speaks, and one that nobody needs is named.
    let exact = "\"*\": { \"grade\": [\"passed\", \"failed\"], \"why\": \"x\" }, \
                 \"2.*\": { \"grade\": \"failed\", \"why\": \"x\" }, \
                 \"2.3\": { \"grade\": \"passed\", \"why\": \"x\" }";
    check(&good(), &with_rows(exact), &[(Stale, "2.*")]);
    let closing =
        |close: &str| with_rows(&format!("\"2.3\": {{ \"close\": \"{close}\", \"why\": \"x\" }}"));
    check(&good(), &closing("WRONG CODE"), &[(Passes, "2.3")]);
    check(&good(), &closing("ok"), &[]);
}

#[test]
fn peers_are_named_by_patterns() {
    use FindingKind::{New, Stale};
    let entry = |peers: &str, rows: &str| format!("\"{peers}\": {{ \"expect\": {{ {rows} }} }}");
    let failed = |case: &str| format!("\"{case}\": {{ \"grade\": \"failed\", \"why\": \"x\" }}");
    let both = format!("{}, {}", failed("2.3"), failed("HS.1.1"));
    let mut lines = bad_lines("ws/8.23.0");
    lines.retain(|line| !matches!(line, Line::Run(_)));
    let run = results(lines);
    let file = |entries: &[String]| format!("{{ \"peers\": {{ {} }} }}", entries.join(", "));
    check(&run, &file(&[entry("ws/*", &both)]), &[]);
    check(&run, &file(&[entry("w", &both)]), &[(New, "2.3"), (New, "HS.1.1"), (Stale, "")]);
    // The entry that names it most exactly goes first; what it does not say, the next one does.
    let passed = "\"2.3\": { \"grade\": \"passed\", \"why\": \"x\" }".to_owned();
    let entries = [entry("*", &both), entry("ws/8.*", &passed)];
    check(&run, &file(&entries), &[(New, "2.3"), (Stale, "2.3")]);
}

#[test]
fn a_case_that_was_dropped_is_missed() {
    let mut lines = good_lines("x");
    lines.retain(|line| match line {
        Line::Attempt(attempt) => attempt.case.as_str() != "2.3",
        Line::Verdict(verdict) => verdict.case.as_str() != "2.3",
        _ => true,
    });
    // It was not even selected.
    if let Line::Run(run) = &mut lines[0] {
        run.cases.retain(|id| id.as_str() != "2.3");
    }
    let run = results(lines);
    check(
        &run,
        "{ \"peers\": { \"*\": { \"cases\": [\"*\"] } } }",
        &[(FindingKind::Missing, "2.3")],
    );
    check(&run, "{ \"peers\": { \"*\": { \"cases\": [\"*\"], \"exclude\": [\"2.*\"] } } }", &[]);
    check(&run, "{ \"peers\": { \"*\": { } } }", &[]);
}

fn update(results: &Results, old: Option<&str>) -> Updated {
    update_with(results, old, &FailOn::default())
}

/// What is made from a run must fit it.
fn update_with(results: &Results, old: Option<&str>, fail_on: &FailOn) -> Updated {
    let cases = catalogue();
    let judge = JudgeKind::Rfc;
    let question =
        Question { results, cases: &cases, judge, fail_on, baseline: None, scope: Scope::Whole };
    let update = Update { question, cases: &["*".to_owned()], exclude: &[] };
    let updated = update.apply(old).unwrap();
    let baseline = Baseline::parse(&updated.text).unwrap();
    let gate = wsproof_report::Gate::new(Question { baseline: Some(&baseline), ..question });
    let left: Vec<_> = gate.findings().iter().filter(|f| f.kind != FindingKind::Missing).collect();
    assert_eq!(left, [] as [&_; 0], "{}", updated.text);
    // A second time changes nothing.
    assert_eq!(update.apply(Some(&updated.text)).unwrap().text, updated.text);
    updated
}

#[test]
fn a_baseline_is_made_from_a_run() {
    let updated = update(&bad(), None);
    assert_eq!(
        updated.text,
        r#"// What is expected of the peers under test. `why` says why a case may be other than it should be.
{
  "peers": {
    "*": {
      "cases": ["*"],
      "expect": {
        "2.3": { "grade": "failed", "why": "not looked at yet: the peer sent a reserved bit without an extension that gives it a meaning (RFC 6455, 5.2) at octet 0" },
        "HS.1.1": { "grade": "failed", "close": "failed", "why": "not looked at yet: the opening handshake was answered with status 403" }
      }
    }
  }
}
"#
    );
    assert_eq!((updated.unexplained, updated.dropped.len()), (2, 0));
    update(&good(), None);
    update(&crate::sample::both(), None);
    let all = [Fault::Deviation, Fault::Informational, Fault::NonStrict, Fault::Unstable];
    update_with(&crate::sample::both(), None, &FailOn(all.into()));
}

#[test]
fn an_update_keeps_reasons_and_comments() {
    let old = r#"{
  // Our proxy.
  "peers": {
    "*": {
      "expect": {
        // Since spring.
        "2.*": { "grade": "failed", "why": "RSV1" }, // ask the proxy's people
        "6.4.1": { "grade": "non-strict", "why": "it is late" },
        "9.*": { "grade": "failed", "why": "slow" }
      }
    },
    "other": { "expect": {} }
  }
}
"#;
    let updated = update(&bad(), Some(old));
    assert_eq!(
        updated.text,
        r#"{
  // Our proxy.
  "peers": {
    "*": {
      "cases": ["*"],
      "expect": {
        // Since spring.
        "2.*": { "grade": "failed", "why": "RSV1" }, // ask the proxy's people
        "HS.1.1": { "grade": "failed", "close": "failed", "why": "not looked at yet: the opening handshake was answered with status 403" }
      }
    }
  }
}
"#
    );
    assert_eq!(updated.dropped, ["`6.4.1` of `*`: it is late", "`9.*` of `*`: slow"]);
    // A reason that others share keeps no row.
    let old = "{ \"peers\": { \"*\": { \"expect\": { \
        \"2.3\": { \"grade\": \"failed\", \"why\": \"proxy\" }, \
        \"9.1.1\": { \"grade\": \"failed\", \"why\": \"proxy\" } } }, \
        \"other\": { \"expect\": { \"2.3\": { \"grade\": \"failed\", \"why\": \"proxy\" } } } } }";
    let dropped = ["`9.1.1` of `*`: proxy", "`2.3` of `other`: proxy"];
    assert_eq!(update(&bad(), Some(old)).dropped, dropped);
    // Another verdict for the same reason.
    let old = with_rows("\"2.3\": { \"grade\": \"non-strict\", \"why\": \"our proxy\" }");
    let updated = update(&bad(), Some(&old));
    assert!(
        updated.text.contains("\"2.3\": { \"grade\": \"failed\", \"why\": \"our proxy\" }"),
        "{}",
        updated.text
    );
}

#[test]
fn a_pattern_that_holds_in_part_becomes_rows() {
    let old = with_rows("\"*\": { \"grade\": \"failed\", \"why\": \"all is lost\" }");
    let updated = update(&bad(), Some(&old));
    for case in ["2.3", "HS.1.1"] {
        let row = format!("\"{case}\": {{ \"grade\": \"failed\", \"why\": \"all is lost\" }}");
        assert!(updated.text.contains(&row), "{}", updated.text);
    }
    assert!(!updated.text.contains("1.1.2") && updated.dropped.is_empty(), "{}", updated.text);
}

#[test]
fn a_section_with_one_reason_is_one_row() {
    let mut all = good();
    for id in ["2.9.1", "2.9.2", "2.9.10", "2.10"] {
        let mut case = catalogue().swap_remove(1);
        case.id = wsproof_engine::CaseId::new(id);
        let outcome = carry_out(&case, None, &[(2, Act::Fin)]);
        all.push(attempt("AB-SUT", &case, 1, outcome));
    }
    let updated = update(&all, None);
    let rows: Vec<_> = updated.text.lines().filter(|line| line.contains("\"why\":")).collect();
    assert_eq!(rows.len(), 2, "{}", updated.text);
    assert!(rows[0].contains("\"2.9.*\": {") && rows[1].contains("\"2.10\": {"), "{rows:?}");
}

#[test]
fn names_that_are_patterns_of_others_are_refused() {
    let lines = bad_lines("a*").into_iter().chain(good_lines("ab"));
    let results = results(lines);
    let cases = catalogue();
    let fail_on = FailOn::default();
    let question = Question {
        results: &results,
        cases: &cases,
        judge: JudgeKind::Rfc,
        fail_on: &fail_on,
        baseline: None,
        scope: Scope::Whole,
    };
    let error = Update { question, cases: &[], exclude: &[] }.apply(None).unwrap_err();
    assert!(error.to_string().contains("give them other names"), "{error}");
}

const PATTERNS: [&str; 8] = ["*", "2.*", "2.3", "6.*", "1.1.2", "HS.1.1", "9*", "*.1"];
const NAMES: [&str; 5] = ["passed", "failed", "non-strict", "informational", "unimplemented"];
const PEERS: [&str; 4] = ["*", "AB*", "AB-SUT", "<*"];

fn file(rows: &[(usize, usize, usize)]) -> String {
    let entries = PEERS.iter().enumerate().filter_map(|(at, peers)| {
        let mut seen = std::collections::BTreeSet::new();
        let mine = rows.iter().filter(|(of, case, _)| *of == at && seen.insert(*case));
        let rows: Vec<_> = mine
            .map(|(_, case, grade)| {
                let (case, grade) = (PATTERNS[*case], NAMES[*grade]);
                format!("\"{case}\": {{ \"grade\": \"{grade}\", \"why\": \"{case} is {grade}\" }}")
            })
            .collect();
        let expect = rows.join(", // a reason\n");
        (!rows.is_empty()).then(|| format!("\"{peers}\": {{ \"expect\": {{ {expect} }} }}"))
    });
    format!("{{ \"peers\": {{ {} }} }}", entries.collect::<Vec<_>>().join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_baseline_can_be_made_equal_to_a_run(
        rows in vec((0..PEERS.len(), 0..PATTERNS.len(), 0..NAMES.len()), 0..10),
        which in 0..3_u8,
    ) {
        let run = match which {
            0 => good(),
            1 => bad(),
            _ => crate::sample::both(),
        };
        update(&run, Some(&file(&rows)));
    }

    #[test]
    fn no_text_panics(at in any::<prop::sample::Index>(), octet in b' '..=b'~') {
        let mut octets = with_rows(ROWS).into_bytes();
        let at = at.index(octets.len());
        octets[at] = octet;
        let text = String::from_utf8(octets).unwrap();
        if let Ok(baseline) = Baseline::parse(&text) {
            gate(&good(), Some(&baseline));
            gate(&bad(), Some(&baseline));
        }
    }
}
