//! A WebSocket on which no case runs: the client asks, and is answered.

use std::{collections::VecDeque, io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use wsproof_proto::{CloseCode, FrameHeader, FrameItem, FrameReader, Opcode, Role, close};

use crate::dial::Stream;

/// No message of a client is longer.
const MAX_MESSAGE: usize = 1 << 20;
/// How long a client may take to answer a close frame.
const CLOSE: Duration = Duration::from_secs(1);

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) payload: Vec<u8>,
}

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: Stream,
    inbox: Inbox,
    buf: Vec<u8>,
}

/// What arrives, put together.
#[derive(Debug)]
struct Inbox {
    reader: FrameReader,
    /// Payload of the message that arrives, and whether it is text.
    message: Vec<u8>,
    is_text: bool,
    /// Payload of the control frame that arrives.
    control: Vec<u8>,
    complete: VecDeque<Arrived>,
}

#[derive(Debug, PartialEq, Eq)]
enum Arrived {
    Message(Message),
    Ping(Vec<u8>),
    Close(Vec<u8>),
    /// Something that no client may send, or too much of it.
    Wrong(CloseCode),
}

impl Conversation {
    /// Answers the opening request. `early` came along with it.
    pub(super) async fn open(
        stream: Stream,
        answer: &[u8],
        mut early: Vec<u8>,
    ) -> io::Result<Self> {
        let mut conversation = Self { stream, inbox: Inbox::new(), buf: vec![0; 16 << 10] };
        conversation.write(answer).await?;
        conversation.inbox.take(&mut early);
        Ok(conversation)
    }

    /// Sends a text and closes.
    pub(super) async fn reply(mut self, text: &str) -> io::Result<()> {
        let header = FrameHeader::new(Opcode::Text, text.len() as u64);
        self.frame(&header, text.as_bytes()).await?;
        self.close(None, "").await
    }

    /// Writes octets.
    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await
    }

    /// Sends a frame.
    pub(super) async fn frame(&mut self, header: &FrameHeader, payload: &[u8]) -> io::Result<()> {
        let mut octets = Vec::with_capacity(FrameHeader::MAX_OCTETS + payload.len());
        header.encode(&mut octets);
        octets.extend_from_slice(payload);
        self.write(&octets).await
    }

    /// The next message; none if the client closed.
    pub(super) async fn message(&mut self) -> io::Result<Option<Message>> {
        loop {
            match self.arrived().await? {
                Arrived::Message(message) => return Ok(Some(message)),
                Arrived::Ping(payload) => self.control(Opcode::Pong, &payload).await?,
                Arrived::Close(payload) => {
                    // The code that came with it, as RFC 6455, 5.5.1 suggests.
                    let code = &payload[..payload.len().min(2)];
                    self.control(Opcode::Close, code).await?;
                    self.stream.shutdown().await?;
                    return Ok(None);
                }
                Arrived::Wrong(code) => {
                    self.control(Opcode::Close, &close::body(Some(code.0), b"")).await?;
                    self.stream.shutdown().await?;
                    return Ok(None);
                }
            }
        }
    }

    /// Waits for the client to close; what it says is not heard.
    pub(super) async fn until_closed(&mut self) {
        while let Ok(Some(_)) = self.message().await {}
    }

    /// Closes: with a close frame, its answer, and then at once, as there is nothing more to say.
    pub(super) async fn close(mut self, code: Option<u16>, reason: &str) -> io::Result<()> {
        self.control(Opcode::Close, &close::body(code, reason.as_bytes())).await?;
        let answered = timeout(CLOSE, async {
            while let Ok(arrived) = self.arrived().await {
                if matches!(arrived, Arrived::Close(_) | Arrived::Wrong(_)) {
                    return;
                }
            }
        });
        let _ = answered.await;
        // In order, for a client that has not read our octets yet must not lose them.
        self.stream.shutdown().await
    }

    async fn control(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        self.frame(&FrameHeader::new(opcode, payload.len() as u64), payload).await
    }

    async fn arrived(&mut self) -> io::Result<Arrived> {
        loop {
            if let Some(arrived) = self.inbox.complete.pop_front() {
                return Ok(arrived);
            }
            let n = self.stream.read(&mut self.buf).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.inbox.take(&mut self.buf[..n]);
        }
    }
}

