//! An endpoint bears any peer: it holds little, it ends, and it says the same however the octets
//! of the peer are cut.
#![no_main]

use std::{num::NonZeroUsize, time::Duration};

use libfuzzer_sys::fuzz_target;
use wsproof_fuzz::{
    END, answer, cut, frame,
    moves::{Move, moves},
    request,
};
use wsproof_proto::{CloseCode, Role};
use wsproof_testee::{
    AutoPing, ClientConfig, CloseReply, DeflateOffer, DeflateOptions, Endpoint, Event, FailBy,
    Input, ServerConfig, Transmit,
};

/// Messages may have so many octets.
const LIMIT: usize = 1 << 10;

fuzz_target!(|input: &[u8]| {
    let [flags, more, a, b, rest @ ..] = input else { return };
    let moves = moves(rest);
    let go = |sizes| Peer::new([*flags, *more], sizes).go(&moves);
    assert_eq!(go(None), go(Some((*a, *b))), "{moves:?}");
});

/// The other side of an endpoint.
struct Peer {
    endpoint: Endpoint,
    role: Role,
    /// Whether the application closes in the end, not the peer.
    closes: bool,
    sizes: Option<(u8, u8)>,
    now: Duration,
    honest: Endpoint,
    said: Vec<Transmit>,
    /// What of it the honest endpoint has not seen yet.
    unseen: Vec<Transmit>,
    events: Vec<Event>,
}

impl Peer {
    fn new([flags, more]: [u8; 2], sizes: Option<(u8, u8)>) -> Self {
        let is = |bit: u8| flags >> bit & 1 == 1;
        let also = |bit: u8| more >> bit & 1 == 1;
        let client = |deflate, seed| ClientConfig {
            deflate,
            max_message_size: LIMIT,
            max_head_size: LIMIT,
            ..ClientConfig::new("h", "/", [seed; 32])
        };
        let deflate = is(1).then(|| DeflateOptions {
            no_context_takeover: also(0),
            request_no_context_takeover: also(1),
            max_window_bits: 8 + (more >> 5),
            request_max_window_bits: also(2).then_some(8 + (more >> 5)),
            ..DeflateOptions::default()
        });
        let server = ServerConfig {
            max_message_size: LIMIT,
            max_head_size: LIMIT,
            deflate,
            fragment_size: is(4).then_some(NonZeroUsize::MIN.saturating_add(6)),
            auto_ping: is(3).then_some(AutoPing {
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                size: 4,
            }),
            fail_by: if also(3) { FailBy::DroppingTcp } else { FailBy::Close },
            close_reply: if also(4) { CloseReply::SameCodeAndReason } else { CloseReply::SameCode },
            validate_text: !is(5),
            require_masks: !is(6),
            ..ServerConfig::default()
        };
        let offer = || is(1).then(DeflateOffer::default);
        let (role, endpoint, honest) = if is(0) {
            (Role::Client, Endpoint::client(client(offer(), 1)).echo(), Endpoint::server(server))
        } else {
            (Role::Server, Endpoint::server(server).echo(), Endpoint::client(client(offer(), 2)))
        };
        Self {
            endpoint,
            role,
            closes: is(7),
            sizes,
            now: Duration::ZERO,
            honest,
            said: Vec::new(),
            unseen: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Everything that the endpoint says until it is done.
    fn go(mut self, moves: &[Move<'_>]) -> (Vec<Transmit>, Vec<Event>) {
        self.drain();
        for one in moves {
            self.act(one);
            self.drain();
        }
        if self.closes {
            self.endpoint.close(self.now, CloseCode::NORMAL, "");
        } else {
            self.endpoint.handle(self.now, Input::Eof);
        }
        self.drain();
        let end = self.now + END;
        while let Some(due) = self.endpoint.poll_timeout() {
            self.now = self.now.max(due);
            self.endpoint.handle_timeout(self.now);
            self.drain();
            assert!(self.now < end, "the endpoint does not end");
        }
        assert!(self.endpoint.is_done());
        (joined(self.said), self.events)
    }

    fn act(&mut self, one: &Move<'_>) {
        match *one {
            Move::Octets(octets) => self.send(octets),
            Move::Frame(first, payload) => self.send(&frame(self.role.other(), first, payload)),
            Move::Opening(extensions) => {
                let octets = match (self.role, self.said.first()) {
                    (Role::Client, Some(Transmit::Octets(asked))) => answer(asked, extensions),
                    _ => request(extensions),
                };
                self.send(&octets);
            }
            Move::Honest => self.be_honest(),
            Move::Eof => self.endpoint.handle(self.now, Input::Eof),
            Move::Reset => self.endpoint.handle(self.now, Input::Reset),
            Move::Pass(time) => {
                self.now += time;
                self.endpoint.handle_timeout(self.now);
            }
            Move::Wait => {
                if let Some(due) = self.endpoint.poll_timeout() {
                    self.now = self.now.max(due);
                    self.endpoint.handle_timeout(self.now);
                }
            }
        }
    }

    fn send(&mut self, octets: &[u8]) {
        let pieces = self.sizes.map_or_else(|| vec![octets], |sizes| cut(octets, sizes));
        for piece in pieces {
            self.endpoint.handle(self.now, Input::Octets(&mut piece.to_vec()));
            self.drain();
            assert!(self.endpoint.held() <= 4 * (LIMIT + 125), "held {}", self.endpoint.held());
        }
    }

    /// An honest peer sees what was said and sends a message, compressed if that was agreed.
    fn be_honest(&mut self) {
        for said in joined(std::mem::take(&mut self.unseen)) {
            match said {
                Transmit::Octets(mut octets) => {
                    self.honest.handle(self.now, Input::Octets(&mut octets));
                }
                Transmit::ShutdownWrite | Transmit::Close => {
                    self.honest.handle(self.now, Input::Eof);
                }
                Transmit::Reset => self.honest.handle(self.now, Input::Reset),
            }
        }
        self.honest.handle_timeout(self.now);
        self.honest.send_text(self.now, "Hello, Hello, Hello!".repeat(3));
        while let Some(said) = self.honest.poll_transmit(self.now) {
            match said {
                Transmit::Octets(octets) => self.send(&octets),
                Transmit::ShutdownWrite | Transmit::Close => {
                    self.endpoint.handle(self.now, Input::Eof);
                }
                Transmit::Reset => self.endpoint.handle(self.now, Input::Reset),
            }
        }
    }

    fn drain(&mut self) {
        while let Some(said) = self.endpoint.poll_transmit(self.now) {
            self.said.push(said.clone());
            self.unseen.push(said);
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }
}

/// The same with octets that follow each other in one piece.
fn joined(said: Vec<Transmit>) -> Vec<Transmit> {
    let mut joined: Vec<Transmit> = Vec::new();
    for one in said {
        match (joined.last_mut(), one) {
            (Some(Transmit::Octets(before)), Transmit::Octets(more)) => before.extend(more),
            (_, one) => joined.push(one),
        }
    }
    joined
}
