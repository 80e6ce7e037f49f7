//! The opening handshake of a run: what became of our request, or of the peer's.

use std::time::Duration;

use wsproof_proto::{
    Violation,
    handshake::{accept_for, check_response, parse_request},
};

use crate::{
    Accept, ConnectionId, Run, Timer,
    connection::{State, TcpOrder},
    opening::BodyLength,
};

impl Run {
    /// The answer to our opening request is complete.
    pub(crate) fn answered(&mut self, id: ConnectionId, now: Duration) {
        let connection = &mut self.connections[id];
        let State::Opening(reader) = &connection.state else { return };
        connection.opening.response = reader.octets().to_vec();
        // Our own cases judge the answer as HTTP; the classic ones take what `wstest` takes.
        let parsed = match self.case.accept {
            Accept::Class(_) => reader.response(),
            _ => reader.lax_response(),
        };
        let head = match parsed {
            Ok(head) => head,
            Err(violation) => return self.refuse(id, now, violation),
        };
        connection.opening.answer(&head);
        let offer = self.config.target.offer(&connection.key);
        connection.opening.violations = check_response(&head, &offer);
        if connection.opening.violations.is_empty() {
            connection.open(&mut self.shared, now);
        } else if head.status == 101 {
            connection.not_clean("the answer to the opening handshake was not acceptable");
            connection.abort(&mut self.shared, now);
        } else {
            connection.not_clean("the peer refused the opening handshake");
            connection.stop_timer(Timer::OpenHandshake);
            let body = BodyLength::of(&head);
            connection.state = State::Refused { body };
            if body.is_complete(&[]) {
                connection.abort(&mut self.shared, now);
            } else {
                // What explains the refusal comes with it or not at all.
                let limit = Duration::from_millis(500);
                connection.start_timer(&mut self.shared, now, Timer::OpenHandshake, limit, None);
            }
        }
    }

    /// The request of a client under test is complete.
    pub(crate) fn asked(&mut self, id: ConnectionId, now: Duration) {
        let connection = &mut self.connections[id];
        let State::Opening(reader) = &connection.state else { return };
        connection.opening.request = reader.octets().to_vec();
        let key = parse_request(reader.octets())
            .ok()
            .and_then(|head| head.values("Sec-WebSocket-Key").next().map(<[u8]>::to_vec));
        let Some(key) = key else {
            connection.out.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec());
            connection.not_clean("the peer's request has no Sec-WebSocket-Key");
            return connection.end(&mut self.shared, now, TcpOrder::End);
        };
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: {}\r\nUpgrade: WebSocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            self.config.target.user_agent,
            accept_for(&key)
        );
        connection.opening.response = response.clone().into_bytes();
        connection.opening.status = Some(101);
        connection.out.raw(response.into_bytes());
        connection.open(&mut self.shared, now);
    }

    /// What came in place of a handshake is kept for the report.
    pub(crate) fn refuse(&mut self, id: ConnectionId, now: Duration, violation: Violation) {
        let connection = &mut self.connections[id];
        if let State::Opening(reader) = &connection.state {
            connection.opening.response =
                reader.octets()[..reader.octets().len().min(4096)].to_vec();
        }
        connection.opening.violations.push(violation);
        connection.not_clean("what the peer sent is no opening handshake");
        connection.abort(&mut self.shared, now);
    }
}
