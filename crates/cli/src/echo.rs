//! `wsproof echo`: the strict echo server, or one with a single defect.

use tokio_util::sync::CancellationToken;
use wsproof_testee::{Defect, EchoOptions, EchoServer, ServerConfig};

use crate::{
    args::EchoArgs,
    exit::{Error, Exit},
    output,
};

pub(crate) async fn run(args: EchoArgs) -> Result<Exit, Error> {
    let defect = match args.defect.as_deref() {
        Some("list") => {
            for defect in Defect::ALL {
                output::line(&format!("{:<32} {}", defect.name(), defect.describe()));
            }
            return Ok(Exit::AsExpected);
        }
        Some(name) => Some(Defect::from_name(name).ok_or_else(|| {
            Error::usage(format!("`{name}` is no defect; `wsproof echo --defect list` names them"))
        })?),
        None => None,
    };
    let options = EchoOptions {
        addrs: args.addrs,
        server: ServerConfig {
            max_message_size: args.max_message,
            subprotocols: args.subprotocol,
            ..server_config()
        },
        defect,
    };
    serve(options, true).await
}

/// Serves until the process is told to end.
pub(crate) async fn serve(options: EchoOptions, announce: bool) -> Result<Exit, Error> {
    let server =
        EchoServer::bind(options).await.map_err(|error| Error::failed("serve echoes", error))?;
    if announce {
        for addr in server.local_addrs() {
            output::line(&format!("listening on ws://{addr}"));
        }
    }
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        end_signal().await;
        stopper.cancel();
        end_signal().await;
        leave_at_once();
    });
    server.serve(stop).await;
    Ok(Exit::AsExpected)
}

/// Whoever asks twice does not want to wait.
#[expect(clippy::exit, reason = "the user asked twice; everything judged is on disk")]
pub(crate) fn leave_at_once() {
    std::process::exit(i32::from(Exit::Interrupted as u8));
}

/// What every built-in server says of itself.
pub(crate) fn server_config() -> ServerConfig {
    ServerConfig {
        server_name: Some(concat!("wsproof/", env!("CARGO_PKG_VERSION")).to_owned()),
        ..ServerConfig::default()
    }
}

/// Completes when the process is asked to end: Ctrl-C, or SIGTERM where there is one.
pub(crate) async fn end_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
