//! Wire statistics: octets by the size of a read or write, frames by opcode; all bounded.

use std::{collections::BTreeMap, time::Duration};

use wsproof_engine::{Outcome, Stats, Traffic, Volume};
use wsproof_proto::Opcode;

use crate::log::millis;

/// Sizes that have a row of their own.
const MAX_SIZES: usize = 24;

/// Octets by the size of a read or a write.
pub(super) struct OctetTable {
    pub(super) heading: &'static str,
    pub(super) rows: Vec<OctetRow>,
}

pub(super) struct OctetRow {
    pub(super) size: String,
    pub(super) count: u64,
    pub(super) octets: u64,
    pub(super) class: &'static str,
}

/// Frames by opcode.
pub(super) struct FrameTable {
    pub(super) heading: &'static str,
    /// Opcode and name, count, class.
    pub(super) rows: Vec<(String, u64, &'static str)>,
}

pub(super) fn octet_tables(stats: &Stats) -> [OctetTable; 2] {
    [
        OctetTable::new("Octets received, by size of a read", &stats.read_sizes),
        OctetTable::new("Octets sent, by size of a write", &stats.write_sizes),
    ]
}

pub(super) fn frame_tables(stats: &Stats) -> [FrameTable; 2] {
    [
        FrameTable::new("Frames received, by opcode", &stats.frames_received),
        FrameTable::new("Frames sent, by opcode", &stats.frames_sent),
    ]
}

impl OctetTable {
    fn new(heading: &'static str, sizes: &BTreeMap<usize, u64>) -> Self {
        let octets = |(size, count): (&usize, &u64)| (*size as u64).saturating_mul(*count);
        let sum = |rows: &[(&usize, &u64)]| {
            rows.iter().fold((0u64, 0u64), |(counts, total), row| {
                (counts.saturating_add(*row.1), total.saturating_add(octets(*row)))
            })
        };
        // Those that carried most get a row.
        let mut by_weight: Vec<_> = sizes.iter().collect();
        by_weight.sort_by_key(|row| (std::cmp::Reverse(octets(*row)), *row.0));
        let rest = by_weight.split_off(by_weight.len().min(MAX_SIZES));
        by_weight.sort();
        let mut rows: Vec<_> = by_weight
            .iter()
            .map(|row| OctetRow {
                size: row.0.to_string(),
                count: *row.1,
                octets: octets(*row),
                class: "",
            })
            .collect();
        if !rest.is_empty() {
            let (count, octets) = sum(&rest);
            let size = format!("and {} more sizes", rest.len());
            rows.push(OctetRow { size, count, octets, class: "muted" });
        }
        let all: Vec<_> = sizes.iter().collect();
        let (count, octets) = sum(&all);
        rows.push(OctetRow { size: "total".to_owned(), count, octets, class: "total" });
        Self { heading, rows }
    }
}

impl FrameTable {
    fn new(heading: &'static str, counts: &BTreeMap<u8, u64>) -> Self {
        // Four bits on the wire; a stored file may claim anything.
        let known = counts.iter().filter(|(opcode, _)| **opcode < 16);
        let mut rows: Vec<_> = known
            .map(|(opcode, count)| {
                let name = Opcode::from_bits(*opcode).name();
                (format!("{opcode} ({name})"), *count, "")
            })
            .collect();
        let total = rows.iter().fold(0u64, |total, (_, count, _)| total.saturating_add(*count));
        rows.push(("total".to_owned(), total, "total"));
        Self { heading, rows }
    }
}

/// What a measured case came to: name and value.
pub(super) fn figures(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let Some(opened) = outcome.opened_at else { return Vec::new() };
    // Waiting for the end of TCP is no part of the work.
    let closing = &outcome.closing;
    let closed = closing.local_close_at.into_iter().chain(closing.remote_close_at).min();
    let busy = closed.unwrap_or(outcome.ended_at).saturating_sub(opened);
    let mut figures = vec![
        ("From the opening of the WebSocket to the end of TCP", ms(outcome.duration())),
        ("From the opening of the WebSocket to the first close frame", ms(busy)),
        ("Messages received whole", outcome.echoes.to_string()),
        ("Octets received after the opening handshake", outcome.octets_received.to_string()),
    ];
    if !busy.is_zero() {
        let messages = rate(u64::from(outcome.echoes), busy);
        figures.push(("Messages received a second, up to that close frame", messages));
        let octets = rate(outcome.octets_received, busy);
        figures.push(("Octets received a second, up to that close frame", octets));
    }
    figures
}

fn ms(time: Duration) -> String {
    format!("{} ms", millis(time))
}

/// How much data went both ways: name, received and sent.
pub(super) fn traffic(traffic: &Traffic) -> Vec<(&'static str, [String; 2])> {
    let Traffic { incoming, outgoing } = traffic;
    let both = |value: fn(&Volume) -> String| [value(incoming), value(outgoing)];
    vec![
        ("messages", both(|volume| volume.messages.to_string())),
        ("frames", both(|volume| volume.frames.to_string())),
        ("octets of the messages", both(|volume| volume.app_octets.to_string())),
        ("octets of the frames' payloads", both(|volume| volume.payload_octets.to_string())),
        ("octets on the wire, with headers", both(|volume| volume.wire_octets.to_string())),
        ("compression: payloads / messages", both(compression)),
        ("overhead: headers / payloads", both(overhead)),
    ]
}

/// `[in/out]`: what is left of the messages after compression.
pub(super) fn ratios(traffic: &Traffic) -> String {
    format!("[{}/{}]", compression(&traffic.incoming), compression(&traffic.outgoing))
}

fn compression(volume: &Volume) -> String {
    ratio(volume.payload_octets, volume.app_octets)
}

fn overhead(volume: &Volume) -> String {
    ratio(volume.wire_octets.saturating_sub(volume.payload_octets), volume.payload_octets)
}

/// A ratio with three decimals.
fn ratio(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "none".to_owned();
    }
    let thousandths = (u128::from(part) * 2000 + u128::from(whole)) / (u128::from(whole) * 2);
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// So many a second, without claiming more digits than a measurement has.
fn rate(count: u64, time: Duration) -> String {
    let micros = time.as_micros().max(1);
    let a_second = u128::from(count) * 1_000_000 / micros;
    match a_second {
        0..10_000 => a_second.to_string(),
        10_000..10_000_000 => format!("{} thousand", a_second / 1000),
        _ => format!("{} million", a_second / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sizes: &[(usize, u64)], expected: &[&str]) {
        let table = OctetTable::new("", &sizes.iter().copied().collect());
        let rows =
            table.rows.iter().map(|row| format!("{} {} {}", row.size, row.count, row.octets));
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn octets_are_added_up() {
        check(&[(4, 1), (260, 996)], &["4 1 4", "260 996 258960", "total 997 258964"]);
        check(&[], &["total 0 0"]);
        check(
            &[(2, u64::MAX), (usize::MAX, 2)],
            &[
                "2 18446744073709551615 18446744073709551615",
                "18446744073709551615 2 18446744073709551615",
                "total 18446744073709551615 18446744073709551615",
            ],
        );
    }

    #[test]
    fn the_smallest_of_many_sizes_share_a_row() {
        let sizes: BTreeMap<usize, u64> = (1..=5000).map(|size| (size, 1)).collect();
        let table = OctetTable::new("", &sizes);
        assert_eq!(table.rows.len(), MAX_SIZES + 2);
        assert_eq!(table.rows[0].size, "4977");
        let rest = &table.rows[MAX_SIZES];
        assert_eq!((rest.size.as_str(), rest.count), ("and 4976 more sizes", 4976));
        assert_eq!(rest.octets, 4976 * 4977 / 2);
        assert_eq!(table.rows[MAX_SIZES + 1].octets, 5000 * 5001 / 2);
    }

    #[test]
    fn ratios_have_three_decimals() {
        assert_eq!(ratio(1, 3), "0.333");
        assert_eq!(ratio(2, 3), "0.667");
        assert_eq!(ratio(1999, 1000), "1.999");
        assert_eq!(ratio(u64::MAX, u64::MAX), "1.000");
        assert_eq!(ratio(5, 0), "none");
        let incoming = Volume { app_octets: 8, payload_octets: 1, ..Volume::default() };
        let both = Traffic { incoming, outgoing: Volume::default() };
        assert_eq!(ratios(&both), "[0.125/none]");
    }

    #[test]
    fn rates_have_few_digits() {
        let second = Duration::from_secs(1);
        assert_eq!(rate(9_999, second), "9999");
        assert_eq!(rate(123_456, second), "123 thousand");
        assert_eq!(rate(1 << 30, second), "1073 million");
        assert_eq!(rate(5, Duration::from_nanos(1)), "5000 thousand");
    }
}
