//! What a client checks in the answer to its opening handshake (RFC 6455, 4.1 and 4.2.2).

use super::{ResponseHead, accept_for, has_token};
use crate::Violation;

/// What the client's request offered, as far as the answer must fit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The `Sec-WebSocket-Key` that was sent.
    pub key: String,
    /// Subprotocols offered.
    pub subprotocols: Vec<String>,
    /// Names of the extensions offered.
    pub extensions: Vec<String>,
}

/// Names everything for which a client must fail the connection, in the order of RFC 6455, 4.1.
pub fn check_response(response: &ResponseHead, offer: &Offer) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut check = |good: bool, violation| {
        if !good {
            found.push(violation);
        }
    };
    check(response.minor_version == 1, Violation::VersionNot11);
    if response.status != 101 {
        // A refusal need not have any of the rest.
        found.push(Violation::StatusNot101);
        return found;
    }
    let upgrade: Vec<_> = response.values("Upgrade").collect();
    check(
        matches!(upgrade[..], [value] if value.eq_ignore_ascii_case(b"websocket")),
        Violation::UpgradeHeaderWrong,
    );
    check(
        response.values("Connection").any(|value| has_token(value, "upgrade")),
        Violation::ConnectionHeaderWrong,
    );
    let accept: Vec<_> = response.values("Sec-WebSocket-Accept").collect();
    check(!accept.is_empty(), Violation::AcceptMissing);
    check(accept.len() <= 1, Violation::AcceptRepeated);
    let expected = accept_for(offer.key.as_bytes());
    check(accept.iter().all(|value| *value == expected.as_bytes()), Violation::AcceptWrong);
    let subprotocols: Vec<_> = response.values("Sec-WebSocket-Protocol").collect();
    check(subprotocols.len() <= 1, Violation::SubprotocolRepeated);
    // An empty value names nothing.
    let subprotocol_offered = subprotocols.iter().all(|value| {
        value.is_empty() || offer.subprotocols.iter().any(|offered| offered.as_bytes() == *value)
    });
    check(subprotocol_offered, Violation::SubprotocolNotOffered);
    let extensions: Vec<_> = response.values("Sec-WebSocket-Extensions").collect();
    check(extensions.len() <= 1, Violation::ExtensionsRepeated);
    let extensions_offered = extensions
        .iter()
        .flat_map(|value| value.split(|&octet| octet == b','))
        .filter(|item| !item.trim_ascii().is_empty())
        .map(|item| item.split(|&octet| octet == b';').next().unwrap_or_default().trim_ascii())
        .all(|name| {
            offer.extensions.iter().any(|offered| offered.as_bytes().eq_ignore_ascii_case(name))
        });
    check(extensions_offered, Violation::ExtensionNotOffered);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HeadReader;

    fn check(lines: &str, expected: &[Violation]) {
        let mut reader = HeadReader::new(1 << 12);
        reader
            .push(format!("{lines}\r\n\r\n").replace('\n', "\r\n").replace("\r\r", "\r").as_bytes())
            .unwrap();
        let offer = Offer {
            key: "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
            subprotocols: vec!["chat".to_owned()],
            extensions: Vec::new(),
        };
        assert_eq!(check_response(&reader.response().unwrap(), &offer), expected, "{lines}");
    }

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\nupgrade: WebSocket\n\
        connection: keep-alive, Upgrade\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    #[test]
    fn a_good_answer_in_any_case() {
        check(GOOD, &[]);
        check(&format!("{GOOD}\nSec-WebSocket-Protocol: chat"), &[]);
    }

    #[test]
    fn each_fault_has_its_name() {
        check("HTTP/1.1 400 Bad Request\nContent-Length: 0", &[Violation::StatusNot101]);
        check(&GOOD.replace("WebSocket\n", "h2c\n"), &[Violation::UpgradeHeaderWrong]);
        check(&GOOD.replace(", Upgrade", ""), &[Violation::ConnectionHeaderWrong]);
        check(&GOOD.replace("s3p", "S3p"), &[Violation::AcceptWrong]);
        check(&GOOD.replace("-accept", "-except"), &[Violation::AcceptMissing]);
        check(
            &format!("{GOOD}\nSec-WebSocket-Protocol: other"),
            &[Violation::SubprotocolNotOffered],
        );
        check(
            &format!("{GOOD}\nSec-WebSocket-Extensions: permessage-deflate; x=1"),
            &[Violation::ExtensionNotOffered],
        );
        check(&GOOD.replace("HTTP/1.1", "HTTP/1.0"), &[Violation::VersionNot11]);
        check(
            &format!("{GOOD}\nSec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: chat"),
            &[Violation::SubprotocolRepeated],
        );
        check(
            &format!("{GOOD}\nSec-WebSocket-Extensions:\nSec-WebSocket-Extensions:"),
            &[Violation::ExtensionsRepeated],
        );
        check(
            &format!("{GOOD}\nSec-WebSocket-Extensions: ;x=1"),
            &[Violation::ExtensionNotOffered],
        );
    }

    #[test]
    fn empty_fields_name_nothing() {
        check(&format!("{GOOD}\nSec-WebSocket-Protocol: "), &[]);
        check(&format!("{GOOD}\nSec-WebSocket-Extensions: ,"), &[]);
    }
}
