//! `wstest`: the command line of old, with its flags, files, lines and exit codes.

mod spec;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Parser;
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Case, Limits, Target};
use wsproof_report::JudgeKind;
use wsproof_runner::Peer;
use wsproof_testee::{EchoOptions, ServerConfig};

use crate::{
    echo,
    exit::{Error, Exit},
    output, runtime,
    selection::select,
    session::{NamedPeer, Plan, Session, Voice, seed_from_clock},
    test::watch_for_interrupt,
    url::WsUrl,
};
use spec::ClientSpec;

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

/// The WebSocket conformance suite under its old name.
#[derive(Debug, Parser)]
#[command(name = "wstest", disable_version_flag = true, max_term_width = 100)]
struct Args {
    /// Test mode: fuzzingclient, testeeserver or echoserver
    #[arg(short, long)]
    mode: Option<String>,
    /// Test specification file [default: MODE.json, written if it is not there]
    #[arg(short, long)]
    spec: Option<PathBuf>,
    /// WebSocket URI
    #[arg(short, long)]
    wsuri: Option<String>,
    /// Port of the embedded web server, 0 for none
    #[arg(short = 'u', long, default_value = "8080")]
    webport: String,
    /// Identifier of a client testee
    #[arg(short, long)]
    ident: Option<String>,
    /// Server private key file for secure WebSocket
    #[arg(short, long)]
    key: Option<PathBuf>,
    /// Server certificate file for secure WebSocket
    #[arg(short, long)]
    cert: Option<PathBuf>,
    /// Output file of modes that generate data
    #[arg(short, long)]
    outfile: Option<PathBuf>,
    /// Test set of an import specification
    #[arg(short, long)]
    testset: Option<String>,
    /// Debug output
    #[arg(short, long)]
    debug: bool,
    /// Print versions and exit
    #[arg(short, long)]
    autobahnversion: bool,
    /// Print the version of this program and exit
    #[arg(long)]
    version: bool,
}

/// Runs `wstest`. Its exit code is 0 when the run ended, whatever the verdicts, and 1 for wrong
/// usage; `WSPROOF_STRICT_EXIT=1` asks for codes that say more.
pub(crate) fn main(arguments: Vec<OsString>) -> Exit {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { wrong_usage() } else { Exit::AsExpected };
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
            output::line(&format!("{error}\n\nTry wstest --help for usage details"));
            if strict() { error.exit() } else { wrong_usage() }
        }
    }
}

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
    if args.webport.parse::<u16>().is_err() {
        return Err(Error::usage(format!(
            "`{}` is no port: --webport takes 0 to 65535",
            args.webport
        )));
    }
    let Some(mode) = args.mode.as_deref() else {
        return Err(Error::usage(format!(
            "no mode was given; -m takes one of {}",
            MODES.join(", ")
        )));
    };
    match mode {
        "fuzzingclient" => runtime()?.block_on(fuzzing_client(args)),
        "testeeserver" | "echoserver" => runtime()?.block_on(echo_server(args, mode)),
        mode if MODES.contains(&mode) => Err(Error::usage(format!(
            "mode {mode} is not there yet; there are fuzzingclient, testeeserver and echoserver"
        ))),
        mode => Err(Error::usage(format!("`{mode}` is no mode; there are {}", MODES.join(", ")))),
    }
}

