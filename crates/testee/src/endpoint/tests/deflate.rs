//! permessage-deflate between endpoints and in literal octets (RFC 7692).

use std::num::NonZeroUsize;

use proptest::prelude::*;
use wsproof_proto::deflate::{Auditor, ClientWindow, Compression, Deflater, Parameters};

use super::*;

const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// A server that has agreed to this offer, and what it answered.
fn agreed(endpoint: Endpoint, offer: &str) -> (Endpoint, String) {
    let mut endpoint = endpoint;
    let field = format!("13\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n");
    let request = REQUEST.replacen("13\r\n\r\n", &field, 1);
    endpoint.handle(Duration::ZERO, Input::Octets(&mut request.into_bytes()));
    let head = match &drain(&mut endpoint, Duration::ZERO)[..] {
        [Transmit::Octets(octets), ..] => String::from_utf8_lossy(octets).into_owned(),
        other => format!("{other:?}"),
    };
    let field = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    (endpoint, field.unwrap_or_default().to_owned())
}

fn server(config: ServerConfig) -> Endpoint {
    let (mut endpoint, answer) = agreed(Endpoint::server(config), "permessage-deflate");
    assert_eq!(answer, "permessage-deflate");
    events(&mut endpoint);
    endpoint
}

/// What the server understood, and the code with which it failed, if it did.
fn understood(config: ServerConfig, frames: &[Vec<u8>]) -> (Vec<Vec<u8>>, Option<u16>) {
    let mut octets = frames.concat();
    let [mut at_once, mut one_by_one] = [config.clone(), config].map(server);
    for octet in &octets {
        one_by_one.handle(Duration::ZERO, Input::Octets(&mut [*octet]));
    }
    at_once.handle(Duration::ZERO, Input::Octets(&mut octets));
    let seen = events(&mut at_once);
    assert_eq!(seen, events(&mut one_by_one), "however it is cut");
    let (mut messages, mut code) = (Vec::new(), None);
    for event in seen {
        match event {
            Event::Message { payload, .. } => messages.push(payload),
            Event::Failed { code: found, .. } => code = Some(found.0),
            _ => {}
        }
    }
    (messages, code)
}

fn check(frames: &[Vec<u8>], expected: &[&str], code: Option<u16>) {
    let (messages, found) = understood(ServerConfig::default(), frames);
    let messages: Vec<_> = messages.iter().map(|m| String::from_utf8_lossy(m)).collect();
    assert_eq!((messages, found), (expected.iter().map(|m| (*m).into()).collect(), code));
}

#[test]
fn the_messages_of_rfc_7692_7_2_3_are_understood() {
    // One frame, and two.
    check(&[masked(0xc1, &HELLO)], &["Hello"], None);
    check(&[masked(0x41, &HELLO[..3]), masked(0x80, &HELLO[3..])], &["Hello"], None);
    // The second message refers to the first.
    let shared = [0xf2, 0x00, 0x11, 0x00, 0x00];
    check(&[masked(0xc1, &HELLO), masked(0xc1, &shared)], &["Hello", "Hello"], None);
    // A block without compression.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0x00];
    check(&[masked(0xc1, &stored)], &["Hello"], None);
    // A final block, and what comes after it.
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let frames = [masked(0xc1, &last), masked(0xc1, &HELLO), masked(0x81, b"Hello")];
    check(&frames, &["Hello"; 3], None);
    check(&[masked(0xc1, &[&last[..7], &HELLO].concat())], &["HelloHello"], None);
    // Two blocks in one message.
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    check(&[masked(0xc1, &two)], &["Hello"], None);
    // Nothing.
    let frames = [masked(0xc1, &HELLO), masked(0xc1, &[0]), masked(0xc1, &shared)];
    check(&frames, &["Hello", "", "Hello"], None);
}

#[test]
fn plain_messages_and_control_frames_may_come_at_any_time() {
    let frames = [
        masked(0x41, b""),
        masked(0x89, b"ping"),
        masked(0x00, &HELLO),
        masked(0x8a, b""),
        masked(0x80, b""),
        masked(0x81, b"plain"),
        masked(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]),
    ];
    check(&frames, &["Hello", "plain", "Hello"], None);
}

