//! Drives an [`Endpoint`] over a TCP connection, or over TLS on one.
//!
//! Reading and writing go on side by side: a peer that writes much before it reads is served. But
//! while too much is unsent nothing more is read, so that a peer that never reads costs little.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tokio_rustls::{client, server};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use wsproof_proto::CloseCode;

use crate::{
    Endpoint, Event, Input, Transmit,
    ahead::ReadAhead,
    mailbox::{Mailbox, Message, mailbox},
    spare,
};

/// Octets read at once.
const READ: usize = 128 << 10;

/// While more octets are unsent, nothing is read.
const BACKLOG: usize = 4 << 20;

/// While more octets are unsent, messages stay in the mailbox, where they are counted.
const AT_HAND: usize = 64 << 10;

/// When all is said, how long the peer may leave the rest unread without taking any of it.
const STALLED: Duration = Duration::from_secs(5);

thread_local! {
    /// Where octets are read to. All connections of a thread share it: most of many are silent, and
    /// what one has read the next one need not fetch from far away.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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

impl Transport for ReadAhead {
    fn is_tls(&self) -> bool {
        false
    }

    fn tcp(&self) -> &TcpStream {
        self.below()
    }
}

impl<S: Transport> Transport for client::TlsStream<S> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0.tcp()
    }
}

impl<S: Transport> Transport for server::TlsStream<S> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0.tcp()
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

/// What a connection waited for.
enum Happened {
    /// It is to be closed.
    Stopped,
    /// Something is due.
    Due,
    /// There is something to say.
    Said(Arc<Message>),
    /// The socket took octets, or the end.
    Sent,
    /// It gave octets, which the endpoint has.
    Read,
    /// The peer ended TCP.
    Ended,
    /// TCP broke.
    Broke(io::Error),
}

async fn run(
    stream: &mut impl Transport,
    endpoint: &mut Endpoint,
    mailbox: &mut Mailbox,
    stop: &CancellationToken,
    mut on_event: impl FnMut(&mut Endpoint, Duration, Event),
) -> io::Result<End> {
    let begun = Instant::now();
    let mut now = Duration::ZERO;
    let mut outbox = Outbox::default();
    let (cancelled, timer) = (pin!(stop.cancelled()), pin!(sleep_until(begun)));
    let mut outside = Outside {
        token: stop,
        stop: cancelled,
        waker: None,
        stopping: false,
        timer,
        armed: None,
        rested: true,
    };
    let mut ended = false;
    // When the peer took something last, or all was said.
    let mut progress = None;
    let mut broken = None;
    loop {
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
            Some(*progress.get_or_insert(now) + STALLED)
        } else {
            endpoint.poll_timeout()
        };
        let is_open = endpoint.is_open();
        let waiting = outbox.unsent + if is_open { mailbox.held() } else { 0 };
        let reads = !ended && (waiting < BACKLOG || endpoint.is_discarding());
        let takes = is_open && outbox.unsent < AT_HAND;
        let happened = poll_fn(|cx| {
            // Before reading: a peer that never pauses must not put off what is due.
            let due = outside.poll(cx, deadline.map(|after| begun + after));
            if due.is_ready() {
                return due;
            }
            if takes && let Poll::Ready(message) = mailbox.poll_next(cx) {
                return Poll::Ready(Happened::Said(message));
            }
            while let Poll::Ready(sent) = outbox.poll_send(cx, stream) {
                // Mostly nothing follows from it, and the endpoint need not be asked again.
                let same = takes && reads && !done && outbox.end(stream.is_tls()).is_none();
                match sent {
                    Ok(()) if same => {}
                    Ok(()) => return Poll::Ready(Happened::Sent),
                    Err(error) => return Poll::Ready(Happened::Broke(error)),
                }
            }
            let read = if reads {
                poll_read(cx, stream, |octets| {
                    now = begun.elapsed();
                    endpoint.handle(now, octets);
                })
            } else {
                Poll::Pending
            };
            outside.rested = read.is_pending();
            read
        })
        .await;
        // What was read was handled already, and its time is known.
        if !matches!(happened, Happened::Read) {
            now = begun.elapsed();
        }
        match happened {
            Happened::Stopped => endpoint.close(now, CloseCode::GOING_AWAY, "going away"),
            Happened::Due if done => return Err(io::ErrorKind::TimedOut.into()),
            Happened::Due => endpoint.handle_timeout(now),
            Happened::Said(message) => match &*message {
                Message::Text(text) => endpoint.send_text(now, text.as_str()),
                Message::Binary(payload) => endpoint.send_binary(now, payload.as_slice()),
            },
            Happened::Sent => progress = done.then_some(now),
            Happened::Read => {}
            Happened::Ended => {
                ended = true;
                endpoint.handle(now, Input::Eof);
            }
            Happened::Broke(error) => {
                endpoint.handle(now, Input::Reset);
                broken = Some(error);
            }
        }
    }
}

/// Reads once, and hands on what was read.
fn poll_read(
    cx: &mut Context<'_>,
    stream: &mut impl Transport,
    take: impl FnOnce(Input<'_>),
) -> Poll<Happened> {
    BUFFER.with_borrow_mut(|buffer| {
        // Of all connections of a thread one at a time reads.
        buffer.resize(READ, 0);
        let mut buffer = ReadBuf::new(buffer);
        Poll::Ready(match ready!(Pin::new(stream).poll_read(cx, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => Happened::Ended,
            Ok(()) => {
                take(Input::Octets(buffer.filled_mut()));
                Happened::Read
            }
            // Many do not take leave of TLS before they end TCP; it is an end in order. What a
            // frame or a message lacks shows by itself.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Happened::Ended,
            Err(error) => Happened::Broke(error),
        })
    })
}

/// What comes from elsewhere than the socket: the word to stop, and the time.
///
/// Both wake the task, so that neither is asked again before the task has rested.
struct Outside<'a, 'b> {
    token: &'a CancellationToken,
    /// Whom the word to stop will wake.
    waker: Option<Waker>,
    stop: Pin<&'a mut WaitForCancellationFuture<'b>>,
    stopping: bool,
    timer: Pin<&'a mut Sleep>,
    /// What the timer waits for.
    armed: Option<Instant>,
    rested: bool,
}

impl Outside<'_, '_> {
    /// Whether the word to stop has come. What listens for it belongs to the connection, and is far
    /// away where there are many; so it is left alone while the same task listens.
    fn is_stopped(&mut self, cx: &mut Context<'_>) -> bool {
        let listens = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if listens && !self.token.is_cancelled() {
            return false;
        }
        self.waker = Some(cx.waker().clone());
        self.stop.as_mut().poll(cx).is_ready()
    }

    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Happened> {
        if self.rested && !self.stopping && self.is_stopped(cx) {
            self.stopping = true;
            return Poll::Ready(Happened::Stopped);
        }
        if let Some(deadline) = deadline {
            let moved = self.armed != Some(deadline);
            if moved {
                self.timer.as_mut().reset(deadline);
                self.armed = Some(deadline);
            }
            if (self.rested || moved) && self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Happened::Due);
            }
        }
        self.rested = false;
        Poll::Pending
    }
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
        let wrote = match &slices[..n] {
            // The usual case, which costs the kernel a little less.
            [one] => stream.poll_write(cx, one),
            several => stream.poll_write_vectored(cx, several),
        };
        Poll::Ready(match ready!(wrote)? {
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
            if let Some(Transmit::Octets(octets)) = self.queue.pop_front() {
                spare::give(octets);
            }
        }
    }
}
