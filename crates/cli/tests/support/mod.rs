//! Servers to run the binary against, and what it leaves behind.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod hosting;
pub(crate) mod packages;

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::Arc,
};

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use wsproof_testee::{Defect, Endpoint, ServerConfig};

/// A server whose connections are handled by `handle`, until the returned guard is dropped.
pub(crate) fn serve<F, H>(handle: F) -> Server
where
    F: Fn(TcpStream, usize) -> H + Send + 'static,
    H: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let listener =
        runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port is free");
    let addr = listener.local_addr().expect("it listens");
    runtime.spawn(async move {
        for n in 1.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(handle(stream, n));
        }
    });
    Server { addr, runtime: Some(runtime) }
}

/// A server that ends with its guard.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Echoes on one connection until it ends.
pub(crate) async fn echo(stream: TcpStream) {
    drive(stream, Endpoint::server(ServerConfig::default()).echo()).await;
}

/// Drives an endpoint on one connection until it ends.
pub(crate) async fn drive(stream: TcpStream, mut endpoint: Endpoint) {
    let never = CancellationToken::new();
    let _ = wsproof_testee::connection::drive(stream, &mut endpoint, &never, |_, _, _| {}).await;
}

/// An echo server that does one thing wrong.
pub(crate) fn with_defect(defect: Defect) -> Server {
    serve(move |stream, _| {
        drive(stream, Endpoint::server(ServerConfig::default()).with_defect(defect).echo())
    })
}

/// Writes a certificate for `name` as `cert.pem` and its key as `key.pem` into the folder. Returns
/// the configuration of a client that trusts it and nothing else.
pub(crate) fn certificate(dir: &Path, name: &str) -> Arc<rustls::ClientConfig> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("it can be made");
    let write = |name: &str, text: String| std::fs::write(dir.join(name), text);
    write("cert.pem", made.cert.pem()).expect("there is room");
    write("key.pem", made.signing_key.serialize_pem()).expect("there is room");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("it is a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_wsproof");

/// A program in a clean environment: what a CI system or a developer sets around the tests is not
/// meant for the binary in them.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    const FOREIGN: [&str; 7] = [
        "CI_NODE_INDEX",
        "CI_NODE_TOTAL",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "WSPROOF_JOBS",
        "WSPROOF_LOG",
        "WSPROOF_STRICT_EXIT",
    ];
    let mut command = Command::new(program);
    for name in FOREIGN {
        command.env_remove(name);
    }
    command
}

/// Runs the binary with a clean environment, in `dir`.
pub(crate) fn wsproof(dir: &Path, args: &[&str]) -> Output {
    wsproof_with(dir, args, &[])
}

/// As [`wsproof`], with these variables.
pub(crate) fn wsproof_with(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = command(BINARY);
    command.args(args).current_dir(dir).envs(env.iter().copied()).output().expect("the binary runs")
}

/// The binary as a process that listens, killed with its guard.
pub(crate) struct Listening {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Listening {
    /// Starts it in `dir`; its first line says where it listens.
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = command(BINARY)
            .args(args)
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut said = String::new();
        stdout.read_line(&mut said).expect("it is text");
        let url = said.trim().strip_prefix("listening on ").expect("it listens").to_owned();
        Self { child, stdout, url }
    }

    /// Waits for its end; the exit code, and the rest of what was printed.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("it is text");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tests `url` with `cases` into `dir/out`; returns the exit code and what was printed.
pub(crate) fn test(dir: &Path, url: &str, cases: &str, more: &[&str]) -> (i32, String) {
    let mut args = vec!["test", url, "--cases", cases, "--out", "out", "--agent", "peer"];
    args.extend(more);
    let output = wsproof(dir, &args);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    (output.status.code().expect("it was not killed"), text)
}

/// Case to its two classic verdicts and the close code.
pub(crate) fn verdicts(dir: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(dir.join("out/index.json")).expect("there is an index");
    let index: Value = serde_json::from_str(&text).expect("it is JSON");
    let cases = index["peer"].as_object().expect("the peer is in it");
    cases
        .iter()
        .map(|(case, entry)| {
            let verdict = format!(
                "{} / {} / {}",
                entry["behavior"].as_str().unwrap_or("?"),
                entry["behaviorClose"].as_str().unwrap_or("?"),
                entry["remoteCloseCode"],
            );
            (case.clone(), verdict)
        })
        .collect()
}

/// The lines of the results of one type.
pub(crate) fn lines(dir: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("out/results.jsonl")).expect("there are results");
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"))
        .filter(|line| line["type"] == kind)
        .collect()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it listens").port()
}
