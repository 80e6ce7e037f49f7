//! Frame headers and the exact frame writer (RFC 6455, 5.2).

use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The four opcode bits of a frame, those without a meaning included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "u8", try_from = "u8")]
pub enum Opcode {
    /// `0x8`: starts or answers the closing handshake.
    Close,
    /// `0x0`: a further fragment of a message.
    Continuation,
    /// `0x1`: starts a text message.
    Text,
    /// `0x2`: starts a binary message.
    Binary,
    /// `0x9`: asks for a pong.
    Ping,
    /// `0xA`: answers a ping, or comes unasked.
    Pong,
    /// `0x3` to `0x7`: reserved for further data frames.
    ReservedData(u8),
    /// `0xB` to `0xF`: reserved for further control frames.
    ReservedControl(u8),
}

impl Opcode {
    /// The opcode in the low four bits; the high four are ignored.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            bits @ 0x3..=0x7 => Self::ReservedData(bits),
            bits => Self::ReservedControl(bits),
        }
    }

    /// The four bits on the wire.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
            Self::ReservedData(bits) | Self::ReservedControl(bits) => bits & 0x0f,
        }
    }

    /// Whether the frame is a control frame: the highest opcode bit is set (RFC 6455, 5.5).
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }

    /// The RFC's word for the frame.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::ReservedData(_) => "reserved data frame",
            Self::ReservedControl(_) => "reserved control frame",
        }
    }
}

impl From<Opcode> for u8 {
    fn from(opcode: Opcode) -> Self {
        opcode.bits()
    }
}

impl TryFrom<u8> for Opcode {
    type Error = String;

    fn try_from(bits: u8) -> Result<Self, Self::Error> {
        if bits > 0x0f {
            return Err(format!("read opcode {bits}: an opcode has four bits (0 to 15)"));
        }
        Ok(Self::from_bits(bits))
    }
}

/// How the payload length is written (RFC 6455, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LengthForm {
    /// The shortest form that holds the length, the only legal one.
    #[default]
    Shortest,
    /// Seven bits. Holds up to 125; of a larger length the low seven bits are written.
    Bits7,
    /// `126` and sixteen bits. Of a larger length the low sixteen bits are written.
    Bits16,
    /// `127` and sixty-four bits.
    Bits64,
}

/// Everything in a frame but its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FrameHeader {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The three reserved bits: RSV1 is `0b100`, RSV2 `0b010`, RSV3 `0b001`.
    pub rsv: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key; `None` writes an unmasked frame.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in octets. Nothing obliges a writer to send that many.
    pub length: u64,
    /// How the length is, or is to be, written.
    pub form: LengthForm,
}

impl FrameHeader {
    /// No header is longer: two octets, eight of length, four of mask.
    pub const MAX_OCTETS: usize = 14;

    /// A final, unmasked frame without reserved bits, its length in the shortest form.
    pub const fn new(opcode: Opcode, length: u64) -> Self {
        Self { fin: true, rsv: 0, opcode, mask: None, length, form: LengthForm::Shortest }
    }

    /// Appends the header's octets, exactly as the fields say.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let HeaderOctets { octets, len } = self.octets();
        let end = out.len() + len;
        // A copy of a length that is known when compiling is a move or two, not a call.
        out.extend_from_slice(&octets);
        out.truncate(end);
    }

    /// Octets of the whole frame: the header's own and those of the payload.
    pub fn frame_len(&self) -> u64 {
        (self.octets().len() as u64).saturating_add(self.length)
    }

    /// The header's octets, exactly as the fields say.
    pub fn octets(&self) -> HeaderOctets {
        let mut out = HeaderOctets::default();
        out.push([u8::from(self.fin) << 7 | (self.rsv & 0b111) << 4 | self.opcode.bits()]);
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let octets @ [.., high, low] = self.length.to_be_bytes();
        match self.form.or_shortest(self.length) {
            LengthForm::Bits16 => out.push([masked | 0x7e, high, low]),
            LengthForm::Bits64 => {
                out.push([masked | 0x7f]);
                out.push(octets);
            }
            LengthForm::Bits7 | LengthForm::Shortest => out.push([masked | low & 0x7f]),
        }
        if let Some(key) = self.mask {
            out.push(key);
        }
        out
    }
}

/// The octets of a header, which need no memory of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderOctets {
    octets: [u8; FrameHeader::MAX_OCTETS],
    len: usize,
}

impl HeaderOctets {
    fn push<const N: usize>(&mut self, octets: [u8; N]) {
        self.octets[self.len..self.len + N].copy_from_slice(&octets);
        self.len += N;
    }
}

impl Deref for HeaderOctets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

impl LengthForm {
    /// The form that ends up on the wire for `length`.
    #[must_use]
    pub const fn or_shortest(self, length: u64) -> Self {
        match self {
            Self::Shortest => match length {
                0..=125 => Self::Bits7,
                126..=0xffff => Self::Bits16,
                _ => Self::Bits64,
            },
            form => form,
        }
    }
}

/// Writes one whole frame: the header and `payload`, masked if the header has a key. The header's
/// `length` is written as it stands, even if it is not the payload's.
pub fn encode(header: &FrameHeader, payload: &[u8], out: &mut Vec<u8>) {
    header.encode(out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = header.mask {
        crate::mask::apply(key, 0, &mut out[start..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: FrameHeader, payload: &[u8], octets: &[u8]) {
        let mut out = Vec::new();
        encode(&header, payload, &mut out);
        assert_eq!(out, octets);
    }

    #[test]
    fn legal_frames() {
        check(FrameHeader::new(Opcode::Text, 5), b"Hello", b"\x81\x05Hello");
        let masked = FrameHeader {
            mask: Some([0x37, 0xfa, 0x21, 0x3d]),
            ..FrameHeader::new(Opcode::Text, 5)
        };
        check(
            masked,
            b"Hello",
            &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
        );
        check(FrameHeader::new(Opcode::Close, 2), &[0x03, 0xe8], &[0x88, 0x02, 0x03, 0xe8]);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        let head = |length| {
            let mut out = Vec::new();
            FrameHeader::new(Opcode::Binary, length).encode(&mut out);
            out
        };
        assert_eq!(head(125), [0x82, 125]);
        assert_eq!(head(126), [0x82, 126, 0, 126]);
        assert_eq!(head(65535), [0x82, 126, 0xff, 0xff]);
        assert_eq!(head(65536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn illegal_frames_are_written_as_told() {
        let long = FrameHeader { form: LengthForm::Bits64, ..FrameHeader::new(Opcode::Ping, 0) };
        check(long, b"", &[0x89, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
        let reserved =
            FrameHeader { fin: false, rsv: 0b101, ..FrameHeader::new(Opcode::from_bits(0xb), 1) };
        check(reserved, b"x", &[0x5b, 0x01, b'x']);
        let lie = FrameHeader::new(Opcode::Text, u64::MAX);
        check(lie, b"", &[0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}
