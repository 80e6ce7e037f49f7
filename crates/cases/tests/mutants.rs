//! Every case is passed by the strict endpoint and failed by one with a single defect, both in
//! virtual time and in both roles.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use wsproof_engine::{Accept, Case, Class, Input, Judgement, Run, RunConfig, Target, judge};
use wsproof_proto::Role;
use wsproof_testee::{ClientConfig, Defect, DeflateOffer, Endpoint, ServerConfig};

/// No case with this harness lasts longer.
const END: Duration = Duration::from_mins(25);

/// A run and one endpoint for each of its connections, with simulated time and no latency.
struct Pair {
    run: Run,
    peers: Vec<Peer>,
    now: Duration,
    tester: Role,
    defect: Option<Defect>,
}

struct Peer {
    endpoint: Endpoint,
    /// The peer has ended its sending half.
    silent: bool,
    gone: bool,
}

impl Pair {
    fn new(case: &Case, tester: Role, defect: Option<Defect>) -> Self {
        let config = RunConfig::new(tester, Target::new("localhost", "/"), 7);
        let run = Run::new(Arc::new(case.clone()), config);
        Self { run, peers: Vec::new(), now: Duration::ZERO, tester, defect }
    }

    fn endpoint(&self) -> Endpoint {
        let endpoint = match self.tester {
            Role::Client => Endpoint::server(ServerConfig::default()),
            Role::Server => {
                let mut config = ClientConfig::new("localhost", "/", [3; 32]);
                config.deflate = Some(DeflateOffer::default());
                Endpoint::client(config)
            }
        };
        match self.defect {
            Some(defect) => endpoint.with_defect(defect).echo(),
            None => endpoint.echo(),
        }
    }

    /// Exchanges octets until nobody has anything to say now.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            while let Some(id) = self.run.poll_dial() {
                let endpoint = self.endpoint();
                self.peers.push(Peer { endpoint, silent: false, gone: false });
                self.run.handle(id, self.now, Input::Connected);
                moved = true;
            }
            for id in 0..self.peers.len() {
                moved |= self.tester_sends(id) | self.peer_sends(id);
            }
            if !moved {
                return;
            }
        }
    }

    fn tester_sends(&mut self, id: usize) -> bool {
        use wsproof_engine::Transmit;
        use wsproof_testee::Input;
        let peer = &mut self.peers[id];
        let mut buf = Vec::new();
        let Some(transmit) = self.run.poll_transmit(id, self.now, &mut buf) else { return false };
        if peer.gone {
            return true;
        }
        match transmit {
            Transmit::Octets { .. } => peer.endpoint.handle(self.now, Input::Octets(&mut buf)),
            Transmit::ShutdownWrite | Transmit::End => peer.endpoint.handle(self.now, Input::Eof),
            Transmit::Abort => {
                peer.endpoint.handle(self.now, Input::Reset);
                peer.gone = true;
            }
        }
        true
    }

    fn peer_sends(&mut self, id: usize) -> bool {
        use wsproof_testee::Transmit;
        let peer = &mut self.peers[id];
        while peer.endpoint.poll_event().is_some() {}
        let Some(transmit) = peer.endpoint.poll_transmit(self.now) else { return false };
        let input = match transmit {
            Transmit::Octets(mut octets) if !peer.silent => {
                self.run.handle(id, self.now, Input::Octets(&mut octets));
                return true;
            }
            Transmit::Octets(_) => return true,
            Transmit::ShutdownWrite | Transmit::Close => Input::Eof,
            Transmit::Reset => Input::Reset,
        };
        peer.gone |= matches!(transmit, Transmit::Close | Transmit::Reset);
        if !peer.silent {
            peer.silent = true;
            self.run.handle(id, self.now, input);
        }
        true
    }

    fn finish(mut self, case: &Case) -> (Judgement, Judgement) {
        loop {
            self.exchange();
            if self.run.is_over() {
                break;
            }
            let mine = self.run.poll_timeout();
            let peers = self.peers.iter().filter(|peer| !peer.gone);
            let theirs = peers.filter_map(|peer| peer.endpoint.poll_timeout()).min();
            let next = [mine, theirs].into_iter().flatten().min();
            let next = next.unwrap_or_else(|| panic!("{} waits for nothing", case.id));
            self.now = self.now.max(next);
            assert!(self.now < END, "{} does not end", case.id);
            for peer in self.peers.iter_mut().filter(|peer| !peer.gone) {
                if peer.endpoint.poll_timeout().is_some_and(|due| due <= self.now) {
                    peer.endpoint.handle_timeout(self.now);
                }
            }
            self.run.handle_timeout(self.now);
        }
        let outcome = self.run.into_outcome(self.now);
        (judge::classic(case, &outcome), judge::rfc(case, &outcome))
    }
}

