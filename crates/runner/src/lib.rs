//! Drives test cases over sockets: dials, schedules and confirms, or listens, and tells what
//! happened.
//!
//! Everything that a user sees comes from [`Event`]s. Nothing here judges, renders or prints.

mod activity;
mod dial;
mod drive;
mod event;
mod listen;
mod program;
mod schedule;
mod server;
mod tls;
mod verdict;

pub use dial::Address;
pub use event::{Attempt, Confirmation, Event, Settled};
pub use listen::{Admission, Exclusion, ListenOptions, Visit, listen};
pub use program::{Ended, Program};
pub use schedule::{Options, Peer, run_peer};
pub use server::{Readiness, ServerCommand, ServerError};
pub use tls::{Identity, Tls, TlsError, TlsOptions, Trust, explain as explain_tls};
