//! The `options` of a fuzzing server's specification: those of both sides, and its own.

use serde::Deserialize;
use serde_json::{Map, Value};
use wsproof_engine::{Settings, Timers};
use wsproof_runner::Admission;
use wsproof_testee::Origins;

use super::super::{
    options::{self, Options},
    spec,
};

/// Options of a fuzzing client; `wstest` takes them for no server.
const OF_CLIENTS: [&str; 4] =
    ["acceptMaskedServerFrames", "maskClientFrames", "serverConnectionDropTimeout", "version"];

/// The options, as they stand in a file; what is not there or `null` keeps its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ServerOptions {
    common: Options,
    own: Own,
}

/// Options of servers alone. There is no policy for Flash any more.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Own {
    allowed_origins: Option<Vec<String>>,
    mask_server_frames: Option<bool>,
    max_connections: Option<usize>,
    require_masked_client_frames: Option<bool>,
    serve_flash_socket_policy: Option<bool>,
    versions: Option<Vec<u8>>,
    web_status: Option<bool>,
}

impl ServerOptions {
    /// Checks and reads the options that stand at `place`.
    pub(super) fn read(place: &str, options: &Map<String, Value>) -> Result<Self, String> {
        if let Some(name) = OF_CLIENTS.iter().find(|name| options.contains_key(**name)) {
            return Err(format!("`{place}.{name}` is an option of clients, not of servers"));
        }
        let (own, common): (Map<_, _>, Map<_, _>) = options
            .clone()
            .into_iter()
            .partition(|(name, _)| options::OF_SERVERS.contains(&name.as_str()));
        let own: Own = spec::read(&format!("{place}."), own)?;
        if let Some(other) =
            own.versions.iter().flatten().find(|version| ![0, 8, 13].contains(*version))
        {
            return Err(format!("`{place}.versions`: {other} is none of 0, 8 and 13"));
        }
        Ok(Self { common: Options::read(place, &common)?, own })
    }

    /// Options that ask for something and do not get it.
    pub(super) fn idle(&self) -> Vec<&'static str> {
        let mut idle = self.common.idle();
        if self.own.serve_flash_socket_policy == Some(true) {
            idle.push("serveFlashSocketPolicy");
        }
        idle
    }

    /// What the options change in the tester's endpoint.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            accepts_any_masking: self.own.require_masked_client_frames == Some(false),
            masks: self.own.mask_server_frames,
            ..self.common.settings()
        }
    }

    /// The limits of the handshakes, if the options change them.
    pub(super) fn timers(&self) -> Option<Timers> {
        self.common.timers()
    }

    /// Whom the options let in.
    pub(super) fn admission(&self) -> Admission {
        let usual = Admission::default();
        let versions = self.own.versions.clone().unwrap_or(usual.versions);
        let patterns = self.own.allowed_origins.clone();
        let origins = patterns.map(|patterns| Origins { patterns, allow_null: false });
        Admission {
            versions,
            // No origin is an empty one, which `*` lets in.
            origins: Box::new(move |origin| {
                let origin = origin.unwrap_or_default();
                origins.as_ref().is_none_or(|origins| origins.allow(origin))
            }),
            max_connections: self.own.max_connections.filter(|most| *most > 0),
            status_page: self.own.web_status.unwrap_or(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: Value) -> Result<ServerOptions, String> {
        let Value::Object(options) = options else { panic!("no object") };
        ServerOptions::read("options", &options)
    }

    #[test]
    fn every_name_is_known() {
        for name in options::OF_SERVERS {
            assert_eq!(read(json!({ name: null })), Ok(ServerOptions::default()), "{name}");
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (options, says) in [
            (json!({"x": 1}), "`options.x` is no option; there are"),
            (json!({"version": 18}), "`options.version` is an option of clients"),
            (json!({"maxConnections": -1}), "at `options.maxConnections`: "),
            (json!({"versions": [13, 7]}), "`options.versions`: 7 is none of"),
            (json!({"allowedOrigins": "*"}), "at `options.allowedOrigins`: "),
        ] {
            let fault = read(options.clone()).unwrap_err();
            assert!(fault.starts_with(says), "{options}: {fault}");
        }
    }

    #[test]
    fn what_is_asked_for_is_done_or_named() {
        let options = read(json!({
            "maskServerFrames": true, "requireMaskedClientFrames": false, "versions": [13],
            "maxConnections": 3, "webStatus": false, "allowedOrigins": ["http://a:*"],
            "serveFlashSocketPolicy": true, "flashSocketPolicy": "x", "failByDrop": true,
        }))
        .unwrap();
        assert_eq!(options.idle(), ["serveFlashSocketPolicy"]);
        let settings = options.settings();
        assert!(settings.accepts_any_masking && settings.fails_by_drop);
        assert_eq!(settings.masks, Some(true));
        let Admission { versions, origins, max_connections, status_page } = options.admission();
        assert_eq!((versions, max_connections, status_page), (vec![13], Some(3), false));
        assert!(origins(Some(b"http://a:80")) && !origins(Some(b"http://b")) && !origins(None));
    }

    #[test]
    fn everybody_is_let_in_by_default() {
        let usual = read(json!({"maxConnections": 0, "allowedOrigins": ["*"]})).unwrap();
        let Admission { origins, max_connections, status_page, .. } = usual.admission();
        assert_eq!((max_connections, status_page), (None, true));
        assert!(origins(None) && origins(Some(b"null")) && origins(Some(b"http://a")));
    }
}
