//! Reading a baseline. Duplicate keys are faults here, which is why the syntax tree is read and
//! not a map.

use jsonc_parser::{
    ParseOptions,
    cst::{CstNode, CstObject, CstRootNode},
};
use wsproof_engine::{Behavior, CloseBehavior};

use super::{Baseline, BaselineError, CLOSES, Entry, GRADES, Row, from_name};
use crate::JudgeKind;

type Read<T> = Result<T, BaselineError>;

pub(super) fn parse(text: &str) -> Read<Baseline> {
    let tree = tree(text)?;
    let mut baseline = Baseline::default();
    let root = tree.value().and_then(|value| value.as_object());
    let root = root.ok_or_else(|| fault(&[], "it must be one object, `{ \"peers\": { } }`"))?;
    for (key, value) in members(&root, &[])? {
        match key.as_str() {
            "judge" => baseline.judge = judge(&value, &[&key])?,
            "peers" => {
                for (peers, value) in members(&object(&value, &[&key])?, &[&key])? {
                    baseline.peers.push(entry(&peers, &value)?);
                }
            }
            _ => return Err(unknown(&[&key], "judge and peers")),
        }
    }
    Ok(baseline)
}

pub(super) fn tree(text: &str) -> Read<CstRootNode> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    CstRootNode::parse(text, &ParseOptions::default())
        .map_err(|error| BaselineError::Json(error.to_string()))
}

fn entry(peers: &str, value: &CstNode) -> Read<Entry> {
    let path = ["peers", peers];
    let mut entry = Entry { peers: peers.to_owned(), ..Entry::default() };
    for (key, value) in members(&object(value, &path)?, &path)? {
        let path = ["peers", peers, &key];
        match key.as_str() {
            "cases" => entry.cases = texts(&value, &path)?,
            "exclude" => entry.exclude = texts(&value, &path)?,
            "expect" => {
                for (cases, value) in members(&object(&value, &path)?, &path)? {
                    entry.rows.push(row(peers, &cases, &value)?);
                }
            }
            _ => return Err(unknown(&path, "cases, exclude and expect")),
        }
    }
    Ok(entry)
}

fn row(peers: &str, cases: &str, value: &CstNode) -> Read<Row> {
    let path = ["peers", peers, "expect", cases];
    let mut row = Row { cases: cases.to_owned(), ..Row::default() };
    for (key, value) in members(&object(value, &path)?, &path)? {
        let path = ["peers", peers, "expect", cases, &key];
        match key.as_str() {
            "grade" => row.grades = names::<Behavior>(&GRADES, &value, &path)?,
            "close" => row.closes = names::<CloseBehavior>(&CLOSES, &value, &path)?,
            "why" => value_text(&value, &path)?.trim().clone_into(&mut row.why),
            _ => return Err(unknown(&path, "grade, close and why")),
        }
    }
    if row.why.is_empty() {
        return Err(fault(&path, "`why` is missing; say in a sentence why this is expected"));
    }
    if row.grades.is_empty() && row.closes.is_empty() {
        let example = "`grade` is missing, as in `\"grade\": \"failed\"`, or `close`";
        return Err(fault(&path, example));
    }
    Ok(row)
}

/// One name, or a list of them.
fn names<T: Copy>(known: &[(T, &'static str)], value: &CstNode, path: &[&str]) -> Read<Vec<T>> {
    let texts = if value.as_array().is_some() {
        texts(value, path)?
    } else {
        vec![value_text(value, path)?]
    };
    let all: Vec<_> = known.iter().map(|(_, name)| *name).collect();
    texts
        .iter()
        .map(|text| {
            from_name(known, text)
                .ok_or_else(|| fault(path, format!("`{text}` is none of {}", all.join(", "))))
        })
        .collect()
}

fn judge(value: &CstNode, path: &[&str]) -> Read<JudgeKind> {
    match value_text(value, path)?.as_str() {
        "classic" => Ok(JudgeKind::Classic),
        "rfc" => Ok(JudgeKind::Rfc),
        other => Err(fault(path, format!("`{other}` is none of rfc, classic"))),
    }
}

fn texts(value: &CstNode, path: &[&str]) -> Read<Vec<String>> {
    let list = value.as_array().ok_or_else(|| fault(path, "it must be a list of texts"))?;
    list.elements().iter().map(|text| value_text(text, path)).collect()
}

fn value_text(value: &CstNode, path: &[&str]) -> Read<String> {
    let text = value.as_string_lit().and_then(|text| text.decoded_value().ok());
    text.ok_or_else(|| fault(path, "it must be a text in quotes"))
}

fn object(value: &CstNode, path: &[&str]) -> Read<CstObject> {
    value.as_object().ok_or_else(|| fault(path, "it must be an object, `{ }`"))
}

fn members(object: &CstObject, path: &[&str]) -> Read<Vec<(String, CstNode)>> {
    let mut members: Vec<(String, CstNode)> = Vec::new();
    for member in object.properties() {
        let (Some(key), Some(value)) = (member.decoded_name(), member.value()) else {
            return Err(fault(path, "a key cannot be read; write it in double quotes"));
        };
        if members.iter().any(|(known, _)| *known == key) {
            return Err(fault(path, format!("`{key}` is there twice; remove one")));
        }
        members.push((key, value));
    }
    Ok(members)
}

fn unknown(path: &[&str], known: &str) -> BaselineError {
    fault(path, format!("this key is not known; there are {known}"))
}

fn fault(path: &[&str], what: impl Into<String>) -> BaselineError {
    let place = if path.is_empty() { "the file".to_owned() } else { join(path) };
    BaselineError::Value { place, what: what.into() }
}

/// A path of keys: peers.`ws/*`.expect.`7.1.5`. What holds more than a word is in quotes.
pub(super) fn join(path: &[&str]) -> String {
    let plain = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic());
    let keys = path.iter().map(|key| {
        if plain(key) { (*key).to_owned() } else { format!("`{}`", crate::words::visible(key)) }
    });
    keys.collect::<Vec<_>>().join(".")
}
