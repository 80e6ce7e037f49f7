//! The web pages: what is served and what is not, and a browser that goes through the cases.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;
use support::{
    BINARY, certificate, command, free_port,
    hosting::{Process, Server},
};
use tempfile::TempDir;

/// Starts `wsproof listen` with a page and the report in `out`; the address is that of the page.
fn listen(dir: TempDir, args: &[&str]) -> Server {
    let common = ["listen", "127.0.0.1:0", "--out", "out", "--webport", "0"];
    Server::run(dir, &[&common, args].concat(), |line| {
        let url = line.strip_prefix("web page for browsers on http://")?;
        url.strip_suffix('/').map(str::to_owned)
    })
}

/// Starts the fuzzing server of `wstest` with its page on a port that is free.
fn wstest(dir: TempDir) -> (Server, SocketAddr) {
    let port = free_port();
    (Server::wstest(dir, port, &["-u", &port.to_string()]), (Ipv4Addr::LOCALHOST, port).into())
}

fn spawn(dir: &TempDir, args: &[&str]) -> Child {
    let mut command = command(BINARY);
    command.args(args).current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The whole answer to a request for `target`.
fn ask(addr: SocketAddr, method: &str, target: &str) -> String {
    exchange(TcpStream::connect(addr).unwrap(), method, target)
}

fn json(addr: SocketAddr, target: &str) -> Value {
    let answer = ask(addr, "GET", target);
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn exchange(mut stream: impl Read + Write, method: &str, target: &str) -> String {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // TLS may end without saying so.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Waits until somebody accepts there.
fn wait_for(addr: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(addr).is_err() {
        assert!(Instant::now() < deadline, "nobody listens on {addr}");
        std::thread::yield_now();
    }
}

fn tempdir() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_page_and_what_it_needs() {
    let server = listen(tempdir(), &["--cases", "1.1.1,2.*"]);
    for (target, media_type, holds) in [
        ("/", "text/html; charset=utf-8", "<h1>Test this browser</h1>"),
        ("/?agent=x&start=1", "text/html; charset=utf-8", "<h1>"),
        ("/run.js", "text/javascript; charset=utf-8", "import"),
        ("/cases.js", "text/javascript; charset=utf-8", "/updateReports"),
        ("/style.css", "text/css; charset=utf-8", "prefers-color-scheme"),
    ] {
        let answer = ask(server.addr, "GET", target);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{target}: {answer}");
        assert!(answer.contains(holds), "{target}: {answer}");
        for field in [
            &format!("content-type: {media_type}"),
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'; script-src 'self'; ",
            "connect-src 'self' ws:\r\n",
        ] {
            assert!(answer.contains(field), "{target}: {field}: {answer}");
        }
        let head = ask(server.addr, "HEAD", target);
        let same = answer.split_once("\r\n\r\n").unwrap().0;
        assert_eq!(without_date(&head), without_date(&format!("{same}\r\n\r\n")), "{target}");
    }
    let facts = json(server.addr, "/server.json");
    assert_eq!(facts["secure"], false);
    assert_eq!(facts["cases"].as_array().unwrap().len(), 12);
    assert_eq!(facts["cases"][1]["id"], "2.1");
    // The cases are where the page looks for them.
    let cases: SocketAddr = format!("127.0.0.1:{}", facts["port"]).parse().unwrap();
    let count = server.runtime.block_on(support::hosting::ask(cases, "/getCaseCount"));
    assert_eq!(count.as_deref(), Some("12"));
}

fn without_date(answer: &str) -> String {
    answer.split("\r\n").filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_but_reading() {
    let server = listen(tempdir(), &["--cases", "1.1.1"]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "ANYTHING"] {
        for target in ["/", "/server.json", "/reports/", "/reports/index.html", "/nothing"] {
            let answer = ask(server.addr, method, target);
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method} {target}: {answer}");
            assert!(answer.contains("allow: GET, HEAD\r\n"), "{method} {target}: {answer}");
        }
    }
}

#[test]
fn the_report_and_nothing_beside_it() {
    let dir = tempdir();
    let out = dir.path().join("out");
    std::fs::create_dir_all(out.join("folder")).unwrap();
    for file in ["secret.html", "out/key.pem", "out/.hidden.html", "out/folder/secret.html"] {
        std::fs::write(dir.path().join(file), "secret").unwrap();
    }
    #[cfg(unix)]
    for (target, link) in [("../secret.html", "link.html"), ("..", "up")] {
        std::os::unix::fs::symlink(target, out.join(link)).unwrap();
    }
    let server = listen(dir, &["--cases", "1.1.1"]);
    let before = ask(server.addr, "GET", "/reports/");
    assert!(before.starts_with("HTTP/1.1 404 "), "{before}");
    assert!(before.contains("There is no report yet"), "{before}");
    let moved = ask(server.addr, "GET", "/reports");
    assert!(moved.contains("location: /reports/\r\n"), "{moved}");

    for (name, text) in [("index.html", "the index"), ("index.json", "{}"), ("a_b.html", "page")] {
        std::fs::write(server.dir.path().join("out").join(name), text).unwrap();
        let answer = ask(server.addr, "GET", &format!("/reports/{name}"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(text), "{answer}");
        assert!(
            answer.contains("content-security-policy: default-src 'none'; script-src 'unsafe-")
        );
    }
    assert!(ask(server.addr, "GET", "/reports/").ends_with("the index"));
    assert!(ask(server.addr, "HEAD", "/reports/").contains("content-length: 9\r\n"));

    let absolute = server.dir.path().join("secret.html");
    let absolute = absolute.to_string_lossy();
    let encoded = absolute.replace('/', "%2f");
    for target in [
        "/secret.html",
        "/reports/../secret.html",
        "/reports/%2e%2e/secret.html",
        "/reports/%2E%2E%2Fsecret.html",
        "/reports/..%2fsecret.html",
        "/reports/..%5csecret.html",
        "/reports/..\\secret.html",
        "/reports/%252e%252e%252fsecret.html",
        "/reports/./../secret.html",
        "/reports/index.html/../../secret.html",
        "/reports/folder/secret.html",
        "/reports/folder/",
        "/reports/link.html",
        "/reports/up/secret.html",
        "/reports/.hidden.html",
        "/reports/key.pem",
        "/reports/%00",
        "/reports/%ff%fe",
        "/cwd/",
        "/cwd/secret.html",
        "http://h/reports/../secret.html",
        &format!("/reports/{absolute}"),
        &format!("/reports{absolute}"),
        &format!("/reports/{encoded}"),
        &format!("/{absolute}"),
    ] {
        let answer = ask(server.addr, "GET", target);
        assert!(answer.starts_with("HTTP/1.1 4"), "{target}: {answer}");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(!body.contains("secret"), "{target}: {answer}");
    }
}

/// Writes a specification with one case for a port that is free. Returns where that is.
fn specified(scheme: &str, more: &str) -> (TempDir, SocketAddr) {
    let dir = tempdir();
    let port = free_port();
    let spec = format!(
        r#"{{"url": "{scheme}://127.0.0.1:{port}", "outdir": "out", "cases": ["1.1.1"]{more}}}"#
    );
    std::fs::write(dir.path().join("fuzzingserver.json"), spec).unwrap();
    (dir, (Ipv4Addr::LOCALHOST, port).into())
}

#[test]
fn a_port_that_is_taken_is_a_warning_for_scripts_of_old() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = support::wsproof(
        tempdir().path(),
        &["listen", "127.0.0.1:0", "--cases", "1.1.1", "--webport", &port],
    );
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("failed to serve the web page: listen on 127.0.0.1:"), "{text}");

    for (webport, warns) in [(port.as_str(), true), ("0", false)] {
        let (dir, _) = specified("ws", "");
        let mut child = spawn(&dir, &["wstest", "-m", "fuzzingserver", "-u", webport]);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Process(child);
        // It serves, whatever became of the page.
        assert!(stdout.lines().any(|line| line.unwrap().starts_with("Ok, will run 1 ")));
        server.0.kill().unwrap();
        let text = std::io::read_to_string(server.0.stderr.take().unwrap()).unwrap();
        assert_eq!(text.contains("failed to serve the web page"), warns, "{text}");
        assert!(!text.contains("web page for browsers"), "{text}");
    }
}

#[test]
fn the_modes_of_old_have_their_pages() {
    let (dir, cases) = specified("ws", "");
    let (_server, web) = wstest(dir);
    assert!(ask(web, "GET", "/").contains("<h1>Test this browser</h1>"));
    let facts = json(web, "/server.json");
    assert_eq!((&facts["port"], &facts["cases"][0]["id"]), (&cases.port().into(), &"1.1.1".into()));

    for (mode, title) in [("echoserver", "Echo server"), ("broadcastserver", "Broadcast server")] {
        let [port, web] = [free_port(), free_port()];
        let uri = format!("ws://127.0.0.1:{port}");
        let args = ["wstest", "-m", mode, "-w", &uri, "-u", &web.to_string()];
        let _server = Process(spawn(&tempdir(), &args));
        let web = SocketAddr::from((Ipv4Addr::LOCALHOST, web));
        wait_for(web);
        assert!(ask(web, "GET", "/").contains("src=\"/talk.js\""));
        let facts = json(web, "/server.json");
        assert_eq!((&facts["title"], &facts["port"]), (&title.into(), &port.into()));
        // There is no report to be had here.
        assert!(ask(web, "GET", "/reports/").starts_with("HTTP/1.1 404 "));
    }
}

#[test]
fn the_page_is_secure_where_the_cases_are() {
    let (dir, _) = specified("wss", r#", "cert": "cert.pem", "key": "key.pem""#);
    let config = certificate(dir.path(), "localhost");
    let (_server, web) = wstest(dir);
    // Nobody waits for those who say nothing.
    let silent = TcpStream::connect(web).unwrap();
    let ask_over_tls = |target: &str| {
        let name = "localhost".try_into().unwrap();
        let connection = ClientConnection::new(config.clone(), name).unwrap();
        let stream = TcpStream::connect(web).unwrap();
        exchange(StreamOwned::new(connection, stream), "GET", target)
    };
    let answer = ask_over_tls("/");
    assert!(answer.contains("connect-src 'self' wss:\r\n"), "{answer}");
    assert!(ask_over_tls("/server.json").contains(r#""secure":true"#));
    drop(silent);
}

#[cfg(unix)]
mod browser {
    //! A browser in every case, as a script would drive it.

    use std::{os::unix::process::CommandExt, sync::mpsc};

    use super::*;
    use support::packages::{browser, compare_verdicts, rows_of_compression};

    /// Nothing takes longer, on any machine.
    const LIMIT: Duration = Duration::from_mins(20);
    /// Ends a process, or with a minus sign a group of them.
    fn kill(whom: &str) {
        let _ = Command::new("kill").args(["-KILL", "--", whom]).status();
    }

    #[test]
    fn chromium_goes_through_the_cases() {
        let Some(name) = browser() else { return };
        let sections = [1, 2, 3, 4, 5, 6, 7, 9, 10].map(|section| format!("{section}.*"));
        let cases: Vec<_> = sections.into_iter().chain(rows_of_compression()).collect();
        let args = ["--cases", &cases.join(","), "--agents", "1", "--judge", "classic"];
        let server = listen(tempdir(), &args);
        let profile = tempdir();
        let mut browser = Command::new(name)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("http://{}/?agent=peer&start=1", server.addr))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let (browser_group, server_id) =
            (format!("-{}", browser.id()), server.process.0.id().to_string());
        // The server ends when the page has asked for the report. A browser that ends before has
        // done something wrong, and so has one that is still there after the limit.
        let (by_server, end) = mpsc::channel();
        let by_browser = by_server.clone();
        std::thread::spawn(move || by_server.send(Ok(server.end())));
        let waiting = std::thread::spawn(move || by_browser.send(Err(browser.wait())));
        let end = end.recv_timeout(LIMIT);
        // With its helpers, which are of the same group.
        kill(&browser_group);
        let _ = waiting.join();
        let (code, text, dir) = match end {
            Ok(Ok(end)) => end,
            other => {
                kill(&server_id);
                panic!("the browser has not come to the end: {other:?}");
            }
        };
        assert_eq!(code, Some(1), "{text}");
        compare_verdicts("client-chromium", dir.path(), 301 + 36, &text);
    }
}
