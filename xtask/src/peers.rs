//! Servers under test, started for a measurement and stopped after it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

/// Pinned like in the tests, which install it in the same place.
const WS: &str = "ws@8.23.0";

/// A running server.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    child: Child,
}

impl Peer {
    /// The process that serves.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds what is measured, with optimisation. Returns the binary.
pub(crate) fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let args = ["build", "--release", "--locked", "-p", "wsproof", "--bins", "--examples"];
    let status = Command::new("cargo").args(args).current_dir(root).status()?;
    ensure!(status.success(), "cargo build failed");
    Ok(target(root).join("release/wsproof"))
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The built-in server, strict or with a defect.
pub(crate) fn built_in(binary: &Path, defect: Option<&str>) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command.args(["echo", &format!("127.0.0.1:{port}")]);
    if let Some(defect) = defect {
        command.args(["--defect", defect]);
    }
    start(if defect.is_some() { "silent" } else { "wsproof echo" }, port, command)
}

/// The example on tokio-tungstenite.
pub(crate) fn tungstenite(root: &Path) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let mut command = Command::new(target(root).join("release/examples/tungstenite_echo"));
    command.arg(port.to_string());
    start("tokio-tungstenite", port, command)
}

/// The npm package ws; it is installed if it is not there.
pub(crate) fn npm_ws(root: &Path) -> anyhow::Result<Peer> {
    let folder = target(root).join("tmp/peers").join(WS);
    if !folder.join("node_modules/ws/package.json").exists() {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        let args = ["install", "--no-audit", "--no-fund", "--save-exact", WS];
        let npm = Command::new("npm").args(args).current_dir(&folder).status();
        ensure!(npm.context("run npm")?.success(), "npm could not install {WS}");
    }
    let port = free_port()?;
    let mut command = Command::new("node");
    command
        .arg(root.join("crates/cli/tests/peers/ws.js"))
        .arg(port.to_string())
        .env("NODE_PATH", folder.join("node_modules"));
    start("npm ws", port, command)
}

fn start(name: &'static str, port: u16, command: Command) -> anyhow::Result<Peer> {
    start_as("ws", name, port, command)
}

/// Starts a server and waits until it accepts connections.
pub(crate) fn start_as(
    scheme: &str,
    name: &'static str,
    port: u16,
    mut command: Command,
) -> anyhow::Result<Peer> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = quiet.spawn().with_context(|| format!("start {name}"))?;
    let peer = Peer { name, url: format!("{scheme}://127.0.0.1:{port}"), child };
    let limit = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > limit {
            bail!("{name} does not listen on port {port}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(peer)
}

pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
