//! The opening handshake over HTTP/1.1 (RFC 6455, 4).
//!
//! Heads are written octet by octet, so that malformed ones can be sent; they are parsed with
//! `httparse`, and the octets that came are kept beside what they mean.

mod extensions;
mod head;
mod response;

pub use extensions::{Extension, MalformedField, Parameter, parse_extensions};
pub use head::{
    Field, HeadReader, MAX_FIELDS, RequestHead, ResponseHead, parse_lax_request, parse_request,
};
pub use response::{Offer, check_response};

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};

/// Computes `Sec-WebSocket-Accept` for a key, legal or not (RFC 6455, 4.2.2, item 5.4).
pub fn accept_for(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(hash.finalize())
}

/// Writes sixteen octets as a `Sec-WebSocket-Key` (RFC 6455, 4.1, item 7).
pub fn key_from(nonce: [u8; 16]) -> String {
    BASE64_STANDARD.encode(nonce)
}

/// Whether a `Sec-WebSocket-Key` is the base64 of sixteen octets (RFC 6455, 4.2.1, item 5).
pub fn is_key(key: &[u8]) -> bool {
    BASE64_STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

/// Whether a comma-separated list contains `token`, compared without regard to case.
pub fn has_token(list: &[u8], token: &str) -> bool {
    list.split(|&octet| octet == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_of_rfc_6455_1_3() {
        assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(accept_for(b""), "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
    }

    #[test]
    fn keys_are_sixteen_octets() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(is_key(key_from([0xff; 16]).as_bytes()));
        assert!(!is_key(b"AAECAwQFBgcICQoLDA0O"));
        assert!(!is_key(b"dGhlIHNhbXBsZSBub25jZQ"));
        assert!(!is_key(b""));
    }

    #[test]
    fn tokens_are_whole() {
        assert!(has_token(b"keep-alive, Upgrade", "upgrade"));
        assert!(!has_token(b"notupgrade", "upgrade"));
    }
}
