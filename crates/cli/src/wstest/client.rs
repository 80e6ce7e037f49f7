//! The modes that are clients: `testeeclient` and `echoclient`.

use tokio_util::sync::CancellationToken;
use wsproof_runner::{Tls, TlsOptions};
use wsproof_testee::{
    ClientConfig, CloseReply, DeflateOffer, Endpoint, Event, FailBy, ServerAddress, Step, Walk,
    Walked, connection,
};

use super::{Args, UserAgent};
use crate::{
    echo::{SERVER_NAME, fault, stop_when_told},
    exit::{Error, Exit},
    output,
    testee::{self, PATIENCE},
    url::WsUrl,
};

/// What the clients of the suite of old call themselves on the wire.
const CLASSIC_AGENT: &str = "AutobahnPython/0.10.9";

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
            return Ok(not_carried_out(&Error::failed(format!("echo what {url} says"), error)));
        }
    };
    let mut endpoint = Endpoint::client(ClientConfig {
        fail_by: FailBy::DroppingTcp,
        user_agent: Some(name(args).to_owned()),
        ..config(&url)
    })
    .echo();
    let mut refused = None;
    let driven = connection::drive(stream, &mut endpoint, &stop, |_, _, event| {
        if let Event::Refused { why, .. } = event {
            refused = Some(why);
        }
    });
    if let Err(error) = driven.await {
        // It ends as if the server had closed.
        tracing::debug!(%error, "connection lost");
    }
    Ok(match refused {
        Some(why) if !stop.is_cancelled() => {
            not_carried_out(&Error::failed(format!("echo what {url} says"), why))
        }
        _ => Exit::AsExpected,
    })
}

/// The server that `-w` names; any certificate of it is good.
fn server(args: &Args) -> Result<(WsUrl, ServerAddress), Error> {
    let uri = args.wsuri.as_deref().ok_or_else(|| {
        Error::usage("this mode needs the URI of a server: -w ws://127.0.0.1:9001")
    })?;
    let url = WsUrl::parse(uri).map_err(Error::usage)?;
    let tls = if url.secure {
        Some(Tls::new(TlsOptions::default()).map_err(|error| fault(&error))?)
    } else {
        None
    };
    let server = testee::address(&url, tls.as_ref());
    Ok((url, server))
}

fn config(url: &WsUrl) -> ClientConfig {
    ClientConfig { close_reply: CloseReply::Normal, ..testee::client_config(url) }
}

fn name(args: &Args) -> &'static str {
    if args.user_agent == Some(UserAgent::Classic) { CLASSIC_AGENT } else { SERVER_NAME }
}

/// Says what went wrong with a server; that is no wrong usage.
fn not_carried_out(error: &Error) -> Exit {
    output::error(error);
    // Scripts of old read it here.
    output::line(&error.to_string());
    Exit::NotCarriedOut
}
