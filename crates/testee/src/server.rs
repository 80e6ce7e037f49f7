//! The echo server: an [`Endpoint`] for each TCP connection. In a [`Room`] it relays instead.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    Defect, Endpoint, Event, Message, Room, ServerConfig, ServerTls,
    connection::{self, Transport},
};

/// Connections that may wait to be accepted, if nothing else is asked for.
const WAITING: i32 = 1024;

/// What stands for a close timeout that is off, when the server is stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause after an accept that failed for want of resources.
const PAUSE: Duration = Duration::from_millis(100);

/// What an echo server is told.
#[derive(Debug, Clone)]
pub struct EchoOptions {
    /// Where to listen; the port 0 stands for any free one.
    pub addrs: Vec<SocketAddr>,
    /// Connections that may wait to be accepted, as far as the operating system allows.
    pub backlog: i32,
    /// How each connection behaves.
    pub server: ServerConfig,
    /// What each connection does wrong.
    pub defect: Option<Defect>,
    /// The room whose members hear each message, instead of its sender alone.
    pub room: Option<Room>,
}

impl Default for EchoOptions {
    /// A strict server on a free port of the loopback interface.
    fn default() -> Self {
        Self {
            addrs: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            backlog: WAITING,
            server: ServerConfig::default(),
            defect: None,
            room: None,
        }
    }
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The options name no address.
    #[error("listen: no address was given")]
    NoAddress,
    /// An address cannot be listened on.
    #[error("listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
}

/// A server that sends each message back.
#[derive(Debug)]
pub struct EchoServer {
    listeners: Vec<(TcpListener, SocketAddr)>,
    options: EchoOptions,
    tls: Option<ServerTls>,
}

impl EchoServer {
    /// Listens on all addresses. Clients may connect from now on; they are served by
    /// [`serve`](Self::serve).
    #[expect(clippy::unused_async, reason = "it needs a runtime, and a caller that awaits has one")]
    pub async fn bind(options: EchoOptions) -> Result<Self, ServeError> {
        if options.addrs.is_empty() {
            return Err(ServeError::NoAddress);
        }
        let listen_on = |&addr: &SocketAddr| bind(addr, options.backlog);
        let listeners = options.addrs.iter().map(listen_on).collect::<Result<_, _>>()?;
        Ok(Self { listeners, options, tls: None })
    }

    /// Speaks TLS on all addresses. Who speaks something else is dropped.
    #[must_use]
    pub fn with_tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The addresses, with the ports that were free.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(_, addr)| *addr).collect()
    }

    /// Serves until `stop` is cancelled. Then no more connections are accepted, the open ones are
    /// closed with 1001, and those that have not ended within the close timeout are dropped.
    pub async fn serve(self, stop: CancellationToken) {
        // Who stops the server does not wait for ever, even if the connections may.
        let close_timeout = Some(self.options.server.close_timeout).filter(|it| !it.is_zero());
        let patience = close_timeout.unwrap_or(PATIENCE) * 2;
        // Dropping the future of this function drops these, and with them the connections.
        let mut accepting = JoinSet::new();
        for (listener, addr) in self.listeners {
            tracing::info!(%addr, "listening");
            let (options, tls) = (self.options.clone(), self.tls.clone());
            accepting.spawn(accept(listener, options, tls, stop.clone()));
        }
        let mut open: Vec<_> = accepting.join_all().await;
        let all_end = async {
            for connections in &mut open {
                while connections.join_next().await.is_some() {}
            }
        };
        if timeout(patience, all_end).await.is_err() {
            let left: usize = open.iter().map(JoinSet::len).sum();
            tracing::debug!(open = left, "dropping connections");
            for mut connections in open {
                connections.shutdown().await;
            }
        }
        tracing::info!("stopped");
    }
}

/// Listens on an address. Returns it with the port that was free.
pub fn bind(addr: SocketAddr, backlog: i32) -> Result<(TcpListener, SocketAddr), ServeError> {
    listen(addr, backlog).map_err(|source| ServeError::Listen { addr, source })
}

fn listen(addr: SocketAddr, backlog: i32) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        // Otherwise the same port could not be listened on over IPv4 as well.
        socket.set_only_v6(true)?;
    }
    // Elsewhere the option would let two servers share a port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket.into())?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// Accepts connections until `stop` is cancelled. Returns those that are still open.
async fn accept(
    listener: TcpListener,
    options: EchoOptions,
    tls: Option<ServerTls>,
    stop: CancellationToken,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return connections,
            // What has ended is kept until it is looked at.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (options, tls, stop) = (options.clone(), tls.clone(), stop.clone());
                let serving = async move { serve_one(stream, options, tls, &stop).await };
                let span = tracing::debug_span!("connection", role = "server", %peer);
                if span.is_disabled() {
                    connections.spawn(serving);
                } else {
                    connections.spawn(serving.instrument(span));
                }
            }
            // The peer was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Too many open files, most likely: others end and give theirs back.
                tracing::warn!(%error, "no connection accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn serve_one(
    stream: TcpStream,
    options: EchoOptions,
    tls: Option<ServerTls>,
    stop: &CancellationToken,
) {
    let Some(tls) = tls else { return converse(stream, options, stop).await };
    let limit = options.server.handshake_timeout;
    let accepted = tokio::select! {
        () = stop.cancelled() => return,
        accepted = tls.accept(stream) => accepted,
        () = sleep(limit), if !limit.is_zero() => Err(io::ErrorKind::TimedOut.into()),
    };
    match accepted {
        Ok(stream) => converse(stream, options, stop).await,
        Err(error) => tracing::debug!(%error, "no TLS handshake"),
    }
}

async fn converse(stream: impl Transport, options: EchoOptions, stop: &CancellationToken) {
    let mut endpoint = Endpoint::server(options.server);
    if let Some(defect) = options.defect {
        endpoint = endpoint.with_defect(defect);
    }
    let driven = match options.room {
        Some(room) => relay(stream, endpoint, &room, stop).await,
        None => {
            connection::drive(stream, &mut endpoint.echo(), stop, |_, _, event| log(&event)).await
        }
    };
    if let Err(error) = driven {
        tracing::debug!(%error, "connection lost");
    }
}

/// Says to the room what the client says, and to the client what is said in the room.
async fn relay(
    stream: impl Transport,
    mut endpoint: Endpoint,
    room: &Room,
    stop: &CancellationToken,
) -> io::Result<()> {
    let (mut seat, mut mailbox) = room.seat();
    let behind = seat.behind();
    let on_event = |_: &mut Endpoint, _, event| {
        log(&event);
        match event {
            Event::Opened { .. } => seat.enter(),
            Event::Closed { .. } => seat.leave(),
            Event::Message { text, payload } => room.say(Message::new(text, payload)),
            _ => {}
        }
    };
    tokio::select! {
        driven = connection::drive_with(stream, &mut endpoint, &mut mailbox, stop, on_event) => driven,
        () = behind.cancelled() => Err(io::Error::other("the client fell too far behind")),
    }
}

fn log(event: &Event) {
    match event {
        Event::Opened { target, subprotocol, agent } => {
            tracing::debug!(target, subprotocol, agent, "opened");
        }
        Event::Refused { status, why } => tracing::debug!(status, why, "refused"),
        Event::Failed { code, why } => tracing::debug!(code = code.0, why, "failed"),
        Event::Closed { code, reason, clean } => {
            tracing::debug!(code = code.map(|code| code.0), reason, clean, "closed");
        }
        Event::Silent => tracing::debug!("silent"),
        Event::Message { .. } | Event::Ping(_) | Event::Pong(_) => {}
    }
}
