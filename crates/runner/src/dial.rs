//! TCP connections to the peer.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};

/// A peer that does not even accept TCP in this time is not there.
const CONNECT: Duration = Duration::from_secs(30);

/// Where a peer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
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

/// Opens a connection. Every write is to leave at once, as a case may depend on it.
pub(crate) async fn dial(address: &Address) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let stream = timeout(CONNECT, connecting)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer to the TCP connect"))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Ends a connection with a reset, so that nothing of it is left on either side.
pub(crate) fn reset(stream: TcpStream) {
    // If the option is refused the connection ends in order, which is no worse for the peer.
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}
