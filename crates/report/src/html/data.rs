//! What the script reads: verdicts column by column, as JSON inside the page.

use serde::Serialize;
use wsproof_engine::{Basis, CaseId};

use super::{
    View,
    card::Card,
    verdict::{Column, Verdict},
};
use crate::words::visible;

#[derive(Serialize)]
struct Data<'a> {
    ids: Vec<String>,
    titles: Vec<&'a str>,
    peers: Vec<Peer>,
    cards: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Peer {
    name: String,
    /// A letter for each case: its verdict.
    verdicts: String,
    /// A letter for each case: the strength of the rule behind a verdict that is no plain pass.
    bases: String,
    /// The code in the peer's close frame, 0 for none.
    codes: Vec<u16>,
    /// For each case with several attempts: its position, how many, and the one that counts.
    attempts: Vec<[usize; 3]>,
}

#[derive(Serialize)]
struct Entry<'a> {
    peer: usize,
    /// Its place on the page, and the page of its case where it has none.
    at: &'a str,
    state: &'static str,
    /// Positions in `ids`.
    cases: Vec<usize>,
    text: String,
}

/// The data; what HTML could take for markup is escaped.
pub(super) fn json(
    view: &View<'_>,
    ids: &[CaseId],
    columns: &[Column<'_>],
    cards: &[Card],
) -> String {
    let known: std::collections::HashMap<_, _> =
        view.cases.iter().map(|case| (&case.id, case.title.as_str())).collect();
    let data = Data {
        ids: ids.iter().map(|id| visible(id.as_str())).collect(),
        titles: ids.iter().map(|id| known.get(id).copied().unwrap_or_default()).collect(),
        peers: columns.iter().map(|it| column(view, it)).collect(),
        cards: cards
            .iter()
            .map(|card| Entry {
                peer: card.peer_index,
                at: card.href.strip_prefix('#').unwrap_or(&card.href),
                state: card.state,
                cases: card.ids.iter().filter_map(|id| ids.binary_search(id).ok()).collect(),
                text: card.haystack(),
            })
            .collect(),
    };
    let text = serde_json::to_string(&data).expect("keys are strings and values have no NaN");
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn column(view: &View<'_>, Column { peer, cells }: &Column<'_>) -> Peer {
    let mut column = Peer {
        name: visible(&peer.peer),
        verdicts: String::new(),
        bases: String::new(),
        codes: Vec::new(),
        attempts: Vec::new(),
    };
    for (at, (verdict, found)) in cells.iter().enumerate() {
        column.verdicts.push(verdict.letter());
        let attempt = found.map(|(_, attempt)| attempt);
        if let Some((record, attempt)) = found
            && record.attempts().len() > 1
        {
            column.attempts.push([at, record.attempts().len(), attempt.attempt as usize]);
        }
        let judgement = attempt.map(|attempt| attempt.judgement(view.judge));
        column.bases.push(match judgement {
            Some(_) if *verdict == Verdict::Passed => '-',
            Some(judgement) => {
                let behavior = judgement.behavior != wsproof_engine::Behavior::Ok;
                match if behavior { judgement.basis } else { judgement.close_basis } {
                    Basis::Disputed => 'd',
                    Basis::Must => 'm',
                    Basis::Race => 'r',
                    Basis::Should => 's',
                }
            }
            None => '-',
        });
        let code = attempt.and_then(|attempt| attempt.outcome.closing.remote_code);
        column.codes.push(code.unwrap_or_default());
    }
    column
}
