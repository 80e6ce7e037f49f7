//! Clients that want no good: each is refused or judged, ends by itself, and costs the server
//! neither its memory nor the next client.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};
use support::{
    BINARY, command, free_port,
    hosting::{Server, index, judged, request},
};
use tempfile::TempDir;

/// Nothing in these tests takes so long, however busy the machine is.
const FAR: Duration = Duration::from_mins(1);
/// The server takes at most so much memory, in MiB: some connections with their buffers.
const MEMORY: u64 = 300;

/// What a client does on a connection. An error is the end of it.
type Misdeed = fn(&mut TcpStream, &str) -> io::Result<()>;

/// What each agent does, and whether it passes case 1 all the same.
const MISDEEDS: [(&str, Misdeed, bool); 13] = [
    (
        "request-in-octets",
        |stream, request| in_octets(stream, request).and_then(|()| well(stream)),
        true,
    ),
    (
        "holds-after-close",
        |stream, request| open(stream, request).and_then(|()| well(stream)),
        true,
    ),
    ("never-answers", |stream, request| open(stream, request), false),
    (
        "endless-frame",
        |stream, request| {
            open(stream, request)?;
            stream.write_all(b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0")?;
            endless(stream, &[b'x'; 64 << 10])
        },
        false,
    ),
    (
        "length-2-63",
        |stream, request| {
            open(stream, request)?;
            stream.write_all(b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0x")
        },
        false,
    ),
    (
        "length-2-64",
        |stream, request| {
            open(stream, request)?;
            stream.write_all(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x")
        },
        false,
    ),
    (
        "endless-pings",
        |stream, request| {
            open(stream, request)?;
            endless(stream, &[b"\x89\xfd\0\0\0\0", &[b'p'; 125][..]].concat().repeat(500))
        },
        false,
    ),
    (
        "endless-fragments",
        |stream, request| {
            open(stream, request)?;
            stream.write_all(b"\x01\x80\0\0\0\0")?;
            endless(stream, &b"\0\x80\0\0\0\0".repeat(10_000))
        },
        false,
    ),
    (
        "endless-messages",
        |stream, request| {
            open(stream, request)?;
            endless(stream, &b"\x81\x81\0\0\0\0x".repeat(10_000))
        },
        false,
    ),
    (
        "garbage-after-head",
        |stream, request| stream.write_all(&[request.as_bytes(), &[0xff; 4096]].concat()),
        false,
    ),
    ("request-twice", |stream, request| stream.write_all(request.repeat(2).as_bytes()), false),
    (
        "resets-when-open",
        |stream, request| open(stream, request).and_then(|()| reset(stream)),
        false,
    ),
    (
        "resets-in-a-frame",
        |stream, request| {
            open(stream, request)?;
            stream.write_all(b"\x81\x85\0\0\0\0ab")?;
            reset(stream)
        },
        false,
    ),
];

/// What comes to no case and leaves no trace.
const NUISANCES: [Misdeed; 5] = [
    // A head without end, slowly.
    |stream, request| {
        let started = &request.as_bytes()[..request.len() - 2];
        stream.write_all(started)?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        loop {
            stream.write_all(b"X: y\r\n")?;
            match stream.read(&mut [0]) {
                Ok(_) => return Ok(()),
                Err(error) if is_late(&error) => {}
                Err(error) => return Err(error),
            }
        }
    },
    // A megabyte of head.
    |stream, request| {
        stream.write_all(&request.as_bytes()[..request.len() - 2])?;
        stream.write_all(&[b'x'; 1 << 20])
    },
    // Half a head and a reset.
    |stream, request| stream.write_all(&request.as_bytes()[..20]).and_then(|()| reset(stream)),
    |stream, _| reset(stream),
    // Binary octets.
    |stream, _| stream.write_all(&[0; 64 << 10]),
];

/// Starts `wstest` with short handshakes.
fn start(scheme: &str, cases: &str) -> Server {
    let (dir, port) = configured(scheme, cases);
    Server::wstest(dir, port, &[])
}

/// A folder with a specification, and the port in it.
fn configured(scheme: &str, cases: &str) -> (TempDir, u16) {
    let (dir, port) = (TempDir::new().unwrap(), free_port());
    let spec = format!(
        r#"{{"url": "{scheme}://127.0.0.1:{port}", "outdir": "out", "cases": [{cases}],
            "options": {{"openHandshakeTimeout": 1}}}}"#
    );
    std::fs::write(dir.path().join("fuzzingserver.json"), spec).unwrap();
    (dir, port)
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(FAR)).unwrap();
    stream.set_write_timeout(Some(FAR)).unwrap();
    stream
}

/// Sends the request and reads the answer.
fn open(stream: &mut TcpStream, request: &str) -> io::Result<()> {
    stream.write_all(request.as_bytes())?;
    answered(stream)
}

fn in_octets(stream: &mut TcpStream, request: &str) -> io::Result<()> {
    for octet in request.bytes() {
        stream.write_all(&[octet])?;
    }
    answered(stream)
}

fn answered(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        head.extend(octet);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    Ok(())
}

/// Passes case 1.1.1: an empty text, and the close that follows.
fn well(stream: &mut TcpStream) -> io::Result<()> {
    let mut text = [1; 2];
    stream.read_exact(&mut text)?;
    assert_eq!(&text, b"\x81\0");
    stream.write_all(b"\x81\x80\0\0\0\0")?;
    let mut close = [0; 4];
    stream.read_exact(&mut close)?;
    assert_eq!(&close, b"\x88\x02\x03\xe8");
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8")
}

/// Writes until the connection ends.
fn endless(stream: &mut TcpStream, octets: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(octets)?;
    }
}

