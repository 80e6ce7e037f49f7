//! The testee's own receiver and sender: messages that arrive and go back, without sockets.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wsproof_proto::{FrameHeader, Opcode, frame};
use wsproof_testee::endpoint::{ClientConfig, Endpoint, Input, ServerConfig, Transmit};

/// What is read from a socket in one go.
const READ: usize = 64 << 10;

/// Leaves octets as they are, so that they can be read again, and costs what any key costs.
const ZERO_KEY: [u8; 4] = [0; 4];

criterion_main!(benches);
criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = receiving
}

fn receiving(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("endpoint");
    for (what, count, size) in
        [("1000 of 125", 1000, 125), ("one of 64 KiB", 1, 65_000), ("one of 16 MiB", 1, 16 << 20)]
    {
        group.throughput(Throughput::Bytes(count as u64 * size as u64));
        for (name, opcode, echoes) in [
            ("text received", Opcode::Text, false),
            ("binary received", Opcode::Binary, false),
            ("text echoed", Opcode::Text, true),
            ("binary echoed", Opcode::Binary, true),
        ] {
            let (mut server, mut octets) = (opened(echoes), frames(count, opcode, size));
            group.bench_function(BenchmarkId::new(name, what), |bencher| {
                bencher.iter(|| take(&mut server, &mut octets));
            });
        }
        // Pages of zeros that nobody wrote may be one and the same.
        let octets = vec![b'*'; count * size];
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

/// Feeds the server as a socket would, and takes what it says.
fn take(server: &mut Endpoint, octets: &mut [u8]) {
    for octets in octets.chunks_mut(READ) {
        server.handle(Duration::ZERO, Input::Octets(black_box(octets)));
        while let Some(transmit) = server.poll_transmit(Duration::ZERO) {
            black_box(transmit);
        }
        while let Some(event) = server.poll_event() {
            black_box(event);
        }
    }
    assert!(server.is_open(), "nothing was wrong");
}

/// A server whose opening handshake is over.
fn opened(echoes: bool) -> Endpoint {
    let server = Endpoint::server(ServerConfig::default());
    let mut server = if echoes { server.echo() } else { server };
    let mut client = Endpoint::client(ClientConfig::new("host", "/", [1; 32]));
    while let Some(Transmit::Octets(mut octets)) = client.poll_transmit(Duration::ZERO) {
        take(&mut server, &mut octets);
    }
    server
}

fn frames(count: usize, opcode: Opcode, size: usize) -> Vec<u8> {
    let header = FrameHeader { mask: Some(ZERO_KEY), ..FrameHeader::new(opcode, size as u64) };
    let mut out = Vec::new();
    (0..count).for_each(|_| frame::encode(&header, &vec![b'*'; size], &mut out));
    out
}
