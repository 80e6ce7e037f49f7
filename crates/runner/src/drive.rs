//! Carries out one [`Run`] over sockets.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
    task::yield_now,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use wsproof_engine::{Case, Input, Outcome, Run, RunConfig, Transmit};

use crate::{
    Address, Event,
    activity::Activity,
    dial::{self, Stream},
    tls,
};

/// Read in one go.
const READ: usize = 64 << 10;
/// A case that is over does not wait any longer for a peer to take the last octets.
const LAST_OCTETS: Duration = Duration::from_secs(1);
/// Who looks at a timer so much too late stood still, and the peer with it, if it is the machine.
const STOOD_STILL: Duration = Duration::from_millis(100);
/// A peer gets as long as the tester stood still to go on with its answer, and no longer than this.
const GRACE: Duration = Duration::from_secs(1);
/// Reads in a row before timers are looked at: an endless stream must not hide them.
const READS_IN_A_ROW: usize = 16;

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Driven {
    pub(crate) started: SystemTime,
    pub(crate) outcome: Outcome,
    /// Why the first connection did not come about.
    pub(crate) connect_error: Option<io::Error>,
    /// Time from the request to the open WebSocket.
    pub(crate) opening: Option<Duration>,
    /// The longest time that an answer took, silences apart.
    pub(crate) answer: Duration,
}

/// Carries out a case. Returns nothing if it was interrupted. Whoever watches is told each entry of
/// the wire log.
pub(crate) async fn drive(
    case: Arc<Case>,
    config: RunConfig,
    address: &Address,
    mut activity: Activity,
    watch: Option<mpsc::UnboundedSender<Event>>,
    cancel: &CancellationToken,
) -> Option<Driven> {
    let started = SystemTime::now();
    let mut run = Run::new(case, config);
    if watch.is_some() {
        run.keep_log_on();
    }
    let mut driver = Driver::new(run, Instant::now());
    driver.watch = watch;
    driver.go(started, Some(address), &mut activity, cancel).await
}

/// A connection that a peer opened, and what was read of it already.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) octets: Vec<u8>,
    pub(crate) began: Instant,
    pub(crate) started: SystemTime,
}

/// Carries out a case on a connection that the peer opened.
pub(crate) async fn drive_accepted(
    case: Arc<Case>,
    config: RunConfig,
    mut accepted: Accepted,
    cancel: &CancellationToken,
) -> Option<Driven> {
    let run = Run::accepted(case, config, Duration::ZERO);
    let mut driver = Driver::new(run, accepted.began);
    driver.connected_at = Some(Duration::ZERO);
    driver.sockets.push(Socket::new(Some(accepted.stream)));
    driver.run.handle(0, driver.began.elapsed(), Input::Octets(&mut accepted.octets));
    driver.go(accepted.started, None, &mut Activity::unheard(), cancel).await
}

/// What made the driver stop waiting.
enum Progress {
    Alarm,
    Moved,
}

struct Driver {
    run: Run,
    began: Instant,
    sockets: Vec<Socket>,
    read_buf: Vec<u8>,
    connect_error: Option<io::Error>,
    connected_at: Option<Duration>,
    /// When something was written that the peer has not answered yet.
    asked_at: Option<Duration>,
    over_since: Option<Instant>,
    /// The longest time that an answer took.
    answer: Duration,
    watch: Option<mpsc::UnboundedSender<Event>>,
    /// Entries of the wire log that were told.
    told: usize,
}

struct Socket {
    stream: Option<Stream>,
    /// What is to be written; kept until TCP has taken all of it.
    pending: Vec<u8>,
    written: usize,
    /// The sending half is to end.
    shutting: bool,
    /// Whether the peer has sent anything.
    heard: bool,
    /// Nothing can be written any more; what the peer still sends is read all the same.
    write_failed: bool,
    /// What follows once the pending octets are out.
    then: Option<Transmit>,
}

impl Socket {
    fn new(stream: Option<Stream>) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            written: 0,
            shutting: false,
            heard: false,
            write_failed: false,
            then: None,
        }
    }

    /// Writes as much as goes without waiting.
    fn try_write(&mut self, cx: &mut Context<'_>, octets: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        // Whether it arrives is not known, and nothing depends on it.
        let _ = Pin::new(&mut *stream).poll_write(cx, octets);
        let _ = Pin::new(stream).poll_flush(cx);
    }

    fn abort(&mut self) {
        self.pending.clear();
        if let Some(stream) = self.stream.take() {
            stream.reset();
        }
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        if let Some(stream) = self.stream.take() {
            stream.end(cx);
        }
    }

    /// That the server wants to know who we are: in TLS 1.3 it says so only after the handshake,
    /// and before any octet.
    fn unknown_to_peer(&mut self, read: &io::Result<()>) -> Option<io::Error> {
        if std::mem::replace(&mut self.heard, true) {
            return None;
        }
        read.as_ref().err().filter(|error| tls::wants_identity(error)).map(tls::explain)
    }
}

