//! Grammar of header fields that a strict server checks (RFC 6455, 4.3 and 9.1; RFC 9112, 3.2).

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

/// Whether the values of `Sec-WebSocket-Extensions` follow RFC 6455, 9.1 and name at least one.
pub(super) fn are_extensions(values: &[&[u8]]) -> bool {
    let mut found = false;
    for value in values {
        let mut rest = value.trim_ascii_start();
        while !rest.is_empty() {
            // Empty elements of a list are ignored (RFC 9110, 5.6.1.2).
            if let [b',', tail @ ..] = rest {
                rest = tail.trim_ascii_start();
                continue;
            }
            let Some(tail) = extension(rest) else { return false };
            found = true;
            rest = match tail.trim_ascii_start() {
                [] => &[],
                [b',', tail @ ..] => tail.trim_ascii_start(),
                _ => return false,
            };
        }
    }
    found
}

/// Reads one extension with its parameters; gives what follows.
fn extension(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = token(octets)?;
    while let [b';', tail @ ..] = rest.trim_ascii_start() {
        rest = token(tail.trim_ascii_start())?;
        rest = match rest.trim_ascii_start() {
            [b'=', b'"', tail @ ..] => quoted(tail)?,
            [b'=', tail @ ..] => token(tail)?,
            _ => rest,
        };
    }
    Some(rest)
}

/// Reads the rest of a quoted string, whose value must be a token as well.
fn quoted(octets: &[u8]) -> Option<&[u8]> {
    let mut length = 0;
    let mut rest = octets;
    loop {
        rest = match rest {
            [b'"', tail @ ..] => return (length > 0).then_some(tail),
            [b'\\', octet, tail @ ..] | [octet, tail @ ..] if is_token_octet(*octet) => tail,
            _ => return None,
        };
        length += 1;
    }
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
        for good in ["x", "x; a=1; b=\"c\"; d", ", x ,,y;z", "x;a=\"\\b\"", "constructor, _; to=1"]
        {
            assert!(are_extensions(&[good.as_bytes()]), "{good}");
        }
        for bad in ["", ",", ";a", "a;", "a;;b", "a=1", "a; =1", "a; b=\"c", "a; b=\"c d\"", "a b"]
        {
            assert!(!are_extensions(&[bad.as_bytes()]), "{bad}");
        }
        assert!(!are_extensions(&[b"x; y=\",permessage-deflate; client_max_window_bits,\""]));
        assert!(are_extensions(&[b"x", b"y"]));
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
