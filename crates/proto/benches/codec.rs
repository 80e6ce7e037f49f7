//! The codec: masking and UTF-8 beside a copy of the same octets, the frame writer and the reader.

mod counted;

use std::{hint::black_box, iter};

use counted::{Counted, count};
use criterion::{BenchmarkId, Criterion, Throughput};
use wsproof_proto::{
    FrameHeader, FrameItem, FrameReader, Opcode, Role, frame, mask, utf8::Validator,
};

const SIZES: [usize; 11] =
    [16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Leaves octets as they are, so that they can be read again, and costs what any key costs.
const ZERO_KEY: [u8; 4] = [0; 4];

/// The largest control frame, and a usual small message.
const SMALL: usize = 125;

/// What is read from a socket in one go.
const READ: usize = 64 << 10;

/// An odd length, so that characters are cut.
const PIECE: usize = 4099;

const COUNTED: [Counted; 12] = [
    Counted { name: "mask 125 octets", times: 1000, work: |n| count_mask(n, SMALL) },
    Counted { name: "mask 64 KiB", times: 10, work: |n| count_mask(n, READ) },
    Counted {
        name: "validate 125 octets, ASCII",
        times: 1000,
        work: |n| {
            count_text(n, &ascii(SMALL), SMALL);
        },
    },
    Counted {
        name: "validate 64 KiB, ASCII",
        times: 10,
        work: |n| {
            count_text(n, &ascii(READ), READ);
        },
    },
    Counted {
        name: "validate 64 KiB, mixed",
        times: 10,
        work: |n| {
            count_text(n, &mixed(READ), READ);
        },
    },
    Counted {
        name: "validate 64 KiB, mixed, in pieces of 4099",
        times: 10,
        work: |n| {
            count_text(n, &mixed(READ), PIECE);
        },
    },
    Counted {
        name: "write a frame of 125 octets",
        times: 1000,
        work: |n| {
            count_write(n, None, SMALL);
        },
    },
    Counted {
        name: "write a masked frame of 125 octets",
        times: 1000,
        work: |n| {
            count_write(n, Some(KEY), SMALL);
        },
    },
    Counted {
        name: "read a text frame of 125 octets",
        times: 1000,
        work: |n| {
            count_read(Role::Server, &frames(n, Opcode::Text, None, SMALL));
        },
    },
    Counted {
        name: "read a masked binary frame of 125 octets",
        times: 1000,
        work: |n| {
            count_read(Role::Client, &frames(n, Opcode::Binary, Some(KEY), SMALL));
        },
    },
    Counted {
        name: "read 64 KiB of a text frame",
        times: 16,
        work: |n| {
            count_read(Role::Server, &frames(1, Opcode::Text, None, n as usize * READ));
        },
    },
    Counted {
        name: "read 64 KiB of a masked binary frame",
        times: 16,
        work: |n| {
            count_read(Role::Client, &frames(1, Opcode::Binary, Some(KEY), n as usize * READ));
        },
    },
];

fn main() {
    counted::run(&COUNTED, |criterion| {
        masking(criterion);
        validation(criterion);
        writing(criterion);
        reading(criterion);
    });
}

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let (mut octets, copied) = (ascii(size + 3), ascii(size));
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            bencher.iter(|| black_box(&mut octets[..size]).copy_from_slice(black_box(&copied)));
        });
        // A payload begins anywhere in what was read, so the octets move with the key.
        for offset in 0..4 {
            let octets = &mut octets[offset..offset + size];
            group.bench_function(BenchmarkId::new(format!("offset {offset}"), size), |bencher| {
                bencher.iter(|| mask::apply(black_box(KEY), offset as u64, black_box(octets)));
            });
        }
    }
}

fn validation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("utf8");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let (ascii, mixed, mut copy) = (ascii(size), mixed(size), vec![0; size]);
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&ascii)));
        });
        for (name, text, piece) in [
            ("ascii", &ascii, size),
            ("mixed", &mixed, size),
            ("mixed in pieces of 4099", &mixed, PIECE),
        ] {
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| validate(black_box(text), piece));
            });
        }
    }
}

