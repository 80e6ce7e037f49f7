//! Pages: complete, escaped, bounded, and countable by scripts.

use wsproof_engine::{Case, Outcome, Traffic, Volume, What};
use wsproof_proto::deflate::{Agreement, Compression};
use wsproof_report::{JudgeKind, Line, Results, contract, html::files};

use crate::sample::{
    Act::{self, Fin, Send},
    attempt, bad, bad_lines, both, carry_out, catalogue, echo_125, good, good_lines, results,
    verdict,
};

fn pages(results: &Results) -> Vec<(String, String)> {
    files(results, &catalogue(), JudgeKind::Rfc, titles)
        .into_iter()
        .map(|file| (file.name, String::from_utf8(file.contents).unwrap()))
        .collect()
}

/// Titles of a section and of a subsection.
fn titles(number: &str) -> Option<&'static str> {
    match number {
        "1" => Some("frames"),
        "1.1" => Some("text frames"),
        _ => None,
    }
}

fn page(results: &Results, name: &str) -> String {
    let pages = pages(results);
    let found = pages.into_iter().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("there is no {name}")).1
}

fn check(results: &Results, name: &str, parts: &[&str]) {
    let page = page(results, name);
    for part in parts {
        assert!(page.contains(part), "{name} does not contain {part}:\n{page}");
    }
}

/// Checks that the parts are there in this order.
fn check_order(results: &Results, name: &str, parts: &[&str]) {
    let page = page(results, name);
    let mut rest = page.as_str();
    for part in parts {
        let Some(at) = rest.find(part) else { panic!("{part} is not in its place in:\n{page}") };
        rest = &rest[at + part.len()..];
    }
}

/// A run with one case.
fn one(case: &Case, outcome: Outcome) -> Results {
    let mut lines = good_lines("x");
    lines.truncate(2);
    lines.extend([attempt("x", case, 2, outcome), verdict("x", case, 2, false)]);
    results(lines)
}

const HOSTILE_PAGE: &str = "script_alert__x____script___failed_____31m_case_2_3.html";

#[test]
fn the_index_says_what_deviates_and_where_to_look() {
    check(
        &good(),
        "index.html",
        &[
            "<bdi>AB-SUT</bdi> <span class=\"pass\">conforms:</span> 5 of 5 cases",
            "ab_sut_case_1_1_2.html",
        ],
    );
    check(
        &bad(),
        "index.html",
        &[
            "deviates from RFC 6455</span> in 2 ways",
            "The opening handshake is refused with status 403",
            "refused: 403",
            "https://www.rfc-editor.org/rfc/rfc6455#section-5.2",
            "_case_6_4_1.html#attempt-1\">passed, closing wrong code beside other cases</a>",
            "_case_6_4_1.html#attempt-2\">passed alone</a>; attempt 2 counts",
            "The peer got slower",
            "1 case without a result: peer unreachable.",
            "RSV1, RSV2 and RSV3 all 0",
            "<mark>C2</mark>",
        ],
    );
    check(&both(), "index.html", &["1 of 2 peers deviates", "missing: peer unreachable"]);
    check(&Results::default(), "index.html", &["No results"]);
}

#[test]
fn a_case_page_has_every_block_in_its_place() {
    check_order(
        &good(),
        "ab_sut_case_1_1_2.html",
        &[
            "<h1><bdi>AB-SUT</bdi> <span class=\"muted\">case</span> 1.1.2</h1>",
            "✓ passed</b>",
            "✓ closing as it should be</b>",
            "4.000 ms",
            "2026-11-20 15:52:03.850 UTC",
            "Case description",
            "Text message of 125 octets.",
            "What the tester does",
            "Case expectation",
            "Case outcome",
            "✓ OK",
            "as expected",
            "Expected",
            "text &#34;****",
            "Observed",
            "3.000 ms: text of 125 octets",
            "Closing behaviour",
            "The peer&#39;s code: 1000 (normal closure) or none.",
            "the tester sent a close frame with 1000 (normal closure)",
            "the peer sent a close frame with 1000 (normal closure)",
            "The peer ended TCP.",
            "Opening handshake",
            "GET / HTTP/1.1\nUser-Agent",
            "HTTP/1.1 101 Switching Protocols\nServer: AB-SUT",
            "isServer",
            "closedByMe",
            "failedByMe",
            "droppedByMe",
            "wasClean",
            "wasNotCleanReason",
            "wasServerConnectionDropTimeout",
            "wasOpenHandshakeTimeout",
            "wasCloseHandshakeTimeout",
            "localCloseCode",
            "localCloseReason",
            "remoteCloseCode",
            "remoteCloseReason",
            "Wire statistics",
            "Octets received, by size of a read",
            "<td>127</td><td class=\"n\">1</td><td class=\"n\">127</td>",
            "total",
            "Octets sent, by size of a write",
            "Frames received, by opcode",
            "<td>1 (text)</td><td class=\"n\">1</td>",
            "Frames sent, by opcode",
            "Wire log",
            "000</span> <time>0.000",
            "timer started: time for the opening handshake, 5000 ms",
            "<b>TEXT</b> final, 125 octets",
            "<b>CLOSE 1000</b>",
            "the peer ended TCP",
        ],
    );
    check(
        &bad(),
        HOSTILE_PAGE,
        &[
            "A pong carries the octets of its ping",
            "tests/report/sample.rs:",
            "Attempt 1",
            "https://www.rfc-editor.org/rfc/rfc6455#section-5.2",
            "C2 02 FF 00",
        ],
    );
}

