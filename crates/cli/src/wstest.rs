//! `wstest`: the command line of old, with its flags, files, lines and exit codes.

mod client;
mod fuzzingclient;
mod fuzzingserver;
mod massconnect;
mod options;
mod pattern;
mod plan;
mod serializer;
mod server;
mod spec;

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, ValueEnum};

use crate::{
    exit::{Error, Exit},
    output, runtime,
    web::WebPort,
};

const MODES: [&str; 10] = [
    "broadcastclient",
    "broadcastserver",
    "echoclient",
    "echoserver",
    "fuzzingclient",
    "fuzzingserver",
    "massconnect",
    "serializer",
    "testeeclient",
    "testeeserver",
];

/// Version of the suite whose verdicts and files these are.
const SUITE: &str = "25.10.1";

/// What the suite calls itself on the wire.
const CLASSIC_AGENT: &str = "AutobahnTestSuite/25.10.1-0.10.9";

/// The WebSocket conformance suite under its old name.
#[derive(Debug, Parser)]
#[command(
    name = "wstest",
    args_override_self = true,
    disable_version_flag = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
struct Args {
    /// Mode: fuzzingclient or fuzzingserver to test; testeeserver, testeeclient, echoserver or
    /// echoclient to be tested; broadcastserver, broadcastclient, massconnect or serializer
    #[arg(short, long)]
    mode: Option<String>,
    /// Test specification file; without -s it is MODE.json, which is written if it is not there
    #[arg(short, long)]
    spec: Option<PathBuf>,
    /// WebSocket URI: of the server under test if the specification names none, of the one that a
    /// client mode connects to, or the one to listen on, such as ws://:9001 or wss://:9001, which
    /// means all interfaces
    #[arg(short, long)]
    wsuri: Option<String>,
    /// Port of the web page of fuzzingserver, echoserver and broadcastserver, 0 for none
    #[arg(short = 'u', long, default_value = "8080")]
    webport: String,
    /// Name of testeeclient, in the reports and in User-Agent [default: wsproof/VERSION]
    #[arg(short, long)]
    ident: Option<String>,
    /// PEM file with the private key of a server mode for wss://
    #[arg(short, long)]
    key: Option<PathBuf>,
    /// PEM file with the certificate of a server mode for wss://; without -k and -c, one is made
    /// at start and signed by itself
    #[arg(short, long)]
    cert: Option<PathBuf>,
    /// Output file of serializer
    #[arg(short, long)]
    outfile: Option<PathBuf>,
    /// Test set of an import specification
    #[arg(short, long)]
    testset: Option<String>,
    /// Accepted and without effect; `WSPROOF_LOG=debug` tells more
    #[arg(short, long)]
    debug: bool,
    /// Print versions and exit
    #[arg(short, long)]
    autobahnversion: bool,
    /// Print the version of this program and exit
    #[arg(long)]
    version: bool,
    /// What to call ourselves on the wire, in User-Agent or Server [default: wsproof/VERSION]
    #[arg(long, value_name = "WHOSE")]
    user_agent: Option<UserAgent>,
}

/// Names that we may take on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UserAgent {
    /// The name of the suite of old
    Classic,
}

const AFTER_HELP: &str = "Exit status: 0 when the run ended, whatever the verdicts, 1 for wrong \
usage, 130 when fuzzingclient, testeeclient or massconnect is interrupted; other modes end so, with \
0. With WSPROOF_STRICT_EXIT=1: 0 as expected, 1 a peer deviates, 2 usage \
or configuration, 3 the run could not be carried out. WSPROOF_JOBS=1 runs one case at a time.";

/// Runs `wstest`. Its exit code is 0 when the run ended, whatever the verdicts, and 1 for wrong
/// usage; `WSPROOF_STRICT_EXIT=1` asks for codes that say more.
pub(crate) fn main(arguments: Vec<OsString>) -> Exit {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            if !error.use_stderr() {
                return Exit::AsExpected;
            }
            output::line(HINT);
            return if strict() { Exit::Usage } else { wrong_usage() };
        }
    };
    output::start_logging();
    match run(&args) {
        Ok(exit) if strict() => exit,
        Ok(Exit::Interrupted) => Exit::Interrupted,
        Ok(_) => Exit::AsExpected,
        Err(error) => {
            output::error(&error);
            // Scripts of old read it here.
            output::line(&error.to_string());
            if error.exit() == Exit::Usage {
                output::line(&format!("\n{HINT}"));
            }
            if strict() { error.exit() } else { wrong_usage() }
        }
    }
}

const HINT: &str = "Try wstest --help for usage details";

fn strict() -> bool {
    std::env::var_os("WSPROOF_STRICT_EXIT").is_some_and(|value| value == "1")
}

/// `wstest` knows one code for everything that is wrong.
fn wrong_usage() -> Exit {
    Exit::Deviates
}

fn run(args: &Args) -> Result<Exit, Error> {
    if args.autobahnversion {
        output::line(concat!("wsproof ", env!("CARGO_PKG_VERSION")));
        output::line(&format!("AutobahnTestSuite {SUITE} (verdicts and file formats)"));
        return Ok(Exit::AsExpected);
    }
    if args.version {
        output::line(concat!("wsproof ", env!("CARGO_PKG_VERSION")));
        return Ok(Exit::AsExpected);
    }
    web_port(args)?;
    let Some(mode) = args.mode.as_deref() else {
        return Err(Error::usage(format!(
            "no mode was given; -m takes one of {}",
            MODES.join(", ")
        )));
    };
    match mode {
        "fuzzingclient" => runtime()?.block_on(fuzzingclient::run(args)),
        "fuzzingserver" => runtime()?.block_on(fuzzingserver::run(args)),
        "broadcastserver" => runtime()?.block_on(server::run(args, server::Kind::Broadcast)),
        "serializer" => serializer::run(args),
        "testeeserver" => runtime()?.block_on(server::run(args, server::Kind::Testee)),
        "echoserver" => runtime()?.block_on(server::run(args, server::Kind::Echo)),
        "testeeclient" => runtime()?.block_on(client::testee(args)),
        "echoclient" => runtime()?.block_on(client::echo(args)),
        "broadcastclient" => runtime()?.block_on(client::broadcast(args)),
        "massconnect" => runtime()?.block_on(massconnect::run(args)),
        mode => Err(Error::usage(format!("`{mode}` is no mode; there are {}", MODES.join(", ")))),
    }
}

/// Where the page of a mode with a web server is, if it is wanted.
fn web_port(args: &Args) -> Result<Option<WebPort>, Error> {
    match args.webport.parse() {
        Ok(0) => Ok(None),
        Ok(port) => Ok(Some(WebPort::IfFree(port))),
        Err(_) => {
            Err(Error::usage(format!("`{}` is no port: --webport takes 0 to 65535", args.webport)))
        }
    }
}
