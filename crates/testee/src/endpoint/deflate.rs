//! permessage-deflate (RFC 7692): what a server answers to offers, what a client accepts of an
//! answer, and the coding of messages that follows from it.

mod coding;

use wsproof_proto::{
    deflate::{Agreement, ClientWindow, Parameters, WINDOW_BITS},
    handshake::Extension,
};

use super::fields;
use crate::defect::behaviour::{Agreeing, Flaw};

pub(super) use coding::{Incoming, Outgoing, RSV1};

/// What a server does about permessage-deflate, within what the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateOptions {
    /// Compress each message by itself, even if the client does not ask for that.
    pub no_context_takeover: bool,
    /// Size of the window with which the server compresses, as a power of two, 8 to 15. The client
    /// may ask for less.
    pub max_window_bits: u8,
    /// Ask the client to compress each message by itself.
    pub request_no_context_takeover: bool,
    /// Ask the client for a window of this size. A client that did not name the parameter cannot
    /// be asked (RFC 7692, 7.1.2.2), and its window is taken as it is.
    pub request_max_window_bits: Option<u8>,
    /// How hard the server compresses, from 1 (fast) to 9 (small).
    pub level: u32,
    /// How much memory the server compresses with, from 1 to 9. It is here because configurations
    /// elsewhere have it; the compressor that is used has no such setting, and nothing changes.
    pub memory_level: u8,
}

/// What a client offers of permessage-deflate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeflateOffer {
    /// The offers, best first.
    pub offers: Vec<Parameters>,
    /// How hard the client compresses, from 1 (fast) to 9 (small).
    pub level: u32,
}

/// The fastest level: a peer that tests wants its answer rather than few octets.
const LEVEL: u32 = 1;

impl Default for DeflateOptions {
    fn default() -> Self {
        Self {
            no_context_takeover: false,
            max_window_bits: *WINDOW_BITS.end(),
            request_no_context_takeover: false,
            request_max_window_bits: None,
            level: LEVEL,
            memory_level: 8,
        }
    }
}

/// The usual offer: the server may limit the client's window.
impl Default for DeflateOffer {
    fn default() -> Self {
        let client_max_window_bits = ClientWindow::Supported;
        let offer = Parameters { client_max_window_bits, ..Parameters::default() };
        Self { offers: vec![offer], level: LEVEL }
    }
}

impl DeflateOffer {
    /// An offer that leaves the client its whole window.
    pub fn of_whole_window() -> Self {
        Self { offers: vec![Parameters::default()], ..Self::default() }
    }
}

impl DeflateOptions {
    /// What is answered to the first offer that can be accepted. The others are declined, and if
    /// all are, the WebSocket opens without the extension (RFC 7692, 5.1 and 7.1).
    pub(super) fn answer(
        &self,
        offers: &[Extension],
        agreeing: Agreeing,
    ) -> Result<Option<Parameters>, Flaw> {
        let mut offers = offers.iter().filter(|extension| Parameters::are_of(extension));
        let accepted = offers.find_map(|offer| match Parameters::of_offer(offer) {
            Ok(parameters) => Some(Ok(parameters)),
            Err(_) => match agreeing {
                Agreeing::FaultsIgnored => Some(Ok(Parameters::default())),
                Agreeing::FaultsRefused | Agreeing::FirstOfferOnly => Some(Err(())),
                _ => None,
            },
        });
        match accepted {
            Some(Ok(offer)) => Ok(Some(self.answer_to(offer))),
            Some(Err(())) if agreeing == Agreeing::FaultsRefused => Err(Flaw::Extensions),
            Some(Err(())) | None => Ok(None),
        }
    }

    fn answer_to(&self, offer: Parameters) -> Parameters {
        let legal = |bits: u8| bits.clamp(*WINDOW_BITS.start(), *WINDOW_BITS.end());
        let ours = legal(self.max_window_bits);
        let limited = ours < *WINDOW_BITS.end();
        let asked = offer.server_max_window_bits;
        let requested = self.request_max_window_bits.map(legal);
        Parameters {
            server_no_context_takeover: self.no_context_takeover
                || offer.server_no_context_takeover,
            // A client that says it of itself does it anyway (RFC 7692, 7.1.1.2); saying it back
            // makes it certain.
            client_no_context_takeover: self.request_no_context_takeover
                || offer.client_no_context_takeover,
            server_max_window_bits: match asked {
                Some(asked) => Some(asked.min(ours)),
                None => limited.then_some(ours),
            },
            client_max_window_bits: match (offer.client_max_window_bits, requested) {
                (ClientWindow::Bits(hint), requested) => {
                    ClientWindow::Bits(hint.min(requested.unwrap_or(hint)))
                }
                (ClientWindow::Supported, Some(bits)) => ClientWindow::Bits(bits),
                (ClientWindow::Supported, None) | (ClientWindow::Unnamed, _) => {
                    ClientWindow::Unnamed
                }
            },
        }
    }
}

