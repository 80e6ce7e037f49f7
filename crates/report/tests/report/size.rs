//! A large run: every classic case with thirty peers.

use wsproof_engine::{Case, CaseId};
use wsproof_report::{JudgeKind, Line, Results, html};

use crate::sample::{
    Act::{Fin, Send},
    attempt, carry_out, catalogue, echo_125, good_lines, results, verdict,
};

const CASES: usize = 517;
const PEERS: usize = 30;

/// Every peer fails every tenth case, each third peer in a way of its own.
fn large() -> (Results, Vec<Case>) {
    let sample = catalogue();
    let good = carry_out(
        &sample[0],
        None,
        &[(2, Send(echo_125())), (3, Send(b"\x88\x02\x03\xe8")), (4, Fin)],
    );
    let bad = [
        carry_out(&sample[0], None, &[(2, Send(b"\x81\x02**")), (4, Fin)]),
        carry_out(&sample[0], None, &[(2, Send(b"\xc1\x02**")), (4, Fin)]),
        carry_out(&sample[0], None, &[(2, Send(b"\x81\x00")), (4, Fin)]),
    ];
    let cases: Vec<_> = (0..CASES)
        .map(|n| Case {
            id: CaseId::new(format!("{}.{}.{}", 1 + n / 60, 1 + n / 10 % 6, 1 + n % 10)),
            ..sample[0].clone()
        })
        .collect();
    let mut lines: Vec<Line> = good_lines("x").into_iter().take(1).collect();
    if let Some(Line::Run(run)) = lines.first_mut() {
        run.cases = cases.iter().map(|case| case.id.clone()).collect();
    }
    for peer in 0..PEERS {
        let name = format!("a server with a name of some length/{peer}.0");
        for (n, case) in cases.iter().enumerate() {
            let outcome = if n % 10 == 3 { &bad[peer % 3] } else { &good };
            lines.push(attempt(&name, case, 2, outcome.clone()));
            lines.push(verdict(&name, case, 2, false));
        }
    }
    (results(lines), cases)
}

#[test]
fn a_large_run_gives_a_page_that_can_be_opened() {
    let (results, cases) = large();
    let page = html::index(&results, &cases, JudgeKind::Rfc, |_| None, None).contents;
    assert!(page.len() < 4 << 20, "{} octets", page.len());
    let page = String::from_utf8(page).unwrap();
    assert_eq!(page.matches("<article").count(), PEERS);
    assert_eq!(page.matches("href=\"a_server_with").count(), CASES * PEERS + 41 * PEERS);
}

/// Peers that close with another illegal code in each of many cases, after more pings than a conversation shows.
fn talkative() -> (Results, Vec<Case>) {
    const CODES: u16 = 25;
    let (_, cases) = large();
    let mut lines: Vec<Line> = good_lines("x").into_iter().take(1).collect();
    let acts = [(2, Send(echo_125())), (3, Send(b"\x88\x02\x03\xe8")), (4, Fin)];
    let good = carry_out(&cases[0], None, &acts);
    let ping = Vec::leak([&[0x89, 125][..], &[b'p'; 125]].concat());
    let outcomes: Vec<_> = (0..CODES)
        .map(|n| {
            let [high, low] = (100 + n).to_be_bytes();
            let close = Vec::leak(vec![0x88, 2, high, low]);
            let mut acts = vec![(2, Send(ping)); 70];
            acts.extend([(3, Send(echo_125())), (4, Send(close)), (5, Fin)]);
            carry_out(&cases[0], None, &acts)
        })
        .collect();
    for peer in 0..PEERS {
        let name = format!("a server with a name of some length/{peer}.0");
        for (case, outcome) in cases.iter().zip(outcomes.iter().chain(std::iter::repeat(&good))) {
            lines.push(attempt(&name, case, 2, outcome.clone()));
            lines.push(verdict(&name, case, 2, false));
        }
    }
    (results(lines), cases)
}

#[test]
fn every_card_has_a_conversation_however_many_there_are() {
    let (results, cases) = talkative();
    let page = html::index(&results, &cases, JudgeKind::Rfc, |_| None, None).contents;
    assert!(page.len() < 10 << 20, "{} octets", page.len());
    let page = String::from_utf8(page).unwrap();
    let cards = page.matches("<article").count();
    assert_eq!(cards, 600);
    assert_eq!(page.matches("<ol class=\"talk\">").count(), cards);
    // Each shows what decides: the close frame.
    assert!(page.matches("peer sends, wrong:").count() >= cards);
    // What has no card leads to the page of its case.
    let evidence = page.lines().filter(|line| line.contains("<p class=\"ev\">"));
    let linked: usize = evidence.map(|line| line.matches("href=\"a_server").count()).sum();
    assert_eq!(linked, 25 * PEERS - cards);
}
