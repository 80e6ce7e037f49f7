//! One of the connections.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::Instant,
};
use wsproof_proto::{CloseCode, FrameHeader, Opcode, close, frame};
use wsproof_testee::{
    ClientConfig, Endpoint, Event, Input, ServerAddress, Transmit,
    client::{Stream, fresh_seed},
    connection::Transport,
};

use super::{RoundsError, Shared, echo::Echo, failure, messages::Message};

/// Opens a WebSocket; in words, why that failed.
pub(super) async fn open(
    server: ServerAddress,
    addrs: Arc<[SocketAddr]>,
    client: ClientConfig,
) -> Result<Stream, String> {
    let mut stream =
        server.connect_to(&addrs[..]).await.map_err(|error| failure::of_connect(&error))?;
    let offers = client.deflate.is_some();
    let limit = client.handshake_timeout;
    let mut endpoint = Endpoint::client(ClientConfig { seed: fresh_seed(), ..client });
    match tokio::time::timeout(limit, shake_hands(&mut stream, &mut endpoint)).await {
        Ok(Ok(Event::Opened { .. })) if offers && !endpoint.compresses() => {
            Err("the server declines permessage-deflate".to_owned())
        }
        Ok(Ok(Event::Refused { status, why })) => Err(failure::of_opening(status, &why)),
        Ok(Ok(_)) => Ok(stream),
        Ok(Err(error)) => Err(failure::of_io(&error)),
        Err(_) => Err(failure::of_opening(None, "the answer did not come in time")),
    }
}

/// The opening handshake. It is read octet by octet, so that nothing of what comes after it is
/// taken away from the rounds.
async fn shake_hands(stream: &mut Stream, endpoint: &mut Endpoint) -> io::Result<Event> {
    let mut buffer = [0; 1];
    loop {
        while let Some(Transmit::Octets(octets)) = endpoint.poll_transmit(Duration::ZERO) {
            stream.write_all(&octets).await?;
        }
        stream.flush().await?;
        if let Some(event) = endpoint.poll_event() {
            return Ok(event);
        }
        let input = match stream.read(&mut buffer).await? {
            0 => Input::Eof,
            _ => Input::Octets(&mut buffer),
        };
        endpoint.handle(Duration::ZERO, input);
    }
}

/// A connection that makes rounds.
#[derive(Debug)]
pub(super) struct Member {
    shared: Arc<Shared>,
    stream: Stream,
    echo: Echo,
}

/// What one connection has done while it counted.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) messages: u64,
    /// From the start of its first round to the end of its last one.
    pub(super) elapsed: Duration,
}

impl Member {
    pub(super) fn new(shared: Arc<Shared>, stream: Stream) -> Self {
        let echo = Echo::new(shared.messages.are_compressed());
        Self { shared, stream, echo }
    }

    /// Makes rounds until time is over.
    pub(super) async fn run(mut self, number: usize) -> Result<(Share, Self), RoundsError> {
        let shared = self.shared.clone();
        let (mut turn, mut messages, mut first) = (number, 0, None);
        let mut now = Instant::now();
        loop {
            let sent = now;
            if first.is_none() && sent >= shared.begin {
                first = Some(sent);
            }
            self.round(shared.messages.at(turn)).await?;
            turn = turn.wrapping_add(1);
            now = Instant::now();
            let Some(first) = first else { continue };
            messages += 1;
            let nanos = u64::try_from((now - sent).as_nanos()).unwrap_or(u64::MAX);
            let mut desk = shared.desk.lock().unwrap_or_else(PoisonError::into_inner);
            desk.latencies.saturating_record(nanos);
            drop(desk);
            if now >= shared.end {
                return Ok((Share { messages, elapsed: now - first }, self));
            }
        }
    }

    async fn round(&mut self, message: &Message) -> Result<(), RoundsError> {
        if !self.echo.pongs.is_empty() {
            let pongs = std::mem::take(&mut self.echo.pongs);
            self.stream.write_all(&pongs).await.map_err(RoundsError::Lost)?;
        }
        let mut unsent = &message.octets[..];
        let mut flushed = !self.stream.is_tls();
        poll_fn(|cx| {
            if !flushed || !unsent.is_empty() {
                let sent = self.poll_send(cx, &mut unsent, &mut flushed);
                if let Poll::Ready(Err(error)) = sent {
                    return Poll::Ready(Err(RoundsError::Lost(error)));
                }
            }
            // A server may begin its echo while the message is still on its way.
            self.poll_echo(cx, message)
        })
        .await
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        unsent: &mut &[u8],
        flushed: &mut bool,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        while !unsent.is_empty() {
            let n = ready!(stream.as_mut().poll_write(cx, unsent))?;
            *unsent = &unsent[n..];
        }
        if !*flushed {
            ready!(stream.poll_flush(cx))?;
            *flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_echo(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<(), RoundsError>> {
        let mut desk = self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut buffer = ReadBuf::new(&mut desk.buffer);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))
                .map_err(RoundsError::Lost)?;
            if buffer.filled().is_empty() {
                let ended = io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready(Err(RoundsError::Lost(ended)));
            }
            if self.echo.take(buffer.filled(), message).map_err(RoundsError::Wrong)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Closes the WebSocket and waits for the end of TCP.
    pub(super) async fn close(mut self) {
        let body = close::body(Some(CloseCode::NORMAL.0), b"");
        let header = FrameHeader::new(Opcode::Close, body.len() as u64);
        let mut octets = Vec::new();
        frame::encode(&FrameHeader { mask: Some([0; 4]), ..header }, &body, &mut octets);
        let mut buffer = [0; 256];
        // It was measured already, and may end as it likes.
        if self.stream.write_all(&octets).await.is_ok() && self.stream.flush().await.is_ok() {
            while self.stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        }
    }
}
