//! Direct commands: a client says in JSON what the server is to send. A debugging aid.

use std::{io, time::Duration};

use serde::Deserialize;
use tokio::time::sleep;
use wsproof_proto::{CloseCode, FrameHeader, Opcode, mask};

use super::conversation::{Conversation, Message};

/// No frame that is asked for is longer.
const MAX_PAYLOAD: u64 = 16 << 20;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Command {
    Send(Vec<Frame>),
    Close { code: Option<u16>, reason: String },
}

/// A frame as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Frame {
    opcode: u8,
    #[serde(default)]
    payload: String,
    #[serde(default = "yes")]
    fin: bool,
    #[serde(default)]
    rsv: u8,
    /// A masking key of four characters.
    #[serde(default)]
    mask: Option<String>,
    /// The payload is repeated or cut to this length.
    #[serde(default)]
    payload_len: Option<u64>,
    /// The frame is written in pieces of this size.
    #[serde(default)]
    chopsize: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
struct Close {
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Echo {
    #[serde(default)]
    payload: String,
    #[serde(default)]
    payload_len: Option<u64>,
}

const fn yes() -> bool {
    true
}

/// Does what a client says until it closes. What cannot be understood ends the connection.
pub(super) async fn obey(mut conversation: Conversation) -> io::Result<()> {
    while let Some(message) = conversation.message().await? {
        match read(&message) {
            Ok(Command::Send(frames)) => {
                for frame in frames {
                    send(&mut conversation, &frame).await?;
                }
            }
            Ok(Command::Close { code, reason }) => return conversation.close(code, &reason).await,
            Err(fault) => {
                tracing::debug!(fault, "no command");
                let code = CloseCode::POLICY_VIOLATION.0;
                return conversation.close(Some(code), "no command").await;
            }
        }
    }
    Ok(())
}

async fn send(conversation: &mut Conversation, frame: &Frame) -> io::Result<()> {
    let mut octets = Vec::new();
    encode(frame, &mut octets);
    for piece in octets.chunks(frame.chopsize.unwrap_or(usize::MAX).max(1)) {
        conversation.write(piece).await?;
        if piece.len() < octets.len() {
            // Pieces are to leave one by one.
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

fn encode(frame: &Frame, out: &mut Vec<u8>) {
    let unit = frame.payload.as_bytes();
    let length = frame.payload_len.unwrap_or(unit.len() as u64);
    let key = frame.mask.as_ref().and_then(|key| key.as_bytes().try_into().ok());
    let opcode = Opcode::from_bits(frame.opcode);
    let header = FrameHeader {
        fin: frame.fin,
        rsv: frame.rsv,
        mask: key,
        ..FrameHeader::new(opcode, length)
    };
    header.encode(out);
    let start = out.len();
    out.extend(unit.iter().cycle().take(usize::try_from(length).unwrap_or_default()));
    if let Some(key) = key {
        mask::apply(key, 0, &mut out[start..]);
    }
}

fn read(message: &Message) -> Result<Command, String> {
    if !message.is_text {
        return Err("a command is text".to_owned());
    }
    let (name, argument): (String, Option<serde_json::Value>) =
        match serde_json::from_slice(&message.payload) {
            Ok(serde_json::Value::Array(parts)) => match &parts[..] {
                [serde_json::Value::String(name)] => (name.clone(), None),
                [serde_json::Value::String(name), argument] => {
                    (name.clone(), Some(argument.clone()))
                }
                _ => return Err("a command is a name and what it needs".to_owned()),
            },
            Ok(_) => return Err("a command is an array".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
    let argument = argument.unwrap_or_else(|| serde_json::json!({}));
    let fault = |error: serde_json::Error| error.to_string();
    let command = match name.as_str() {
        "sendframe" => Command::Send(vec![serde_json::from_value(argument).map_err(fault)?]),
        "sendframes" => Command::Send(serde_json::from_value(argument).map_err(fault)?),
        "echo" => {
            let Echo { payload, payload_len } = serde_json::from_value(argument).map_err(fault)?;
            let opcode = Opcode::Text.bits();
            let (fin, rsv, mask, chopsize) = (true, 0, None, None);
            let frame = Frame { opcode, payload, fin, rsv, mask, payload_len, chopsize };
            Command::Send(vec![frame])
        }
        "close" => {
            let Close { code, reason } = serde_json::from_value(argument).map_err(fault)?;
            let reason = reason.unwrap_or_default();
            let good = match code {
                Some(code) => code == 1000 || (3000..5000).contains(&code),
                None => reason.is_empty(),
            };
            if !good || reason.len() > 123 {
                return Err("a close has code 1000 or 3000 to 4999, or none".to_owned());
            }
            Command::Close { code, reason }
        }
        _ => return Err(format!("`{name}` is no command")),
    };
    check(command)
}

fn check(command: Command) -> Result<Command, String> {
    let Command::Send(frames) = &command else { return Ok(command) };
    for frame in frames {
        let length = frame.payload_len.unwrap_or(frame.payload.len() as u64);
        if frame.opcode > 15 || frame.rsv > 7 {
            return Err("an opcode is 0 to 15, and rsv is 0 to 7".to_owned());
        }
        if length > MAX_PAYLOAD || length > 0 && frame.payload.is_empty() {
            return Err("payload_len takes up to 16 MiB, made of a payload".to_owned());
        }
        if frame.mask.as_ref().is_some_and(|key| key.len() != 4) {
            return Err("a mask has four octets".to_owned());
        }
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[u8], &str>) {
        let message = Message { is_text: true, payload: text.as_bytes().to_vec() };
        let said = read(&message).map(|command| match command {
            Command::Send(frames) => {
                let mut octets = Vec::new();
                for frame in &frames {
                    encode(frame, &mut octets);
                }
                octets
            }
            Command::Close { code, reason } => format!("close {code:?} {reason}").into_bytes(),
        });
        match expected {
            Ok(octets) => assert_eq!(said.as_deref(), Ok(octets), "{text}"),
            Err(what) => {
                let fault = said.unwrap_err();
                assert!(fault.contains(what), "{text}: {fault}");
            }
        }
    }

    #[test]
    fn frames_are_sent_as_told() {
        check(r#"["sendframe", {"opcode": 1}]"#, Ok(b"\x81\x00"));
        check(
            r#"["sendframe", {"opcode": 2, "payload": "ab", "payload_len": 3}]"#,
            Ok(b"\x82\x03aba"),
        );
        check(
            r#"["sendframe", {"opcode": 9, "fin": false, "rsv": 4, "mask": null}]"#,
            Ok(b"\x49\x00"),
        );
        check(
            r#"["sendframe", {"opcode": 1, "payload": "a", "mask": "    "}]"#,
            Ok(b"\x81\x81    A"),
        );
        check(
            r#"["sendframes", [{"opcode": 1, "fin": false}, {"opcode": 0}]]"#,
            Ok(b"\x01\x00\x80\x00"),
        );
        check(r#"["echo", {"payload": "x"}]"#, Ok(b"\x81\x01x"));
        check(r#"["close"]"#, Ok(b"close None "));
        check(r#"["close", {"code": 3000, "reason": "why"}]"#, Ok(b"close Some(3000) why"));
    }

    #[test]
    fn what_is_no_command() {
        check("x", Err("expected"));
        check("{}", Err("an array"));
        check("[1]", Err("a name"));
        check(r#"["dance"]"#, Err("`dance`"));
        check(r#"["sendframe"]"#, Err("opcode"));
        check(r#"["sendframe", {"opcode": 16}]"#, Err("an opcode is"));
        check(r#"["sendframe", {"opcode": 1, "payload_len": 5}]"#, Err("payload_len"));
        check(
            r#"["sendframe", {"opcode": 1, "payload": "x", "payload_len": 99999999}]"#,
            Err("16 MiB"),
        );
        check(r#"["close", {"code": 1001}]"#, Err("a close has"));
        check(r#"["close", {"reason": "x"}]"#, Err("a close has"));
    }
}
