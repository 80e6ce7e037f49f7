//! The layout of the classic files, which scripts search with `grep` and `sed`.

use wsproof_report::{File, Results, classic::files};

use crate::sample::{HOSTILE, bad, both, catalogue, good};

fn file(results: &Results, name: &str) -> String {
    let files = files(results, &catalogue());
    let names: Vec<_> = files.iter().map(|file| &file.name).collect();
    let found = files.iter().find(|file| file.name == name);
    let File { contents, .. } = found.unwrap_or_else(|| panic!("{name} is none of {names:?}"));
    String::from_utf8(contents.clone()).unwrap()
}

fn value(results: &Results, name: &str) -> serde_json::Value {
    serde_json::from_str(&file(results, name)).unwrap()
}

#[test]
fn the_index_to_the_octet() {
    assert_eq!(file(&bad(), "index.json"), INDEX);
    assert_eq!(file(&Results::default(), "index.json"), "{}");
}

const INDEX: &str = r#"{
   "<script>alert('x')</script> \"\u0046AILED\" \u202e\u001b[31m|\ud83d\ude00": {
      "1.1.2": {
         "behavior": "OK",
         "behaviorClose": "OK",
         "duration": 4,
         "remoteCloseCode": 1000,
         "reportfile": "script_alert__x____script___failed_____31m_case_1_1_2.json"
      },
      "2.3": {
         "behavior": "FAILED",
         "behaviorClose": "OK",
         "duration": 4,
         "remoteCloseCode": 1000,
         "reportfile": "script_alert__x____script___failed_____31m_case_2_3.json"
      },
      "6.4.1": {
         "behavior": "OK",
         "behaviorClose": "OK",
         "duration": 502,
         "remoteCloseCode": 1007,
         "reportfile": "script_alert__x____script___failed_____31m_case_6_4_1.json"
      },
      "HS.1.1": {
         "behavior": "FAILED",
         "behaviorClose": "FAILED",
         "duration": 0,
         "remoteCloseCode": null,
         "reportfile": "script_alert__x____script___failed_____31m_case_HS_1_1.json"
      }
   }
}"#;

#[test]
fn the_index_names_the_files_and_says_failed_only_where_a_verdict_does() {
    let index = value(&both(), "index.json");
    let files: Vec<_> = files(&both(), &catalogue()).into_iter().map(|file| file.name).collect();
    let records: Vec<_> = index
        .as_object()
        .unwrap()
        .values()
        .flat_map(|cases| cases.as_object().unwrap().values())
        .collect();
    assert_eq!(records.len() + 1, files.len());
    assert!(records.iter().all(|r| files.iter().any(|name| *name == r["reportfile"])));
    assert!(index.as_object().unwrap().contains_key(HOSTILE));
    assert!(!file(&good(), "index.json").contains("FAILED"));
    assert_eq!(file(&both(), "index.json").matches("FAILED").count(), 3);
}

#[test]
fn a_detail_has_the_39_keys_in_order() {
    let keys = "agent behavior behaviorClose case closedByMe createStats createWirelog description \
        droppedByMe duration expectation expected expectedClose failedByMe httpRequest \
        httpResponse id isServer localCloseCode localCloseReason received remoteCloseCode \
        remoteCloseReason reportCompressionRatio reportTime result resultClose rxFrameStats \
        rxOctetStats started trafficStats txFrameStats txOctetStats wasClean \
        wasCloseHandshakeTimeout wasNotCleanReason wasOpenHandshakeTimeout \
        wasServerConnectionDropTimeout wirelog";
    let keys: Vec<_> = keys.split_whitespace().collect();
    assert_eq!(keys.len(), 39);
    assert!(keys.is_sorted());
    for file in files(&both(), &catalogue()).iter().skip(1) {
        let value: serde_json::Value = serde_json::from_slice(&file.contents).unwrap();
        let got: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(got, keys, "{}", file.name);
        assert!(file.contents.is_ascii() && !file.contents.ends_with(b"\n"));
    }
}

fn check(results: &Results, name: &str, fields: &serde_json::Value) {
    let value = value(results, name);
    for (key, expected) in fields.as_object().unwrap() {
        assert_eq!(&value[key], expected, "{key} of {name}");
    }
}

#[test]
fn a_passing_case() {
    let stars = "*".repeat(64) + " ...";
    let fields = serde_json::json!({
        "agent": "AB-SUT", "id": "1.1.2", "case": 1, "duration": 4,
        "started": "2026-11-20T15:52:03.850Z", "behavior": "OK", "behaviorClose": "OK",
        "expected": {"OK": [["message", stars, false]]},
        "received": [["message", stars, false]],
        "expectedClose": {"closeCode": [1000], "closedByMe": true, "requireClean": true},
        "isServer": false, "closedByMe": true, "failedByMe": false, "droppedByMe": false,
        "wasClean": true, "wasNotCleanReason": null, "localCloseCode": 1000,
        "localCloseReason": null, "remoteCloseCode": 1000, "remoteCloseReason": null,
        "reportTime": false, "reportCompressionRatio": false, "createStats": true,
        "createWirelog": true, "trafficStats": null,
        "rxFrameStats": {"1": 1, "8": 1}, "txFrameStats": {"1": 1, "8": 1},
        "rxOctetStats": {"127": 1, "145": 1, "4": 1},
        "txOctetStats": {"131": 1, "223": 1, "8": 1},
    });
    check(&good(), "ab_sut_case_1_1_2.json", &fields);
    let value = value(&good(), "ab_sut_case_1_1_2.json");
    assert!(value["httpRequest"].as_str().unwrap().starts_with("GET / HTTP/1.1\r\n"));
    let kinds: Vec<_> = value["wirelog"].as_array().unwrap().iter().map(|e| &e[0]).collect();
    assert_eq!(kinds, ["TO", "RO", "TF", "TO", "KL", "RO", "RF", "TF", "TO", "RO", "RF"]);
}

#[test]
fn computed_timed_and_refused_cases() {
    let lists = serde_json::json!({"OK": [["timeout", "A"]], "NON-STRICT": []});
    let fields = serde_json::json!({
        "expected": lists, "received": [["timeout", "A"]], "remoteCloseCode": 1007,
        "expectedClose": {
            "closeCode": [1007], "closedByMe": false, "closedByWrongEndpointIsFatal": true,
            "requireClean": false,
        },
        "case": 3,
    });
    check(&good(), "ab_sut_case_6_4_1.json", &fields);
    let computed = serde_json::json!({"expected": {}, "received": [], "reportTime": true});
    check(&good(), "ab_sut_case_9_1_1.json", &computed);
    let refused = serde_json::json!({
        "expected": {}, "expectedClose": {}, "duration": 0, "case": 0, "remoteCloseCode": null,
        "behavior": "FAILED", "behaviorClose": "FAILED", "wasClean": false,
    });
    check(&bad(), "script_alert__x____script___failed_____31m_case_HS_1_1.json", &refused);
}
