//! Test cases as values, the sans-I/O run of a case, and the judgements over what happened.
//!
//! A [`Case`] says what is sent, what is accepted, why, and where the RFC says so. A [`Run`]
//! carries it out: it is fed octets and the passing of time and says what to write and when it
//! wants to be woken; it knows no socket and no clock. What happened is an [`Outcome`], and
//! [`judge`] compares it with the case, once as `wstest` does and once as the RFCs do.

mod builder;
mod case;
mod closing;
mod compressed;
mod connection;
mod deflate;
mod event;
mod handshake;
pub mod judge;
mod messages;
mod negotiation;
mod opening;
mod outcome;
mod outgoing;
pub mod pattern;
mod payload;
mod request;
mod run;
mod script;
mod series;
mod settings;
mod step;
mod transcript;
mod words;

pub use builder::{
    Expectation, Section, binary, binary_message, close_frame, continuation, echo, echo_of, frame,
    frame_head, frame_part, message, ms, ping, pong, pong_to, secs, text, text_message, timeout,
};
pub use case::{
    Accept, Accepted, Basis, Case, CaseId, Citation, Class, Close, CloseBy, Edit, Grade, Location,
    Spec, Timers, Tolerance, case_ids,
};
pub use deflate::{Ask, WindowExceeded};
pub use event::{Event, Expected, Kind, Observed};
pub use judge::{Behavior, CloseBehavior, Judgement};
pub use opening::{Opening, Target};
pub use outcome::{ClosingState, Outcome, Stats, TcpEnd, Traffic, Volume};
pub use payload::{Payload, fill, octets, repeat, spaced_hex};
pub use request::{Declined, Refusal, Request, VERSIONS};
pub use run::{ConnectionId, Input, Limits, Run, RunConfig, Transmit};
pub use series::{Corpus, Series};
pub use settings::Settings;
pub use step::{FrameSpec, MessageSpec, Step};
pub use transcript::{Entry, Timer, Transcript, What};
