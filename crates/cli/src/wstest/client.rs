//! The modes that are clients: `testeeclient`, `echoclient` and `broadcastclient`.

use std::time::Duration;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use wsproof_testee::{
    ClientConfig, CloseReply, DeflateOffer, Endpoint, Event, FailBy, Message, ServerAddress, Step,
    Walk, Walked, connection,
    mailbox::{Mailbox, mailbox},
};

use super::{Args, UserAgent};
use crate::{
    args::TlsArgs,
    echo::{SERVER_NAME, stop_when_told},
    exit::{Error, Exit},
    output, test,
    testee::{self, PATIENCE},
    url::WsUrl,
};

/// What the clients of the suite of old call themselves on the wire.
const CLASSIC_AGENT: &str = "AutobahnPython/0.10.9";

/// Time between two greetings of `broadcastclient`.
const HELLO: Duration = Duration::from_secs(2);

/// Octets of greetings that may wait for a server.
const UNSENT: usize = 4 << 10;

/// Goes through all cases of a fuzzing server, has the reports written, and ends.
pub(super) async fn testee(args: &Args) -> Result<Exit, Error> {
    let (url, server) = server(args)?;
    let agent = args.ident.as_deref().unwrap_or_else(|| name(args));
    if agent.is_empty() || agent.contains(char::is_control) {
        return Err(Error::usage("-i takes a name without control characters, not an empty one"));
    }
    let walk = Walk {
        server,
        client: ClientConfig {
            deflate: Some(DeflateOffer::default()),
            user_agent: Some(agent.to_owned()),
            ..config(&url)
        },
        agent: agent.to_owned(),
        defect: None,
        parallel: 1,
        patience: PATIENCE,
    };
    let stop = CancellationToken::new();
    stop_when_told(stop.clone());
    let mut count = 0;
    let walked = walk.run(&stop, |step| match step {
        Step::Counted(cases) => {
            count = cases;
            output::line(&format!("Ok, will run {count} cases"));
        }
        Step::Case(number) => output::line(&format!(
            "Running test case {number}/{count} as user agent {agent} on peer {}",
            url.address
        )),
        Step::Over | Step::Reports => {}
    });
    Ok(match walked.await {
        Ok(Walked::Through) => Exit::AsExpected,
        Ok(Walked::Stopped) => Exit::Interrupted,
        Err(error) => not_carried_out(&testee::failed(&url, error)),
    })
}

/// Connects once, sends back what arrives, and ends with the connection.
pub(super) async fn echo(args: &Args) -> Result<Exit, Error> {
    let (url, server) = server(args)?;
    let (_, nothing) = mailbox(0);
    let echoing = endpoint(args, &url).echo();
    converse(&url, &server, echoing, nothing, "echo what", |_| {}).await
}

/// Connects once, says hello again and again, prints what arrives, and ends with the connection.
pub(super) async fn broadcast(args: &Args) -> Result<Exit, Error> {
    let (url, server) = server(args)?;
    let hello = format!("hello from {}[{}]", host_name(), std::process::id());
    let (post, hellos) = mailbox(UNSENT);
    let greeting = async {
        let mut turns = interval(HELLO);
        loop {
            turns.tick().await;
            // A server that does not even read this much has greetings enough.
            let _ = post.send(Message::Text(hello.clone()).into());
        }
    };
    let listening = converse(&url, &server, endpoint(args, &url), hellos, "hear what", |event| {
        if let Event::Message { text, payload } = event {
            output::line(&format!("received:  {}", shown(text, &payload)));
        }
    });
    tokio::select! {
        ended = listening => ended,
        () = greeting => Ok(Exit::AsExpected),
    }
}

/// A message on one line; what is no text is shown in hex.
fn shown(text: bool, payload: &[u8]) -> String {
    if text { output::clean(&String::from_utf8_lossy(payload)) } else { output::hex(payload) }
}

/// What this machine is called, as far as anybody says it.
fn host_name() -> String {
    let told = |name| std::env::var(name).ok();
    told("HOSTNAME")
        .or_else(|| told("COMPUTERNAME"))
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// Connects, and goes on until the connection ends. `doing` says what for: "echo what".
async fn converse(
    url: &WsUrl,
    server: &ServerAddress,
    mut endpoint: Endpoint,
    mut mailbox: Mailbox,
    doing: &str,
    mut on_event: impl FnMut(Event),
) -> Result<Exit, Error> {
    let stop = CancellationToken::new();
    stop_when_told(stop.clone());
    let connected = tokio::select! {
        () = stop.cancelled() => return Ok(Exit::AsExpected),
        connected = server.connect() => connected,
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(error) => {
            let error = testee::explained(error);
            return Ok(not_carried_out(&Error::failed(format!("{doing} {url} says"), error)));
        }
    };
    let mut refused = None;
    let on_event = |_: &mut Endpoint, _, event| match event {
        Event::Refused { why, .. } => refused = Some(why),
        event => on_event(event),
    };
    let driven = connection::drive_with(stream, &mut endpoint, &mut mailbox, &stop, on_event);
    if let Err(error) = driven.await {
        // It ends as if the server had closed.
        tracing::debug!(%error, "connection lost");
    }
    Ok(match refused {
        Some(why) if !stop.is_cancelled() => {
            not_carried_out(&Error::failed(format!("{doing} {url} says"), why))
        }
        _ => Exit::AsExpected,
    })
}

/// An endpoint with the defaults of the library of old.
fn endpoint(args: &Args, url: &WsUrl) -> Endpoint {
    Endpoint::client(ClientConfig {
        fail_by: FailBy::DroppingTcp,
        user_agent: Some(name(args).to_owned()),
        ..config(url)
    })
}

/// The server that `-w` names; any certificate of it is good.
fn server(args: &Args) -> Result<(WsUrl, ServerAddress), Error> {
    let uri = args.wsuri.as_deref().ok_or_else(|| {
        Error::usage("this mode needs the URI of a server: -w ws://127.0.0.1:9001")
    })?;
    let url = WsUrl::parse(uri).map_err(Error::usage)?;
    let tls = test::tls(&TlsArgs::default(), std::slice::from_ref(&url))?;
    let server = testee::address(&url, tls.as_ref());
    Ok((url, server))
}

fn config(url: &WsUrl) -> ClientConfig {
    ClientConfig { close_reply: CloseReply::Normal, ..testee::client_config(url) }
}

pub(super) fn name(args: &Args) -> &'static str {
    if args.user_agent == Some(UserAgent::Classic) { CLASSIC_AGENT } else { SERVER_NAME }
}

/// Says what went wrong with a server; that is no wrong usage.
pub(super) fn not_carried_out(error: &Error) -> Exit {
    output::error(error);
    // Scripts of old read it here.
    output::line(&error.to_string());
    Exit::NotCarriedOut
}
