//! TCP below TLS, read ahead.
//!
//! rustls asks for 4 KiB at a time, so that a record of 16 KiB costs five system calls. Here one
//! call takes what is there, up to 64 KiB, and what TLS did not ask for is held until it does.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Octets read at once: some records of the largest size, which is 16 KiB and a little.
const READ: usize = 64 << 10;

thread_local! {
    /// Where octets are read to. What is left of them is soon asked for, mostly by the same poll.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A TCP connection, and octets that were read of it before somebody asked.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    tcp: TcpStream,
    held: Vec<u8>,
    /// So many of them were handed on.
    at: usize,
}

impl ReadAhead {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, held: Vec::new(), at: 0 }
    }

    pub(crate) fn below(&self) -> &TcpStream {
        &self.tcp
    }

    /// Hands on what fits of the octets held.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let left = &self.held[self.at..];
        let n = left.len().min(buf.remaining());
        buf.put_slice(&left[..n]);
        self.at += n;
        if self.at == self.held.len() {
            // A connection that is silent holds no memory for this.
            self.held = Vec::new();
            self.at = 0;
        }
    }
}

impl AsyncRead for ReadAhead {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.held.is_empty() {
            this.give(buf);
            return Poll::Ready(Ok(()));
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(READ, 0);
            let mut whole = ReadBuf::new(buffer);
            ready!(Pin::new(&mut this.tcp).poll_read(cx, &mut whole))?;
            let (asked, more) = whole.filled().split_at(whole.filled().len().min(buf.remaining()));
            buf.put_slice(asked);
            this.held.extend_from_slice(more);
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn octets_come_in_order_whatever_is_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut ahead = ReadAhead::new(listener.accept().await.unwrap().0);
        let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let wanted = sent.clone();
        tokio::spawn(async move {
            peer.write_all(&sent).await.unwrap();
        });
        let mut found = Vec::new();
        for size in [1, 4096, 100_000, 0, 7].into_iter().cycle() {
            let mut part = vec![0; size];
            let n = ahead.read(&mut part).await.unwrap();
            found.extend_from_slice(&part[..n]);
            if n == 0 && size > 0 {
                break;
            }
        }
        assert!(found == wanted, "{} of {} octets", found.len(), wanted.len());
        assert_eq!(ahead.held.capacity(), 0);
    }
}
