//! Specification files of `massconnect`.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::spec::{self, Parsed};
use crate::exit::Error;

/// What is written where no file is.
const DEFAULT: &str = r#"{
   "options": {
      "connections": 10000,
      "batchsize": 100,
      "batchdelay": 10,
      "retrydelay": 10
   },
   "servers": [
      {
         "name": "wsproof",
         "uri": "ws://127.0.0.1:9000",
         "desc": "wsproof echo 127.0.0.1:9000"
      }
   ]
}
"#;

/// Which servers are connected to, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MassConnectSpec {
    pub(super) options: MassOptions,
    pub(super) servers: Vec<MassServer>,
}

/// How connections are opened. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MassOptions {
    pub(super) connections: NonZeroUsize,
    pub(super) batchsize: NonZeroUsize,
    batchdelay: u64,
    retrydelay: u64,
    /// Ours: the original never gave up.
    #[serde(default = "default_giveupdelay")]
    giveupdelay: u64,
}

/// One server of a specification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MassServer {
    pub(super) name: String,
    pub(super) uri: String,
    desc: String,
}

const KEYS: [&str; 2] = ["options", "servers"];
const OPTIONS: [&str; 5] = ["batchdelay", "batchsize", "connections", "giveupdelay", "retrydelay"];
const SERVER_KEYS: [&str; 3] = ["desc", "name", "uri"];

fn default_giveupdelay() -> u64 {
    30_000
}

impl MassOptions {
    pub(super) fn batch_delay(&self) -> Duration {
        Duration::from_millis(self.batchdelay)
    }

    pub(super) fn retry_delay(&self) -> Duration {
        Duration::from_millis(self.retrydelay)
    }

    /// How long nobody may succeed; zero is for ever.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.giveupdelay)
    }
}

/// Loads the file named by `-s`, or `massconnect.json`.
pub(super) fn load(named: Option<&Path>) -> Result<MassConnectSpec, Error> {
    spec::load(named, "massconnect.json", DEFAULT, parse)
}

fn parse(text: &str) -> Parsed<MassConnectSpec> {
    let like = "{ \"options\": { \"connections\": 1000, … }, \"servers\": [ … ] }";
    let object = spec::object(text, like)?;
    let mut warnings = spec::unknown("", &object, &KEYS);
    if let Some(options) = object.get("options").and_then(Value::as_object) {
        warnings.extend(spec::unknown("options.", options, &OPTIONS));
    }
    warnings.extend(spec::unknown_of_servers(&object, &SERVER_KEYS));
    let spec: MassConnectSpec = spec::read("", object)?;
    if spec.servers.is_empty() {
        return Err("at `servers`: it names no server".to_owned());
    }
    Ok((spec, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"options": {"connections": 5, "batchsize": 2, "batchdelay": 1,
        "retrydelay": 0}, "servers": [{"name": "a", "uri": "ws://h", "desc": ""}]}"#;

    #[test]
    fn the_default_file_is_a_specification() {
        let (spec, warnings) = parse(DEFAULT).unwrap();
        assert_eq!(warnings, [] as [String; 0]);
        assert_eq!((spec.options.connections.get(), spec.options.batchsize.get()), (10_000, 100));
        assert_eq!(spec.options.batch_delay(), Duration::from_millis(10));
        assert_eq!(spec.options.patience(), Duration::from_secs(30));
    }

    #[test]
    fn unknown_keys_are_named() {
        let text =
            GOOD.replace("\"desc\"", "\"x\": 1, \"desc\"").replace("{\"conn", "{\"y\": 1, \"conn");
        let (_, warnings) = parse(&text).unwrap();
        assert_eq!(
            warnings,
            ["`options.y` is not known and ignored", "`servers[0].x` is not known and ignored"]
        );
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let check = |from: &str, to: &str, what: &str| {
            assert!(GOOD.contains(from));
            let fault = parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(fault.contains(what), "{to}: {fault}");
        };
        check("\"connections\": 5, ", "", "at `options`: missing field `connections`");
        check(
            "\"retrydelay\": 0",
            "\"giveupdelay\": 0",
            "at `options`: missing field `retrydelay`",
        );
        check("\"uri\": \"ws://h\", ", "", "at `servers[0]`: missing field `uri`");
        check(", \"desc\": \"\"", "", "at `servers[0]`: missing field `desc`");
        check("\"connections\": 5", "\"connections\": 0", "at `options.connections`");
        check("\"batchdelay\": 1", "\"batchdelay\": -1", "at `options.batchdelay`");
        check(
            "{\"name\": \"a\", \"uri\": \"ws://h\", \"desc\": \"\"}",
            "",
            "`servers`: it names no",
        );
        assert!(parse("[]").unwrap_err().contains("one JSON object"));
    }
}
