//! Close frames: status codes and bodies (RFC 6455, 5.5.1 and 7.4).

use serde::{Deserialize, Serialize};

/// A status code of a close frame, as a number; the names are those of RFC 6455, 7.4.1 and of the
/// IANA registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that cannot be accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: data that does not fit the kind of the message, such as ill-formed text.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message violates a policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too big.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// Whether an endpoint may put this code into a close frame (RFC 6455, 7.4.2, with the codes
    /// 1012 to 1014 that were registered later).
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The short name in the registry, if the code has one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake",
            _ => return None,
        })
    }
}

/// The body of a close frame, split but not judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloseBody<'a> {
    /// The status code; `None` if the body has fewer than two octets.
    pub code: Option<CloseCode>,
    /// What follows the code.
    pub reason: &'a [u8],
}

impl<'a> CloseBody<'a> {
    /// Splits the payload of a close frame. A lone octet is neither code nor reason.
    pub fn split(payload: &'a [u8]) -> Self {
        match payload {
            [high, low, reason @ ..] => {
                Self { code: Some(CloseCode(u16::from_be_bytes([*high, *low]))), reason }
            }
            _ => Self::default(),
        }
    }
}

/// Builds the payload of a close frame, legal or not: no code with a reason gives the bare reason.
pub fn body(code: Option<u16>, reason: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(2 + reason.len());
    if let Some(code) = code {
        body.extend_from_slice(&code.to_be_bytes());
    }
    body.extend_from_slice(reason);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sendable_codes_follow_the_registry() {
        let sendable = [1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999];
        let reserved = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535];
        assert!(sendable.iter().all(|&code| CloseCode(code).may_be_sent()));
        assert!(!reserved.iter().any(|&code| CloseCode(code).may_be_sent()));
    }

    #[test]
    fn bodies_split_where_the_code_ends() {
        assert_eq!(CloseBody::split(&[]), CloseBody::default());
        assert_eq!(CloseBody::split(&[0x03]), CloseBody::default());
        let body = body(Some(1000), b"bye");
        assert_eq!(body, [0x03, 0xe8, b'b', b'y', b'e']);
        let split = CloseBody::split(&body);
        assert_eq!((split.code, split.reason), (Some(CloseCode::NORMAL), &b"bye"[..]));
    }
}
