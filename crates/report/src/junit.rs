//! `JUnit` XML, as CI systems read it: a suite for each peer, a test case for each case.
//!
//! What the baseline expects is skipped with its reason, so that it is seen and breaks nothing.
//! What is not as expected fails, and so does whatever of the baseline decides nothing.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use wsproof_engine::CaseId;

use crate::{
    Gate,
    gate::{Finding, FindingKind, Standing},
    replay,
    words::{reason, verdict, visible},
};

/// Renders the document.
pub fn render(gate: &Gate<'_>) -> String {
    let mut report = Report::new("wsproof");
    for peer in gate.question.results.peers() {
        let mut suite = TestSuite::new(visible(&peer.peer));
        suite.add_property(("url", &*visible(&peer.url)));
        for (case, standing) in gate.cases_of(&peer.peer) {
            suite.add_test_case(test_case(gate, &peer.peer, &case, standing));
        }
        suite.set_time(suite.test_cases.iter().filter_map(|case| case.time).sum::<Duration>());
        report.add_test_suite(suite);
    }
    let mut rest = TestSuite::new("baseline");
    for finding in gate.apart() {
        let mut case = TestCase::new(format!("{} {}", finding.peer, finding.case), broken(finding));
        case.set_classname("baseline");
        rest.add_test_case(case);
    }
    if !rest.test_cases.is_empty() {
        report.add_test_suite(rest);
    }
    // Only what writes can fail, and a string takes all.
    report.to_string().unwrap_or_default()
}

fn test_case(gate: &Gate<'_>, peer: &str, id: &CaseId, standing: Standing<'_>) -> TestCase {
    let record = gate.question.results.record(peer, id);
    let judge = gate.question.judge;
    let mut status = match standing {
        Standing::Good => TestCaseStatus::success(),
        Standing::Known(why) => {
            let mut skipped = TestCaseStatus::skipped();
            let is = record.and_then(|record| record.final_attempt());
            let is = is.map_or("", |attempt| verdict(attempt.judgement(judge)));
            skipped.set_type("known").set_message(format!("known, {is}: {}", visible(why)));
            skipped
        }
        Standing::Absent(why) => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(why.words());
            skipped
        }
        Standing::Found(finding) => broken(finding),
    };
    if let Standing::Found(finding) = standing {
        let cites = gate.question.cases.iter().find(|case| case.id == *id).map(|case| &case.cites);
        let cites = cites.into_iter().flatten();
        let rules = cites.map(|c| format!("RFC {}, {}", c.spec.number(), c.section));
        let mut text = vec![finding.what.clone()];
        text.extend(rules);
        text.extend(Some(&finding.mend).filter(|mend| !mend.is_empty()).cloned());
        let replay = replay::command(gate.question.results, peer, id.as_str());
        text.extend(replay.map(|command| format!("replay: {command}")));
        status.set_description(text.join("\n"));
    }
    // The attempts that do not count, where they came to another verdict.
    if let Some(record) = record.filter(|record| record.is_unstable()) {
        let counts = record.final_attempt().map(|attempt| attempt.attempt);
        for attempt in record.attempts().iter().filter(|a| Some(a.attempt) != counts) {
            let judgement = attempt.judgement(judge);
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            rerun.set_type(verdict(judgement)).set_message(visible(&reason(judgement)));
            if !judgement.is_plain_pass() {
                status.add_rerun(rerun);
            }
        }
    }
    let mut case = TestCase::new(visible(&gate.name(id)), status);
    case.set_classname(visible(peer));
    if let Some(attempt) = record.and_then(|record| record.final_attempt()) {
        case.set_time(attempt.outcome.ended_at);
    }
    case
}

fn broken(finding: &Finding) -> TestCaseStatus {
    let kind = match finding.kind {
        FindingKind::Missing => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(finding.kind.word()).set_message(finding.sentence());
    status
}
