//! The report in a browser: filters, links, keys, colours, and what it must never do.
//!
//! Skipped visibly where there is no Chromium; under `CI=true` that is a failure.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/pages.rs"]
mod pages;
mod support;

use std::path::{Path, PathBuf};

use browser::Browser;
use pages::{check, in_order, report};
use serde_json::json;
use support::hosting::Server;
use tempfile::TempDir;
use wsproof_report::{Results, html};
use wsproof_testee::Defect;

const CASES: &str = "1.1.*,2.*,6.2.*,6.3.*,7.7.*,7.9.*,7.13.1";

/// Renders stored results anew, after `change`.
fn rendered(dir: &Path, change: impl Fn(String) -> String) -> PathBuf {
    let text = std::fs::read_to_string(dir.join("out/results.jsonl")).unwrap();
    let results = Results::parse(change(text)).unwrap();
    let (cases, judge) = (wsproof_cases::catalogue(), results.run().unwrap().judge);
    let files = html::files(&results, &cases, judge, wsproof_cases::section_title);
    let index = dir.join("changed.html");
    std::fs::write(&index, &files[0].contents).unwrap();
    index
}

#[test]
fn a_served_report_may_do_the_same() {
    let Some(mut browser) = Browser::start() else { return };
    let dir = TempDir::new().unwrap();
    report(dir.path(), "1.1.*,7.9.1", &[Some(Defect::CloseCodesAny)]);
    let args = ["listen", "127.0.0.1:0", "--webport", "0", "--out", "out", "--cases", "1.1.1"];
    let server = Server::run(dir, &args, |line| {
        let url = line.strip_prefix("web page for browsers on http://")?;
        url.strip_suffix('/').map(str::to_owned)
    });
    let site = format!("http://{}/", server.addr);
    browser.load(&format!("{site}reports/"));
    let press = "document.querySelector('.count.pass').click(), location.hash";
    check(&mut browser, &[(press, json!("#?v=p")), (SHOWN_ROWS, json!(8))]);
    let mut complaints = browser.complaints();
    complaints.retain(|complaint| !complaint.starts_with(&site));
    assert_eq!(complaints, Vec::<String>::new());
}

const SHOWN_CARDS: &str =
    "[...document.querySelectorAll('article.card')].filter(c => !c.hidden).map(c => c.id).join()";
const SHOWN_ROWS: &str =
    "[...document.querySelectorAll('#matrix tr[data-i]')].filter(r => !r.hidden).length";
const CURRENT: &str = "document.querySelector('.cur')?.id ?? ''";

