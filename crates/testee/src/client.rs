//! The client's side of a connection, as far as it is not the endpoint's: dialling a server.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, ToSocketAddrs},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{ClientTls, connection::Transport};

/// A server that does not even accept TCP in this time is not there.
const CONNECT: Duration = Duration::from_secs(30);

/// A server that has accepted TCP and does not finish the handshake in this time speaks no TLS.
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// Name or IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How to speak TLS to it; `None` is plain TCP.
    pub tls: Option<ClientTls>,
}

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// TCP was not accepted.
    #[error("connect over TCP")]
    Tcp(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("agree on TLS")]
    Tls(#[source] io::Error),
}

impl ServerAddress {
    /// Opens a connection, over which nothing of a WebSocket has been said yet.
    pub async fn connect(&self) -> Result<Stream, ConnectError> {
        self.connect_to((self.host.as_str(), self.port)).await
    }

    /// Likewise, to addresses that were looked up before. TLS still asks for the host.
    pub async fn connect_to(&self, addrs: impl ToSocketAddrs) -> Result<Stream, ConnectError> {
        let late = |what| io::Error::new(io::ErrorKind::TimedOut, what);
        let stream = timeout(CONNECT, TcpStream::connect(addrs))
            .await
            .unwrap_or_else(|_| Err(late("nobody answers")))
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(ConnectError::Tcp)?;
        let Some(tls) = &self.tls else { return Ok(Stream::Tcp(stream)) };
        let stream = timeout(TLS_HANDSHAKE, tls.connect(&self.host, stream))
            .await
            .unwrap_or_else(|_| {
                Err(late("the server does not answer; if it speaks plain WebSocket, use ws://"))
            })
            .map_err(ConnectError::Tls)?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// A connection to a server.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport for Stream {
    fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A seed for a [`ClientConfig`](crate::ClientConfig) that nobody can guess.
pub fn fresh_seed() -> [u8; 32] {
    // What keys the hash maps of a process comes from the system. The TLS library's generator first
    // measures jitter for 30 ms, which is longer than a short client lives.
    let keys = RandomState::new();
    let mut seed = [0; 32];
    for (n, octets) in seed.chunks_exact_mut(8).enumerate() {
        octets.copy_from_slice(&keys.hash_one(n).to_ne_bytes());
    }
    seed
}
