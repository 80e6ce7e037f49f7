//! The fuzzing server under both names: clients go through its cases and read its reports.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustls::{RootCertStore, crypto::aws_lc_rs};
use serde_json::Value;
use support::lines;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use wsproof_testee::{ClientConfig, Defect, DeflateOffer, Endpoint, Event, connection::drive};

/// A process that is killed with its guard.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server and the folder in which it runs.
struct Server {
    process: Process,
    stdout: BufReader<ChildStdout>,
    addr: SocketAddr,
    dir: TempDir,
    runtime: Runtime,
}

/// Everything that ends quickly.
const QUICK: &str = "1.*,2.*,3.*,4.*,5.1,5.2,5.3,6.1.*,6.5.*,7.1.*,7.7.*,10.*,12.1.1,13.7.1";

impl Server {
    /// Starts `wsproof listen` on a free port, with the report in `out`.
    fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut all = vec!["listen", "127.0.0.1:0", "--out", "out"];
        all.extend(args);
        Self::run(dir, &all, |line| line.strip_prefix("listening on ws://").map(str::to_owned))
    }

    /// Runs the binary until a line says where it listens.
    fn run(dir: TempDir, args: &[&str], address: impl Fn(&str) -> Option<String>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wsproof"))
            .args(args)
            .current_dir(dir.path())
            .env_remove("WSPROOF_STRICT_EXIT")
            .env_remove("GITHUB_ACTIONS")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let addr = loop {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some(addr) = address(line.trim_end()) {
                break addr.parse().unwrap();
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { process: Process(child), stdout, addr, dir, runtime }
    }

    fn index(&self) -> Value {
        index(self.dir.path())
    }

    /// Asks for `target`; what the server says until it closes. `None` if it refuses.
    fn ask(&self, target: &str) -> Option<String> {
        let endpoint = Endpoint::client(ClientConfig::new("elsewhere:1", target, [1; 32]));
        self.runtime.block_on(converse(self.addr, endpoint))
    }

    /// Runs a case as an echo client, all wishes fulfilled.
    fn case(&self, n: usize, agent: &str) {
        self.runtime.block_on(run_case(self.addr, n, agent, None));
    }

    /// The whole walk of a client. Returns how many cases there were.
    fn walk(&self, agent: &str, defect: Option<Defect>) -> usize {
        let count = self.ask("/getCaseCount").unwrap().parse().unwrap();
        for n in 1..=count {
            self.runtime.block_on(run_case(self.addr, n, agent, defect));
        }
        assert_eq!(self.ask(&format!("/updateReports?agent={agent}")), Some(String::new()));
        count
    }

    /// The status of the answer to octets that need not be a request.
    fn raw(&self, octets: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.write_all(octets).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    /// Waits for the end; returns the exit code and the rest of what was printed.
    fn end(mut self) -> (Option<i32>, String, TempDir) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.process.0.wait().unwrap().code(), rest, self.dir)
    }
}

fn index(dir: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("out/index.json")).unwrap()).unwrap()
}

async fn converse(addr: SocketAddr, mut endpoint: Endpoint) -> Option<String> {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let mut said = String::new();
    let mut opened = false;
    let _ = drive(stream, &mut endpoint, &CancellationToken::new(), |_, _, event| match event {
        Event::Opened { .. } => opened = true,
        Event::Message { payload, .. } => said.push_str(&String::from_utf8(payload).unwrap()),
        _ => {}
    })
    .await;
    opened.then_some(said)
}

async fn run_case(addr: SocketAddr, n: usize, agent: &str, defect: Option<Defect>) {
    let mut config = ClientConfig::new("h", format!("/runCase?case={n}&agent={agent}"), [2; 32]);
    config.deflate = Some(DeflateOffer::default());
    let mut endpoint = Endpoint::client(config);
    if let Some(defect) = defect {
        endpoint = endpoint.with_defect(defect);
    }
    converse(addr, endpoint.echo()).await;
}

