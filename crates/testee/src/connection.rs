//! Drives an [`Endpoint`] over a TCP connection.
//!
//! Reading and writing go on side by side: a peer that writes much before it reads is served. But
//! while too much is unsent nothing more is read, so that a peer that never reads costs little.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::WriteHalf},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;

use crate::{Endpoint, Event, Input, Transmit};

/// Octets read at once.
const READ: usize = 64 << 10;

/// While more octets are unsent, nothing is read.
const BACKLOG: usize = 4 << 20;

/// When all is said, how long the peer may leave the rest unread without taking any of it.
const STALLED: Duration = Duration::from_secs(5);

/// Runs `endpoint` on `stream` until TCP has ended. Events go to `on_event`, which may send, with
/// the time since the connection began. When `stop` is cancelled, the WebSocket is closed with
/// 1001. Dropping the future ends TCP at once.
///
/// An error means that TCP broke; the endpoint knows of it as well.
pub async fn drive(
    mut stream: TcpStream,
    endpoint: &mut Endpoint,
    stop: &CancellationToken,
    on_event: impl FnMut(&mut Endpoint, Duration, Event),
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let end = run(&mut stream, endpoint, stop, on_event).await?;
    if end == End::Reset {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    InOrder,
    Reset,
}

async fn run(
    stream: &mut TcpStream,
    endpoint: &mut Endpoint,
    stop: &CancellationToken,
    mut on_event: impl FnMut(&mut Endpoint, Duration, Event),
) -> io::Result<End> {
    let begun = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let mut buffer = vec![0; READ];
    let mut outbox = Outbox::default();
    let (mut ended, mut stopping) = (false, false);
    let mut progress = begun;
    let mut broken = None;
    loop {
        let now = begun.elapsed();
        while let Some(event) = endpoint.poll_event() {
            on_event(endpoint, now, event);
        }
        while let Some(transmit) = endpoint.poll_transmit(now) {
            outbox.push(transmit);
        }
        if let Some(error) = broken {
            return Err(error);
        }
        if let Some(end) = outbox.settle(&mut writer).await? {
            return Ok(end);
        }
        let done = endpoint.is_done();
        if done && outbox.unsent == 0 {
            return Ok(End::InOrder);
        }
        let deadline = if done {
            Some(progress + STALLED)
        } else {
            endpoint.poll_timeout().map(|after| begun + after)
        };
        let reads = !ended && (outbox.unsent < BACKLOG || endpoint.is_discarding());
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                endpoint.close(begun.elapsed(), CloseCode::GOING_AWAY, "going away");
            }
            // Before reading: a peer that never pauses must not put off what is due.
            () = sleep_until(deadline.unwrap_or(begun)), if deadline.is_some() => {
                if done {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                endpoint.handle_timeout(begun.elapsed());
            }
            sent = outbox.send(&mut writer), if outbox.unsent > 0 => match sent {
                Ok(n) => {
                    outbox.sent(n);
                    progress = Instant::now();
                }
                Err(error) => {
                    endpoint.handle(begun.elapsed(), Input::Reset);
                    broken = Some(error);
                }
            },
            read = reader.read(&mut buffer), if reads => match read {
                Ok(0) => {
                    ended = true;
                    endpoint.handle(begun.elapsed(), Input::Eof);
                }
                Ok(n) => endpoint.handle(begun.elapsed(), Input::Octets(&mut buffer[..n])),
                Err(error) => {
                    endpoint.handle(begun.elapsed(), Input::Reset);
                    broken = Some(error);
                }
            },
        }
    }
}

/// What the endpoint said and TCP has not taken yet.
#[derive(Debug, Default)]
struct Outbox {
    queue: VecDeque<Transmit>,
    /// How much of the first entry is sent.
    at: usize,
    unsent: usize,
}

impl Outbox {
    fn push(&mut self, transmit: Transmit) {
        if let Transmit::Octets(octets) = &transmit {
            self.unsent += octets.len();
        }
        self.queue.push_back(transmit);
    }

    /// Does what stands before the next octets; tells if TCP is to end.
    async fn settle(&mut self, writer: &mut WriteHalf<'_>) -> io::Result<Option<End>> {
        loop {
            match self.queue.front() {
                None => return Ok(None),
                Some(Transmit::Octets(octets)) if self.at < octets.len() => return Ok(None),
                Some(Transmit::Octets(_)) => self.at = 0,
                Some(Transmit::ShutdownWrite) => {
                    // The peer may have gone already, and then its end is read next.
                    if let Err(error) = writer.shutdown().await {
                        tracing::debug!(%error, "no end of TCP sent");
                    }
                }
                Some(Transmit::Close) => return Ok(Some(End::InOrder)),
                Some(Transmit::Reset) => return Ok(Some(End::Reset)),
            }
            self.queue.pop_front();
        }
    }

    /// Writes as much as TCP takes of what may go out together.
    async fn send(&self, writer: &mut WriteHalf<'_>) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); 16];
        let mut n = 0;
        for (slice, transmit) in slices.iter_mut().zip(&self.queue) {
            let Transmit::Octets(octets) = transmit else { break };
            let start = if n == 0 { self.at } else { 0 };
            *slice = IoSlice::new(&octets[start..]);
            n += 1;
        }
        match writer.write_vectored(&slices[..n]).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => Ok(n),
        }
    }

    fn sent(&mut self, mut n: usize) {
        self.unsent -= n;
        while let Some(Transmit::Octets(octets)) = self.queue.front() {
            let left = octets.len() - self.at;
            if n < left {
                self.at += n;
                return;
            }
            n -= left;
            self.at = 0;
            self.queue.pop_front();
        }
    }
}
