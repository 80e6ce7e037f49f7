//! Specification files of the fuzzing client.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::{
    options::Options,
    spec::{self, Parsed},
};
use crate::exit::Error;

/// What is written where no file is.
const DEFAULT: &str = r#"{
   "outdir": "./reports/servers",
   "servers": [
      {
         "url": "ws://127.0.0.1:9001"
      }
   ],
   "cases": ["*"],
   "exclude-cases": [],
   "exclude-agent-cases": {}
}
"#;

/// A fuzzing client's specification.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ClientSpec {
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
    servers: Vec<ServerSpec>,
}

/// One server of a specification.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ServerSpec {
    pub(super) url: String,
    #[serde(default)]
    pub(super) agent: Option<String>,
    /// The name to ask for and to check in its certificate.
    #[serde(default)]
    pub(super) hostname: Option<String>,
    #[serde(default)]
    pub(super) origin: Option<String>,
    #[serde(default)]
    pub(super) protocols: Vec<String>,
    #[serde(default)]
    options: Map<String, Value>,
}

const KEYS: [&str; 6] =
    ["cases", "exclude-agent-cases", "exclude-cases", "options", "outdir", "servers"];
const SERVER_KEYS: [&str; 6] = ["agent", "hostname", "options", "origin", "protocols", "url"];

fn default_outdir() -> PathBuf {
    PathBuf::from("./reports/servers/")
}

impl ClientSpec {
    /// The servers of the file; without any, the one of the command line.
    pub(super) fn servers(&self, wsuri: Option<&str>) -> Vec<ServerSpec> {
        if !self.servers.is_empty() {
            return self.servers.clone();
        }
        let url = wsuri.unwrap_or("ws://localhost").to_owned();
        vec![ServerSpec { url, ..ServerSpec::default() }]
    }

    /// The options for a server: those of the file, in place of which its own stand.
    pub(super) fn options(&self, server: &ServerSpec) -> Result<Options, String> {
        let mut options = self.options.clone();
        options.extend(server.options.clone());
        Options::read("options", &options)
    }
}

/// Loads the file named by `-s`, or `fuzzingclient.json`.
pub(super) fn load(named: Option<&Path>) -> Result<ClientSpec, Error> {
    spec::load(named, "fuzzingclient.json", DEFAULT, parse)
}

/// Reads a specification: JSON, with comments and trailing commas allowed. Unknown keys are named
/// and ignored; unknown options are faults, as they are for `wstest`.
pub(super) fn parse(text: &str) -> Parsed<ClientSpec> {
    let object = spec::object(text, "{ \"cases\": [\"*\"], … }")?;
    let mut warnings = spec::unknown("", &object, &KEYS);
    warnings.extend(spec::unknown_of_servers(&object, &SERVER_KEYS));
    let spec: ClientSpec = spec::read("", object)?;
    warnings.extend(idle("options", &spec.options)?);
    for (n, server) in spec.servers.iter().enumerate() {
        warnings.extend(idle(&format!("servers[{n}].options"), &server.options)?);
    }
    Ok((spec, warnings))
}

fn idle(place: &str, options: &Map<String, Value>) -> Result<Vec<String>, String> {
    let idle = Options::read(place, options)?.idle();
    Ok(idle.into_iter().map(|name| format!("`{place}.{name}` has no effect here")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_a_specification() {
        let (spec, warnings) = parse(DEFAULT).unwrap();
        assert_eq!(warnings, [] as [String; 0]);
        assert_eq!(spec.servers(Some("ws://ignored"))[0].url, "ws://127.0.0.1:9001");
    }

    #[test]
    fn comments_trailing_commas_and_unknown_keys_are_borne() {
        let text = r#"{ // who
            "cases": ["1.*",], "exclude-cases": [""], "webport": 8080,
            "options": {"failByDrop": false, "applyMask": false},
            "servers": [{"url": "ws://h", "agnet": "x", "options": {"tcpNoDelay": false}}], }"#;
        let (spec, warnings) = parse(text).unwrap();
        assert_eq!(spec.cases, ["1.*"]);
        assert_eq!(spec.outdir, default_outdir());
        assert_eq!(
            warnings,
            [
                "`webport` is not known and ignored",
                "`servers[0].agnet` is not known and ignored",
                "`options.applyMask` has no effect here",
                "`servers[0].options.tcpNoDelay` has no effect here",
            ]
        );
        assert!(parse("\u{feff}{\"cases\": []}").is_ok(), "as some editors write it");
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (text, what) in [
            ("{", "no JSON"),
            ("[]", "one JSON object"),
            ("{}", "cases"),
            (r#"{"cases": "*"}"#, "at `cases`"),
            (r#"{"cases": ["*"], "servers": [{"url": 5}]}"#, "at `servers[0].url`"),
            (r#"{"cases": ["*"], "servers": [{"agent": "x"}]}"#, "`url`"),
            (r#"{"cases": ["*"], "options": []}"#, "at `options`"),
            (r#"{"cases": ["*"], "options": {"x": 1}}"#, "`options.x` is no option"),
            (
                r#"{"cases": ["*"], "servers": [{"url": "ws://h", "options": {"version": 9}}]}"#,
                "`servers[0].options.version`: 9",
            ),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(what), "{text}: {fault}");
        }
    }

    #[test]
    fn a_server_overrides_the_options_of_the_file() {
        let text = r#"{"cases": ["*"], "options": {"openHandshakeTimeout": 2, "failByDrop": true},
            "servers": [{"url": "ws://h", "options": {"openHandshakeTimeout": 0.5}}]}"#;
        let (spec, _) = parse(text).unwrap();
        let options = spec.options(&spec.servers(None)[0]).unwrap();
        let expected = serde_json::json!({"openHandshakeTimeout": 0.5, "failByDrop": true});
        assert_eq!(Some(options), serde_json::from_value(expected).ok());
    }
}
