//! Crossbar.io node configurations, as far as they ask for echo servers.
//!
//! Of a node file, the transports of type `websocket.testee` in the router workers are read. What is
//! wrong in them is an error that names its place; everything else is left alone, and said to be.

mod part;
mod transport;

use std::{fs, path::Path};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde_json::Value;

use crate::exit::Error;
use part::{Notes, Part};
pub(crate) use transport::{TlsFiles, Transport};

/// What a node file asks for.
#[derive(Debug)]
pub(crate) struct Node {
    /// The echo servers, in the order of the file; at least one.
    pub(crate) transports: Vec<Transport>,
    /// What of the file has no effect, a line each.
    pub(crate) warnings: Vec<String>,
}

/// Reads a node file: JSON, with comments and trailing commas allowed. Host names in it are looked
/// up.
pub(crate) fn load(path: &Path) -> Result<Node, Error> {
    let text = fs::read_to_string(path).map_err(|error| {
        Error::usage(format!("failed to read the node file {}: {error}", path.display()))
    })?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let located = |what: String| format!("{}: {what}", path.display());
    let mut node = parse(&text, folder).map_err(|what| Error::usage(located(what)))?;
    node.warnings = node.warnings.into_iter().map(located).collect();
    Ok(node)
}

/// Reads the text of a node file; paths in it are relative to `folder`.
pub(crate) fn parse(text: &str, folder: &Path) -> Result<Node, String> {
    let value: Value = parse_to_serde_value(text, &ParseOptions::default())
        .map_err(|error| format!("it is no JSON: {error}"))?;
    if !value.is_object() {
        return Err("it must be one JSON object, `{ \"workers\": [ … ] }`".to_owned());
    }
    let mut root = Part::new(String::new(), &value)?;
    let mut notes = Notes::default();
    let mut transports = Vec::new();
    // The version of the format: what is read here is the same in all of them.
    root.number("version", 0..=u64::from(u32::MAX))?;
    for worker in root.parts("workers")? {
        read_worker(worker, folder, &mut transports, &mut notes)?;
    }
    root.leave_alone(&["controller"], &mut notes);
    root.finish(&[], &mut notes);
    if transports.is_empty() {
        return Err(format!(
            "there is no transport of type `websocket.testee` in a worker of type `router` ({}); \
             what is needed is {NEEDED}",
            notes.found()
        ));
    }
    Ok(Node { transports, warnings: notes.into_warnings() })
}

const NEEDED: &str = r#"{"workers": [{"type": "router", "transports": [{"type": "websocket.testee", "endpoint": {"type": "tcp", "port": 9001}}]}]}"#;

fn read_worker(
    mut worker: Part<'_>,
    folder: &Path,
    transports: &mut Vec<Transport>,
    notes: &mut Notes,
) -> Result<(), String> {
    let kind = worker.needs("type", "the type of the worker, such as \"router\"", Part::string)?;
    if kind != "router" {
        notes.leave_alone(worker.place(), Some(kind));
        return Ok(());
    }
    worker.string("id")?;
    for mut transport in worker.parts("transports")? {
        let what = "the type of the transport, such as \"websocket.testee\"";
        let kind = transport.needs("type", what, Part::string)?;
        if kind == "websocket.testee" {
            transports.push(transport::read(transport, folder, notes)?);
        } else {
            notes.leave_alone(transport.place(), Some(kind));
        }
    }
    worker.leave_alone(&["realms", "components", "connections", "options", "manhole"], notes);
    worker.finish(&[], notes);
    Ok(())
}

#[cfg(test)]
mod tests;
