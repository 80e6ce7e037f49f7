//! Servers under test, started for a measurement and stopped after it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

/// Pinned like in the tests, which install it in the same place.
const WS: &str = "ws@8.23.0";
/// The same of `PyPI`.
const WEBSOCKETS: &str = "websockets==17.4";
/// Its server is uWebSockets.
const BUN: &str = "bun@1.4.5";

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

/// The built-in server, strict or with a defect, whose name it has then.
pub(crate) fn built_in(binary: &Path, defect: Option<&'static str>) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command.args(["echo", &format!("127.0.0.1:{port}")]);
    if let Some(defect) = defect {
        command.args(["--defect", defect]);
    }
    start(defect.unwrap_or("wsproof echo"), port, command)
}

/// The example on tokio-tungstenite.
pub(crate) fn tungstenite(root: &Path) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let mut command = Command::new(target(root).join("release/examples/tungstenite_echo"));
    command.arg(port.to_string());
    start("tokio-tungstenite", port, command)
}

/// The npm package ws.
pub(crate) fn npm_ws(root: &Path) -> anyhow::Result<Peer> {
    let modules = npm(root, WS)?;
    let port = free_port()?;
    let mut command = Command::new("node");
    command
        .arg(root.join("crates/cli/tests/peers/ws.js"))
        .arg(port.to_string())
        .env("NODE_PATH", modules);
    start("npm ws", port, command)
}

/// The server of Bun.
pub(crate) fn bun(root: &Path) -> anyhow::Result<Peer> {
    let (program, script) = bun_program(root)?;
    let port = free_port()?;
    let mut command = Command::new(program);
    command.arg(script).arg(port.to_string());
    start("Bun", port, command)
}

/// Bun, and the script of its server, which takes a port and the files of a certificate.
pub(crate) fn bun_program(root: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let modules = npm(root, BUN)?;
    // Not the link in `.bin`, which may be a script around it.
    Ok((modules.join("bun/bin/bun.exe"), root.join("xtask/peers/bun.js")))
}

/// The Python package websockets.
pub(crate) fn websockets(root: &Path) -> anyhow::Result<Peer> {
    let python = pip(root, WEBSOCKETS)?;
    let port = free_port()?;
    let mut command = Command::new(python);
    command.arg(root.join("crates/cli/tests/peers/websockets_echo.py")).arg(port.to_string());
    start("websockets", port, command)
}

/// Installs a package of npm if it is not there. Returns the folder of its modules.
fn npm(root: &Path, package: &str) -> anyhow::Result<PathBuf> {
    let folder = target(root).join("tmp/peers").join(package);
    let modules = folder.join("node_modules");
    if !modules.exists() {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        let args = ["install", "--no-audit", "--no-fund", "--save-exact", package];
        install(Command::new("npm").args(args).current_dir(&folder), package)?;
    }
    Ok(modules)
}

/// Installs a package of `PyPI` if it is not there. Returns the interpreter that finds it.
fn pip(root: &Path, package: &str) -> anyhow::Result<PathBuf> {
    let folder = target(root).join("tmp/peers").join(package);
    let python = folder.join("bin/python");
    if !python.exists() {
        fs::create_dir_all(&folder)?;
        install(Command::new("python3").args(["-m", "venv", "."]).current_dir(&folder), package)?;
        let args = ["-m", "pip", "install", "--quiet", package];
        install(Command::new(&python).args(args).current_dir(&folder), package)?;
    }
    Ok(python)
}

fn install(command: &mut Command, package: &str) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("install {package}"))?;
    ensure!(status.success(), "{package} could not be installed");
    Ok(())
}

/// Starts a server and waits until it listens.
pub(crate) fn start(name: &'static str, port: u16, command: Command) -> anyhow::Result<Peer> {
    start_as("ws", name, port, command)
}

/// Starts a server whose URL has this scheme, and waits until it listens.
pub(crate) fn start_as(
    scheme: &str,
    name: &'static str,
    port: u16,
    mut command: Command,
) -> anyhow::Result<Peer> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = quiet.spawn().with_context(|| format!("start {name}"))?;
    let peer = Peer { name, url: format!("{scheme}://127.0.0.1:{port}"), child };
    wait_for(port).with_context(|| name)?;
    Ok(peer)
}

/// Waits until somebody listens.
pub(crate) fn wait_for(port: u16) -> anyhow::Result<()> {
    let limit = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < limit, "nobody listens on port {port}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A port that nobody uses, at least now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
