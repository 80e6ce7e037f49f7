//! The blocks of pcapng, and segments of TCP over IPv4 inside them. Little-endian throughout.

use std::time::Duration;

/// Packets begin with an IP header.
const LINKTYPE_RAW: u16 = 101;
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
/// Nanoseconds.
const RESOLUTION: u8 = 9;
/// Octets of the headers of IP and TCP.
const HEADERS: usize = 40;
const PROTOCOL_TCP: u8 = 6;

/// A capture under way.
pub(super) struct Capture {
    octets: Vec<u8>,
    /// Nanoseconds since 1970 at which it began.
    began: i128,
}

/// The header of a segment: addresses with ports, and numbers that are cut to 32 bits.
pub(super) struct Segment {
    pub(super) from: ([u8; 4], u16),
    pub(super) to: ([u8; 4], u16),
    pub(super) seq: u64,
    pub(super) ack: u64,
    pub(super) flags: u8,
}

impl Capture {
    pub(super) fn new(comment: &str, began: i128) -> Self {
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend(1_u16.to_le_bytes());
        section.extend(0_u16.to_le_bytes());
        // The length of the section is not given.
        section.extend((-1_i64).to_le_bytes());
        option(&mut section, OPT_COMMENT, comment.as_bytes());
        let program = concat!("wsproof ", env!("CARGO_PKG_VERSION"));
        option(&mut section, SHB_USERAPPL, program.as_bytes());
        end_of_options(&mut section);
        let mut interface = Vec::new();
        interface.extend(LINKTYPE_RAW.to_le_bytes());
        interface.extend([0, 0]);
        // No limit to the length of packets.
        interface.extend(0_u32.to_le_bytes());
        option(&mut interface, IF_NAME, b"transcript");
        option(&mut interface, IF_TSRESOL, &[RESOLUTION]);
        end_of_options(&mut interface);
        let mut octets = Vec::new();
        block(&mut octets, SECTION_HEADER, &section);
        block(&mut octets, INTERFACE_DESCRIPTION, &interface);
        Self { octets, began }
    }

    /// A segment with `len` octets, the first of which are `payload`.
    pub(super) fn segment(
        &mut self,
        at: Duration,
        segment: &Segment,
        payload: &[u8],
        len: u64,
        comment: Option<&str>,
    ) {
        let whole = HEADERS + usize::try_from(len).unwrap_or_default();
        let mut packet = segment.headers(payload, whole);
        packet.extend_from_slice(payload);
        let nanos = self.began + i128::try_from(at.as_nanos()).unwrap_or_default();
        let nanos = u64::try_from(nanos).unwrap_or_default();
        let mut body = Vec::new();
        body.extend(0_u32.to_le_bytes());
        body.extend(low(nanos >> 32).to_le_bytes());
        body.extend(low(nanos).to_le_bytes());
        body.extend(low(packet.len() as u64).to_le_bytes());
        body.extend(low(whole as u64).to_le_bytes());
        body.extend(&packet);
        pad(&mut body);
        if let Some(comment) = comment {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
            end_of_options(&mut body);
        }
        block(&mut self.octets, ENHANCED_PACKET, &body);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.octets
    }
}

impl Segment {
    /// The headers of IP and TCP. Without all octets there is no checksum of TCP.
    fn headers(&self, payload: &[u8], whole: usize) -> Vec<u8> {
        let ((source, from), (destination, to)) = (self.from, self.to);
        let total = u16::try_from(whole).unwrap_or(u16::MAX).to_be_bytes();
        let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, PROTOCOL_TCP, 0, 0];
        ip.extend(source);
        ip.extend(destination);
        let sum = checksum(&[&ip]).to_be_bytes();
        ip[10..12].copy_from_slice(&sum);
        let mut tcp = Vec::new();
        tcp.extend(from.to_be_bytes());
        tcp.extend(to.to_be_bytes());
        tcp.extend(low(self.seq).to_be_bytes());
        tcp.extend(low(self.ack).to_be_bytes());
        tcp.extend([0x50, self.flags]);
        tcp.extend(u16::MAX.to_be_bytes());
        tcp.extend([0, 0, 0, 0]);
        if whole == HEADERS + payload.len() {
            let length = u16::try_from(whole - 20).unwrap_or(u16::MAX).to_be_bytes();
            let pseudo = [0, PROTOCOL_TCP, length[0], length[1]];
            let sum = checksum(&[&source, &destination, &pseudo, &tcp, payload]).to_be_bytes();
            tcp[16..18].copy_from_slice(&sum);
        }
        ip.extend(tcp);
        ip
    }
}

/// The checksum of IP and TCP (RFC 1071). All parts but the last have even lengths.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = low(body.len() as u64 + 12).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(length);
    out.extend(body);
    out.extend(length);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(value);
    pad(out);
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

/// Fills up to 32 bits. Blocks and their parts begin at multiples of that.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The low 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "this is what it is for")]
const fn low(n: u64) -> u32 {
    n as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_begins_with_its_section_and_its_interface() {
        let program = concat!("wsproof ", env!("CARGO_PKG_VERSION"));
        assert_eq!(program.len(), 13, "the literal below is made for it");
        let mut expected = b"\x0a\x0d\x0d\x0a\x3c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0".to_vec();
        expected.extend([0xff; 8]);
        expected.extend(b"\x01\0\x02\0hi\0\0\x04\0\x0d\0");
        expected.extend(program.bytes());
        expected.extend(b"\0\0\0\0\0\0\0\x3c\0\0\0");
        expected.extend(b"\x01\0\0\0\x30\0\0\0\x65\0\0\0\0\0\0\0");
        expected.extend(b"\x02\0\x0a\0transcript\0\0\x09\0\x01\0\x09\0\0\0\0\0\0\0\x30\0\0\0");
        assert_eq!(Capture::new("hi", 0).finish(), expected);
    }

    #[test]
    fn a_packet_that_was_cut_says_how_long_it_was() {
        let mut capture = Capture { octets: Vec::new(), began: 0x1_0000_0001 };
        let segment = Segment {
            from: ([1, 2, 3, 4], 80),
            to: ([5, 6, 7, 8], 81),
            seq: 1 << 32 | 2,
            ack: 3,
            flags: 0x18,
        };
        capture.segment(Duration::from_nanos(1), &segment, b"ab", 7, Some("c"));
        let octets = capture.finish();
        let head = b"\x06\0\0\0\x58\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x2a\0\0\0\x2f\0\0\0";
        assert_eq!(octets[..28], *head);
        let ip = b"\x45\0\0\x2f\0\0\x40\0\x40\x06\x2a\xb6\x01\x02\x03\x04\x05\x06\x07\x08";
        assert_eq!(octets[28..48], *ip);
        let tcp = b"\0\x50\0\x51\0\0\0\x02\0\0\0\x03\x50\x18\xff\xff\0\0\0\0ab\0\0";
        assert_eq!(octets[48..72], *tcp);
        assert_eq!(octets[72..], *b"\x01\0\x01\0c\0\0\0\0\0\0\0\x58\0\0\0");
    }

    #[test]
    fn a_whole_packet_has_a_checksum() {
        let segment =
            Segment { from: ([10, 0, 0, 1], 1), to: ([10, 0, 0, 2], 2), seq: 0, ack: 0, flags: 2 };
        let headers = segment.headers(b"", HEADERS);
        let pseudo = [0, 6, 0, 20];
        // A sum over all with its checksum is zero.
        assert_eq!(checksum(&[&headers[12..20], &pseudo, &headers[20..]]), 0);
        assert_eq!(checksum(&[&headers[..20]]), 0);
    }
}
