//! Everything that a run knows when it is over: the one thing that is judged and reported.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use wsproof_proto::{Deviation, FrameHeader, Role};

use crate::{Event, Opening, Transcript, WindowExceeded};

/// How TCP came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TcpEnd {
    /// No connection came about.
    NotConnected,
    /// The peer ended it in order.
    PeerFin,
    /// The peer reset it.
    PeerReset,
    /// The tester reset it.
    TesterAbort,
    /// The tester ended it in order.
    TesterFin,
}

/// What the classic files say about the closing of a connection, from the tester's view.
#[expect(clippy::struct_excessive_bools, reason = "these are the fields of the classic files")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClosingState {
    /// The tester sent the first close frame.
    pub closed_by_me: bool,
    /// The tester failed the connection.
    pub failed_by_me: bool,
    /// The tester ended TCP.
    pub dropped_by_me: bool,
    /// Close frames went both ways and TCP ended as it should.
    pub was_clean: bool,
    /// Why it was not clean.
    pub not_clean_reason: Option<String>,
    /// The server did not end TCP in time.
    pub server_drop_timeout: bool,
    /// The opening handshake did not end in time.
    pub open_handshake_timeout: bool,
    /// No answer to the tester's close frame came in time.
    pub close_handshake_timeout: bool,
    /// A limit ended the waiting for something that the peer had to do.
    #[serde(default)]
    pub out_of_time: bool,
    /// The code in the tester's close frame.
    pub local_code: Option<u16>,
    /// The reason in the tester's close frame.
    #[serde(with = "optional_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub local_reason: Option<Vec<u8>>,
    /// The code in the peer's close frame.
    pub remote_code: Option<u16>,
    /// The code in the peer's first close frame, should there be more than one: the code of the
    /// connection (RFC 6455, 7.1.5).
    #[serde(default)]
    pub first_remote_code: Option<u16>,
    /// The reason in the peer's close frame.
    #[serde(with = "optional_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub remote_reason: Option<Vec<u8>>,
    /// The peer's close frame came before the tester had sent one. A peer that closes with a code
    /// that `wstest` does not know did so, although the tester then fails the connection itself.
    #[serde(default)]
    pub peer_closed_first: bool,
    /// When the peer's first close frame was complete.
    pub remote_close_at: Option<Duration>,
    /// When the tester's close frame was given to the writer.
    pub local_close_at: Option<Duration>,
    /// How TCP ended.
    pub tcp_end: Option<TcpEnd>,
}

/// Counts of what went over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stats {
    /// Size of a read to the number of such reads.
    pub read_sizes: BTreeMap<usize, u64>,
    /// Size of a write to the number of such writes.
    pub write_sizes: BTreeMap<usize, u64>,
    /// Opcode to the number of frames received.
    pub frames_received: BTreeMap<u8, u64>,
    /// Opcode to the number of frames sent.
    pub frames_sent: BTreeMap<u8, u64>,
}

/// How much data went one way, in data frames while the connection was open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Volume {
    /// Messages that were complete.
    pub messages: u64,
    /// Frames that were complete.
    pub frames: u64,
    /// Octets of the messages' payloads, before compression.
    pub app_octets: u64,
    /// Octets of the frames' payloads.
    pub payload_octets: u64,
    /// Octets of everything after the opening handshake, control frames included.
    pub wire_octets: u64,
}

impl Volume {
    pub(crate) fn add_frame(&mut self, header: &FrameHeader) {
        self.frames += 1;
        self.payload_octets += header.length;
    }
}

/// How much data went both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Traffic {
    /// From the peer.
    pub incoming: Volume,
    /// To the peer.
    pub outgoing: Volume,
}

/// Everything that a run knows when it is over.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The tester's role.
    pub role: Role,
    /// When the WebSocket opened, counted from the start of the run; `None` if it never did.
    pub opened_at: Option<Duration>,
    /// When TCP ended.
    pub ended_at: Duration,
    /// Recorded events, in order of arrival.
    pub events: Vec<Event>,
    /// How many more there were.
    pub events_omitted: u64,
    /// Number of data messages received whole, kept or not.
    pub echoes: u32,
    /// For computed cases: the classic verdict on the messages.
    pub computed_ok: bool,
    /// The case is about compression, to which the peer did not agree.
    #[serde(default)]
    pub unimplemented: bool,
    /// Where the content of an echo first differed from what was sent.
    pub content_differs_at: Option<u64>,
    /// An [`crate::Step::AwaitEchoes`] ended, by its limit or with the connection, before all
    /// echoes had come.
    pub echo_timed_out: bool,
    /// The closing of the (first) connection.
    pub closing: ClosingState,
    /// The closings of further connections, if the case opens any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_closings: Vec<ClosingState>,
    /// The opening handshakes, one per connection.
    pub openings: Vec<Opening>,
    /// What was illegal in the peer's frames.
    pub deviations: Vec<Deviation>,
    /// The first reference of a compressed message to what the agreed window does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_exceeded: Option<WindowExceeded>,
    /// Counts.
    pub stats: Stats,
    /// How much data went both ways until a loop of echoes was through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// An echo was text where binary data was sent, or the other way about.
    #[serde(default)]
    pub kind_differs: bool,
    /// A pong came in a loop of echoes. `wstest` takes it for an end of the case, and closes; it is
    /// legal (RFC 6455, 5.5.3), so that the loop goes on here.
    #[serde(default)]
    pub pong_in_loop: bool,
    /// Why a compressed message could not be decompressed, as far as that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corruption: Option<String>,
    /// The peer sent data after a final block of compressed data.
    #[serde(default)]
    pub went_on_after_final_block: bool,
    /// Whether the log of octets was on when the run ended.
    pub log_was_on: bool,
    /// The wire log.
    pub transcript: Transcript,
    /// Octets received after the opening handshake.
    pub octets_received: u64,
}

impl Outcome {
    /// Time from the opening of the WebSocket to the end of TCP; zero if it never opened.
    pub fn duration(&self) -> Duration {
        self.opened_at.map_or(Duration::ZERO, |opened| self.ended_at.saturating_sub(opened))
    }

    /// Whether on any connection a limit ended the waiting for something that the peer had to do.
    pub fn is_out_of_time(&self) -> bool {
        self.closing.out_of_time || self.further_closings.iter().any(|it| it.out_of_time)
    }
}

mod optional_text {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(
        octets: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match octets {
            Some(octets) => crate::opening::text::serialize(octets, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        #[derive(Deserialize)]
        struct Text(#[serde(with = "crate::opening::text")] Vec<u8>);
        Ok(Option::<Text>::deserialize(deserializer)?.map(|Text(octets)| octets))
    }
}