impl Inbox {
    fn new() -> Self {
        Self {
            reader: FrameReader::new(Role::Client),
            message: Vec::new(),
            is_text: false,
            control: Vec::new(),
            complete: VecDeque::new(),
        }
    }

    fn take(&mut self, mut octets: &mut [u8]) {
        loop {
            let (taken, item) = self.reader.read(octets);
            let Some(item) = item else { return };
            match item {
                FrameItem::Header { header, .. } => {
                    if header.opcode.is_control() {
                        self.control.clear();
                    } else if header.opcode != Opcode::Continuation {
                        self.message.clear();
                        self.is_text = header.opcode == Opcode::Text;
                    }
                }
                FrameItem::Violation(deviation) => {
                    let code = deviation.violation.close_code();
                    let code = code.unwrap_or(CloseCode::PROTOCOL_ERROR);
                    self.complete.push_back(Arrived::Wrong(code));
                    return;
                }
                FrameItem::Payload { data, .. } => {
                    let in_control = self.reader.current_opcode().is_some_and(Opcode::is_control);
                    let payload = if in_control { &mut self.control } else { &mut self.message };
                    if payload.len() + data.len() > MAX_MESSAGE {
                        self.complete.push_back(Arrived::Wrong(CloseCode::MESSAGE_TOO_BIG));
                        return;
                    }
                    payload.extend_from_slice(data);
                }
                FrameItem::End { header } => match header.opcode {
                    Opcode::Ping => {
                        self.complete.push_back(Arrived::Ping(std::mem::take(&mut self.control)));
                    }
                    Opcode::Close => {
                        self.complete.push_back(Arrived::Close(std::mem::take(&mut self.control)));
                    }
                    opcode if !opcode.is_control() && header.fin => {
                        let payload = std::mem::take(&mut self.message);
                        let message = Message { is_text: self.is_text, payload };
                        self.complete.push_back(Arrived::Message(message));
                    }
                    _ => {}
                },
            }
            octets = &mut octets[taken..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], expected: &[Arrived]) {
        for size in [1, octets.len()] {
            let mut inbox = Inbox::new();
            for piece in octets.to_vec().chunks_mut(size) {
                inbox.take(piece);
            }
            let arrived: Vec<_> = inbox.complete.drain(..).collect();
            assert_eq!(arrived[..expected.len()], *expected, "in pieces of {size}");
        }
    }

    #[test]
    fn frames_become_messages() {
        let said = |text: &str| {
            Arrived::Message(Message { is_text: true, payload: text.as_bytes().to_vec() })
        };
        let masked = b"\x01\x81\0\0\0\0a\x89\x81\0\0\0\0p\x80\x81\0\0\0\0b\x88\x80\0\0\0\0";
        check(masked, &[Arrived::Ping(b"p".to_vec()), said("ab"), Arrived::Close(Vec::new())]);
        check(b"\x81\x01a", &[Arrived::Wrong(CloseCode::PROTOCOL_ERROR)]);
        check(b"\x81\x81\0\0\0\0\xff", &[Arrived::Wrong(CloseCode::INVALID_PAYLOAD)]);
    }

    #[test]
    fn a_long_message_is_refused() {
        let mut inbox = Inbox::new();
        let mut octets = b"\x82\xff\0\0\0\0\x00\x20\0\0\0\0\0\0".to_vec();
        octets.resize(octets.len() + MAX_MESSAGE + 1, b'x');
        for piece in octets.chunks_mut(4096) {
            inbox.take(piece);
        }
        assert_eq!(inbox.complete[0], Arrived::Wrong(CloseCode::MESSAGE_TOO_BIG));
        assert!(inbox.message.len() <= MAX_MESSAGE);
    }
}
