//! Specification files of the fuzzing client.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde::Deserialize;
use serde_json::{Map, Value};
use wsproof_engine::Timers;

use crate::{exit::Error, output};

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
    #[serde(default)]
    pub(super) exclude_agent_cases: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    options: Map<String, Value>,
    #[serde(default)]
    servers: Vec<ServerSpec>,
}

/// One server of a specification.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ServerSpec {
    pub(super) url: String,
    #[serde(default)]
    pub(super) agent: Option<String>,
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
/// Options that change something here.
const TIMEOUTS: [&str; 3] =
    ["closeHandshakeTimeout", "openHandshakeTimeout", "serverConnectionDropTimeout"];

fn default_outdir() -> PathBuf {
    PathBuf::from("./reports/servers/")
}

impl ClientSpec {
    /// The servers of the file; without any, the one of the command line.
    pub(super) fn servers(&self, wsuri: Option<&str>) -> Vec<ServerSpec> {
        if !self.servers.is_empty() {
            return self.servers.clone();
        }
        vec![ServerSpec {
            url: wsuri.unwrap_or("ws://localhost").to_owned(),
            agent: None,
            origin: None,
            protocols: Vec::new(),
            options: Map::new(),
        }]
    }

    /// The limits of the handshakes, if the file changes them.
    pub(super) fn timers(&self, server: &ServerSpec) -> Option<Timers> {
        let seconds = |name: &str| {
            let value = server.options.get(name).or_else(|| self.options.get(name))?.as_f64()?;
            // Zero turns a limit off; nothing that anybody waits for takes a day.
            let seconds = if value <= 0.0 { 86_400.0 } else { value.min(86_400.0) };
            Some(Duration::from_secs_f64(seconds))
        };
        let [close, open, drop] = TIMEOUTS.map(seconds);
        if close.is_none() && open.is_none() && drop.is_none() {
            return None;
        }
        let classic = Timers::CLASSIC;
        Some(Timers {
            open_handshake: open.unwrap_or(classic.open_handshake),
            close_handshake: close.unwrap_or(classic.close_handshake),
            server_drop: drop.unwrap_or(classic.server_drop),
        })
    }
}

/// Loads the file named by `-s`, or `fuzzingclient.json`, which is written if it is not there.
pub(super) fn load(named: Option<&Path>) -> Result<ClientSpec, Error> {
    let path = named.unwrap_or_else(|| Path::new("fuzzingclient.json"));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            output::line(&format!("Auto-generating spec file '{}'", path.display()));
            fs::write(path, DEFAULT)
                .map_err(|error| Error::failed(format!("write {}", path.display()), error))?;
            DEFAULT.to_owned()
        }
        Err(error) => {
            return Err(Error::usage(format!(
                "read the specification {}: {error}",
                path.display()
            )));
        }
    };
    output::line(&format!("Loading spec from {}", path.display()));
    let (spec, warnings) =
        parse(&text).map_err(|what| Error::usage(format!("{}: {what}", path.display())))?;
    for warning in warnings {
        output::warning(&format!("{}: {warning}", path.display()));
    }
    Ok(spec)
}

/// Reads a specification: JSON, with comments and trailing commas allowed. Unknown keys are named
/// and ignored.
fn parse(text: &str) -> Result<(ClientSpec, Vec<String>), String> {
    let value: Value = parse_to_serde_value(text, &ParseOptions::default())
        .map_err(|error| format!("it is no JSON: {error}"))?;
    let Some(object) = value.as_object() else {
        return Err("it must be one JSON object, `{ \"cases\": [\"*\"], … }`".to_owned());
    };
    let mut warnings = unknown("", object, &KEYS);
    let servers = object.get("servers").and_then(Value::as_array).into_iter().flatten();
    for (n, server) in servers.enumerate() {
        if let Some(server) = server.as_object() {
            warnings.extend(unknown(&format!("servers[{n}]."), server, &SERVER_KEYS));
            warnings.extend(idle_options(&format!("servers[{n}].options."), server.get("options")));
        }
    }
    warnings.extend(idle_options("options.", object.get("options")));
    let spec = serde_path_to_error::deserialize(value)
        .map_err(|error| format!("at `{}`: {}", error.path(), error.inner()))?;
    Ok((spec, warnings))
}

fn unknown(place: &str, object: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    object
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| format!("`{place}{key}` is not known and ignored"))
        .collect()
}

fn idle_options(place: &str, options: Option<&Value>) -> Vec<String> {
    let options = options.and_then(Value::as_object).into_iter().flatten();
    options
        .filter(|(key, _)| !TIMEOUTS.contains(&key.as_str()))
        .map(|(key, _)| format!("`{place}{key}` has no effect yet"))
        .collect()
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
            "servers": [{"url": "ws://h", "agnet": "x"}], }"#;
        let (spec, warnings) = parse(text).unwrap();
        assert_eq!(spec.cases, ["1.*"]);
        assert_eq!(spec.outdir, default_outdir());
        assert_eq!(
            warnings,
            ["`webport` is not known and ignored", "`servers[0].agnet` is not known and ignored"]
        );
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (text, what) in [
            ("{", "no JSON"),
            ("[]", "one JSON object"),
            ("{}", "cases"),
            (r#"{"cases": "*"}"#, "at `cases`"),
            (r#"{"cases": ["*"], "servers": [{"url": 5}]}"#, "at `servers[0].url`"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(what), "{text}: {fault}");
        }
    }

    #[test]
    fn a_server_overrides_the_limits_of_the_file() {
        let text = r#"{"cases": ["*"], "options": {"openHandshakeTimeout": 2},
            "servers": [{"url": "ws://h", "options": {"openHandshakeTimeout": 0.5}}]}"#;
        let (spec, _) = parse(text).unwrap();
        let timers = spec.timers(&spec.servers(None)[0]).unwrap();
        assert_eq!(timers.open_handshake, Duration::from_millis(500));
        assert_eq!(timers.close_handshake, Duration::from_secs(1));
    }
}
