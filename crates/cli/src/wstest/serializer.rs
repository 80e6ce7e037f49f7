//! The mode `serializer`: sample messages of WAMP v2, each as a list, as JSON and as `MessagePack`.
//!
//! Whoever writes a WAMP serializer can compare octet by octet.

use serde::Serialize;
use serde_json::{Value, json};

use super::Args;
use crate::{
    exit::{Error, Exit},
    output,
};

/// A sample, with the keys that the file has always had.
#[derive(Debug, Serialize)]
struct Sample {
    name: &'static str,
    rmsg: Value,
    json: String,
    msgpack: String,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let file = args
        .outfile
        .as_deref()
        .ok_or_else(|| Error::usage("this mode needs a file to write to: -o messages.json"))?;
    let write = || format!("write {}", file.display());
    let samples = samples().map_err(|error| Error::failed(write(), error))?;
    let mut text =
        serde_json::to_string_pretty(&samples).map_err(|error| Error::failed(write(), error))?;
    text.push('\n');
    std::fs::write(file, text).map_err(|error| Error::failed(write(), error))?;
    Ok(Exit::AsExpected)
}

fn samples() -> Result<Vec<Sample>, Box<dyn std::error::Error + Send + Sync>> {
    let sample = |(name, rmsg): (&'static str, Value)| {
        let json = serde_json::to_string(&rmsg)?;
        let octets = rmp_serde::to_vec(&rmsg)?;
        Ok(Sample { name, rmsg, json, msgpack: output::hex(&octets) })
    };
    messages().into_iter().map(sample).collect()
}

/// Every message type of the basic and the advanced profile, by its number, in the forms that it
/// may have: a list of arguments and a dictionary of them may be left out, the latter first.
fn messages() -> Vec<(&'static str, Value)> {
    [session(), publishing(), calling()].concat()
}

fn session() -> Vec<(&'static str, Value)> {
    let roles = json!({"roles": {
        "publisher": {"features": {"publisher_exclusion": true}},
        "subscriber": {},
        "caller": {"features": {"call_canceling": true, "progressive_call_results": true}},
        "callee": {},
    }});
    let all = json!({"roles": {"broker": {}, "dealer": {"features": {"call_canceling": true}}}});
    vec![
        ("HELLO", json!([1, "example.realm", roles])),
        (
            "HELLO with an identity",
            json!([1, "example.realm", {
                "roles": {"caller": {}}, "authmethods": ["wampcra", "ticket"], "authid": "zoë",
            }]),
        ),
        ("WELCOME", json!([2, 9_007_199_254_740_992_u64, all])),
        ("ABORT", json!([3, {"message": "there is no such realm"}, "wamp.error.no_such_realm"])),
        (
            "CHALLENGE",
            json!([4, "wampcra", {"challenge": "{\"nonce\": \"4f2a\"}", "iterations": 1000}]),
        ),
        ("AUTHENTICATE", json!([5, "gVgnDpsdaZTbYm4tP3qGw2eVbHk0o1y3fFOTVJ0yQXQ=", {}])),
        ("GOODBYE", json!([6, {}, "wamp.close.normal"])),
        (
            "GOODBYE with a message",
            json!([6, {"message": "down for maintenance"}, "wamp.close.system_shutdown"]),
        ),
    ]
}

fn publishing() -> Vec<(&'static str, Value)> {
    let topic = "com.example.weather";
    let options = json!({"acknowledge": true, "exclude_me": false, "eligible": [17, 65_536]});
    vec![
        ("ERROR", json!([8, 32, 713_845_233, {}, "wamp.error.not_authorized"])),
        (
            "ERROR with arguments",
            json!([8, 48, 7_814_135, {}, "com.example.error.out_of_range", [-128, 127]]),
        ),
        (
            "ERROR with keyword arguments",
            json!([8, 68, 6_131_533, {}, "com.example.error.busy", [], {"retry_after": 2.5}]),
        ),
        ("PUBLISH", json!([16, 239_714_735, {}, topic])),
        ("PUBLISH with options", json!([16, 239_714_735, options, topic])),
        (
            "PUBLISH with arguments",
            json!([16, 239_714_735, {}, topic, ["dry", -7, 21.5, null, true]]),
        ),
        (
            "PUBLISH with keyword arguments",
            json!([16, 239_714_735, {}, topic, [], {"wind": {"from": "NW", "knots": 12}, "°C": [-1, 0, 1]}]),
        ),
        ("PUBLISHED", json!([17, 239_714_735, 4_429_313_566_u64])),
        ("SUBSCRIBE", json!([32, 713_845_233, {}, topic])),
        ("SUBSCRIBE with options", json!([32, 713_845_233, {"match": "prefix"}, "com.example"])),
        ("SUBSCRIBED", json!([33, 713_845_233, 5_512_315_355_u64])),
        ("UNSUBSCRIBE", json!([34, 85_346_237, 5_512_315_355_u64])),
        ("UNSUBSCRIBED", json!([35, 85_346_237])),
        ("EVENT", json!([36, 5_512_315_355_u64, 4_429_313_566_u64, {}])),
        ("EVENT with arguments", json!([36, 5_512_315_355_u64, 4_429_313_566_u64, {}, ["dry"]])),
        (
            "EVENT with details",
            json!([36, 5_512_315_355_u64, 4_429_313_566_u64,
                {"publisher": 9_007_199_254_740_992_u64, "topic": topic}, [], {"wind": null}]),
        ),
    ]
}