#[test]
fn both_halves_of_a_verdict_are_seen_at_once() {
    let case = &catalogue()[0];
    let results = one(case, carry_out(case, None, &[(2, Send(echo_125()))]));
    let chips = ["pass\">✓ passed</b>", "fail\">✗ closing unclean</b>", "✗ UNCLEAN"];
    check_order(&results, "x_case_1_1_2.html", &chips);
    check_order(&results, "index.html", &["✓ passed</span>", "case_failed\">unclean (none)"]);
}

#[test]
fn a_judgement_that_differs_says_why() {
    let case = &catalogue()[0];
    let outcome = carry_out(case, None, &[(2, Send(b"\x88\x02\x03\xf5")), (3, Fin)]);
    let mut line = attempt("x", case, 2, outcome);
    let Line::Attempt(attempt) = &mut line else { panic!("it is an attempt") };
    attempt.rfc.behavior = wsproof_engine::Behavior::NonStrict;
    attempt.rfc.reason = "limits are allowed (RFC 6455, 10.4)".to_owned();
    let mut lines = good_lines("x");
    lines.truncate(2);
    lines.extend([line, verdict("x", case, 2, false)]);
    let parts = [
        "Two judgements",
        "! NON-STRICT</span> <span class=\"muted small\">RFC",
        "<a href=\"https://www.rfc-editor.org/rfc/rfc6455#section-10.4\">RFC 6455, 10.4</a>",
        "✗ FAILED</span> <span class=\"muted small\">classic</span> The events are none",
    ];
    check_order(&results(lines), "x_case_1_1_2.html", &parts);
}

/// What the page says of a verdict that nobody confirmed before the run broke off.
fn check_cut_off(number: u32, acts: &[(u64, Act)], remark: Option<&str>) {
    let echo = &catalogue()[0];
    let mut lines = good_lines("x");
    lines.truncate(2);
    lines.push(attempt("x", echo, number, carry_out(echo, None, acts)));
    let page = page(&results(lines), "x_case_1_1_2.html");
    let found = page.split_once("Not confirmed: this verdict was reached ");
    let found = found.map(|(_, how)| how.split_once(", and").unwrap().0);
    assert_eq!(found, remark, "{page}");
}

#[test]
fn what_nobody_confirmed_says_how_it_was_reached() {
    let plain = [(2, Send(echo_125())), (3, Send(b"\x88\x02\x03\xe8")), (4, Fin)];
    check_cut_off(1, &plain, Some("beside other cases"));
    check_cut_off(2, &plain, None);
    check_cut_off(2, &plain[..1], Some("by waiting in vain"));
}

#[test]
fn a_peer_that_refuses_everything_is_told_so_once() {
    const REFUSAL: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 24\r\n\r\nno <protocol> was named\n";
    let mut lines = good_lines("x");
    lines.truncate(2);
    for case in &catalogue() {
        lines.push(attempt("x", case, 2, carry_out(case, Some(REFUSAL), &[(2, Fin)])));
        lines.push(verdict("x", case, 2, false));
    }
    let results = results(lines);
    let parts = [
        "<bdi>x</bdi> <span class=\"fail\">refuses every opening handshake with status 400</span> 5 cases",
        "Every opening handshake is refused with status 400",
        "HTTP/1.1 400 Bad Request",
        "no &#60;protocol&#62; was named",
        "The tester offered no subprotocol.",
        "✗ refused: 400",
    ];
    check_order(&results, "index.html", &parts);
    let index = page(&results, "index.html");
    assert_eq!(index.matches("<article").count(), 1);
    let parts = ["never opened", "HTTP/1.1 400 Bad Request", "no &#60;protocol&#62; was named"];
    check_order(&results, "x_case_2_3.html", &parts);
}

