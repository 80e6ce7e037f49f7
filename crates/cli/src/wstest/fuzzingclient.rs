//! The fuzzing client: servers under test, as a specification names them.

mod spec;

use tokio_util::sync::CancellationToken;
use wsproof_engine::Target;
use wsproof_runner::{Address, Peer, Tls, TlsOptions, Trust};

use super::{
    Args, UserAgent,
    plan::{plan, quoted, selected},
};
use crate::{
    echo::fault,
    exit::{Error, Exit},
    output,
    session::{NamedPeer, Session},
    test::watch_for_interrupt,
    url::WsUrl,
};
use spec::{ClientSpec, ServerSpec};

pub(super) async fn run(args: &Args) -> Result<Exit, Error> {
    if args.key.is_some() || args.cert.is_some() {
        output::warning("-k and -c are for the server modes; a fuzzing client does not use them");
    }
    let spec = spec::load(args.spec.as_deref())?;
    let jobs = jobs_from_environment()?;
    let cases = selected(wsproof_cases::catalogue(), &spec.cases, &spec.exclude_cases)?;
    let servers = spec.servers(args.wsuri.as_deref());
    let peers =
        servers.iter().map(|server| peer(args, &spec, server)).collect::<Result<Vec<_>, _>>()?;

    output::line(&format!(
        "Ok, will run {} test cases against {} servers",
        cases.len(),
        peers.len()
    ));
    output::line(&format!("Cases = {}", quoted(cases.iter().map(|case| case.id.as_str()))));
    output::line(&format!("Servers = {}", quoted(peers.iter().map(|peer| peer.url.as_str()))));

    let cancel = CancellationToken::new();
    let plan = plan(cases, &spec.exclude_agent_cases, &spec.outdir, jobs);
    let mut session = Session::start(plan, cancel.clone())?;
    watch_for_interrupt(cancel, "interrupted");
    for named in &peers {
        session.run(named).await?;
    }
    session.finish()
}

fn peer(args: &Args, spec: &ClientSpec, server: &ServerSpec) -> Result<NamedPeer, Error> {
    let url = WsUrl::parse(&server.url).map_err(Error::usage)?;
    let options = spec.options(server).map_err(Error::usage)?;
    let mut target = Target {
        origin: server.origin.clone(),
        subprotocols: server.protocols.clone(),
        version: options.header_version(),
        ..Target::new(url.host_field(true), url.path.clone())
    };
    if let Some(UserAgent::Classic) = args.user_agent {
        super::CLASSIC_AGENT.clone_into(&mut target.user_agent);
    }
    let tls = if url.secure { Some(tls(server)?) } else { None };
    Ok(NamedPeer {
        url: server.url.clone(),
        agent: server.agent.clone(),
        fallback: "UnknownServer".to_owned(),
        peer: Peer {
            address: Address { tls, ..url.address },
            target,
            timers: options.timers(),
            settings: options.settings(),
        },
    })
}

/// Any certificate is good, unless the entry says which name it must have.
fn tls(server: &ServerSpec) -> Result<Tls, Error> {
    let trust = if server.hostname.is_some() { Trust::Platform } else { Trust::Anything };
    let options = TlsOptions { trust, server_name: server.hostname.clone(), identity: None };
    Tls::new(options).map_err(|error| fault(&error))
}

fn jobs_from_environment() -> Result<Option<usize>, Error> {
    let Some(text) = std::env::var_os("WSPROOF_JOBS") else { return Ok(None) };
    let jobs =
        text.to_str().and_then(|text| text.parse().ok()).filter(|jobs| (1..=1024).contains(jobs));
    jobs.map(Some).ok_or_else(|| Error::usage("WSPROOF_JOBS takes a number from 1 to 1024"))
}
