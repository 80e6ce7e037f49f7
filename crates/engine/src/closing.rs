//! The tester's closing machinery.
//!
//! The reactions here are those of `wstest`, because close codes and flags in the classic files
//! follow from them. What they mean is for [`crate::judge`] to say.

use std::time::Duration;

use wsproof_proto::{CloseCode, Deviation, FrameHeader, Opcode, Role, Violation, close::CloseBody};

use crate::{
    FrameSpec, Settings, Timer, What,
    connection::{Connection, MAX_EVENTS, Shared, State, TcpOrder},
};

/// Where `wstest` waits without end for a server that closed first to end TCP, we wait for so many
/// times the usual limit: a server that lingers for some seconds, to let its close frame be read,
/// gets the verdict that `wstest` gives it.
const PATIENCE: u32 = 5;

impl Connection {
    /// What an expired timer of the closing machinery does.
    pub(crate) fn timed_out(&mut self, shared: &mut Shared, now: Duration, timer: Timer) {
        match timer {
            Timer::KillAfter if self.is_open() => {
                self.send_close(shared, now, Some(CloseCode::GOING_AWAY.0), b"Going Away");
                self.closing.failed_by_me = true;
            }
            Timer::KillAfter if self.is_closing() => {
                self.closing.failed_by_me = true;
                if !self.closing.was_clean {
                    self.not_clean("the case's time was over before the closing handshake was");
                }
                self.abort(shared, now);
            }
            // The case ends this way whatever the peer does.
            Timer::CloseAfter if self.is_open() => return self.send_close(shared, now, None, b""),
            Timer::CloseHandshake if self.is_closing() => {
                self.closing.close_handshake_timeout = true;
                self.not_clean("the peer did not answer the close frame in time");
                self.abort(shared, now);
            }
            Timer::ServerDrop if self.is_closing() => {
                self.closing.server_drop_timeout = true;
                self.not_clean("the server did not end TCP in time after the closing handshake");
                self.abort(shared, now);
            }
            // The body of a refusal has no end of its own; reading it is no fault.
            Timer::OpenHandshake if matches!(self.state, State::Refused { .. }) => {
                return self.abort(shared, now);
            }
            Timer::OpenHandshake if !self.is_ended() => {
                self.closing.open_handshake_timeout = true;
                self.not_clean("the peer did not finish the opening handshake in time");
                self.abort(shared, now);
            }
            _ => return,
        }
        self.closing.out_of_time = true;
    }

    /// Starts the closing handshake; ignored unless the connection is open.
    pub(crate) fn send_close(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        code: Option<u16>,
        reason: &[u8],
    ) {
        if !self.is_open() {
            return;
        }
        self.write_close(now, code, reason);
        self.closing.closed_by_me = true;
        let limit = shared.timers().close_handshake;
        self.start_limit(shared, now, Timer::CloseHandshake, limit);
    }

    fn write_close(&mut self, now: Duration, code: Option<u16>, reason: &[u8]) {
        let body = wsproof_proto::close::body(code, reason);
        self.out.frame(&FrameSpec::new(Opcode::Close, body.into()));
        self.closing.local_code = code;
        self.closing.local_reason = (!reason.is_empty()).then(|| reason.to_vec());
        self.closing.local_close_at = Some(now);
        self.state = State::Closing;
    }

    /// Records an illegal octet.
    pub(crate) fn note(&self, shared: &mut Shared, now: Duration, deviation: Deviation) {
        if shared.deviations.len() < MAX_EVENTS {
            shared.deviations.push(deviation);
            self.log(shared, now, What::Deviates { deviation });
        }
    }

    /// Reacts to an illegal octet: fails the connection, or ends TCP if it is closing already.
    pub(crate) fn violation(&mut self, shared: &mut Shared, now: Duration, deviation: Deviation) {
        self.note(shared, now, deviation);
        self.fail(shared, now, deviation.violation);
    }

    /// The reaction to a violation, noted or not.
    pub(crate) fn fail(&mut self, shared: &mut Shared, now: Duration, violation: Violation) {
        let code = violation.close_code().unwrap_or(CloseCode::PROTOCOL_ERROR);
        // No description is as long as a reason may be.
        self.fail_with(shared, now, code, violation.describe());
    }

    /// Refuses a frame or a message that is larger than the settings allow.
    pub(crate) fn check_size(&mut self, shared: &mut Shared, now: Duration, header: &FrameHeader) {
        if header.opcode.is_control() || !self.is_open() {
            return;
        }
        let Settings { max_frame, max_message, .. } = shared.settings;
        if header.opcode != Opcode::Continuation {
            self.message_size = 0;
        }
        self.message_size = self.message_size.saturating_add(header.length);
        if max_message != 0 && self.message_size > max_message {
            let reason = "a message that is larger than the settings allow";
            self.fail_with(shared, now, CloseCode::MESSAGE_TOO_BIG, reason);
        } else if max_frame != 0 && header.length > max_frame {
            let reason = "a frame that is larger than the settings allow";
            self.fail_with(shared, now, CloseCode::POLICY_VIOLATION, reason);
        }
    }

