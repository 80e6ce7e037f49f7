//! What comes back: the frames of one echo after the other, compared as they come.

use std::ops::ControlFlow;

use wsproof_proto::{
    FrameHeader, Opcode,
    close::CloseBody,
    deflate::{Compression, Inflater},
    frame,
};

use super::messages::Message;

/// How much of the end of an echo is compared each time.
const END: usize = 16;

/// Reads the echoes of one connection.
#[derive(Debug)]
pub(super) struct Echo {
    header: Vec<u8>,
    frame: Option<Frame>,
    /// Octets of the message so far, as they are on the wire.
    got: usize,
    /// A message has begun; whether it is compressed.
    inside: Option<bool>,
    /// The first echo is compared whole, and is decompressed for that if need be.
    whole: bool,
    /// Whether compression was agreed.
    compressed: bool,
    inflater: Option<Inflater>,
    inflated: usize,
    control: Vec<u8>,
    /// Pongs that are to be sent.
    pub(super) pongs: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    left: u64,
}

impl Echo {
    pub(super) fn new(compressed: bool) -> Self {
        let how = Compression { context_takeover: true, window_bits: 15 };
        Self {
            header: Vec::with_capacity(FrameHeader::MAX_OCTETS),
            frame: None,
            got: 0,
            inside: None,
            whole: true,
            compressed,
            inflater: compressed.then(|| Inflater::new(how)),
            inflated: 0,
            control: Vec::new(),
            pongs: Vec::new(),
        }
    }

    /// Takes what was read; whether the echo is complete. In words, what is wrong with it.
    pub(super) fn take(&mut self, mut octets: &[u8], message: &Message) -> Result<bool, String> {
        loop {
            let Some(frame) = &mut self.frame else {
                let Some((&octet, rest)) = octets.split_first() else { return Ok(false) };
                octets = rest;
                self.header.push(octet);
                self.begin(message)?;
                continue;
            };
            let n = usize::try_from(frame.left).unwrap_or(usize::MAX).min(octets.len());
            let (data, rest) = octets.split_at(n);
            octets = rest;
            frame.left -= n as u64;
            let Frame { opcode, fin, left } = *frame;
            if opcode.is_control() {
                self.control.extend_from_slice(data);
            } else {
                self.compare(data, message)?;
            }
            if left > 0 {
                return Ok(false);
            }
            self.frame = None;
            if opcode.is_control() {
                self.obey(opcode)?;
            } else if fin {
                self.end(message)?;
                if !octets.is_empty() {
                    return Err("it goes on after its end".to_owned());
                }
                return Ok(true);
            }
        }
    }

    /// Begins a frame if its header is complete.
    fn begin(&mut self, message: &Message) -> Result<(), String> {
        let &[first, second, ref length @ ..] = &self.header[..] else { return Ok(()) };
        if second & 0x80 != 0 {
            return Err("the server masks (RFC 6455, 5.1)".to_owned());
        }
        let left = match (second, length.len()) {
            (0x7e, 2) | (0x7f, 8) => {
                length.iter().fold(0, |length, &octet| length << 8 | u64::from(octet))
            }
            (0x7e | 0x7f, _) => return Ok(()),
            (short, _) => u64::from(short),
        };
        let (opcode, fin) = (Opcode::from_bits(first), first & 0x80 != 0);
        let marked = first & 0x40 != 0;
        let may_be_marked = self.compressed && self.inside.is_none() && !opcode.is_control();
        if first & 0x30 != 0 || marked && !may_be_marked {
            return Err("reserved bits are set (RFC 6455, 5.2)".to_owned());
        }
        if opcode.is_control() && (left > 125 || !fin) {
            return Err("a control frame is long or in fragments (RFC 6455, 5.5)".to_owned());
        }
        match (opcode, self.inside) {
            (opcode, _) if opcode.is_control() => self.control.clear(),
            (Opcode::Continuation, Some(_)) => {}
            (opcode, None) if opcode == message.opcode => self.inside = Some(marked),
            (opcode, _) => return Err(format!("it comes as a {} frame", opcode.name())),
        }
        self.header.clear();
        self.frame = Some(Frame { opcode, fin, left });
        Ok(())
    }

