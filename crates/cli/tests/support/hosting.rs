//! The fuzzing server as a process, and strict clients that walk through it.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wsproof_testee::{ClientConfig, Defect, DeflateOffer, Endpoint, Event, connection::drive};

use super::{BINARY, command};

/// Everything that ends quickly.
pub(crate) const QUICK: &str =
    "1.*,2.*,3.*,4.*,5.1,5.2,5.3,6.1.*,6.5.*,7.1.*,7.7.*,10.*,12.1.1,13.7.1";

/// A process that is killed with its guard.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server and the folder in which it runs.
pub(crate) struct Server {
    pub(crate) process: Process,
    stdout: BufReader<ChildStdout>,
    pub(crate) addr: SocketAddr,
    pub(crate) dir: TempDir,
    pub(crate) runtime: Runtime,
}

impl Server {
    /// Starts `wsproof listen` on a free port, with the report in `out`.
    pub(crate) fn start(args: &[&str]) -> Self {
        let dir = TempDir::new().expect("there is room");
        let mut all = vec!["listen", "127.0.0.1:0", "--out", "out"];
        all.extend(args);
        Self::run(dir, &all, |line| line.strip_prefix("listening on ws://").map(str::to_owned))
    }

    /// Starts `wstest -m fuzzingserver` with what else stands in `args`, on a port that some
    /// specification names.
    pub(crate) fn wstest(dir: TempDir, port: u16, args: &[&str]) -> Self {
        let mut all = vec!["wstest", "-m", "fuzzingserver"];
        all.extend(args);
        Self::run(dir, &all, |line| {
            line.starts_with("Ok, will run ").then(|| format!("127.0.0.1:{port}"))
        })
    }

    /// Runs the binary until a line says where it listens.
    pub(crate) fn run(
        dir: TempDir,
        args: &[&str],
        address: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut command = command(BINARY);
        command.args(args);
        Self::spawn(dir, command, address)
    }

    /// Runs a command in `dir` until a line says where it listens.
    pub(crate) fn spawn(
        dir: TempDir,
        mut command: Command,
        address: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut child = command
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let process = Process(child);
        let mut line = String::new();
        let addr = loop {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).expect("it is text"), 0, "it ended");
            if let Some(addr) = address(line.trim_end()) {
                break addr.parse().expect("it is an address");
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        Self { process, stdout, addr, dir, runtime: runtime.expect("a runtime can be built") }
    }

    pub(crate) fn index(&self) -> Value {
        index(self.dir.path())
    }

    /// Asks for `target`; what the server says until it closes. `None` if it refuses.
    pub(crate) fn ask(&self, target: &str) -> Option<String> {
        self.runtime.block_on(ask(self.addr, target))
    }

    /// Runs a case as an echo client, all wishes fulfilled.
    pub(crate) fn case(&self, n: usize, agent: &str) {
        self.runtime.block_on(run_case(self.addr, n, agent, None));
    }

    /// The whole walk of a client. Returns how many cases there were.
    pub(crate) fn walk(&self, agent: &str, defect: Option<Defect>) -> usize {
        let count = self.runtime.block_on(run_cases(self.addr, agent, defect));
        assert_eq!(self.ask(&format!("/updateReports?agent={agent}")), Some(String::new()));
        count
    }

    /// The status of the answer to octets that need not be a request.
    pub(crate) fn raw(&self, octets: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).expect("it listens");
        stream.write_all(octets).expect("it listens");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    /// Sends a signal, as `kill` names it.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.0.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().expect("kill can be run");
        assert!(sent.success());
    }

    /// The most memory that it has had, in MiB. Nothing where the system does not tell.
    pub(crate) fn peak_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()));
        let status = status.ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? >> 10)
    }

    /// Waits for the end; returns the exit code and the rest of what was printed.
    pub(crate) fn end(mut self) -> (Option<i32>, String, TempDir) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("it is text");
        (self.process.0.wait().expect("it is ours").code(), rest, self.dir)
    }
}

pub(crate) fn index(dir: &Path) -> Value {
    let text = std::fs::read(dir.join("out/index.json")).expect("there is an index");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// Asks for `target`; what the server says until it closes. `None` if it refuses.
pub(crate) async fn ask(addr: SocketAddr, target: &str) -> Option<String> {
    converse(addr, Endpoint::client(ClientConfig::new("elsewhere:1", target, [1; 32]))).await
}

/// What the server says until it closes. `None` if it refuses.
pub(crate) async fn converse(addr: SocketAddr, mut endpoint: Endpoint) -> Option<String> {
    let stream = tokio::net::TcpStream::connect(addr).await.expect("it listens");
    let mut said = String::new();
    let mut opened = false;
    let _ = drive(stream, &mut endpoint, &CancellationToken::new(), |_, _, event| match event {
        Event::Opened { .. } => opened = true,
        Event::Message { payload, .. } => said += &String::from_utf8_lossy(&payload),
        _ => {}
    })
    .await;
    opened.then_some(said)
}

/// Runs a case as an echo client, all wishes fulfilled. Returns whether it was let in.
pub(crate) async fn run_case(
    addr: SocketAddr,
    n: usize,
    agent: &str,
    defect: Option<Defect>,
) -> bool {
    let mut config = ClientConfig::new("h", format!("/runCase?case={n}&agent={agent}"), [2; 32]);
    config.deflate = Some(DeflateOffer::default());
    let mut endpoint = Endpoint::client(config);
    if let Some(defect) = defect {
        endpoint = endpoint.with_defect(defect);
    }
    converse(addr, endpoint.echo()).await.is_some()
}

/// Asks how many cases there are and runs all of them.
pub(crate) async fn run_cases(addr: SocketAddr, agent: &str, defect: Option<Defect>) -> usize {
    let count = ask(addr, "/getCaseCount").await.expect("it is let in");
    let count = count.parse().expect("it is a number");
    for n in 1..=count {
        run_case(addr, n, agent, defect).await;
    }
    count
}

/// Cases of an agent in `index.json`, with those that are no plain pass.
pub(crate) fn judged(index: &Value, agent: &str) -> (usize, Vec<String>) {
    let cases = index[agent].as_object().expect("it is in it");
    let good = |word: &Value| word == "OK" || word == "INFORMATIONAL";
    let bad = cases
        .iter()
        .filter(|(_, entry)| !good(&entry["behavior"]) || !good(&entry["behaviorClose"]));
    (cases.len(), bad.map(|(id, entry)| format!("{id}: {entry}")).collect())
}

/// A request for `target`, with the empty line.
pub(crate) fn request(target: &str) -> String {
    request_with(target, &["Host: h"])
}

/// A request for `target` with these lines in place of `Host`.
pub(crate) fn request_with(target: &str, lines: &[&str]) -> String {
    let mut text = format!("GET {target} HTTP/1.1\r\n");
    for line in lines {
        let _ = write!(text, "{line}\r\n");
    }
    text + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}
