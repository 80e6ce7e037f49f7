//! Drives an [`Endpoint`] over a TCP connection, or over TLS on one.
//!
//! Reading and writing go on side by side: a peer that writes much before it reads is served. But
//! while too much is unsent nothing more is read, so that a peer that never reads costs little.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_rustls::{client, server};
use tokio_util::sync::CancellationToken;
use wsproof_proto::CloseCode;

use crate::{
    Endpoint, Event, Input, Transmit,
    mailbox::{Mailbox, Message, mailbox},
};

/// Octets read at once, at first. Most connections of many are silent.
const FIRST_READ: usize = 1 << 10;

/// Octets read at once, from a peer that says much.
const READ: usize = 64 << 10;

/// While more octets are unsent, nothing is read.
const BACKLOG: usize = 4 << 20;

/// While more octets are unsent, messages stay in the mailbox, where they are counted.
const AT_HAND: usize = 64 << 10;

/// When all is said, how long the peer may leave the rest unread without taking any of it.
const STALLED: Duration = Duration::from_secs(5);

/// What a WebSocket connection runs over.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether it is TLS: then octets are held until they are flushed, and `close_notify` is to be
    /// sent before TCP ends (RFC 8446, 6.1).
    fn is_tls(&self) -> bool {
        true
    }

    /// The TCP connection at the bottom.
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn is_tls(&self) -> bool {
        false
    }

    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for client::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Transport for server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Runs `endpoint` on `stream` until TCP has ended. Events go to `on_event`, which may send, with
/// the time since the connection began. When `stop` is cancelled, the WebSocket is closed with
/// 1001. Dropping the future ends TCP at once.
///
/// An error means that TCP broke; the endpoint knows of it as well.
pub async fn drive(
    stream: impl Transport,
    endpoint: &mut Endpoint,
    stop: &CancellationToken,
    on_event: impl FnMut(&mut Endpoint, Duration, Event),
) -> io::Result<()> {
    let (_, mut nothing) = mailbox(0);
    drive_with(stream, endpoint, &mut nothing, stop, on_event).await
}

/// Like [`drive`], and sends what comes into `mailbox` while the WebSocket is open. Messages are
/// taken out no faster than the peer reads, and while many wait nothing is read from the peer.
pub async fn drive_with(
    mut stream: impl Transport,
    endpoint: &mut Endpoint,
    mailbox: &mut Mailbox,
    stop: &CancellationToken,
    on_event: impl FnMut(&mut Endpoint, Duration, Event),
) -> io::Result<()> {
    stream.tcp().set_nodelay(true)?;
    let end = run(&mut stream, endpoint, mailbox, stop, on_event).await?;
    if end == End::Reset {
        socket2::SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    InOrder,
    Reset,
}

/// What the socket did.
enum Moved {
    /// It took octets, or the end.
    Out,
    /// It gave so many octets; none are the peer's end.
    In(usize),
    /// It broke.
    Broken(io::Error),
}

async fn run(
    stream: &mut impl Transport,
    endpoint: &mut Endpoint,
    mailbox: &mut Mailbox,
    stop: &CancellationToken,
    mut on_event: impl FnMut(&mut Endpoint, Duration, Event),
) -> io::Result<End> {
    let begun = Instant::now();
    let mut buffer = vec![0; FIRST_READ];
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
        if let Some(end) = outbox.end(stream.is_tls()) {
            return Ok(end);
        }
        let done = endpoint.is_done();
        if done && outbox.is_empty() {
            return Ok(End::InOrder);
        }
        let deadline = if done {
            Some(progress + STALLED)
        } else {
            endpoint.poll_timeout().map(|after| begun + after)
        };
        let is_open = endpoint.is_open();
        let waiting = outbox.unsent + if is_open { mailbox.held() } else { 0 };
        let reads = !ended && (waiting < BACKLOG || endpoint.is_discarding());
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
            message = mailbox.next(), if is_open && outbox.unsent < AT_HAND => {
                let now = begun.elapsed();
                match &*message {
                    Message::Text(text) => endpoint.send_text(now, text.as_str()),
                    Message::Binary(payload) => endpoint.send_binary(now, payload.as_slice()),
                }
            }
            moved = poll_fn(|cx| {
                if let Poll::Ready(sent) = outbox.poll_send(cx, stream) {
                    return Poll::Ready(sent.map_or_else(Moved::Broken, |()| Moved::Out));
                }
                if reads { poll_read(cx, stream, &mut buffer) } else { Poll::Pending }
            }) => match moved {
                Moved::Out => progress = Instant::now(),
                Moved::In(0) => {
                    ended = true;
                    endpoint.handle(begun.elapsed(), Input::Eof);
                }
                Moved::In(n) => {
                    endpoint.handle(begun.elapsed(), Input::Octets(&mut buffer[..n]));
                    if n == buffer.len() && n < READ {
                        buffer.resize(READ, 0);
                    }
                }
                Moved::Broken(error) => {
                    endpoint.handle(begun.elapsed(), Input::Reset);
                    broken = Some(error);
                }
            },
        }
    }
}

