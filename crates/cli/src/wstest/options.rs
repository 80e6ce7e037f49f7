//! The `options` of a specification: settings of the tester's own endpoint.
//!
//! All options of a fuzzing client are known and checked. Some have no effect here; those are
//! named when they ask for anything but the default.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use wsproof_engine::{Settings, Timers};

use super::spec;

/// The options, as they stand in a file; what is not there or `null` keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Options {
    accept_masked_server_frames: Option<bool>,
    #[serde(rename = "allowHixie76")]
    allow_hixie: Option<bool>,
    apply_mask: Option<bool>,
    auto_fragment_size: Option<u64>,
    auto_ping_interval: Option<f64>,
    auto_ping_size: Option<u64>,
    auto_ping_timeout: Option<f64>,
    close_handshake_timeout: Option<f64>,
    echo_close_code_reason: Option<bool>,
    fail_by_drop: Option<bool>,
    mask_client_frames: Option<bool>,
    max_frame_payload_size: Option<u64>,
    max_message_payload_size: Option<u64>,
    open_handshake_timeout: Option<f64>,
    server_connection_drop_timeout: Option<f64>,
    tcp_no_delay: Option<bool>,
    #[serde(rename = "utf8validateIncoming")]
    validate_text: Option<bool>,
    version: Option<u8>,
}

const NAMES: [&str; 18] = [
    "acceptMaskedServerFrames",
    "allowHixie76",
    "applyMask",
    "autoFragmentSize",
    "autoPingInterval",
    "autoPingSize",
    "autoPingTimeout",
    "closeHandshakeTimeout",
    "echoCloseCodeReason",
    "failByDrop",
    "maskClientFrames",
    "maxFramePayloadSize",
    "maxMessagePayloadSize",
    "openHandshakeTimeout",
    "serverConnectionDropTimeout",
    "tcpNoDelay",
    "utf8validateIncoming",
    "version",
];

/// Options of a fuzzing server; `wstest` takes them for no client.
pub(super) const OF_SERVERS: [&str; 8] = [
    "allowedOrigins",
    "flashSocketPolicy",
    "maskServerFrames",
    "maxConnections",
    "requireMaskedClientFrames",
    "serveFlashSocketPolicy",
    "versions",
    "webStatus",
];

impl Options {
    /// Checks and reads the options that stand at `place`.
    pub(super) fn read(place: &str, options: &Map<String, Value>) -> Result<Self, String> {
        for name in options.keys().map(String::as_str) {
            if OF_SERVERS.contains(&name) {
                return Err(format!("`{place}.{name}` is an option of servers, not of clients"));
            }
            if !NAMES.contains(&name) {
                let known = NAMES.join(", ");
                return Err(format!("`{place}.{name}` is no option; there are {known}"));
            }
        }
        let options: Self = spec::read(&format!("{place}."), options.clone())?;
        match options.version.unwrap_or(18) {
            10..=18 => {}
            0 => {
                return Err(format!(
                    "`{place}.version`: 0 is the protocol before RFC 6455, which is not spoken \
                     here; leave the option out"
                ));
            }
            other => return Err(format!("`{place}.version`: {other} is none of 10 to 18")),
        }
        if options.auto_ping_size.is_some_and(|size| !(4..=125).contains(&size)) {
            return Err(format!("`{place}.autoPingSize` takes 4 to 125 octets"));
        }
        Ok(options)
    }

