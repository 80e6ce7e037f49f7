//! The report in a browser: filters, links, keys, colours, and what it must never do.
//!
//! Skipped visibly where there is no Chromium; under `CI=true` that is a failure.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::path::{Path, PathBuf};

use browser::Browser;
use serde_json::{Value, json};
use support::{echo, hosting::Server, serve, with_defect, wsproof};
use tempfile::TempDir;
use wsproof_report::{Results, html};
use wsproof_testee::Defect;

const CASES: &str = "1.1.*,2.*,6.2.*,6.3.*,7.7.*,7.9.*,7.13.1";

/// The report of a run against echo servers with a defect each.
fn report(dir: &Path, cases: &str, defects: &[Option<Defect>]) -> PathBuf {
    let servers: Vec<_> = defects
        .iter()
        .map(|defect| match defect {
            Some(defect) => with_defect(*defect),
            None => serve(|stream, _| echo(stream)),
        })
        .collect();
    let urls: Vec<_> = servers.iter().map(support::Server::url).collect();
    let mut args = vec!["test", "--cases", cases, "--out", "out", "--seed", "7"];
    args.extend(urls.iter().map(String::as_str));
    let output = wsproof(dir, &args);
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    dir.join("out/index.html")
}

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

/// Evaluates expressions in the page, each with its value.
fn check(browser: &mut Browser, expected: &[(&str, Value)]) {
    for (expression, value) in expected {
        assert_eq!(browser.eval(expression), *value, "{expression}");
    }
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
    browser.until("location.hash === '#attempt-2'");
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

/// The lowest contrast of any visible text with its ground, and where it is.
const CONTRAST: &str = r"(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
  const light = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a > 0.99) return c.rgb; } return [255, 255, 255]; };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('.sr,.skip,option,script')) continue;
    const a = light(parse(getComputedStyle(e).color).rgb), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 40)];
  }
  return worst;
})()";

/// A page with every kind of verdict, three peers, a baseline and charts. Some results are edited:
/// what is unstable and what is merely allowed does not happen on demand.
fn wide(dir: &Path) -> PathBuf {
    const MORE: &str = "1.1.*,2.*,6.2.*,6.3.*,7.7.*,7.9.*,7.13.1,9.7.1,9.7.2,9.8.1,9.8.2,12.1.1";
    const ROWS: &str = "\"7.9.1\": { \"grade\": \"failed\", \"why\": \"not yet\" }, \"2.1\": { \"grade\": \"failed\", \"why\": \"of old\" }";
    let peers = [Some(Defect::CloseCodesAny), None, Some(Defect::ChangesFirstOctet)];
    report(dir, MORE, &peers);
    let (mut unstable, mut allowed, mut left) = (0, 0, 0);
    let results = std::fs::read_to_string(dir.join("out/results.jsonl")).unwrap();
    let edited = results.lines().filter_map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        match (line["type"].as_str(), line["case"].as_str()) {
            (Some("verdict"), Some("2.2")) => {
                line["unstable"] = json!(true);
                unstable += 1;
            }
            (Some("attempt"), Some("2.3")) => {
                line["rfc"]["behavior"] = json!("NON-STRICT");
                allowed += 1;
            }
            (Some("attempt"), Some("12.1.1")) => {
                line["rfc"]["behavior"] = json!("UNIMPLEMENTED");
                line["outcome"]["unimplemented"] = json!(true);
            }
            (Some("attempt" | "verdict"), Some("2.4")) => {
                left += 1;
                return None;
            }
            _ => {}
        }
        Some(line.to_string())
    });
    let edited: Vec<_> = edited.collect();
    assert!(unstable > 0 && allowed > 0 && left > 0);
    std::fs::write(dir.join("out/results.jsonl"), edited.join("\n") + "\n").unwrap();
    let baseline = format!("{{ \"peers\": {{ \"*\": {{ \"expect\": {{ {ROWS} }} }} }} }}");
    std::fs::write(dir.join("b.jsonc"), baseline).unwrap();
    let args = ["report", "html", "out", "--out", "pages", "--baseline", "b.jsonc"];
    let output = wsproof(dir, &args);
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    dir.join("pages/index.html")
}

/// Elements that a pointer or a key can reach, but not a screen reader: they have no name.
const NAMELESS: &str = r"[...document.querySelectorAll('a[href],button,input,select,summary,[tabindex],svg[role=img]')]
  .filter((e) => e.checkVisibility() && !e.closest('[aria-hidden=true]') && e.tagName !== 'ARTICLE')
  .filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || e.title))
  .map((e) => e.outerHTML.slice(0, 120))";

/// What is cut off at the right, except where it can be scrolled to.
const CUT_OFF: &str = r"[...document.querySelectorAll('main *, footer *')].filter((e) => e.checkVisibility()
  && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.sr,.scroll,.grid,.ruler,.bar,.skip,pre')).map((e) => e.outerHTML.slice(0, 120))";

