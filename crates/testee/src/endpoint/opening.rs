//! The opening handshake of either role, as far as octets come in (RFC 6455, 4).

use std::time::Duration;

use wsproof_proto::{
    Violation, deflate,
    handshake::{HeadReader, Offer, RequestHead, check_response, key_from},
};

use super::sender::Sender;
use super::{ClientConfig, DeflateOffer, Endpoint, Event, Phase, ServerConfig, Transmit, request};
use crate::defect::behaviour::{Flaw, Opening as Answer};

/// What is kept until the WebSocket is open.
#[derive(Debug)]
pub(super) enum Opening {
    /// `begun` once the first line is known to be that of a request.
    Server {
        head: HeadReader,
        begun: bool,
        config: Box<ServerConfig>,
    },
    Client {
        head: HeadReader,
        target: String,
        offer: Offer,
        deflate: Option<DeflateOffer>,
    },
}

impl Opening {
    pub(super) fn server(config: ServerConfig) -> Self {
        let head = HeadReader::new(config.max_head_size);
        Self::Server { head, begun: false, config: Box::new(config) }
    }

    /// Writes the request and remembers what the answer must fit.
    pub(super) fn client(config: ClientConfig, sender: &mut Sender) -> Self {
        let key = key_from(sender.nonce());
        let mut request = RequestHead::get(config.target.as_str())
            .with("Host", &config.host)
            .with("Upgrade", "websocket")
            .with("Connection", "Upgrade")
            .with("Sec-WebSocket-Key", &key)
            .with("Sec-WebSocket-Version", "13");
        if !config.subprotocols.is_empty() {
            request = request.with("Sec-WebSocket-Protocol", config.subprotocols.join(", "));
        }
        if let Some(offer) = &config.deflate {
            request = request.with("Sec-WebSocket-Extensions", offer.field());
        }
        if let Some(agent) = &config.user_agent {
            request = request.with("User-Agent", agent);
        }
        for (name, value) in &config.fields {
            request = request.with(name, value);
        }
        sender.octets(&request.encode());
        let extensions = config.deflate.iter().map(|_| deflate::NAME.to_owned()).collect();
        let offer = Offer { key, subprotocols: config.subprotocols, extensions };
        let head = HeadReader::new(config.max_head_size);
        Self::Client { head, target: config.target, offer, deflate: config.deflate }
    }
}

impl Endpoint {
    pub(super) fn read_head(&mut self, now: Duration, octets: &mut [u8]) {
        match self.opening.take() {
            Some(Opening::Server { head, begun, config }) => {
                self.read_request(now, head, begun, config, octets);
            }
            Some(Opening::Client { head, target, offer, deflate }) => {
                self.read_response(now, head, target, offer, deflate, octets);
            }
            None => {}
        }
    }

    /// The handshake's time is over.
    pub(super) fn give_up_opening(&mut self, now: Duration) {
        match self.opening.take() {
            Some(Opening::Server { head, config, .. }) => {
                self.refuse(now, Flaw::TooLate, &head, &config);
            }
            _ => self.give_up(now, None, "the answer did not come in time".to_owned()),
        }
    }

    fn read_request(
        &mut self,
        now: Duration,
        mut head: HeadReader,
        mut begun: bool,
        config: Box<ServerConfig>,
        octets: &mut [u8],
    ) {
        let Ok((consumed, complete)) = head.push(octets) else {
            return self.refuse(now, Flaw::HeadTooLong, &head, &config);
        };
        if !begun {
            match request::begins_request(head.octets(), consumed) {
                Some(false) => return self.refuse(now, Flaw::Head, &head, &config),
                begins => begun = begins.is_some(),
            }
        }
        if !complete {
            self.opening = Some(Opening::Server { head, begun, config });
            return;
        }
        let accepted = match request::judge(head.octets(), &config, &self.behaviour) {
            Ok(accepted) => accepted,
            Err(flaw) => return self.refuse(now, flaw, &head, &config),
        };
        self.sender.octets(&request::answer(&accepted, &config, &self.behaviour));
        let request::Accepted { target, subprotocol, agent, deflate, .. } = accepted;
        if let (Some(answer), Some(options)) = (deflate, config.deflate) {
            self.agree(answer.agreement(), options.level);
        }
        let opened = Event::Opened { target, subprotocol, agent };
        self.open(now, opened, self.behaviour.rest_of_read(&mut octets[consumed..]));
    }

    fn read_response(
        &mut self,
        now: Duration,
        mut head: HeadReader,
        target: String,
        offer: Offer,
        deflate: Option<DeflateOffer>,
        octets: &mut [u8],
    ) {
        let consumed = match head.push(octets) {
            Ok((consumed, true)) => consumed,
            Ok((_, false)) if head.may_be_response() => {
                self.opening = Some(Opening::Client { head, target, offer, deflate });
                return;
            }
            Ok((_, false)) => return self.give_up(now, None, Violation::NotHttp.to_string()),
            Err(violation) => return self.give_up(now, None, violation.to_string()),
        };
        let response = match head.response() {
            Ok(response) => response,
            Err(violation) => return self.give_up(now, None, violation.to_string()),
        };
        let wrong = check_response(&response, &offer)
            .into_iter()
            .find(|&violation| !self.behaviour.tolerates(violation));
        if let Some(violation) = wrong {
            return self.give_up(now, Some(response.status), violation.to_string());
        }
        if let Some(offer) = deflate {
            let extensions = response.values("Sec-WebSocket-Extensions");
            match offer.accept(extensions, self.behaviour.agreeing) {
                Ok(Some(agreement)) => self.agree(agreement, offer.level),
                Ok(None) => {}
                Err(why) => return self.give_up(now, Some(response.status), why),
            }
        }
        let first = |name| {
            response.values(name).next().map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let (subprotocol, agent) = (first("Sec-WebSocket-Protocol"), first("Server"));
        let opened = Event::Opened { target, subprotocol, agent };
        self.open(now, opened, self.behaviour.rest_of_read(&mut octets[consumed..]));
    }

    fn refuse(&mut self, now: Duration, flaw: Flaw, head: &HeadReader, config: &ServerConfig) {
        let (status, _, why) = request::status_of(flaw);
        self.sender.octets(&request::refusal(flaw, head.octets(), config, self.behaviour.opening));
        self.events.push_back(Event::Refused { status: Some(status), why: why.to_owned() });
        self.end_tcp(now, self.behaviour.tcp_of_failed);
    }

    fn give_up(&mut self, now: Duration, status: Option<u16>, why: String) {
        self.events.push_back(Event::Refused { status, why });
        self.phase = Phase::Lingering;
        self.finish(now, Transmit::Close);
    }
}

impl crate::defect::behaviour::Behaviour {
    /// What of a read that completes the handshake is taken for frames.
    fn rest_of_read<'a>(&self, rest: &'a mut [u8]) -> &'a mut [u8] {
        if self.opening == Answer::EarlyOctetsLost { &mut [] } else { rest }
    }
}
