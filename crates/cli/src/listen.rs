//! `wsproof listen`: clients under test. The fuzzing server of `wstest` ends here as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Accept, Behavior, Case, Limits, Settings, Timers};
use wsproof_runner::{Event, ListenOptions, Visit, listen};
use wsproof_testee::{ServerTls, server};

use crate::{
    args::ListenArgs,
    echo,
    exit::{Error, Exit},
    output,
    selection::{Selected, select_for},
    session::{Plan, Session, Voice, is_excluded, seed_from_clock},
    test::watch_for_interrupt,
};

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
    pub(crate) until_idle: Option<Duration>,
    pub(crate) agents: Option<usize>,
}

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
    let serving = Serving {
        tls: echo::listener_tls(&args.tls)?,
        addrs: args.addrs,
        server_name: echo::SERVER_NAME.to_owned(),
        timers: None,
        settings: Settings::default(),
        until_idle: args.until_idle.map(Duration::from_secs_f64),
        agents: args.agents,
    };
    serve(plan, serving, |urls, cases| {
        for url in urls {
            output::line(&format!("listening on {url}"));
        }
        output::notice(&format!(
            "{cases} cases for clients: /getCaseCount, /runCase?case=N&agent=NAME, \
             /updateReports?agent=NAME"
        ));
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
    announce: impl FnOnce(&[String], usize),
) -> Result<Exit, Error> {
    let mut listeners = Vec::new();
    let mut urls = Vec::new();
    let scheme = if serving.tls.is_some() { "wss" } else { "ws" };
    for &addr in &serving.addrs {
        let (listener, addr) =
            server::bind(addr, BACKLOG).map_err(|error| Error::failed("serve clients", error))?;
        listeners.push(listener);
        urls.push(format!("{scheme}://{addr}"));
    }
    let excluded = plan.excluded.clone();
    let options = ListenOptions {
        cases: plan.cases.clone(),
        excluded: Box::new(move |agent, case| is_excluded(&excluded, agent, case)),
        server_name: serving.server_name,
        tls: serving.tls.map(|tls| tls.config()),
        limits: plan.limits,
        timers: serving.timers,
        settings: serving.settings,
        seed: plan.seed,
        until_idle: serving.until_idle,
        agents: serving.agents,
    };
    let voice = plan.voice;
    let interrupted = CancellationToken::new();
    let session = Session::start(plan, interrupted.clone())?;
    let mut host = Host { session, voice, judged: BTreeMap::new(), reported: BTreeSet::new() };
    let stop = CancellationToken::new();
    watch_for_interrupt(stop.clone());
    announce(&urls, options.cases.len());

    let (sender, mut visits) = mpsc::unbounded_channel();
    let listening = listen(listeners, options, sender, &stop);
    tokio::pin!(listening);
    let cut_off = loop {
        tokio::select! {
            biased;
            Some(visit) = visits.recv() => host.take(visit)?,
            cut_off = &mut listening => break cut_off,
        }
    };
    while let Ok(visit) = visits.try_recv() {
        host.take(visit)?;
    }
    if cut_off {
        interrupted.cancel();
    }
    if serving.agents.is_some_and(|agents| host.reported.len() < agents) {
        host.session.incomplete("an agent that did not come".to_owned());
    }
    host.session.finish()
}

/// Takes what clients did into the session, and tells the user.
struct Host {
    session: Session,
    voice: Voice,
    /// Agents with the number of attempts that were judged.
    judged: BTreeMap<String, usize>,
    /// Agents that have asked for their reports.
    reported: BTreeSet<String>,
}

impl Host {
    fn take(&mut self, visit: Visit) -> Result<(), Error> {
        match visit {
            Visit::Case { agent, from, event } => self.case(agent, from, event)?,
            Visit::Skipped { agent, from, case } => {
                self.meet(&agent, from)?;
                self.say(&format!(
                    "Skipping test case ID {} for agent {} from peer {}",
                    case.id,
                    output::clean(&agent),
                    peer(from)
                ));
            }
            Visit::Commands { from } => {
                self.say(&format!("Entering direct command mode for peer {}", peer(from)));
            }
            Visit::Reports { agent, from, done } => {
                self.say(&format!("Updating reports, requested by peer {}", peer(from)));
                self.session.write_report()?;
                if self.voice == Voice::Own {
                    let judged = self.judged.get(&agent).copied().unwrap_or_default();
                    let agent = output::clean(&agent);
                    output::notice(&format!("{agent}: {judged} cases judged, report written"));
                }
                self.reported.insert(agent);
                // The client may have gone meanwhile.
                let _ = done.send(());
            }
        }
        Ok(())
    }

    fn case(&mut self, agent: String, from: SocketAddr, event: Event) -> Result<(), Error> {
        match event {
            Event::Started { case } => {
                self.meet(&agent, from)?;
                self.say(&format!(
                    "Running test case ID {} for agent {} from peer {}",
                    case.id,
                    output::clean(&agent),
                    peer(from)
                ));
            }
            Event::Attempt(attempt) => {
                if self.voice == Voice::Own && attempt.rfc.deviates() {
                    let rfc = &attempt.rfc;
                    let failed = rfc.behavior == Behavior::Failed;
                    let reason = if failed { &rfc.reason } else { &rfc.close_reason };
                    let (case, reason) = (&attempt.case.id, output::clean(reason));
                    let agent = output::clean(&agent);
                    output::notice(&format!("  {agent} deviates in {case}: {reason}"));
                }
                self.session.attempt(&agent, *attempt)?;
                *self.judged.entry(agent).or_default() += 1;
            }
            Event::Settled(settled) => self.session.settled(&agent, settled)?,
            Event::Note(text) => self.session.note(text)?,
        }
        Ok(())
    }

    /// An agent is a peer from the first time on.
    fn meet(&mut self, agent: &str, from: SocketAddr) -> Result<(), Error> {
        if self.judged.contains_key(agent) {
            return Ok(());
        }
        self.judged.insert(agent.to_owned(), 0);
        self.session.peer(agent, &format!("client at {}", from.ip().to_canonical()), None)
    }

    /// A line of `wstest`.
    fn say(&self, line: &str) {
        if self.voice == Voice::Classic {
            output::line(line);
        }
    }
}

/// A client's address, as `wstest` writes it.
fn peer(from: SocketAddr) -> String {
    let family = if from.is_ipv4() { "tcp4" } else { "tcp6" };
    format!("{family}:{from}")
}