fn poll_read(cx: &mut Context<'_>, stream: &mut impl Transport, buffer: &mut [u8]) -> Poll<Moved> {
    let mut buffer = ReadBuf::new(buffer);
    Poll::Ready(match ready!(Pin::new(stream).poll_read(cx, &mut buffer)) {
        Ok(()) => Moved::In(buffer.filled().len()),
        // Many do not take leave of TLS before they end TCP; it is an end in order. What a frame
        // or a message lacks shows by itself.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Moved::In(0),
        Err(error) => Moved::Broken(error),
    })
}

/// What the endpoint said and TCP has not taken yet.
#[derive(Debug, Default)]
struct Outbox {
    queue: VecDeque<Transmit>,
    /// How much of the first entry is sent.
    at: usize,
    unsent: usize,
    /// Whether octets were sent that TLS may still hold.
    unflushed: bool,
}

impl Outbox {
    fn push(&mut self, transmit: Transmit) {
        match &transmit {
            // An entry without octets would look like one that is sent.
            Transmit::Octets(octets) if octets.is_empty() => return,
            Transmit::Octets(octets) => self.unsent += octets.len(),
            _ => {}
        }
        self.queue.push_back(transmit);
    }

    /// How TCP is to end, if that is next.
    fn end(&self, is_tls: bool) -> Option<End> {
        match self.queue.front() {
            _ if self.unflushed => None,
            Some(Transmit::Close) if !is_tls => Some(End::InOrder),
            Some(Transmit::Reset) => Some(End::Reset),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.unflushed
    }

    /// Does what is next, if TCP lets it.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        let is_tls = stream.is_tls();
        let mut stream = Pin::new(stream);
        if let Some(Transmit::Octets(_)) = self.queue.front() {
            let n = ready!(self.poll_write(cx, stream))?;
            self.sent(n);
            self.unflushed = is_tls;
            return Poll::Ready(Ok(()));
        }
        if self.unflushed {
            ready!(stream.as_mut().poll_flush(cx))?;
            self.unflushed = false;
            return Poll::Ready(Ok(()));
        }
        if let Some(Transmit::ShutdownWrite | Transmit::Close) = self.queue.front() {
            // The peer may have gone already, and then its end is read next.
            if let Err(error) = ready!(stream.poll_shutdown(cx)) {
                tracing::debug!(%error, "no end of TCP sent");
            }
            self.queue.pop_front();
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Writes as much as TCP takes of what may go out together.
    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        stream: Pin<&mut impl Transport>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); 16];
        let mut n = 0;
        for (slice, transmit) in slices.iter_mut().zip(&self.queue) {
            let Transmit::Octets(octets) = transmit else { break };
            let start = if n == 0 { self.at } else { 0 };
            *slice = IoSlice::new(&octets[start..]);
            n += 1;
        }
        Poll::Ready(match ready!(stream.poll_write_vectored(cx, &slices[..n]))? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => Ok(n),
        })
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
