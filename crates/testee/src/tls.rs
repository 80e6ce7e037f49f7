//! TLS for listeners, with a certificate from files or one that is made at start, and for clients.
//!
//! What is made at start stays in memory. No client is asked who it is. Which servers a client
//! trusts is decided by whoever makes its configuration.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rustls::{
    Error,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName,
        pem::{self, PemObject},
    },
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server::TlsStream};

use crate::ahead::ReadAhead;

/// Why a server has no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be used.
    #[error("read {what} from {}; it must be a PEM file that has one", file.display())]
    File {
        /// What is looked for in it.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why it is not found.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not fit.
    #[error("serve TLS with this certificate and key; the two must belong together")]
    Pair(#[source] Error),
    /// No certificate could be made.
    #[error("make a self-signed certificate")]
    Make(#[source] rcgen::Error),
}

/// What a server needs to speak TLS. Clones share it.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<rustls::ServerConfig>,
}

impl ServerTls {
    /// Makes a certificate for `localhost`, `127.0.0.1` and `::1`, signed by itself.
    pub fn self_signed() -> Result<Self, TlsError> {
        let (certificate, key) = make().map_err(TlsError::Make)?;
        Self::new(vec![certificate], key)
    }

    /// Reads PEM files: the certificate, which may be followed by those that signed it, its key,
    /// and files with further certificates of the chain.
    pub fn from_files(certificate: &Path, key: &Path, chain: &[PathBuf]) -> Result<Self, TlsError> {
        let mut certificates = read_certificates(certificate)?;
        for file in chain {
            certificates.extend(read_certificates(file)?);
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|source| {
            let what = "a private key without a password";
            TlsError::File { what, file: key.to_owned(), source }
        })?;
        Self::new(certificates, key)
    }

    fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(TlsError::Pair)?;
        // A WebSocket begins as HTTP/1.1 (RFC 6455, 4.1); who offers nothing is served as well.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config) })
    }

    /// The configuration, for other listeners.
    pub fn config(&self) -> Arc<rustls::ServerConfig> {
        self.config.clone()
    }

    /// Carries out the TLS handshake with a client.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<ReadAhead>> {
        stream.set_nodelay(true)?;
        TlsAcceptor::from(self.config.clone()).accept(ReadAhead::new(stream)).await
    }
}

impl std::fmt::Debug for ServerTls {
    /// Keys are nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// What a client needs to speak TLS. Clones share it.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<rustls::ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Trusts what `config` does. The name is asked for and checked in place of the host that is
    /// dialled.
    pub fn new(
        config: Arc<rustls::ClientConfig>,
        server_name: Option<ServerName<'static>>,
    ) -> Self {
        Self { config, server_name }
    }

    /// Carries out the TLS handshake with a server.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| {
                let text = format!("`{host}` is no DNS name that TLS could ask for");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?,
        };
        TlsConnector::from(self.config.clone()).connect(name, stream).await
    }
}

impl std::fmt::Debug for ClientTls {
    /// Keys are nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn make() -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    params.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.der().clone();
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |source| TlsError::File { what: "a certificate", file: file.to_owned(), source };
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(fault)?
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    if found.is_empty() { Err(fault(pem::Error::NoItemsFound)) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use rustls::{client::verify_server_name, pki_types::ServerName, server::ParsedCertificate};

    use super::*;

    #[test]
    fn what_is_made_names_this_machine() {
        let (certificate, _) = make().unwrap();
        let parsed = ParsedCertificate::try_from(&certificate).unwrap();
        let names =
            |name| verify_server_name(&parsed, &ServerName::try_from(name).unwrap()).is_ok();
        assert!(names("localhost") && names("127.0.0.1") && names("::1"));
        assert!(!names("example.org"));
    }
}