/// What the field of the answer says.
pub(super) fn field(answer: Parameters, agreeing: Agreeing) -> String {
    let said = match agreeing {
        Agreeing::WindowOf16 => Parameters { server_max_window_bits: Some(16), ..answer },
        Agreeing::WindowUnsaid => Parameters { server_max_window_bits: None, ..answer },
        Agreeing::ContextUnsaid => Parameters { server_no_context_takeover: false, ..answer },
        Agreeing::ClientWindowUnasked => {
            Parameters { client_max_window_bits: ClientWindow::Bits(15), ..answer }
        }
        _ => answer,
    };
    match agreeing {
        Agreeing::ParameterRepeated => {
            let flag = "client_no_context_takeover";
            format!("{said}; {flag}; {flag}")
        }
        Agreeing::AnsweredTwice => format!("{said}, {said}"),
        _ => said.to_string(),
    }
}

impl DeflateOffer {
    /// What the field of the request says.
    pub(super) fn field(&self) -> String {
        self.offers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// What the answer means; in words, why it is none to these offers (RFC 7692, 5.1 and 7.1).
    pub(super) fn accept<'a>(
        &self,
        answer: impl Iterator<Item = &'a [u8]>,
        agreeing: Agreeing,
    ) -> Result<Option<Agreement>, String> {
        let mut answer = answer.peekable();
        if answer.peek().is_none() {
            return Ok(None);
        }
        let extensions = fields::extensions(answer)
            .ok_or("Sec-WebSocket-Extensions is malformed (RFC 6455, 9.1)")?;
        let [extension] = &extensions[..] else {
            return Err("the answer names more than one extension".to_owned());
        };
        if !Parameters::are_of(extension) {
            return Err(format!("the answer names `{}`, which was not offered", extension.name));
        }
        let fit = Parameters::of_answer(extension).and_then(|answer| {
            let mut fitting = self.offers.iter().filter(|offer| answer.fits(offer).is_ok());
            // If it fits none, the first one says why.
            let offer = fitting.next().or_else(|| self.offers.first()).copied().unwrap_or_default();
            answer.fits(&offer).map(|()| (answer, offer))
        });
        match fit {
            Ok((answer, offer)) => Ok(Some(agreement(answer, offer))),
            Err(_) if agreeing == Agreeing::FaultsIgnored => {
                Ok(Some(Parameters::default().agreement()))
            }
            Err(fault) => Err(format!("{fault} (RFC 7692, 7.1)")),
        }
    }
}

/// What a client does after this answer. It keeps to what it said of itself, whether the server
/// repeats it or not (RFC 7692, 7.1.1.2 and 7.1.2.2).
fn agreement(answer: Parameters, offer: Parameters) -> Agreement {
    let mut agreement = answer.agreement();
    let client = &mut agreement.client;
    client.context_takeover &= !offer.client_no_context_takeover;
    if let ClientWindow::Bits(hint) = offer.client_max_window_bits {
        client.window_bits = client.window_bits.min(hint);
    }
    agreement
}

impl super::Endpoint {
    /// Compresses what is sent from now on and decompresses what comes.
    pub(super) fn agree(&mut self, agreement: Agreement, level: u32) {
        let role = self.role;
        let outgoing = Outgoing::new(agreement.of(role), level, self.behaviour.compressing);
        self.sender.deflate(outgoing);
        let incoming = Incoming::new(agreement.of(role.other()), self.behaviour.inflating);
        self.receiver.inflate(incoming);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(value: &str) -> Vec<Extension> {
        fields::extensions([value.as_bytes()].into_iter()).unwrap()
    }

    /// What a server with these options answers.
    fn check(options: DeflateOptions, offers: &str, expected: &str) {
        let answer = options.answer(&offered(offers), Agreeing::Right).unwrap();
        let said = answer.map(|answer| field(answer, Agreeing::Right)).unwrap_or_default();
        let expected = expected.replacen("pmd", "permessage-deflate", 1);
        assert_eq!(said, expected, "{offers}");
    }

    #[test]
    fn a_server_honours_whatever_a_client_may_ask_for() {
        let usual = DeflateOptions::default();
        check(usual, "permessage-deflate", "pmd");
        check(usual, "Permessage-Deflate; client_max_window_bits", "pmd");
        for bits in 8..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            check(usual, &offer, &offer);
            let offer = format!("permessage-deflate; client_max_window_bits={bits}");
            check(usual, &offer, &offer);
        }
        for flag in ["server_no_context_takeover", "client_no_context_takeover"] {
            let offer = format!("permessage-deflate; {flag}");
            check(usual, &offer, &offer);
        }
        check(
            usual,
            "permessage-deflate; server_max_window_bits=\"10\"; client_max_window_bits=12",
            "pmd; client_max_window_bits=12; server_max_window_bits=10",
        );
    }

