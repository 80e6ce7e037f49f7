//! Reading JSON objects key by key: what has the wrong type or value is an error that names its
//! place, and what nobody asked for is noted.

use std::{fmt::Display, ops::RangeInclusive};

use serde_json::Value;

/// An object of the file, and its keys that were not read yet.
#[derive(Debug)]
pub(super) struct Part<'a> {
    place: String,
    left: Vec<(&'a str, &'a Value)>,
}

/// What of a file has no effect.
#[derive(Debug, Default)]
pub(super) struct Notes {
    left_alone: Vec<String>,
    idle: Vec<String>,
    unknown: Vec<String>,
}

impl<'a> Part<'a> {
    /// The object at `place`, which is empty for the whole file.
    pub(super) fn new(place: String, value: &'a Value) -> Result<Self, String> {
        let Some(object) = value.as_object() else { return Err(wrong(&place, "an object", value)) };
        Ok(Self { place, left: object.iter().map(|(key, value)| (key.as_str(), value)).collect() })
    }

    /// Where the object stands in the file.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The path of a key.
    pub(super) fn place_of(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// The value of a key as `read` sees it; an error if it is not what is `allowed`.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        allowed: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(at) = self.left.iter().position(|(name, _)| *name == key) else {
            return Ok(None);
        };
        let (_, value) = self.left.remove(at);
        read(value).map(Some).ok_or_else(|| wrong(&self.place_of(key), allowed, value))
    }

    /// What `read` gives for a key that must be there, as `what` explains.
    pub(super) fn needs<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<Option<T>, String>,
    ) -> Result<T, String> {
        read(self, key)?.ok_or_else(|| format!("at `{}`: {what}, is missing", self.place_of(key)))
    }

    pub(super) fn string(&mut self, key: &str) -> Result<Option<&'a str>, String> {
        self.take(key, "a string", Value::as_str)
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.take(key, "true or false", Value::as_bool)
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, String> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.take(key, &allowed, |value| value.as_u64().filter(|number| range.contains(number)))
    }

    pub(super) fn strings(&mut self, key: &str) -> Result<Option<Vec<&'a str>>, String> {
        self.take(key, "a list of strings", |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })
    }

    pub(super) fn part(&mut self, key: &str) -> Result<Option<Self>, String> {
        let place = self.place_of(key);
        self.take(key, "", Some)?.map(|value| Part::new(place, value)).transpose()
    }

    /// The objects of a list; none if the key is not there.
    pub(super) fn parts(&mut self, key: &str) -> Result<Vec<Self>, String> {
        let place = self.place_of(key);
        let list = self.take(key, "a list of objects", Value::as_array)?;
        let parts = list.into_iter().flatten().enumerate();
        parts.map(|(n, value)| Part::new(format!("{place}[{n}]"), value)).collect()
    }

    /// Leaves keys alone that concern something else.
    pub(super) fn leave_alone(&mut self, keys: &[&str], notes: &mut Notes) {
        for key in self.remove(keys) {
            notes.leave_alone(&self.place_of(key), None);
        }
    }

    /// Nothing more is read: keys in `idle` are known to have no effect here, others are not known.
    pub(super) fn finish(mut self, idle: &[&str], notes: &mut Notes) {
        for key in self.remove(idle) {
            notes.idle(&self.place_of(key));
        }
        notes.unknown.extend(self.left.iter().map(|(key, _)| quoted(self.place_of(key))));
    }

    fn remove(&mut self, keys: &[&str]) -> Vec<&'a str> {
        self.left.extract_if(.., |(key, _)| keys.contains(key)).map(|(key, _)| key).collect()
    }
}

impl Notes {
    /// Notes something of another `kind` that is left alone.
    pub(super) fn leave_alone(&mut self, place: &str, kind: Option<&str>) {
        let kind = kind.map(|kind| format!(" ({kind:?})")).unwrap_or_default();
        self.left_alone.push(format!("{}{kind}", quoted(place)));
    }

    /// Notes something known that has no effect.
    pub(super) fn idle(&mut self, place: &str) {
        self.idle.push(quoted(place));
    }

    /// What was found that is not for us, in words.
    pub(super) fn found(&self) -> String {
        if self.left_alone.is_empty() {
            return "there is nothing else either".to_owned();
        }
        format!("there is {}", self.left_alone.join(", "))
    }

    /// A line for each way of having no effect.
    pub(super) fn into_warnings(self) -> Vec<String> {
        [
            ("only transports of type `websocket.testee` are served; left alone", self.left_alone),
            ("without effect on an echo server", self.idle),
            ("not known and ignored", self.unknown),
        ]
        .into_iter()
        .filter(|(_, places)| !places.is_empty())
        .map(|(what, places)| format!("{what}: {}", places.join(", ")))
        .collect()
    }
}

/// Says what is wrong at a place.
pub(super) fn fault(place: &str, what: impl Display) -> String {
    format!("at `{place}`: {what}")
}

fn wrong(place: &str, allowed: &str, value: &Value) -> String {
    let found = match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    };
    fault(place, format_args!("must be {allowed}, not {found}"))
}

fn quoted(place: impl Display) -> String {
    format!("`{place}`")
}
