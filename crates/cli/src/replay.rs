//! `wsproof replay`: one case of stored results once more, with the whole conversation.

use std::{path::Path, sync::Arc, time::Duration};

use clap::Parser;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Case, CaseId, Limits, Target};
use wsproof_report::{
    JudgeKind, Line, Record, Results,
    contract::{Attempt, Dial, PeerInfo},
    conversation::{self, Live},
};
use wsproof_runner::{Address, Event, Options, Peer, run_peer};

use crate::{
    args::{Cli, Command, ReplayArgs, RequestArgs, TestArgs, TlsArgs},
    captures,
    echo::end_signal,
    exit::{Error, Exit},
    output, session, stored, test,
    url::WsUrl,
};

/// Ids or names that an error message lists at most.
const LISTED: usize = 12;

pub(crate) async fn run(args: ReplayArgs) -> Result<Exit, Error> {
    let results = stored::read(&args.results)?;
    let id = CaseId::new(args.case.clone());
    let info = peer(&results, &id, args.peer.as_deref())?;
    let before = results
        .final_attempt(&info.peer, &id)
        .ok_or_else(|| Error::usage(unknown_case(&results, info, &id)))?;
    let case = wsproof_cases::catalogue().into_iter().find(|case| case.id == id);
    let run = results.run().cloned().unwrap_or_default();
    let judge = args.judge.map_or(run.judge, JudgeKind::from);

    let title = case.as_ref().map_or("not in this version's catalogue", |case| &case.title);
    say("replay", &format!("{id}  {title}"));
    let client = results.is_client(&info.peer);
    if client || args.stored {
        say("peer", &format!("{}, {}", info.peer, info.url));
        say("stored", &format!("nothing was run: this is the log of {}", before.started));
        output::spans(&conversation::render(&results, case.as_ref(), before, judge));
        if let Some(folder) = &args.pcapng {
            let attempts = results.record(&info.peer, &id).map(Record::attempts);
            capture(folder, info, attempts.unwrap_or_default(), case.as_slice())?;
        }
        if client {
            let seed = run.seed;
            say("again", "a client asks for its cases itself; serve it this one with");
            say("", &format!("wsproof listen --cases {id} --seed {seed}"));
        }
        return Ok(concluded(before, judge));
    }
    let Some(case) = case else {
        return Err(Error::usage(format!(
            "case {id} is not in this version's catalogue and cannot be run; --stored prints its \
             log"
        )));
    };
    let Replayed { attempts, live } = again(&args, &run, info, Arc::new(case.clone())).await?;
    let Some(after) = attempts.last() else { return Err(Error::failed("replay", "nothing ran")) };
    output::spans(&live.conclude(&results, Some(&case), after, judge));
    if let Some(folder) = &args.pcapng {
        capture(folder, info, &attempts, std::slice::from_ref(&case))?;
    }
    let differences = conversation::differences(before, after);
    if differences.is_empty() {
        say("stored", "the same as stored");
    }
    for (n, line) in differences.iter().enumerate() {
        say(if n == 0 { "stored" } else { "" }, line);
    }
    Ok(concluded(after, judge))
}

/// Writes captures of attempts at one case with one peer.
fn capture(
    folder: &Path,
    info: &PeerInfo,
    attempts: &[Attempt],
    cases: &[Case],
) -> Result<(), Error> {
    let mut results = Results::default();
    results.push(Line::Peer(info.clone()));
    for attempt in attempts {
        results.push(Line::Attempt(Box::new(attempt.clone())));
    }
    captures::write(folder, &results, cases)
}

/// A line with its lead, as a summary has them.
fn say(lead: &str, text: &str) {
    output::spans(&conversation::line(lead, text));
}

fn concluded(attempt: &Attempt, judge: JudgeKind) -> Exit {
    let deviates = attempt.judgement(judge).deviates();
    let exit = if deviates { Exit::Deviates } else { Exit::AsExpected };
    output::line(&format!("exit {}", exit as u8));
    exit
}

