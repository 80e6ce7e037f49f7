//! Payloads of frames, of which a transcript keeps the first octets: the rest is made by the
//! generator that it keeps, and in older results computed from the case where what is kept and what
//! was judged leave no doubt.

use wsproof_engine::{
    Accept, Case, Entry, Event, Observed, Outcome, Payload, Series, Step, What, Whole,
};
use wsproof_proto::{FrameHeader, Opcode};

/// Payloads larger than this stay cut.
const MAX_PAYLOAD: u64 = 1 << 20;

/// The payload of a frame as far as it is known.
pub(super) fn bounded(payload: &Payload, at: u64, len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if len <= MAX_PAYLOAD {
        payload.copy_to(at, usize::try_from(len).unwrap_or_default(), &mut out);
    }
    out
}

/// A payload of which the transcript says how it is made.
pub(super) fn made(whole: Option<&Whole>, len: u64) -> Option<Vec<u8>> {
    let len = usize::try_from(len).ok().filter(|_| len <= MAX_PAYLOAD)?;
    Some(whole?.generator.as_ref()?.octets(len))
}

/// A payload of the peer that is one of the tester's, if the transcript says how that is made.
pub(super) fn echoed(entries: &[&Entry], whole: Option<&Whole>, len: u64) -> Option<Vec<u8>> {
    let echo = whole.filter(|whole| whole.echo)?;
    let mut sent = entries.iter().filter_map(|entry| match &entry.what {
        What::FrameSent { whole: Some(sent), .. } if sent.sha256 == echo.sha256 => Some(sent),
        _ => None,
    });
    sent.find_map(|sent| made(Some(sent), len))
}

/// What the tester may have sent.
pub(super) struct Sent {
    payloads: Vec<Payload>,
    /// The payload that is being sent in fragments, and how much of it is out.
    current: Option<(usize, u64)>,
}

impl Sent {
    pub(super) fn new(case: Option<&Case>) -> Self {
        let steps = case.into_iter().flat_map(|case| &case.steps);
        let mut payloads: Vec<_> = steps
            .filter_map(|step| match step {
                Step::Frame(frame) => Some(frame.payload.clone()),
                Step::Message(message) => Some(message.payload.clone()),
                _ => None,
            })
            .collect();
        if let Some(Accept::EchoLoop { series: Series::Same(payload), .. }) =
            case.map(|case| &case.accept)
        {
            payloads.push(payload.clone());
        }
        Self { payloads, current: None }
    }

    /// The payload of the next frame, not masked.
    pub(super) fn payload(
        &mut self,
        header: &FrameHeader,
        head: &[u8],
        repeated: Option<usize>,
    ) -> Vec<u8> {
        let part = |index: usize, at: u64| {
            let payload: &Payload = self.payloads.get(index)?;
            let fits = at.checked_add(header.length)? <= payload.len();
            let same = fits && payload.first_difference(at, head).is_none();
            same.then_some((index, at))
        };
        let found = match (header.opcode, self.current) {
            (Opcode::Continuation, Some((index, at))) => part(index, at),
            _ => (0..self.payloads.len()).find_map(|index| part(index, 0)),
        };
        if !header.opcode.is_control() {
            self.current = found.map(|(index, at)| (index, at + header.length));
        }
        if header.length <= head.len() as u64 {
            return head.to_vec();
        }
        if let Some(unit) = repeated.and_then(|unit| head.get(..unit)) {
            return bounded(&wsproof_engine::repeat(unit, header.length), 0, header.length);
        }
        let whole = found.map(|(index, at)| bounded(&self.payloads[index], at, header.length));
        whole.filter(|whole| !whole.is_empty()).unwrap_or_else(|| head.to_vec())
    }
}

/// What was found equal to a payload of the case.
pub(super) fn received(case: Option<&Case>, outcome: &Outcome, event: &Event) -> Option<Payload> {
    let equal = match &event.what {
        Observed::Message { equals: Some(index), .. } => {
            case.and_then(|case| case.references().get(*index).cloned())
        }
        Observed::Pong { payload, len } if *len == payload.len() as u64 => {
            Some(wsproof_engine::octets(payload))
        }
        _ => None,
    };
    // What was compressed was not compared as it stood on the wire.
    equal.filter(|_| outcome.openings.iter().all(|opening| opening.agreement.is_none()))
}
