//! What the peer's frames come to: messages, pongs, echoes; and what the tester sends next.

use std::time::Duration;

use sha2::{Digest, Sha256};
use wsproof_proto::{CloseCode, Deviation, FrameHeader, FrameItem, Opcode, Violation};

use crate::{
    Accept, ConnectionId, Event, Kind, Observed, Payload, PayloadHash, Run, Series, What, Whole,
    connection::{Connection, Shared, TcpOrder},
    deflate::{COMPRESSED, Fault},
    event::Arrived,
    transcript,
};

impl Run {
    pub(crate) fn item(&mut self, id: ConnectionId, now: Duration, item: &FrameItem<'_>) {
        let shared = &mut self.shared;
        let connection = &mut self.connections[id];
        match *item {
            FrameItem::Header { header, offset } => {
                if !header.opcode.is_control() && connection.closing.remote_close_at.is_some() {
                    let violation = Violation::DataAfterClose;
                    connection.note(shared, now, Deviation { violation, offset });
                }
                connection.frame_offset = offset;
                connection.frame_head.clear();
                let hashed = header.length > transcript::HEAD as u64
                    && connection.log_is_on()
                    && shared.transcript.has_room();
                connection.frame_hash = hashed.then(Sha256::new);
                connection.control.clear();
                if !header.opcode.is_control() && header.opcode != Opcode::Continuation {
                    let kind =
                        if header.opcode == Opcode::Text { Kind::Text } else { Kind::Binary };
                    connection.arriving.begin(kind, shared.references.len());
                    connection.text_ill_formed = false;
                    if let Some(incoming) = &mut connection.incoming {
                        let compressed = header.rsv == COMPRESSED;
                        incoming.begin(compressed, header.opcode == Opcode::Text);
                    }
                }
                if let Some(incoming) = &mut connection.incoming
                    && !header.opcode.is_control()
                {
                    incoming.begin_frame();
                }
                connection.check_size(shared, now, &header);
            }
            FrameItem::Violation(Deviation {
                violation: Violation::MaskMissing | Violation::MaskUnexpected,
                ..
            }) if shared.settings.accepts_any_masking => {}
            FrameItem::Violation(deviation) => {
                connection.text_ill_formed |= deviation.violation == Violation::TextIllFormed;
                connection.violation(shared, now, deviation);
                if deviation.violation == Violation::LengthNotShortest
                    && connection.reader_in_control()
                {
                    // To `wstest` this is too long a control frame as well.
                    connection.fail(shared, now, Violation::ControlTooLong);
                }
            }
            FrameItem::Payload { data, .. } => {
                let room = transcript::HEAD - connection.frame_head.len();
                connection.frame_head.extend_from_slice(&data[..data.len().min(room)]);
                if let Some(hash) = &mut connection.frame_hash {
                    hash.update(data);
                }
                if connection.reader_in_control() {
                    let room = 127_usize.saturating_sub(connection.control.len());
                    connection.control.extend_from_slice(&data[..data.len().min(room)]);
                } else if connection.arriving.has_begun() {
                    let arriving = &mut connection.arriving;
                    let mut each = |octets: &[u8]| arriving.push(octets, &shared.references);
                    let read = match &mut connection.incoming {
                        Some(incoming) if incoming.is_compressed() => incoming.push(data, each),
                        _ => {
                            each(data);
                            Ok(())
                        }
                    };
                    connection.inflated(shared, now, read);
                }
            }
            FrameItem::End { header } => self.frame_complete(id, now, &header),
        }
    }

