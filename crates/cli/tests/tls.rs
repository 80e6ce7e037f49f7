//! `wsproof` over TLS: servers with certificates of all kinds, all of them made here.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    path::Path,
    sync::{Arc, mpsc},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use socket2::SockRef;
use support::{Listening, Server, echo, lines, serve, test, verdicts, wsproof};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use wsproof_testee::{Endpoint, Input, Transmit, connection};

/// `wsproof echo` as a process of its own.
fn built_in(args: &[&str]) -> Listening {
    Listening::start(Path::new("."), &[&["echo", "127.0.0.1:0"], args].concat())
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(names: &[&str]) -> Authority {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `NAME.pem` and `NAME.key`, signed by `issuer`.
fn issue(dir: &Path, name: &str, issuer: &Authority, san: &str) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![san.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

/// TLS of a server whose certificate is its own authority, as `openssl req -x509` makes them. It
/// asks for client certificates of `clients`.
fn acceptor(own: &Authority, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.key().serialize_der()));
    let mut config = builder.with_single_cert(vec![own.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// An echo server with that TLS; `seen` gets the name and the protocol of each connection.
fn secure(acceptor: TlsAcceptor, seen: Option<mpsc::Sender<(Option<String>, Vec<u8>)>>) -> Server {
    serve(move |stream, _| {
        let (acceptor, seen) = (acceptor.clone(), seen.clone());
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let session = stream.get_ref().1;
            if let Some(seen) = seen {
                let name = session.server_name().map(str::to_owned);
                let protocol = session.alpn_protocol().unwrap_or_default().to_vec();
                let _ = seen.send((name, protocol));
            }
            let mut endpoint = Endpoint::server(wsproof_testee::ServerConfig::default()).echo();
            let never = CancellationToken::new();
            let _ = connection::drive(stream, &mut endpoint, &never, |_, _, _| {}).await;
        }
    })
}

fn wss(server: &Server, host: &str) -> String {
    format!("wss://{host}:{}", server.addr.port())
}

/// Runs one case against `url`: the exit code, and what is said.
#[track_caller]
fn check(dir: &Path, url: &str, more: &[&str], exit: i32, says: &str) {
    let (code, text) = test(dir, url, "1.1.2", more);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, exit, "{url} {more:?}: {text}");
    assert!(text.contains(says), "{url} {more:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn the_built_in_server_conforms_over_tls() {
    let dir = TempDir::new().unwrap();
    let server = built_in(&["--tls", "self-signed"]);
    assert!(server.url.starts_with("wss://127.0.0.1:"), "{}", server.url);
    for more in [&["--insecure"], &["--jobs=1"]] {
        let (exit, text) = test(dir.path(), &server.url, "1.*,7.1.*,7.9.1", more);
        assert_eq!(exit, 0, "{text}");
        for (case, verdict) in verdicts(dir.path()) {
            let plain = ["OK / OK", "INFORMATIONAL / "];
            assert!(plain.iter().any(|start| verdict.starts_with(start)), "{case}: {verdict}");
        }
    }
    check(dir.path(), &server.url, &["--verify"], 3, "the server is not trusted");
    check(dir.path(), &server.url, &["--verify"], 3, "--ca FILE");
}

#[test]
fn who_expects_other_than_what_is_spoken_is_told() {
    let dir = TempDir::new().unwrap();
    let secure = built_in(&["--tls", "self-signed"]);
    let plain = serve(|stream, _| echo(stream));
    let refusing = serve(|stream, _| async move { drop(stream) });
    let url = secure.url.replace("wss://", "ws://");
    check(dir.path(), &url, &[], 1, "not an HTTP/1.1 message");
    check(dir.path(), &wss(&plain, "127.0.0.1"), &[], 3, "is no TLS; if it speaks plain");
    check(dir.path(), &wss(&refusing, "127.0.0.1"), &[], 3, "TLS handshake failed");
}

#[test]
fn certificates_of_a_file_are_trusted() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (signer, stranger) = (authority(&[]), authority(&[]));
    std::fs::write(file("signer.pem"), signer.pem()).unwrap();
    std::fs::write(file("stranger.pem"), stranger.pem()).unwrap();
    issue(dir.path(), "server", &signer, "localhost");
    let server = built_in(&["--tls-cert", &file("server.pem"), "--tls-key", &file("server.key")]);
    let url = server.url.replace("127.0.0.1", "localhost");
    check(dir.path(), &url, &["--ca", &file("signer.pem")], 0, "conforms");
    check(dir.path(), &url, &["--ca", &file("server.pem")], 0, "conforms");
    check(dir.path(), &url, &["--ca", &file("stranger.pem")], 3, "is not trusted");
    let trusting = ["--ca", &file("signer.pem")];
    check(dir.path(), &server.url, &trusting, 3, "--server-name");
    let named = ["--ca", &file("signer.pem"), "--server-name", "localhost"];
    check(dir.path(), &server.url, &named, 0, "conforms");
}

#[test]
fn a_certificate_that_is_its_own_authority_is_trusted_by_name() {
    let dir = TempDir::new().unwrap();
    let own = authority(&["localhost"]);
    let file = dir.path().join("own.pem");
    std::fs::write(&file, own.pem()).unwrap();
    let server = secure(acceptor(&own, None), None);
    let trusting = ["--ca", file.to_str().unwrap()];
    check(dir.path(), &wss(&server, "localhost"), &trusting, 0, "conforms");
    check(dir.path(), &wss(&server, "127.0.0.1"), &trusting, 3, "--server-name");
}

#[test]
fn a_server_that_asks_who_we_are_is_answered() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (own, clients) = (authority(&["localhost"]), authority(&[]));
    issue(dir.path(), "client", &clients, "client");
    issue(dir.path(), "stranger", &authority(&[]), "client");
    let server = secure(acceptor(&own, Some(&clients)), None);
    let url = wss(&server, "127.0.0.1");
    let known = ["--client-cert", &file("client.pem"), "--client-key", &file("client.key")];
    check(dir.path(), &url, &known, 0, "conforms");
    check(dir.path(), &url, &[], 3, "may want a client certificate");
    let other = ["--client-cert", &file("stranger.pem"), "--client-key", &file("stranger.key")];
    check(dir.path(), &url, &other, 3, "or another one");
    let mixed = ["--client-cert", &file("client.pem"), "--client-key", &file("stranger.key")];
    check(dir.path(), &url, &mixed, 2, "must belong together");
}

#[test]
fn the_server_is_asked_for_by_name() {
    let dir = TempDir::new().unwrap();
    let (sender, seen) = mpsc::channel();
    let server = secure(acceptor(&authority(&["localhost"]), None), Some(sender));
    let asks = |host: &str, more: &[&str], name: Option<&str>| {
        check(dir.path(), &wss(&server, host), more, 0, "conforms");
        let (asked, protocol) = seen.recv().unwrap();
        assert_eq!((asked.as_deref(), protocol.as_slice()), (name, b"http/1.1".as_slice()));
        // A case may have run twice.
        while seen.try_recv().is_ok() {}
    };
    asks("localhost", &[], Some("localhost"));
    asks("127.0.0.1", &[], None);
    asks("127.0.0.1", &["--server-name", "example.org"], Some("example.org"));
}

/// How a server ends a connection, beside the way that it should.
#[derive(Debug, Clone, Copy)]
enum Ending {
    CloseNotify,
    Fin,
    Reset,
}

#[test]
fn how_tls_ends_is_seen() {
    let dir = TempDir::new().unwrap();
    let acceptor = acceptor(&authority(&["localhost"]), None);
    for (ending, seen) in [
        (Ending::CloseNotify, "peer-fin"),
        (Ending::Fin, "peer-fin"),
        (Ending::Reset, "peer-reset"),
    ] {
        let acceptor = acceptor.clone();
        let server = serve(move |stream, _| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut endpoint = Endpoint::server(wsproof_testee::ServerConfig::default()).echo();
                let (now, mut buffer) = (std::time::Duration::ZERO, vec![0; 4096]);
                loop {
                    let n = stream.read(&mut buffer).await.unwrap_or(0);
                    endpoint.handle(now, Input::Octets(&mut buffer[..n]));
                    while let Some(transmit) = endpoint.poll_transmit(now) {
                        let Transmit::Octets(octets) = transmit else {
                            let tcp = SockRef::from(stream.get_ref().0);
                            match ending {
                                Ending::CloseNotify => stream.shutdown().await.unwrap(),
                                Ending::Fin => tcp.shutdown(std::net::Shutdown::Write).unwrap(),
                                Ending::Reset => {
                                    tcp.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                                }
                            }
                            return;
                        };
                        stream.write_all(&octets).await.unwrap();
                        stream.flush().await.unwrap();
                    }
                    if n == 0 {
                        return;
                    }
                }
            }
        });
        test(dir.path(), &wss(&server, "127.0.0.1"), "1.1.2", &[]);
        let attempt = lines(dir.path(), "attempt").pop().unwrap();
        assert_eq!(attempt["outcome"]["closing"]["tcp_end"], seen, "{ending:?}");
        assert_eq!(attempt["outcome"]["closing"]["was_clean"], true, "{ending:?}");
    }
}

#[test]
fn wrong_usage_of_tls_is_named() {
    let dir = TempDir::new().unwrap();
    let says = |args: &[&str], says: &str| {
        let output = wsproof(dir.path(), args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    };
    let url = "wss://localhost";
    says(&["test", "--insecure"], "wss://");
    says(&["test", "ws://localhost", "--server-name", "x"], "wss://");
    says(&["test", url, "--verify", "--insecure"], "cannot be used with");
    says(&["test", url, "--ca", "x", "--insecure"], "cannot be used with");
    says(&["test", url, "--verify", "--ca", "x"], "cannot be used with");
    says(&["test", url, "--client-cert", "x"], "--client-key");
    says(&["test", url, "--ca", "missing"], "read a certificate to trust from missing");
    says(&["test", url, "--server-name", "a..b"], "neither a DNS name nor");
    says(&["echo", "--tls", "other"], "self-signed");
    says(&["echo", "--tls-cert", "x"], "--tls-key");
    says(&["echo", "--tls", "self-signed", "--tls-cert", "x", "--tls-key", "y"], "cannot be used");
    says(&["echo", "--tls-cert", "missing", "--tls-key", "y"], "read a certificate from missing");
}
