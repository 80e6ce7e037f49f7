//! Grammar of header fields that a strict server checks (RFC 6455, 4.3 and 9.1; RFC 9112, 3.2).

use wsproof_proto::handshake::{Extension, parse_extensions};

/// Whether a request target may belong to a WebSocket: a path or an absolute URI, no fragment.
pub(super) fn is_target(target: &str) -> bool {
    let start = target.starts_with('/')
        || ["http://", "https://", "ws://", "wss://"].iter().any(|scheme| {
            target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
    start && target.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#')
}

/// Whether a `Host` is a host with or without a port.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (host, port) = if value.starts_with(b"[") {
        let Some(end) = value.iter().position(|&octet| octet == b']') else { return false };
        let address = &value[1..end];
        if !address.iter().all(|octet| octet.is_ascii_hexdigit() || b":.".contains(octet)) {
            return false;
        }
        (address, &value[end + 1..])
    } else {
        let end = value.iter().position(|&octet| octet == b':').unwrap_or(value.len());
        let name = &value[..end];
        if !name.iter().all(|&octet| is_name_octet(octet)) {
            return false;
        }
        (name, &value[end..])
    };
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !host.is_empty() && port_fits
}

/// The subprotocols that a request offers, none if there is no field; `None` if a field breaks the
/// grammar or a name comes twice (RFC 6455, 4.1).
pub(super) fn subprotocols<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Vec<String>> {
    let mut offers: Vec<String> = Vec::new();
    let mut lines = 0;
    for item in values.inspect(|_| lines += 1).flat_map(|value| value.split(|&o| o == b',')) {
        let name = item.trim_ascii();
        if name.is_empty() {
            continue;
        }
        let name = std::str::from_utf8(name).ok().filter(|name| is_token(name.as_bytes()))?;
        if offers.iter().any(|other| other == name) {
            return None;
        }
        offers.push(name.to_owned());
    }
    (lines == 0 || !offers.is_empty()).then_some(offers)
}

/// The extensions that are offered or agreed, none if there is no field; `None` if a field breaks
/// the grammar of RFC 6455, 9.1, or all of them are empty.
pub(super) fn extensions<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Extension>> {
    let mut lines = 0;
    let mut found = Vec::new();
    for value in values {
        lines += 1;
        found.extend(parse_extensions(value).ok()?);
    }
    (lines == 0 || !found.is_empty()).then_some(found)
}

/// Reads a token; gives what follows.
fn token(octets: &[u8]) -> Option<&[u8]> {
    let n = octets.iter().take_while(|&&octet| is_token_octet(octet)).count();
    (n > 0).then(|| &octets[n..])
}

fn is_token(octets: &[u8]) -> bool {
    token(octets).is_some_and(<[u8]>::is_empty)
}

/// RFC 9110, 5.6.2.
fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// Octets of a registered name (RFC 3986, 3.2.2).
fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in ["a", "a:1", "example.com:9001", "[::1]:80", "[::1]", "1.2.3.4", "a:"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in ["", "a b", "@", "a@b", ":x", ":80", "[::1", "[::1]x", "a:b", "a:1:2", "a/b"] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn targets() {
        for good in ["/", "/a?b=%20&c", "http://a:1/b", "WS://a/"] {
            assert!(is_target(good), "{good}");
        }
        for bad in ["", "chat", "*", "/a#b", "/é", "/a b"] {
            assert!(!is_target(bad), "{bad}");
        }
    }

    #[test]
    fn extension_offers() {
        let read = |values: &[&str]| {
            let found = extensions(values.iter().map(|value| value.as_bytes()))?;
            Some(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "))
        };
        assert_eq!(read(&[]).as_deref(), Some(""));
        assert_eq!(read(&["x;a=\"\\b\" ,, y", "z"]).as_deref(), Some("x; a=b + y + z"));
        assert_eq!(read(&["", "x"]).as_deref(), Some("x"));
        for bad in ["", ",", ";a", "a;", "a; b=\"c", "x; y=\",permessage-deflate; z,\""] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn subprotocol_offers() {
        let read = |values: &[&str]| subprotocols(values.iter().map(|value| value.as_bytes()));
        assert_eq!(read(&[]), Some(Vec::new()));
        assert_eq!(read(&["a, b", "c"]).map(|names| names.join(" ")), Some("a b c".to_owned()));
        for bad in ["", "a, a", "a/b", "é", "ch at", "\"a\""] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
    }
}
