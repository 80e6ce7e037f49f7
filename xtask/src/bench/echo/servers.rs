//! The echo servers that are compared, each on one core.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    thread,
};

use anyhow::{Context, ensure};

use crate::peers::{self, Peer, free_port, target};

/// Who runs where.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Load,
    Server,
}

/// Whether programs can be told where to run, and there are two places.
static PINS: LazyLock<bool> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let quiet = |command: &mut Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
    };
    cores > 1 && quiet(Command::new("taskset").arg("--version"))
});

/// A program on a core of its own; without `taskset`, wherever the system puts it.
pub(super) fn command(program: &Path, place: Place) -> Command {
    if !*PINS {
        return Command::new(program);
    }
    let core = match place {
        Place::Load => "0",
        Place::Server => "1",
    };
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// The certificate of all servers.
pub(super) struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    pub(super) fn make(root: &Path, folder: &Path) -> anyhow::Result<Self> {
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.join(name));
        let mut example = Command::new(target(root).join("release/examples/self_signed"));
        let status = example.args([&certificate, &key]).status().context("make a certificate")?;
        ensure!(status.success(), "no certificate was made");
        Ok(Self { certificate, key })
    }
}

/// Starts the servers, ours first. Two of them cannot compress.
pub(super) fn start_all(
    root: &Path,
    binary: &Path,
    tls: Option<&Certificate>,
    deflate: bool,
) -> anyhow::Result<Vec<Peer>> {
    let mut servers = vec![built_in(binary, tls)?];
    if !deflate {
        servers.push(start("fastwebsockets", &fastwebsockets(root)?, None, tls)?);
        let tungstenite = target(root).join("release/examples/tungstenite_echo");
        servers.push(start("tokio-tungstenite", &tungstenite, None, tls)?);
    }
    let (program, script) = peers::bun_program(root)?;
    servers.push(start("Bun", &program, Some(&script), tls)?);
    Ok(servers)
}

fn built_in(binary: &Path, tls: Option<&Certificate>) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let mut command = command(binary, Place::Server);
    command.args(["echo", &format!("127.0.0.1:{port}")]);
    if let Some(Certificate { certificate, key }) = tls {
        command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
    }
    peers::start_as(scheme(tls), "wsproof echo", port, command)
}

/// A server that takes its port and the files of its certificate.
fn start(
    name: &'static str,
    program: &Path,
    script: Option<&Path>,
    tls: Option<&Certificate>,
) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let mut command = command(program, Place::Server);
    command.args(script).arg(port.to_string());
    if let Some(Certificate { certificate, key }) = tls {
        command.arg(certificate).arg(key);
    }
    peers::start_as(scheme(tls), name, port, command)
}

fn scheme(tls: Option<&Certificate>) -> &'static str {
    if tls.is_some() { "wss" } else { "ws" }
}

/// Builds the server on fastwebsockets, which is a workspace of its own.
fn fastwebsockets(root: &Path) -> anyhow::Result<PathBuf> {
    let status = Command::new(crate::cargo_path())
        .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
        .arg(target(root))
        .current_dir(root.join("xtask/peers/fastwebsockets"))
        .status()?;
    ensure!(status.success(), "the server on fastwebsockets was not built");
    Ok(target(root).join("release/fastwebsockets-echo"))
}
