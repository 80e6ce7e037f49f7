//! Frames and header lines as they were on the wire, found in an outcome.

use std::time::Duration;

use wsproof_engine::{Outcome, What};
use wsproof_proto::{FrameHeader, Violation};

use crate::words::visible_octets;

/// A frame of the peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a> {
    /// Its entry in the transcript.
    pub(crate) index: usize,
    pub(crate) at: Duration,
    pub(crate) header: FrameHeader,
    pub(crate) head: &'a [u8],
    pub(crate) offset: u64,
}

impl Received<'_> {
    /// The octets of the header.
    pub(crate) fn header_octets(&self) -> Vec<u8> {
        self.header.octets().to_vec()
    }

    /// The offset after its last octet.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(self.header.frame_len())
    }
}

/// The peer's frames in order, as far as they were kept.
pub(crate) fn received(outcome: &Outcome) -> Vec<Received<'_>> {
    let entries = outcome.transcript.entries.iter().enumerate();
    entries
        .filter_map(|(index, entry)| match &entry.what {
            What::FrameReceived { header, head, offset, .. } => {
                Some(Received { index, at: entry.at, header: *header, head, offset: *offset })
            }
            _ => None,
        })
        .collect()
}

/// The frame that holds an octet of the stream.
pub(crate) fn holding<'a>(frames: &[Received<'a>], offset: u64) -> Option<Received<'a>> {
    let end = |frame: &Received<'_>| frame.end();
    frames.iter().find(|frame| frame.offset <= offset && offset < end(frame)).copied()
}

/// Octets of the peer's stream from an offset on, as far as they were kept.
pub(crate) fn raw(outcome: &Outcome, from: u64, n: usize) -> Vec<u8> {
    let head = outcome.openings.first().map_or(0, |opening| opening.response.len() as u64);
    let read = |entry: &wsproof_engine::Entry| match entry.what {
        What::Read { len, .. } => len as u64,
        _ => 0,
    };
    let kept = outcome.transcript.entries.iter().map(read).fold(0, u64::saturating_add);
    if kept != head.saturating_add(outcome.octets_received) || outcome.openings.len() != 1 {
        // With another connection, or the log off for a while, nobody knows where octets stood.
        return Vec::new();
    }
    let mut at = 0u64;
    let mut octets = Vec::new();
    for entry in &outcome.transcript.entries {
        let What::Read { len, head: kept } = &entry.what else { continue };
        let start = at;
        at = at.saturating_add(*len as u64);
        let wanted = head.saturating_add(from).saturating_add(octets.len() as u64);
        if (start..start.saturating_add(kept.len() as u64)).contains(&wanted) {
            let skip = usize::try_from(wanted - start).unwrap_or(usize::MAX);
            octets.extend(kept[skip..].iter().take(n - octets.len()));
            if kept.len() < *len {
                break;
            }
        }
        if octets.len() == n {
            break;
        }
    }
    octets
}

/// Where the frame begins that holds an octet of the stream, or would if it were complete.
pub(crate) fn start(frames: &[Received<'_>], offset: u64) -> u64 {
    let ends = frames.iter().map(Received::end).filter(|end| *end <= offset);
    holding(frames, offset).map_or_else(|| ends.max().unwrap_or(0), |frame| frame.offset)
}

/// The frames of each message and each pong, in the order of the events.
pub(crate) fn events<'a>(frames: &[Received<'a>]) -> Vec<Vec<Received<'a>>> {
    let mut found = Vec::new();
    let mut open: Vec<Received<'a>> = Vec::new();
    for frame in frames {
        match frame.header.opcode {
            wsproof_proto::Opcode::Pong => found.push(vec![*frame]),
            opcode if opcode.is_control() => {}
            _ => {
                open.push(*frame);
                if frame.header.fin {
                    found.push(std::mem::take(&mut open));
                }
            }
        }
    }
    found
}

/// The field of an answer that a violation is about, as a line.
pub(crate) fn field(outcome: &Outcome, violation: Violation) -> Option<String> {
    use Violation as V;
    let name = match violation {
        V::AcceptMissing | V::AcceptRepeated | V::AcceptWrong => "sec-websocket-accept",
        V::SubprotocolNotOffered | V::SubprotocolRepeated => "sec-websocket-protocol",
        V::ConnectionHeaderWrong => "connection",
        V::UpgradeHeaderWrong => "upgrade",
        V::CompressionAgreedTwice
        | V::ExtensionNotOffered
        | V::ExtensionParameterNotOffered
        | V::ExtensionParameterWrong
        | V::ExtensionsMalformed
        | V::ExtensionsRepeated => "sec-websocket-extensions",
        _ => return None,
    };
    let guilty = outcome.openings.iter().find(|o| o.violations.contains(&violation))?;
    let lines = lines_of(&guilty.response, name);
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// The lines of a head that hold a field.
pub(crate) fn lines_of(head: &[u8], name: &str) -> Vec<String> {
    head.split(|octet| *octet == b'\n')
        .filter(|line| {
            let colon = line.iter().position(|octet| *octet == b':');
            colon.is_some_and(|at| line[..at].trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        })
        .map(|line| visible_octets(line[..line.len().min(300)].trim_ascii()))
        .collect()
}