/// The peer that is meant: the named one, or the only one with a result of the case.
fn peer<'a>(
    results: &'a Results,
    case: &CaseId,
    name: Option<&str>,
) -> Result<&'a PeerInfo, Error> {
    let peers = results.peers();
    if let Some(name) = name {
        return peers.iter().find(|info| info.peer == name).ok_or_else(|| {
            let names = listed(peers.iter().map(|info| &*info.peer));
            Error::usage(format!("there is no peer `{name}` in the results; there are: {names}"))
        });
    }
    let judged: Vec<_> =
        peers.iter().filter(|info| results.record(&info.peer, case).is_some()).collect();
    match (&judged[..], peers) {
        ([one], _) => Ok(one),
        ([], [one]) => Ok(one),
        ([], []) => Err(Error::usage("the results are of no peer: there is nothing to replay")),
        ([], _) => {
            let names = listed(peers.iter().map(|info| &*info.peer));
            Err(Error::usage(format!("no peer has a result of case {case}; there are: {names}")))
        }
        _ => {
            let names = listed(judged.iter().map(|info| &*info.peer));
            Err(Error::usage(format!(
                "several peers have a result of case {case}: choose one with --peer: {names}"
            )))
        }
    }
}

fn unknown_case(results: &Results, info: &PeerInfo, case: &CaseId) -> String {
    let ids: Vec<_> = results.records(&info.peer).map(|(id, _)| id.as_str()).collect();
    let peer = output::clean(&info.peer);
    format!("there is no result of case {case} with {peer}; there are: {}", listed(ids.into_iter()))
}

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut text = names.take(LISTED).map(output::clean).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text = format!("{text} and {more} more");
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

/// What came of running a case again.
struct Replayed {
    /// In order; the last one counts.
    attempts: Vec<Attempt>,
    /// The conversation of the last one, as far as it is printed.
    live: Live,
}

/// Runs the case once more, as it was run and as the command line wants it.
async fn again(
    args: &ReplayArgs,
    run: &wsproof_report::contract::RunInfo,
    info: &PeerInfo,
    case: Arc<Case>,
) -> Result<Replayed, Error> {
    let given = given(&run.command);
    let stop = CancellationToken::new();
    let mut server = None;
    let url = if let Some(command) = &args.server_cmd {
        let url = args.url.as_deref().map(WsUrl::parse).transpose().map_err(Error::usage)?;
        let ready = given.as_deref().and_then(|given| given.server_ready.clone());
        let limit = given.as_deref().map_or(30, |given| given.server_timeout);
        let limit = Duration::from_secs(limit);
        let (url, started) = test::start_server(command, url.as_ref(), ready, limit).await?;
        server = Some(started);
        url
    } else if let Some(url) = &args.url {
        WsUrl::parse(url).map_err(Error::usage)?
    } else if let Some(command) = given.as_deref().and_then(|given| given.server_cmd.as_deref()) {
        // A file is no reason to start a program.
        return Err(Error::usage(format!(
            "the run started its server itself; do so again with --server-cmd '{}', or name the \
             URL of a server",
            output::clean(command)
        )));
    } else if given.as_deref().is_some_and(|given| given.urls.is_empty()) {
        test::start_built_in(stop.clone()).await?
    } else {
        WsUrl::parse(&info.url).map_err(Error::usage)?
    };
    let limits = match given.as_deref() {
        _ if args.no_deadline => Limits::Off,
        Some(given) if args.time_scale.is_none() && given.no_deadline => Limits::Off,
        Some(given) => Limits::Scaled(args.time_scale.unwrap_or(given.run.time_scale)),
        None => Limits::Scaled(args.time_scale.unwrap_or(1.0)),
    };
    let dial = dial(args, info, &url)?;
    let tls = match given.as_deref() {
        Some(given) if url.secure && args.tls == TlsArgs::default() => &given.tls,
        _ => &args.tls,
    };
    let tls = test::tls(tls, std::slice::from_ref(&url))?;
    say("peer", &format!("{} at {url}", info.peer));
    say("seed", &run.seed.to_string());
    say("asked", &request_words(&dial.target, limits));
    let peer = Peer {
        address: Address { tls, ..url.address.clone() },
        target: dial.target,
        timers: dial.timers,
        settings: dial.settings,
    };
    let wait = case.scripted_wait().as_secs_f64();
    let wait = if wait > 0.0 { format!(", which waits {wait} s") } else { String::new() };
    output::notice(&format!("running {}{wait}", case.id));
    let ran = carry_out(&peer, case, limits, run.seed).await;
    stop.cancel();
    if let Some(server) = server {
        server.stop().await;
    }
    let (attempts, live) = ran?;
    let attempts =
        attempts.into_iter().map(|attempt| session::to_stored(&info.peer, attempt)).collect();
    Ok(Replayed { attempts, live })
}

