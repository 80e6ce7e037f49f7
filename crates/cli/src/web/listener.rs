//! A listener whose connections speak TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::Listener;
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Who does not finish the handshake in this time speaks no TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Accepted = (TlsStream<TcpStream>, SocketAddr);

/// Carries out the handshakes beside each other, so that nobody waits for somebody else's.
pub(super) struct TlsListener {
    addr: io::Result<SocketAddr>,
    accepted: mpsc::Receiver<Accepted>,
    _accepting: JoinSet<()>,
}

impl TlsListener {
    pub(super) fn new(listener: TcpListener, config: Arc<rustls::ServerConfig>) -> Self {
        let addr = listener.local_addr();
        let (sender, accepted) = mpsc::channel(1);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, TlsAcceptor::from(config), sender));
        Self { addr, accepted, _accepting: accepting }
    }
}

async fn accept(mut listener: TcpListener, tls: TlsAcceptor, sender: mpsc::Sender<Accepted>) {
    loop {
        // axum's own way to accept goes on after errors.
        let (stream, from) = Listener::accept(&mut listener).await;
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = sender.send((stream, from)).await;
                }
                Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS for the web page"),
                Err(_) => {}
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends with this listener only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.addr {
            Ok(addr) => Ok(*addr),
            Err(error) => Err(error.kind().into()),
        }
    }
}
