//! The opening request of a client under test: what is taken and what is refused.
//!
//! `wstest` reads requests as leniently as HTTP heads in general, and refuses what RFC 6455, 4.2.1
//! asks a server to refuse. What it lets pass and the RFCs do not is named all the same.

use wsproof_proto::{
    Violation,
    handshake::{
        MAX_FIELDS, RequestHead, accept_for, has_token, parse_extensions, parse_lax_request,
        parse_request,
    },
};

/// The versions that are spoken unless somebody says otherwise, as `wstest` names them; 8 was that
/// of the last drafts. Version 0 has no field that says so: whoever names it is refused.
pub const VERSIONS: [u8; 3] = [13, 8, 0];
/// Fields that may stand in a request once.
const SINGLE: [&str; 4] = ["Host", "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Version"];

/// An opening request that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    target: String,
    origin: Option<Vec<u8>>,
    key: Vec<u8>,
    pub(crate) extensions: Option<Vec<u8>>,
    /// What the RFCs mind in it.
    pub(crate) violations: Vec<Violation>,
}

/// Why a head opens no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declined {
    /// It asks for no WebSocket, but for a page.
    Plain {
        /// Path and query.
        target: String,
    },
    /// It is no good opening request.
    Refused(Refusal),
}

impl Declined {
    /// What is answered.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Plain { .. } => Refusal::new(200, "OK")
                .with_field("Content-Type", "text/plain")
                .with_body("This port speaks WebSocket (RFC 6455).\n"),
            Self::Refused(refusal) => refusal,
        }
    }
}

impl From<Refusal> for Declined {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// An answer that opens no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    reason: &'static str,
    /// Header fields, each with its line end.
    fields: String,
    body: &'static str,
}

impl Request {
    /// Reads a complete head. Versions that are not `spoken` are refused.
    pub fn read(octets: &[u8], spoken: &[u8]) -> Result<Self, Declined> {
        let bad = |reason| Err(Refusal::new(400, reason).into());
        let Ok(head) = parse_lax_request(octets) else {
            return bad("no request line of HTTP/1.1");
        };
        if head.method != "GET" {
            return Err(Refusal::new(405, "the method is not GET").into());
        }
        if head.version != "1.1" {
            return Err(Refusal::new(505, "the version is not HTTP/1.1").into());
        }
        let (target, fragment) = head.target.split_once('#').unwrap_or((&head.target, ""));
        if !fragment.is_empty() {
            return bad("a request target has no fragment");
        }
        for name in SINGLE {
            if head.values(name).nth(1).is_some() {
                return bad("a header field that may stand there once is repeated");
            }
        }
        if head.values("Host").next().is_none() {
            return bad("Host is missing");
        }
        let mut upgrade = head.values("Upgrade").peekable();
        if upgrade.peek().is_none() {
            return Err(Declined::Plain { target: path_and_query(target) });
        }
        if !upgrade.any(|value| has_token(value, "websocket")) {
            return bad("Upgrade does not say websocket");
        }
        if !head.values("Connection").any(|value| has_token(value, "upgrade")) {
            return bad("Connection does not say Upgrade");
        }
        if names_one_twice(&head) {
            return bad("Sec-WebSocket-Protocol names a subprotocol twice");
        }
        let version = version(&head, spoken)?;
        let key = head.values("Sec-WebSocket-Key").next().unwrap_or_default();
        if !is_like_key(key) {
            return bad("Sec-WebSocket-Key is not the base64 of 16 octets");
        }
        // It may stand there more than once (RFC 6455, 11.3.2); `wstest` refuses that.
        let extensions: Vec<_> = head.values("Sec-WebSocket-Extensions").collect();
        let extensions = (!extensions.is_empty()).then(|| extensions.join(&b", "[..]));
        let mut violations = Vec::new();
        // What has more of them is not compared with the grammar of HTTP.
        if head.fields.len() <= MAX_FIELDS && parse_request(octets).is_err() {
            violations.push(Violation::RequestMalformed);
        }
        if version != VERSIONS[0] {
            violations.push(Violation::RequestVersionNot13);
        }
        if extensions.as_ref().is_some_and(|field| parse_extensions(field).is_err()) {
            violations.push(Violation::ExtensionsMalformed);
        }
        Ok(Self {
            target: path_and_query(target),
            origin: head.values("Origin").next().map(<[u8]>::to_vec),
            key: key.to_vec(),
            extensions,
            violations,
        })
    }

