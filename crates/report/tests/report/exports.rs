//! What CI reads: `JUnit`, TAP, Markdown, annotations of a workflow, and a badge.

use wsproof_engine::{Behavior, Judgement};
use wsproof_report::{Baseline, Gate, Line, Results, badge, github, junit, markdown, tap};

use crate::sample::{HOSTILE, bad_lines, gate, good, results};

const EXPECTED: &str = r#"{ "peers": { "*": { "expect": {
    "HS.1.1": { "grade": "failed", "why": "a | proxy ]]> in between # *says* no" },
    "2.4": { "grade": "non-strict", "why": "of another time" }
} } } }"#;

/// A peer whose name and reasons try to break every format.
fn hostile() -> Results {
    results(bad_lines(HOSTILE).into_iter().map(|line| match line {
        Line::Attempt(mut attempt) if attempt.rfc.behavior == Behavior::Failed => {
            let reason = "]]> ::error::x\r\n# | \u{1b}[31m <b>@all %0A".to_owned();
            attempt.rfc = Judgement { reason, ..attempt.rfc };
            Line::Attempt(attempt)
        }
        line => line,
    }))
}

fn check(render: fn(&Gate<'_>) -> String, expected: &str) {
    let (results, baseline) = (hostile(), Baseline::parse(EXPECTED).unwrap());
    let text = render(&gate(&results, Some(&baseline)));
    assert_eq!(text, expected);
}

#[test]
fn junit_says_what_is_new_and_skips_what_is_known() {
    check(
        junit::render,
        r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="wsproof" tests="6" skipped="1" failures="2" errors="1">
    <testsuite name="&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &quot;FAILED&quot; &lt;U+202E&gt;&lt;U+001B&gt;[31m|😀" tests="5" skipped="1" errors="1" failures="1" time="0.514">
        <properties>
            <property name="url" value="ws://127.0.0.1:9001/&lt;b&gt;"/>
        </properties>
        <testcase name="1.1.2 text message of 125 octets" classname="&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &quot;FAILED&quot; &lt;U+202E&gt;&lt;U+001B&gt;[31m|😀" time="0.005"/>
        <testcase name="2.3 ping with binary payload" classname="&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &quot;FAILED&quot; &lt;U+202E&gt;&lt;U+001B&gt;[31m|😀" time="0.005">
            <failure message="failed: ]]&gt; ::error::x&lt;U+000D&gt;&lt;U+000A&gt;# | &lt;U+001B&gt;[31m &lt;b&gt;@all %0A; mend the peer, or expect it with a row and its reason" type="new failure">failed: ]]&gt; ::error::x&lt;U+000D&gt;&lt;U+000A&gt;# | &lt;U+001B&gt;[31m &lt;b&gt;@all %0A
RFC 6455, 5.5.3
mend the peer, or expect it with a row and its reason</failure>
        </testcase>
        <testcase name="6.4.1 ill-formed text in fragments" classname="&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &quot;FAILED&quot; &lt;U+202E&gt;&lt;U+001B&gt;[31m|😀" time="0.503">
            <flakyFailure message="close: close code 1002 where 1007 or none is due" type="wrong close code">
            </flakyFailure>
        </testcase>
        <testcase name="9.1.1 text message of 64 KiB" classname="&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &quot;FAILED&quot; &lt;U+202E&gt;&lt;U+001B&gt;[31m|😀">
            <error message="1 case without a result (peer unreachable): 9.1.1; find out why the peer was gone, and run again" type="missing">1 case without a result (peer unreachable): 9.1.1
RFC 6455, 6.1
find out why the peer was gone, and run again</error>
        </testcase>
        <testcase name="HS.1.1 minimal opening request" classname="&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt; &quot;FAILED&quot; &lt;U+202E&gt;&lt;U+001B&gt;[31m|😀" time="0.001">
            <skipped message="known, failed: a | proxy ]]&gt; in between # *says* no" type="known"/>
        </testcase>
    </testsuite>
    <testsuite name="baseline" tests="1" skipped="0" errors="0" failures="1">
        <testcase name="* 2.4" classname="baseline">
            <failure message="row `2.4` decides nothing: no case of the peer, or more exact rows speak for all of them; correct its pattern or remove it" type="stale row"/>
        </testcase>
    </testsuite>
</testsuites>
"#,
    );
}

