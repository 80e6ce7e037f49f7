//! The lax frame reader: takes what comes, names each deviation and goes on (RFC 6455, 5).
//!
//! It buffers no payload, so a frame that declares 2^63 octets costs nothing. It does not decide
//! what a deviation means: a judge may go on reading, an endpoint fails the connection.

use std::collections::VecDeque;

use crate::{Deviation, FrameHeader, LengthForm, Opcode, Role, Violation, mask, utf8};

/// What the reader found next.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameItem<'a> {
    /// A frame begins; `offset` is that of its first octet in the stream.
    Header {
        /// The header as it was read.
        header: FrameHeader,
        /// Offset of the header's first octet in the stream.
        offset: u64,
    },
    /// A deviation in what was read last.
    Violation(Deviation),
    /// Payload of the current frame, unmasked.
    Payload {
        /// The octets.
        data: &'a [u8],
        /// Position of the first of them in the frame's payload.
        at: u64,
    },
    /// The current frame is complete.
    End {
        /// The header of the frame that ends.
        header: FrameHeader,
    },
}

/// Splits a stream of octets into frames, however it was cut.
#[derive(Debug)]
pub struct FrameReader {
    /// The role of the peer whose frames are read.
    sender: Role,
    /// Reserved bits that an extension has given a meaning on the first frame of a message.
    granted_rsv: u8,
    state: State,
    /// Octets of the stream consumed so far.
    offset: u64,
    /// Deviations found but not handed out yet.
    found: VecDeque<Deviation>,
    message: Option<Message>,
}

#[derive(Debug)]
enum State {
    Header { octets: [u8; FrameHeader::MAX_OCTETS], filled: usize },
    Payload { header: FrameHeader, at: u64 },
}

/// The message whose fragments are arriving.
#[derive(Debug)]
struct Message {
    /// Only for text that arrives uncompressed.
    text: Option<utf8::Validator>,
}

impl FrameReader {
    /// A reader of what `sender` sends.
    pub fn new(sender: Role) -> Self {
        Self {
            sender,
            granted_rsv: 0,
            state: State::START,
            offset: 0,
            found: VecDeque::new(),
            message: None,
        }
    }

    /// Allows the reserved bits to which an agreed extension gives a meaning.
    #[must_use]
    pub fn grant_rsv(mut self, bits: u8) -> Self {
        self.granted_rsv = bits;
        self
    }