    /// The answer that opens the WebSocket, with an agreement on extensions if there is one.
    pub fn answer(&self, server: &str, extensions: Option<&str>) -> Vec<u8> {
        let agreed = extensions
            .map(|extensions| format!("Sec-WebSocket-Extensions: {extensions}\r\n"))
            .unwrap_or_default();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: {server}\r\nUpgrade: WebSocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n{agreed}\r\n",
            accept_for(&self.key)
        )
        .into_bytes()
    }

    /// Path and query, as they were written.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The value of `Origin`, if there is one.
    pub fn origin(&self) -> Option<&[u8]> {
        self.origin.as_deref()
    }
}

/// The version, if it is one of those that are spoken.
fn version(head: &RequestHead, spoken: &[u8]) -> Result<u8, Refusal> {
    let field = head.values("Sec-WebSocket-Version").next().unwrap_or_default();
    let named = std::str::from_utf8(field).ok().and_then(|text| text.parse::<u32>().ok());
    let Some(named) = named else {
        return Err(Refusal::new(400, "Sec-WebSocket-Version is not a number"));
    };
    match spoken.iter().copied().find(|version| u32::from(*version) == named) {
        Some(0) => Err(Refusal::new(400, "version 0 has another opening handshake")),
        Some(version) => Ok(version),
        None => Err(Refusal::of_version(spoken)),
    }
}

