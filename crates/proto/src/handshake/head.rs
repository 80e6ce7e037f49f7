//! HTTP/1.1 heads: writing requests, collecting and parsing what comes back.

use serde::{Deserialize, Serialize};

use crate::Violation;

/// Heads with more fields than this are not parsed strictly.
pub const MAX_FIELDS: usize = 256;

/// What ends a line for [`HeadReader::lax_response`]: everything that ends one in Unicode.
const LINE_ENDS: [char; 10] =
    ['\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}'];

/// One header field, as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name, in the case it had.
    pub name: String,
    /// The value without the white space around it.
    pub value: Vec<u8>,
}

/// A request head: what is to be sent, or what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// The method, `GET` for an opening handshake.
    pub method: String,
    /// The request target: path and query.
    pub target: String,
    /// What stands after `HTTP/`.
    pub version: String,
    /// The fields in order.
    pub fields: Vec<Field>,
}

/// A response head that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseHead {
    /// The minor version of `HTTP/1.x`.
    pub minor_version: u8,
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// The fields in order.
    pub fields: Vec<Field>,
}

impl RequestHead {
    /// The head of an opening handshake without any field.
    pub fn get(target: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.into(),
            version: "1.1".to_owned(),
            fields: Vec::new(),
        }
    }

    /// Adds a field at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push(Field { name: name.to_owned(), value: value.as_ref().to_vec() });
        self
    }

    /// Removes all fields of that name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|field| !field.name.eq_ignore_ascii_case(name));
        self
    }

    /// The head's octets, exactly as the parts say; nothing is checked.
    pub fn encode(&self) -> Vec<u8> {
        let mut out =
            format!("{} {} HTTP/{}\r\n", self.method, self.target, self.version).into_bytes();
        encode_fields(&self.fields, &mut out);
        out
    }

    /// Values of all fields of that name, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.fields, name)
    }
}

impl ResponseHead {
    /// Values of all fields of that name, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.fields, name)
    }
}

/// Collects the octets of one HTTP head, however they arrive, up to a limit.
#[derive(Debug)]
pub struct HeadReader {
    octets: Vec<u8>,
    limit: usize,
}

impl HeadReader {
    /// A reader that gives up after `limit` octets without an empty line.
    pub fn new(limit: usize) -> Self {
        Self { octets: Vec::new(), limit }
    }

    /// Everything kept so far.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Takes octets up to the end of the head. Returns how many were taken, and whether the head
    /// is complete. An error names why no head can come of it; the octets kept stay readable.
    pub fn push(&mut self, input: &[u8]) -> Result<(usize, bool), Violation> {
        let before = self.octets.len();
        let room = self.limit - before;
        self.octets.extend_from_slice(&input[..input.len().min(room)]);
        // The end may straddle two reads.
        let from = before.saturating_sub(3);
        let end = self.octets[from..].windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(at) = end {
            self.octets.truncate(from + at + 4);
            return Ok((self.octets.len() - before, true));
        }
        if input.len() > room {
            return Err(Violation::HeadTooLong);
        }
        Ok((input.len(), false))
    }

    /// Whether what came so far can still become an HTTP response; blanks before it are let pass.
    pub fn may_be_response(&self) -> bool {
        let expected = b"HTTP/";
        let octets = self.octets.trim_ascii_start();
        let n = octets.len().min(expected.len());
        octets[..n] == expected[..n]
    }

    /// Parses a complete head as a response, taking whatever has a status line: lines without a
    /// colon are skipped, no line continues another, and any white space is as good as a blank.
    pub fn lax_response(&self) -> Result<ResponseHead, Violation> {
        let (first, fields) = lax_lines(&self.octets);
        let mut words = first.split_whitespace();
        let minor_version = match words.next() {
            Some("HTTP/1.0") => 0,
            Some("HTTP/1.1") => 1,
            _ => return Err(Violation::NotHttp),
        };
        let status = words.next().and_then(|word| word.parse().ok()).ok_or(Violation::NotHttp)?;
        Ok(ResponseHead {
            minor_version,
            status,
            reason: words.collect::<Vec<_>>().join(" "),
            fields,
        })
    }

    /// Parses a complete head as a response.
    pub fn response(&self) -> Result<ResponseHead, Violation> {
        let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(&self.octets) {
            Ok(httparse::Status::Complete(_)) => Ok(ResponseHead {
                minor_version: response.version.unwrap_or_default(),
                status: response.code.unwrap_or_default(),
                reason: response.reason.unwrap_or_default().to_owned(),
                fields: own(response.headers),
            }),
            _ => Err(Violation::NotHttp),
        }
    }
}

/// Parses a complete head as a request.
pub fn parse_request(octets: &[u8]) -> Result<RequestHead, Violation> {
    let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(octets) {
        Ok(httparse::Status::Complete(_)) => Ok(RequestHead {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            version: format!("1.{}", request.version.unwrap_or_default()),
            fields: own(request.headers),
        }),
        _ => Err(Violation::NotHttp),
    }
}

/// Parses a complete head as a request, taking whatever begins with three words; see
/// [`HeadReader::lax_response`].
pub fn parse_lax_request(octets: &[u8]) -> Result<RequestHead, Violation> {
    let (first, fields) = lax_lines(octets);
    let words: Vec<_> = first.split_whitespace().collect();
    let [method, target, version] = words[..] else { return Err(Violation::NotHttp) };
    Ok(RequestHead {
        method: method.to_owned(),
        target: target.to_owned(),
        // What does not name HTTP is no version of it.
        version: version.strip_prefix("HTTP/").unwrap_or_default().to_owned(),
        fields,
    })
}