#[test]
fn the_command_that_runs_a_case_again_is_there_if_it_can_work() {
    let command = |url: &str| {
        let mut lines = bad_lines("x");
        let info = contract::PeerInfo { peer: "x".to_owned(), url: url.into(), dial: None };
        lines.insert(1, Line::Peer(info));
        lines.remove(2);
        page(&results(lines), "x_case_2_3.html")
    };
    let again = "wsproof test --cases 2.3 --seed 7 ws://127.0.0.1:9001<";
    assert!(command("ws://127.0.0.1:9001").contains(again));
    for gone in ["ws://127.0.0.1:4711", "ws://x/$(reboot)", ""] {
        assert!(!command(gone).contains("--seed 7"), "{gone}");
    }
}

#[test]
fn the_same_fault_is_one_card() {
    let case = &catalogue()[1];
    let mut lines = good_lines("x");
    lines.truncate(2);
    for number in 0..100 {
        let mut case = case.clone();
        case.id = wsproof_engine::CaseId::new(format!("2.9.{number}"));
        lines.push(attempt("x", &case, 2, carry_out(&case, None, &[(2, Fin)])));
    }
    let index = page(&results(lines), "index.html");
    assert_eq!(index.matches("<article").count(), 1);
    assert!(index.contains("100 cases</span>"));
}

#[test]
fn a_missing_result_has_a_reason() {
    let excluded = Line::Excluded(contract::Excluded {
        peer: "x".to_owned(),
        cases: vec![catalogue()[4].id.clone()],
    });
    let mut lines = good_lines("x");
    lines.truncate(8);
    lines.push(excluded);
    let interrupted = results(lines.clone());
    let parts = ["missing: not run: interrupted", "missing: excluded"];
    check_order(&interrupted, "index.html", &parts);
    lines.extend(good_lines("x").pop());
    let ended = results(lines);
    check_order(&ended, "index.html", &["missing: peer unreachable", "missing: excluded"]);
}

#[test]
fn measured_cases_come_with_their_figures() {
    let case = &catalogue()[3];
    let acts = [(2, Send(b"\x81\x05*****")), (3, Send(b"\x88\x02\x03\xe8")), (4, Fin)];
    let mut outcome = carry_out(case, None, &acts);
    let how = Compression { context_takeover: true, window_bits: 15 };
    outcome.openings[0].agreement = Some(Agreement { server: how, client: how });
    let volume = |app_octets, payload_octets| Volume {
        frames: 1,
        app_octets,
        payload_octets,
        ..Volume::default()
    };
    outcome.traffic = Some(Traffic { incoming: volume(1000, 125), outgoing: volume(1000, 1004) });
    let results = one(case, outcome);
    check(&results, "index.html", &["<small>4 ms</small>", "<small>[0.125/1.004]</small>"]);
    let parts = [
        "Agreed on permessage-deflate: the server with a window of 15 bits",
        "From the opening of the WebSocket to the end of TCP",
        "4.000 ms",
        "compression: payloads / messages</td><td class=\"n\">0.125</td><td class=\"n\">1.004<",
    ];
    check_order(&results, "x_case_9_1_1.html", &parts);
}

#[test]
fn pages_stay_small_whatever_was_measured() {
    let case = &catalogue()[3];
    let mut outcome = carry_out(case, None, &[(2, Send(b"\x81\x05*****"))]);
    outcome.stats.read_sizes = (1..=5000).map(|size| (size, 1)).collect();
    let read = What::Read { len: 9000, head: vec![0xff; 64] };
    let entry = wsproof_engine::Entry { at: outcome.ended_at, connection: 0, what: read };
    outcome.transcript.entries.extend(vec![entry; 2000]);
    outcome.transcript.omitted = 123_456;
    outcome.openings[0].response.extend(vec![b'x'; 1 << 20]);
    outcome.closing.remote_reason = Some(vec![b'<'; 1 << 20]);
    outcome.log_was_on = false;
    let results = one(case, outcome);
    let parts = [
        "… and 1032",
        "and 4976 more sizes</td><td class=\"n\">4976</td><td class=\"n\">12382776</td>",
        "more entries, all of them in results.jsonl, and 123456",
        "The log of octets and frames was off when the run ended",
    ];
    check_order(&results, "x_case_9_1_1.html", &parts);
    let size = page(&results, "x_case_9_1_1.html").len();
    assert!(size < 300_000, "{size}");
}

