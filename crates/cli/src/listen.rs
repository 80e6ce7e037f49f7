//! `wsproof listen`: clients under test. The fuzzing server of `wstest` ends here as well.

mod client;
mod host;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep_until};
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Accept, Case, Limits, Settings, Timers};
use wsproof_report::number;
use wsproof_runner::{Admission, ListenOptions, listen};
use wsproof_testee::{ServerTls, server};

use crate::{
    args::ListenArgs,
    echo::{self, ReadyFile},
    exit::{Error, Exit},
    output,
    selection::{Selected, select_for},
    session::{Plan, Session, Voice, is_excluded, seed_from_clock},
    test::watch_for_interrupt,
    web::{self, Site, WebPort},
};
use client::{Client, Started};
use host::Host;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where and how clients are served.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) server_name: String,
    pub(crate) timers: Option<Timers>,
    pub(crate) settings: Settings,
    pub(crate) admission: Admission,
    pub(crate) until_idle: Option<Duration>,
    pub(crate) agents: Option<usize>,
    pub(crate) web: Option<WebPort>,
    /// A client to start as soon as it may connect.
    pub(crate) client: Option<Client>,
}

/// Where clients are served if nobody says otherwise.
const PORT: u16 = 9001;

pub(crate) async fn run(args: ListenArgs) -> Result<Exit, Error> {
    let run = args.run;
    let catalogue = for_clients(wsproof_cases::catalogue());
    let Some(Selected { cases, part, gate }) = select_for(catalogue, &run, None)? else {
        return Ok(Exit::AsExpected);
    };
    let plan = Plan {
        cases: cases.into_iter().map(Arc::new).collect(),
        judge: run.judge.into(),
        voice: Voice::Own,
        out: run.out,
        pcapng: run.pcapng,
        jobs: None,
        limits: Limits::Scaled(run.time_scale),
        seed: run.seed.unwrap_or_else(seed_from_clock),
        excluded: Vec::new(),
        part,
        gate,
    };
    let is_waited_for = args.client.client_cmd.is_some();
    let ready = ReadyFile::new(args.listener.ready_file.as_deref())?;
    let client = args.client.client_cmd.map(|command| Client {
        command,
        agent: args.client.agent,
        timeout: Duration::from_secs_f64(args.client.client_timeout),
    });
    let mut addrs = args.addrs;
    if addrs.is_empty() {
        // Who is told the URL needs no certain port, and two runs beside each other no quarrel.
        let port = if client.is_some() { 0 } else { PORT };
        addrs.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let serving = Serving {
        tls: echo::listener_tls(&args.listener)?,
        addrs,
        server_name: echo::SERVER_NAME.to_owned(),
        timers: None,
        settings: Settings::default(),
        admission: Admission::default(),
        until_idle: args.until_idle.map(Duration::from_secs_f64),
        agents: args.agents,
        web: args.webport.map(WebPort::Wanted),
        client,
    };
    serve(plan, serving, |urls, cases| {
        echo::announce(urls, &ready)?;
        output::notice(&format!("{} for clients", number(cases, "case")));
        if !is_waited_for {
            output::notice("  ask for /getCaseCount, then /runCase?case=N&agent=NAME for each,");
            output::notice("  and in the end for /updateReports?agent=NAME");
        }
        Ok(())
    })
    .await
}

/// The cases that say something about a client.
pub(crate) fn for_clients(mut cases: Vec<Case>) -> Vec<Case> {
    cases.retain(|case| !matches!(case.accept, Accept::Class(_)));
    cases
}

/// Serves until it is told to stop, and writes the report. `announce` is called with the URLs and
/// the number of cases as soon as clients may connect.
pub(crate) async fn serve(
    plan: Plan,
    serving: Serving,
    announce: impl FnOnce(&[String], usize) -> Result<(), Error>,
) -> Result<Exit, Error> {
    let mut listeners = Vec::new();
    let mut urls = Vec::new();
    let mut bound = Vec::new();
    let mut dialable = None;
    let scheme = if serving.tls.is_some() { "wss" } else { "ws" };
    for &addr in &serving.addrs {
        let (listener, addr) =
            server::bind(addr, BACKLOG).map_err(|error| Error::failed("serve clients", error))?;
        listeners.push(listener);
        urls.push(format!("{scheme}://{addr}"));
        bound.push(addr);
        dialable.get_or_insert_with(|| format!("{scheme}://{}", reachable(addr)));
    }
    let stop = CancellationToken::new();
    let site = |beside| Site::fuzzing(beside, &plan.cases, plan.out.clone());
    let pages = web::beside(&bound, serving.web, serving.tls.as_ref(), site, &stop)?;
    let voice = plan.voice;
    let excluded = plan.excluded.clone();
    let options = ListenOptions {
        cases: plan.cases.clone(),
        excluded: Box::new(move |agent, case| is_excluded(&excluded, agent, case)),
        server_name: serving.server_name,
        tls: serving.tls.map(|tls| tls.config()),
        limits: plan.limits,
        timers: serving.timers,
        settings: serving.settings,
        admission: serving.admission,
        seed: plan.seed,
        until_idle: serving.until_idle,
        agents: serving.agents,
    };
    let interrupted = CancellationToken::new();
    let mut host = Host::new(Session::start(plan, interrupted.clone())?);
    // Between cases that is how it ends; whether a case was cut off is known later.
    watch_for_interrupt(stop.clone(), "told to stop");
    announce(&urls, options.cases.len())?;
    for page in &pages {
        let text = format!("web page for browsers on {page}");
        // Scripts of old know which lines come on stdout.
        if voice == Voice::Own { output::line(&text) } else { output::notice(&text) }
    }

    let (sender, mut visits) = mpsc::unbounded_channel();
    let listening = listen(listeners, options, sender, &stop);
    tokio::pin!(listening);
    let mut client = match serving.client {
        Some(client) => Some(Started::new(client, &dialable.unwrap_or_default())?),
        None => None,
    };
    let cut_off = loop {
        tokio::select! {
            biased;
            Some(visit) = visits.recv() => {
                if let Some(client) = &mut client {
                    client.see(&visit);
                }
                host.take(visit)?;
                if host.is_overdue() {
                    host.report()?;
                } else {
                    host.write_cases();
                }
            }
            cut_off = &mut listening => break cut_off,
            () = client::over(&mut client), if !stop.is_cancelled() => stop.cancel(),
            // What is there already was taken in first: it belongs into the report.
            () = sleep_until(host.next_report()), if host.is_waited_for() => host.report()?,
        }
    };
    while let Ok(visit) = visits.try_recv() {
        host.take(visit)?;
    }
    if let Some(client) = client {
        client.finish(&mut host).await?;
    }
    if cut_off {
        interrupted.cancel();
    }
    if let Some(agents) = serving.agents {
        host.expect(agents);
    }
    host.finish()
}

/// An address that a client on this machine can dial.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
