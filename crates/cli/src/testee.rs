//! `wsproof testee`: the strict client, which goes through the cases of a fuzzing server.

use std::{io, time::Duration};

use tokio_util::sync::CancellationToken;
use wsproof_report::number;
use wsproof_runner::{Tls, explain_tls};
use wsproof_testee::{
    ClientConfig, ClientTls, ConnectError, DeflateOffer, ServerAddress, Step, Walk, WalkError,
    Walked,
};

use crate::{
    args::TesteeArgs,
    echo::{self, SERVER_NAME, stop_when_told},
    exit::{Error, Exit},
    output,
    progress::Progress,
    test,
    url::WsUrl,
};

/// How long a fuzzing server may say nothing, if nothing else is asked for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: TesteeArgs) -> Result<Exit, Error> {
    if args.defect.as_deref() == Some("list") {
        return Ok(echo::list_defects());
    }
    let url = args.url.as_deref().ok_or_else(|| Error::usage("the URL of a server is missing"))?;
    let url = WsUrl::parse(url).map_err(Error::usage)?;
    let tls = test::tls(&args.tls, std::slice::from_ref(&url))?;
    let agent = args.agent.unwrap_or_else(|| SERVER_NAME.to_owned());
    if agent.is_empty() {
        return Err(Error::usage("--agent: the reports need a name that is not empty"));
    }
    let walk = Walk {
        server: address(&url, tls.as_ref()),
        client: ClientConfig {
            deflate: (!args.no_deflate).then(DeflateOffer::default),
            user_agent: Some(SERVER_NAME.to_owned()),
            ..client_config(&url)
        },
        agent: agent.clone(),
        defect: args.defect.as_deref().map(echo::defect).transpose()?,
        parallel: args.parallel.into(),
        patience: Duration::from_secs_f64(args.timeout),
    };
    let stop = CancellationToken::new();
    stop_when_told(stop.clone());
    let mut count = 0;
    let mut progress = None;
    let walked = walk.run(&stop, |step| match step {
        Step::Counted(cases) => {
            let title =
                format!("{url} has {} for {}", number(cases, "case"), output::clean(&agent));
            progress = Some(Progress::new(&title, cases));
            count = cases;
        }
        Step::Case(number) => {
            if let Some(progress) = &progress {
                progress.started(&format!("case {number}"));
            }
        }
        Step::Over => {
            if let Some(progress) = &progress {
                progress.settled();
            }
        }
        Step::Reports => {
            if let Some(progress) = progress.take() {
                progress.finish();
            }
        }
    });
    let walked = walked.await;
    if let Some(progress) = progress.take() {
        progress.finish();
    }
    match walked.map_err(|error| failed(&url, error))? {
        Walked::Through => {
            output::line(&format!("went through {count} cases; the server wrote the reports"));
            Ok(Exit::AsExpected)
        }
        Walked::Stopped => {
            output::notice("interrupted; no reports were asked for");
            Ok(Exit::Interrupted)
        }
    }
}

/// A connection to a server, as every built-in client makes it.
pub(crate) fn client_config(url: &WsUrl) -> ClientConfig {
    // The walk has seeds of its own; other clients connect once.
    ClientConfig::new(url.host_field(true), url.path.clone(), wsproof_testee::client::fresh_seed())
}

/// Where a URL leads to.
pub(crate) fn address(url: &WsUrl, tls: Option<&Tls>) -> ServerAddress {
    let tls = tls.filter(|_| url.secure);
    ServerAddress {
        host: url.address.host.clone(),
        port: url.address.port,
        tls: tls.map(|tls| ClientTls::new(tls.config(), tls.server_name())),
    }
}

/// Why a walk did not come to its end.
pub(crate) fn failed(url: &WsUrl, error: WalkError) -> Error {
    let error = match error {
        WalkError::Connect(what, error) => WalkError::Connect(what, explained(error)),
        WalkError::NoCount { what, said } => {
            WalkError::NoCount { what, said: output::clean(&said) }
        }
        error => error,
    };
    Error::failed(format!("go through the cases of {url}"), error)
}

/// The same error; what TLS says is put into words.
pub(crate) fn explained(error: ConnectError) -> ConnectError {
    match error {
        ConnectError::Tls(error) if error.kind() != io::ErrorKind::TimedOut => {
            ConnectError::Tls(explain_tls(&error))
        }
        error => error,
    }
}