    /// Options that ask for something and do not get it.
    pub(super) fn idle(&self) -> Vec<&'static str> {
        let asked = [
            (self.allow_hixie == Some(true), "allowHixie76"),
            (self.apply_mask == Some(false), "applyMask"),
            (self.auto_ping_interval.is_some_and(|seconds| seconds > 0.0), "autoPingInterval"),
            (self.tcp_no_delay == Some(false), "tcpNoDelay"),
            (self.validate_text == Some(false), "utf8validateIncoming"),
        ];
        asked.into_iter().filter_map(|(asks, name)| asks.then_some(name)).collect()
    }

    /// What the options change in the tester's endpoint.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            accepts_any_masking: self.accept_masked_server_frames.unwrap_or(false),
            echoes_close: self.echo_close_code_reason.unwrap_or(false),
            fails_by_drop: self.fail_by_drop.unwrap_or(false),
            fragment_size: self.auto_fragment_size.unwrap_or(0),
            max_frame: self.max_frame_payload_size.unwrap_or(0),
            max_message: self.max_message_payload_size.unwrap_or(0),
            masks: self.mask_client_frames,
        }
    }

    /// The version that the opening request names.
    pub(super) fn header_version(&self) -> u8 {
        // Drafts before 13 spoke of version 8, all later ones of 13.
        if self.version.is_some_and(|draft| draft < 13) { 8 } else { 13 }
    }

    /// The limits of the handshakes, if the options change them.
    pub(super) fn timers(&self) -> Option<Timers> {
        let limit = |seconds: Option<f64>, usual: Duration| match seconds {
            None => usual,
            // Zero turns a limit off; nothing that anybody waits for takes a day.
            Some(seconds) if seconds <= 0.0 => OFF,
            Some(seconds) => Duration::from_secs_f64(seconds.min(OFF.as_secs_f64())),
        };
        let named = [
            self.open_handshake_timeout,
            self.close_handshake_timeout,
            self.server_connection_drop_timeout,
        ];
        named.iter().any(Option::is_some).then(|| Timers {
            open_handshake: limit(named[0], Timers::CLASSIC.open_handshake),
            close_handshake: limit(named[1], Timers::CLASSIC.close_handshake),
            server_drop: limit(named[2], Timers::CLASSIC.server_drop),
        })
    }
}

const OFF: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: Value) -> Result<Options, String> {
        let Value::Object(options) = options else { panic!("no object") };
        Options::read("options", &options)
    }

    #[test]
    fn every_name_is_a_field() {
        for name in NAMES {
            // Nothing takes an object, so that a field of that name must complain.
            let fault = read(json!({ name: {} })).unwrap_err();
            assert!(fault.starts_with(&format!("at `options.{name}`: ")), "{fault}");
            assert_eq!(read(json!({ name: null })), Ok(Options::default()));
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (options, says) in [
            (json!({"failByDrop": "no"}), "at `options.failByDrop`: "),
            (json!({"failByDorp": false}), "`options.failByDorp` is no option; there are"),
            (json!({"webStatus": false}), "`options.webStatus` is an option of servers"),
            (json!({"openHandshakeTimeout": "5"}), "at `options.openHandshakeTimeout`: "),
            (json!({"autoFragmentSize": -1}), "at `options.autoFragmentSize`: "),
            (json!({"autoPingSize": 126}), "`options.autoPingSize` takes 4 to 125"),
            (json!({"version": 0}), "`options.version`: 0 is the protocol before"),
            (json!({"version": 9}), "`options.version`: 9 is none of"),
        ] {
            let fault = read(options.clone()).unwrap_err();
            assert!(fault.starts_with(says), "{options}: {fault}");
        }
    }

    #[test]
    fn only_what_asks_for_something_has_no_effect() {
        let defaults = json!({
            "allowHixie76": false, "applyMask": true, "autoPingInterval": 0, "autoPingSize": 4,
            "autoPingTimeout": 0, "failByDrop": false, "tcpNoDelay": true,
            "utf8validateIncoming": true, "version": 18,
        });
        assert_eq!(read(defaults).unwrap().idle(), [""; 0]);
        let asks = json!({"applyMask": false, "autoPingInterval": 0.5, "maskClientFrames": false});
        assert_eq!(read(asks).unwrap().idle(), ["applyMask", "autoPingInterval"]);
    }

    #[test]
    fn drafts_have_the_version_that_they_named() {
        assert_eq!(read(json!({})).unwrap().header_version(), 13);
        for draft in 10..=18 {
            let version = if draft < 13 { 8 } else { 13 };
            assert_eq!(read(json!({"version": draft})).unwrap().header_version(), version);
        }
    }

    #[test]
    fn limits_are_seconds_and_zero_is_none() {
        assert_eq!(read(json!({"failByDrop": false})).unwrap().timers(), None);
        let options = json!({"openHandshakeTimeout": 0.5, "closeHandshakeTimeout": 0});
        let expected = Timers {
            open_handshake: Duration::from_millis(500),
            close_handshake: OFF,
            server_drop: Timers::CLASSIC.server_drop,
        };
        assert_eq!(read(options).unwrap().timers(), Some(expected));
    }
}
