//! Messages for a connection from outside of it, for those who speak without being asked.
//!
//! A mailbox is bounded in octets. Many mailboxes may hold the same message, and it is stored once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::sync::mpsc;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Message {
    /// A message as it arrived.
    pub(crate) fn new(text: bool, payload: Vec<u8>) -> Self {
        if !text {
            return Self::Binary(payload);
        }
        // An endpoint that does not validate passes on what is no text.
        Self::Text(match String::from_utf8(payload) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Memory that a mailbox counts for it: a message without octets is not free either.
    fn cost(&self) -> usize {
        let len = match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) => payload.len(),
        };
        len + size_of::<Self>() + size_of::<Arc<Self>>()
    }
}

/// Makes a mailbox for up to `limit` octets.
pub fn mailbox(limit: usize) -> (Post, Mailbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let held = Arc::new(AtomicUsize::new(0));
    (Post { sender, held: held.clone(), limit }, Mailbox { receiver, ended: false, held })
}

/// Puts messages into a mailbox.
#[derive(Debug)]
pub struct Post {
    sender: mpsc::UnboundedSender<Arc<Message>>,
    held: Arc<AtomicUsize>,
    limit: usize,
}

/// The mailbox holds too much already, and did not take the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mailbox is full")]
pub struct Full;

impl Post {
    /// Puts a message into the mailbox. If its connection has ended nobody reads it.
    pub fn send(&self, message: Arc<Message>) -> Result<(), Full> {
        let cost = message.cost();
        let held = self.held.fetch_add(cost, Ordering::Relaxed) + cost;
        if held > self.limit {
            self.held.fetch_sub(cost, Ordering::Relaxed);
            return Err(Full);
        }
        let _ = self.sender.send(message);
        Ok(())
    }
}

/// Messages that wait for their connection.
#[derive(Debug)]
pub struct Mailbox {
    receiver: mpsc::UnboundedReceiver<Arc<Message>>,
    /// Nobody can put anything into it any more.
    ended: bool,
    held: Arc<AtomicUsize>,
}

impl Mailbox {
    /// The next message; for ever nothing if there will be none.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Message>> {
        if self.ended {
            return Poll::Pending;
        }
        let Some(message) = ready!(self.receiver.poll_recv(cx)) else {
            self.ended = true;
            return Poll::Pending;
        };
        self.held.fetch_sub(message.cost(), Ordering::Relaxed);
        Poll::Ready(message)
    }

    /// Likewise, for whoever waits for nothing else.
    #[cfg(test)]
    pub(crate) async fn next(&mut self) -> Arc<Message> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Memory that the waiting messages occupy.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_taken_makes_room() {
        let message = Arc::new(Message::Binary(vec![0; 100]));
        let (post, mut mailbox) = mailbox(3 * message.cost());
        for _ in 0..10 {
            for _ in 0..3 {
                assert_eq!(post.send(message.clone()), Ok(()));
            }
            assert_eq!(post.send(message.clone()), Err(Full));
            for _ in 0..3 {
                assert_eq!(mailbox.next().await, message);
            }
            assert_eq!(mailbox.held(), 0);
        }
    }

    #[test]
    fn messages_without_octets_fill_it_too() {
        let (post, _mailbox) = mailbox(1 << 10);
        let empty = Arc::new(Message::Text(String::new()));
        let taken = (0..1 << 10).take_while(|_| post.send(empty.clone()).is_ok()).count();
        assert!((1..100).contains(&taken), "{taken}");
    }

    #[test]
    fn a_connection_that_has_ended_is_no_fault() {
        let (post, mailbox) = mailbox(1 << 10);
        drop(mailbox);
        assert_eq!(post.send(Arc::new(Message::Text("late".to_owned()))), Ok(()));
    }
}