/// Whether a subprotocol is offered more than once (RFC 6455, 4.1, item 10).
fn names_one_twice(head: &RequestHead) -> bool {
    let fields = head.values("Sec-WebSocket-Protocol");
    let mut names: Vec<_> = fields
        .flat_map(|value| value.split(|&octet| octet == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    names.sort_unstable();
    names.windows(2).any(|two| two[0] == two[1])
}

/// Twenty-two characters of base64 and the padding: sixteen octets, unused bits set or not.
fn is_like_key(key: &[u8]) -> bool {
    let [text @ .., b'=', b'='] = key else { return false };
    let letter = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    text.len() == 22 && text.iter().all(letter)
}

/// A target may be a whole URI (RFC 9112, 3.2.2).
fn path_and_query(target: &str) -> String {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        return target.to_owned();
    };
    let rest = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    // An empty path is that of the root.
    if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
}

impl Refusal {
    /// An answer with a status and the reason in words.
    pub const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason, fields: String::new(), body: "" }
    }

    /// The answer to a version that is not spoken; it names those that are (RFC 6455, 4.4), the
    /// newest first.
    fn of_version(spoken: &[u8]) -> Self {
        let mut spoken = spoken.to_vec();
        spoken.sort_unstable_by(|a, b| b.cmp(a));
        let spoken: Vec<_> = spoken.iter().map(u8::to_string).collect();
        Self::new(400, "Sec-WebSocket-Version is none that is spoken here")
            .with_field("Sec-WebSocket-Version", &spoken.join(","))
    }

    /// Adds a header field. A value that would be more than one line is left out.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        if !value.contains(char::is_control) {
            self.fields.extend([name, ": ", value, "\r\n"]);
        }
        self
    }

    /// Gives the answer a body.
    #[must_use]
    pub fn with_body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Why, in words.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The octets of the answer.
    pub fn encode(&self) -> Vec<u8> {
        let Self { status, reason, fields, body } = self;
        format!(
            "HTTP/1.1 {status} {reason}\r\n{fields}Connection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /a?b=c HTTP/1.1\nHost: h\nUpgrade: WebSocket\n\
        Connection: keep-alive, upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
        Sec-WebSocket-Version: 13\n";

    /// What becomes of the good request with `old` replaced by `new`.
    fn check(old: &str, new: &str, expected: &str) {
        assert!(GOOD.contains(old), "{old}");
        let head = format!("{}\n", GOOD.replacen(old, new, 1)).replace('\n', "\r\n");
        let said = match Request::read(head.as_bytes(), &VERSIONS) {
            Ok(request) => format!("{} {:?}", request.target(), request.violations),
            Err(declined) => {
                let refusal = declined.refusal();
                format!("{} {}", refusal.status(), refusal.reason())
            }
        };
        assert!(said.starts_with(expected), "{old:?} as {new:?}: {said}");
    }

    #[test]
    fn what_is_taken() {
        check("", "", "/a?b=c []");
        check("Host: h", "Host: elsewhere:1\nOrigin: null", "/a?b=c []");
        check("WebSocket", "h2c, websocket", "/a?b=c []");
        check("/a?b=c", "http://h:9001/a?b=c", "/a?b=c []");
        check("/a?b=c", "http://h", "/ []");
        check("/a?b=c", "http://h?b=c/d", "/?b=c/d []");
        check("/a?b=c", "/a?b=c#", "/a?b=c ");
        check("jZQ==", "jZR==", "/a?b=c []");
        let twice = "Host: h\nSec-WebSocket-Extensions: a\nSec-WebSocket-Extensions: b; c=1";
        check("Host: h", twice, "/a?b=c []");
        check("Host: h", &format!("Host: h\nX: {}", "x".repeat(70_000)), "/a?b=c []");
        check("Host: h", &format!("Host: h{}", "\nX: x".repeat(1000)), "/a?b=c []");
    }

    #[test]
    fn what_is_taken_and_minded() {
        check("Version: 13", "Version: 8", "/a?b=c [RequestVersionNot13]");
        // Two hundred and fifty-six fields are not too many to be compared.
        let many = format!("no colon{}", "\nX: x".repeat(251));
        for line in ["no colon", "X : y", "X: y\n  z", &many] {
            let new = format!("Host: h\n{line}");
            check("Host: h", &new, "/a?b=c [RequestMalformed]");
        }
        let offer = "Host: h\nSec-WebSocket-Extensions: x;";
        check("Host: h", offer, "/a?b=c [ExtensionsMalformed]");
    }

    #[test]
    fn what_is_refused() {
        check("GET", "POST", "405");
        check("GET", "get", "405");
        check("HTTP/1.1", "HTTP/1.0", "505");
        check(" HTTP/1.1", "", "400 no request line");
        check("HTTP/1.1", "1.1", "505");
        check("GET", "\nGET", "400 no request line");
        check("/a?b=c", "/a#b", "400 a request target");
        check("Host: h\n", "", "400 Host");
        check("Upgrade: WebSocket\n", "", "200");
        check("WebSocket", "h2c", "400 Upgrade");
        check(", upgrade", "", "400 Connection");
        for version in ["12", "7", "269"] {
            check("13", version, "400 Sec-WebSocket-Version is none");
        }
        check("13", "0", "400 version 0");
        check("13", "x", "400 Sec-WebSocket-Version is not a number");
        check("Sec-WebSocket-Version: 13\n", "", "400 Sec-WebSocket-Version is not a number");
        for key in
            ["", "AAECAwQFBgcICQoLDA0O", "dGhlIHNhbXBsZSBub25jZQ", "AAAAAAAAAAAAAAAAAAAAAAAA"]
        {
            check("dGhlIHNhbXBsZSBub25jZQ==", key, "400 Sec-WebSocket-Key");
        }
        check("Host: h", "Host: h\nSec-WebSocket-Protocol: a, b,a", "400 Sec-WebSocket-Protocol");
        check("Host: h", "Host: h\nSec-WebSocket-Protocol: ,", "400 Sec-WebSocket-Protocol");
        for name in SINGLE {
            let twice = format!("Host: h\n{name}: 13\n{name}: 13");
            check("Host: h", &twice, "400 a header field");
        }
    }

    #[test]
    fn a_field_is_one_line() {
        let refusal = Refusal::new(303, "see there").with_field("Location", "a\r\nX: y");
        assert!(!String::from_utf8(refusal.encode()).unwrap().contains("X: y"));
    }

    #[test]
    fn a_refused_version_names_those_that_are_spoken() {
        let head = format!("{GOOD}\n").replace("Version: 13", "Version: 7").replace('\n', "\r\n");
        for (spoken, named) in [(&VERSIONS[..], "13,8,0"), (&[13], "13"), (&[8, 13], "13,8")] {
            let declined = Request::read(head.as_bytes(), spoken).unwrap_err();
            let octets = declined.refusal().encode();
            let field = format!("\r\nSec-WebSocket-Version: {named}\r\n");
            assert!(String::from_utf8_lossy(&octets).contains(&field), "{named}");
        }
    }
}
