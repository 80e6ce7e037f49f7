//! Any text is a file that is understood, or one whose fault is named with its place.
//!
//! The two loaders belong to a program and not to a library, so that their sources are compiled in
//! here, with what they need of the rest.
#![no_main]

use std::{net::IpAddr, path::Path};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

#[path = "../../crates/cli/src"]
#[expect(dead_code, unused_imports, reason = "the program uses more of it")]
mod program {
    pub(crate) mod exit;
    pub(crate) mod node;

    pub(crate) mod wstest {
        mod options;
        mod spec;

        pub(crate) mod fuzzingclient {
            mod spec;

            /// What a specification is warned of.
            pub(crate) fn warnings(text: &str) -> Result<Vec<String>, String> {
                let (spec, warnings) = spec::parse(text)?;
                for server in spec.servers(None) {
                    let options = spec.options(&server)?;
                    let _ = (options.idle(), options.settings(), options.timers());
                }
                Ok(warnings)
            }
        }
    }
}

use program::{exit, node, wstest::fuzzingclient};

mod output {
    //! Nobody reads what is said here.

    pub(crate) fn line(_: &str) {}
    pub(crate) fn warning(_: &str) {}
}

mod echo {
    //! The built-in server as it is.

    pub(crate) fn server_config() -> wsproof_testee::ServerConfig {
        wsproof_testee::ServerConfig::default()
    }
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(input) else { return Corpus::Reject };
    let value: Option<Value> = parse_to_serde_value(text, &ParseOptions::default()).ok();
    match fuzzingclient::warnings(text) {
        Ok(warnings) => check_places(&warnings),
        Err(fault) => check_fault(&fault),
    }
    if value.as_ref().is_some_and(names_a_host) {
        return Corpus::Reject;
    }
    match node::parse(text, Path::new("/node")) {
        Ok(node) => {
            assert!(!node.transports.is_empty());
            assert!(node.transports.iter().all(|transport| !transport.addrs.is_empty()));
            check_places(&node.warnings);
        }
        Err(fault) => check_fault(&fault),
    }
    Corpus::Keep
});

/// Where the fault is, is said in one of these ways.
fn check_fault(fault: &str) {
    let places =
        ["it is no JSON: ", "it must be one JSON object", "at `", "`", "there is no transport"];
    assert!(places.iter().any(|place| fault.starts_with(place)), "{fault}");
}

fn check_places(warnings: &[String]) {
    assert!(warnings.iter().all(|warning| warning.contains('`')), "{warnings:?}");
}

/// Whether names would be looked up.
fn names_a_host(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(key, value)| match value {
            Value::String(name) if key == "interface" => {
                !name.is_empty() && name.parse::<IpAddr>().is_err()
            }
            value => names_a_host(value),
        }),
        Value::Array(values) => values.iter().any(names_a_host),
        _ => false,
    }
}
