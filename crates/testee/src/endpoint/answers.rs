//! What an endpoint sends back: echoes, pongs and close frames, right or wrong.

use std::{borrow::Cow, time::Duration};

use wsproof_proto::{CloseCode, FrameHeader, LengthForm, Opcode, close::body};

use super::{CloseReply, Endpoint, Event, Phase, Transmit, deflate::RSV1};
use crate::defect::behaviour::{AfterClose, CloseAnswer, Echo, Pong};

impl Endpoint {
    pub(super) fn on_message(&mut self, now: Duration, text: bool, payload: Cow<'_, [u8]>) {
        let late = self.held_close.is_some() && self.behaviour.after_close != AfterClose::Messages;
        if !self.echoes {
            self.events.push_back(Event::Message { text, payload: payload.into_owned() });
        } else if self.phase == Phase::Open && !late {
            // After a close frame was sent nothing may follow (RFC 6455, 5.5.1).
            self.messages += 1;
            self.echo_message(now, text, payload);
        }
    }

    fn echo_message(&mut self, now: Duration, text: bool, payload: Cow<'_, [u8]>) {
        let opcode = |text| if text { Opcode::Text } else { Opcode::Binary };
        let header = FrameHeader::new(opcode(text), payload.len() as u64);
        match self.behaviour.echo {
            Echo::Never => {}
            Echo::EmptySkipped if payload.is_empty() => {}
            Echo::EmptyFails if payload.is_empty() => {
                self.close(now, CloseCode::POLICY_VIOLATION, "");
            }
            Echo::DropAfter(n) if self.messages > n => {
                self.lose(Phase::Open, "the endpoint dropped TCP");
                self.finish(now, Transmit::Close);
            }
            Echo::Faithful | Echo::EmptySkipped | Echo::EmptyFails | Echo::DropAfter(_) => {
                self.send_payload(now, header, payload);
            }
            Echo::Twice => {
                self.send_payload(now, header, Cow::Borrowed(&payload));
                self.send_payload(now, header, payload);
            }
            Echo::KindSwapped => {
                self.send_payload(now, FrameHeader { opcode: opcode(!text), ..header }, payload);
            }
            Echo::LastOctetDropped => {
                let kept = &payload[..payload.len().saturating_sub(1)];
                self.send_exactly(header, kept);
            }
            Echo::OctetAdded => self.send_exactly(header, &[&payload[..], b"!"].concat()),
            Echo::FirstOctetChanged => {
                let mut changed = payload.into_owned();
                if let Some(first) = changed.first_mut() {
                    *first ^= 1;
                }
                self.send_payload(now, header, Cow::Owned(changed));
            }
            Echo::TruncatedAt(n) => self.send_exactly(header, &payload[..payload.len().min(n)]),
            Echo::Rsv(rsv) => self.send_payload(now, FrameHeader { rsv, ..header }, payload),
            Echo::ReservedOpcode => {
                let opcode = Opcode::ReservedData(0x3);
                self.send_payload(now, FrameHeader { opcode, ..header }, payload);
            }
            Echo::Unfinished => {
                self.send_payload(now, FrameHeader { fin: false, ..header }, payload);
            }
            Echo::Nested => {
                self.send_exactly(FrameHeader { fin: false, ..header }, b"");
                self.send_payload(now, header, payload);
            }
            Echo::LongLength => {
                let form = LengthForm::Bits64;
                self.send_payload(now, FrameHeader { form, ..header }, payload);
            }
        }
    }

    pub(super) fn on_ping_or_pong(&mut self, now: Duration, opcode: Opcode) {
        let payload = self.receiver.control();
        if let Some(pinger) = self.pinger.as_mut().filter(|_| opcode == Opcode::Pong) {
            pinger.pong(now, payload);
        }
        if !self.echoes {
            let payload = payload.to_vec();
            self.events.push_back(match opcode {
                Opcode::Ping => Event::Ping(payload),
                _ => Event::Pong(payload),
            });
        }
        let late = self.held_close.is_some() && self.behaviour.after_close != AfterClose::Pings;
        if self.phase != Phase::Open || late {
            return;
        }
        if opcode == Opcode::Ping {
            self.pings += 1;
            self.answer_ping();
        } else if self.behaviour.pong == Pong::ToPongs {
            self.send_answer(Opcode::Pong, true, <[u8]>::to_vec);
        }
    }