/// Cases of an agent in `index.json`, with those that are no plain pass.
fn judged(index: &Value, agent: &str) -> (usize, Vec<String>) {
    let cases = index[agent].as_object().unwrap();
    let good = |word: &Value| word == "OK" || word == "INFORMATIONAL";
    let bad = cases
        .iter()
        .filter(|(_, entry)| !good(&entry["behavior"]) || !good(&entry["behaviorClose"]));
    (cases.len(), bad.map(|(id, entry)| format!("{id}: {entry}")).collect())
}

#[test]
fn a_strict_client_passes_and_the_report_is_complete_when_it_is_told_so() {
    let server = Server::start(&["--cases", QUICK, "--agents", "1"]);
    let count = server.walk("strict", None);
    assert!(count > 60, "{count}");
    let (total, bad) = judged(&server.index(), "strict");
    assert_eq!((total, bad), (count, Vec::new()));
    for entry in server.index()["strict"].as_object().unwrap().values() {
        let file = server.dir.path().join("out").join(entry["reportfile"].as_str().unwrap());
        let detail: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(detail["isServer"], true);
        let place = detail["case"].as_u64().unwrap();
        let request = detail["httpRequest"].as_str().unwrap();
        assert!(request.contains(&format!("/runCase?case={place}&agent=strict ")));
    }
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_client_with_a_defect_fails() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "1"]);
    server.walk("wrong", Some(Defect::from_name("silent").unwrap()));
    assert_eq!(server.end().0, Some(1));
}

