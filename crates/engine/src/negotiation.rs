//! What the peer's half of the opening handshake says of permessage-deflate (RFC 7692, 5 and 7.1).
//!
//! `wstest` reads the field more leniently than RFC 6455, 9.1 allows, and so do we, because
//! verdicts follow from it; what the RFC minds is named all the same.

use wsproof_proto::{
    Violation,
    deflate::Parameters,
    handshake::{Extension, Parameter, parse_extensions},
};

use crate::Ask;

/// What a server agreed to.
pub(crate) struct Agreed {
    pub(crate) parameters: Parameters,
    /// What a client would have to fail the connection for, and `wstest` does not.
    pub(crate) misfit: Option<Violation>,
}

/// Reads the answer to our offers; there is at most one field.
pub(crate) fn answered(field: Option<&[u8]>, asks: &[Ask]) -> Result<Option<Agreed>, Violation> {
    let field = field.unwrap_or_default();
    let elements = elements(field);
    let element = match &elements[..] {
        [] => return Ok(None),
        [element] => element,
        _ => return Err(Violation::CompressionAgreedTwice),
    };
    let strict = strictly(field);
    // A quoted value may hold what only RFC 6455, 9.1 can read.
    let parameters = Parameters::of_answer(element)
        .or_else(|_| strict.map_err(|_| Violation::ExtensionParameterWrong))?;
    let fits = asks.iter().any(|ask| parameters.fits(&ask.offer()).is_ok());
    let misfit = match strict {
        Err(violation) => Some(violation),
        Ok(_) => (!fits).then_some(Violation::ExtensionParameterNotOffered),
    };
    Ok(Some(Agreed { parameters, misfit }))
}

/// Reads an answer of one element as the RFCs say.
fn strictly(field: &[u8]) -> Result<Parameters, Violation> {
    let elements = parse_extensions(field).map_err(|_| Violation::ExtensionsMalformed)?;
    let [element] = &elements[..] else { return Err(Violation::ExtensionsMalformed) };
    Parameters::of_answer(element).map_err(|_| Violation::ExtensionParameterWrong)
}

/// What to answer to a client's offers: the first thing to ask that one of them allows. An offer
/// that cannot be read spoils them all.
pub(crate) fn chosen(field: Option<&[u8]>, asks: &[Ask]) -> Result<Option<Parameters>, Violation> {
    let offers = elements(field.unwrap_or_default())
        .iter()
        .filter(|element| Parameters::are_of(element))
        .map(Parameters::of_offer)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Violation::ExtensionParameterWrong)?;
    Ok(asks.iter().find_map(|ask| offers.iter().find_map(|offer| ask.answer(offer))))
}

/// The elements of a field, read as `wstest` does: cut at commas, semicolons and the first equals
/// sign, with blanks and quotes taken off.
fn elements(field: &[u8]) -> Vec<Extension> {
    let field = String::from_utf8_lossy(field);
    let elements = field.split(',').map(str::trim).filter(|element| !element.is_empty());
    elements
        .map(|element| {
            let mut parts = element.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_owned();
            let parameters = parts
                .map(|part| match part.split_once('=') {
                    None => Parameter { name: part.to_owned(), value: None },
                    Some((name, value)) => {
                        Parameter { name: name.trim().to_owned(), value: Some(plain(value)) }
                    }
                })
                .collect();
            Extension { name, parameters }
        })
        .collect()
}

/// A value without blanks and quotes; a number also without sign and leading zeros.
fn plain(value: &str) -> String {
    let value = value.trim();
    let value = value.strip_prefix('"').unwrap_or(value);
    let value = value.strip_suffix('"').unwrap_or(value).trim();
    let digits = value.strip_prefix('+').unwrap_or(value);
    if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) {
        let number = digits.trim_start_matches('0');
        return if number.is_empty() { "0".to_owned() } else { number.to_owned() };
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use wsproof_proto::deflate::NAME;

    use super::*;

    fn check(field: &str, expected: &str) {
        let asks = [Ask { no_context_takeover: false, max_window_bits: Some(9) }];
        let said = match answered(Some(field.as_bytes()), &asks) {
            Ok(None) => "none".to_owned(),
            Ok(Some(Agreed { parameters, misfit: None })) => parameters.to_string(),
            Ok(Some(Agreed { parameters, misfit: Some(misfit) })) => {
                format!("{parameters} although {misfit:?}")
            }
            Err(violation) => format!("{violation:?}"),
        };
        assert_eq!(said.replace(NAME, "p"), expected, "{field}");
    }

    #[test]
    fn answers_are_read_as_wstest_reads_them_and_judged_as_the_rfc_says() {
        check("", "none");
        check(" , ", "none");
        check("permessage-deflate; server_max_window_bits=9", "p; server_max_window_bits=9");
        check("permessage-deflate", "p although ExtensionParameterNotOffered");
        check(
            "Permessage-Deflate; SERVER_max_window_bits\t= \"9\" ,",
            "p; server_max_window_bits=9",
        );
        check("permessage-deflate; server_max_window_bits=\"\\9\"", "p; server_max_window_bits=9");
        check(
            "permessage-deflate; server_max_window_bits=+09",
            "p; server_max_window_bits=9 although ExtensionParameterWrong",
        );
        check(
            "permessage-deflate; server_max_window_bits=\"9",
            "p; server_max_window_bits=9 although ExtensionsMalformed",
        );
        for wrong in ["16", "7", "0", "-9", "x", "", "\"\"", "\"\"9\"\"", "9=9", "9 10"] {
            let field = format!("permessage-deflate; server_max_window_bits={wrong}");
            check(&field, "ExtensionParameterWrong");
        }
        for wrong in
            [";", ";;", "; server_max_window_bits", "; x", "; client_no_context_takeover=1"]
        {
            check(&format!("permessage-deflate{wrong}"), "ExtensionParameterWrong");
        }
        check("permessage-deflate, permessage-deflate", "CompressionAgreedTwice");
    }
}