fn writing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    for size in [SMALL, READ] {
        let payload = ascii(size);
        group.throughput(Throughput::Bytes(size as u64));
        for (name, key) in [("frame", None), ("masked frame", Some(KEY))] {
            let mut out = Vec::new();
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    write(key, black_box(&payload), &mut out);
                    black_box(&out);
                });
            });
        }
        let mut out = payload.clone();
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            bencher.iter(|| black_box(&mut out).copy_from_slice(black_box(&payload)));
        });
    }
}

fn reading(criterion: &mut Criterion) {
    const WHOLE: usize = 16 << 20;
    let mut group = criterion.benchmark_group("read");
    for (what, count, size) in [("1000 frames of 125", 1000, SMALL), ("one of 16 MiB", 1, WHOLE)] {
        group.throughput(Throughput::Bytes(u64::from(count) * size as u64));
        for (name, sender, opcode, key) in [
            ("text", Role::Server, Opcode::Text, None),
            ("binary", Role::Server, Opcode::Binary, None),
            ("masked text", Role::Client, Opcode::Text, Some(ZERO_KEY)),
            ("masked binary", Role::Client, Opcode::Binary, Some(ZERO_KEY)),
        ] {
            let mut octets = frames(count, opcode, key, size);
            group.bench_function(BenchmarkId::new(name, what), |bencher| {
                bencher.iter(|| read(&mut FrameReader::new(sender), black_box(&mut octets)));
            });
        }
        let octets = ascii(count as usize * size);
        let mut copy = octets.clone();
        group.bench_function(BenchmarkId::new("memcpy", what), |bencher| {
            bencher.iter(|| {
                for (to, from) in copy.chunks_mut(READ).zip(octets.chunks(READ)) {
                    black_box(to).copy_from_slice(black_box(from));
                }
            });
        });
    }
}

fn count_mask(times: u32, size: usize) {
    let mut octets = ascii(size);
    count(|| {
        for offset in 0..times {
            mask::apply(black_box(KEY), u64::from(offset), black_box(&mut octets));
        }
    });
}

fn count_text(times: u32, text: &[u8], piece: usize) {
    count(|| (0..times).for_each(|_| validate(black_box(text), piece)));
}

fn count_write(times: u32, key: Option<[u8; 4]>, size: usize) {
    let payload = ascii(size);
    let mut out = Vec::with_capacity(times as usize * (size + FrameHeader::MAX_OCTETS));
    count(|| (0..times).for_each(|_| write(black_box(key), black_box(&payload), &mut out)));
}

fn count_read(sender: Role, octets: &[u8]) {
    let (mut octets, mut reader) = (octets.to_vec(), FrameReader::new(sender));
    count(|| read(&mut reader, black_box(&mut octets)));
}

fn validate(text: &[u8], piece: usize) {
    let mut validator = Validator::new();
    for piece in text.chunks(piece) {
        black_box(validator.push(piece));
    }
    assert!(validator.ill_formed_at().is_none(), "the text is well formed");
}

fn write(key: Option<[u8; 4]>, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader { mask: key, ..FrameHeader::new(Opcode::Text, payload.len() as u64) };
    frame::encode(&header, payload, out);
}

fn read(reader: &mut FrameReader, octets: &mut [u8]) {
    let mut ends = 0;
    for mut rest in octets.chunks_mut(READ) {
        while let (n, Some(item)) = reader.read(rest) {
            ends += u32::from(matches!(black_box(item), FrameItem::End { .. }));
            rest = &mut rest[n..];
        }
    }
    assert!(ends > 0, "whole frames were read");
}

fn frames(count: u32, opcode: Opcode, key: Option<[u8; 4]>, size: usize) -> Vec<u8> {
    let header = FrameHeader { mask: key, ..FrameHeader::new(opcode, size as u64) };
    let mut out = Vec::new();
    (0..count).for_each(|_| frame::encode(&header, &ascii(size), &mut out));
    out
}

fn ascii(size: usize) -> Vec<u8> {
    repeat("Sphinx of black quartz, judge my vow. ", size)
}

/// Characters of one to four octets.
fn mixed(size: usize) -> Vec<u8> {
    repeat("aä€😀 Falsches Üben von Xylophonmusik quält jeden größeren Zwerg ", size)
}

/// A text repeated and cut to `size` octets, so that its last character may be cut too.
fn repeat(unit: &str, size: usize) -> Vec<u8> {
    iter::repeat(unit.as_bytes()).flatten().copied().take(size).collect()
}
