//! A strict and fast WebSocket implementation (RFC 6455) that knows nothing of test cases.
//!
//! [`Endpoint`] is the protocol, without I/O and without a clock; [`connection`] drives one over
//! a socket, [`client`] dials, and [`EchoServer`] accepts many, over TLS if it has a [`ServerTls`]. Instead
//! of echoes it may serve a [`Room`], in which clients hear each other. A [`Walk`] goes through the cases
//! of a fuzzing server. With a [`Defect`] switched on, the endpoint is wrong in one known way: such
//! mutants show that a test notices. It parses frames by itself and shares no judging code with a tester.

mod ahead;
pub mod client;
pub mod connection;
mod defect;
pub mod endpoint;
pub mod mailbox;
mod room;
pub mod server;
mod spare;
mod tls;
mod walk;

pub use client::{ConnectError, ServerAddress, Stream};
pub use defect::Defect;
pub use endpoint::{
    AutoPing, ClientConfig, CloseReply, DeflateOffer, DeflateOptions, Endpoint, Event, FailBy,
    Input, Origins, ServerConfig, Transmit,
};
pub use mailbox::Message;
pub use room::Room;
pub use server::{EchoOptions, EchoServer, ServeError};
pub use tls::{ClientTls, ServerTls, TlsError};
pub use walk::{Step, Walk, WalkError, Walked};
