//! Which origins a server lets in (RFC 6455, 4.2.2 and 10.2).

/// The origins whose scripts may connect. A request without an `Origin` does not come from a
/// browser and is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// Patterns such as `https://*.example.com:*`, where `*` stands for any text. A pattern fits an
    /// origin as it was sent, and with the default port of its scheme written out.
    pub patterns: Vec<String>,
    /// Whether the origin `null`, as of a local file, is let in whatever the patterns say.
    pub allow_null: bool,
}

impl Default for Origins {
    /// Any origin.
    fn default() -> Self {
        Self { patterns: vec!["*".to_owned()], allow_null: true }
    }
}

impl Origins {
    /// Whether the value of an `Origin` field is one of them.
    pub fn allow(&self, origin: &[u8]) -> bool {
        if origin == b"null" && self.allow_null {
            return true;
        }
        let with_port = with_default_port(origin);
        self.patterns.iter().any(|pattern| {
            let is_it = |origin: &[u8]| fits(pattern.as_bytes(), origin);
            is_it(origin) || with_port.as_deref().is_some_and(is_it)
        })
    }
}

/// The origin with its port, if it leaves the port out.
fn with_default_port(origin: &[u8]) -> Option<Vec<u8>> {
    let (scheme, port) = [(&b"http://"[..], &b":80"[..]), (b"https://", b":443")]
        .into_iter()
        .find(|(scheme, _)| origin.starts_with(scheme))?;
    // A colon inside of brackets belongs to an IPv6 address.
    let host = &origin[scheme.len()..];
    let behind = host.iter().rposition(|&octet| octet == b']').map_or(host, |at| &host[at..]);
    (!behind.contains(&b':')).then(|| [origin, port].concat())
}

/// Whether `pattern` fits the whole of `text`, letter case aside: scheme and host have none.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Behind the last asterisk, and where the text that it stands for would end.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(octet) if octet.eq_ignore_ascii_case(&text[t]) => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((behind, end)) = retry else { return false };
                (p, t) = (behind, end + 1);
                retry = Some((behind, t));
            }
        }
    }
    pattern[p..].iter().all(|&octet| octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, origin: &str, allowed: bool) {
        let origins = Origins { patterns: vec![pattern.to_owned()], allow_null: false };
        assert_eq!(origins.allow(origin.as_bytes()), allowed, "{pattern} {origin}");
    }

    #[test]
    fn asterisks_stand_for_any_text() {
        for (pattern, origin) in [
            ("*", "http://a"),
            ("*", ""),
            ("http://a.com", "http://a.com"),
            ("http://a.com", "HTTP://A.com"),
            ("http://*.a.com:*", "http://x.y.a.com:8080"),
            ("*://a.com", "https://a.com"),
            ("http://*a*b", "http://aabab"),
            ("**", "x"),
        ] {
            check(pattern, origin, true);
        }
        for (pattern, origin) in [
            ("", "http://a"),
            ("http://a.com", "http://a.com.b"),
            ("http://a.com", "http://aXcom"),
            ("http://*.a.com", "http://a.com"),
            ("http://*a*b", "http://aaba"),
            ("a", "null"),
        ] {
            check(pattern, origin, false);
        }
    }

    #[test]
    fn the_default_port_may_be_written_or_not() {
        check("http://a:80", "http://a", true);
        check("https://a:*", "https://a", true);
        check("https://[::1]:443", "https://[::1]", true);
        check("http://a:80", "http://a:8080", false);
        check("http://a:443", "http://a", false);
        check("ftp://a:*", "ftp://a", false);
    }

    #[test]
    fn the_null_origin_has_its_own_switch() {
        assert!(Origins { patterns: Vec::new(), allow_null: true }.allow(b"null"));
        assert!(!Origins { patterns: Vec::new(), allow_null: false }.allow(b"null"));
        assert!(Origins::default().allow(b"null"));
        // Header values are octets; they need not be UTF-8.
        assert!(!Origins { patterns: Vec::new(), allow_null: true }.allow(b"\xff"));
    }
}
