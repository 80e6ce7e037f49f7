//! The run of a case without sockets: the transcript of many frames, echo loops, and the comparison
//! of large echoes while they arrive.

#[path = "../../proto/benches/counted/mod.rs"]
mod counted;

use std::{hint::black_box, sync::Arc, time::Duration};

use counted::{Counted, count};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use wsproof_engine::{
    Case, Grade, Input, Kind, Run, RunConfig, Section, Series, Step, Target, binary_message, echo,
    fill, secs, text_message,
};
use wsproof_proto::{FrameHeader, Opcode, Role, frame};

/// A usual small message.
const SMALL: u64 = 125;

/// A longer payload would be hashed when it is logged, at the speed of the processor's own
/// instructions for that.
const UNHASHED: u64 = 64;

const UNLOGGED: Step = Step::WireLog { on: false, noted: false };

/// What is read from a socket in one go.
const READ: usize = 64 << 10;

/// Each in a read of its own, so many fit into a transcript.
const FRAMES: u32 = 700;

const COUNTED: [Counted; 4] = [
    Counted {
        name: "log a frame of 64 octets",
        times: FRAMES,
        work: |n| {
            let (mut run, mut octets) = (waiting(Kind::Text, 1), message(Kind::Text, UNHASHED));
            count(|| (0..n).for_each(|_| take(&mut run, &mut octets)));
        },
    },
    Counted {
        name: "echo in a loop, 125 octets",
        times: 1000,
        work: |n| {
            let (mut run, mut octets) = (looping(n, SMALL), message(Kind::Text, SMALL));
            count(|| go_round(&mut run, &mut octets));
        },
    },
    Counted {
        name: "compare 64 KiB of an echo, text",
        times: 16,
        work: |n| {
            count_echo(Kind::Text, u64::from(n) * READ as u64);
        },
    },
    Counted {
        name: "compare 64 KiB of an echo, binary",
        times: 16,
        work: |n| {
            count_echo(Kind::Binary, u64::from(n) * READ as u64);
        },
    },
];

fn main() {
    counted::run(&COUNTED, |criterion| {
        small_frames(criterion);
        large_echoes(criterion);
    });
}

fn small_frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run");
    group.throughput(Throughput::Elements(FRAMES.into()));
    let mut octets = message(Kind::Text, UNHASHED);
    group.bench_function("frames in the transcript", |bencher| {
        let work = |mut run| {
            (0..FRAMES).for_each(|_| take(&mut run, &mut octets));
            run
        };
        bencher.iter_batched(|| waiting(Kind::Text, 1), work, BatchSize::LargeInput);
    });
    let mut octets = message(Kind::Text, SMALL);
    group.bench_function("echoes in a loop", |bencher| {
        let work = |mut run| {
            go_round(&mut run, &mut octets);
            run
        };
        bencher.iter_batched(|| looping(FRAMES, SMALL), work, BatchSize::LargeInput);
    });
}

fn large_echoes(criterion: &mut Criterion) {
    const WHOLE: u64 = 16 << 20;
    let mut group = criterion.benchmark_group("compare");
    group.throughput(Throughput::Bytes(WHOLE));
    for kind in [Kind::Text, Kind::Binary] {
        let mut octets = message(kind, WHOLE);
        group.bench_function(BenchmarkId::new(kind.name(), "one of 16 MiB"), |bencher| {
            let work = |mut run| {
                take(&mut run, &mut octets);
                run
            };
            bencher.iter_batched(|| waiting(kind, WHOLE), work, BatchSize::PerIteration);
        });
    }
    let octets = message(Kind::Binary, WHOLE);
    let mut copy = octets.clone();
    group.bench_function(BenchmarkId::new("memcpy", "one of 16 MiB"), |bencher| {
        bencher.iter(|| {
            for (to, from) in copy.chunks_mut(READ).zip(octets.chunks(READ)) {
                black_box(to).copy_from_slice(black_box(from));
            }
        });
    });
}

fn count_echo(kind: Kind, size: u64) {
    let (mut run, mut octets) = (waiting(kind, size), message(kind, size));
    count(|| take(&mut run, &mut octets));
}

/// Feeds the run as a socket would.
fn take(run: &mut Run, octets: &mut [u8]) {
    for octets in octets.chunks_mut(READ) {
        run.handle(0, Duration::ZERO, Input::Octets(black_box(octets)));
    }
}

/// Answers each message of a loop until the run closes.
fn go_round(run: &mut Run, answer: &mut [u8]) {
    let mut buf = Vec::new();
    loop {
        while run.poll_transmit(0, Duration::ZERO, &mut buf).is_some() {}
        // The first octet has the opcode.
        if black_box(&buf)[0] & 0x0f == Opcode::Close.bits() {
            return;
        }
        buf.clear();
        run.handle(0, Duration::ZERO, Input::Octets(black_box(answer)));
    }
}

fn looping(times: u32, size: u64) -> Run {
    let series = Series::Same(fill(b'*', size));
    opened(|case| case.step(UNLOGGED).close_after(secs(60)).echo_loop(times, Kind::Text, series))
}

/// A run that has sent a message and waits for its echo.
fn waiting(kind: Kind, size: u64) -> Run {
    let payload = fill(b'*', size);
    let message = match kind {
        Kind::Text => text_message(payload),
        Kind::Binary => binary_message(payload),
    };
    let mut run = opened(|case| {
        // What is large is sent by cases that log nothing.
        let case = if size > UNHASHED { case.step(UNLOGGED) } else { case };
        case.send(message).accept(Grade::Strict, [echo()])
    });
    let mut buf = Vec::new();
    while run.poll_transmit(0, Duration::ZERO, &mut buf).is_some() {
        buf.clear();
    }
    run
}

fn opened(write: impl FnOnce(&mut Case) -> &mut Case) -> Run {
    let mut section = Section::new();
    write(section.case("1.1", "measured"));
    let case = section.into_cases().swap_remove(0);
    let config = RunConfig::new(Role::Client, Target::new("host", "/"), 1);
    Run::opened(Arc::new(case), config, Duration::ZERO)
}

/// What a server sends; not being masked, it can be read again.
fn message(kind: Kind, size: u64) -> Vec<u8> {
    let opcode = match kind {
        Kind::Text => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    };
    let mut out = Vec::new();
    frame::encode(&FrameHeader::new(opcode, size), &fill(b'*', size).to_vec(), &mut out);
    out
}
