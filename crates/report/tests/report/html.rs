//! Pages: complete, escaped, and countable by scripts.

use wsproof_report::{JudgeKind, Results, html::files};

use crate::sample::{bad, both, catalogue, good};

fn pages(results: &Results) -> Vec<(String, String)> {
    files(results, &catalogue(), JudgeKind::Rfc)
        .into_iter()
        .map(|file| (file.name, String::from_utf8(file.contents).unwrap()))
        .collect()
}

fn check(results: &Results, name: &str, parts: &[&str]) {
    let pages = pages(results);
    let (_, page) = pages.iter().find(|(found, _)| found == name).unwrap();
    for part in parts {
        assert!(page.contains(part), "{name} does not contain {part}:\n{page}");
    }
}

#[test]
fn the_index_says_what_deviates_and_where_to_look() {
    check(
        &good(),
        "index.html",
        &["<bdi>AB-SUT</bdi> conforms in 5 cases", "ab_sut_case_1_1_2.html"],
    );
    check(
        &bad(),
        "index.html",
        &[
            "deviates in 2 of 4 cases; 1 without a result",
            "the opening handshake was answered with status 403",
            "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3",
            "wrong close code beside other cases, then passed alone; attempt 2 counts",
            "The peer got slower",
        ],
    );
    check(&both(), "index.html", &["1 of 2 peers deviates", "no result"]);
    check(&Results::default(), "index.html", &["No results"]);
}

#[test]
fn a_case_page_tells_the_whole_story() {
    check(
        &bad(),
        "script_alert__x____script___failed_____31m_case_2_3.html",
        &[
            "A pong carries the octets of its ping",
            "pong 00 FF FE",
            "tests/report/sample.rs:",
            "Attempt 1",
            "https://www.rfc-editor.org/rfc/rfc6455#section-5.2",
            "C2 02 FF 00",
            "wasServerConnectionDropTimeout",
        ],
    );
    check(
        &bad(),
        "script_alert__x____script___failed_____31m_case_HS_1_1.html",
        &["403 Forbidden", "&#60;script&#62;alert(1)&#60;/script&#62;&#60;FF&#62;&#60;U+001B&#62;"],
    );
}

#[test]
fn what_a_peer_says_stays_text_and_nothing_is_fetched() {
    for (name, page) in pages(&both()) {
        for part in ["<script", "<b>]", "/<b>", "\u{202e}", "\u{1b}", "src=", "@import", "url("] {
            assert!(!page.contains(part), "{name} contains {part:?}");
        }
    }
}

#[test]
fn failed_cells_can_be_counted() {
    let count = |results: &Results| {
        let pages = pages(results);
        pages.iter().map(|(_, page)| page.matches("case_failed").count()).collect::<Vec<_>>()
    };
    assert!(count(&good()).iter().all(|count| *count <= 2));
    assert_eq!(count(&bad())[0] - count(&good())[0], 2);
}

#[test]
fn every_link_leads_to_a_page() {
    let pages = pages(&both());
    for (name, page) in &pages {
        for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let found = pages.iter().any(|(name, _)| name == link);
            let outside = link.starts_with("https://www.rfc-editor.org/rfc/") || link == "data:,";
            assert!(found || outside, "{name} links to {link}");
        }
    }
}
