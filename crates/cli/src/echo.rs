//! `wsproof echo`: the strict echo server, or one with a single defect.

use std::path::Path;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wsproof_testee::{Defect, EchoOptions, EchoServer, ServerConfig, ServerTls};

use crate::{
    args::{EchoArgs, ListenerArgs},
    exit::{Error, Exit},
    node, output,
};

pub(crate) async fn run(args: EchoArgs) -> Result<Exit, Error> {
    let defect = match args.defect.as_deref() {
        Some("list") => return Ok(list_defects()),
        Some(name) => Some(defect(name)?),
        None => None,
    };
    let ready = ReadyFile::new(args.listener.ready_file.as_deref())?;
    if let Some(file) = &args.node {
        return serve_all(node_transports(file, defect)?, |urls| announce(urls, &ready)).await;
    }
    let tls = listener_tls(&args.listener)?;
    let options = EchoOptions {
        addrs: args.addrs,
        server: ServerConfig {
            max_message_size: args.max_message,
            subprotocols: args.subprotocol,
            ..server_config()
        },
        defect,
        ..EchoOptions::default()
    };
    serve_all(vec![(tls, options)], |urls| announce(urls, &ready)).await
}

/// Prints what an endpoint can do wrong.
pub(crate) fn list_defects() -> Exit {
    for defect in Defect::ALL {
        output::line(&format!("{:<32} {}", defect.name(), defect.describe()));
    }
    Exit::AsExpected
}

/// The defect of this name.
pub(crate) fn defect(name: &str) -> Result<Defect, Error> {
    Defect::from_name(name).ok_or_else(|| {
        Error::usage(format!("`{name}` is no defect; `wsproof echo --defect list` names them"))
    })
}

/// What a node file asks for.
fn node_transports(file: &Path, defect: Option<Defect>) -> Result<Vec<Wanted>, Error> {
    let node = node::load(file)?;
    for warning in &node.warnings {
        output::warning(warning);
    }
    let mut wanted = Vec::new();
    for node::Transport { place, addrs, backlog, tls, server } in node.transports {
        let read = |it: &node::TlsFiles| {
            ServerTls::from_files(&it.certificate, &it.key, &it.chain_certificates)
        };
        let tls = tls.as_ref().map(read).transpose().map_err(|error| {
            let place = format!("{}: at `{place}.endpoint.tls`", file.display());
            Error::usage(format!("{place}: {}", fault(&error)))
        })?;
        wanted.push((tls, EchoOptions { addrs, backlog, server, defect, room: None }));
    }
    Ok(wanted)
}

/// An echo server over TLS, or over TCP alone.
type Wanted = (Option<ServerTls>, EchoOptions);

/// Says where clients may connect.
pub(crate) fn announce(urls: &[String], ready: &ReadyFile<'_>) -> Result<(), Error> {
    ready.write(urls)?;
    for url in urls {
        output::line(&format!("listening on {url}"));
    }
    Ok(())
}

/// A file that says that clients may connect, for scripts that wait for it.
#[derive(Debug)]
pub(crate) struct ReadyFile<'a>(Option<&'a Path>);

impl<'a> ReadyFile<'a> {
    /// Removes what an earlier run has left, which would say so too early: a plain file, for a pipe
    /// or a link is the user's.
    pub(crate) fn new(path: Option<&'a Path>) -> Result<Self, Error> {
        let Some(named) = path else { return Ok(Self(None)) };
        let fault =
            |what: &str| Err(Error::usage(format!("--ready-file {}: {what}", named.display())));
        let folder = named.parent().filter(|folder| !folder.as_os_str().is_empty());
        if named.is_dir() {
            return fault("this is a folder; name a file");
        }
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return fault("there is no such folder; make it first");
        }
        let is_left = std::fs::symlink_metadata(named).is_ok_and(|left| left.is_file());
        if is_left && let Err(error) = std::fs::remove_file(named) {
            return Err(Error::failed(format!("remove {}", named.display()), error));
        }
        Ok(Self(path))
    }

    fn write(&self, urls: &[String]) -> Result<(), Error> {
        let Some(path) = self.0 else { return Ok(()) };
        // Whoever sees the file may read it at once.
        output::write_whole(path, (urls.join("\n") + "\n").as_bytes())
    }
}

/// What the options of a listener ask for.
pub(crate) fn listener_tls(args: &ListenerArgs) -> Result<Option<ServerTls>, Error> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => ServerTls::from_files(certificate, key, &[]),
        _ if args.tls.is_some() => ServerTls::self_signed(),
        _ => return Ok(None),
    };
    tls.map(Some).map_err(|error| fault(&error))
}

/// What is wrong with the files or names that an option gives.
pub(crate) fn fault(error: &dyn std::error::Error) -> Error {
    let mut text = format!("failed to {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    Error::usage(text)
}

/// Serves until the process is told to end.
pub(crate) async fn serve(tls: Option<ServerTls>, options: EchoOptions) -> Result<Exit, Error> {
    serve_all(vec![(tls, options)], |_| Ok(())).await
}

/// Serves until the process is told to end. `announce` is called with the URLs as soon as clients
/// may connect.
async fn serve_all(
    wanted: Vec<Wanted>,
    announce: impl FnOnce(&[String]) -> Result<(), Error>,
) -> Result<Exit, Error> {
    let mut servers = Vec::new();
    let mut urls = Vec::new();
    for (tls, options) in wanted {
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let mut server = EchoServer::bind(options)
            .await
            .map_err(|error| Error::failed("serve echoes", error))?;
        if let Some(tls) = tls {
            server = server.with_tls(tls);
        }
        urls.extend(server.local_addrs().iter().map(|addr| format!("{scheme}://{addr}")));
        servers.push(server);
    }
    // Who reads this may connect to any of them.
    announce(&urls)?;
    let stop = CancellationToken::new();
    stop_when_told(stop.clone());
    let serving: JoinSet<()> =
        servers.into_iter().map(|server| server.serve(stop.clone())).collect();
    serving.join_all().await;
    Ok(Exit::AsExpected)
}

/// Cancels `stop` when the process is asked to end, and leaves when it is asked again.
pub(crate) fn stop_when_told(stop: CancellationToken) {
    tokio::spawn(async move {
        end_signal().await;
        stop.cancel();
        end_signal().await;
        leave_at_once();
    });
}

/// Whoever asks twice does not want to wait.
#[expect(clippy::exit, reason = "the user asked twice; everything judged is on disk")]
pub(crate) fn leave_at_once() {
    std::process::exit(i32::from(Exit::Interrupted as u8));
}

/// What we call ourselves on the wire.
pub(crate) const SERVER_NAME: &str = concat!("wsproof/", env!("CARGO_PKG_VERSION"));

/// What every built-in server says of itself.
pub(crate) fn server_config() -> ServerConfig {
    ServerConfig { server_name: Some(SERVER_NAME.to_owned()), ..ServerConfig::default() }
}

/// Completes when the process is asked to end: Ctrl-C, and where there are such signals, SIGTERM
/// or the end of its terminal.
pub(crate) async fn end_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, hang_up) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        if let (Ok(mut terminate), Ok(mut hang_up)) = (terminate, hang_up) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