fn passes(case: &Case, judgement: &Judgement) -> bool {
    use wsproof_engine::{Behavior, CloseBehavior};
    if case.informational {
        return judgement.behavior == Behavior::Informational
            && judgement.close == CloseBehavior::Informational;
    }
    judgement.is_plain_pass()
}

/// Cases that look at the opening handshake of a server make no sense for one that is a client.
fn fits(case: &Case, tester: Role) -> bool {
    tester == Role::Client || !matches!(case.accept, Accept::Class(_))
}

fn strict_endpoint_passes(tester: Role) {
    let cases = wsproof_cases::catalogue();
    for case in cases.iter().filter(|case| fits(case, tester) && !is_huge(case)) {
        let (classic, rfc) = Pair::new(case, tester, None).finish(case);
        assert!(passes(case, &classic), "{}, classic: {classic:?}", case.id);
        assert!(passes(case, &rfc), "{}, RFC: {rfc:?}", case.id);
    }
}

#[test]
fn a_strict_server_passes_every_case() {
    strict_endpoint_passes(Role::Client);
}

#[test]
fn a_strict_client_passes_every_case() {
    strict_endpoint_passes(Role::Server);
}

/// A thousand compressed messages of this size take long without optimisation. That the built-in
/// server passes these cases, too, is seen in runs of the optimised program.
fn is_huge(case: &Case) -> bool {
    matches!(&case.accept, Accept::EchoLoop { series, .. } if series.size().0 > 8192)
}

/// One size of each family is enough for most defects.
fn is_large(case: &Case) -> bool {
    let id = case.id.as_str();
    case.measured && !id.ends_with(".1")
}

/// Under which judgement a defect fails a case: both must be able to tell.
fn failed_by(tester: Role) -> BTreeMap<String, [Vec<&'static str>; 2]> {
    let cases = wsproof_cases::catalogue();
    let mut failed = BTreeMap::new();
    for case in cases.iter().filter(|case| fits(case, tester)) {
        let entry: &mut [Vec<_>; 2] = failed.entry(case.id.to_string()).or_default();
        for &defect in Defect::ALL {
            // One that never opens fails everything and proves nothing.
            let no_handshake = ["accept-", "handshake-", "subprotocol-"];
            let opens = !no_handshake.iter().any(|start| defect.name().starts_with(start));
            let opening =
                matches!(case.accept, Accept::Class(Class::Refused | Class::Passive { .. }));
            let wanted = if is_large(case) { defect.name() == "silent" } else { opens || opening };
            if !wanted {
                continue;
            }
            let (classic, rfc) = Pair::new(case, tester, Some(defect)).finish(case);
            for (who, judgement) in [classic, rfc].iter().enumerate() {
                if !passes(case, judgement) {
                    entry[who].push(defect.name());
                }
            }
        }
    }
    failed
}

fn every_case_is_failed(tester: Role) {
    let informational = ["7.1.6", "7.13.1", "7.13.2"];
    for (case, [classic, rfc]) in failed_by(tester) {
        if informational.contains(&case.as_str()) {
            continue;
        }
        assert!(!classic.is_empty(), "no defect fails {case} in the classic judgement");
        assert!(!rfc.is_empty(), "no defect fails {case} in the RFC judgement");
    }
}

#[test]
fn every_case_is_failed_by_a_server_with_one_defect() {
    every_case_is_failed(Role::Client);
}

#[test]
fn every_case_is_failed_by_a_client_with_one_defect() {
    every_case_is_failed(Role::Server);
}
