//! A run of any case always ends, keeps little, can be stored and judged again, and comes to the
//! same verdicts however the octets of the peer are cut.
#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use libfuzzer_sys::fuzz_target;
use wsproof_engine::{
    Accept, Case, ConnectionId, Input, Judgement, Outcome, Run, Series, Settings, Transmit, judge,
};
use wsproof_fuzz::{
    END, answer, config, cut, frame,
    moves::{Move, moves},
    request,
};
use wsproof_proto::{Role, Violation};
use wsproof_testee::{ClientConfig, DeflateOffer, Endpoint, ServerConfig};

/// Cases with larger messages take too much time.
const LARGEST: u64 = 16 << 10;

/// The cases that are quick enough, in the catalogue's order.
static CASES: LazyLock<Vec<Arc<Case>>> = LazyLock::new(|| {
    let quick = |case: &Case| {
        let in_loop = match &case.accept {
            // To find the code points takes longer than all the rest.
            Accept::EchoLoop { series: Series::Windows { corpus, .. }, .. }
                if corpus.in_code_points =>
            {
                return false;
            }
            Accept::EchoLoop { series, .. } => series.size().0,
            _ => 0,
        };
        let mut lengths = case.references().into_iter().map(|payload| payload.len());
        !case.is_passive() && in_loop <= LARGEST && lengths.all(|length| length <= LARGEST)
    };
    wsproof_cases::catalogue().into_iter().filter(quick).map(Arc::new).collect()
});

fuzz_target!(|input: &[u8]| {
    let [low, high, flags, a, b, rest @ ..] = input else { return };
    let case = &CASES[usize::from(u16::from_le_bytes([*low, *high])) % CASES.len()];
    let moves = moves(rest);
    let go = |sizes| Peer::new(case.clone(), *flags, sizes).go(&moves);
    let (whole, in_parts) = (go(None), go(Some((*a, *b))));
    let (judgements, in_parts_judgements) = (judged(case, &whole), judged(case, &in_parts));
    if ![&whole, &in_parts].into_iter().any(is_undecided) {
        assert_eq!(judgements, in_parts_judgements, "{} {moves:?}", case.id);
    }
    store(&whole);
});

/// Of two faults in what a compressed message says, the one that is noticed in the same read may be
/// named, as it is by `wstest`.
fn is_undecided(outcome: &Outcome) -> bool {
    use Violation::{DeflateCorrupt, InflatesWithoutEnd, ReferenceTooFarBack, WindowExceeded};
    let mut found = outcome.deviations.iter().map(|deviation| deviation.violation);
    found.any(|violation| {
        [DeflateCorrupt, InflatesWithoutEnd, ReferenceTooFarBack, WindowExceeded]
            .contains(&violation)
    })
}

/// Both judgements.
fn judged(case: &Case, outcome: &Outcome) -> [Judgement; 2] {
    assert!(outcome.transcript.entries.len() <= 2000);
    assert!(outcome.events.len() <= 256 && outcome.deviations.len() <= 256);
    [judge::classic(case, outcome), judge::rfc(case, outcome)]
}

/// What is stored and read again is the same.
fn store(outcome: &Outcome) {
    let stored = serde_json::to_string(outcome).expect("an outcome is stored as JSON");
    assert!(stored.len() < 4 << 20, "{} octets are stored", stored.len());
    let read: Outcome = serde_json::from_str(&stored).expect("what was stored is read");
    assert_eq!(*outcome, read);
}

/// The other side of a run: what it wrote, and an honest endpoint for each connection.
struct Peer {
    run: Run,
    role: Role,
    sizes: Option<(u8, u8)>,
    now: Duration,
    connections: Vec<Wire>,
}

/// What a run did on a connection.
struct Wire {
    honest: Endpoint,
    /// The first octets it wrote: as a client, its request.
    first: Vec<u8>,
    /// Octets that the honest endpoint has not seen yet.
    unseen: Vec<u8>,
    ended: Option<Transmit>,
}

impl Peer {
    fn new(case: Arc<Case>, flags: u8, sizes: Option<(u8, u8)>) -> Self {
        let is = |bit: u8| flags >> bit & 1 == 1;
        let role = if is(0) { Role::Server } else { Role::Client };
        let settings = Settings {
            accepts_any_masking: is(1),
            echoes_close: is(2),
            fails_by_drop: is(3),
            fragment_size: if is(4) { 7 } else { 0 },
            max_frame: if is(5) { 20 } else { 0 },
            max_message: if is(6) { 30 } else { 0 },
            masks: is(7).then(|| is(0)),
        };
        let run = Run::new(case, config(role, settings));
        Self { run, role, sizes, now: Duration::ZERO, connections: Vec::new() }
    }

