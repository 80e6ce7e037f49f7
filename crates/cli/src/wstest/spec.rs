//! What the specification files of all modes have in common.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{exit::Error, output};

/// A specification and what its reader should know.
pub(super) type Parsed<T> = Result<(T, Vec<String>), String>;

/// Loads the file named by `-s`, or the usual one, which is written if it is not there.
pub(super) fn load<T>(
    named: Option<&Path>,
    usual: &str,
    default: &str,
    parse: impl FnOnce(&str) -> Parsed<T>,
) -> Result<T, Error> {
    let (path, text) = read_file(named, usual, default)?;
    let (spec, warnings) =
        parse(&text).map_err(|what| Error::usage(format!("{}: {what}", path.display())))?;
    for warning in warnings {
        output::warning(&format!("{}: {warning}", path.display()));
    }
    Ok(spec)
}

fn read_file(named: Option<&Path>, usual: &str, default: &str) -> Result<(PathBuf, String), Error> {
    let path = named.unwrap_or_else(|| Path::new(usual));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            output::line(&format!("Auto-generating spec file '{}'", path.display()));
            fs::write(path, default)
                .map_err(|error| Error::failed(format!("write {}", path.display()), error))?;
            default.to_owned()
        }
        Err(error) => {
            return Err(Error::usage(format!(
                "failed to read the specification {}: {error}",
                path.display()
            )));
        }
    };
    output::line(&format!("Loading spec from {}", path.display()));
    Ok((path.to_owned(), text))
}

/// The JSON object that a file must be; `like` is what one looks like.
pub(super) fn object(text: &str, like: &str) -> Result<Map<String, Value>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match parse_to_serde_value(text, &ParseOptions::default()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(format!("it must be one JSON object, `{like}`")),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

/// Makes of an object what it stands for. `place` leads to it, with a dot behind.
pub(super) fn read<T: DeserializeOwned>(
    place: &str,
    object: Map<String, Value>,
) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(object))
        .map_err(|error| format!("at `{place}{}`: {}", error.path(), error.inner()))
}

/// Names the keys of servers that nobody knows.
pub(super) fn unknown_of_servers(object: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    let servers = object.get("servers").and_then(Value::as_array).into_iter().flatten();
    let unknown = servers.enumerate().filter_map(|(n, server)| {
        Some(unknown(&format!("servers[{n}]."), server.as_object()?, known))
    });
    unknown.flatten().collect()
}

/// Names the keys that nobody knows.
pub(super) fn unknown(place: &str, object: &Map<String, Value>, known: &[&str]) -> Vec<String> {
    object
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| format!("`{place}{key}` is not known and ignored"))
        .collect()
}
