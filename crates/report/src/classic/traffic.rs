//! `trafficStats`: how much went over the wire in a compression case, and how much of it was
//! saved.

use serde::Serialize;
use wsproof_engine::{CaseId, Outcome, Volume};

/// The statistics of a case whose loop of echoes was through. The fields are in the order of
/// their names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrafficStats {
    incoming_compression_ratio: Option<f64>,
    incoming_octets_app_level: u64,
    incoming_octets_web_socket_level: u64,
    incoming_octets_wire_level: u64,
    incoming_web_socket_frames: u64,
    incoming_web_socket_messages: u64,
    incoming_web_socket_overhead: Option<f64>,
    outgoing_compression_ratio: Option<f64>,
    outgoing_octets_app_level: u64,
    outgoing_octets_web_socket_level: u64,
    outgoing_octets_wire_level: u64,
    outgoing_web_socket_frames: u64,
    outgoing_web_socket_messages: u64,
    outgoing_web_socket_overhead: Option<f64>,
    preopen_incoming_octets_wire_level: usize,
    preopen_outgoing_octets_wire_level: usize,
}

/// Whether `wstest` measures compression in a case.
pub(super) fn is_about_compression(case: &CaseId) -> bool {
    matches!(case.section(), "12" | "13")
}

/// The statistics of a case, if it has any.
pub(super) fn stats(case: &CaseId, outcome: &Outcome) -> Option<TrafficStats> {
    let traffic = outcome.traffic.filter(|_| is_about_compression(case))?;
    let opening = outcome.openings.first()?;
    let (incoming, outgoing) = (traffic.incoming, traffic.outgoing);
    let (received, sent) = match outcome.role {
        wsproof_proto::Role::Client => (opening.response.len(), opening.request.len()),
        wsproof_proto::Role::Server => (opening.request.len(), opening.response.len()),
    };
    Some(TrafficStats {
        incoming_compression_ratio: compression_ratio(incoming),
        incoming_octets_app_level: incoming.app_octets,
        incoming_octets_web_socket_level: incoming.payload_octets,
        incoming_octets_wire_level: incoming.wire_octets,
        incoming_web_socket_frames: incoming.frames,
        incoming_web_socket_messages: incoming.messages,
        incoming_web_socket_overhead: overhead(incoming),
        outgoing_compression_ratio: compression_ratio(outgoing),
        outgoing_octets_app_level: outgoing.app_octets,
        outgoing_octets_web_socket_level: outgoing.payload_octets,
        outgoing_octets_wire_level: outgoing.wire_octets,
        outgoing_web_socket_frames: outgoing.frames,
        outgoing_web_socket_messages: outgoing.messages,
        outgoing_web_socket_overhead: overhead(outgoing),
        preopen_incoming_octets_wire_level: received,
        preopen_outgoing_octets_wire_level: sent,
    })
}

/// Payload on the wire to payload as it was meant; below 1 it shrank.
fn compression_ratio(volume: Volume) -> Option<f64> {
    ratio(volume.payload_octets, volume.app_octets)
}

/// What framing adds, in parts of the payload.
fn overhead(volume: Volume) -> Option<f64> {
    ratio(volume.wire_octets.saturating_sub(volume.payload_octets), volume.payload_octets)
}

#[expect(clippy::cast_precision_loss, reason = "no case moves 2^53 octets")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_the_classic_files() {
        // Measured: 1000 messages of 16 octets, compressed, masked.
        let volume = Volume {
            messages: 1000,
            frames: 1000,
            app_octets: 16_000,
            payload_octets: 4_673,
            wire_octets: 10_673,
        };
        assert_eq!(compression_ratio(volume), Some(0.292_062_5));
        assert_eq!(overhead(volume), Some(1.283_971_752_621_442_3));
        assert_eq!(compression_ratio(Volume::default()), None);
        assert_eq!(overhead(Volume::default()), None);
    }
}
