//! The options of `wsproof replay`.

use std::path::PathBuf;

use clap::{Args, builder::NonEmptyStringValueParser};

use super::{Judge, RequestArgs, TlsArgs, time_scale};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// File `results.jsonl`, or the folder of the report
    #[arg(value_name = "RESULTS")]
    pub(crate) results: PathBuf,

    /// Id of the case
    pub(crate) case: String,

    /// Server to ask in place of the one that was tested
    pub(crate) url: Option<String>,

    /// Name of the peer in the results, if there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Option<String>,

    /// Print what is stored, and connect to nobody
    #[arg(long, conflicts_with_all = ["url", "server_cmd"])]
    pub(crate) stored: bool,

    /// Command that starts the server; {port} is replaced by a free port
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) server_cmd: Option<String>,

    /// Judgement that decides the exit code [default: that of the run]
    #[arg(long, value_name = "WHOSE")]
    pub(crate) judge: Option<Judge>,

    /// Stretch the limits of the case by this factor [default: that of the run]
    #[arg(long, value_name = "X", value_parser = time_scale)]
    pub(crate) time_scale: Option<f64>,

    /// Leave out all limits, to debug a server
    #[arg(long)]
    pub(crate) no_deadline: bool,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}
