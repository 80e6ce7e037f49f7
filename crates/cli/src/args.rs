//! The command line of `wsproof`.

mod ci;
mod load;
mod replay;

use std::{ffi::OsString, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use wsproof_report::JudgeKind;

pub(crate) use ci::{
    CheckArgs, DiffArgs, FailOnName, FilesArgs, FolderArgs, GateArgs, MergeArgs, RenderArgs,
    ReportCommand,
};

use crate::partition::Partition;

pub(crate) use load::{LoadArgs, LoadFormat};
pub(crate) use replay::ReplayArgs;

/// Proves a WebSocket implementation on the wire.
#[derive(Debug, Parser)]
#[command(name = "wsproof", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 as expected, 1 the peer deviates, or the run from its baseline, 2 usage or configuration, \
3 the run could not be carried out, 130 interrupted with the report of what ran written.\n\n\
`wsproof wstest …` takes the flags of wstest; so does this program under the name wstest.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Test servers: drive them through the cases and judge the answers
    Test(Box<TestArgs>),
    /// Test clients: serve the cases to whoever asks for them, and judge the answers
    Listen(Box<ListenArgs>),
    /// Run a strict echo server to test clients and suites against
    Echo(EchoArgs),
    /// Measure how fast a server echoes: messages in a second, and latencies
    Load(Box<LoadArgs>),
    /// Run a case of stored results again, and print the whole conversation
    Replay(Box<ReplayArgs>),
    /// Render, merge, compare and check stored results
    Report {
        #[command(subcommand)]
        what: ReportCommand,
    },
    /// Go through the cases of a fuzzing server as a strict client
    Testee(Box<TesteeArgs>),
    /// List the cases; with an id, show what is sent and what is accepted
    Cases(CasesArgs),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Servers under test, ws://host:port/path or wss://…; without any, the built-in echo server
    pub(crate) urls: Vec<String>,

    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// Cases at work at once [default: 16 for a server on this machine, else 4]; when given,
    /// measured cases overlap too and their times are not comparable
    #[arg(long, value_name = "N", env = "WSPROOF_JOBS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,

    /// Run one of several parts of the cases: slice:2/4 takes turns, hash:2/4 goes by id,
    /// weighted:2/4 by duration, auto asks the CI system; the seed is then 1 unless given
    #[arg(long, help_heading = ci::HEADING, value_name = "PART")]
    pub(crate) partition: Option<Partition>,

    /// Name of the server in the report [default: its Server header, else its address]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) agent: Option<String>,

    /// Command that starts the server; {port} is replaced by a free port
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) server_cmd: Option<String>,

    /// Text in the command's output that says that the server is ready [default: its port accepts]
    #[arg(long, value_name = "TEXT", requires = "server_cmd")]
    pub(crate) server_ready: Option<String>,

    /// Seconds for the server to get ready
    #[arg(long, value_name = "S", default_value_t = 30, requires = "server_cmd")]
    pub(crate) server_timeout: u64,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// Leave out all limits, to debug a server
    #[arg(long)]
    pub(crate) no_deadline: bool,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// What the opening request says.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// Further field of the opening request, `Name: value`; may be repeated
    #[arg(long, value_name = "FIELD")]
    pub(crate) header: Vec<String>,

    /// Subprotocol to offer; may be repeated
    #[arg(long, value_name = "NAME", value_parser = subprotocol)]
    pub(crate) subprotocol: Vec<String>,

    /// Origin to send
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(crate) origin: Option<String>,
}

/// Which cases are run, how they are judged, and where the report goes.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Cases to run: ids, or patterns with `*`, separated by commas
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) cases: Vec<String>,

    /// Cases to leave out, written like --cases
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,

    /// Run only what failed or was not judged in the results that lie in --out
    #[arg(long)]
    pub(crate) last_failed: bool,

    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "wsproof-report")]
    pub(crate) out: PathBuf,

    /// Folder for captures, one for each attempt, that Wireshark reads
    #[arg(long, value_name = "DIR")]
    pub(crate) pcapng: Option<PathBuf>,

    /// Judgement that is shown and that decides the exit code
    #[arg(long, value_name = "WHOSE", default_value = "rfc")]
    pub(crate) judge: Judge,

    /// Seed of masks and keys [default: taken from the clock]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Stretch the limits of cases by this factor; scripted waits stay as they are
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = time_scale)]
    pub(crate) time_scale: f64,

    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

/// How to speak TLS to servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "TLS, for wss:// URLs")]
pub(crate) struct TlsArgs {
    /// Accept any certificate, as without --verify and --ca
    #[arg(long, conflicts_with_all = ["verify", "ca"])]
    pub(crate) insecure: bool,

    /// Accept certificates that this machine trusts, and no others
    #[arg(long, conflicts_with = "ca")]
    pub(crate) verify: bool,

    /// Accept the certificates in this PEM file and what they signed, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Name to ask for and to check in place of the URL's host
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,

    /// PEM file with the certificate to show to a server that asks for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,

    /// PEM file with the key of --client-cert
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
}

/// The two judgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Judge {
    /// What wstest says
    Classic,
    /// What the RFCs say
    Rfc,
}