#[test]
fn what_a_peer_says_stays_text_and_nothing_is_fetched() {
    const SCRIPT: &[u8] = b"\x81\x1d<script>alert(1)</script>\xe2\x80\xae!";
    const CLOSE: &[u8] = b"\x88\x11\x03\xe8<img src=x>\x1b\xff\xed\xa0";
    let case = &catalogue()[0];
    let outcome = carry_out(case, None, &[(2, Send(SCRIPT)), (3, Send(CLOSE)), (4, Fin)]);
    let script = one(case, outcome);
    let parts =
        ["&#60;script&#62;alert(1)&#60;/script&#62;&#60;U+202E&#62;!", "&#60;FF ED A0&#62;"];
    check_order(&script, "x_case_1_1_2.html", &parts);
    let refused = "script_alert__x____script___failed_____31m_case_HS_1_1.html";
    let body = "&#60;script&#62;alert(1)&#60;/script&#62;&#60;FF&#62;&#60;U+001B&#62;";
    check(&bad(), refused, &["403 Forbidden", body]);
    for (name, page) in pages(&both()).into_iter().chain(pages(&script)) {
        let forbidden = [
            "<script>alert",
            "<img",
            "<b>]",
            "/<b>",
            "\u{202e}",
            "\u{1b}",
            " src=",
            "@import",
            "url(",
            "http://",
            "fetch(",
            "XMLHttpRequest",
            "WebSocket(",
            "import(",
            "<link rel=\"stylesheet",
        ];
        for part in forbidden {
            let text = page.replace("&#60;img src=x&#62;", "");
            let text = text.replace("\\u003cimg src=x\\u003e", "");
            assert!(!text.contains(part), "{name} contains {part:?}");
        }
        let links = page.matches("href=\"https://www.rfc-editor.org/rfc/").count();
        assert_eq!(page.matches("https://").count(), links, "{name}");
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
fn every_link_leads_somewhere() {
    let pages = pages(&both());
    for (name, page) in &pages {
        let scripts = page.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next());
        let page = page.replace(scripts.unwrap_or("<script>"), "");
        for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let holds =
                |page: &str| anchor.is_empty() || page.contains(&format!("id=\"{anchor}\""));
            let found = if file.is_empty() {
                holds(&page)
            } else {
                pages.iter().any(|(name, page)| name == file && holds(page))
            };
            let outside = link.starts_with("https://www.rfc-editor.org/rfc/")
                || ["data:,", "results.jsonl", "index.json"].contains(&link)
                || link.starts_with("#?");
            assert!(found || outside, "{name} links to {link}");
        }
    }
}

#[test]
fn colours_can_be_told_from_their_grounds() {
    let page = page(&good(), "index.html");
    // The first set is light, the second one dark.
    let sets: Vec<_> =
        page.split("{--bg:").skip(1).take(3).map(|set| format!("--bg:{set}")).collect();
    assert_eq!(sets.len(), 3);
    for set in &sets {
        let luminance = |name: &str| luminance(set, name);
        let grounds = [
            ("bg", &["ink", "muted", "fail", "pass", "warn", "info"][..]),
            ("panel", &["ink", "muted", "fail", "pass", "warn", "info"]),
            ("txbg", &["ink", "muted", "tx"]),
            ("rxbg", &["ink", "muted", "rx"]),
            ("failbg", &["ink", "muted", "fail"]),
            ("warnbg", &["ink", "muted", "fail", "warn"]),
            ("fail", &["on"]),
        ];
        for (ground, inks) in grounds {
            for ink in inks {
                let (a, b) = (luminance(ground), luminance(ink));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{ink} on {ground} has {contrast}");
            }
        }
    }
}

/// The relative luminance of a colour of the style sheet.
fn luminance(set: &str, name: &str) -> f64 {
    let value = set.split(&format!("--{name}:#")).nth(1).unwrap();
    let digits: String = value.chars().take_while(char::is_ascii_hexdigit).collect();
    let wide = if digits.len() == 3 { 1 } else { 2 };
    let weights = [0.2126, 0.7152, 0.0722];
    let parts = weights.iter().enumerate().map(|(index, weight)| {
        let part = digits[index * wide..(index + 1) * wide].repeat(3 - wide);
        let part = f64::from(u8::from_str_radix(&part, 16).unwrap()) / 255.0;
        let linear =
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        weight * linear
    });
    parts.sum()
}

#[test]
fn sections_and_subsections_have_titles() {
    let parts = [">1 frames</button>", ">1.1 text frames</th>", ">Section 2</button>"];
    check(&good(), "index.html", &parts);
}

#[test]
fn the_classic_judgement_can_be_shown_first() {
    let lines = bad_lines("x");
    let files = files(&results(lines), &catalogue(), JudgeKind::Classic, titles);
    let index = String::from_utf8(files[0].contents.clone()).unwrap();
    assert!(index.contains("deviates from what wstest expects"), "{index}");
}