    fn answer_ping(&mut self) {
        match self.behaviour.pong {
            Pong::Faithful | Pong::ToPongs => {
                let header = FrameHeader::new(Opcode::Pong, self.receiver.control().len() as u64);
                let payload = self.receiver.control();
                self.sender.frame(header, payload, self.behaviour.masking);
            }
            Pong::Never => {}
            Pong::WrongPayload => {
                self.send_answer(Opcode::Pong, true, |ping| [b"wrong", ping].concat());
            }
            Pong::Empty => self.send_answer(Opcode::Pong, true, |_| Vec::new()),
            Pong::Twice => {
                self.send_answer(Opcode::Pong, true, <[u8]>::to_vec);
                self.send_answer(Opcode::Pong, true, <[u8]>::to_vec);
            }
            Pong::Fragmented => {
                self.send_answer(Opcode::Pong, false, <[u8]>::to_vec);
                self.send_answer(Opcode::Continuation, true, |_| Vec::new());
            }
            Pong::AsPing => self.send_answer(Opcode::Ping, true, <[u8]>::to_vec),
            Pong::Rsv1 => {
                let header = FrameHeader { rsv: RSV1, ..FrameHeader::new(Opcode::Pong, 0) };
                let payload = self.receiver.control().to_vec();
                self.send_exactly(header, &payload);
            }
            Pong::EverySecond => {
                if self.pings.is_multiple_of(2) {
                    self.send_answer(Opcode::Pong, true, <[u8]>::to_vec);
                }
            }
        }
    }

    /// Sends what `from` makes of the control frame that was received.
    fn send_answer(&mut self, opcode: Opcode, fin: bool, from: fn(&[u8]) -> Vec<u8>) {
        let payload = from(self.receiver.control());
        self.send_exactly(FrameHeader { fin, ..FrameHeader::new(opcode, 0) }, &payload);
    }

    /// Answers a close frame, if nothing else is asked for with its code (RFC 6455, 5.5.1).
    pub(super) fn answer_close(&mut self, now: Duration, code: Option<CloseCode>, reason: String) {
        let received = code.map(|code| code.0);
        let same = match self.close_reply {
            CloseReply::Normal => body(Some(CloseCode::NORMAL.0), b""),
            CloseReply::SameCode => body(received, b""),
            CloseReply::SameCodeAndReason => body(received, reason.as_bytes()),
        };
        let mut closed = Event::Closed { code, reason, clean: true };
        let answer = match self.behaviour.close {
            CloseAnswer::SameCode | CloseAnswer::Rsv1 => same,
            CloseAnswer::Always(code) => body(Some(code), b""),
            CloseAnswer::Never => return,
            CloseAnswer::DropTcp => {
                if let Event::Closed { clean, .. } = &mut closed {
                    *clean = false;
                }
                self.events.push_back(closed);
                return self.finish(now, Transmit::Close);
            }
            CloseAnswer::TooLong => body(Some(1000), &[b'*'; 200]),
            CloseAnswer::OneOctet => vec![0x03],
            CloseAnswer::IllFormedReason => body(Some(1000), &[0xed, 0xa0, 0x80]),
            CloseAnswer::MessageFirst => {
                self.send(now, Opcode::Text, b"one more".to_vec());
                same
            }
            CloseAnswer::Twice => {
                self.send_control(Opcode::Close, &same);
                same
            }
        };
        let rsv = if self.behaviour.close == CloseAnswer::Rsv1 { RSV1 } else { 0 };
        let header = FrameHeader { rsv, ..FrameHeader::new(Opcode::Close, 0) };
        self.send_exactly(header, &answer);
        self.events.push_back(closed);
        self.end_tcp(now, self.behaviour.tcp);
    }

    /// Sends a frame with this payload, whatever length its header says.
    fn send_exactly(&mut self, header: FrameHeader, payload: &[u8]) {
        let header = FrameHeader { length: payload.len() as u64, ..header };
        self.sender.frame(header, payload, self.behaviour.masking);
    }

    /// Sends a frame, without a copy of the payload where that is worth it.
    fn send_payload(&mut self, now: Duration, header: FrameHeader, payload: Cow<'_, [u8]>) {
        let (masking, delay) = (self.behaviour.masking, self.behaviour.delay);
        match payload {
            Cow::Borrowed(payload) => self.sender.frame(header, payload, masking),
            Cow::Owned(payload) => self.sender.frame_from(now, header, payload, masking, delay),
        }
    }
}