#[test]
fn the_control_protocol_answers() {
    let server = Server::start(&["--cases", "1.1.1,1.1.2"]);
    assert_eq!(server.ask("/getCaseCount").as_deref(), Some("2"));
    let info: Value = serde_json::from_str(&server.ask("/getCaseInfo?case=2").unwrap()).unwrap();
    assert_eq!(info["id"], "1.1.2");
    assert!(info["description"].as_str().is_some_and(|text| !text.is_empty()));
    for refused in [
        "/runCase?case=3&agent=x",
        "/runCase?case=1",
        "/getCaseInfo?case=0",
        "/getCaseStatus?casetuple=2.1&agent=x",
        "/updateReports",
    ] {
        assert_eq!(server.ask(refused), None, "{refused}");
        let request = format!(
            "GET {refused} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        assert_eq!(server.raw(request.as_bytes()), "HTTP/1.1 500 Internal Server Error");
    }
    // None of these leaves a trace.
    drop(TcpStream::connect(server.addr).unwrap());
    assert_eq!(server.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK");
    assert!(server.raw(b"\x16\x03\x01\0\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let status = "/getCaseStatus?case=1&agent=x";
    // It waits until there is a result.
    let endpoint = Endpoint::client(ClientConfig::new("h", status, [3; 32]));
    let waiting = server.runtime.spawn(converse(server.addr, endpoint));
    server.case(2, "x");
    assert!(!waiting.is_finished());
    server.case(1, "x");
    let said = server.runtime.block_on(waiting).unwrap();
    assert_eq!(said.as_deref(), Some(r#"{"behavior": "OK"}"#));
    assert_eq!(server.ask("/updateReports?agent=x&shutdownOnComplete=true"), Some(String::new()));
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(index(dir.path()).as_object().unwrap().len(), 1);
}

#[test]
fn commands_are_obeyed() {
    let server = Server::start(&["--cases", "1.1.1", "--until-idle", "0.1"]);
    let reply = server.runtime.block_on(async {
        let endpoint = Endpoint::client(ClientConfig::new("h", "/", [1; 32]));
        let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
        let (mut endpoint, mut said) = (endpoint, Vec::new());
        let never = CancellationToken::new();
        drive(stream, &mut endpoint, &never, |endpoint, now, event| match event {
            Event::Opened { .. } => {
                endpoint.send_text(now, r#"["echo", {"payload": "ab", "payload_len": 3}]"#);
                endpoint.send_text(now, r#"["close", {"code": 3001, "reason": "enough"}]"#);
            }
            Event::Message { payload, .. } => said.push(String::from_utf8(payload).unwrap()),
            Event::Closed { code, reason, .. } => {
                said.push(format!("{:?} {reason}", code.map(|code| code.0)));
            }
            _ => {}
        })
        .await
        .unwrap();
        said
    });
    assert_eq!(reply, ["aba", "Some(3001) enough"]);
    // Nobody ran a case, so that there is nothing to judge.
    assert_eq!(server.end().0, Some(3));
}

#[test]
fn agents_may_come_together_and_cases_may_be_repeated() {
    let server = Server::start(&["--cases", "1.1.*", "--agents", "2"]);
    let walk = |agent: &'static str| {
        let addr = server.addr;
        server.runtime.spawn(async move {
            for n in [1, 2, 3, 3, 4, 5, 6, 7, 8] {
                run_case(addr, n, agent, None).await;
            }
        })
    };
    let both = [walk("a"), walk("b")];
    for walking in both {
        server.runtime.block_on(walking).unwrap();
    }
    // An agent that vanishes within the opening handshake, or just after it.
    for end in ["\r\n", ""] {
        let mut stream = TcpStream::connect(server.addr).unwrap();
        let request = format!(
            "GET /runCase?case=2&agent=b HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
             Connection: upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{end}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        if !end.is_empty() {
            let _ = stream.read(&mut [0]).unwrap();
        }
    }
    assert_eq!(server.ask("/updateReports?agent=a"), Some(String::new()));
    assert_eq!(server.ask("/updateReports?agent=b"), Some(String::new()));
    let index = server.index();
    assert_eq!(judged(&index, "a"), (8, Vec::new()));
    assert_eq!(judged(&index, "b").1.len(), 1, "{index}");
    assert_eq!(index["b"]["1.1.2"]["behavior"], "FAILED");
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(1));
    let attempts = lines(dir.path(), "attempt");
    let third = |line: &&Value| line["peer"] == "a" && line["case"] == "1.1.3";
    let numbers: Vec<_> = attempts.iter().filter(third).map(|line| &line["attempt"]).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_kill_loses_nothing_that_was_judged() {
    let mut server = Server::start(&["--cases", "1.1.*"]);
    server.case(1, "x");
    // Once its status is known, it has been told to whoever writes.
    assert_eq!(
        server.ask("/getCaseStatus?case=1&agent=x").as_deref(),
        Some(r#"{"behavior": "OK"}"#)
    );
    server.case(2, "x");
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    server.process.0.kill().unwrap();
    let (_, _, dir) = server.end();
    assert_eq!(lines(dir.path(), "verdict").len(), 2);
}

#[test]
fn wstest_serves_as_it_always_did() {
    let dir = tempfile::tempdir().unwrap();
    let port = support::free_port();
    let spec = format!(
        r#"{{"url": "ws://127.0.0.1:{port}", "outdir": "out", "cases": ["1.1.*", "7.1.1"],
            "exclude-cases": [], "exclude-agent-cases": {{"x*": ["1.1.2"]}}}}"#
    );
    std::fs::write(dir.path().join("s.json"), spec).unwrap();
    let args = ["wstest", "-m", "fuzzingserver", "-s", "s.json"];
    let server = Server::run(dir, &args, |line| {
        let ready = line.starts_with("Ok, will run 9 test cases for any clients");
        ready.then(|| format!("127.0.0.1:{port}"))
    });
    assert_eq!(server.walk("x/1", None), 9);
    let (total, bad) = judged(&server.index(), "x/1");
    assert_eq!((total, bad), (8, Vec::new()));
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    let (code, rest, _dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(rest.matches("Running test case ID ").count(), 8, "{rest}");
    assert!(rest.contains("Running test case ID 7.1.1 for agent x/1 from peer tcp4:127.0.0.1:"));
    assert!(rest.contains("Skipping test case ID 1.1.2 for agent x/1"), "{rest}");
}

#[test]
fn clients_come_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let port = support::free_port();
    let spec = format!(
        r#"{{"url": "wss://localhost:{port}", "outdir": "out", "cases": ["1.1.*", "7.3.*"],
            "cert": "cert.pem", "key": "key.pem"}}"#
    );
    std::fs::write(dir.path().join("fuzzingserver.json"), spec).unwrap();
    let server = Server::run(dir, &["wstest", "-m", "fuzzingserver"], |line| {
        line.starts_with("Ok, will run ").then(|| format!("127.0.0.1:{port}"))
    });
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let visit = |target: String| {
        server.runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let stream = connector.connect(name, stream).await.unwrap();
            let config = ClientConfig::new("localhost", target, [5; 32]);
            let mut endpoint = Endpoint::client(config).echo();
            let _ = drive(stream, &mut endpoint, &CancellationToken::new(), |_, _, _| {}).await;
        });
    };
    for n in 1..=14 {
        visit(format!("/runCase?case={n}&agent=tls"));
    }
    visit("/updateReports?agent=tls&shutdownOnComplete=true".to_owned());
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(judged(&index(dir.path()), "tls"), (14, Vec::new()));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    let server = Server::start(&["--cases", "1.1.1"]);
    server.case(1, "x");
    assert!(server.ask("/getCaseStatus?case=1&agent=x").is_some());
    let pid = server.process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(judged(&index(dir.path()), "x"), (1, Vec::new()));
}

#[cfg(unix)]
#[test]
fn an_agent_that_asks_twice_is_one_agent() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "2"]);
    server.case(1, "x");
    for _ in 0..2 {
        assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    }
    let pid = server.process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    // The other one is still missed.
    assert_eq!(server.end().0, Some(3));
}