/// Carries out a case, and prints what goes over the wire while it does.
async fn carry_out(
    peer: &Peer,
    case: Arc<Case>,
    limits: Limits,
    seed: u64,
) -> Result<(Vec<wsproof_runner::Attempt>, Live), Error> {
    let options = Options { jobs: 1, overlap_measured: false, limits, seed, watched: true };
    let (sender, mut events) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let id = case.id.clone();
    let cases = [case];
    let running = run_peer(peer, &cases, &options, &sender, &cancel);
    let interrupted = end_signal();
    tokio::pin!(running, interrupted);
    let mut watching = Watching::default();
    loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => watching.take(event),
            _ = &mut running => break,
            () = &mut interrupted => {
                return Err(Error::interrupted("interrupted before the case was over"));
            }
        }
    }
    while let Ok(event) = events.try_recv() {
        watching.take(event);
    }
    if watching.attempts.is_empty() {
        return Err(Error::failed(format!("run case {id}"), watching.notes.join("; ")));
    }
    Ok((watching.attempts, watching.live))
}

/// Prints a case while it runs, and keeps what came of it.
#[derive(Default)]
struct Watching {
    started: usize,
    live: Live,
    attempts: Vec<wsproof_runner::Attempt>,
    notes: Vec<String>,
}

impl Watching {
    fn take(&mut self, event: Event) {
        let rows = match event {
            Event::Started { case } => {
                self.started += 1;
                if self.started > 1 {
                    output::notice(&format!("running {} once more", case.id));
                }
                let (live, rows) = Live::begin();
                self.live = live;
                rows
            }
            Event::Logged(logged) => self.live.take(&logged),
            Event::Attempt(attempt) => {
                self.attempts.push(*attempt);
                return;
            }
            Event::Note(text) => {
                self.notes.push(text);
                return;
            }
            Event::Settled(_) => return,
        };
        if !rows.is_empty() {
            output::spans(&rows);
        }
    }
}

/// The options of a `wsproof test` that was; nothing if it was another command, or if this version
/// does not understand it any more.
fn given(command: &[String]) -> Option<Box<TestArgs>> {
    match Cli::try_parse_from(command).ok()?.command {
        Command::Test(given) => Some(given),
        _ => None,
    }
}

/// How the peer was dialled, with what the command line says in its place.
fn dial(args: &ReplayArgs, info: &PeerInfo, url: &WsUrl) -> Result<Dial, Error> {
    // Only clients are stored without it.
    let mut dial = info.dial.clone().unwrap_or_else(|| Dial {
        target: Target::new(url.host_field(false), url.path.clone()),
        timers: None,
        settings: wsproof_engine::Settings::default(),
    });
    if url.to_string() != info.url {
        (dial.target.host, dial.target.path) = (url.host_field(false), url.path.clone());
    }
    ask(&mut dial.target, &args.request)?;
    Ok(dial)
}

/// Puts what the command line says in the place of what was said before.
fn ask(target: &mut Target, request: &RequestArgs) -> Result<(), Error> {
    let fields = test::fields(request)?;
    if !fields.is_empty() {
        target.fields = fields;
    }
    if !request.subprotocol.is_empty() {
        target.subprotocols.clone_from(&request.subprotocol);
    }
    if request.origin.is_some() {
        target.origin.clone_from(&request.origin);
    }
    Ok(())
}

/// What is special about the opening request. Values of fields may be secrets.
fn request_words(target: &Target, limits: Limits) -> String {
    let mut words = Vec::new();
    if let Some(origin) = &target.origin {
        words.push(format!("origin {origin}"));
    }
    if !target.subprotocols.is_empty() {
        words.push(format!("subprotocols {}", target.subprotocols.join(", ")));
    }
    words.extend(target.fields.iter().map(|(name, _)| format!("field {name}")));
    if target.version != 13 {
        words.push(format!("version {}", target.version));
    }
    match limits {
        Limits::Off => words.push("no limits".to_owned()),
        Limits::Scaled(1.0) => {}
        Limits::Scaled(factor) => words.push(format!("limits stretched by {factor}")),
    }
    if words.is_empty() {
        return "nothing beside what each case asks".to_owned();
    }
    words.iter().map(|word| output::clean(word)).collect::<Vec<_>>().join(", ")
}
