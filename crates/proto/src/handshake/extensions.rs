//! The `Sec-WebSocket-Extensions` field: what it says, without knowing any extension
//! (RFC 6455, 9.1).

use std::fmt;

/// An extension as it is offered or agreed: its name and its parameters, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The name as it was written.
    pub name: String,
    /// The parameters.
    pub parameters: Vec<Parameter>,
}

/// A parameter of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name as it was written.
    pub name: String,
    /// The value, without the quotes that it may have had.
    pub value: Option<String>,
}

/// Why a field is no list of extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedField {
    /// Offset of the octet at which reading stopped.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

impl fmt::Display for MalformedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "octet {} of Sec-WebSocket-Extensions should be {}", self.at, self.expected)
    }
}

impl std::error::Error for MalformedField {}

/// Reads the value of one `Sec-WebSocket-Extensions` field. Elements may be empty, as in every
/// list of HTTP (RFC 9110, 5.6.1).
pub fn parse_extensions(value: &[u8]) -> Result<Vec<Extension>, MalformedField> {
    let mut reader = Reader { value, at: 0 };
    let mut found = Vec::new();
    loop {
        reader.skip_blanks();
        while reader.take(b',') {
            reader.skip_blanks();
        }
        if reader.is_done() {
            return Ok(found);
        }
        found.push(reader.extension()?);
        if !reader.is_done() && !reader.take(b',') {
            return reader.expected("a comma, a semicolon or the end");
        }
    }
}

struct Reader<'a> {
    value: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn extension(&mut self) -> Result<Extension, MalformedField> {
        let name = self.token("the name of an extension")?;
        let mut parameters = Vec::new();
        while self.take(b';') {
            self.skip_blanks();
            parameters.push(self.parameter()?);
        }
        Ok(Extension { name, parameters })
    }

    fn parameter(&mut self) -> Result<Parameter, MalformedField> {
        let name = self.token("the name of a parameter")?;
        if !self.take(b'=') {
            return Ok(Parameter { name, value: None });
        }
        self.skip_blanks();
        let value = if self.take(b'"') { self.quoted()? } else { self.token("a value")? };
        Ok(Parameter { name, value: Some(value) })
    }

    /// A token and the blanks after it.
    fn token(&mut self, what: &'static str) -> Result<String, MalformedField> {
        let start = self.at;
        while self.value.get(self.at).is_some_and(|&octet| is_token(octet)) {
            self.at += 1;
        }
        if self.at == start {
            return self.expected(what);
        }
        let token = self.value[start..self.at].iter().map(|&octet| char::from(octet)).collect();
        self.skip_blanks();
        Ok(token)
    }

    /// The rest of a quoted string, which must be a token once it is unquoted (RFC 6455, 9.1).
    fn quoted(&mut self) -> Result<String, MalformedField> {
        let mut value = String::new();
        loop {
            match self.value.get(self.at) {
                Some(b'"') if !value.is_empty() => break,
                Some(b'\\') if self.value.get(self.at + 1).is_some_and(|&o| is_token(o)) => {
                    value.push(char::from(self.value[self.at + 1]));
                    self.at += 2;
                }
                Some(&octet) if is_token(octet) => {
                    value.push(char::from(octet));
                    self.at += 1;
                }
                _ => return self.expected("a token in quotes"),
            }
        }
        self.at += 1;
        self.skip_blanks();
        Ok(value)
    }

    fn take(&mut self, octet: u8) -> bool {
        let found = self.value.get(self.at) == Some(&octet);
        self.at += usize::from(found);
        found
    }

    fn skip_blanks(&mut self) {
        while matches!(self.value.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn is_done(&self) -> bool {
        self.at == self.value.len()
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, MalformedField> {
        Err(MalformedField { at: self.at, expected })
    }
}

/// Whether an octet may stand in a token (RFC 9110, 5.6.2).
const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for Parameter { name, value } in &self.parameters {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        let read = match parse_extensions(value.as_bytes()) {
            Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "),
            Err(fault) => format!("{} at {}", fault.expected, fault.at),
        };
        assert_eq!(read, expected, "{value}");
    }

    #[test]
    fn lists_are_read() {
        check("", "");
        check("permessage-deflate", "permessage-deflate");
        check("a;b=1 ; c\t= 2 ,, d; e=\"1\\5\"", "a; b=1; c=2 + d; e=15");
        check(" , a , ", "a");
    }

    #[test]
    fn faults_are_named_with_their_place() {
        check("a;", "the name of a parameter at 2");
        check("a;;b", "the name of a parameter at 2");
        check(";a", "the name of an extension at 0");
        check("a b", "a comma, a semicolon or the end at 2");
        check("a; b=", "a value at 5");
        check("a; b=\"\"", "a token in quotes at 6");
        check("a; b=\"1 0\"", "a token in quotes at 7");
        check("a; b=\"10", "a token in quotes at 8");
        check("a; b=1=2", "a comma, a semicolon or the end at 6");
    }
}