#[test]
fn rsv1_belongs_to_the_first_frame_of_a_message() {
    let protocol = Some(1002);
    check(&[masked(0x41, &HELLO[..3]), masked(0xc0, &HELLO[3..])], &[], protocol);
    check(&[masked(0x01, b"He"), masked(0xc0, b"llo")], &[], protocol);
    for first in [0xc9, 0xca, 0xc8, 0xe1, 0xd1, 0xa1, 0xc3] {
        check(&[masked(first, b"")], &[], protocol);
    }
    check(&[masked(0x41, &HELLO[..3]), masked(0xc1, &HELLO)], &[], protocol);
    let mut endpoint = echo_server();
    endpoint.handle(Duration::ZERO, Input::Octets(&mut masked(0xc1, &HELLO)));
    assert!(matches!(events(&mut endpoint)[0], Event::Failed { code, .. } if code.0 == 1002));
}

#[test]
fn corrupt_messages_are_inconsistent_data() {
    for corrupt in [
        // A block of the reserved type, a length that is not repeated, a reference to nothing.
        &[0x07][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xf0, b'H', b'e', b'l', b'l', b'o', 0x00],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        // The wrapper of another format.
        &[0x78, 0x9c, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x05, 0x8c, 0x01, 0xf5],
        // The end is missing, in some place or other, or comes twice.
        &HELLO[..3],
        &HELLO[..4],
        &HELLO[..5],
        &HELLO[..6],
        &[],
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff],
    ] {
        check(&[masked(0xc1, corrupt)], &[], Some(1007));
    }
    let ill_formed = [0x3a, 0xb7, 0xeb, 0xe1, 0xde, 0x9d, 0xe7, 0x9b, 0xcf, 0xed];
    let rest = [0x39, 0xb7, 0xf5, 0xed, 0x82, 0x86, 0xd4, 0x94, 0xcc, 0x92, 0xd4, 0x14, 0, 0];
    check(&[masked(0xc1, &[&ill_formed[..], &rest].concat())], &[], Some(1007));
}

#[test]
fn of_two_faults_the_first_one_counts() {
    let limit = || ServerConfig { max_message_size: 3, ..ServerConfig::default() };
    let code = |text: &[u8; 6]| {
        // A block without compression.
        let message = [&[0x00, 0x06, 0x00, 0xf9, 0xff], &text[..], &[0x00]].concat();
        understood(limit(), &[masked(0xc1, &message)]).1
    };
    assert_eq!(code(b"aa\xffaaa"), Some(1007));
    assert_eq!(code(b"aaaa\xffa"), Some(1009));
    assert_eq!(code(b"aaaaaa"), Some(1009));
    // An octet that cannot begin a character, then a reference to nothing.
    let message = [0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x02, 0x11, 0x00, 0x00];
    assert_eq!(understood(limit(), &[masked(0xc1, &message)]).1, Some(1007));
}