    fn fail_with(&mut self, shared: &mut Shared, now: Duration, code: CloseCode, reason: &str) {
        if self.is_ended() {
            return;
        }
        self.closing.failed_by_me = true;
        if self.is_open() && shared.settings.fails_by_drop {
            self.not_clean("the tester ended TCP, as it was told to do at a violation");
            self.abort(shared, now);
        } else if self.is_open() {
            self.send_close(shared, now, Some(code.0), reason.as_bytes());
        } else if self.is_closing() {
            if !self.closing.was_clean {
                self.not_clean("the peer broke the protocol during the closing handshake");
            }
            // In order, so that the close frame is not lost on its way.
            self.end(shared, now, TcpOrder::End);
        }
    }

    /// The peer's close frame is complete.
    pub(crate) fn close_received(
        &mut self,
        shared: &mut Shared,
        now: Duration,
        header: &FrameHeader,
    ) {
        let payload = std::mem::take(&mut self.control);
        let body = CloseBody::split(&payload);
        self.closing.remote_code = body.code.map(|code| code.0);
        self.closing.remote_reason =
            (!body.reason.is_empty()).then(|| body.reason[..body.reason.len().min(123)].to_vec());
        if self.closing.remote_close_at.is_none() {
            self.closing.first_remote_code = self.closing.remote_code;
        }
        self.closing.peer_closed_first |= self.closing.local_close_at.is_none();
        self.closing.remote_close_at.get_or_insert(now);
        let offset = self.reader.offset() - header.length;
        if body.code.is_some_and(|code| !is_classic_code(code)) {
            let violation = Violation::CloseCodeReserved;
            self.violation(shared, now, Deviation { violation, offset });
        }
        if self.is_ended() {
            return;
        }
        if let Err(error) = std::str::from_utf8(body.reason) {
            let violation = Violation::CloseReasonIllFormed;
            let deviation = Deviation { violation, offset: offset + 2 };
            if error.error_len().is_some() {
                self.violation(shared, now, deviation);
                self.not_clean("the peer's close reason is not UTF-8");
                self.abort(shared, now);
            } else {
                // `wstest` sees nothing wrong in a reason that breaks off within a character, but
                // loses the connection over it, and does not know that it did.
                self.note(shared, now, deviation);
                self.not_clean("the peer's close reason is not UTF-8");
                self.abort(shared, now);
                self.closing.dropped_by_me = false;
            }
            return;
        }
        self.closing.was_clean = true;
        self.closing.not_clean_reason = None;
        if self.is_closing() {
            self.stop_timer(Timer::CloseHandshake);
            match self.role {
                Role::Server => self.abort(shared, now),
                Role::Client => self.start_server_drop(shared, now, 1),
            }
        } else {
            if shared.settings.echoes_close {
                self.write_close(now, body.code.map(|code| code.0), body.reason);
            } else {
                self.write_close(now, Some(1000), b"");
            }
            match self.role {
                Role::Server => self.end(shared, now, TcpOrder::End),
                // A pending limit of the case ends the wait, as it does in `wstest`; where there
                // is none, `wstest` waits for ever and we do not.
                Role::Client if self.has_timer(Timer::KillAfter) => {}
                Role::Client => self.start_server_drop(shared, now, PATIENCE),
            }
        }
    }

    fn start_server_drop(&mut self, shared: &mut Shared, now: Duration, times: u32) {
        // Further close frames do not buy the server more time.
        if self.has_timer(Timer::ServerDrop) {
            return;
        }
        let limit = shared.timers().server_drop * times;
        self.start_limit(shared, now, Timer::ServerDrop, limit);
    }

    pub(crate) fn not_clean(&mut self, reason: &str) {
        self.closing.was_clean = false;
        self.closing.not_clean_reason = Some(reason.to_owned());
    }
}

/// `wstest` knows the codes of RFC 6455 only, not those that were registered later.
fn is_classic_code(code: CloseCode) -> bool {
    code.may_be_sent() && !matches!(code.0, 1012..=1014)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Input, Run, RunConfig, Section, Target, ping};

    use super::*;

    #[test]
    fn after_both_close_frames_the_peer_has_nothing_to_do() {
        let mut section = Section::default();
        section.case("1.1.1", "a case").send(ping("x")).close(1000, "").kill_after(SECOND);
        let case = Arc::new(section.into_cases().remove(0));
        let config = RunConfig::new(Role::Client, Target::new("h", "/"), 1);
        let mut run = Run::opened(case, config, Duration::ZERO);
        assert!(!run.is_paused());
        // A pong; the close frame's first octet, and the rest.
        for (octets, paused) in [(&b"\x8a\x01x"[..], false), (b"\x88", false), (b"\x00", true)] {
            run.handle(0, Duration::ZERO, Input::Octets(&mut octets.to_vec()));
            assert_eq!(run.is_paused(), paused, "{octets:?}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
}
