//! The report, read as scripts read it: line by line, by counting words, and as JSON.

use std::path::Path;

use serde_json::{Map, Value};
use wsproof_testee::Defect;

use crate::{
    Ran, one,
    peer::says,
    support::{command, echo, serve, with_defect},
};

/// Cases of many kinds, among them compressed ones, which the server of `run` does agree to.
const CASES: &str = r#""1.1.1", "1.1.2", "10.1.1", "2.10", "3.2", "6.4.1", "7.1.6", "9.7.1", "9.8.1", "12.1.1", "12.1.2""#;

fn run() -> Ran {
    let server = serve(|stream, _| echo(stream));
    Ran::with(&one(&server.url(), CASES, r#""exclude-cases": ["9.8.*"]"#))
}

/// All that a run should leave of a case in the index, duration apart.
fn entry(case: &str, behavior: &str, close: &str, code: u16, comma: &str) -> Vec<String> {
    let file = format!("peer_case_{}.json", case.replace('.', "_"));
    vec![
        format!("      \"{case}\": {{"),
        format!("         \"behavior\": \"{behavior}\","),
        format!("         \"behaviorClose\": \"{close}\","),
        "         \"duration\": N,".to_owned(),
        format!("         \"remoteCloseCode\": {code},"),
        format!("         \"reportfile\": \"{file}\""),
        format!("      }}{comma}"),
    ]
}

/// What `sed 's/"duration": [0-9]*/"duration": N/'` makes of it.
fn without_durations(text: &str) -> String {
    let mut parts = text.split("\"duration\": ");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(rest.len() < part.len() && rest.starts_with(",\n"), "no whole number: {part}");
        out = out + "\"duration\": N" + rest;
    }
    out
}

#[test]
fn the_index_can_be_edited_line_by_line() {
    let ran = run();
    let text = ran.file("index.json");
    let mut lines = vec!["{".to_owned(), "   \"peer\": {".to_owned()];
    // Sorted as texts, not as numbers.
    for case in ["1.1.1", "1.1.2", "10.1.1", "12.1.1", "12.1.2", "2.10"] {
        lines.extend(entry(case, "OK", "OK", 1000, ","));
    }
    lines.extend(entry("3.2", "OK", "OK", 1002, ","));
    lines.extend(entry("6.4.1", "OK", "OK", 1007, ","));
    lines.extend(entry("7.1.6", "INFORMATIONAL", "INFORMATIONAL", 1000, ","));
    lines.extend(entry("9.7.1", "OK", "OK", 1000, ""));
    lines.extend(["   }".to_owned(), "}".to_owned()]);
    assert_eq!(without_durations(&text), lines.join("\n"), "no line feed at the end");
}

#[test]
fn two_runs_differ_in_nothing_but_durations() {
    assert_eq!(
        without_durations(&run().file("index.json")),
        without_durations(&run().file("index.json"))
    );
}

#[test]
fn nothing_says_failed_where_nothing_failed() {
    let ran = run();
    assert!(!ran.file("index.json").contains("FAILED"));
    assert!(ran.file("index.html").matches("case_failed").count() <= 2);
    let index = ran.json("index.json");
    let good = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"];
    for (case, entry) in index["peer"].as_object().unwrap() {
        let verdict = |key: &str| entry[key].as_str().unwrap();
        assert!(good.contains(&verdict("behavior")), "{case}");
        assert!(["OK", "INFORMATIONAL"].contains(&verdict("behaviorClose")), "{case}");
        assert!(entry["duration"].is_u64(), "{case}");
        let keys: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["behavior", "behaviorClose", "duration", "remoteCloseCode", "reportfile"];
        assert_eq!(keys, expected);
        let file = ran.json(verdict("reportfile"));
        for key in ["behavior", "behaviorClose", "remoteCloseCode", "duration"] {
            assert_eq!(file[key], entry[key], "{key} of {case}");
        }
        assert_eq!((&file["id"], &file["agent"]), (&Value::from(case.as_str()), &"peer".into()));
        let page = verdict("reportfile").replace(".json", ".html");
        assert!(ran.dir.path().join("out").join(page).exists(), "{case}");
    }
}

#[test]
fn what_failed_is_counted_once_for_each_verdict() {
    // It never echoes, and it never ends TCP.
    let (server, _log) = says(b"");
    let limits = r#""options": {"closeHandshakeTimeout": 0.1, "serverConnectionDropTimeout": 0.1}"#;
    let ran = Ran::with(&one(&server.url(), r#""1.1.1", "7.1.1""#, limits));
    assert_eq!(ran.code, Some(0));
    let index = ran.json("index.json");
    let cases = index["peer"].as_object().unwrap().values();
    let failed = |entry: &Value| {
        ["behavior", "behaviorClose"].iter().filter(|key| entry[*key] == "FAILED").count()
    };
    let expected: usize = cases.map(failed).sum();
    assert!(expected > 0);
    assert_eq!(ran.file("index.json").lines().filter(|l| l.contains("FAILED")).count(), expected);
    assert!(ran.file("index.html").contains("case_failed"));
    #[cfg(unix)]
    assert_eq!(shell(&ran, "grep -c FAILED out/index.json"), expected.to_string());
}

/// Runs a line as scripts have it.
#[cfg(unix)]
fn shell(ran: &Ran, line: &str) -> String {
    let mut command = command("sh");
    let output = command.args(["-c", line]).current_dir(ran.dir.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[cfg(unix)]
#[test]
fn usual_commands_read_the_report() {
    let ran = run();
    let check = |line: &str, prints: &str| assert_eq!(shell(&ran, line), prints, "{line}");
    check("grep -c FAILED out/index.json", "0");
    check(r#"grep -c '"behavior": "OK"' out/index.json"#, "9");
    check(
        r#"grep -A1 '"7.1.6": {' out/index.json | tail -n 1"#,
        r#"         "behavior": "INFORMATIONAL","#,
    );
    check(r#"sed -n 's/^ *"reportfile": "\(.*\)"$/\1/p' out/index.json | wc -l | tr -d ' '"#, "10");
    check(
        r#"sed -n 's/^ \{6\}"\([0-9.]*\)": {$/\1/p' out/index.json | head -n 3 | tr '\n' ' '"#,
        "1.1.1 1.1.2 10.1.1",
    );
    check(
        r#"sed -e '/"duration": /d' out/index.json | sed -n '5,6p' | tr -d ' \n'"#,
        r#""behaviorClose":"OK","remoteCloseCode":1000,"#,
    );
    check("ls out | grep '^index.json' | tr '\n' ' '", "index.json");
    check("ls out/peer_case_*.json | wc -l | tr -d ' '", "10");
    check("tail -c 1 out/index.json", "}");
}

#[test]
fn no_other_file_begins_like_the_index() {
    let ran = run();
    let names = |dir: &Path| {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect::<Vec<_>>()
    };
    let names = names(&ran.dir.path().join("out"));
    let like_the_index: Vec<_> = names.iter().filter(|n| n.starts_with("index.json")).collect();
    assert_eq!(like_the_index, ["index.json"]);
    let json =
        names.iter().filter(|name| Path::new(name).extension() == Some("json".as_ref())).count();
    assert_eq!(json, 11, "the index and ten cases: {names:?}");
}

/// The types of the 39 keys, as a letter each: array, bool, count, object, string.
const TYPES: [(&str, &str); 39] = [
    ("agent", "s"),
    ("behavior", "s"),
    ("behaviorClose", "s"),
    ("case", "c"),
    ("closedByMe", "b"),
    ("createStats", "b"),
    ("createWirelog", "b"),
    ("description", "s"),
    ("droppedByMe", "b"),
    ("duration", "c"),
    ("expectation", "s"),
    ("expected", "o"),
    ("expectedClose", "o"),
    ("failedByMe", "b"),
    ("httpRequest", "s"),
    ("httpResponse", "s"),
    ("id", "s"),
    ("isServer", "b"),
    ("localCloseCode", "c"),
    ("localCloseReason", "sn"),
    ("received", "a"),
    ("remoteCloseCode", "c"),
    ("remoteCloseReason", "sn"),
    ("reportCompressionRatio", "b"),
    ("reportTime", "b"),
    ("result", "s"),
    ("resultClose", "s"),
    ("rxFrameStats", "o"),
    ("rxOctetStats", "o"),
    ("started", "s"),
    ("trafficStats", "on"),
    ("txFrameStats", "o"),
    ("txOctetStats", "o"),
    ("wasClean", "b"),
    ("wasCloseHandshakeTimeout", "b"),
    ("wasNotCleanReason", "sn"),
    ("wasOpenHandshakeTimeout", "b"),
    ("wasServerConnectionDropTimeout", "b"),
    ("wirelog", "a"),
];

fn letter(value: &Value) -> char {
    match value {
        Value::Array(_) => 'a',
        Value::Bool(_) => 'b',
        Value::Null => 'n',
        Value::Number(number) if number.is_u64() => 'c',
        Value::Number(_) => '?',
        Value::Object(_) => 'o',
        Value::String(_) => 's',
    }
}

#[test]
fn a_case_has_its_39_keys_with_their_types() {
    let ran = run();
    for (_, cases) in ran.index() {
        for case in cases {
            let file = ran.json(&format!("peer_case_{}.json", case.replace('.', "_")));
            let file: &Map<String, Value> = file.as_object().unwrap();
            assert_eq!(file.len(), TYPES.len());
            for (key, types) in TYPES {
                let letter = letter(&file[key]);
                assert!(types.contains(letter), "{key} of {case} is {}", file[key]);
            }
        }
    }
}

#[test]
fn positions_count_all_517_cases() {
    let ran = run();
    for (case, position) in [("1_1_1", 1), ("6_4_1", 74), ("12_1_1", 302), ("12_1_2", 303)] {
        assert_eq!(ran.json(&format!("peer_case_{case}.json"))["case"], position, "{case}");
    }
}

#[test]
fn compression_is_measured() {
    let ran = run();
    let file = ran.json("peer_case_12_1_1.json");
    let stats = &file["trafficStats"];
    let names: Vec<_> = stats.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "incomingCompressionRatio incomingOctetsAppLevel \
        incomingOctetsWebSocketLevel incomingOctetsWireLevel incomingWebSocketFrames \
        incomingWebSocketMessages incomingWebSocketOverhead outgoingCompressionRatio \
        outgoingOctetsAppLevel outgoingOctetsWebSocketLevel outgoingOctetsWireLevel \
        outgoingWebSocketFrames outgoingWebSocketMessages outgoingWebSocketOverhead \
        preopenIncomingOctetsWireLevel preopenOutgoingOctetsWireLevel";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    let count = |key: &str| stats[key].as_u64().unwrap();
    for way in ["incoming", "outgoing"] {
        assert_eq!(count(&format!("{way}WebSocketMessages")), 1000);
        assert_eq!(count(&format!("{way}WebSocketFrames")), 1000);
        assert_eq!(count(&format!("{way}OctetsAppLevel")), 16_000);
        // A header, and what a client adds to it as its mask.
        let header = if way == "incoming" { 2 } else { 6 };
        let payload = count(&format!("{way}OctetsWebSocketLevel"));
        assert_eq!(count(&format!("{way}OctetsWireLevel")), payload + 1000 * header);
        #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
        let (ratio, overhead) =
            (payload as f64 / 16_000.0, (1000 * header) as f64 / payload as f64);
        assert_eq!(stats[format!("{way}CompressionRatio")], ratio);
        assert_eq!(stats[format!("{way}WebSocketOverhead")], overhead);
    }
    let head = |key: &str| file[key].as_str().unwrap().len() as u64;
    assert_eq!(count("preopenOutgoingOctetsWireLevel"), head("httpRequest"));
    assert_eq!(count("preopenIncomingOctetsWireLevel"), head("httpResponse"));
    for (key, expected) in [
        ("reportTime", Value::from(true)),
        ("reportCompressionRatio", true.into()),
        ("createWirelog", true.into()),
        ("expected", serde_json::json!({})),
        ("received", serde_json::json!([])),
        (
            "expectedClose",
            serde_json::json!({"closeCode": [1000], "closedByMe": true, "requireClean": true}),
        ),
        ("rxFrameStats", serde_json::json!({"1": 1000, "8": 1})),
        ("txFrameStats", serde_json::json!({"1": 1000, "8": 1})),
    ] {
        assert_eq!(file[key], expected, "{key}");
    }
    assert_eq!(ran.json("peer_case_9_7_1.json")["trafficStats"], Value::Null);
    assert_eq!(ran.json("peer_case_9_7_1.json")["reportCompressionRatio"], false);
}

#[test]
fn a_server_that_does_not_compress_leaves_short_files() {
    let (server, _log) = says(b"\x88\x02\x03\xe8");
    let limits = r#""options": {"serverConnectionDropTimeout": 0.1}"#;
    let ran = Ran::with(&one(&server.url(), r#""12.1.1""#, limits));
    let file = ran.json("peer_case_12_1_1.json");
    assert_eq!(file["behavior"], "UNIMPLEMENTED");
    assert_eq!(file["trafficStats"], Value::Null);
    assert_eq!(file["createWirelog"], false);
    let kinds: Vec<_> = file["wirelog"].as_array().unwrap().iter().map(|e| e[0].clone()).collect();
    assert_eq!(kinds, ["TO", "RO", "WLM"]);
}

#[test]
fn the_two_results_that_scripts_match() {
    let text = |defect: Defect, case: &str, key: &str| {
        let server = with_defect(defect);
        let ran = Ran::with(&one(&server.url(), &format!("{case:?}"), ""));
        let file = ran.json(&format!("peer_case_{}.json", case.replace('.', "_")));
        file[key].as_str().unwrap().to_owned()
    };
    assert_eq!(
        text(Defect::ClosesAtOpen, "9.1.1", "result"),
        "Did not receive message within 10 seconds."
    );
    assert_eq!(
        text(Defect::CloseGoingAway, "7.1.1", "resultClose"),
        "The close code should have been 1000 or empty"
    );
    assert_eq!(
        text(Defect::CloseGoingAway, "12.1.1", "resultClose"),
        "The close code should have been 1000 or empty"
    );
}