#[test]
fn every_text_can_be_read_in_light_and_dark() {
    let Some(mut browser) = Browser::start() else { return };
    let dir = TempDir::new().unwrap();
    let index = wide(dir.path());
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 375), ("dark", 375)] {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.call("Emulation.setEmulatedMedia", &json!({"features": features}));
        let size = json!({"width": width, "height": 812, "deviceScaleFactor": 1, "mobile": false});
        browser.call("Emulation.setDeviceMetricsOverride", &size);
        browser.open(&index, "");
        let kinds = "[...document.querySelectorAll('.count')].map(c => c.dataset.v).join('')";
        check(
            &mut browser,
            &[
                (kinds, json!("funimxp")),
                ("document.querySelectorAll('#charts svg[role=img]').length", json!(1)),
                ("document.querySelectorAll('.gate').length", json!(1)),
                ("document.querySelectorAll('.card.known, .card.new').length", json!(2)),
            ],
        );
        browser.eval("document.querySelectorAll('details').forEach(d => d.open = true)");
        browser.eval("document.querySelector('#shown button')?.click()");
        let worst = browser.eval(CONTRAST);
        assert!(worst[0].as_f64().unwrap() >= 4.5, "{scheme}: {worst}");
        check(&mut browser, &[(NAMELESS, json!([])), (CUT_OFF, json!([]))]);
        let ground = browser.eval("getComputedStyle(document.body).backgroundColor");
        let dark = ground == json!("rgb(18, 20, 23)");
        assert_eq!(dark, scheme == "dark", "{ground}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_wide_page_reads_in_order_without_script() {
    let Some(mut browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    let index = wide(dir.path());
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&index, "");
    let text = browser.eval("document.body.textContent.replace(/\\s+/g, ' ')");
    in_order(
        text.as_str().unwrap(),
        &[
            "2 of 3 peers deviate",
            "failed",
            "Against the baseline:",
            "What is not as expected",
            "Peers",
            "Causes across peers",
            "Messages come back changed",
            "Unstable",
            "Expected",
            "Observed",
            "First wrong: octet 0 of the message",
            "Works nearby",
            "Conversation",
            "tester sends GET",
            "peer sends, wrong:",
            "Copy all as text",
            "Close codes that must not be sent",
            "Informational",
            "Measured",
            "Round trip",
            "numbers",
            "Judged differently",
            "All cases",
            "Legend",
            "Command",
        ],
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_tab_key_leads_through_everything_in_order() {
    let Some(mut browser) = browser() else { return };
    let dir = TempDir::new().unwrap();
    let index = wide(dir.path());
    browser.open(&index, "");
    // With motion, a place comes into sight only after a while.
    let calm = json!([{"name": "prefers-reduced-motion", "value": "reduce"}]);
    browser.call("Emulation.setEmulatedMedia", &json!({"features": calm}));
    browser.eval("window.seen = new Map(), document.body.focus(), 0");
    // Each step tells what has the focus; the order is that of the page, and every place shows it.
    let step = r"(() => {
      const e = document.activeElement;
      if (e === document.body) return 'end';
      const last = [...seen.keys()].pop();
      if (seen.has(e)) return 'end';
      if (last && !(last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)) return 'back at ' + e.outerHTML.slice(0, 90);
      const style = getComputedStyle(e);
      if (style.outlineStyle === 'none' && !e.classList.contains('skip')) return 'no outline: ' + e.outerHTML.slice(0, 90);
      const box = e.getBoundingClientRect();
      if (box.bottom < 0 || box.top > innerHeight) return 'out of sight: ' + e.outerHTML.slice(0, 90);
      seen.set(e, 1);
      return '';
    })()";
    let mut told = json!("");
    for _ in 0..400 {
        browser.press("Tab");
        told = browser.eval(step);
        if told != json!("") {
            break;
        }
    }
    assert_eq!(told, json!("end"));
    let seen = |what: &str| format!("[...seen.keys()].filter(e => e.matches('{what}')).length");
    let all = |what: &str| {
        format!("[...document.querySelectorAll('{what}')].filter(e => e.checkVisibility()).length")
    };
    for what in [".count", ".causes a", ".nav a", ".copy", ".report", "summary", ".find input"] {
        let number = browser.eval(&seen(what));
        assert!(number.as_u64() > Some(0), "{what}");
        assert_eq!(number, browser.eval(&all(what)), "{what}");
    }
    // Of the cells of all cases one is in the order; arrows lead to the others.
    assert_eq!(browser.eval(&seen("#matrix td a")), json!(1));
    // A card is copied whole.
    browser.eval(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: (t) => { window.copied = t; return Promise.resolve(); }}}), document.querySelector('.report').click(), 0",
    );
    let copied = browser.eval("window.copied");
    in_order(
        copied.as_str().unwrap(),
        &[
            "Messages come back changed",
            "\nwith 127.0.0.1:",
            "RFC 6455, 6.2",
            "\nExpected  81 7D 2A",
            "\nObserved  81 7D 2B",
            "^ 2B instead of 2A\n",
            "\nAgain: wsproof test --cases 1.1.2 --seed 7 ws://127.0.0.1:",
            "tester sends GET",
            "peer sends, wrong: ✗ TEXT",
            "peer ends TCP\nfile://",
            "#1.1.2@127.0.0.1:",
        ],
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

/// The parts stand in this order.
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part);
        rest = &rest[at.unwrap_or_else(|| panic!("{part} is not in its place:\n{rest}"))..];
    }
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
