//! The fuzzing client: servers under test, as a specification names them.

mod spec;

use std::{collections::BTreeMap, sync::Arc};

use tokio_util::sync::CancellationToken;
use wsproof_engine::{Case, Limits, Target};
use wsproof_report::JudgeKind;
use wsproof_runner::{Address, Peer, Tls, TlsOptions, Trust};

use super::{Args, UserAgent, pattern};
use crate::{
    echo::fault,
    exit::{Error, Exit},
    gate, output,
    session::{NamedPeer, Plan, Session, Voice, seed_from_clock},
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
    let excluded = excluded(&spec.exclude_agent_cases, &cases);
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
    let plan = Plan {
        cases: cases.into_iter().map(Arc::new).collect(),
        judge: JudgeKind::Classic,
        voice: Voice::Classic,
        pcapng: None,
        out: spec.outdir.clone(),
        jobs,
        limits: Limits::default(),
        seed: seed_from_clock(),
        excluded,
        part: None,
        gate: gate::Setup::default(),
    };
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

/// The selected cases in the order of their ids.
pub(super) fn selected(
    all: Vec<Case>,
    wanted: &[String],
    unwanted: &[String],
) -> Result<Vec<Case>, Error> {
    // `[""]` is how many write that nothing is excluded.
    for text in wanted.iter().chain(unwanted).filter(|text| !text.is_empty()) {
        if !all.iter().any(|case| pattern::selects(text, &case.id)) {
            output::warning(&format!(
                "`{text}` selects nothing; a case is named by its id, and several by a pattern \
                 with `*`, such as `1.*`"
            ));
        }
    }
    let any = |patterns: &[String], case: &Case| {
        patterns.iter().any(|text| pattern::selects(text, &case.id))
    };
    let mut cases = all;
    cases.retain(|case| any(wanted, case) && !any(unwanted, case));
    if cases.is_empty() {
        return Err(Error::usage("the specification selects no case; see `cases` in it"));
    }
    Ok(cases)
}

/// Patterns of agents with the ids of the cases that are not for them.
pub(super) fn excluded(
    agents: &BTreeMap<String, Vec<String>>,
    cases: &[Case],
) -> Vec<(String, Vec<String>)> {
    let ids = |patterns: &[String]| {
        let excluded =
            |case: &&Case| patterns.iter().any(|text| pattern::selects_whole(text, &case.id));
        cases.iter().filter(excluded).map(|case| case.id.to_string()).collect()
    };
    agents.iter().map(|(agent, patterns)| (agent.clone(), ids(patterns))).collect()
}

fn jobs_from_environment() -> Result<Option<usize>, Error> {
    let Some(text) = std::env::var_os("WSPROOF_JOBS") else { return Ok(None) };
    let jobs =
        text.to_str().and_then(|text| text.parse().ok()).filter(|jobs| (1..=1024).contains(jobs));
    jobs.map(Some).ok_or_else(|| Error::usage("WSPROOF_JOBS takes a number from 1 to 1024"))
}

/// A list as Python writes it.
pub(super) fn quoted<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = texts.map(|text| format!("'{text}'")).collect();
    format!("[{}]", quoted.join(", "))
}
