//! A case in words, made from the same value that is carried out.

use std::{fmt::Write, time::Duration};

use wsproof_proto::{FrameHeader, LengthForm};

use crate::{
    Accept, Basis, Case, Class, CloseBy, Edit, Expected, FrameSpec, Grade, Series, Step,
    judge::distinct_codes, spaced_hex,
};

impl Case {
    /// What the tester sends, and why.
    pub fn description(&self) -> String {
        let mut text = String::new();
        let mut title = self.title.chars();
        if let Some(first) = title.next() {
            text.extend(first.to_uppercase());
            text.push_str(title.as_str());
        }
        let _ = write!(text, ". {}", self.why);
        text
    }

    /// What a conforming peer does.
    pub fn expectation(&self) -> String {
        let mut text = match &self.accept {
            Accept::Class(class) => class_words(class),
            Accept::EchoLoop { kind, series, count } => {
                let (size, unit) = series.size();
                format!(
                    "All {count} {} messages of {size} {unit} come back, each before the next one \
                     is sent.",
                    kind.name()
                )
            }
            Accept::FirstEcho { kind, payload } => {
                format!("One {} message of {} octets comes back.", kind.name(), payload.len())
            }
            Accept::Events(lists) => {
                let mut text = String::new();
                for list in lists {
                    let lead = match (list.grade, list.basis) {
                        (Grade::Strict, _) => "Expected",
                        (Grade::NonStrict, Basis::Race) => "Also accepted, as the events race",
                        (Grade::NonStrict | Grade::RfcOnly, _) => "Also accepted",
                    };
                    let _ = write!(text, "{lead}: {}. ", events_words(&list.events));
                }
                text.trim_end().to_owned()
            }
        };
        if matches!(self.accept, Accept::Class(_)) {
            return text;
        }
        let codes = distinct_codes(&self.close.codes);
        let close = match (self.close.by, self.close.clean) {
            (CloseBy::Peer, _) => format!(
                "The peer fails the connection: a close frame with {codes} or without a code, or the end of TCP."
            ),
            (CloseBy::Tester, true) if self.close_on_match.is_some() => format!(
                "The tester then closes with 1000; an answer with {codes} or without a code and the end of TCP follow."
            ),
            (CloseBy::Tester, true) => {
                format!("The close frame is answered with {codes} or without a code, and TCP ends.")
            }
            (CloseBy::Tester, false) => format!(
                "The close frame is answered with {codes} or without a code, or TCP just ends."
            ),
        };
        let _ = write!(text, " {close}");
        if self.informational {
            text.push_str(" Whatever happens is informational.");
        }
        text
    }

    /// The script in words, a line a step.
    pub fn plan(&self) -> Vec<String> {
        let edits = self.edits.iter().map(|edit| match edit {
            Edit::Remove(name) => format!("leave {name} out of the opening request"),
        });
        let offers = self.deflate.iter().map(|ask| format!("as a client, offer {}", ask.offer()));
        let steps = self.steps.iter().map(|step| match (step, &self.accept) {
            (Step::EchoLoop, Accept::EchoLoop { kind, series, count }) => format!(
                "{count} times, each after the echo of the one before: {} message, {}",
                kind.name(),
                series_words(series)
            ),
            _ => step_words(step),
        });
        edits.chain(offers).chain(steps).collect()
    }
}

fn class_words(class: &Class) -> String {
    match class {
        Class::Accepted => {
            "The opening handshake is accepted with status 101, every message comes \
                            back, and the close frame is answered."
                .to_owned()
        }
        Class::AnswersHalfClose => "A close frame comes although the tester has ended its sending \
                                    half of TCP; then TCP ends."
            .to_owned(),
        Class::Passive { never } => {
            let rules: Vec<_> = never.iter().map(|violation| violation.describe()).collect();
            format!("In no answer of the whole run: {}.", rules.join("; "))
        }
        Class::Refused => {
            "The request is refused with a well-formed HTTP error, never with 101.".to_owned()
        }
    }
}

fn events_words(events: &[Expected]) -> String {
    if events.is_empty() {
        return "no message and no pong".to_owned();
    }
    events.iter().map(Expected::describe).collect::<Vec<_>>().join(", then ")
}

fn step_words(step: &Step) -> String {
    match step {
        Step::AwaitEchoes(within) => format!("wait up to {} for the echoes", span(*within)),
        Step::BeginFrame { opcode, fin, length } => {
            let fin = if *fin { "final" } else { "not final" };
            format!("begin a frame: {}, {fin}, {length} octets", opcode.name())
        }
        Step::Close { code, reason } => {
            let code = code.map_or("without a code".to_owned(), |code| format!("with {code}"));
            let reason = if reason.is_empty() {
                String::new()
            } else {
                format!(", reason {}", crate::payload::quote(reason))
            };
            format!("close {code}{reason}")
        }
        Step::CloseAfter(after) => {
            format!("close without a code if still open after {}", span(*after))
        }
        Step::Dial => "open another connection with the same key".to_owned(),
        Step::EchoLoop => "send messages, each after the echo of the one before".to_owned(),
        Step::FragmentSize(0) => "send messages whole".to_owned(),
        Step::FragmentSize(size) => format!("cut messages into fragments of {size} octets"),
        Step::Frame(frame) => frame_words(frame),
        Step::FramePart(payload) => format!("feed payload: {}", payload.describe()),
        Step::KillAfter(after) => {
            format!("fail the connection if still there after {}", span(*after))
        }
        Step::Message(message) => {
            let cut = message
                .fragment_size
                .map_or(String::new(), |size| format!(", in fragments of {size} octets"));
            format!("{} message: {}{cut}", message.kind.name(), message.payload.describe())
        }
        Step::ShutdownWrite => "end the sending half of TCP".to_owned(),
        Step::Use(index) => format!("go on with connection {index}"),
        Step::Wait { pause, mark: None } => format!("wait {}", span(*pause)),
        Step::Wait { pause, mark: Some(mark) } => {
            format!("wait {}; stop if no longer open, else note mark {mark}", span(*pause))
        }
        Step::WireLog { on: true, .. } => "log octets and frames".to_owned(),
        Step::WireLog { on: false, .. } => "stop logging octets and frames".to_owned(),
    }
}

fn series_words(series: &Series) -> String {
    match series {
        Series::Same(payload) => payload.describe(),
        Series::Windows { corpus, size } => {
            let (_, unit) = series.size();
            format!("the next {size} {unit} of the corpus {}", corpus.name)
        }
    }
}

fn frame_words(frame: &FrameSpec) -> String {
    let mut text = format!("frame 0x{:X} ({})", frame.opcode.bits(), frame.opcode.name());
    if !frame.fin {
        text.push_str(", not final");
    }
    if frame.rsv != 0 {
        let _ = write!(text, ", RSV {:03b}", frame.rsv);
    }
    if frame.form != LengthForm::Shortest {
        let _ = write!(text, ", length as {:?}", frame.form);
    }
    let header = FrameHeader {
        fin: frame.fin,
        rsv: frame.rsv,
        form: frame.form,
        ..FrameHeader::new(frame.opcode, frame.payload.len())
    };
    let mut octets = Vec::new();
    header.encode(&mut octets);
    let _ = write!(text, ": {}, then {}", spaced_hex(&octets), frame.payload.describe());
    if let Some(chop) = frame.chop {
        let _ = write!(text, ", in writes of {chop} octets");
    } else if frame.own_write {
        text.push_str(", as a write of its own");
    }
    text
}

fn span(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}
