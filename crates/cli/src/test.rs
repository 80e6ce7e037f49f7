//! `wsproof test`: servers under test.

use std::{net::TcpListener, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use wsproof_engine::{Limits, Target};
use wsproof_runner::{Address, Identity, Peer, Readiness, ServerCommand, Tls, TlsOptions, Trust};
use wsproof_testee::{EchoOptions, EchoServer};

use crate::{
    args::{RequestArgs, TestArgs, TlsArgs, is_token},
    echo::{end_signal, fault, leave_at_once, server_config},
    exit::{Error, Exit},
    output,
    selection::{Selected, select_for},
    session::{NamedPeer, Plan, Session, Voice, seed_from_clock},
    url::WsUrl,
};

pub(crate) async fn run(args: TestArgs) -> Result<Exit, Error> {
    let catalogue = wsproof_cases::catalogue();
    let Some(Selected { cases, part, gate }) = select_for(catalogue, &args.run, args.partition)?
    else {
        return Ok(Exit::AsExpected);
    };
    let mut urls = Vec::new();
    for text in &args.urls {
        urls.push(WsUrl::parse(text).map_err(Error::usage)?);
    }
    let tls = tls(&args.tls, &urls)?;
    if args.agent.is_some() && urls.len() > 1 {
        return Err(Error::usage("--agent names one server; with several they name themselves"));
    }
    if args.server_cmd.is_some() && urls.len() > 1 {
        return Err(Error::usage("--server-cmd starts one server; more than one URL was given"));
    }
    let fields = fields(&args.request)?;
    let cancel = CancellationToken::new();
    let plan = Plan {
        cases: cases.into_iter().map(Arc::new).collect(),
        judge: args.run.judge.into(),
        voice: Voice::Own,
        out: args.run.out.clone(),
        pcapng: args.run.pcapng.clone(),
        jobs: args.jobs.map(usize::from),
        limits: if args.no_deadline { Limits::Off } else { Limits::Scaled(args.run.time_scale) },
        // Parts can be merged if they have one seed.
        seed: args.run.seed.unwrap_or_else(|| part.map_or_else(seed_from_clock, |_| 1)),
        excluded: Vec::new(),
        part,
        gate,
    };
    watch_for_interrupt(cancel.clone(), "interrupted");

    let mut agent = args.agent.clone();
    let mut command = None;
    let built_in = CancellationToken::new();
    if let Some(text) = &args.server_cmd {
        let limit = Duration::from_secs(args.server_timeout);
        let ready = args.server_ready.clone();
        let (url, server) = start_server(text, urls.first(), ready, limit).await?;
        urls = vec![url];
        command = Some(server);
    } else if urls.is_empty() {
        urls.push(start_built_in(built_in.clone()).await?);
        agent.get_or_insert_with(|| "wsproof echo".to_owned());
    }
    // What the last run has left is there until this one can begin.
    let mut session = Session::start(plan, cancel)?;
    for url in &urls {
        let named = NamedPeer {
            url: url.to_string(),
            agent: agent.clone(),
            fallback: url.address.to_string(),
            peer: Peer {
                address: Address { tls: tls.clone().filter(|_| url.secure), ..url.address.clone() },
                target: Target {
                    origin: args.request.origin.clone(),
                    subprotocols: args.request.subprotocol.clone(),
                    fields: fields.clone(),
                    ..Target::new(url.host_field(false), url.path.clone())
                },
                timers: None,
                settings: wsproof_engine::Settings::default(),
            },
        };
        session.run(&named).await?;
    }
    built_in.cancel();
    if let Some(mut server) = command {
        if let Some(ended) = server.ended().await {
            let text = format!("the server died: {ended}");
            output::warning(&output::clean_lines(&text));
            session.note(text)?;
        }
        server.stop().await;
    }
    session.finish()
}

/// First Ctrl-C: end in order, with the report of what ran. Second: leave.
pub(crate) fn watch_for_interrupt(cancel: CancellationToken, what: &'static str) {
    tokio::spawn(async move {
        end_signal().await;
        output::notice(&format!("{what}; writing the report of what was judged"));
        cancel.cancel();
        end_signal().await;
        leave_at_once();
    });
}

/// TLS for the servers that want it.
pub(crate) fn tls(args: &TlsArgs, urls: &[WsUrl]) -> Result<Option<Tls>, Error> {
    let trust = match &args.ca {
        Some(file) => Trust::File(file.clone()),
        None if args.verify => Trust::Platform,
        None => Trust::Anything,
    };
    let identity = args.client_cert.clone().zip(args.client_key.clone());
    let options = TlsOptions {
        trust,
        server_name: args.server_name.clone(),
        identity: identity.map(|(certificate, key)| Identity { certificate, key }),
    };
    if urls.iter().any(|url| url.secure) {
        return Tls::new(options).map(Some).map_err(|error| fault(&error));
    }
    if args.insecure || options != TlsOptions::default() {
        return Err(Error::usage("options of TLS are for wss:// URLs, and none was given"));
    }
    Ok(None)
}

/// The further fields of the opening request.
pub(crate) fn fields(request: &RequestArgs) -> Result<Vec<(String, String)>, Error> {
    request.header.iter().map(|text| field(text)).collect()
}

fn field(text: &str) -> Result<(String, String), Error> {
    let fault = |what: &str| Error::usage(format!("--header `{text}`: {what}"));
    let (name, value) =
        text.split_once(':').ok_or_else(|| fault("a field is written `Name: value`"))?;
    if !is_token(name) {
        return Err(fault("the name has a character that no field name may have"));
    }
    if value.chars().any(char::is_control) {
        return Err(fault("the value has a control character"));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

pub(crate) async fn start_built_in(stop: CancellationToken) -> Result<WsUrl, Error> {
    const WHAT: &str = "start the built-in echo server";
    let options = EchoOptions { server: server_config(), ..EchoOptions::default() };
    let server = EchoServer::bind(options).await.map_err(|error| Error::failed(WHAT, error))?;
    let text = server.local_addrs().first().map(|addr| format!("ws://{addr}")).unwrap_or_default();
    let url = WsUrl::parse(&text).map_err(|error| Error::failed(WHAT, error))?;
    tokio::spawn(server.serve(stop));
    Ok(url)
}

/// Starts a server and waits until it is ready: until its port accepts, or it prints `ready`.
pub(crate) async fn start_server(
    command: &str,
    url: Option<&WsUrl>,
    ready: Option<String>,
    limit: Duration,
) -> Result<(WsUrl, ServerCommand), Error> {
    let url = if let Some(url) = url {
        url.clone()
    } else {
        let port = free_port().map_err(|error| Error::failed("find a free port", error))?;
        WsUrl::parse(&format!("ws://127.0.0.1:{port}")).map_err(Error::usage)?
    };
    let readiness = ready.map_or(Readiness::Port, Readiness::Output);
    let address = &url.address;
    let server = ServerCommand::start(command, &address.host, address.port, &readiness, limit)
        .await
        .map_err(|error| Error::failed("bring up the server under test", error))?;
    Ok((url, server))
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
