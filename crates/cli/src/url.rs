//! WebSocket URIs (RFC 6455, 3).

use wsproof_runner::Address;

/// A `ws` URI, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WsUrl {
    pub(crate) address: Address,
    /// Path and query.
    pub(crate) path: String,
    /// Whether the scheme is `wss`; the address is still without TLS.
    pub(crate) secure: bool,
    text: String,
}

impl WsUrl {
    /// Takes a URI apart. The error says what is wrong and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fault =
            |what: &str| format!("`{text}`: {what}; a server is named like ws://host:9001/path");
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| fault("the scheme ws:// is missing"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(fault("the scheme is neither ws nor wss")),
        };
        if rest.contains('#') {
            return Err(fault("a WebSocket URI has no fragment (RFC 6455, 3)"));
        }
        if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(fault("white space is not allowed"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(fault("a user name is not supported; send --header 'Authorization: …'"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| fault("the port is no port"))?;
        if host.is_empty() {
            return Err(fault("the host is missing"));
        }
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let address = Address { host: host.to_owned(), port, tls: None };
        Ok(Self { address, path, secure, text: text.to_owned() })
    }

    /// The `Host` field: the default port may be left out.
    pub(crate) fn host_field(&self, keep_port: bool) -> String {
        let default = if self.secure { 443 } else { 80 };
        let full = self.address.to_string();
        if keep_port || self.address.port != default {
            return full;
        }
        full.rsplit_once(':').map_or_else(|| full.clone(), |(host, _)| host.to_owned())
    }
}

impl std::fmt::Display for WsUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Host without brackets, and the port if there is one.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':').or(if rest.is_empty() { Some("") } else { None })?)
    } else {
        authority.split_once(':').unwrap_or((authority, ""))
    };
    if port.is_empty() {
        return Some((host, None));
    }
    match port.parse() {
        Ok(0) | Err(_) => None,
        Ok(port) => Some((host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, host: &str, port: u16, path: &str, field: &str) {
        let url = WsUrl::parse(text).unwrap();
        assert_eq!((url.address.host.as_str(), url.address.port), (host, port));
        assert_eq!((url.path.as_str(), url.host_field(false).as_str()), (path, field));
    }

    #[test]
    fn uris_are_taken_apart() {
        check("ws://localhost", "localhost", 80, "/", "localhost");
        check("ws://h:9001/a?b=c", "h", 9001, "/a?b=c", "h:9001");
        check("WS://[::1]:80?x", "::1", 80, "/?x", "[::1]");
        check("wss://h:443/", "h", 443, "/", "h");
        check("WSS://h", "h", 443, "/", "h");
        check("wss://h:80", "h", 80, "/", "h:80");
        assert_eq!(WsUrl::parse("ws://h").unwrap().host_field(true), "h:80");
        assert_eq!(WsUrl::parse("wss://h").unwrap().host_field(true), "h:443");
    }

    #[test]
    fn faults_are_named() {
        for (text, what) in [
            ("localhost:9001", "scheme"),
            ("http://h", "neither ws nor wss"),
            ("ws://", "host"),
            ("ws://h:0", "port"),
            ("ws://h:99999", "port"),
            ("ws://[::1", "port"),
            ("ws://h/#f", "fragment"),
            ("ws://u@h/", "user name"),
        ] {
            assert!(WsUrl::parse(text).unwrap_err().contains(what), "{text}");
        }
    }
}
