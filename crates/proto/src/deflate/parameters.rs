//! What is offered and agreed for permessage-deflate (RFC 7692, 7.1).

use std::{fmt, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use crate::{
    Role,
    handshake::{Extension, Parameter},
};

/// The extension's name.
pub const NAME: &str = "permessage-deflate";

/// The sizes that a LZ77 sliding window may have, as powers of two (RFC 7692, 7.1.2).
pub const WINDOW_BITS: RangeInclusive<u8> = 8..=15;

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The parameters of an offer or of the answer to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// The server compresses each message by itself.
    pub server_no_context_takeover: bool,
    /// The client compresses each message by itself.
    pub client_no_context_takeover: bool,
    /// The server's window is no larger.
    pub server_max_window_bits: Option<u8>,
    /// What is said of the client's window.
    pub client_max_window_bits: ClientWindow,
}

/// `client_max_window_bits`, which an offer may name without a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientWindow {
    /// Not named. A server must not name it in the answer then.
    #[default]
    Unnamed,
    /// The client can limit its window; only in an offer.
    Supported,
    /// A limit, or in an offer a hint.
    Bits(u8),
}

/// What one end does when it compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Compression {
    /// Whether a message may refer to earlier ones.
    pub context_takeover: bool,
    /// Size of the window as a power of two.
    pub window_bits: u8,
}

/// What both ends do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Agreement {
    /// What the server sends.
    pub server: Compression,
    /// What the client sends.
    pub client: Compression,
}

/// Why an offer or an answer is to be declined (RFC 7692, 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterFault {
    /// The extension does not know the parameter.
    Unknown(String),
    /// The parameter stands there more than once.
    Repeated(String),
    /// The parameter must not have this value, or must have one.
    BadValue {
        /// Which parameter.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// The answer does not keep to what was offered.
    NotOffered(&'static str),
}

impl fmt::Display for ParameterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "permessage-deflate has no parameter `{name}`"),
            Self::Repeated(name) => write!(f, "`{name}` is given more than once"),
            Self::BadValue { name, value: Some(value) } => {
                write!(f, "`{name}` must not have the value `{value}`")
            }
            Self::BadValue { name, value: None } => write!(f, "`{name}` needs a value"),
            Self::NotOffered(name) => write!(f, "`{name}` does not fit the offer"),
        }
    }
}

impl std::error::Error for ParameterFault {}

impl Parameters {
    /// Whether this is the extension, whose name is compared without regard to case.
    pub fn are_of(extension: &Extension) -> bool {
        extension.name.eq_ignore_ascii_case(NAME)
    }

    /// Reads what a client offers.
    pub fn of_offer(extension: &Extension) -> Result<Self, ParameterFault> {
        Self::read(extension, true)
    }

    /// Reads what a server answers. Whether it fits the offer is another question:
    /// [`fits`](Self::fits).
    pub fn of_answer(extension: &Extension) -> Result<Self, ParameterFault> {
        Self::read(extension, false)
    }

    /// As it stands in an answer, the extension's name included.
    pub fn answer(&self) -> String {
        let [client, server] = [self.of_client(), self.of_server()];
        std::iter::once(NAME.to_owned()).chain(server).chain(client).collect::<Vec<_>>().join("; ")
    }

    fn of_client(self) -> Vec<String> {
        let takeover =
            self.client_no_context_takeover.then(|| CLIENT_NO_CONTEXT_TAKEOVER.to_owned());
        let window = match self.client_max_window_bits {
            ClientWindow::Unnamed => None,
            ClientWindow::Supported => Some(CLIENT_MAX_WINDOW_BITS.to_owned()),
            ClientWindow::Bits(bits) => Some(format!("{CLIENT_MAX_WINDOW_BITS}={bits}")),
        };
        takeover.into_iter().chain(window).collect()
    }

    fn of_server(self) -> Vec<String> {
        let takeover =
            self.server_no_context_takeover.then(|| SERVER_NO_CONTEXT_TAKEOVER.to_owned());
        let window =
            self.server_max_window_bits.map(|bits| format!("{SERVER_MAX_WINDOW_BITS}={bits}"));
        takeover.into_iter().chain(window).collect()
    }

    fn read(extension: &Extension, is_offer: bool) -> Result<Self, ParameterFault> {
        let mut read = Self::default();
        for parameter in &extension.parameters {
            let flag = |set: &mut bool| match parameter.value {
                Some(_) => Err(bad_value(parameter)),
                None if *set => Err(ParameterFault::Repeated(parameter.name.clone())),
                None => {
                    *set = true;
                    Ok(())
                }
            };
            match parameter.name.to_ascii_lowercase().as_str() {
                SERVER_NO_CONTEXT_TAKEOVER => flag(&mut read.server_no_context_takeover)?,
                CLIENT_NO_CONTEXT_TAKEOVER => flag(&mut read.client_no_context_takeover)?,
                SERVER_MAX_WINDOW_BITS => {
                    once(read.server_max_window_bits.is_none(), parameter)?;
                    read.server_max_window_bits = Some(window_bits(parameter)?);
                }
                CLIENT_MAX_WINDOW_BITS => {
                    once(read.client_max_window_bits == ClientWindow::Unnamed, parameter)?;
                    let supported = is_offer && parameter.value.is_none();
                    read.client_max_window_bits = if supported {
                        ClientWindow::Supported
                    } else {
                        ClientWindow::Bits(window_bits(parameter)?)
                    };
                }
                _ => return Err(ParameterFault::Unknown(parameter.name.clone())),
            }
        }
        Ok(read)
    }