/// The first line of a head, and the fields in the others.
fn lax_lines(octets: &[u8]) -> (String, Vec<Field>) {
    let text = String::from_utf8_lossy(octets);
    let mut lines = text.split(LINE_ENDS);
    let first = lines.next().unwrap_or_default().to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some(Field { name: name.trim().to_owned(), value: value.trim().into() })
    };
    (first, lines.filter_map(field).collect())
}

pub(super) fn encode_fields(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(&field.value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn own(fields: &[httparse::Header<'_>]) -> Vec<Field> {
    fields
        .iter()
        .map(|field| Field { name: field.name.to_owned(), value: field.value.to_vec() })
        .collect()
}

fn values<'a>(fields: &'a [Field], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_told() {
        let head = RequestHead::get("/chat").with("Host", "a:1").with("X", b"\xff").without("host");
        assert_eq!(head.encode(), b"GET /chat HTTP/1.1\r\nX: \xff\r\n\r\n");
        assert_eq!(parse_request(&head.encode()).unwrap(), head);
    }

    #[test]
    fn a_head_ends_at_the_empty_line_however_it_is_cut() {
        let octets = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
        for size in 1..=octets.len() {
            let mut reader = HeadReader::new(1 << 10);
            let mut left = &octets[..];
            for chunk in octets.chunks(size) {
                let (taken, complete) = reader.push(chunk).unwrap();
                left = &left[taken..];
                if complete {
                    break;
                }
            }
            assert_eq!(left, b"\x81\x00", "in pieces of {size}");
            let head = reader.response().unwrap();
            assert_eq!((head.status, head.minor_version), (101, 1));
            assert_eq!(head.values("UPGRADE").collect::<Vec<_>>(), [b"websocket"]);
        }
    }

    #[test]
    fn an_endless_head_is_cut_at_the_limit() {
        let mut reader = HeadReader::new(100);
        assert_eq!(reader.push(&[b'x'; 60]), Ok((60, false)));
        assert_eq!(reader.push(&[b'x'; 60]), Err(Violation::HeadTooLong));
        assert_eq!(reader.octets().len(), 100);
    }

    #[test]
    fn a_tls_alert_is_no_response() {
        let mut reader = HeadReader::new(100);
        reader.push(&[0x15, 0x03, 0x01, 0x00, 0x02]).unwrap();
        assert!(!reader.may_be_response());
    }

    fn check_lax(octets: &[u8], expected: Result<(u16, &[&str]), Violation>) {
        let mut reader = HeadReader::new(1 << 10);
        assert!(reader.push(octets).unwrap().1, "{}", octets.escape_ascii());
        let head = reader.lax_response().map(|head| {
            let values = head.values("upgrade").map(|value| String::from_utf8_lossy(value).into());
            (head.status, values.collect::<Vec<String>>())
        });
        let expected = expected.map(|(status, values)| {
            (status, values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(head, expected, "{}", octets.escape_ascii());
    }

    #[test]
    fn a_lax_response_needs_little_more_than_a_status_line() {
        check_lax(b"HTTP/1.1 101 Yes\r\nUpgrade: x\r\n\r\n", Ok((101, &["x"])));
        check_lax(b" HTTP/1.1\t +0101\nno colon\n: x\n\tUpgrade :  x \r\n\r\n", Ok((101, &["x"])));
        check_lax(b"HTTP/1.1 101\r\nUpgrade:\r\n x\r\n\r\n", Ok((101, &[""])));
        check_lax(b"HTTP/1.1 101\r\nX(y) z: a\0\rUpgrade:\xc2\xa0x\r\n\r\n", Ok((101, &["x"])));
        check_lax(b"HTTP/1.1 101\r\nX: \xff\xe2\x80\xa8Upgrade: x\r\n\r\n", Ok((101, &["x"])));
        for head in ["\r\nHTTP/1.1 101", "HTTP/1.2 101", "http/1.1 101", "HTTP/1.1", "HTTP/1.1 1x"]
        {
            check_lax(format!("{head}\r\n\r\n").as_bytes(), Err(Violation::NotHttp));
        }
    }

    #[test]
    fn a_lax_request_needs_little_more_than_three_words() {
        let head = b" GET\t/a?b HTTP/1.1\r\nno colon\r\nHost : x\r\n y: z\r\n\r\n";
        let head = parse_lax_request(head).unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str()), ("GET", "/a?b"));
        assert_eq!(head.version, "1.1");
        assert_eq!(head.values("host").collect::<Vec<_>>(), [b"x"]);
        for line in ["", "GET /", "GET / HTTP/1.1 x", "\r\nGET / HTTP/1.1"] {
            let head = format!("{line}\r\n\r\n");
            assert_eq!(parse_lax_request(head.as_bytes()), Err(Violation::NotHttp), "{line}");
        }
    }

    #[test]
    fn a_response_may_have_any_number_of_fields() {
        let fields = "X: a\r\n".repeat(300);
        let mut reader = HeadReader::new(1 << 20);
        reader.push(format!("HTTP/1.1 101\r\n{fields}\r\n").as_bytes()).unwrap();
        assert_eq!(reader.lax_response().unwrap().fields.len(), 300);
    }
}
