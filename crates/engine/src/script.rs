//! The steps of a case, carried out one by one until something must be waited for.

use std::time::Duration;

use wsproof_proto::Opcode;

use crate::{
    Run, Step, Timer, What,
    connection::{State, TcpOrder},
};

/// Where the script stands.
#[derive(Debug, Default)]
pub(crate) struct Script {
    next: usize,
    /// The connection on which steps act.
    current: usize,
    pub(crate) blocked: Blocked,
}

/// For what the script waits.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// For the echoes of all messages sent.
    Awaiting,
    /// For nothing.
    #[default]
    No,
    /// For the opening handshake of the current connection.
    Opening,
    /// For time to pass.
    Waiting,
}

impl Script {
    pub(crate) fn end(&mut self) {
        self.next = usize::MAX;
        self.blocked = Blocked::No;
    }
}

impl Run {
    /// Carries out steps as far as they go now.
    pub(crate) fn proceed(&mut self, now: Duration) {
        if self.script.next == 0 && self.connections[0].opened_at.is_none() {
            return;
        }
        let case = self.case.clone();
        if self.script.next == 0 && !case.deflate.is_empty() && !self.connections[0].compresses() {
            self.unimplemented = true;
            self.script.end();
            self.connections[0].send_close(&mut self.shared, now, Some(1000), b"");
        }
        loop {
            let id = self.script.current;
            match self.script.blocked {
                Blocked::No => {}
                Blocked::Opening => match self.connections[id].state {
                    State::Open => self.script.blocked = Blocked::No,
                    // A connection that never opens has nothing to do in the script; the
                    // others are closed, so that the run ends.
                    State::Ended => {
                        self.script.end();
                        for connection in &mut self.connections {
                            connection.send_close(&mut self.shared, now, Some(1000), b"");
                        }
                    }
                    _ => return,
                },
                Blocked::Awaiting => {
                    let connection = &mut self.connections[id];
                    let all = connection.messages_received >= connection.messages_sent;
                    if !all && connection.is_open() {
                        return;
                    }
                    connection.stop_timer(Timer::Await);
                    self.echo_timed_out |= !all;
                    self.script.blocked = Blocked::No;
                }
                Blocked::Waiting => {
                    if self.connections[id].is_ended() {
                        self.script.end();
                    }
                    return;
                }
            }
            let Some(step) = case.steps.get(self.script.next) else { return };
            self.script.next += 1;
            let other_connection = matches!(step, Step::Use(_) | Step::Dial);
            if self.connections[id].is_ended() && !other_connection {
                // What could not even be sent does not come back.
                self.echo_timed_out |= matches!(step, Step::AwaitEchoes(_));
                continue;
            }
            self.step(id, now, step);
        }
    }

    fn step(&mut self, id: usize, now: Duration, step: &Step) {
        let shared = &mut self.shared;
        let connection = &mut self.connections[id];
        match step {
            Step::AwaitEchoes(within) => {
                connection.start_limit(shared, now, Timer::Await, *within);
                self.script.blocked = Blocked::Awaiting;
            }
            Step::BeginFrame { opcode, fin, length } => {
                connection.out.begin_frame(*opcode, *fin, *length);
            }
            Step::Close { code, reason } => connection.send_close(shared, now, *code, reason),
            Step::CloseAfter(after) => {
                connection.start_limit(shared, now, Timer::CloseAfter, *after);
            }
            Step::Dial => {
                let key = connection.key.clone();
                self.script.current = self.connections.len();
                self.add_connection(key);
                self.script.blocked = Blocked::Opening;
            }
            Step::EchoLoop => self.send_next_of_loop(id),
            Step::FragmentSize(size) => connection.fragment_size = *size,
            Step::Frame(frame) => {
                if matches!(frame.opcode, Opcode::Text | Opcode::Binary) {
                    connection.messages_sent += 1;
                }
                connection.out.frame(frame);
            }
            Step::FramePart(payload) => connection.out.frame_part(payload.clone()),
            Step::KillAfter(after) => connection.start_limit(shared, now, Timer::KillAfter, *after),
            Step::Message(message) => {
                let size = message.fragment_size.unwrap_or(connection.fragment_size);
                connection.send_message(shared, message.kind, &message.payload, size);
            }
            Step::ShutdownWrite => {
                connection.order = Some(TcpOrder::ShutdownWrite);
                connection.log(shared, now, What::WriteShutDown);
            }
            Step::Use(index) => self.script.current = *index,
            Step::Wait { pause, mark } => {
                connection.start_timer(shared, now, Timer::Wait, *pause, *mark);
                self.script.blocked = Blocked::Waiting;
            }
            Step::WireLog { on, noted } => connection.switch_log(shared, now, *on, *noted),
        }
    }
}