    fn compare(&mut self, data: &[u8], message: &Message) -> Result<(), String> {
        let differs = || "it is not what was sent".to_owned();
        let expected = &message.payload[..];
        if self.inside != Some(true) {
            let from = if self.whole { 0 } else { expected.len().saturating_sub(END) };
            let (start, end) = (self.got.max(from), self.got + data.len());
            if start < end && expected.get(start..end) != Some(&data[start - self.got..]) {
                return Err(differs());
            }
        } else if let Some(inflater) = &mut self.inflater {
            let inflated = &mut self.inflated;
            let each = |piece: &[u8]| {
                let start = *inflated;
                *inflated += piece.len();
                let same = expected.get(start..*inflated) == Some(piece);
                if same { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            inflater.push(data, each).map_err(|_| differs())?;
        }
        self.got += data.len();
        Ok(())
    }

    fn end(&mut self, message: &Message) -> Result<(), String> {
        let compressed = self.inside.take() == Some(true);
        let length = match (compressed, self.inflater.take()) {
            // The context is unknown by now.
            (true, None) => None,
            (true, Some(mut inflater)) => {
                inflater.end_message().map_err(|_| "it cannot be decompressed".to_owned())?;
                Some(self.inflated)
            }
            (false, _) => Some(self.got),
        };
        if length.is_some_and(|length| length != message.payload.len()) {
            return Err("its length is not that of what was sent".to_owned());
        }
        self.got = 0;
        self.whole = false;
        Ok(())
    }

    /// Does what a control frame asks for.
    fn obey(&mut self, opcode: Opcode) -> Result<(), String> {
        match opcode {
            Opcode::Close => {
                let code = CloseBody::split(&self.control).code;
                let code = code.map(|code| format!(" with {}", code.0)).unwrap_or_default();
                Err(format!("the server closed the connection{code}"))
            }
            Opcode::Ping => {
                let header = FrameHeader::new(Opcode::Pong, self.control.len() as u64);
                let header = FrameHeader { mask: Some([0; 4]), ..header };
                // The last ping alone needs an answer (RFC 6455, 5.5.3).
                self.pongs.clear();
                frame::encode(&header, &self.control, &mut self.pongs);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `octets` whole and octet by octet; `Hello` was sent.
    fn check(octets: &[u8], expected: Result<bool, &str>) {
        let payload = b"Hello".to_vec();
        let message = Message { opcode: Opcode::Text, payload, octets: Vec::new() };
        let mut echo = Echo::new(true);
        let whole = echo.take(octets, &message);
        let mut echo = Echo::new(true);
        let mut cut = Ok(false);
        for octet in octets {
            if cut == Ok(false) {
                cut = echo.take(&[*octet], &message);
            }
        }
        let expected = expected.map_err(str::to_owned);
        assert_eq!((&whole, &cut), (&expected, &expected), "{octets:02x?}");
    }

    #[test]
    fn echoes_however_they_are_cut() {
        check(b"\x81\x05Hello", Ok(true));
        check(b"\x81\x05Hell", Ok(false));
        check(b"\x01\x02He\x89\x01x\x80\x03llo", Ok(true));
        check(b"\x81\x7e\x00\x05Hello", Ok(true));
        // RFC 7692, 7.2.3.1.
        check(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", Ok(true));
    }

    #[test]
    fn what_is_no_echo_is_named() {
        check(b"\x81\x05hello", Err("it is not what was sent"));
        check(b"\x81\x04Hell", Err("its length is not that of what was sent"));
        check(b"\x81\x06Hello!", Err("it is not what was sent"));
        check(b"\x82\x05Hello", Err("it comes as a binary frame"));
        check(b"\x88\x02\x03\xe9", Err("the server closed the connection with 1001"));
        check(b"\x81\x85\0\0\0\0Hello", Err("the server masks (RFC 6455, 5.1)"));
        let reserved = "reserved bits are set (RFC 6455, 5.2)";
        check(b"\xa1\x05Hello", Err(reserved));
        check(b"\x01\x02He\xc0\x03llo", Err(reserved));
        let control = "a control frame is long or in fragments (RFC 6455, 5.5)";
        check(b"\x89\x7e\x00\x7e", Err(control));
        check(b"\x09\x00", Err(control));
        let mut plain = Echo::new(false);
        let message = Message { opcode: Opcode::Text, payload: Vec::new(), octets: Vec::new() };
        assert_eq!(plain.take(b"\xc1\x01\x00", &message), Err(reserved.to_owned()));
    }
}