impl From<Judge> for JudgeKind {
    fn from(judge: Judge) -> Self {
        match judge {
            Judge::Classic => Self::Classic,
            Judge::Rfc => Self::Rfc,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Addresses to listen on, IPv4 or IPv6 [default: 127.0.0.1:9001]
    #[arg(value_name = "ADDR", value_parser = address)]
    pub(crate) addrs: Vec<SocketAddr>,

    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// Stop when, after some client was there, none has been connected for so many seconds
    #[arg(long, value_name = "S", value_parser = patience)]
    pub(crate) until_idle: Option<f64>,

    /// Stop when so many agents have asked for their reports
    #[arg(long, value_name = "N", value_parser = agents)]
    pub(crate) agents: Option<usize>,

    /// Serve a web page that tests the visitor's browser, and the report, on this port of the same
    /// addresses; 0 takes one that is free
    #[arg(long, value_name = "PORT")]
    pub(crate) webport: Option<u16>,

    #[command(flatten)]
    pub(crate) client: ClientArgs,

    #[command(flatten)]
    pub(crate) listener: ListenerArgs,
}

/// How a client under test is started.
#[derive(Debug, Args)]
#[command(next_help_heading = "A client that is started and waited for")]
pub(crate) struct ClientArgs {
    /// Command that starts the client; {url} and {agent} are replaced, and stand in the
    /// environment as `WSPROOF_URL` and `WSPROOF_AGENT`. Without ADDR, a free port is taken
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_cmd: Option<String>,

    /// What the client is to call itself
    #[arg(
        long,
        value_name = "NAME",
        default_value = "client",
        value_parser = NonEmptyStringValueParser::new(),
        requires = "client_cmd"
    )]
    pub(crate) agent: String,

    /// Seconds without a case at work after which a client is given up
    #[arg(
        long,
        value_name = "S",
        default_value_t = 60.0,
        value_parser = patience,
        requires = "client_cmd"
    )]
    pub(crate) client_timeout: f64,
}

#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    /// Addresses to listen on, IPv4 or IPv6
    #[arg(value_name = "ADDR", default_value = "127.0.0.1:9001", value_parser = address)]
    pub(crate) addrs: Vec<SocketAddr>,

    /// Largest message in octets; larger ones are refused with 1009
    #[arg(long, value_name = "OCTETS", default_value_t = 64 << 20)]
    pub(crate) max_message: usize,

    /// Subprotocol that the server speaks; may be repeated
    #[arg(long, value_name = "NAME", value_parser = subprotocol)]
    pub(crate) subprotocol: Vec<String>,

    /// Crossbar.io node file: serve its transports of type `websocket.testee` instead
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["addrs", "max_message", "subprotocol", "tls", "tls_cert"]
    )]
    pub(crate) node: Option<PathBuf>,

    /// Do one thing wrong, to see how it is reported; `list` names the defects
    #[arg(long, value_name = "NAME")]
    pub(crate) defect: Option<String>,

    #[command(flatten)]
    pub(crate) listener: ListenerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TesteeArgs {
    /// The fuzzing server, ws://host:port or wss://…; a path in it is not used
    #[arg(required_unless_present = "defect")]
    pub(crate) url: Option<String>,

    /// Name in the reports of the server [default: wsproof/VERSION]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,

    /// Cases at work at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: u16,

    /// Seconds for which the server may say nothing; ten times that for the reports
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = patience)]
    pub(crate) timeout: f64,

    /// Offer no permessage-deflate
    #[arg(long)]
    pub(crate) no_deflate: bool,

    /// Do one thing wrong, to see how it is reported; `list` names the defects
    #[arg(long, value_name = "NAME")]
    pub(crate) defect: Option<String>,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// How a listener speaks TLS, if it does, and how it says that it is there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct ListenerArgs {
    /// File to write the URLs to, a line each, as soon as clients may connect
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,

    /// Speak TLS, with a certificate made at start
    #[arg(long, value_name = "CERTIFICATE", conflicts_with = "tls_cert")]
    pub(crate) tls: Option<Certificate>,

    /// Speak TLS, with the certificates in this PEM file, the server's own first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// PEM file with the key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// A certificate that needs no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Certificate {
    /// For localhost and the loopback addresses, signed by itself
    SelfSigned,
}

#[derive(Debug, Args)]
pub(crate) struct CasesArgs {
    /// Ids or patterns with `*`
    pub(crate) patterns: Vec<String>,

    /// How to print them
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON, one array
    Json,
    /// A Markdown table
    Md,
    /// For people
    Text,
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (1.0..=1000.0).contains(&factor) => Ok(factor),
        Ok(_) => Err("limits are stretched by a factor from 1 to 1000".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn patience(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        ..0.001 => Err("a peer needs some time".to_owned()),
        seconds => Ok(seconds),
    }
}

/// A span of time that is not endless.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        Ok(_) => Err("seconds are from 0 to 86400".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn some_seconds(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        ..0.001 => Err("nothing can be counted in so short a time".to_owned()),
        seconds => Ok(seconds),
    }
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "a whole number from 1 on".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is written like 127.0.0.1:9001 or [::1]:9001".to_owned())
}

/// Whether a text is a token (RFC 9110, 5.6.2), as names of fields and subprotocols are.
pub(crate) fn is_token(text: &str) -> bool {
    let tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(tchar)
}

fn subprotocol(text: &str) -> Result<String, String> {
    if is_token(text) {
        Ok(text.to_owned())
    } else {
        Err("a subprotocol has no white space and no separators (RFC 6455, 4.1)".to_owned())
    }
}

fn origin(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        Err("an origin has no control characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn agents(text: &str) -> Result<usize, String> {
    let count = text.parse::<usize>().map_err(|error| error.to_string())?;
    if count == 0 { Err("at least one agent is waited for".to_owned()) } else { Ok(count) }
}

/// What to say to a command that is none.
pub(crate) fn unknown_command(name: &str) -> String {
    const PLANNED: [&str; 5] = ["doctor", "fuzz", "completions", "man", "h2"];
    const THERE: &str = "there are `test`, `listen`, `echo`, `load`, `testee`, `replay`, `report`, `cases` and `wstest`";
    if PLANNED.contains(&name) {
        format!("`wsproof {name}` is not there yet; {THERE}")
    } else {
        format!("`{name}` is no command; {THERE} (see --help)")
    }
}
