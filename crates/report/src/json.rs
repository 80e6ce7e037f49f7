//! Results as one JSON document for scripts: each peer's verdicts and what they mean for the gate.

use serde_json::{Map, Value, json};

use crate::{
    Gate,
    gate::Standing,
    words::{judge_name, reason},
};

/// Renders the document.
pub fn render(gate: &Gate<'_>) -> String {
    let (results, judge) = (gate.question.results, gate.question.judge);
    let peers: Vec<_> = results
        .peers()
        .iter()
        .map(|peer| {
            let cases = gate.cases_of(&peer.peer).into_iter().map(|(id, standing)| {
                let mut case = Map::new();
                if let Some(attempt) = results.final_attempt(&peer.peer, &id) {
                    let judgement = attempt.judgement(judge);
                    case.insert("behavior".to_owned(), json!(judgement.behavior));
                    case.insert("close".to_owned(), json!(judgement.close));
                    case.insert("deviates".to_owned(), json!(judgement.deviates()));
                    case.insert("reason".to_owned(), json!(reason(judgement)));
                }
                let (is, why) = match standing {
                    Standing::Good => ("as expected", None),
                    Standing::Known(why) => ("known", Some(why.to_owned())),
                    Standing::Found(finding) => (finding.kind.word(), Some(finding.sentence())),
                    Standing::Absent(why) => ("absent", Some(why.words().to_owned())),
                };
                case.insert("standing".to_owned(), json!(is));
                case.extend(why.map(|why| ("why".to_owned(), json!(why))));
                (id.to_string(), Value::from(case))
            });
            let cases: Map<_, _> = cases.collect();
            json!({ "peer": peer.peer, "url": peer.url, "cases": cases })
        })
        .collect();
    let findings: Vec<_> = gate
        .findings()
        .iter()
        .map(|finding| {
            json!({
                "kind": finding.kind.word(),
                "peer": finding.peer,
                "case": finding.case,
                "what": finding.what,
                "mend": finding.mend,
            })
        })
        .collect();
    let all = json!({
        "run": results.run(),
        "interrupted": results.is_interrupted(),
        "judge": judge_name(judge),
        "findings": findings,
        "peers": peers,
    });
    format!("{all:#}\n")
}
