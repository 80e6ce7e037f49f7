//! The options of `wsproof load`.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};

use super::{TlsArgs, at_least_one, seconds, some_seconds};

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The server, ws://host:port/path or wss://…
    pub(crate) url: String,

    /// Connections, each with one message under way
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub(crate) connections: NonZeroUsize,

    /// Octets in a message
    #[arg(long, value_name = "OCTETS", default_value_t = 125)]
    pub(crate) size: usize,

    /// Seconds for which echoes are counted
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = some_seconds)]
    pub(crate) span: f64,

    /// Seconds for which messages are sent before that
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    pub(crate) warm_up: f64,

    /// Send text; without it, messages are binary
    #[arg(long)]
    pub(crate) text: bool,

    /// Compress: offer permessage-deflate, which the server must accept
    #[arg(long)]
    pub(crate) deflate: bool,

    /// How to print what was measured
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: LoadFormat,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadFormat {
    /// JSON, a line each; the last one is the result
    Json,
    /// For people
    Text,
}