    #[test]
    fn a_server_says_what_it_wants() {
        let options = DeflateOptions {
            no_context_takeover: true,
            max_window_bits: 10,
            request_no_context_takeover: true,
            request_max_window_bits: Some(11),
            ..DeflateOptions::default()
        };
        let flags = "server_no_context_takeover; server_max_window_bits";
        let said = format!("pmd; client_no_context_takeover; {flags}=10");
        check(options, "permessage-deflate", &said);
        let said = format!("pmd; client_no_context_takeover; client_max_window_bits=11; {flags}");
        let offer = "permessage-deflate; client_max_window_bits";
        check(options, offer, &format!("{said}=10"));
        check(options, &format!("{offer}; server_max_window_bits=9"), &format!("{said}=9"));
        let hinted = said.replace("=11", "=8");
        check(options, &format!("{offer}=8"), &format!("{hinted}=10"));
        let beyond = DeflateOptions { max_window_bits: 99, ..DeflateOptions::default() };
        check(beyond, "permessage-deflate", "pmd");
    }

    #[test]
    fn offers_with_faults_are_passed_over() {
        for fault in [
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits",
            "client_max_window_bits=7",
            "server_no_context_takeover=1",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=9",
            "mode=fast",
        ] {
            let bad = format!("permessage-deflate; {fault}");
            check(DeflateOptions::default(), &bad, "");
            let then_good = format!("x-other, {bad}, permessage-deflate; client_max_window_bits=9");
            check(DeflateOptions::default(), &then_good, "pmd; client_max_window_bits=9");
        }
        check(DeflateOptions::default(), "x-webkit-deflate-frame, permessage-bzip2", "");
    }

    /// How a client with this offer compresses after this answer, or why it fails.
    fn check_client(offers: &[Parameters], answer: &[&str], expected: Result<(bool, u8), &str>) {
        let offer = DeflateOffer { offers: offers.to_vec(), ..DeflateOffer::default() };
        let lines: Vec<_> =
            answer.iter().map(|line| line.replace("pmd", "permessage-deflate")).collect();
        let found = offer.accept(lines.iter().map(String::as_bytes), Agreeing::Right);
        match (found, expected) {
            (Ok(Some(agreement)), Ok((context_takeover, window_bits))) => {
                let client = agreement.client;
                let expected = (context_takeover, window_bits);
                assert_eq!((client.context_takeover, client.window_bits), expected, "{answer:?}");
            }
            (Err(why), Err(word)) => assert!(why.contains(word), "{answer:?}: {why}"),
            (found, _) => panic!("{answer:?}: {found:?}"),
        }
    }

    #[test]
    fn a_client_takes_what_fits_its_offer() {
        let usual = DeflateOffer::default().offers;
        check_client(&usual, &["pmd"], Ok((true, 15)));
        check_client(&usual, &["pmd; client_max_window_bits=9"], Ok((true, 9)));
        check_client(&usual, &["pmd ;\tclient_max_window_bits=\"8\""], Ok((true, 8)));
        check_client(&usual, &["pmd; server_max_window_bits=10"], Ok((true, 15)));
        check_client(&usual, &["pmd; client_no_context_takeover"], Ok((false, 15)));
        let hint = Parameters {
            client_no_context_takeover: true,
            client_max_window_bits: ClientWindow::Bits(10),
            ..Parameters::default()
        };
        check_client(&[hint], &["pmd"], Ok((false, 10)));
        let asking = Parameters { server_max_window_bits: Some(9), ..Parameters::default() };
        check_client(&[asking, hint], &["pmd"], Ok((false, 10)));
    }

    #[test]
    fn a_client_fails_on_everything_else() {
        let usual = DeflateOffer::default().offers;
        for (answer, word) in [
            ("", "malformed"),
            ("pmd;", "malformed"),
            ("pmd, pmd", "more than one"),
            ("x-other", "`x-other`"),
            ("pmd; foo=1", "`foo`"),
            ("pmd; server_max_window_bits=16", "`16`"),
            ("pmd; server_max_window_bits", "needs a value"),
            ("pmd; client_max_window_bits", "needs a value"),
            ("pmd; server_no_context_takeover=true", "`true`"),
            ("pmd; server_no_context_takeover; server_no_context_takeover", "more than once"),
        ] {
            check_client(&usual, &[answer], Err(word));
        }
        check_client(&usual, &["pmd", "pmd"], Err("more than one"));
        let plain = Parameters::default();
        let word = "`client_max_window_bits` does not fit";
        check_client(&[plain], &["pmd; client_max_window_bits=10"], Err(word));
        let asking = Parameters { server_max_window_bits: Some(9), ..plain };
        let word = "`server_max_window_bits` does not fit";
        check_client(&[asking], &["pmd"], Err(word));
        let asking = Parameters { server_no_context_takeover: true, ..plain };
        let word = "`server_no_context_takeover` does not fit";
        check_client(&[asking], &["pmd"], Err(word));
    }
}
