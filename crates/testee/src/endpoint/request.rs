//! The server's side of the opening handshake (RFC 6455, 4.2).
//!
//! A request is refused for whatever is wrong in it, with an HTTP answer that says what.

use std::fmt::Write as _;

use wsproof_proto::{
    deflate::Parameters,
    handshake::{RequestHead, accept_for, has_token, is_key, parse_request},
};

use super::{ServerConfig, deflate, fields};
use crate::defect::behaviour::{Behaviour, Flaw, Opening};

/// A request that may become a WebSocket.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) target: String,
    pub(super) subprotocol: Option<String>,
    pub(super) deflate: Option<Parameters>,
    pub(super) agent: Option<String>,
    accept: String,
}

/// Parses a request head and checks all of RFC 6455, 4.2.1.
pub(super) fn judge(
    head: &[u8],
    config: &ServerConfig,
    behaviour: &Behaviour,
) -> Result<Accepted, Flaw> {
    let request = parse(head)?;
    let check = |good: bool, flaw: Flaw| {
        if good || behaviour.overlooks.contains(&flaw) { Ok(()) } else { Err(flaw) }
    };
    let only = |name| {
        let mut values = request.values(name);
        values.next().filter(|_| values.next().is_none())
    };
    let has = |name: &str| request.values(name).next().is_some();
    let listed = |name, token| request.values(name).any(|list| has_token(list, token));

    check(request.method == "GET", Flaw::Method)?;
    check(request.version != "1.0", Flaw::HttpVersion)?;
    check(fields::is_target(&request.target), Flaw::Target)?;
    check(only("Host").is_some_and(fields::is_host), Flaw::Host)?;
    check(listed("Upgrade", "websocket"), Flaw::Upgrade)?;
    check(listed("Connection", "upgrade"), Flaw::Connection)?;
    check(only("Sec-WebSocket-Key").is_some_and(is_key), Flaw::Key)?;
    let versions = request.values("Sec-WebSocket-Version").count();
    check(versions <= 1, Flaw::VersionRepeated)?;
    check(only("Sec-WebSocket-Version") == Some(b"13"), Flaw::Version)?;
    // A content would be read as frames: such a request is no upgrade that could be honoured.
    let no_content =
        !has("Transfer-Encoding") && request.values("Content-Length").all(|length| length == b"0");
    check(no_content, Flaw::Content)?;
    let origins = &config.origins;
    check(request.values("Origin").all(|origin| origins.allow(origin)), Flaw::Origin)?;
    let extensions = fields::extensions(request.values("Sec-WebSocket-Extensions"));
    check(extensions.is_some(), Flaw::Extensions)?;
    let deflate = match (&config.deflate, extensions) {
        (Some(options), Some(offers)) => options.answer(&offers, behaviour.agreeing)?,
        _ => None,
    };
    let offers = fields::subprotocols(request.values("Sec-WebSocket-Protocol"));
    check(offers.is_some(), Flaw::Subprotocols)?;
    let offers = offers.unwrap_or_default();
    if behaviour.opening == Opening::SubprotocolDemanded && offers.is_empty() {
        return Err(Flaw::Subprotocols);
    }
    // The client names them in the order of its preference (RFC 6455, 4.1).
    let subprotocol = offers.into_iter().find(|offer| config.subprotocols.contains(offer));
    let key = request.values("Sec-WebSocket-Key").next().unwrap_or_default();
    let agent = request.values("User-Agent").next();
    let agent = agent.map(|agent| String::from_utf8_lossy(agent).into_owned());
    let accept = accept_for(key);
    Ok(Accepted { accept, agent, deflate, subprotocol, target: request.target })
}

