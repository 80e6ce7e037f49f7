//! Who is let in: what may be asked for in place of a WebSocket, and which requests are refused
//! that could be answered.

use std::fmt;

use wsproof_engine::{Declined, Refusal, Request, VERSIONS};

use super::ask;

/// Whether an `Origin`, or its absence, is let in.
type Origins = dyn Fn(Option<&[u8]>) -> bool + Send + Sync;

/// Who is let in. The default is everybody.
pub struct Admission {
    /// The versions of `Sec-WebSocket-Version` that are spoken.
    pub versions: Vec<u8>,
    /// Says which origins may connect.
    pub origins: Box<Origins>,
    /// How many may be connected at once.
    pub max_connections: Option<usize>,
    /// Whether a plain HTTP request is answered with a page.
    pub status_page: bool,
}

impl Admission {
    /// Looks at a request, a complete head, while `open` others are connected.
    pub(super) fn admit(&self, head: &[u8], open: usize) -> Result<Request, Refusal> {
        let request = match Request::read(head, &self.versions) {
            Ok(request) => request,
            Err(Declined::Plain { target }) => return Err(self.page(&target)),
            Err(declined) => return Err(declined.refusal()),
        };
        if !(self.origins)(request.origin()) {
            Err(Refusal::new(403, "this Origin is not allowed"))
        } else if self.max_connections.is_some_and(|most| open >= most) {
            Err(Refusal::new(503, "there are as many connections as are allowed"))
        } else {
            Ok(request)
        }
    }

    /// The answer to a request for no WebSocket. It may name a place to go to, as pages did that
    /// used a WebSocket to keep a visitor's cookies.
    fn page(&self, target: &str) -> Refusal {
        if !self.status_page {
            return Refusal::new(426, "Upgrade is missing").with_field("Upgrade", "websocket");
        }
        let page = Declined::Plain { target: target.to_owned() }.refusal();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name| ask::parameter(query, name).ok().flatten();
        let Some(place) = parameter("redirect") else { return page };
        match parameter("after").map(|seconds| seconds.parse::<u32>()) {
            None => Refusal::new(303, "see there").with_field("Location", &place),
            Some(Ok(seconds)) => page.with_field("Refresh", &format!("{seconds};url={place}")),
            Some(Err(_)) => Refusal::new(400, "`after` is no number of seconds"),
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            versions: VERSIONS.to_vec(),
            origins: Box::new(|_| true),
            max_connections: None,
            status_page: true,
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("versions", &self.versions)
            .field("max_connections", &self.max_connections)
            .field("status_page", &self.status_page)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(admission: &Admission, more: &str, open: usize, expected: &str) {
        let head = format!("GET /?{more}\r\nHost: h\r\nX: y\r\n\r\n");
        let said = match admission.admit(head.as_bytes(), open) {
            Ok(_) => "taken".to_owned(),
            Err(refusal) => String::from_utf8(refusal.encode()).unwrap(),
        };
        assert!(said.contains(expected), "{more}: {said}");
    }

    const UPGRADE: &str = " HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: ";

    #[test]
    fn everybody_is_let_in() {
        let admission = Admission::default();
        for version in ["13", "8", "13\r\nOrigin: http://a"] {
            check(&admission, &format!("{UPGRADE}{version}"), 9999, "taken");
        }
    }

    #[test]
    fn some_are_refused() {
        let admission = Admission {
            versions: vec![8],
            origins: Box::new(|origin| origin == Some(b"http://a")),
            max_connections: Some(2),
            status_page: false,
        };
        let from = |origin| format!("{UPGRADE}8\r\nOrigin: {origin}");
        for version in [7, 13] {
            let other = format!("{UPGRADE}{version}");
            check(&admission, &other, 0, "\r\nSec-WebSocket-Version: 8\r\n");
        }
        check(&admission, &format!("{UPGRADE}8"), 0, "HTTP/1.1 403 ");
        check(&admission, &from("http://b"), 0, "HTTP/1.1 403 ");
        check(&admission, &from("http://a"), 2, "HTTP/1.1 503 ");
        check(&admission, &from("http://a"), 1, "taken");
        check(&admission, " HTTP/1.1", 0, "HTTP/1.1 426 ");
    }

    #[test]
    fn a_plain_request_may_name_a_place_to_go_to() {
        let admission = Admission::default();
        check(&admission, " HTTP/1.1", 0, "HTTP/1.1 200 OK\r\nContent-Type: text/plain");
        let there = "redirect=http://e/%3fa HTTP/1.1";
        check(&admission, there, 0, "HTTP/1.1 303 see there\r\nLocation: http://e/?a\r\n");
        let later = "redirect=http://e&after=3 HTTP/1.1";
        check(&admission, later, 0, "\r\nRefresh: 3;url=http://e\r\n");
        check(&admission, "redirect=e&after=x HTTP/1.1", 0, "HTTP/1.1 400 ");
        check(&admission, "redirect=e%0d%0aX:y HTTP/1.1", 0, "HTTP/1.1 303 see there\r\nConn");
    }
}
