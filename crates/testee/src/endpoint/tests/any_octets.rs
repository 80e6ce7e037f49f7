//! Whatever comes, however it is cut: no panic, the same answer, bounded memory, an end.

use proptest::prelude::*;

use super::*;

/// Everything the server says and does about these octets, from the first frame on.
fn outcome(defect: Option<Defect>, octets: &[u8], cuts: &[usize]) -> (Vec<Transmit>, Vec<Event>) {
    let config = ServerConfig { max_message_size: 64, ..ServerConfig::default() };
    let mut endpoint = open_server(Endpoint::server(config).echo());
    if let Some(defect) = defect {
        endpoint = endpoint.with_defect(defect);
    }
    let mut now = Duration::ZERO;
    let mut start = 0;
    let mut all = Vec::new();
    for &cut in cuts.iter().chain([&octets.len()]) {
        let end = cut.clamp(start, octets.len());
        endpoint.handle(now, Input::Octets(&mut octets[start..end].to_vec()));
        start = end;
        // A defect may have another limit.
        let held = endpoint.held();
        assert!(defect.is_some() || held <= 4 * (64 + 125), "held {held}");
        all.extend(drain(&mut endpoint, now));
    }
    endpoint.handle(now, Input::Eof);
    loop {
        all.extend(drain(&mut endpoint, now));
        let Some(next) = endpoint.poll_timeout() else { break };
        now = now.max(next);
        endpoint.handle_timeout(now);
    }
    assert!(endpoint.is_done());
    let mut joined: Vec<Transmit> = Vec::new();
    for transmit in all {
        match (joined.last_mut(), transmit) {
            (Some(Transmit::Octets(before)), Transmit::Octets(more)) => before.extend(more),
            (_, transmit) => joined.push(transmit),
        }
    }
    (joined, events(&mut endpoint))
}

/// Octets, most of which look like frames of a client.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(Just(b'a'), 0..140),
        Just("κόσμε".as_bytes().to_vec()),
        Just(vec![0x03, 0xe8]),
    ];
    let first = prop_oneof![
        4 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88]),
        1 => any::<u8>(),
    ];
    let frame = (first, payload).prop_map(|(first, payload)| masked(first, &payload));
    let item = prop_oneof![8 => frame, 1 => prop::collection::vec(any::<u8>(), 0..16)];
    prop::collection::vec(item, 0..6).prop_map(|items| items.concat())
}

proptest! {
    #[test]
    fn frames_are_answered_alike_however_they_are_cut(
        octets in stream(),
        mut cuts in prop::collection::vec(0usize..300, 0..8),
    ) {
        cuts.sort_unstable();
        let whole = outcome(None, &octets, &[]);
        prop_assert_eq!(&whole, &outcome(None, &octets, &cuts));
        let every: Vec<usize> = (0..octets.len()).collect();
        prop_assert_eq!(&whole, &outcome(None, &octets, &every));
    }

    #[test]
    fn no_defect_makes_an_endpoint_panic_or_hang(
        octets in stream(),
        defect in prop::sample::select(Defect::ALL.to_vec()),
    ) {
        outcome(Some(defect), &octets, &[]);
    }

    #[test]
    fn any_request_is_answered_alike_however_it_is_cut(
        at in 0usize..REQUEST.len(),
        noise in prop::collection::vec(any::<u8>(), 0..8),
        cut in 0usize..REQUEST.len(),
    ) {
        let mut octets = REQUEST.as_bytes().to_vec();
        octets.splice(at..at, noise);
        let answer = |pieces: &[&[u8]]| {
            let mut endpoint = Endpoint::server(ServerConfig::default());
            let mut all = Vec::new();
            for piece in pieces {
                endpoint.handle(Duration::ZERO, Input::Octets(&mut piece.to_vec()));
                all.extend(drain(&mut endpoint, Duration::ZERO));
            }
            all
        };
        let (head, tail) = octets.split_at(cut);
        prop_assert_eq!(answer(&[&octets]), answer(&[head, tail]));
    }

    #[test]
    fn any_answer_leaves_a_client_standing(
        mut octets in prop::collection::vec(any::<u8>(), 0..60), good: bool,
    ) {
        let mut client = Endpoint::client(ClientConfig::new("a:1", "/", SEED));
        if good {
            client = pair::opened(ServerConfig::default()).0;
        }
        client.handle(Duration::ZERO, Input::Octets(&mut octets));
        client.handle(Duration::ZERO, Input::Eof);
        drain(&mut client, Duration::ZERO);
        prop_assert!(client.is_done());
    }
}

#[test]
fn a_declared_length_reserves_nothing() {
    let mut endpoint = echo_server();
    let mut header = vec![0x82, 0xff, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3];
    endpoint.handle(Duration::ZERO, Input::Octets(&mut header));
    assert!(endpoint.held() < 1 << 10, "{}", endpoint.held());
}
