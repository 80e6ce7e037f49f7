//! TLS towards the peer: how it is set up, and what to say when it does not come about.
//!
//! By default any certificate will do, as a server under test seldom has a real one. Sessions are
//! not resumed: every case meets the server as if it were the first.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A peer that has accepted TCP and does not finish the handshake in this time speaks no TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What is asked of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Which certificates are good.
    pub trust: Trust,
    /// The name to ask for and to check, in place of the host that is dialled.
    pub server_name: Option<String>,
    /// What to show to a server that asks who we are.
    pub identity: Option<Identity>,
}

/// Which certificates of a server are good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Any, whoever signed it and whatever it names.
    #[default]
    Anything,
    /// What this PEM file contains, and what was signed by that.
    File(PathBuf),
    /// What this machine trusts.
    Platform,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// PEM file with the certificate, and with those that signed it if the server needs them.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// Why TLS cannot be set up as asked for.
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
    /// The client certificate cannot be used.
    #[error("use {} with the key {}; the two must belong together", certificate.display(), key.display())]
    Identity {
        /// File with the certificate.
        certificate: PathBuf,
        /// File with the key.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: Error,
    },
    /// The file does not contain what can be trusted.
    #[error("trust what {} contains", file.display())]
    Trust {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: Error,
    },
    /// This machine does not say what it trusts.
    #[error("find what this machine trusts; name the certificate of the server in a PEM file")]
    Platform(#[source] Error),
    /// No server can have this name.
    #[error("ask for the server name `{0}`; it is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The cryptography does not fit.
    #[error("choose versions of TLS")]
    Versions(#[source] Error),
}

/// TLS as it is used for all connections to a peer. Clones share it, and only they are equal.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the files that the options name.
    pub fn new(options: TlsOptions) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = verifier(options.trust, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match options.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates("a client certificate", &certificate)?;
                let secret = PrivateKeyDer::from_pem_file(&key).map_err(|source| {
                    let what = "a private key without a password";
                    TlsError::File { what, file: key.clone(), source }
                })?;
                let fault = |source| TlsError::Identity { certificate, key, source };
                builder.with_client_auth_cert(chain, secret).map_err(fault)?
            }
        };
        // A WebSocket begins as HTTP/1.1 (RFC 6455, 4.1).
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        let server_name = options
            .server_name
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name)));
        Ok(Self { config: Arc::new(config), server_name: server_name.transpose()? })
    }

    /// The configuration, for other clients.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    /// The name to ask for and to check in place of the host, if there is one.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        self.server_name.clone()
    }

    /// Carries out the TLS handshake. An error says what may be wrong with the peer.
    pub(crate) async fn handshake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| {
                let text = format!("TLS cannot ask for `{host}`, which is no DNS name");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?,
        };
        let handshake = TlsConnector::from(self.config.clone()).connect(name, stream);
        let Ok(result) = timeout(HANDSHAKE, handshake).await else {
            let text = format!(
                "the server did not answer the TLS handshake within {HANDSHAKE:?}; if it speaks \
                 plain WebSocket on this port, use ws://"
            );
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        };
        result.map_err(|error| explain(&error))
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.server_name == other.server_name
    }
}

impl Eq for Tls {}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// Says what the failure of a TLS handshake with a server means for whoever started it.
pub fn explain(error: &io::Error) -> io::Error {
    let reason = reason(error);
    let what = match reason {
        Some(Error::InvalidCertificate(fault)) => distrust(fault),
        _ => format!("the TLS handshake failed ({error})"),
    };
    let mend = match reason {
        _ if wants_identity(error) => {
            "the server may want a client certificate, or another one; give it with --client-cert"
        }
        Some(Error::InvalidMessage(_)) => {
            "what answers on this port is no TLS; if it speaks plain WebSocket, use ws://"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "ask for a name that is in it with --server-name, or accept any with --insecure",
        Some(Error::InvalidCertificate(_)) => {
            "trust it with --ca FILE, or accept any certificate with --insecure"
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server ended TCP; if it speaks plain WebSocket on this port, use ws://"
        }
        _ => "the log of the server may say why",
    };
    io::Error::new(error.kind(), format!("{what}: {mend}"))
}

/// What is wrong with a certificate.
fn distrust(fault: &CertificateError) -> String {
    let why = match fault {
        CertificateError::UnknownIssuer => "nobody who is trusted has signed it",
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its signature is not by a key that is trusted"
        }
        CertificateError::Expired => "it has expired",
        CertificateError::NotValidYet => "it is not valid yet",
        CertificateError::NotValidForName => "it is for another name",
        // These say it well by themselves.
        other => return format!("the certificate of the server is not trusted ({other})"),
    };
    format!("the certificate of the server is not trusted ({why})")
}

/// Whether the server does not like who we are.
pub(crate) fn wants_identity(error: &io::Error) -> bool {
    use AlertDescription as Alert;
    let Some(Error::AlertReceived(alert)) = reason(error) else { return false };
    matches!(
        alert,
        Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::DecryptError
            | Alert::HandshakeFailure
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate
    )
}

fn reason(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn certificates(what: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |source| TlsError::File { what, file: file.to_owned(), source };
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(fault)?
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    if found.is_empty() { Err(fault(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn verifier(
    trust: Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    Ok(match trust {
        Trust::Anything => Arc::new(Anything),
        Trust::Platform => Arc::new(
            rustls_platform_verifier::Verifier::new(provider.clone())
                .map_err(TlsError::Platform)?,
        ),
        Trust::File(file) => {
            let trusted = certificates("a certificate to trust", &file)?;
            let mut roots = RootCertStore::empty();
            for certificate in &trusted {
                let fault = |source| TlsError::Trust { file: file.clone(), source };
                roots.add(certificate.clone()).map_err(fault)?;
            }
            let signed_by =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .build()
                    .map_err(|error| TlsError::Trust {
                        file,
                        source: Error::General(error.to_string()),
                    })?;
            Arc::new(Listed { trusted, signed_by })
        }
    })
}

/// Accepts every certificate, also one that no library can read.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // Old and weak ones too: nothing is checked, and the server shall not be refused.
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}

/// Accepts what a file contains and what was signed by that.
#[derive(Debug)]
struct Listed {
    trusted: Vec<CertificateDer<'static>>,
    signed_by: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked =
            self.signed_by.verify_server_cert(certificate, intermediates, name, ocsp, now);
        match checked {
            // One that the user named is good whoever signed it, also if it is marked as an
            // authority, as many are that were signed by themselves. Its dates were checked
            // before any of this is found; its name was not.
            Err(Error::InvalidCertificate(
                CertificateError::BadSignature
                | CertificateError::Other(_)
                | CertificateError::UnknownIssuer
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
            )) if self.trusted.iter().any(|trusted| trusted == certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed_by.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed_by.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed_by.supported_verify_schemes()
    }
}