    /// Number of octets consumed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the stream stands between two frames.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header { filled: 0, .. }) && self.found.is_empty()
    }

    /// The opcode of the frame whose payload is being read.
    pub fn current_opcode(&self) -> Option<Opcode> {
        match &self.state {
            State::Payload { header, .. } => Some(header.opcode),
            State::Header { .. } => None,
        }
    }

    /// Whether a message has begun and not ended.
    pub fn is_inside_message(&self) -> bool {
        self.message.is_some()
    }

    /// Reads up to the next item. Returns how many octets of `input` were consumed and the item,
    /// or no item if more octets are needed. Call again with the rest until it gives none.
    ///
    /// Payload is unmasked in place.
    pub fn read<'a>(&mut self, input: &'a mut [u8]) -> (usize, Option<FrameItem<'a>>) {
        if let Some(deviation) = self.found.pop_front() {
            return (0, Some(FrameItem::Violation(deviation)));
        }
        match self.state {
            State::Header { .. } => self.read_header(input),
            State::Payload { header, at } if at == header.length => {
                self.state = State::START;
                self.end_frame(&header);
                (0, Some(FrameItem::End { header }))
            }
            State::Payload { header, at } => self.read_payload(&header, at, input),
        }
    }

    fn read_header<'a>(&mut self, input: &[u8]) -> (usize, Option<FrameItem<'a>>) {
        let State::Header { octets, filled } = &mut self.state else { return (0, None) };
        let mut consumed = 0;
        let (header, length) = if *filled == 0
            && let Some(octets) = input.first_chunk()
        {
            // Nearly always the whole header is there.
            consumed = header_len(octets);
            (parse(octets), consumed as u64)
        } else {
            while *filled < header_len(&octets[..*filled]) {
                let Some(&octet) = input.get(consumed) else {
                    self.offset += consumed as u64;
                    return (consumed, None);
                };
                octets[*filled] = octet;
                *filled += 1;
                consumed += 1;
            }
            (parse(octets), *filled as u64)
        };
        self.offset += consumed as u64;
        let offset = self.offset - length;
        self.state = State::Payload { header, at: 0 };
        self.check_header(&header, offset);
        (consumed, Some(FrameItem::Header { header, offset }))
    }

    fn read_payload<'a>(
        &mut self,
        header: &FrameHeader,
        at: u64,
        input: &'a mut [u8],
    ) -> (usize, Option<FrameItem<'a>>) {
        let left = header.length - at;
        let n = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        if n == 0 {
            return (0, None);
        }
        let data = &mut input[..n];
        if let Some(key) = header.mask {
            mask::apply(key, at, data);
        }
        if !header.opcode.is_control()
            && let Some(text) = self.message.as_mut().and_then(|message| message.text.as_mut())
        {
            let before = text.seen();
            if let Some(bad) = text.push(data) {
                // A character that began in an earlier fragment may turn out ill-formed here.
                let offset = self.offset + bad.saturating_sub(before);
                self.found.push_back(Deviation { violation: Violation::TextIllFormed, offset });
            }
        }
        self.offset += n as u64;
        self.state = State::Payload { header: *header, at: at + n as u64 };
        (n, Some(FrameItem::Payload { data, at }))
    }

    fn end_frame(&mut self, header: &FrameHeader) {
        let offset = self.offset;
        if !header.opcode.is_control() && header.fin {
            let message = self.message.take();
            // Ill-formed text was reported at its octet; what is left is text that breaks off.
            if let Some(text) = message.and_then(|message| message.text)
                && !text.is_complete()
                && text.ill_formed_at().is_none()
            {
                self.find(Violation::TextIllFormed, offset);
            }
        }
    }

    /// Checks in a fixed order, so that the first violation of a frame is always the same.
    fn check_header(&mut self, header: &FrameHeader, offset: u64) {
        let FrameHeader { fin, opcode, length, .. } = *header;
        let starts = matches!(opcode, Opcode::Text | Opcode::Binary);
        // A continuation that continues nothing has one fault; what it says of itself is no other.
        let stray = opcode == Opcode::Continuation && self.message.is_none();
        let granted = if starts || stray { self.granted_rsv } else { 0 };
        match header.rsv & !granted {
            0 => {}
            beyond if beyond & !self.granted_rsv == 0 => {
                self.find(Violation::CompressedBitMisplaced, offset);
            }
            _ => self.find(Violation::ReservedBitSet, offset),
        }
        match (self.sender.masks(), header.mask) {
            (true, None) => self.find(Violation::MaskMissing, offset + 1),
            (false, Some(_)) => self.find(Violation::MaskUnexpected, offset + 1),
            _ => {}
        }
        if opcode.is_control() {
            if !fin {
                self.find(Violation::ControlFragmented, offset);
            }
            if length > 125 {
                self.find(Violation::ControlTooLong, offset + 1);
            }
            if matches!(opcode, Opcode::ReservedControl(_)) {
                self.find(Violation::OpcodeReserved, offset);
            }
            if opcode == Opcode::Close && length == 1 {
                self.find(Violation::CloseBodyOfOneOctet, offset + 1);
            }
        } else {
            if matches!(opcode, Opcode::ReservedData(_)) {
                self.find(Violation::OpcodeReserved, offset);
            }
            self.check_sequence(header, offset);
        }
        if header.form != LengthForm::Shortest.or_shortest(length) {
            self.find(Violation::LengthNotShortest, offset + 1);
        }
        if length >> 63 == 1 {
            self.find(Violation::LengthTooLarge, offset + 2);
        }
    }

    fn check_sequence(&mut self, header: &FrameHeader, offset: u64) {
        let continues = header.opcode == Opcode::Continuation;
        match (&self.message, continues) {
            (None, true) => self.find(Violation::ContinuationWithoutStart, offset),
            (Some(_), false) => self.find(Violation::FrameInsideMessage, offset),
            _ => {}
        }
        // A new frame inside of a message is read as if it continued it.
        if self.message.is_none() {
            let extended = self.granted_rsv != 0 && header.rsv == self.granted_rsv;
            let plain_text = header.opcode == Opcode::Text && !extended;
            self.message = Some(Message { text: plain_text.then(utf8::Validator::new) });
        }
    }

    fn find(&mut self, violation: Violation, offset: u64) {
        self.found.push_back(Deviation { violation, offset });
    }
}

