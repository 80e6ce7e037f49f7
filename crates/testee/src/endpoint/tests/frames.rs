//! What a receiver must check, and the order of what it answers.

use super::*;

fn reply(endpoint: &mut Endpoint, octets: &[u8]) -> Vec<Transmit> {
    endpoint.handle(Duration::ZERO, Input::Octets(&mut octets.to_vec()));
    without_reason(&drain(endpoint, Duration::ZERO))
}

/// Feeds an open echo server at once and octet by octet.
fn check(octets: &[u8], expected: &[Transmit]) {
    let found = reply(&mut echo_server(), octets);
    assert_eq!(found, expected, "{octets:02x?}");
    let mut endpoint = echo_server();
    let mut all = Vec::new();
    for octet in octets {
        endpoint.handle(Duration::ZERO, Input::Octets(&mut [*octet]));
        all.extend(drain(&mut endpoint, Duration::ZERO));
    }
    let octets = all.iter().flat_map(|t| match t {
        Transmit::Octets(octets) => octets.clone(),
        _ => Vec::new(),
    });
    let mut joined = vec![Transmit::Octets(octets.collect())];
    joined.extend(all.into_iter().filter(|t| !matches!(t, Transmit::Octets(_))));
    joined.retain(|t| *t != Transmit::Octets(Vec::new()));
    assert_eq!(without_reason(&joined), expected, "octet by octet");
}

fn answers(octets: &[Vec<u8>], expected: &[Vec<u8>]) {
    let expected = expected.concat();
    let expected = if expected.is_empty() { vec![] } else { vec![Transmit::Octets(expected)] };
    check(&octets.concat(), &expected);
}

/// The server answers what precedes the violation, then closes with the code and ends TCP.
fn fails(octets: &[Vec<u8>], before: &[Vec<u8>], code: u16) {
    let mut out = before.concat();
    out.extend(plain(0x88, &code.to_be_bytes()));
    check(&octets.concat(), &[Transmit::Octets(out), Transmit::ShutdownWrite]);
}

#[test]
fn messages_are_echoed() {
    answers(&[masked(0x81, b"Hello")], &[plain(0x81, b"Hello")]);
    answers(&[masked(0x82, &[0xfe])], &[plain(0x82, &[0xfe])]);
    answers(&[masked(0x81, b"")], &[plain(0x81, b"")]);
    let long = vec![b'*'; 70_000];
    let mut endpoint = echo_server();
    let found = reply(&mut endpoint, &masked(0x82, &long));
    assert_eq!(found, [Transmit::Octets(plain(0x82, &long))]);
}

#[test]
fn masks_are_taken_off() {
    let octets = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    answers(&[octets], &[plain(0x81, b"Hello")]);
}

#[test]
fn fragments_are_joined_and_control_frames_may_lie_between() {
    answers(
        &[masked(0x01, b"Hel"), masked(0x89, b"p"), masked(0x00, b""), masked(0x80, b"lo")],
        &[plain(0x8a, b"p"), plain(0x81, b"Hello")],
    );
    answers(&[masked(0x01, b""), masked(0x00, b""), masked(0x80, b"")], &[plain(0x81, b"")]);
    // A character may be split over fragments.
    answers(&[masked(0x01, &[0xce]), masked(0x80, &[0xba])], &[plain(0x81, &[0xce, 0xba])]);
}

#[test]
fn pings_are_answered_and_pongs_are_not() {
    answers(&[masked(0x89, b"")], &[plain(0x8a, b"")]);
    answers(&[masked(0x89, &[0xfe; 125])], &[plain(0x8a, &[0xfe; 125])]);
    answers(&[masked(0x8a, b"x")], &[]);
}

#[test]
fn what_precedes_a_violation_is_answered_first() {
    fails(&[masked(0x81, b"good"), masked(0xa1, b"bad")], &[plain(0x81, b"good")], 1002);
    fails(&[masked(0x89, b"p"), masked(0x85, b"")], &[plain(0x8a, b"p")], 1002);
    fails(
        &[masked(0x01, b"1"), masked(0x80, b"2"), masked(0x00, b"3")],
        &[plain(0x81, b"12")],
        1002,
    );
}

#[test]
fn nothing_follows_a_violation() {
    fails(&[masked(0xc1, b"bad"), masked(0x81, b"good"), masked(0x89, b"p")], &[], 1002);
}

