//! The opening handshake of a run: what became of our request, or of the peer's.

use std::time::Duration;

use wsproof_proto::{Violation, handshake::check_response};

use crate::{
    Accept, ConnectionId, Refusal, Request, Run, Timer, VERSIONS,
    connection::{State, TcpOrder},
    negotiation,
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
        let offer = self.config.target.offer(&self.case, &connection.key);
        let mut violations = check_response(&head, &offer);
        let mut misfit = None;
        if violations.is_empty() {
            let field = head.values("Sec-WebSocket-Extensions").next();
            match negotiation::answered(field, &self.case.deflate) {
                Ok(None) => {}
                Ok(Some(agreed)) => {
                    misfit = agreed.misfit;
                    connection.agree(agreed.parameters.agreement());
                }
                Err(violation) => violations.push(violation),
            }
        }
        connection.opening.violations = violations;
        if connection.opening.violations.is_empty() {
            connection.opening.violations.extend(misfit);
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
        let request = match Request::read(reader.octets(), &VERSIONS) {
            Ok(request) => request,
            Err(declined) => return self.decline(id, now, &declined.refusal()),
        };
        connection.opening.violations.extend_from_slice(&request.violations);
        let offers = request.extensions.as_deref();
        let answer = match negotiation::chosen(offers, &self.case.deflate) {
            Ok(answer) => answer,
            Err(violation) => {
                connection.opening.violations.push(violation);
                let refusal = Refusal::new(400, "the offer of permessage-deflate is malformed");
                return self.decline(id, now, &refusal);
            }
        };
        let extensions = answer.map(|answer| answer.answer());
        let response = request.answer(&self.config.target.user_agent, extensions.as_deref());
        if let Some(answer) = answer {
            connection.agree(answer.agreement());
        }
        connection.opening.response.clone_from(&response);
        connection.opening.status = Some(101);
        connection.out.raw(response);
        connection.open(&mut self.shared, now);
    }

    /// Refuses the request of a client under test.
    fn decline(&mut self, id: ConnectionId, now: Duration, refusal: &Refusal) {
        let connection = &mut self.connections[id];
        let response = refusal.encode();
        connection.opening.response.clone_from(&response);
        connection.opening.status = Some(refusal.status());
        connection.out.raw(response);
        connection.not_clean(&format!("the tester refused the request: {}", refusal.reason()));
        connection.end(&mut self.shared, now, TcpOrder::End);
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