impl State {
    const START: Self = Self::Header { octets: [0; FrameHeader::MAX_OCTETS], filled: 0 };
}

/// How many octets the header has, as far as the first ones tell.
fn header_len(octets: &[u8]) -> usize {
    let Some(second) = octets.get(1) else { return 2 };
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & 0x80 == 0 { 0 } else { 4 }
}

fn parse(octets: &[u8; FrameHeader::MAX_OCTETS]) -> FrameHeader {
    let [first, second, rest @ ..] = octets;
    let (length, form, used) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), LengthForm::Bits16, 2),
        127 => {
            let mut octets = [0; 8];
            octets.copy_from_slice(&rest[..8]);
            (u64::from_be_bytes(octets), LengthForm::Bits64, 8)
        }
        short => (u64::from(short), LengthForm::Bits7, 0),
    };
    let key = [rest[used], rest[used + 1], rest[used + 2], rest[used + 3]];
    FrameHeader {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 0b111,
        opcode: Opcode::from_bits(*first),
        mask: (second & 0x80 != 0).then_some(key),
        length,
        form,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame;

    /// Everything a stream contains, payload pieces joined, so that cuts do not show.
    fn read_all(sender: Role, octets: &[u8], cuts: &[usize]) -> Vec<String> {
        let mut reader = FrameReader::new(sender);
        let mut seen = Vec::new();
        let mut payload = Vec::new();
        let mut start = 0;
        for &cut in cuts.iter().chain([&octets.len()]) {
            let mut chunk = octets[start..cut.clamp(start, octets.len())].to_vec();
            start += chunk.len();
            let mut rest = &mut chunk[..];
            loop {
                let (n, item) = reader.read(rest);
                match item {
                    None => break,
                    Some(FrameItem::Header { header, offset }) => {
                        payload.clear();
                        seen.push(format!(
                            "{} {} at {offset}",
                            header.opcode.name(),
                            header.length
                        ));
                    }
                    Some(FrameItem::Violation(d)) => {
                        seen.push(format!("{:?} at {}", d.violation, d.offset));
                    }
                    Some(FrameItem::Payload { data, .. }) => payload.extend_from_slice(data),
                    Some(FrameItem::End { .. }) => seen.push(format!("end {payload:02x?}")),
                }
                rest = &mut rest[n..];
            }
        }
        seen
    }

    fn check(sender: Role, octets: &[u8], expected: &[&str]) {
        assert_eq!(read_all(sender, octets, &[]), expected);
        let every: Vec<usize> = (0..octets.len()).collect();
        let cut: Vec<_> = read_all(sender, octets, &every);
        assert_eq!(cut, expected, "octet by octet");
    }

    #[test]
    fn a_masked_text_from_a_client() {
        let octets = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        check(Role::Client, &octets, &["text 5 at 0", "end [48, 65, 6c, 6c, 6f]"]);
    }

    #[test]
    fn masking_is_checked_by_role() {
        check(Role::Client, &[0x89, 0x00], &["ping 0 at 0", "MaskMissing at 1", "end []"]);
        check(
            Role::Server,
            &[0x89, 0x80, 1, 2, 3, 4],
            &["ping 0 at 0", "MaskUnexpected at 1", "end []"],
        );
    }

    #[test]
    fn control_frames_are_short_and_whole() {
        check(
            Role::Server,
            &[0x09, 126, 0, 1, 0xaa],
            &["ping 1 at 0", "ControlFragmented at 0", "LengthNotShortest at 1", "end [aa]"],
        );
        check(
            Role::Server,
            &[0x88, 0x01, 0x03],
            &["close 1 at 0", "CloseBodyOfOneOctet at 1", "end [03]"],
        );
        check(
            Role::Server,
            &[0xbb, 0x00],
            &[
                "reserved control frame 0 at 0",
                "ReservedBitSet at 0",
                "OpcodeReserved at 0",
                "end []",
            ],
        );
    }

    #[test]
    fn fragments_come_in_sequence() {
        check(
            Role::Server,
            &[0x80, 0x00, 0x01, 0x00, 0x82, 0x00],
            &[
                "continuation 0 at 0",
                "ContinuationWithoutStart at 0",
                "end []",
                "text 0 at 2",
                "end []",
                "binary 0 at 4",
                "FrameInsideMessage at 4",
                "end []",
            ],
        );
    }

    #[test]
    fn text_is_validated_across_fragments() {
        check(
            Role::Server,
            &[0x01, 0x01, 0xce, 0x89, 0x00, 0x80, 0x01, 0xba],
            &[
                "text 1 at 0",
                "end [ce]",
                "ping 0 at 3",
                "end []",
                "continuation 1 at 5",
                "end [ba]",
            ],
        );
        check(
            Role::Server,
            &[0x81, 0x03, 0xed, 0xa0, 0x80],
            &["text 3 at 0", "TextIllFormed at 3", "end [ed, a0, 80]"],
        );
        check(
            Role::Server,
            &[0x81, 0x01, 0xce],
            &["text 1 at 0", "end [ce]", "TextIllFormed at 3"],
        );
    }

    #[test]
    fn a_length_of_two_to_the_63_costs_nothing() {
        let octets = [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3];
        check(Role::Server, &octets, &["binary 9223372036854775808 at 0", "LengthTooLarge at 2"]);
    }

    proptest! {
        #[test]
        fn any_octets_read_alike_however_they_are_cut(
            octets in prop::collection::vec(
                prop_oneof![any::<u8>(), 0u8..4, Just(0x81), Just(0x01), Just(0x80)], 0..80),
            mut cuts in prop::collection::vec(0usize..80, 0..8),
            server: bool,
        ) {
            cuts.sort_unstable();
            let sender = if server { Role::Server } else { Role::Client };
            // A violation inside a payload is met before or after the rest of the payload's
            // frame is read; the order of items is the same because payload is joined.
            prop_assert_eq!(read_all(sender, &octets, &[]), read_all(sender, &octets, &cuts));
        }

        #[test]
        fn what_is_written_is_read_back(
            fin: bool, rsv in 0u8..8, bits in 0u8..16, mask: Option<[u8; 4]>,
            payload in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let header = FrameHeader {
                fin, rsv, mask, ..FrameHeader::new(Opcode::from_bits(bits), payload.len() as u64)
            };
            let mut octets = Vec::new();
            frame::encode(&header, &payload, &mut octets);
            let mut reader = FrameReader::new(Role::Server);
            let (n, item) = reader.read(&mut octets);
            let form = LengthForm::Shortest.or_shortest(header.length);
            prop_assert_eq!(
                item, Some(FrameItem::Header { header: FrameHeader { form, ..header }, offset: 0 }));
            let mut read = Vec::new();
            let mut rest = &mut octets[n..];
            while let (n, Some(item)) = reader.read(rest) {
                if let FrameItem::Payload { data, .. } = item {
                    read.extend_from_slice(data);
                }
                rest = &mut rest[n..];
            }
            prop_assert_eq!(read, payload);
        }
    }
}