fn calling() -> Vec<(&'static str, Value)> {
    let procedure = "com.example.add";
    vec![
        ("CALL", json!([48, 7_814_135, {}, "com.example.ping"])),
        ("CALL with options", json!([48, 7_814_135, {"timeout": 5000}, "com.example.ping"])),
        ("CALL with arguments", json!([48, 7_814_135, {}, procedure, [23, 7]])),
        (
            "CALL with keyword arguments",
            json!([48, 7_814_135, {"receive_progress": true}, procedure, [], {"a": 23, "b": 7}]),
        ),
        ("CANCEL", json!([49, 7_814_135, {"mode": "killnowait"}])),
        ("RESULT", json!([50, 7_814_135, {}])),
        ("RESULT with arguments", json!([50, 7_814_135, {}, [30]])),
        (
            "RESULT with keyword arguments",
            json!([50, 7_814_135, {"progress": true}, [], {"sum": 30}]),
        ),
        ("REGISTER", json!([64, 25_349_185, {}, procedure])),
        ("REGISTER with options", json!([64, 25_349_185, {"invoke": "roundrobin"}, procedure])),
        ("REGISTERED", json!([65, 25_349_185, 2_103_333_224])),
        ("UNREGISTER", json!([66, 788_923_562, 2_103_333_224])),
        ("UNREGISTERED", json!([67, 788_923_562])),
        ("INVOCATION", json!([68, 6_131_533, 2_103_333_224, {}])),
        ("INVOCATION with arguments", json!([68, 6_131_533, 2_103_333_224, {}, [23, 7]])),
        (
            "INVOCATION with details",
            json!([68, 6_131_533, 2_103_333_224, {"caller": 3_335_656, "procedure": procedure},
                [], {"a": 23, "b": 7}]),
        ),
        ("INTERRUPT", json!([69, 6_131_533, {"mode": "killnowait"}])),
        ("YIELD", json!([70, 6_131_533, {}])),
        ("YIELD with arguments", json!([70, 6_131_533, {}, [30]])),
        (
            "YIELD with keyword arguments",
            json!([70, 6_131_533, {"progress": true}, [], {"sum": 30}]),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[track_caller]
    fn check(name: &str, json: &str, msgpack: &str) {
        let samples = samples().unwrap();
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        assert_eq!((sample.json.as_str(), sample.msgpack.as_str()), (json, msgpack));
    }

    #[test]
    fn samples_have_these_octets() {
        // 93: a list of three; 06: six; 80: an empty map; b1: a text of 17 octets.
        check(
            "GOODBYE",
            r#"[6,{},"wamp.close.normal"]"#,
            "930680b177616d702e636c6f73652e6e6f726d616c",
        );
        // ce: 32 bits; cf: 64 bits.
        check("SUBSCRIBED", "[33,713845233,5512315355]", "9321ce2a8c69f1cf00000001488f41db");
        // cd: 16 bits; df, e0 and below as well as d0: numbers below zero; cb: a double.
        check(
            "ERROR with arguments",
            r#"[8,48,7814135,{},"com.example.error.out_of_range",[-128,127]]"#,
            "960830ce00773bf780be636f6d2e6578616d706c652e6572726f722e6f75745f6f665f72616e676592d0807f",
        );
        check(
            "PUBLISH with arguments",
            r#"[16,239714735,{},"com.example.weather",["dry",-7,21.5,null,true]]"#,
            "9510ce0e49c1af80b3636f6d2e6578616d706c652e7765617468657295a3647279f9cb4035800000000000c0c3",
        );
    }

    #[test]
    fn every_type_has_a_sample_and_every_name_is_there_once() {
        let messages = messages();
        let types: BTreeSet<_> = messages.iter().filter_map(|(_, list)| list[0].as_u64()).collect();
        let expected = [
            1, 2, 3, 4, 5, 6, 8, 16, 17, 32, 33, 34, 35, 36, 48, 49, 50, 64, 65, 66, 67, 68, 69, 70,
        ];
        assert_eq!(types, BTreeSet::from(expected));
        let names: BTreeSet<_> = messages.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), messages.len());
    }

    #[test]
    fn what_was_encoded_can_be_read() {
        for sample in samples().unwrap() {
            let octets: Vec<u8> = (0..sample.msgpack.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&sample.msgpack[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(rmp_serde::from_slice::<Value>(&octets).unwrap(), sample.rmsg);
            assert_eq!(serde_json::from_str::<Value>(&sample.json).unwrap(), sample.rmsg);
        }
    }
}