    /// Whether an answer keeps to an offer (RFC 7692, 7.1).
    pub fn fits(&self, offer: &Self) -> Result<(), ParameterFault> {
        let fault = |name| Err(ParameterFault::NotOffered(name));
        if offer.server_no_context_takeover && !self.server_no_context_takeover {
            return fault(SERVER_NO_CONTEXT_TAKEOVER);
        }
        if let Some(asked) = offer.server_max_window_bits
            && self.server_max_window_bits.is_none_or(|bits| bits > asked)
        {
            return fault(SERVER_MAX_WINDOW_BITS);
        }
        let named = self.client_max_window_bits != ClientWindow::Unnamed;
        if named && offer.client_max_window_bits == ClientWindow::Unnamed {
            return fault(CLIENT_MAX_WINDOW_BITS);
        }
        Ok(())
    }

    /// What both ends do once this was answered.
    pub fn agreement(&self) -> Agreement {
        let client_bits = match self.client_max_window_bits {
            ClientWindow::Bits(bits) => bits,
            ClientWindow::Supported | ClientWindow::Unnamed => *WINDOW_BITS.end(),
        };
        Agreement {
            server: Compression {
                context_takeover: !self.server_no_context_takeover,
                window_bits: self.server_max_window_bits.unwrap_or(*WINDOW_BITS.end()),
            },
            client: Compression {
                context_takeover: !self.client_no_context_takeover,
                window_bits: client_bits,
            },
        }
    }
}

impl Agreement {
    /// What `role` does when it sends.
    pub fn of(&self, role: Role) -> Compression {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }
}

impl Compression {
    /// Size of the window in octets.
    pub fn window(&self) -> u32 {
        1 << self.window_bits
    }
}

/// As it stands in an offer, the extension's name included.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = std::iter::once(NAME.to_owned()).chain(self.of_client()).chain(self.of_server());
        f.write_str(&all.collect::<Vec<_>>().join("; "))
    }
}

fn once(first: bool, parameter: &Parameter) -> Result<(), ParameterFault> {
    if first { Ok(()) } else { Err(ParameterFault::Repeated(parameter.name.clone())) }
}

/// A decimal number without leading zeros (RFC 7692, 7.1.2.1).
fn window_bits(parameter: &Parameter) -> Result<u8, ParameterFault> {
    parameter
        .value
        .as_deref()
        .filter(|value| !value.starts_with(['0', '+']))
        .and_then(|value| value.parse().ok())
        .filter(|bits| WINDOW_BITS.contains(bits))
        .ok_or_else(|| bad_value(parameter))
}

fn bad_value(parameter: &Parameter) -> ParameterFault {
    ParameterFault::BadValue { name: parameter.name.clone(), value: parameter.value.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::parse_extensions;

    fn read(value: &str, is_offer: bool) -> Result<Parameters, ParameterFault> {
        Parameters::read(&parse_extensions(value.as_bytes()).unwrap()[0], is_offer)
    }

    fn check(value: &str, offer: &str, answer: &str) {
        for (is_offer, expected) in [(true, offer), (false, answer)] {
            let said = match read(value, is_offer) {
                Ok(read) => read.to_string(),
                Err(fault) => fault.to_string(),
            };
            assert_eq!(said, expected, "{value}, offer: {is_offer}");
        }
    }

    #[test]
    fn parameters_are_read_and_written() {
        check("permessage-deflate", NAME, NAME);
        let all = "permessage-deflate; client_no_context_takeover; client_max_window_bits=8; \
            server_no_context_takeover; server_max_window_bits=15";
        check(all, all, all);
        check(
            "x; SERVER_MAX_WINDOW_BITS=\"10\"",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        );
        check(
            "x; client_max_window_bits",
            "permessage-deflate; client_max_window_bits",
            "`client_max_window_bits` needs a value",
        );
    }

    #[test]
    fn faults_are_named() {
        for value in ["7", "16", "010", "x", "-9", "+9", "256"] {
            let fault = format!("`server_max_window_bits` must not have the value `{value}`");
            check(&format!("x; server_max_window_bits={value}"), &fault, &fault);
        }
        let fault = "`server_max_window_bits` needs a value";
        check("x; server_max_window_bits", fault, fault);
        let fault = "`server_no_context_takeover` must not have the value `1`";
        check("x; server_no_context_takeover=1", fault, fault);
        let fault = "`client_no_context_takeover` is given more than once";
        check("x; client_no_context_takeover; client_no_context_takeover", fault, fault);
        let fault = "permessage-deflate has no parameter `level`";
        check("x; level=9", fault, fault);
    }

    #[test]
    fn an_answer_keeps_to_the_offer_or_not() {
        for (offer, answer, fits) in [
            ("x", "x; server_no_context_takeover; server_max_window_bits=9", true),
            ("x", "x; client_no_context_takeover", true),
            ("x", "x; client_max_window_bits=9", false),
            ("x; client_max_window_bits", "x; client_max_window_bits=9", true),
            ("x; server_max_window_bits=10", "x", false),
            ("x; server_max_window_bits=10", "x; server_max_window_bits=11", false),
            ("x; server_max_window_bits=10", "x; server_max_window_bits=9", true),
            ("x; server_no_context_takeover", "x", false),
        ] {
            let (offer, answer) = (read(offer, true).unwrap(), read(answer, false).unwrap());
            assert_eq!(answer.fits(&offer).is_ok(), fits, "{offer} / {answer}");
        }
    }
}