/// Has the connection reset when it is dropped.
fn reset(stream: &mut TcpStream) -> io::Result<()> {
    SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
    Err(ErrorKind::ConnectionReset.into())
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Does it, and waits for the server to end the connection.
fn misbehave(addr: SocketAddr, misdeed: Misdeed, request: &str) {
    let mut stream = connect(addr);
    let done = misdeed(&mut stream, request);
    let ended = done.and_then(|()| stream.read_to_end(&mut Vec::new()));
    assert!(!ended.is_err_and(|error| is_late(&error)), "nobody ended it");
}

#[test]
fn each_is_judged_and_the_next_one_is_served() {
    let server = start("ws", r#""1.1.*", "9.1.6""#);
    let addr = server.addr;
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (agent, misdeed, _) in MISDEEDS {
            let request = request(&format!("/runCase?case=1&agent={agent}"));
            threads.push(scope.spawn(move || misbehave(addr, misdeed, &request)));
        }
        for nuisance in NUISANCES {
            let request = request("/runCase?case=1&agent=nobody");
            threads.push(scope.spawn(move || misbehave(addr, nuisance, &request)));
        }
        // Meanwhile.
        server.case(1, "well-behaved");
        for thread in threads {
            thread.join().unwrap();
        }
    });
    for n in 1..=8 {
        server.case(n, "well-behaved");
    }
    for (agent, ..) in MISDEEDS {
        // A client may have ended before the server has judged it; whoever asks is told then.
        assert!(server.ask(&format!("/getCaseStatus?case=1&agent={agent}")).is_some());
    }
    assert_eq!(server.ask("/updateReports?agent=x"), Some(String::new()));
    let index = server.index();
    let (total, bad) = judged(&index, "well-behaved");
    assert_eq!((total, bad), (8, Vec::new()));
    for (agent, _, passes) in MISDEEDS {
        let verdict = &index[agent]["1.1.1"]["behavior"];
        assert_eq!(verdict, if passes { "OK" } else { "FAILED" }, "{agent}");
    }
    assert_eq!(index.as_object().unwrap().len(), MISDEEDS.len() + 1, "{index}");
    let peak = server.peak_mib();
    assert!(peak.is_none_or(|peak| peak < MEMORY), "{peak:?} MiB");
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_thousand_connections_that_say_nothing() {
    let server = start("ws", r#""1.1.1""#);
    let idle: Vec<_> = (0..1000).map(|_| connect(server.addr)).collect();
    server.walk("x", None);
    assert_eq!(judged(&server.index(), "x"), (1, Vec::new()));
    for mut stream in idle {
        assert!(!stream.read(&mut [0]).is_err_and(|error| is_late(&error)), "nobody ended it");
    }
    let peak = server.peak_mib();
    assert!(peak.is_none_or(|peak| peak < MEMORY), "{peak:?} MiB");
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn who_takes_all_descriptors_does_not_keep_them() {
    let mut command = command("sh");
    command.args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\"", BINARY]);
    let (dir, port) = configured("ws", r#""1.1.*""#);
    command.args(["wstest", "-m", "fuzzingserver"]);
    let server = Server::spawn(dir, command, |line| {
        line.starts_with("Ok, will run ").then(|| format!("127.0.0.1:{port}"))
    });
    let idle: Vec<_> = (0..200).map(|_| connect(server.addr)).collect();
    server.walk("x", None);
    assert_eq!(judged(&server.index(), "x"), (8, Vec::new()));
    drop(idle);
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn half_a_tls_handshake() {
    let server = start("wss", r#""1.1.1""#);
    // The head of a record, part of a ClientHello, and something that is no TLS.
    for octets in [&b"\x16\x03\x01\x02\0"[..], b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"GET "]
    {
        let mut stream = connect(server.addr);
        stream.write_all(octets).unwrap();
        let ended = stream.read_to_end(&mut Vec::new());
        assert!(!ended.is_err_and(|error| is_late(&error)), "nobody ended it");
    }
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn who_closes_and_never_reads_does_not_hold_up_the_end() {
    let server = start("ws", r#""1.1.1", "9.1.6""#);
    // So small a window that the message of 16 MiB never fits into what the kernels keep.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.addr.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(FAR)).unwrap();
    open(&mut stream, &request("/runCase?case=2&agent=x")).unwrap();
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
    // The case allows 100 s, and the connection is still there.
    let status = server.ask("/getCaseStatus?case=2&agent=x");
    assert_eq!(status.as_deref(), Some(r#"{"behavior": "FAILED"}"#));
    drop(stream);
    server.case(1, "x");
    assert_eq!(server.ask("/stopServer"), Some(String::new()));
    let (code, _, dir) = server.end();
    assert_eq!(code, Some(0));
    assert_eq!(index(dir.path())["x"]["1.1.1"]["behavior"], "OK");
}

#[test]
fn an_interrupt_during_a_case_is_told_and_keeps_what_was_judged() {
    for signal in ["-INT", "-TERM"].repeat(4) {
        let server = Server::start(&["--cases", "1.1.1,9.1.1"]);
        server.case(1, "x");
        assert!(server.ask("/getCaseStatus?case=1&agent=x").is_some());
        let mut stream = connect(server.addr);
        open(&mut stream, &request("/runCase?case=2&agent=x")).unwrap();
        server.signal(signal);
        let (code, _, dir) = server.end();
        assert_eq!(code, Some(130), "{signal}");
        let index = index(dir.path());
        assert_eq!(judged(&index, "x"), (1, Vec::new()), "{signal}");
        assert_eq!(index.as_object().unwrap().len(), 1);
        let end = support::lines(dir.path(), "end");
        assert_eq!(end[0]["interrupted"], true);
    }
}
