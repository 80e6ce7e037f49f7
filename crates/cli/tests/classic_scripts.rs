//! The fuzzing server of `wstest` in the hands of scripts: how projects start it, look whether it
//! is there, walk through it, read its report and stop it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use serde_json::Value;
use support::{
    free_port,
    hosting::{Server, ask, index, judged, request, request_with, run_case},
    wsproof,
};
use tempfile::TempDir;
use wsproof_testee::{ClientConfig, Defect, Endpoint};

/// A folder with `config/fuzzingserver.json`, and the port in it.
fn configured(cases: &str) -> (TempDir, u16) {
    let (dir, port) = (TempDir::new().unwrap(), free_port());
    let spec = format!(
        r#"{{"url": "ws://127.0.0.1:{port}", "outdir": "./out", "cases": [{cases}],
            "exclude-cases": [""], "exclude-agent-cases": {{}}}}"#
    );
    fs::create_dir(dir.path().join("config")).unwrap();
    fs::write(dir.path().join("config/fuzzingserver.json"), spec).unwrap();
    (dir, port)
}

/// Starts it as a container does.
fn start(dir: TempDir, port: u16) -> Server {
    Server::wstest(dir, port, &["-s", "config/fuzzingserver.json"])
}

/// Every file that the index names is there, whole, and says the same.
fn check_files(dir: &Path, index: &Value) {
    for (agent, cases) in index.as_object().unwrap() {
        for (id, entry) in cases.as_object().unwrap() {
            let name = entry["reportfile"].as_str().unwrap();
            let text = fs::read(dir.join("out").join(name)).unwrap();
            let detail: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(detail["agent"], agent.as_str(), "{name}");
            assert_eq!(detail["id"], id.as_str(), "{name}");
            let page = dir.join("out").join(name).with_extension("html");
            let page = fs::read_to_string(page).unwrap();
            assert!(page.trim_end().ends_with("</html>"), "{name}");
        }
    }
}

#[test]
fn without_its_configuration_a_container_ends_and_says_why() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("config")).unwrap();
    let args = ["wstest", "-m", "fuzzingserver", "-s", "config/fuzzingserver.json"];
    let output = wsproof(dir.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("config/fuzzingserver.json"), "{said}");
    assert!(fs::read_dir(dir.path().join("config")).unwrap().next().is_none());
}