#[test]
fn nobody_waits_for_a_head_without_end() {
    let server = Server::start(&["--cases", "1.1.1"]);
    let mut stream = TcpStream::connect(server.addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = [b'x'; 4096];
    for _ in 0..100 {
        if stream.write_all(&line).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "));
}

/// Starts `wsproof listen` with a baseline for agent `x` and the cases 1.1.1 and 1.1.2.
fn with_baseline(rows: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{{ \"peers\": {{ \"x\": {{ \"expect\": {{ {rows} }} }} }} }}");
    std::fs::write(dir.path().join("b.jsonc"), text).unwrap();
    let args = ["listen", "127.0.0.1:0", "--out", "out", "--cases", "1.1.1,1.1.2", "--baseline"];
    let args: Vec<_> = args.into_iter().chain(["b.jsonc", "--agents", "1"]).collect();
    Server::run(dir, &args, |line| line.strip_prefix("listening on ws://").map(str::to_owned))
}

#[test]
fn a_client_must_equal_its_baseline() {
    let server = with_baseline("");
    server.walk("x", None);
    let (exit, text, _) = server.end();
    assert!(exit == Some(0) && text.contains("baseline  0 new, 0 known, 0 stale"), "{text}");
    let silent = "\"1.1.1\": { \"grade\": \"failed\", \"why\": \"x\" }";
    let server = with_baseline(silent);
    server.walk("x", Some(Defect::from_name("silent").unwrap()));
    let (exit, text, _) = server.end();
    assert!(exit == Some(1) && text.contains("baseline  1 new, 1 known, 0 stale"), "{text}");
    // A client that does not ask for every case.
    let server = with_baseline("");
    server.case(1, "x");
    server.ask("/updateReports?agent=x");
    let (exit, text, _) = server.end();
    let says = "missing 1.1.2: 1 case without a result (not asked for): 1.1.2; let the client ask";
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(exit == Some(1) && plain.contains(says), "{text}");
}

#[test]
fn many_agents_get_a_line_each() {
    let server = Server::start(&["--cases", "1.1.1", "--agents", "7"]);
    for n in 0..7 {
        server.walk(&format!("agent-{n}"), None);
    }
    let (exit, text, _) = server.end();
    assert_eq!(exit, Some(0), "{text}");
    assert_eq!(text.matches("conforms in 1 case\n").count(), 7, "{text}");
    assert_eq!(text.lines().count(), 7 + 2, "{text}");
}
