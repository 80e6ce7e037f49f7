//! The echo server over TLS, with certificates that are made here. Nothing here sleeps.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;
use wsproof_testee::{
    ClientConfig, Defect, EchoOptions, EchoServer, Endpoint, Event, ServerConfig, ServerTls,
    TlsError, connection,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A server whose certificate was signed by an authority that the client trusts.
struct Served {
    addr: SocketAddr,
    issuer: CertifiedIssuer<'static, KeyPair>,
    stop: CancellationToken,
    /// Holds the files.
    _dir: TempDir,
}

impl Served {
    async fn new(options: EchoOptions) -> Self {
        let dir = TempDir::new().unwrap();
        let issuer = authority();
        write_pair(dir.path(), "server", &issuer);
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("authority.pem"), issuer.pem()).unwrap();
        let chain = [file("authority.pem")];
        let tls = ServerTls::from_files(&file("server.pem"), &file("server.key"), &chain).unwrap();
        let server = EchoServer::bind(options).await.unwrap().with_tls(tls);
        let (addr, stop) = (server.local_addrs()[0], CancellationToken::new());
        tokio::spawn(server.serve(stop.clone()));
        Self { addr, issuer, stop, _dir: dir }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        self.offer(&[b"h2", b"http/1.1"]).await.unwrap()
    }

    /// Connects with these protocols to choose from.
    async fn offer(&self, protocols: &[&[u8]]) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = connector(&self.issuer, protocols).connect(name, stream);
        timeout(LIMIT, connecting).await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `name.pem` and `name.key`, for localhost.
fn write_pair(dir: &Path, name: &str, issuer: &CertifiedIssuer<'_, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn connector(issuer: &CertifiedIssuer<'_, KeyPair>, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn messages_come_back() {
    let server = Served::new(EchoOptions::default()).await;
    let stream = server.connect().await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let mut client = Endpoint::client(ClientConfig::new("localhost", "/", [7; 32]));
    // Far more than TLS or TCP hold, so that much is written before all of it is read.
    let messages = [vec![], b"x".to_vec(), vec![0x2a; 70_000], vec![0x2a; 16 << 20]];
    let mut left = messages.iter();
    let mut seen = Vec::new();
    let never = CancellationToken::new();
    let driven = connection::drive(stream, &mut client, &never, |client, now, event| {
        match left.next() {
            Some(message) => client.send_binary(now, message.clone()),
            None => client.close(now, CloseCode::NORMAL, ""),
        }
        seen.push(event);
    });
    timeout(LIMIT, driven).await.unwrap().unwrap();
    let [Event::Opened { .. }, echoes @ .., last] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(echoes.len(), messages.len());
    for (echo, message) in echoes.iter().zip(&messages) {
        assert!(matches!(echo, Event::Message { text: false, payload } if payload == message));
    }
    assert!(matches!(last, Event::Closed { clean: true, .. }), "{last:?}");
}

/// What a client that speaks by hand reads until the end, and how TLS ended.
async fn converse(
    stream: &mut TlsStream<TcpStream>,
    frames: &[u8],
) -> (Vec<u8>, Option<ErrorKind>) {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
                   Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(frames).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
    (answer, read.err().map(|error| error.kind()))
}

/// A close frame with the code 1000, masked with zeros.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

#[tokio::test]
async fn tls_ends_before_tcp_does() {
    let server = Served::new(EchoOptions::default()).await;
    let mut stream = server.connect().await;
    // Without `close_notify` this would be an unexpected end.
    let (answer, error) = converse(&mut stream, &CLOSE).await;
    assert_eq!(error, None);
    assert!(answer.ends_with(&[0x88, 0x02, 0x03, 0xe8]), "{answer:?}");
    // Our half is still open, and the end of it ends the connection.
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let tcp = stream.get_mut().0;
    timeout(LIMIT, tcp.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_reset_is_one_of_tcp() {
    let options = EchoOptions { defect: Some(Defect::TcpReset), ..EchoOptions::default() };
    let server = Served::new(options).await;
    let (_, error) = converse(&mut server.connect().await, &CLOSE).await;
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn who_speaks_no_tls_is_dropped() {
    let server = ServerConfig { handshake_timeout: LIMIT / 200, ..ServerConfig::default() };
    let server = Served::new(EchoOptions { server, ..EchoOptions::default() }).await;
    for said in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\u{16}\u{3}\u{1}", ""] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // It may end with a reset; only that it ends counts.
        let _ = timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    // The next client is served.
    server.connect().await;
}

#[tokio::test]
async fn a_client_that_wants_no_http_1_is_refused() {
    let server = Served::new(EchoOptions::default()).await;
    let error = server.offer(&[b"h2"]).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    assert!(server.offer(&[]).await.is_ok());
}

#[tokio::test]
async fn files_that_do_not_fit_are_named() {
    let dir = TempDir::new().unwrap();
    let issuer = authority();
    write_pair(dir.path(), "one", &issuer);
    write_pair(dir.path(), "two", &issuer);
    std::fs::write(dir.path().join("empty"), "").unwrap();
    let made = |certificate: &str, key: &str| {
        ServerTls::from_files(&dir.path().join(certificate), &dir.path().join(key), &[])
    };
    assert!(made("one.pem", "one.key").is_ok());
    let mixed = made("one.pem", "two.key").unwrap_err();
    assert!(matches!(mixed, TlsError::Pair(_)), "{mixed}");
    for (certificate, key, named) in
        [("empty", "one.key", "empty"), ("one.pem", "empty", "empty"), ("no", "one.key", "no")]
    {
        let error = made(certificate, key).unwrap_err();
        let TlsError::File { file, .. } = &error else { panic!("{error}") };
        assert_eq!(file, &dir.path().join(named));
        assert!(error.to_string().contains(named), "{error}");
    }
}