#[test]
fn without_a_name_a_specification_is_written_and_used() {
    let dir = TempDir::new().unwrap();
    // The usual port may be taken where tests run: then the server says so, and ends.
    let taken = std::net::TcpListener::bind(("0.0.0.0", 9001));
    if taken.is_ok() {
        drop(taken);
        let server = Server::wstest(dir, 9001, &["-u", "0"]);
        assert_eq!(server.ask("/getCaseCount").as_deref(), Some("517"));
        let text = fs::read(server.dir.path().join("fuzzingserver.json")).unwrap();
        let spec: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(spec["url"], "ws://127.0.0.1:9001");
        assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
        assert!(server.dir.path().join("reports/clients/index.json").exists());
        assert_eq!(server.ask("/stopServer"), Some(String::new()));
        assert_eq!(server.end().0, Some(0));
    } else {
        let output = wsproof(dir.path(), &["wstest", "-m", "fuzzingserver"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("9001"), "{said}");
        assert!(dir.path().join("fuzzingserver.json").exists());
    }
}

#[test]
fn a_killed_server_comes_back_on_its_port_at_once() {
    let (dir, port) = configured(r#""1.1.*""#);
    let mut server = start(dir, port);
    server.case(1, "x");
    // The server ended that connection, so that its side waits; and this one is still open.
    let mut open = TcpStream::connect(server.addr).unwrap();
    open.write_all(request("/getCaseStatus?case=2&agent=x").as_bytes()).unwrap();
    assert_eq!(open.read(&mut [0]).unwrap(), 1);
    server.process.0.kill().unwrap();
    let (code, _, dir) = server.end();
    assert_eq!(code, None);
    let server = start(dir, port);
    assert_eq!(server.walk("x", None), 8);
    assert_eq!(judged(&server.index(), "x"), (8, Vec::new()));
    // As `docker stop` does.
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn probes_leave_no_trace() {
    let (dir, port) = configured(r#""1.1.1", "1.1.2""#);
    let server = start(dir, port);
    let probe = || {
        drop(TcpStream::connect(server.addr).unwrap());
        assert_eq!(server.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK");
        let _ = server.raw(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let _ = server.raw(b"GET / HTTP/1.0\r\n\r\n");
        // A WebSocket that is opened and closed, and one that is opened and dropped.
        let close = "\u{1}\u{2}\u{3}\u{4}";
        for more in [&b"\x88\x80"[..], b""] {
            let mut stream = TcpStream::connect(server.addr).unwrap();
            stream.write_all(request("/").as_bytes()).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 1);
            if !more.is_empty() {
                stream.write_all(&[more, close.as_bytes()].concat()).unwrap();
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).unwrap();
                assert!(rest.ends_with(b"\x88\0"), "{rest:?}");
            }
        }
    };
    probe();
    server.walk("x", None);
    probe();
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    let index = server.index();
    assert_eq!(index.as_object().unwrap().len(), 1);
    assert_eq!(judged(&index, "x"), (2, Vec::new()));
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    let (code, said, _dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(said.matches("Running test case").count(), 2, "{said}");
}

#[test]
fn a_client_may_count_until_it_is_refused() {
    let (dir, port) = configured(r#""1.1.*", "7.1.1""#);
    let server = start(dir, port);
    let run = |n| server.runtime.block_on(run_case(server.addr, n, "x", None));
    let refused = (1..=100).find(|&n| !run(n));
    assert_eq!(refused, Some(10));
    let answer = server.raw(request("/runCase?case=10&agent=x").as_bytes());
    assert_eq!(answer, "HTTP/1.1 500 Internal Server Error");
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    assert_eq!(judged(&server.index(), "x"), (9, Vec::new()));
}

#[test]
fn cases_may_be_named_in_any_order() {
    let (dir, port) = configured(r#""1.*""#);
    let server = start(dir, port);
    for id in ["1.2.1", "1.1.3"] {
        let config = ClientConfig::new("h", format!("/runCase?casetuple={id}&agent=x"), [4; 32]);
        let echo = Endpoint::client(config).echo();
        server.runtime.block_on(support::hosting::converse(server.addr, echo));
        let status = server.ask(&format!("/getCaseStatus?casetuple={id}&agent=x"));
        assert_eq!(status.as_deref(), Some(r#"{"behavior": "OK"}"#));
    }
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    assert_eq!(judged(&server.index(), "x"), (2, Vec::new()));
}

#[test]
fn the_report_is_whole_whenever_it_is_read() {
    let (dir, port) = configured(r#""1.*""#);
    let server = start(dir, port);
    let addr = server.addr;
    // Another agent has the same files written all the time.
    let other = server.runtime.spawn(async move {
        for n in (1..=16).cycle().take(48) {
            run_case(addr, n, "other", None).await;
            assert!(ask(addr, "/updateReports?agent=other").await.is_some());
        }
    });
    for n in (1..=16).cycle().take(48) {
        server.case(n, "x");
        assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
        let index = server.index();
        assert!(index["x"].as_object().unwrap().len() >= n, "{n}: {index}");
        check_files(server.dir.path(), &index);
    }
    server.runtime.block_on(other).unwrap();
    assert_eq!(judged(&server.index(), "x"), (16, Vec::new()));
}

#[test]
fn a_report_that_was_removed_comes_back() {
    let (dir, port) = configured(r#""1.1.*""#);
    let server = start(dir, port);
    server.walk("first", None);
    fs::remove_dir_all(server.dir.path().join("out")).unwrap();
    server.case(1, "second");
    assert_eq!(server.ask("/updateReports?agent=second"), Some(String::new()));
    let index = server.index();
    assert_eq!(judged(&index, "first").0, 8);
    check_files(server.dir.path(), &index);
}

#[test]
fn a_case_that_is_repeated_is_told_anew() {
    let (dir, port) = configured(r#""1.1.1""#);
    let server = start(dir, port);
    server.walk("x", Some(Defect::from_name("silent").unwrap()));
    assert_eq!(server.index()["x"]["1.1.1"]["behavior"], "FAILED");
    server.walk("x", None);
    let index = server.index();
    assert_eq!(index["x"]["1.1.1"]["behavior"], "OK");
    check_files(server.dir.path(), &index);
    let name = index["x"]["1.1.1"]["reportfile"].as_str().unwrap();
    let text = fs::read(server.dir.path().join("out").join(name)).unwrap();
    let detail: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(detail["behavior"], "OK");
}

#[test]
fn a_client_that_does_not_wait_for_the_report_gets_it_all_the_same() {
    let (dir, port) = configured(r#""1.1.1""#);
    let server = start(dir, port);
    server.case(1, "x");
    let mut stream = TcpStream::connect(server.addr).unwrap();
    stream.write_all(request("/updateReports?agent=x").as_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 1);
    drop(stream);
    let file = server.dir.path().join("out/index.json");
    // A question and its answer take some time, but no report comes of them.
    let written = (0..10_000).any(|_| {
        server.ask("/getCaseCount");
        file.exists()
    });
    assert!(written);
    assert_eq!(judged(&server.index(), "x"), (1, Vec::new()));
}

#[test]
fn agents_may_be_called_anything() {
    let long = "long ".repeat(1000);
    let names = [
        ("a|b", "a|b"),
        ("c%7Cd", "c|d"),
        ("%C3%A9t%C3%A9", "été"),
        ("日本", "日本"),
        ("a/b", "a/b"),
        ("a_b", "a_b"),
        ("a%20b+c", "a b c"),
        ("A B C", "A B C"),
        ("..%2F..%2Fetc", "../../etc"),
        ("%3Cscript%3Eagent%26", "<script>agent&"),
        ("%22quoted%22\\", "\"quoted\"\\"),
        ("CON", "CON"),
        ("%2F", "/"),
        ("%E2%80%AE", "\u{202e}"),
        ("line%0Abreak%1B%5B31m", "line\nbreak\u{1b}[31m"),
        ("%FF", "\u{fffd}"),
        (long.trim(), long.trim()),
    ];
    let (dir, port) = configured(r#""1.1.1""#);
    let server = start(dir, port);
    for (written, agent) in names {
        // As clients write them that do not escape anything: a blank would end the target.
        let written = written.replace(' ', "+");
        server.case(1, &written);
        assert_eq!(server.ask(&format!("/updateReports?agent={written}")), Some(String::new()));
        assert_eq!(judged(&server.index(), agent), (1, Vec::new()));
    }
    let index = server.index();
    assert_eq!(index.as_object().unwrap().len(), names.len());
    check_files(server.dir.path(), &index);
    let files: BTreeSet<_> = index
        .as_object()
        .unwrap()
        .values()
        .map(|cases| cases["1.1.1"]["reportfile"].as_str().unwrap().to_lowercase())
        .collect();
    assert_eq!(files.len(), names.len(), "{files:?}");
    assert!(files.iter().all(|file| file.len() < 200 && !file.contains('/')), "{files:?}");
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    let (code, said, dir) = server.end();
    assert_eq!(code, Some(0));
    // A line of the log is a line, whatever an agent is called.
    assert_eq!(said.matches("Running test case ID 1.1.1 for agent ").count(), names.len());
    assert!(!said.contains('\u{1b}'));
    let page = fs::read_to_string(dir.path().join("out/index.html")).unwrap();
    assert!(!page.contains("<script>agent"));
}

#[test]
fn any_host_will_do() {
    let (dir, port) = configured(r#""1.1.1""#);
    let server = start(dir, port);
    for host in ["Host: localhost:9002", "Host: fuzzingserver", "Host: [::1]:1", "host:example.org"]
    {
        let answer = server.raw(request_with("/updateReports?agent=x", &[host]).as_bytes());
        assert_eq!(answer, "HTTP/1.1 101 Switching Protocols", "{host}");
    }
}

#[test]
fn one_report_tells_of_all_agents() {
    let (dir, port) = configured(r#""1.1.*""#);
    // What scripts add in the course of time.
    let args = ["-s", "config/fuzzingserver.json", "-d", "-u", "0"];
    let server = Server::wstest(dir, port, &args);
    server.walk("first", None);
    assert_eq!(server.index().as_object().unwrap().len(), 1);
    server.walk("second", None);
    let before = server.index();
    assert_eq!(before.as_object().unwrap().keys().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(
        server.ask("/updateReports?agent=first&shutdownOnComplete=True"),
        Some(String::new())
    );
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(index(dir.path()), before);
    check_files(dir.path(), &before);
}
