//! Pings that an endpoint sends by itself, to find out whether its peer is still there
//! (RFC 6455, 5.5.2).

use std::time::Duration;

use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use wsproof_proto::Opcode;

use super::{Endpoint, Phase, Transmit};

/// How an endpoint asks whether its peer is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoPing {
    /// Time from the opening, or from a pong, to the next ping.
    pub interval: Duration,
    /// How long the pong may take before TCP is ended. Zero: any time.
    pub timeout: Duration,
    /// Octets in each ping, from 4 to 125.
    pub size: usize,
}

/// The pings of one connection. There is never more than one without its pong, so that a peer that
/// does not read costs nothing.
#[derive(Debug)]
pub(super) struct Pinger {
    config: AutoPing,
    /// Pings sent so far; the payload of each follows from its number.
    sent: u64,
    awaited: Option<Vec<u8>>,
    due: Option<Duration>,
}

impl Pinger {
    pub(super) fn new(config: AutoPing) -> Self {
        Self { config, sent: 0, awaited: None, due: None }
    }

    /// The WebSocket is open.
    pub(super) fn start(&mut self, now: Duration) {
        self.due = Some(now + self.config.interval);
    }

    /// When the next ping is to be sent, or when the pong comes too late.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// A pong arrived. One that answers no ping of ours is none of our business (RFC 6455, 5.5.3).
    pub(super) fn pong(&mut self, now: Duration, payload: &[u8]) {
        if self.awaited.take_if(|awaited| awaited == payload).is_some() {
            self.due = Some(now + self.config.interval);
        }
    }

    /// The payload of the ping that is due; `None` if the pong of the last one is too late.
    fn next(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.awaited.is_some() {
            return None;
        }
        let mut payload = vec![0; self.config.size.clamp(4, 125)];
        ChaCha12Rng::seed_from_u64(self.sent).fill_bytes(&mut payload);
        self.sent += 1;
        let AutoPing { timeout, .. } = self.config;
        self.due = (!timeout.is_zero()).then(|| now + timeout);
        self.awaited = Some(payload.clone());
        Some(payload)
    }
}

impl Endpoint {
    /// When a ping of our own is due, or its pong.
    pub(super) fn ping_due(&self) -> Option<Duration> {
        self.pinger.as_ref().filter(|_| self.phase == Phase::Open)?.due()
    }

    /// Sends the ping that is due, or gives the peer up that did not answer the last one.
    pub(super) fn ping_if_due(&mut self, now: Duration) {
        if self.ping_due().is_none_or(|due| now < due) {
            return;
        }
        if let Some(payload) = self.pinger.as_mut().and_then(|pinger| pinger.next(now)) {
            return self.send_control(Opcode::Ping, &payload);
        }
        self.lose(Phase::Open, "the peer did not answer a ping");
        self.finish(now, Transmit::Close);
    }
}
