//! Connections to the peer: TCP, or TLS on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsStream;

use crate::Tls;

/// A peer that does not even accept TCP in this time is not there.
const CONNECT: Duration = Duration::from_secs(30);

/// Where a peer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How to speak TLS to it; `None` is plain TCP.
    pub tls: Option<Tls>,
}

impl Address {
    /// Whether the peer is on this machine.
    pub fn is_local(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A connection to the peer, whoever dialled. What is written through TLS is not sent before it is flushed.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Ends the connection in order. TLS says so first, if TCP takes that at once: octets that a
    /// peer does not read must not hold up the end.
    pub(crate) fn end(mut self, cx: &mut Context<'_>) {
        if let Self::Tls(stream) = &mut self {
            let _ = Pin::new(stream).poll_shutdown(cx);
        }
    }

    /// Ends the connection with a reset, so that nothing of it is left on either side.
    pub(crate) fn reset(self) {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => match *stream {
                TlsStream::Client(stream) => stream.into_inner().0,
                TlsStream::Server(stream) => stream.into_inner().0,
            },
        };
        // If the option is refused the connection ends in order, which is no worse for the peer.
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
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
            Self::Tls(stream) => Poll::Ready(match ready!(Pin::new(stream).poll_read(cx, buf)) {
                // Many do not take leave of TLS before they end TCP; it is an end in order.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                read => read,
            }),
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

/// Opens a connection. Every write is to leave at once, as a case may depend on it.
pub(crate) async fn dial(address: &Address) -> io::Result<Stream> {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let stream = timeout(CONNECT, connecting)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer to the TCP connect"))??;
    stream.set_nodelay(true)?;
    match &address.tls {
        None => Ok(Stream::Tcp(stream)),
        Some(tls) => {
            let stream = tls.handshake(&address.host, stream).await?;
            Ok(Stream::Tls(Box::new(stream.into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc};

    use rustls::{ServerConfig, crypto::aws_lc_rs};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::{TlsAcceptor, server};

    use super::*;
    use crate::TlsOptions;

    /// Both ends of a connection with TLS.
    async fn pair() -> (Stream, server::TlsStream<TcpStream>) {
        let made = rcgen::generate_simple_self_signed(vec!["somewhere".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.try_into().unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            tls: Some(Tls::new(TlsOptions::default()).unwrap()),
        };
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap()
        };
        let (ours, theirs) = tokio::join!(dial(&address), accept);
        (ours.unwrap(), theirs)
    }

    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, io::ErrorKind> {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.map(|_| text).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn an_end_in_order_ends_tls_first() {
        let (mut ours, mut theirs) = pair().await;
        ours.write_all(b"all").await.unwrap();
        ours.flush().await.unwrap();
        let mut ours = Some(ours);
        poll_fn(|cx| Poll::Ready(ours.take().map(|stream| stream.end(cx)))).await;
        // Without `close_notify` it would be an unexpected end.
        assert_eq!(read(&mut theirs).await, Ok("all".to_owned()));
        assert_eq!(read(theirs.get_mut().0).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn a_half_that_has_ended_leaves_the_other_one() {
        let (mut ours, mut theirs) = pair().await;
        ours.shutdown().await.unwrap();
        assert_eq!(read(&mut theirs).await, Ok(String::new()));
        theirs.write_all(b"more").await.unwrap();
        theirs.shutdown().await.unwrap();
        assert_eq!(read(&mut ours).await, Ok("more".to_owned()));
    }

    #[tokio::test]
    async fn a_reset_says_nothing() {
        let (ours, mut theirs) = pair().await;
        ours.reset();
        assert_eq!(read(&mut theirs).await, Err(io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn tcp_that_ends_without_tls_ends_in_order() {
        let (mut ours, mut theirs) = pair().await;
        theirs.write_all(b"all").await.unwrap();
        theirs.flush().await.unwrap();
        drop(theirs);
        assert_eq!(read(&mut ours).await, Ok("all".to_owned()));
    }

    #[tokio::test]
    async fn a_reset_of_the_peer_is_one() {
        let (mut ours, theirs) = pair().await;
        Stream::Tcp(theirs.into_inner().0).reset();
        assert_eq!(read(&mut ours).await, Err(io::ErrorKind::ConnectionReset));
    }
}
