//! The opening handshake of a run: what was asked, what was answered.

use serde::{Deserialize, Serialize};
use wsproof_proto::{
    Violation,
    deflate::{self, Agreement},
    handshake::{Offer, RequestHead, ResponseHead},
};

use crate::{Case, Edit};

/// Heads larger than this are not read to their end.
pub(crate) const MAX_HEAD: usize = 1 << 20;
/// Octets of a refusal's body that are kept.
pub(crate) const MAX_BODY: usize = 16 << 10;

/// Whom a run dials, and what it says of itself in the opening request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Target {
    /// The `Host` field.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// The `User-Agent` field.
    pub user_agent: String,
    /// The `Origin` field.
    pub origin: Option<String>,
    /// Subprotocols to offer.
    pub subprotocols: Vec<String>,
    /// Further fields.
    pub fields: Vec<(String, String)>,
    /// The `Sec-WebSocket-Version` field: 13, or 8 for the draft that called it so.
    pub version: u8,
}

impl Target {
    /// A target with nothing special.
    pub fn new(host: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            path: path.into(),
            user_agent: concat!("wsproof/", env!("CARGO_PKG_VERSION")).to_owned(),
            origin: None,
            subprotocols: Vec::new(),
            fields: Vec::new(),
            version: 13,
        }
    }

    /// The opening request of a case.
    pub(crate) fn request(&self, case: &Case, key: &str) -> RequestHead {
        let mut head = RequestHead::get(self.path.clone());
        if !case.bare_request {
            head = head.with("User-Agent", &self.user_agent);
        }
        // The upgrade token is compared without regard to case; `wstest` writes it like this.
        let upgrade = if case.bare_request { "websocket" } else { "WebSocket" };
        head = head.with("Host", &self.host).with("Upgrade", upgrade).with("Connection", "Upgrade");
        if !case.bare_request {
            head = head.with("Pragma", "no-cache").with("Cache-Control", "no-cache");
        }
        head = head.with("Sec-WebSocket-Key", key);
        if let Some(origin) = &self.origin {
            // The name of the field before RFC 6455.
            let name = if self.version < 13 { "Sec-WebSocket-Origin" } else { "Origin" };
            head = head.with(name, origin);
        }
        if !self.subprotocols.is_empty() {
            head = head.with("Sec-WebSocket-Protocol", self.subprotocols.join(","));
        }
        if !case.deflate.is_empty() {
            let offers: Vec<_> = case.deflate.iter().map(|ask| ask.offer().to_string()).collect();
            head = head.with("Sec-WebSocket-Extensions", offers.join(", "));
        }
        head = head.with("Sec-WebSocket-Version", self.version.to_string());
        for (name, value) in &self.fields {
            head = head.with(name, value);
        }
        for edit in &case.edits {
            head = match edit {
                Edit::Remove(name) => head.without(name),
            };
        }
        head
    }

    pub(crate) fn offer(&self, case: &Case, key: &str) -> Offer {
        Offer {
            key: key.to_owned(),
            subprotocols: self.subprotocols.clone(),
            extensions: case
                .deflate
                .first()
                .map(|_| deflate::NAME.to_owned())
                .into_iter()
                .collect(),
        }
    }
}

/// Both halves of an opening handshake, with what was wrong in the peer's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Opening {
    /// The request's octets, as sent or received.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub request: Vec<u8>,
    /// The octets of the response's head, or of what came in its place.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub response: Vec<u8>,
    /// The first octets of a refusal's body.
    #[serde(with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub body: Vec<u8>,
    /// The response's status.
    pub status: Option<u16>,
    /// The `Server` field of the response.
    pub server: Option<String>,
    /// For what a client must fail the connection.
    pub violations: Vec<Violation>,
    /// How both ends compress, if they agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

impl Opening {
    pub(crate) fn answer(&mut self, head: &ResponseHead) {
        self.status = Some(head.status);
        self.server =
            head.values("Server").next().map(|value| String::from_utf8_lossy(value).into_owned());
    }
}

/// How much of a refusal's body is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLength {
    Known(usize),
    Chunked,
    UntilEnd,
}

impl BodyLength {
    /// As the head says (RFC 9112, 6.3).
    pub(crate) fn of(head: &ResponseHead) -> Self {
        if head.values("Transfer-Encoding").any(|value| value.eq_ignore_ascii_case(b"chunked")) {
            return Self::Chunked;
        }
        let length = head.values("Content-Length").next();
        length
            .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
            .map_or(Self::UntilEnd, Self::Known)
    }

    pub(crate) fn is_complete(self, body: &[u8]) -> bool {
        body.len() >= MAX_BODY
            || match self {
                Self::Known(length) => body.len() >= length,
                Self::Chunked => body.ends_with(b"0\r\n\r\n"),
                Self::UntilEnd => false,
            }
    }
}

/// Octets that are text by nature, kept losslessly: those beyond ASCII become `\xNN`.
pub(crate) mod text {
    use std::fmt::Write;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        octets: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(octets.len());
        for &octet in octets {
            match octet {
                b'\\' => text.push_str("\\\\"),
                b'\r' | b'\n' | b'\t' | 0x20..0x7f => text.push(char::from(octet)),
                _ => {
                    let _ = write!(text, "\\x{octet:02x}");
                }
            }
        }
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut octets = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&octet, tail)) = rest.split_first() {
            rest = tail;
            if octet != b'\\' {
                octets.push(octet);
                continue;
            }
            match tail {
                [b'\\', tail @ ..] => {
                    octets.push(b'\\');
                    rest = tail;
                }
                [b'x', high, low, tail @ ..] => {
                    let digits = [*high, *low];
                    let value = std::str::from_utf8(&digits)
                        .ok()
                        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                        .ok_or_else(|| D::Error::custom("read text: `\\x` without two digits"))?;
                    octets.push(value);
                    rest = tail;
                }
                _ => return Err(D::Error::custom("read text: a lone backslash")),
            }
        }
        Ok(octets)
    }
}
