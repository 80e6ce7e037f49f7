//! The server modes, and TLS on either end.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Ran, one,
    support::{BINARY, certificate, command, echo, serve, verdicts},
};

/// A server mode at work. It ends with its guard.
pub(crate) struct Serving {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Serving {
    /// Starts a mode on a free port and waits until it accepts.
    pub(crate) fn start(dir: &Path, mode: &str, scheme: &str, args: &[&str]) -> Self {
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = command(BINARY)
            .args(["wstest", "-m", mode, "-w", &format!("{scheme}://:{}", addr.port())])
            .args(args)
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut serving = Self { child, addr };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(addr).is_err() {
            let ended = serving.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{mode} does not listen");
            std::thread::yield_now();
        }
        serving
    }

    /// Opens a WebSocket with an offer of compression, sends `octets`, and reads to the end, or
    /// to the end of the answer if there are none.
    fn ask(&self, octets: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        stream.write_all(&[request.as_bytes(), octets].concat()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            head.push(octet[0]);
        }
        let mut rest = Vec::new();
        if !octets.is_empty() {
            // A reset is an end too.
            let _ = stream.read_to_end(&mut rest);
        }
        (String::from_utf8(head).unwrap(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Frames of a client: masked with zeros.
const NOT_MASKED: &[u8] = b"\x81\x01a";
const CLOSE_3000: &[u8] = b"\x88\x85\0\0\0\0\x0b\xb8bye";

#[test]
fn the_testee_closes_at_violations_and_compresses() {
    let dir = TempDir::new().unwrap();
    let server = Serving::start(dir.path(), "testeeserver", "ws", &[]);
    let (head, _) = server.ask(b"");
    assert!(head.contains("Sec-WebSocket-Extensions: permessage-deflate"), "{head}");
    assert!(head.contains("Server: wsproof/"), "{head}");
    let (_, said) = server.ask(NOT_MASKED);
    assert!(said.starts_with(b"\x88") && said[2..4] == 1002_u16.to_be_bytes(), "{said:?}");
    assert_eq!(server.ask(CLOSE_3000).1, b"\x88\x02\x03\xe8");
    let ran = Ran::with(&one(&format!("ws://{}", server.addr), r#""1.1.*", "13.1.1""#, ""));
    assert!(verdicts(ran.dir.path()).iter().all(|(_, v)| v == "OK / OK / 1000"));
}

#[test]
fn the_echo_server_drops_at_violations_and_does_not_compress() {
    let dir = TempDir::new().unwrap();
    let server = Serving::start(dir.path(), "echoserver", "ws", &["--user-agent=classic"]);
    let (head, _) = server.ask(b"");
    assert!(!head.contains("Sec-WebSocket-Extensions"), "{head}");
    assert!(head.contains("Server: AutobahnTestSuite/25.10.1-"), "{head}");
    assert_eq!(server.ask(NOT_MASKED).1, b"");
    let ran = Ran::with(&one(&format!("ws://{}", server.addr), r#""1.1.1", "13.1.1""#, ""));
    let expected = [("1.1.1", "OK / OK / 1000"), ("13.1.1", "UNIMPLEMENTED / OK / 1000")];
    let expected = expected.map(|(case, verdict)| (case.to_owned(), verdict.to_owned()));
    assert_eq!(verdicts(ran.dir.path()), expected);
}

#[test]
fn tls_with_files_and_without() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), "elsewhere.example");
    for args in [&["-k", "key.pem", "-c", "cert.pem"] as &[&str], &[]] {
        let server = Serving::start(dir.path(), "testeeserver", "wss", args);
        // The name and the issuer do not matter.
        let ran = Ran::with(&one(&format!("wss://{}/x", server.addr), r#""1.1.1", "2.1""#, ""));
        let both = verdicts(ran.dir.path());
        assert!(both.len() == 2 && both.iter().all(|(_, v)| v == "OK / OK / 1000"), "{both:?}");
        assert!(ran.file("peer_case_1_1_1.json").contains("Host: 127.0.0.1:"));
    }
}

#[test]
fn a_hostname_wants_a_certificate_that_is_trusted() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), "localhost");
    let args = ["--key=key.pem", "--cert=cert.pem"];
    let server = Serving::start(dir.path(), "testeeserver", "wss", &args);
    let spec = |more: &str| {
        format!(
            r#"{{"outdir": "out", "cases": ["1.1.1"],
                "servers": [{{"agent": "peer", "url": "wss://{}"{more}}}]}}"#,
            server.addr
        )
    };
    assert_eq!(Ran::with(&spec("")).index().len(), 1);
    // Where the machine trusts nobody at all, the run does not even begin.
    let ran = Ran::with(&spec(r#", "hostname": "localhost""#));
    let index = fs::read_to_string(ran.dir.path().join("out/index.json"));
    assert!(index.is_err() || index.is_ok_and(|text| text == "{}"), "{}", ran.stdout);
}

#[test]
fn who_expects_tls_where_there_is_none_is_told_and_goes_on() {
    let plain = serve(|stream, _| echo(stream));
    let spec = format!(
        r#"{{"outdir": "out", "cases": ["1.1.1"], "servers": [
            {{"agent": "tls", "url": "wss://{}"}}, {{"agent": "peer", "url": "{}"}}]}}"#,
        plain.addr,
        plain.url()
    );
    let ran = Ran::with(&spec);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("cannot be reached"), "{}", ran.stdout);
    assert_eq!(ran.index(), [("peer".to_owned(), vec!["1.1.1".to_owned()])]);
}