#[test]
fn without_context_takeover_nothing_is_known_of_earlier_messages() {
    let offer = "permessage-deflate; client_no_context_takeover";
    let (mut endpoint, answer) = agreed(Endpoint::server(ServerConfig::default()), offer);
    assert_eq!(answer, offer);
    let shared = masked(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
    let mut octets = [masked(0xc1, &HELLO), masked(0xc1, &HELLO), shared].concat();
    endpoint.handle(Duration::ZERO, Input::Octets(&mut octets));
    let seen = events(&mut endpoint);
    assert!(matches!(
        &seen[1..],
        [
            Event::Message { .. },
            Event::Message { .. },
            Event::Failed { code: CloseCode(1007), .. },
            Event::Closed { .. },
        ]
    ));
}

/// A compressed message by a client, in one frame.
fn compressed(payload: &[u8]) -> Vec<u8> {
    let how = Compression { context_takeover: false, window_bits: 15 };
    let mut octets = Vec::new();
    Deflater::new(how, 6).message(payload, &mut octets);
    masked(0xc2, &octets)
}

#[test]
fn a_bomb_is_refused_when_it_passes_the_limit() {
    const LIMIT: usize = 1 << 20;
    let config = || ServerConfig { max_message_size: LIMIT, ..ServerConfig::default() };
    for (size, code) in [(LIMIT - 1, None), (LIMIT, None), (LIMIT + 1, Some(1009))] {
        let mut endpoint = server(config());
        endpoint.handle(Duration::ZERO, Input::Octets(&mut compressed(&vec![0; size])));
        let seen = events(&mut endpoint);
        match (&seen[..], code) {
            ([Event::Message { payload, .. }], None) => assert_eq!(payload.len(), size),
            ([Event::Failed { code, .. }, ..], Some(expected)) => assert_eq!(code.0, expected),
            _ => panic!("{size}: {seen:?}"),
        }
    }
    let mut endpoint = server(config());
    let mut bomb = compressed(&vec![0; 64 << 20]);
    for piece in bomb.chunks_mut(4 << 10) {
        endpoint.handle(Duration::ZERO, Input::Octets(piece));
        assert!(endpoint.held() <= 2 * LIMIT, "held {}", endpoint.held());
    }
    assert!(matches!(
        events(&mut endpoint)[..],
        [Event::Failed { code: CloseCode::MESSAGE_TOO_BIG, .. }, Event::Closed { .. }]
    ));
}

#[test]
fn an_echo_is_compressed_and_then_cut() {
    let fragment_size = NonZeroUsize::new(3);
    for (config, expected) in [
        (ServerConfig::default(), vec![plain(0xc1, &HELLO)]),
        (
            ServerConfig { fragment_size, ..ServerConfig::default() },
            vec![plain(0x41, &HELLO[..3]), plain(0x00, &HELLO[3..6]), plain(0x80, &HELLO[6..])],
        ),
    ] {
        let mut endpoint = server(config).echo();
        endpoint.handle(Duration::ZERO, Input::Octets(&mut masked(0x81, b"Hello")));
        assert_eq!(drain(&mut endpoint, Duration::ZERO), [Transmit::Octets(expected.concat())]);
    }
    let mut endpoint = server(ServerConfig::default()).echo();
    let mut octets = [masked(0xc1, &[0]), masked(0x89, b"p")].concat();
    endpoint.handle(Duration::ZERO, Input::Octets(&mut octets));
    let expected = [plain(0x81, b""), plain(0x8a, b"p")].concat();
    assert_eq!(drain(&mut endpoint, Duration::ZERO), [Transmit::Octets(expected)]);
}

#[test]
fn a_server_may_decline_and_then_rsv1_is_wrong() {
    let config = ServerConfig { deflate: None, ..ServerConfig::default() };
    let (mut endpoint, answer) = agreed(Endpoint::server(config), "permessage-deflate");
    assert_eq!(answer, "");
    endpoint.handle(Duration::ZERO, Input::Octets(&mut masked(0xc1, &HELLO)));
    assert!(matches!(events(&mut endpoint)[1], Event::Failed { code, .. } if code.0 == 1002));
}

#[test]
fn offers_in_two_fields_are_one_list() {
    let offer = "x, permessage-deflate; server_max_window_bits=99\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9";
    let (_, answer) = agreed(Endpoint::server(ServerConfig::default()), offer);
    assert_eq!(answer, "permessage-deflate; server_max_window_bits=9");
    let (_, answer) = agreed(Endpoint::server(ServerConfig::default()), "permessage-deflate;");
    assert_eq!(answer, "");
}

/// What a client that offers `offer` does with this answer: the words of its refusal, if any.
fn client_after(offer: Option<DeflateOffer>, answer: &str, defect: Option<Defect>) -> String {
    let config = ClientConfig { deflate: offer, ..ClientConfig::new("a:1", "/", SEED) };
    let mut client = Endpoint::client(config);
    if let Some(defect) = defect {
        client = client.with_defect(defect);
    }
    let [Transmit::Octets(request)] = &drain(&mut client, Duration::ZERO)[..] else { panic!() };
    let request = String::from_utf8_lossy(request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = wsproof_proto::handshake::accept_for(key.as_bytes());
    let head = ANSWER.replacen("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &accept, 1);
    let field = format!("\r\nSec-WebSocket-Extensions: {answer}\r\n\r\n");
    let head = head.replacen("\r\n\r\n", &field, 1);
    client.handle(Duration::ZERO, Input::Octets(&mut head.into_bytes()));
    match client.poll_event() {
        Some(Event::Refused { why, .. }) => why,
        _ => String::new(),
    }
}

#[test]
fn a_client_fails_on_an_answer_that_it_did_not_ask_for() {
    let offer = || Some(DeflateOffer::default());
    assert_eq!(client_after(offer(), "permessage-deflate; client_max_window_bits=9", None), "");
    let bad = "permessage-deflate; server_max_window_bits=16";
    assert!(client_after(offer(), bad, None).contains("`16`"));
    assert!(client_after(offer(), "permessage-deflate;", None).contains("malformed"));
    assert!(client_after(None, "permessage-deflate", None).contains("not offered"));
    let twice = "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate";
    assert!(client_after(offer(), twice, None).contains("more than one"));
    assert_eq!(client_after(offer(), bad, Some(Defect::DeflateOffersAny)), "");
}

/// Text and octets that compress in all sorts of ways.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec("[a-d]{1,9} ", 0..400).prop_map(|words| words.concat());
    prop_oneof![
        words.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..3000),
        (any::<u8>(), 0usize..100_000).prop_map(|(octet, n)| vec![octet; n]),
    ]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let window = prop_oneof![
        Just(ClientWindow::Unnamed),
        Just(ClientWindow::Supported),
        (8u8..=15).prop_map(ClientWindow::Bits),
    ];
    (any::<bool>(), any::<bool>(), prop::option::of(8u8..=15), window).prop_map(
        |(server_no_context_takeover, client_no_context_takeover, server_bits, window)| {
            Parameters {
                server_no_context_takeover,
                client_no_context_takeover,
                server_max_window_bits: server_bits,
                client_max_window_bits: window,
            }
        },
    )
}

fn options() -> impl Strategy<Value = DeflateOptions> {
    (any::<bool>(), 8u8..=15, any::<bool>(), prop::option::of(8u8..=15), 1u32..=9).prop_map(
        |(no_context_takeover, max_window_bits, request, request_bits, level)| DeflateOptions {
            no_context_takeover,
            max_window_bits,
            request_no_context_takeover: request,
            request_max_window_bits: request_bits,
            level,
            ..DeflateOptions::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_agreed_the_messages_come_back(
        offer in parameters(),
        options in options(),
        level in 1u32..=9,
        fragment in prop::option::of(1usize..5000),
        messages in prop::collection::vec(payload(), 1..6),
    ) {
        let deflate = Some(DeflateOffer { offers: vec![offer], level });
        let client =
            Endpoint::client(ClientConfig { deflate, ..ClientConfig::new("a:1", "/", SEED) });
        let fragment_size = fragment.and_then(NonZeroUsize::new);
        let config =
            ServerConfig { fragment_size, deflate: Some(options), ..ServerConfig::default() };
        let mut pair = pair::Pair::new(client, Endpoint::server(config).echo());
        pair.drive();
        let opened = events(&mut pair.client);
        prop_assert!(matches!(opened[..], [Event::Opened { .. }]), "{:?}", opened);
        for message in &messages {
            pair.client.send_binary(pair.now, message.clone());
            pair.drive();
        }
        let expected: Vec<_> = messages
            .into_iter()
            .map(|payload| Event::Message { text: false, payload })
            .collect();
        prop_assert!(events(&mut pair.client) == expected);
    }

    #[test]
    fn a_message_that_is_cut_off_is_noticed(
        payload in payload().prop_filter("not empty", |payload| !payload.is_empty()),
        at: prop::sample::Index,
    ) {
        let how = Compression { context_takeover: false, window_bits: 15 };
        let mut octets = Vec::new();
        Deflater::new(how, 6).message(&payload, &mut octets);
        octets.truncate(at.index(octets.len()));
        let mut auditor = Auditor::new(true);
        let complete = auditor.push(&octets).is_ok()
            && auditor.end_message().is_ok_and(|audit| audit.ends_in_empty_block);
        let (messages, code) = understood(ServerConfig::default(), &[masked(0xc2, &octets)]);
        let expected = if complete { (1, None) } else { (0, Some(1007)) };
        prop_assert_eq!((messages.len(), code), expected);
    }

    #[test]
    fn any_compressed_octets_leave_a_server_standing(
        octets in prop::collection::vec(any::<u8>(), 0..600),
        cuts in prop::collection::vec(0usize..700, 0..4),
        defect in prop::option::of(prop::sample::select(Defect::ALL.to_vec())),
    ) {
        let all = masked(0xc2, &octets);
        let run = |cuts: &[usize]| {
            let config = ServerConfig { max_message_size: 1 << 16, ..ServerConfig::default() };
            let mut endpoint = Endpoint::server(config).echo();
            if let Some(defect) = defect {
                endpoint = endpoint.with_defect(defect);
            }
            let (mut endpoint, _) = agreed(endpoint, "permessage-deflate");
            let mut start = 0;
            for cut in cuts.iter().copied().chain([all.len()]) {
                let end = cut.clamp(start, all.len());
                endpoint.handle(Duration::ZERO, Input::Octets(&mut all[start..end].to_vec()));
                start = end;
            }
            format!("{:?}{:?}", drain(&mut endpoint, Duration::ZERO), events(&mut endpoint))
        };
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(run(&[]), run(&cuts));
    }
}

/// Everything that a server sends to a client that makes use of what was agreed.
fn conversation(defect: Option<Defect>) -> Vec<String> {
    let mut seen = Vec::new();
    let text = |n: usize| masked(0x81, &b"to be compressed, twice, to be compressed ".repeat(n));
    let ill_formed = masked(0xc1, &[0xfa, 0xff, 0x1f, 0x00]);
    let far = [&text(1)[..], &masked(0x82, &(0..=255).collect::<Vec<u8>>().repeat(9)), &text(1)];
    for (offer, octets) in [
        ("permessage-deflate", [text(1), text(2), text(3)].concat()),
        ("permessage-deflate", text(1).repeat(501)),
        ("permessage-deflate; server_no_context_takeover", text(2).repeat(2)),
        ("permessage-deflate; server_max_window_bits=9", far.concat()),
        ("permessage-deflate; mode=1, permessage-deflate", text(1)),
        ("permessage-deflate; mode=1", text(1)),
        (
            "permessage-deflate",
            [masked(0xc1, &HELLO), masked(0xc1, &[0xf2, 0, 0x11, 0, 0])].concat(),
        ),
        ("permessage-deflate", ill_formed),
        ("permessage-deflate", masked(0xc1, &HELLO[..4])),
        ("permessage-deflate", compressed(&vec![b'*'; 64 << 10])),
        ("permessage-deflate", compressed(&vec![b'*'; 33 << 20])),
        ("permessage-deflate", [masked(0x89, b""), masked(0x88, b"")].concat()),
    ] {
        let mut endpoint = Endpoint::server(ServerConfig::default()).echo();
        if let Some(defect) = defect {
            endpoint = endpoint.with_defect(defect);
        }
        let (mut endpoint, answer) = agreed(endpoint, offer);
        endpoint.handle(Duration::ZERO, Input::Octets(&mut octets.clone()));
        seen.push(format!("{answer} {:?}", drain(&mut endpoint, Duration::ZERO)));
    }
    seen
}

#[test]
fn every_defect_of_compression_shows() {
    let right = conversation(None);
    for &defect in Defect::ALL {
        if defect.name().starts_with("deflate-") {
            assert!(conversation(Some(defect)) != right, "{defect}");
        }
    }
}
