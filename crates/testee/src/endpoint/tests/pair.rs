//! A client and a server, joined in virtual time.

use super::*;

/// Two endpoints and what is under way between them.
pub(super) struct Pair {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    pub(super) now: Duration,
}

/// A client and a server whose opening handshake is over.
pub(super) fn opened(config: ServerConfig) -> (Endpoint, Endpoint) {
    let mut pair =
        Pair::new(Endpoint::client(ClientConfig::new("a:1", "/", SEED)), Endpoint::server(config));
    pair.drive();
    (pair.client, pair.server)
}

impl Pair {
    pub(super) fn new(client: Endpoint, server: Endpoint) -> Self {
        Self { client, server, now: Duration::ZERO }
    }

    /// Hands over what is said until nobody says anything, without time passing.
    pub(super) fn drive(&mut self) {
        loop {
            let moved = carry(self.now, &mut self.client, &mut self.server)
                | carry(self.now, &mut self.server, &mut self.client);
            if !moved {
                return;
            }
        }
    }

    /// Drives, and lets time jump to each deadline, until both are done or wait for ever.
    pub(super) fn run(&mut self) {
        self.drive();
        let next = |pair: &Self| {
            [pair.client.poll_timeout(), pair.server.poll_timeout()].into_iter().flatten().min()
        };
        while let Some(next) = next(self) {
            self.now = self.now.max(next);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.drive();
        }
    }
}

fn carry(now: Duration, from: &mut Endpoint, to: &mut Endpoint) -> bool {
    let all = drain(from, now);
    let moved = !all.is_empty();
    for transmit in all {
        match transmit {
            Transmit::Octets(mut octets) => to.handle(now, Input::Octets(&mut octets)),
            Transmit::ShutdownWrite | Transmit::Close => to.handle(now, Input::Eof),
            Transmit::Reset => to.handle(now, Input::Reset),
        }
    }
    moved
}

#[test]
fn messages_go_there_and_back_and_the_close_is_clean() {
    let mut pair = Pair::new(
        Endpoint::client(ClientConfig::new("a:1", "/", SEED)),
        Endpoint::server(ServerConfig::default()).echo(),
    );
    pair.drive();
    let large = vec![0xfe; 70_000];
    pair.client.send_text(pair.now, "Hello");
    pair.client.send_binary(pair.now, large.clone());
    pair.client.send_ping(b"p");
    pair.drive();
    let expected = [
        Event::Message { text: true, payload: b"Hello".to_vec() },
        Event::Message { text: false, payload: large },
        Event::Pong(b"p".to_vec()),
    ];
    assert!(events(&mut pair.client)[1..] == expected);
    pair.client.close(pair.now, CloseCode::NORMAL, "done");
    pair.run();
    let code = Some(CloseCode::NORMAL);
    let closed = |reason: &str| Event::Closed { code, reason: reason.to_owned(), clean: true };
    assert_eq!(events(&mut pair.client), [closed("")]);
    assert_eq!(events(&mut pair.server)[1..], [closed("done")]);
    assert!(pair.client.is_done() && pair.server.is_done());
    assert_eq!(pair.now, Duration::ZERO, "nobody waited");
}

#[test]
fn a_silent_server_is_given_up() {
    let mut client = Endpoint::client(ClientConfig::new("a:1", "/", SEED));
    drain(&mut client, Duration::ZERO);
    let deadline = client.poll_timeout().unwrap();
    client.handle_timeout(deadline);
    assert_eq!(drain(&mut client, deadline), [Transmit::Close]);
    assert!(matches!(&events(&mut client)[..], [Event::Refused { status: None, .. }]));
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    let run = |seed| {
        let mut client = Endpoint::client(ClientConfig::new("a:1", "/", seed));
        let request = drain(&mut client, Duration::ZERO);
        client.close(Duration::ZERO, CloseCode::NORMAL, "");
        request
    };
    assert_eq!(run([1; 32]), run([1; 32]));
    assert_ne!(run([1; 32]), run([2; 32]));
}