#[test]
fn headers_are_checked() {
    for first in [0xc1, 0xa1, 0x91, 0xf8, 0xd9] {
        fails(&[masked(first, b"")], &[], 1002);
    }
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        fails(&[masked(0x80 | opcode, b"")], &[], 1002);
    }
    // Unmasked, in every kind; two octets are enough to know.
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        fails(&[vec![first, 0]], &[], 1002);
    }
    fails(&[vec![0x09, 0x80]], &[], 1002);
    fails(&[vec![0x89, 0xfe]], &[], 1002);
    fails(&[vec![0x88, 0xff]], &[], 1002);
    fails(&[masked(0x80, b"x")], &[], 1002);
    fails(&[masked(0x00, b"x")], &[], 1002);
    fails(&[masked(0x01, b"x"), masked(0x81, b"y")], &[], 1002);
}

#[test]
fn lengths_are_checked_before_anything_is_waited_for() {
    fails(&[vec![0x81, 0xfe, 0, 125]], &[], 1002);
    fails(&[vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]], &[], 1002);
    fails(&[vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 5]], &[], 1002);
    fails(&[vec![0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]], &[], 1009);
    fails(&[vec![0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]], &[], 1009);
    fails(
        &[masked(0x02, b"0123456789"), vec![0x00, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 0xfa]],
        &[],
        1009,
    );
}

#[test]
fn the_largest_message_passes_whole_and_in_fragments() {
    let config = ServerConfig { max_message_size: 200, ..ServerConfig::default() };
    let check = |octets: Vec<u8>, expected: Option<u16>| {
        let mut endpoint = open_server(Endpoint::server(config.clone()).echo());
        let found = reply(&mut endpoint, &octets);
        let expected = match expected {
            None => vec![Transmit::Octets(plain(0x82, &[1; 200]))],
            Some(code) => {
                let close = plain(0x88, &code.to_be_bytes());
                vec![Transmit::Octets(close), Transmit::ShutdownWrite]
            }
        };
        assert_eq!(found, expected);
    };
    check(masked(0x82, &[1; 200]), None);
    check(masked(0x82, &[1; 201]), Some(1009));
    check([masked(0x02, &[1; 100]), masked(0x80, &[1; 100])].concat(), None);
    check([masked(0x02, &[1; 100]), masked(0x80, &[1; 101])].concat(), Some(1009));
}

#[test]
fn text_fails_at_its_first_bad_octet() {
    fails(&[masked(0x81, &[0xce, 0xba, 0xed, 0xa0, 0x80])], &[], 1007);
    fails(&[masked(0x81, &[0xce])], &[], 1007);
    fails(&[masked(0x01, &[0xce]), masked(0x80, b"x")], &[], 1007);
    // The rest of the frame and of the message need not have arrived.
    fails(&[vec![0x01, 0x94, 0, 0, 0, 0, 0xf4, 0x90]], &[], 1007);
    answers(&[vec![0x01, 0x94, 0, 0, 0, 0, 0xf4]], &[]);
}

#[test]
fn a_client_takes_unmasked_frames_only_and_masks_its_own() {
    let (mut client, _) = pair::opened(ServerConfig::default());
    client = client.echo();
    client.handle(Duration::ZERO, Input::Octets(&mut plain(0x81, b"Hello")));
    let [Transmit::Octets(echo)] = &drain(&mut client, Duration::ZERO)[..] else { panic!() };
    assert_eq!(echo[..2], [0x81, 0x85]);
    let mut text = echo[6..].to_vec();
    wsproof_proto::mask::apply([echo[2], echo[3], echo[4], echo[5]], 0, &mut text);
    assert_eq!(text, b"Hello");
    client.handle(Duration::ZERO, Input::Octets(&mut masked(0x81, b"Hello")));
    let all = drain(&mut client, Duration::ZERO);
    // The server ends TCP; a client waits for that (RFC 6455, 7.1.1).
    assert!(matches!(&all[..], [Transmit::Octets(close)] if close[0] == 0x88), "{all:?}");
    client.handle(Duration::ZERO, Input::Eof);
    assert_eq!(drain(&mut client, Duration::ZERO), [Transmit::Close]);
    assert!(client.is_done());
}