#[test]
fn tap_has_a_point_for_each_case() {
    check(
        tap::render,
        r#"TAP version 14
1..6
ok 1 - <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 1.1.2 text message of 125 octets
not ok 2 - <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 2.3 ping with binary payload
  ---
  kind: "new failure"
  message: "failed: ]]> ::error::x<U+000D><U+000A># | <U+001B>[31m <b>@all %0A"
  mend: "mend the peer, or expect it with a row and its reason"
  ...
ok 3 - <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 6.4.1 ill-formed text in fragments
not ok 4 - <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 9.1.1 text message of 64 KiB
  ---
  kind: "missing"
  message: "1 case without a result (peer unreachable): 9.1.1"
  mend: "find out why the peer was gone, and run again"
  ...
not ok 5 - <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 HS.1.1 minimal opening request # TODO known: a | proxy ]]> in between \# *says* no
not ok 6 - baseline * 2.4
  ---
  kind: "stale row"
  message: "row `2.4` decides nothing: no case of the peer, or more exact rows speak for all of them"
  mend: "correct its pattern or remove it"
  ...
"#,
    );
}

#[test]
fn annotations_are_one_line_each() {
    check(
        |gate| github::annotations(gate).join("\n"),
        r#"::error title=wsproof%3A new failure <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 2.3::failed: ]]> ::error::x<U+000D><U+000A># | <U+001B>[31m <b>@all %250A; mend the peer, or expect it with a row and its reason
::error title=wsproof%3A missing <script>alert('x')</script> "FAILED" <U+202E><U+001B>[31m|😀 9.1.1::1 case without a result (peer unreachable): 9.1.1; find out why the peer was gone, and run again
::error title=wsproof%3A stale row * 2.4::row `2.4` decides nothing: no case of the peer, or more exact rows speak for all of them; correct its pattern or remove it"#,
    );
}

#[test]
fn annotations_are_ten_at_most() {
    let rows: Vec<_> =
        (0..30).map(|n| format!(r#""1.2.{n}": {{ "grade": "failed", "why": "x" }}"#)).collect();
    let text = format!(r#"{{ "peers": {{ "*": {{ "expect": {{ {} }} }} }} }}"#, rows.join(","));
    let (results, baseline) = (good(), Baseline::parse(&text).unwrap());
    let lines = github::annotations(&gate(&results, Some(&baseline)));
    assert_eq!(lines.len(), 10);
    assert_eq!(
        lines[9],
        "::error title=wsproof::21 things not as expected beyond these, 0 failures among them; the \
         report has all"
    );
}

#[test]
fn markdown_is_a_table_and_a_list() {
    check(
        markdown::render,
        r#"## WebSocket conformance

| peer | result | failed | passed | other | known |
|---|---|--:|--:|--:|--:|
| &lt;script&gt;alert('x')&lt;/script&gt; "FAILED" &lt;U+202E&gt;&lt;U+001B&gt;\[31m\|😀 | deviates in 2 of 4 cases; 1 without a result | 2 | 2 | 0 | 1 |

**3 things not as expected:**

- **new failure** &lt;script&gt;alert('x')&lt;/script&gt; "FAILED" &lt;U+202E&gt;&lt;U+001B&gt;\[31m\|😀 2.3: failed: \]\]&gt; ::error::x&lt;U+000D&gt;&lt;U+000A&gt;&#35; \| &lt;U+001B&gt;\[31m &lt;b&gt;&#64;all %0A; mend the peer, or expect it with a row and its reason
- **missing** &lt;script&gt;alert('x')&lt;/script&gt; "FAILED" &lt;U+202E&gt;&lt;U+001B&gt;\[31m\|😀 9.1.1: 1 case without a result (peer unreachable): 9.1.1; find out why the peer was gone, and run again
- **stale row** \* 2.4: row \`2.4\` decides nothing: no case of the peer, or more exact rows speak for all of them; correct its pattern or remove it

wsproof 0.1.0, catalogue 1, RFC judgement, seed 7.
"#,
    );
}

#[test]
fn the_badge_has_the_colour_of_the_exit_code() {
    let colour = |results: &Results| {
        let text = badge::render(&gate(results, None));
        let says = text.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
        let colour = text.split_once("rx=\"3\" fill=\"").unwrap().1.split_once('"').unwrap().0;
        format!("{says} {colour}")
    };
    assert_eq!(colour(&good()), "WebSocket: 5 of 5 #1b6e3c");
    assert_eq!(colour(&hostile()), "WebSocket: 2 of 5 #b3261e");
    assert_eq!(colour(&Results::default()), "WebSocket: not tested #585d68");
}