/// The answer that opens the WebSocket (RFC 6455, 4.2.2).
pub(super) fn answer(accepted: &Accepted, config: &ServerConfig, behaviour: &Behaviour) -> Vec<u8> {
    let opening = behaviour.opening;
    let mut head = match opening {
        Opening::Status200 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => "HTTP/1.1 101 Switching Protocols\r\n".to_owned(),
    };
    head.push_str("Upgrade: websocket\r\nConnection: Upgrade\r\n");
    let accept = match opening {
        Opening::AcceptMissing => None,
        Opening::AcceptWrong => Some(accept_for(accepted.accept.as_bytes())),
        _ => Some(accepted.accept.clone()),
    };
    let unasked = (opening == Opening::SubprotocolUnasked).then(|| "unasked".to_owned());
    let mut extensions = accepted.deflate.map(|answer| deflate::field(answer, behaviour.agreeing));
    if opening == Opening::ExtensionUnasked {
        let others = extensions.map(|others| format!(", {others}")).unwrap_or_default();
        extensions = Some(format!("x-unasked{others}"));
    }
    let fields = [
        ("Sec-WebSocket-Accept", accept.as_ref()),
        ("Sec-WebSocket-Protocol", unasked.as_ref().or(accepted.subprotocol.as_ref())),
        ("Sec-WebSocket-Extensions", extensions.as_ref()),
        ("Server", config.server_name.as_ref()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            push_field(&mut head, name, value);
        }
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The answer to a request that is refused.
pub(super) fn refusal(flaw: Flaw, head: &[u8], config: &ServerConfig, opening: Opening) -> Vec<u8> {
    let (status, phrase, why) = status_of(flaw);
    let mut answer = format!("HTTP/1.1 {status} {phrase}\r\n");
    let names_version =
        matches!(flaw, Flaw::Version | Flaw::VersionRepeated) && opening != Opening::VersionUnnamed;
    if flaw == Flaw::Version {
        // A 426 names the protocol that is required (RFC 9110, 15.5.22).
        push_field(&mut answer, "Upgrade", "websocket");
        push_field(&mut answer, "Connection", "Upgrade, close");
    } else {
        push_field(&mut answer, "Connection", "close");
    }
    if names_version {
        push_field(&mut answer, "Sec-WebSocket-Version", "13");
    }
    if flaw == Flaw::Method {
        push_field(&mut answer, "Allow", "GET");
    }
    if let Some(name) = &config.server_name {
        push_field(&mut answer, "Server", name);
    }
    let content = format!("{why}\n");
    push_field(&mut answer, "Content-Type", "text/plain; charset=utf-8");
    push_field(&mut answer, "Content-Length", &content.len().to_string());
    answer.push_str("\r\n");
    // The answer to HEAD has no content (RFC 9110, 9.3.2).
    if !head.starts_with(b"HEAD ") {
        answer.push_str(&content);
    }
    answer.into_bytes()
}

/// Status, reason phrase and explanation of a refusal.
pub(super) fn status_of(flaw: Flaw) -> (u16, &'static str, &'static str) {
    let bad = |why| (400, "Bad Request", why);
    match flaw {
        Flaw::Connection => bad("Connection does not contain the token Upgrade (RFC 6455, 4.2.1)"),
        Flaw::Content => bad("an opening handshake has no content"),
        Flaw::Extensions => bad("Sec-WebSocket-Extensions is malformed (RFC 6455, 9.1)"),
        Flaw::Head => bad("the octets are no HTTP/1.1 request (RFC 9112)"),
        Flaw::HeadTooLong => {
            (431, "Request Header Fields Too Large", "the request head is too large")
        }
        Flaw::Host => bad("there must be one well-formed Host (RFC 9112, 3.2)"),
        Flaw::HttpVersion => bad("HTTP/1.1 is required (RFC 6455, 4.2.1)"),
        Flaw::Key => bad("there must be one Sec-WebSocket-Key of 16 octets (RFC 6455, 4.2.1)"),
        Flaw::Method => (405, "Method Not Allowed", "the method must be GET (RFC 6455, 4.2.1)"),
        Flaw::Origin => (403, "Forbidden", "this Origin may not connect (RFC 6455, 4.2.2)"),
        Flaw::Subprotocols => bad("Sec-WebSocket-Protocol is malformed (RFC 6455, 4.1)"),
        Flaw::Target => bad("the request target is malformed (RFC 6455, 3)"),
        Flaw::TooLate => (408, "Request Timeout", "the request did not come in time"),
        Flaw::Upgrade => bad("Upgrade does not say websocket (RFC 6455, 4.2.1)"),
        Flaw::Version => {
            (426, "Upgrade Required", "Sec-WebSocket-Version must be 13 (RFC 6455, 4.2.2)")
        }
        Flaw::VersionRepeated => {
            bad("there is more than one Sec-WebSocket-Version (RFC 6455, 11.3.5)")
        }
    }
}

/// Whether the head that arrives is that of a request: told by its first line, and known to be none
/// as soon as an octet does not fit. `None` if the line is not complete; `fresh` octets are new.
///
/// Without this check a peer that speaks another protocol would wait for an empty line that nobody
/// sends.
pub(super) fn begins_request(head: &[u8], fresh: usize) -> Option<bool> {
    // An empty line may precede it (RFC 9112, 2.2).
    let start = if head.starts_with(b"\r\n") { 2 } else { 0 };
    let from = start.max(head.len() - fresh);
    let Some(length) = head[from..].iter().position(|&octet| octet == b'\n') else {
        let fits = |octet: &u8| matches!(octet, b' ' | b'\r' | 0x21..=0x7e | 0x80..);
        return if head[from..].iter().all(fits) { None } else { Some(false) };
    };
    let line = head[start..from + length].strip_suffix(b"\r").unwrap_or_default();
    Some(line.last_chunk::<8>().is_some_and(|version| version.starts_with(b"HTTP/")))
}

fn parse(head: &[u8]) -> Result<RequestHead, Flaw> {
    // A later minor version is to be read like the latest that is known (RFC 9110, 2.5).
    let end = head.windows(2).position(|pair| pair == b"\r\n").filter(|&end| end > 0);
    if let Some(end) = end
        && let Some(minor @ b'2'..=b'9') = head[..end].last()
        && head[..end].ends_with(&[b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', *minor])
    {
        let mut head = head.to_vec();
        head[end - 1] = b'1';
        return parse_request(&head).map_err(|_| Flaw::Head);
    }
    parse_request(head).map_err(|_| Flaw::Head)
}

fn push_field(head: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = write!(head, "{name}: {value}\r\n");
}