#[test]
fn filters_links_and_keys_lead_to_places() {
    let Some(mut browser) = Browser::start() else { return };
    let dir = TempDir::new().unwrap();
    let index = report(dir.path(), CASES, &[Some(Defect::CloseCodesAny)]);
    browser.open(&index, "");
    check(
        &mut browser,
        &[
            (
                "document.querySelector('h1 .fail:not([aria-hidden])').textContent",
                json!("deviates from RFC 6455"),
            ),
            (SHOWN_CARDS, json!("7.9.1")),
            ("document.querySelectorAll('.map a').length", json!(48)),
            ("document.querySelectorAll('.map a.f').length", json!(9)),
            (SHOWN_ROWS, json!(10)),
            // A count is a filter, and stands in the address.
            ("document.querySelector('.count.pass').click(), location.hash", json!("#?v=p")),
            (SHOWN_CARDS, json!("")),
            (SHOWN_ROWS, json!(38)),
            ("document.querySelector('.count.pass').getAttribute('aria-pressed')", json!("true")),
        ],
    );
    browser.press("Escape");
    check(&mut browser, &[("location.hash", json!("")), (SHOWN_CARDS, json!("7.9.1"))]);
    // Text, code, octets with and without blanks, and what is not wanted.
    for (query, rows) in [
        ("6.3", 2),
        ("surrogate", 0),
        ("illegal close", 9),
        ("88 02 03ed", 0),
        ("88 02 00 00", 9),
        ("code 3000", 1),
        ("close -illegal", 14),
        ("nothing like this", 0),
    ] {
        let set = format!(
            "document.getElementById('q').value = {query:?}, document.getElementById('q').dispatchEvent(new Event('input')), 0"
        );
        browser.eval(&set);
        assert_eq!(browser.eval(SHOWN_ROWS), json!(rows), "{query}");
    }
    browser.open(&index, "#?v=f&s=7&basis=must&q=reserved");
    check(
        &mut browser,
        &[
            (SHOWN_ROWS, json!(0)),
            ("document.getElementById('q').value", json!("reserved")),
            ("document.getElementById('out').textContent", json!("nothing matches; Esc clears")),
        ],
    );
    // A case without a card of its own leads to the card of its cause.
    browser.open(&index, "#7.9.4");
    check(
        &mut browser,
        &[(CURRENT, json!("7.9.1")), ("document.activeElement.id", json!("7.9.1"))],
    );
    browser.open(&index, "#2.3");
    check(&mut browser, &[("document.querySelector('tr.hit th').textContent", json!("2.3"))]);
    browser.open(&index, "#7.9.1!3");
    check(&mut browser, &[("document.querySelector('li.hit').id", json!("7.9.1!3"))]);
    // The card shows one attempt; a link to the other opens it where it is.
    browser.open(&index, "#7.9.1~1");
    check(&mut browser, &[(CURRENT, json!("7.9.1"))]);
    browser.open(&index, "#7.9.1~9");
    check(
        &mut browser,
        &[("document.getElementById('out').textContent", json!("7.9.1 has 2 attempts"))],
    );
    browser.open(&index, "#7.9.1~2");
    browser.arrive("_case_7_9_1.html");
    check(&mut browser, &[("location.hash", json!("#attempt-2"))]);
    let shown = "document.getElementById('attempt-2').checkVisibility()";
    check(&mut browser, &[(shown, json!(true))]);
    browser.open(&index, "#99.9");
    let missing = json!("99.9 is not in this run");
    check(&mut browser, &[("document.getElementById('out').textContent", missing)]);
    browser.open(&index, "");
    browser.press("j");
    check(&mut browser, &[(CURRENT, json!("7.9.1")), ("location.hash", json!("#7.9.1"))]);
    let open = "document.querySelector('.cur > details').open";
    check(&mut browser, &[(open, json!(true))]);
    browser.press("Enter");
    check(&mut browser, &[(open, json!(false))]);
    browser.press("/");
    check(&mut browser, &[("document.activeElement.id", json!("q"))]);
    // Keys are for the field while it has the focus.
    browser.press("t");
    check(&mut browser, &[("document.documentElement.dataset.t ?? ''", json!(""))]);
    browser.press("Escape");
    browser.press("t");
    check(&mut browser, &[("document.documentElement.dataset.t", json!("dark"))]);
    browser.press("1");
    check(&mut browser, &[("location.hash", json!("#?v=f"))]);
    browser.press("?");
    check(&mut browser, &[("document.getElementById('keys').open", json!(true))]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_page_fits_a_small_screen_and_reads_in_order_without_script() {
    let Some(mut browser) = Browser::start() else { return };
    let dir = TempDir::new().unwrap();
    let index = report(dir.path(), CASES, &[Some(Defect::CloseCodesAny)]);
    let small = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
    browser.call("Emulation.setDeviceMetricsOverride", &small);
    browser.open(&index, "");
    check(&mut browser, &[("document.documentElement.scrollWidth", json!(390))]);
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&index, "");
    let text = browser.eval("document.body.innerText");
    in_order(
        text.as_str().unwrap(),
        &[
            "deviates from RFC 6455 in 1 way",
            "9 failed",
            "Close codes that must not be sent are taken and sent back: 0, 999",
            "7.9.1",
            "MUST NOT be sent",
            "RFC 6455, 7.4",
            "88 02 03 EA or 88 00",
            "88 02 00 00",
            "octet 2 of its frame, 2 of the peer's stream",
            "7.7, 7.13 pass",
            "wsproof test --cases 7.9.1 --seed 7 ws://127.0.0.1:",
            "tester sends",
            "CLOSE 0",
            "peer sends, wrong:",
            "ends TCP",
            "legal close code 1000",
        ],
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn several_peers_stand_side_by_side() {
    let Some(mut browser) = Browser::start() else { return };
    let dir = TempDir::new().unwrap();
    let peers = [None, Some(Defect::CloseCodesAny), Some(Defect::ChangesFirstOctet)];
    let index = report(dir.path(), "1.1.1,1.1.2,7.7.*,7.9.*", &peers);
    browser.open(&index, "");
    let first = "document.querySelector('.peers tbody td b').textContent";
    let columns = "document.querySelectorAll('#matrix thead .peer').length";
    check(
        &mut browser,
        &[
            ("document.querySelector('h1').textContent", json!("✗ 2 of 3 peers deviate ")),
            (first, json!("✗ deviates")),
            (columns, json!(3)),
            ("document.querySelectorAll('.causes li').length", json!(2)),
            (
                "[...document.querySelectorAll('#matrix td a')].filter(a => a.tabIndex === 0).length",
                json!(1),
            ),
            ("document.querySelector('#matrix tr:not([hidden]) td a').focus(), 0", json!(0)),
        ],
    );
    browser.press("m");
    let column = "document.activeElement.closest('td').cellIndex";
    let before = browser.eval(column).as_u64().unwrap();
    browser.press("ArrowRight");
    assert_eq!(browser.eval(column).as_u64(), Some(before + 1));
    browser.press("ArrowDown");
    assert_eq!(browser.eval(column).as_u64(), Some(before + 1));
    // With a peer in the link, the card is that peer's.
    let id = browser.eval("document.querySelector('article.card').id");
    let id = id.as_str().unwrap();
    browser.open(&index, &format!("#{id}"));
    assert_eq!(browser.eval(CURRENT), json!(id));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn what_a_peer_says_is_never_markup() {
    const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x onerror=\\\"document.title='owned'\\\">\\u202e\\u0000";
    let Some(mut browser) = Browser::start() else { return };
    let dir = TempDir::new().unwrap();
    // Two peers, so that names stand in tables, legends and charts as well.
    let cases = format!("{CASES},9.7.1,9.7.2");
    report(dir.path(), &cases, &[Some(Defect::CloseCodesAny), None]);
    let megabytes = "<b>\\u202e&\\u0001".repeat(600_000);
    let hex = HOSTILE.bytes().fold(String::new(), |text, octet| format!("{text}{octet:02x}"));
    let index = rendered(dir.path(), |text| {
        text.replace("wsproof/", &format!("{HOSTILE}wsproof/"))
            .replace("\"peer\":\"", &format!("\"peer\":\"{HOSTILE}"))
            .replace("as expected", HOSTILE)
            .replacen("no endpoint may send", &megabytes, 1)
            .replace("\"head\":\"03e8\"", &format!("\"head\":\"03e8{}\"", &hex[..120]))
            .replace("\"local_reason\":\"\"", &format!("\"local_reason\":\"{HOSTILE}\""))
    });
    let size = std::fs::metadata(&index).unwrap().len();
    assert!(size < 1_000_000, "{size}");
    browser.open(&index, "#?q=%3Cscript%3E");
    check(
        &mut browser,
        &[
            (
                "document.title.includes('owned') && !document.title.includes('<script>')",
                json!(false),
            ),
            ("document.images.length", json!(0)),
            ("document.querySelectorAll('#charts .legend li').length", json!(2)),
            ("document.querySelectorAll('svg script, svg img, [onerror]').length", json!(0)),
            ("document.scripts.length", json!(2)),
            (
                "document.querySelectorAll('b').length > 0 && document.body.textContent.includes('\\u202e')",
                json!(false),
            ),
        ],
    );
    browser.open(&index, "#%3Cimg%20src=x%3E@</script>!1");
    assert_eq!(browser.complaints(), [""; 0]);
}