    fn frame_complete(&mut self, id: ConnectionId, now: Duration, header: &FrameHeader) {
        let shared = &mut self.shared;
        let connection = &mut self.connections[id];
        *shared.stats.frames_received.entry(header.opcode.bits()).or_default() += 1;
        if connection.is_open() && !header.opcode.is_control() {
            shared.traffic.incoming.add_frame(header);
        }
        let whole = connection.frame_hash.take().map(|hash| {
            let sha256 = PayloadHash::finish(hash);
            let echo = shared.transcript.was_sent(sha256);
            Box::new(Whole { sha256, generator: None, echo })
        });
        connection.log_traffic(shared, now, || What::FrameReceived {
            header: *header,
            head: connection.frame_head.clone(),
            whole,
            offset: connection.frame_offset,
        });
        if let Some(incoming) = connection.incoming.as_mut().filter(|_| !header.opcode.is_control())
        {
            let read = incoming.end_frame();
            connection.inflated(shared, now, read);
        }
        match header.opcode {
            Opcode::Ping if connection.is_open() => {
                let payload = std::mem::take(&mut connection.control);
                connection.out.pong(payload.into());
            }
            Opcode::Pong => {
                let payload = std::mem::take(&mut connection.control);
                let what = Observed::Pong { payload, len: header.length };
                self.event(id, now, what);
            }
            Opcode::Close => connection.close_received(shared, now, header),
            opcode if !opcode.is_control() && header.fin => self.message_complete(id, now),
            _ => {}
        }
    }

    fn message_complete(&mut self, id: ConnectionId, now: Duration) {
        let shared = &mut self.shared;
        let connection = &mut self.connections[id];
        let Some(arrived) = connection.arriving.end(&shared.references) else { return };
        if let Some(incoming) = connection.incoming.as_mut().filter(|i| i.is_compressed()) {
            let (ends_well, read) = (incoming.ends_well(), incoming.end());
            if !ends_well {
                let violation = Violation::CompressedMessageCut;
                let offset = connection.frame_offset;
                connection.note(shared, now, Deviation { violation, offset });
            }
            connection.inflated(shared, now, read);
            if read == Err(Fault::TextBreaksOff) || connection.is_ended() {
                return;
            }
        }
        if connection.text_ill_formed {
            // `wstest` looks at a text again at its end, and finds it wrong once more.
            let violation = Violation::TextIllFormed;
            let offset = connection.reader.offset();
            return connection.violation(shared, now, Deviation { violation, offset });
        }
        // What the reader has still to tell is that the text breaks off within a character.
        let breaks_off = !connection.reader.is_between_frames();
        if connection.closing.failed_by_me || breaks_off {
            return;
        }
        connection.messages_received += 1;
        if connection.is_open() {
            shared.traffic.incoming.messages += 1;
            shared.traffic.incoming.app_octets += arrived.len;
        }
        if let Accept::FirstEcho { .. } | Accept::EchoLoop { .. } = self.case.accept {
            self.echo(id, now, arrived);
        } else {
            let what = connection.arriving.observed(arrived);
            self.event(id, now, what);
        }
    }

    /// Records an event that is no echo of a computed case, and reacts as the case says.
    pub(crate) fn event(&mut self, id: ConnectionId, now: Duration, what: Observed) {
        match self.case.accept {
            Accept::Events(_) | Accept::Class(_) => self.shared.record(Event { at: now, what }),
            Accept::FirstEcho { .. } | Accept::EchoLoop { .. } => {
                let in_loop = matches!(self.case.accept, Accept::EchoLoop { .. });
                self.shared.pong_in_loop |= in_loop && self.connections[id].is_open();
                self.shared.record(Event { at: now, what });
                return;
            }
        }
        let Some(code) = self.case.close_on_match else { return };
        if crate::judge::matches_first(&self.case, &self.shared.events, &self.shared.references) {
            self.connections[id].send_close(&mut self.shared, now, Some(code), b"");
        }
    }

    /// An echo of a computed case.
    fn echo(&mut self, id: ConnectionId, now: Duration, arrived: Arrived) {
        let Arrived { kind: got, len, equals, first_difference } = arrived;
        let same = equals.is_some();
        // In a loop the number of messages is given.
        let (kind, right, count) = match &self.case.accept {
            Accept::FirstEcho { kind, payload } => (*kind, len == payload.len(), None),
            Accept::EchoLoop { kind, series, count } if series.compares_content() => {
                (*kind, same, Some(*count))
            }
            Accept::EchoLoop { kind, series, count } => {
                (*kind, len == series.size().0, Some(*count))
            }
            Accept::Class(_) | Accept::Events(_) => return,
        };
        let good = got == kind && right;
        self.shared.kind_differs |= got != kind;
        if !same {
            self.content_differs_at = self.content_differs_at.or(first_difference);
        }
        if good && count.is_some_and(|count| self.connections[id].messages_sent < count) {
            self.send_next_of_loop(id);
            return;
        }
        // Where nothing was sent this is no echo.
        self.unimplemented &= good;
        if count.is_some() {
            self.computed_ok = good;
        } else {
            self.computed_ok |= good;
        }
        if good && count.is_some() {
            self.take_traffic(id);
        }
        let connection = &mut self.connections[id];
        connection.switch_log(&mut self.shared, now, true, count.is_some());
        connection.send_close(&mut self.shared, now, Some(CloseCode::NORMAL.0), b"");
    }