impl Driver {
    fn new(run: Run, began: Instant) -> Self {
        Self {
            run,
            began,
            sockets: Vec::new(),
            read_buf: vec![0; READ],
            connect_error: None,
            connected_at: None,
            asked_at: None,
            over_since: None,
            answer: Duration::ZERO,
            watch: None,
            told: 0,
        }
    }

    async fn go(
        mut self,
        started: SystemTime,
        address: Option<&Address>,
        activity: &mut Activity,
        cancel: &CancellationToken,
    ) -> Option<Driven> {
        let mut alarm = Box::pin(sleep_until(self.began));
        loop {
            let dialling = Instant::now();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                () = self.dial(address) => {}
            }
            let dialling = dialling.elapsed();
            self.tell();
            if self.is_done() {
                break;
            }
            if self.gives_up_writing() {
                self.sockets.iter_mut().for_each(Socket::abort);
                break;
            }
            let (due, settles) = self.next_alarm(activity);
            if !settles && due <= Instant::now() && !self.run.is_over() {
                // Under a stream without end the runtime may never get to its own timers.
                activity.set_waiting(false);
                // Nothing is read while a further connection is dialled, which is no standstill.
                let late = due.elapsed().saturating_sub(dialling);
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => return None,
                    () = self.catch_up(late) => {}
                }
                self.run.handle_timeout(self.began.elapsed());
                continue;
            }
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
            }
            let progress = tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    self.run.give_up(self.began.elapsed());
                    return None;
                }
                progress = poll_fn(|cx| self.poll(cx, alarm.as_mut())) => progress,
            };
            match progress {
                Progress::Moved => activity.set_waiting(false),
                Progress::Alarm if settles => {
                    activity.set_waiting(true);
                    // What comes after so long a silence is no measure of the peer's speed.
                    self.asked_at = None;
                }
                // What is due is done at the top of the loop.
                Progress::Alarm => {}
            }
        }
        let opening = self
            .run
            .opened_at()
            .zip(self.connected_at)
            .map(|(opened, connected)| opened.saturating_sub(connected));
        Some(Driven {
            started,
            opening,
            answer: self.answer,
            connect_error: self.connect_error,
            outcome: self.run.into_outcome(self.began.elapsed()),
        })
    }

    /// Tells who watches what is new in the wire log.
    fn tell(&mut self) {
        let Some(watch) = &self.watch else { return };
        if let Some(logged) = self.run.logged_since(self.told) {
            self.told += logged.entries.len();
            let _ = watch.send(Event::Logged(logged));
        }
    }

    /// Opens what connections the run asks for; who was dialled by the peer dials nobody.
    async fn dial(&mut self, address: Option<&Address>) {
        while let Some(id) = self.run.poll_dial() {
            let connected = match address {
                Some(address) => dial::dial(address).await,
                None => Err(io::ErrorKind::AddrNotAvailable.into()),
            };
            let now = self.began.elapsed();
            let (stream, input) = match connected {
                Ok(stream) => (Some(stream), Input::Connected),
                Err(error) => {
                    // A further connection that is refused is for the case to judge.
                    if id == 0 {
                        self.connect_error = Some(error);
                    }
                    (None, Input::NotConnected)
                }
            };
            self.connected_at.get_or_insert(now);
            self.sockets.push(Socket::new(stream));
            self.run.handle(id, now, input);
        }
    }

    /// TCP has ended everywhere and nothing is left to be written.
    fn is_done(&self) -> bool {
        self.run.is_over() && self.sockets.iter().all(|socket| socket.stream.is_none())
    }

    /// Whether the case has been over for so long that what is unwritten stays so.
    fn gives_up_writing(&mut self) -> bool {
        let now = Instant::now();
        self.run.is_over() && *self.over_since.get_or_insert(now) + LAST_OCTETS <= now
    }

    /// When to wake up, and whether that is only to say that the case waits.
    fn next_alarm(&self, activity: &Activity) -> (Instant, bool) {
        let now = Instant::now();
        let timer = self.run.poll_timeout().map(|due| self.began + due);
        let timer = timer.or_else(|| self.over_since.map(|since| since + LAST_OCTETS));
        let silent = |socket: &Socket| socket.pending.is_empty() && !socket.shutting;
        let idle = self.run.is_waiting() && self.sockets.iter().all(silent);
        let settle = activity.settle(self.run.is_paused());
        let settled = settle.filter(|_| idle).map(|settle| now + settle);
        match (timer, settled) {
            (Some(timer), Some(settled)) if settled < timer => (settled, true),
            (Some(timer), _) => (timer, false),
            (None, Some(settled)) => (settled, true),
            // Without limits there may be nothing to wake up for.
            (None, None) => (now + Duration::from_hours(1), true),
        }
    }

    /// Takes what is there already: while this process stood still it may have come before
    /// something was due. Once, as a peer that never pauses must not put that off. If `late` says
    /// that the machine stood still, the peer could not go on either, and may do so now.
    async fn catch_up(&mut self, late: Duration) {
        // So that the runtime asks the system what has arrived.
        yield_now().await;
        poll_fn(|cx| {
            self.poll_sockets(cx);
            Poll::Ready(())
        })
        .await;
        // A pause of the script's own is over when it is over.
        if late < STOOD_STILL || self.run.is_pause_due() {
            return;
        }
        let gone_on = poll_fn(|cx| {
            self.poll_sockets(cx);
            let due = self.run.poll_timeout().map(|due| self.began + due);
            let still_due = due.is_some_and(|due| due <= Instant::now());
            if self.run.is_over() || !still_due { Poll::Ready(()) } else { Poll::Pending }
        });
        // If nothing comes, nothing has come.
        let _ = timeout(late.min(GRACE), gone_on).await;
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        for id in 0..self.sockets.len() {
            moved |= self.poll_write(id, cx);
            moved |= self.poll_read(id, cx);
        }
        moved
    }

    fn poll(&mut self, cx: &mut Context<'_>, alarm: Pin<&mut Sleep>) -> Poll<Progress> {
        let moved = self.poll_sockets(cx);
        if alarm.poll(cx).is_ready() {
            return Poll::Ready(Progress::Alarm);
        }
        if moved {
            return Poll::Ready(Progress::Moved);
        }
        // The peer is at work, and so can we be.
        self.run.prepare();
        Poll::Pending
    }

    fn poll_read(&mut self, id: usize, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        for _ in 0..READS_IN_A_ROW {
            let socket = &mut self.sockets[id];
            let Some(stream) = &mut socket.stream else { return moved };
            let mut buf = ReadBuf::new(&mut self.read_buf);
            let Poll::Ready(read) = Pin::new(stream).poll_read(cx, &mut buf) else { return moved };
            let refusal = socket.unknown_to_peer(&read);
            if let Some(error) = refusal.filter(|_| id == 0) {
                self.connect_error = Some(error);
            }
            let input = match read {
                Ok(()) if buf.filled().is_empty() => Input::Eof,
                Ok(()) => Input::Octets(buf.filled_mut()),
                Err(_) => Input::Reset,
            };
            let ended = matches!(input, Input::Eof | Input::Reset);
            if let Some(asked) = self.asked_at.take() {
                self.answer = self.answer.max(self.began.elapsed().saturating_sub(asked));
            }
            self.run.handle(id, self.began.elapsed(), input);
            moved = true;
            if ended {
                self.sockets[id].end(cx);
            } else {
                self.poll_write(id, cx);
            }
        }
        // More may be there; come back after the timers.
        cx.waker().wake_by_ref();
        moved
    }

    fn poll_write(&mut self, id: usize, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        loop {
            let now = self.began.elapsed();
            let socket = &mut self.sockets[id];
            // Octets that a peer does not take must not hold up the end.
            if let Some(farewell) = self.run.poll_abort(id) {
                if socket.written == socket.pending.len() {
                    socket.try_write(cx, &farewell);
                }
                socket.abort();
                return true;
            }
            let Some(stream) = &mut socket.stream else { return moved };
            if socket.written < socket.pending.len() {
                match Pin::new(&mut *stream).poll_write(cx, &socket.pending[socket.written..]) {
                    Poll::Pending => return moved,
                    Poll::Ready(Ok(n)) if n > 0 => {
                        socket.written += n;
                        self.asked_at = Some(now);
                    }
                    Poll::Ready(_) => {
                        // Why it failed shows when the peer's last octets have been read.
                        socket.write_failed = true;
                        socket.written = socket.pending.len();
                    }
                }
                moved = true;
                if socket.written < socket.pending.len() {
                    continue;
                }
            }
            if !socket.pending.is_empty() {
                match Pin::new(&mut *stream).poll_flush(cx) {
                    Poll::Pending => return moved,
                    Poll::Ready(flushed) => socket.write_failed |= flushed.is_err(),
                }
                moved = true;
                socket.pending.clear();
                socket.written = 0;
                if socket.then.take().is_some() {
                    // A write of its own: let the peer's answer in before the next one.
                    cx.waker().wake_by_ref();
                    return moved;
                }
            }
            if socket.shutting {
                // A failure means that the connection is gone, which reading will show.
                if Pin::new(&mut *stream).poll_shutdown(cx).is_pending() {
                    return moved;
                }
                socket.shutting = false;
            }
            match self.run.poll_transmit(id, now, &mut socket.pending) {
                None => return moved,
                Some(order @ Transmit::Octets { own_write }) => {
                    if socket.write_failed {
                        socket.pending.clear();
                    } else if own_write {
                        socket.then = Some(order);
                    }
                }
                Some(Transmit::ShutdownWrite) => socket.shutting = true,
                Some(Transmit::End) => socket.end(cx),
                Some(Transmit::Abort) => socket.abort(),
            }
            moved = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    use wsproof_engine::{Grade, Section, Target, echo, text};
    use wsproof_proto::Role;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";

    /// A connection from a peer that does something with its end.
    async fn stream<F>(act: impl FnOnce(TcpStream) -> F) -> Stream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(act(peer));
        Stream::Tcp(listener.accept().await.unwrap().0)
    }

    /// Lets other tasks have so many turns.
    async fn stand_still(turns: usize) {
        for _ in 0..turns {
            yield_now().await;
        }
    }

    /// What becomes of a case whose time was over long ago when somebody looks again. The peer
    /// has opened the WebSocket, and goes on now.
    async fn look_late<F>(act: impl FnOnce(TcpStream) -> F) -> Outcome
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut section = Section::default();
        section
            .case("1.1.1", "a case")
            .send(text("x"))
            .accept(Grade::Strict, [echo()])
            .then_close()
            .kill_after(Duration::from_secs(1));
        let case = Arc::new(section.into_cases().remove(0));
        let config = RunConfig::new(Role::Server, Target::new(String::new(), String::new()), 0);
        let mut run = Run::accepted(case, config, Duration::ZERO);
        run.handle(0, Duration::ZERO, Input::Octets(&mut REQUEST.to_vec()));
        let mut driver = Driver::new(run, Instant::now() - Duration::from_secs(10));
        driver.sockets.push(Socket::new(Some(stream(act).await)));
        let (never, started) = (CancellationToken::new(), SystemTime::now());
        driver.go(started, None, &mut Activity::unheard(), &never).await.unwrap().outcome
    }

    /// Reads until the close frame without a mask has come.
    async fn read_close(peer: &mut TcpStream) {
        let mut octets = Vec::new();
        while !octets.windows(2).any(|two| two == [0x88, 0x02]) {
            assert!(peer.read_buf(&mut octets).await.unwrap() > 0);
        }
    }

    #[tokio::test]
    async fn an_answer_that_takes_several_steps_is_waited_for() {
        let outcome = look_late(|mut peer| async move {
            stand_still(100).await;
            peer.write_all(b"\x81\x81\0\0\0\0x").await.unwrap();
            read_close(&mut peer).await;
            stand_still(100).await;
            peer.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
        })
        .await;
        assert!(outcome.closing.was_clean && !outcome.is_out_of_time(), "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_when_looked_at_again_is_late() {
        let outcome = look_late(|peer| async move {
            std::future::pending::<()>().await;
            drop(peer);
        })
        .await;
        assert!(outcome.is_out_of_time(), "{outcome:?}");
    }

    /// Whether the WebSocket opens if the rest of the request comes when the limit of the opening
    /// handshake was over long ago, and the peer has a number of turns before it sends the rest.
    async fn check_opens(turns: usize) {
        let mut section = Section::default();
        section.case("1.1.1", "a case");
        let case = Arc::new(section.into_cases().remove(0));
        let config = RunConfig::new(Role::Server, Target::new(String::new(), String::new()), 0);
        let (head, rest) = REQUEST.split_at(20);
        let stream = stream(move |mut peer| async move {
            stand_still(turns).await;
            peer.write_all(rest).await.unwrap();
        });
        let accepted = Accepted {
            stream: stream.await,
            octets: head.to_vec(),
            began: Instant::now() - Duration::from_mins(1),
            started: SystemTime::now(),
        };
        let never = CancellationToken::new();
        let driven = drive_accepted(case, config, accepted, &never).await.unwrap();
        assert!(driven.outcome.opened_at.is_some(), "{:?}", driven.outcome);
    }

    #[tokio::test]
    async fn what_came_while_nobody_looked_came_in_time() {
        check_opens(0).await;
    }

    #[tokio::test]
    async fn a_peer_that_stood_still_with_the_tester_may_answer_now() {
        check_opens(100).await;
    }
}
