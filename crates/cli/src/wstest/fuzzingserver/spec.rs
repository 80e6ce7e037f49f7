//! Specification files of the fuzzing server.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::spec::{self, Parsed},
    options::ServerOptions,
};
use crate::exit::Error;

/// What is written where no file is.
const DEFAULT: &str = r#"{
   "url": "ws://127.0.0.1:9001",
   "outdir": "./reports/clients",
   "cases": ["*"],
   "exclude-cases": [],
   "exclude-agent-cases": {}
}
"#;

/// A fuzzing server's specification.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct FuzzingServerSpec {
    pub(super) url: String,
    #[serde(default = "default_outdir")]
    pub(super) outdir: PathBuf,
    pub(super) cases: Vec<String>,
    #[serde(default)]
    pub(super) exclude_cases: Vec<String>,
    /// Patterns of agents, with patterns of the cases that are not for them.
    #[serde(default)]
    pub(super) exclude_agent_cases: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    options: Map<String, Value>,
    #[serde(default)]
    pub(super) key: Option<PathBuf>,
    #[serde(default)]
    pub(super) cert: Option<PathBuf>,
}

/// `protocols` never had an effect, and neither has `webport`, which old files have.
const KEYS: [&str; 10] = [
    "cases",
    "cert",
    "exclude-agent-cases",
    "exclude-cases",
    "key",
    "options",
    "outdir",
    "protocols",
    "url",
    "webport",
];

fn default_outdir() -> PathBuf {
    PathBuf::from("./reports/clients/")
}

impl FuzzingServerSpec {
    pub(super) fn options(&self) -> Result<ServerOptions, Error> {
        ServerOptions::read("options", &self.options).map_err(Error::usage)
    }
}

/// Loads the file named by `-s`, or `fuzzingserver.json`.
pub(super) fn load(named: Option<&Path>) -> Result<FuzzingServerSpec, Error> {
    spec::load(named, "fuzzingserver.json", DEFAULT, parse)
}

fn parse(text: &str) -> Parsed<FuzzingServerSpec> {
    let value = spec::object(text, "{ \"url\": \"ws://127.0.0.1:9001\", \"cases\": [\"*\"], … }")?;
    let mut warnings = spec::unknown("", &value, &KEYS);
    let spec: FuzzingServerSpec = spec::read("", value)?;
    let idle = ServerOptions::read("options", &spec.options)?.idle();
    warnings.extend(idle.into_iter().map(|name| format!("`options.{name}` has no effect here")));
    Ok((spec, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_a_specification() {
        let (spec, warnings) = parse(DEFAULT).unwrap();
        assert_eq!(warnings, [] as [String; 0]);
        assert_eq!(spec.url, "ws://127.0.0.1:9001");
        assert_eq!(spec.outdir, PathBuf::from("./reports/clients"));
    }

    #[test]
    fn keys_are_known_or_named() {
        let text = r#"{ // as old files have it
            "url": "ws://localhost:9001", "cases": ["*"], "webport": 8080, "protocols": ["a"],
            "servers": [], "options": {"tcpNoDelay": false, "failByDrop": false}, }"#;
        let (spec, warnings) = parse(text).unwrap();
        assert_eq!(spec.outdir, default_outdir());
        assert_eq!(
            warnings,
            ["`servers` is not known and ignored", "`options.tcpNoDelay` has no effect here"]
        );
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (text, what) in [
            ("[]", "one JSON object"),
            (r#"{"cases": ["*"]}"#, "`url`"),
            (r#"{"url": "ws://h"}"#, "`cases`"),
            (r#"{"url": 1, "cases": ["*"]}"#, "at `url`"),
            (r#"{"url": "x", "cases": [], "options": {"x": 1}}"#, "`options.x` is no option"),
            (
                r#"{"url": "x", "cases": [], "options": {"maskClientFrames": true}}"#,
                "`options.maskClientFrames` is an option of clients",
            ),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(what), "{text}: {fault}");
        }
    }
}