async fn fuzzing_client(args: &Args) -> Result<Exit, Error> {
    let spec = spec::load(args.spec.as_deref())?;
    let cases = spec_cases(&spec)?;
    let mut peers = Vec::new();
    for server in spec.servers(args.wsuri.as_deref()) {
        let url = WsUrl::parse(&server.url).map_err(Error::usage)?;
        if url.secure {
            return Err(Error::usage(format!("`{}`: wss:// is not there yet", server.url)));
        }
        peers.push(NamedPeer {
            url: server.url.clone(),
            agent: server.agent.clone(),
            fallback: "UnknownServer".to_owned(),
            peer: Peer {
                address: url.address.clone(),
                target: Target {
                    origin: server.origin.clone(),
                    subprotocols: server.protocols.clone(),
                    ..Target::new(url.host_field(true), url.path.clone())
                },
                timers: spec.timers(&server),
            },
        });
    }
    let jobs = jobs_from_environment()?;
    let cancel = CancellationToken::new();
    output::line(&format!(
        "Ok, will run {} test cases against {} servers",
        cases.len(),
        peers.len()
    ));
    let quoted = |texts: &[String]| format!("[{}]", texts.join(", "));
    let ids: Vec<_> = cases.iter().map(|case| format!("'{}'", case.id)).collect();
    let urls: Vec<_> = peers.iter().map(|peer| format!("'{}'", peer.url)).collect();
    output::line(&format!("Cases = {}", quoted(&ids)));
    output::line(&format!("Servers = {}", quoted(&urls)));
    let plan = Plan {
        cases: cases.into_iter().map(Arc::new).collect(),
        judge: JudgeKind::Classic,
        voice: Voice::Classic,
        out: spec.outdir.clone(),
        jobs,
        limits: Limits::default(),
        seed: seed_from_clock(),
        excluded: spec.exclude_agent_cases.clone().into_iter().collect(),
    };
    let mut session = Session::start(plan, cancel.clone())?;
    watch_for_interrupt(cancel);
    for named in &peers {
        session.run(named).await?;
    }
    session.finish()
}

/// `*` means the classic cases; cases of our own need their own patterns.
fn spec_cases(spec: &ClientSpec) -> Result<Vec<Case>, Error> {
    let (own, classic): (Vec<_>, Vec<_>) = spec
        .cases
        .iter()
        .cloned()
        .partition(|pattern| pattern.starts_with(|c: char| c.is_ascii_alphabetic()));
    let mut selection = select(wsproof_cases::classic(), &classic, &spec.exclude_cases);
    if !own.is_empty() {
        let all = wsproof_cases::catalogue().into_iter().filter(|case| !case.id.is_classic());
        let more = select(all.collect(), &own, &spec.exclude_cases);
        selection.cases.extend(more.cases);
        // What is excluded may stand in either half.
        selection.void.retain(|pattern| more.void.contains(pattern) || classic.contains(pattern));
        selection.void.extend(more.void.into_iter().filter(|pattern| own.contains(pattern)));
    }
    selection.cases.sort_by(|a, b| a.id.cmp(&b.id));
    for pattern in &selection.void {
        let compressed = pattern.starts_with("12") || pattern.starts_with("13");
        let why = if compressed { "sections 12 and 13 are not there yet" } else { "no such case" };
        output::warning(&format!("`{pattern}` selects nothing: {why}"));
    }
    if spec.cases.iter().any(|pattern| pattern == "*") {
        output::warning("the 216 cases of sections 12 and 13 are not there yet and are left out");
    }
    if selection.cases.is_empty() {
        return Err(Error::usage("the specification selects no case; see `cases` in it"));
    }
    Ok(selection.cases)
}

fn jobs_from_environment() -> Result<Option<usize>, Error> {
    let Some(text) = std::env::var_os("WSPROOF_JOBS") else { return Ok(None) };
    let jobs =
        text.to_str().and_then(|text| text.parse().ok()).filter(|jobs| (1..=1024).contains(jobs));
    jobs.map(Some).ok_or_else(|| Error::usage("WSPROOF_JOBS takes a number from 1 to 1024"))
}

async fn echo_server(args: &Args, mode: &str) -> Result<Exit, Error> {
    let uri = args.wsuri.as_deref().ok_or_else(|| {
        Error::usage(format!("mode {mode} needs a URI to listen on: -w ws://:9001"))
    })?;
    // A URI to listen on need not name a host.
    let named = uri.replacen("://:", "://0.0.0.0:", 1);
    let url = WsUrl::parse(&named).map_err(Error::usage)?;
    if url.secure {
        return Err(Error::usage(format!("`{uri}`: wss:// is not there yet; use ws://")));
    }
    // All interfaces, whatever the host: that is how these modes always were.
    let port = url.address.port;
    let any = |host: &str| format!("{host}:{port}").parse::<SocketAddr>().ok();
    let mut addrs: Vec<_> = any("0.0.0.0").into_iter().collect();
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addrs.extend(any("[::]"));
    }
    let server = ServerConfig { ..echo::server_config() };
    echo::serve(EchoOptions { addrs, server, ..EchoOptions::default() }, false).await
}
