//! Clients of a server who hear each other: every message goes to everybody, its sender included.
//!
//! Nobody waits for anybody. What a client has not taken yet waits in a mailbox of its own, and who
//! leaves too much there is dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::mailbox::{Mailbox, Message, Post, mailbox};

/// Octets that may wait for a client before it is dropped: twice the largest message. Clients share
/// what waits, so that many slow ones take no more memory than one.
const BEHIND: usize = 64 << 20;

/// Time between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// A room, in which a server's clients are once their WebSocket is open. Clones are the same room.
#[derive(Debug, Clone, Default)]
pub struct Room {
    members: Arc<Mutex<Members>>,
}

#[derive(Debug, Default)]
struct Members {
    /// Seats that were given out so far.
    seats: u64,
    present: HashMap<u64, (Post, CancellationToken)>,
}

impl Room {
    /// Says something to everybody who is there. Who has fallen too far behind is dropped.
    pub fn say(&self, message: Message) {
        let message = Arc::new(message);
        self.members().present.retain(|seat, (post, behind)| {
            let taken = post.send(message.clone()).is_ok();
            if !taken {
                tracing::warn!(seat, "a client that does not keep up is dropped");
                behind.cancel();
            }
            taken
        });
    }

    /// Says `tick 1`, `tick 2` and so on, one a second, for ever.
    pub async fn tick(&self) {
        let mut seconds = interval_at(Instant::now() + TICK, TICK);
        // A machine that slept has nothing to catch up with.
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for n in 1_u64.. {
            seconds.tick().await;
            self.say(Message::Text(format!("tick {n}")));
        }
    }

    /// A place for a client that is about to come in, with what will be said to it.
    pub(crate) fn seat(&self) -> (Seat, Mailbox) {
        let (post, mailbox) = mailbox(BEHIND);
        let number = {
            let mut members = self.members();
            members.seats += 1;
            members.seats
        };
        let behind = CancellationToken::new();
        (Seat { room: self.clone(), number, post: Some(post), behind }, mailbox)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        // Whoever panicked here left a map that is whole.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place in a room. It leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    room: Room,
    number: u64,
    /// Until the client comes in.
    post: Option<Post>,
    behind: CancellationToken,
}

impl Seat {
    /// The client hears what is said from now on.
    pub(crate) fn enter(&mut self) {
        if let Some(post) = self.post.take() {
            self.room.members().present.insert(self.number, (post, self.behind.clone()));
        }
    }

    /// The client hears nothing any more.
    pub(crate) fn leave(&self) {
        self.room.members().present.remove(&self.number);
    }

    /// Is cancelled when the client has fallen too far behind.
    pub(crate) fn behind(&self) -> CancellationToken {
        self.behind.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    fn text(text: &str) -> Message {
        Message::Text(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_count_from_one_each_second() {
        let room = Room::default();
        let (mut seat, mut mailbox) = room.seat();
        seat.enter();
        let begun = Instant::now();
        let ticks = async {
            for n in 1..=3 {
                assert_eq!(*mailbox.next().await, text(&format!("tick {n}")));
                assert_eq!(begun.elapsed(), TICK * n);
            }
            // As if the machine had slept.
            advance(Duration::from_hours(1)).await;
            assert_eq!(*mailbox.next().await, text("tick 4"));
            assert!(timeout(TICK / 2, mailbox.next()).await.is_err(), "nothing is made up for");
        };
        tokio::select! {
            () = room.tick() => {}
            () = ticks => {}
        }
    }

    #[tokio::test]
    async fn who_is_in_the_room_hears_what_is_said_meanwhile() {
        let room = Room::default();
        let (mut early, mut for_early) = room.seat();
        let (mut late, mut for_late) = room.seat();
        early.enter();
        room.say(text("one"));
        late.enter();
        room.say(Message::Binary(vec![2]));
        early.leave();
        room.say(text("three"));
        drop(late);
        room.say(text("four"));
        assert_eq!(*for_early.next().await, text("one"));
        assert_eq!(*for_early.next().await, Message::Binary(vec![2]));
        assert_eq!(*for_late.next().await, Message::Binary(vec![2]));
        assert_eq!(*for_late.next().await, text("three"));
        assert_eq!((for_early.held(), for_late.held()), (0, 0));
        assert!(room.members().present.is_empty());
    }

    #[tokio::test]
    async fn who_falls_behind_is_dropped_and_others_are_not() {
        let room = Room::default();
        let (mut slow, stuck) = room.seat();
        let (mut quick, mut mailbox) = room.seat();
        slow.enter();
        quick.enter();
        for _ in 0..BEHIND >> 20 {
            room.say(Message::Binary(vec![0; 1 << 20]));
            mailbox.next().await;
        }
        assert!(slow.behind().is_cancelled() && !quick.behind().is_cancelled());
        assert!(stuck.held() <= BEHIND);
        assert_eq!(room.members().present.len(), 1);
    }
}