    /// Notes how much went both ways until now, for the loop is through.
    fn take_traffic(&mut self, id: ConnectionId) {
        let connection = &self.connections[id];
        let head = connection.own_head();
        let mut traffic = self.shared.traffic;
        traffic.incoming.wire_octets = self.shared.octets_received;
        traffic.outgoing.wire_octets = self.shared.octets_sent.saturating_sub(head.len() as u64);
        self.traffic = Some(traffic);
    }

    /// Does ahead what will be needed once the peer has answered well. Call it where there is
    /// nothing else to do; what the peer sees stays the same.
    pub fn prepare(&mut self) {
        let Accept::EchoLoop { series: Series::Windows { corpus, size }, count, .. } =
            &self.case.accept
        else {
            return;
        };
        let Some(cutter) = &self.cutter else { return };
        for connection in self.connections.iter_mut().filter(|connection| connection.is_open()) {
            let n = connection.messages_sent;
            if let Some(compressor) = connection.compressor.as_mut().filter(|_| n < *count) {
                compressor.prepare(corpus.name, *size, cutter, n);
            }
        }
    }

    pub(crate) fn send_next_of_loop(&mut self, id: ConnectionId) {
        let Accept::EchoLoop { kind, series, .. } = &self.case.accept else { return };
        let Some(cutter) = &self.cutter else { return };
        let connection = &mut self.connections[id];
        let n = connection.messages_sent;
        let payload = cutter.message(n);
        if let (Series::Windows { corpus, size }, Some(compressor)) =
            (series, &mut connection.compressor)
        {
            let octets = Payload::Octets(compressor.nth(corpus.name, *size, cutter, n));
            connection.out.message(*kind, COMPRESSED, octets, connection.fragment_size);
            connection.message_sent(&mut self.shared, payload.len());
        } else {
            let size = connection.fragment_size;
            connection.send_message(&mut self.shared, *kind, &payload, size);
        }
        if series.compares_content() {
            self.shared.references.clear();
            self.shared.references.push(payload);
        }
    }
}

impl Connection {
    /// Whether the payload being read belongs to a control frame; those interrupt messages.
    fn reader_in_control(&self) -> bool {
        self.reader.current_opcode().is_some_and(Opcode::is_control)
    }

    /// Reacts to what reading a compressed message came to.
    fn inflated(&mut self, shared: &mut Shared, now: Duration, read: Result<(), Fault>) {
        let offset = self.frame_offset;
        let Some(incoming) = &mut self.incoming else { return };
        let newly_exceeded = incoming.take_newly_exceeded();
        let fault = read.err();
        if newly_exceeded && fault != Some(Fault::OutOfWindow) {
            let violation = Violation::WindowExceeded;
            self.note(shared, now, Deviation { violation, offset });
        }
        let Some(fault) = fault else { return };
        if let Fault::Corrupt(Some(why)) | Fault::ContextKept(why) = fault {
            shared.corruption.get_or_insert_with(|| why.to_string());
        }
        let deviation = Deviation { violation: fault.violation(), offset };
        match fault {
            Fault::Text | Fault::TextBreaksOff => {
                self.text_ill_formed = fault == Fault::Text;
                self.violation(shared, now, deviation);
            }
            // What it becomes in the end cannot be an echo.
            Fault::TooLong | Fault::CorruptAfterFinal => self.note(shared, now, deviation),
            // `wstest` loses the connection over it, and does not know that it did.
            Fault::Corrupt(_) | Fault::ContextKept(_) | Fault::OutOfWindow => {
                self.note(shared, now, deviation);
                self.not_clean("a compressed message of the peer cannot be decompressed");
                self.end(shared, now, TcpOrder::End);
                self.closing.dropped_by_me = false;
            }
        }
    }
}