    /// What comes of it.
    fn go(mut self, moves: &[Move<'_>]) -> Outcome {
        for one in moves {
            self.dial();
            if self.run.is_over() {
                break;
            }
            self.act(self.connections.len() - 1, one);
        }
        let end = self.now + END;
        while !self.run.is_over() {
            self.dial();
            self.drain();
            if !self.run.is_over() {
                self.wait();
            }
            assert!(self.now < end, "the run does not end");
        }
        self.run.into_outcome(self.now)
    }

    fn dial(&mut self) {
        while let Some(id) = self.run.poll_dial() {
            assert_eq!(id, self.connections.len());
            let honest = match self.role.other() {
                Role::Client => {
                    let deflate = Some(DeflateOffer::default());
                    Endpoint::client(ClientConfig {
                        deflate,
                        ..ClientConfig::new("h", "/", [1; 32])
                    })
                }
                Role::Server => Endpoint::server(ServerConfig::default()),
            };
            let (first, unseen) = (Vec::new(), Vec::new());
            self.connections.push(Wire { honest: honest.echo(), first, unseen, ended: None });
            self.run.handle(id, self.now, Input::Connected);
            self.drain();
        }
    }

    fn act(&mut self, id: ConnectionId, one: &Move<'_>) {
        match *one {
            Move::Octets(octets) => self.send(id, octets),
            Move::Frame(first, payload) => self.send(id, &frame(self.role.other(), first, payload)),
            Move::Opening(extensions) => {
                let octets = match self.role {
                    Role::Client => answer(&self.connections[id].first, extensions),
                    Role::Server => request(extensions),
                };
                self.send(id, &octets);
            }
            Move::Honest => self.be_honest(id),
            Move::Eof => self.run.handle(id, self.now, Input::Eof),
            Move::Reset => self.run.handle(id, self.now, Input::Reset),
            Move::Pass(time) => {
                self.now += time;
                self.run.handle_timeout(self.now);
            }
            Move::Wait => self.wait(),
        }
        self.drain();
    }

    fn wait(&mut self) {
        let due = self.run.poll_timeout().expect("a run that is not over waits for something");
        self.now = self.now.max(due);
        self.run.handle_timeout(self.now);
    }

    fn send(&mut self, id: ConnectionId, octets: &[u8]) {
        let pieces = self.sizes.map_or_else(|| vec![octets], |sizes| cut(octets, sizes));
        for piece in pieces {
            self.run.handle(id, self.now, Input::Octets(&mut piece.to_vec()));
            self.drain();
        }
    }

    fn be_honest(&mut self, id: ConnectionId) {
        use wsproof_testee::{Input as In, Transmit as Out};
        let wire = &mut self.connections[id];
        let mut unseen = std::mem::take(&mut wire.unseen);
        wire.honest.handle(self.now, In::Octets(&mut unseen));
        match wire.ended {
            Some(Transmit::Abort) => wire.honest.handle(self.now, In::Reset),
            Some(_) => wire.honest.handle(self.now, In::Eof),
            None => {}
        }
        wire.honest.handle_timeout(self.now);
        while let Some(said) = self.connections[id].honest.poll_transmit(self.now) {
            match said {
                Out::Octets(octets) => self.send(id, &octets),
                Out::ShutdownWrite | Out::Close => self.run.handle(id, self.now, Input::Eof),
                Out::Reset => self.run.handle(id, self.now, Input::Reset),
            }
        }
    }

    /// Takes what the run wants done.
    fn drain(&mut self) {
        for (id, wire) in self.connections.iter_mut().enumerate() {
            let mut octets = Vec::new();
            while let Some(transmit) = self.run.poll_transmit(id, self.now, &mut octets) {
                match transmit {
                    Transmit::Octets { .. } => {
                        if wire.first.is_empty() {
                            wire.first.clone_from(&octets);
                        }
                        wire.unseen.append(&mut octets);
                    }
                    other => wire.ended = Some(other),
                }
            }
        }
    }
}
