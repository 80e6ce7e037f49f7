//! The catalogue against what is known of `wstest`: scripts, accepted events, octets on the wire,
//! and the verdicts on a peer that never says anything.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wsproof_cases::classic;
use wsproof_engine::{
    Accept, Case, CloseBy, Expected, FrameSpec, Grade, Input, Kind, Payload, Run, RunConfig,
    Series, Step, Target, judge,
};
use wsproof_proto::{
    LengthForm, Opcode, Role,
    deflate::{ClientWindow, NAME, Parameters},
    handshake::accept_for,
    mask,
};

#[derive(Deserialize)]
struct Fact {
    id: String,
    index: usize,
    sends: Value,
    accept: Value,
    close: Value,
    auto_close_on_match: Option<u16>,
    flags: BTreeSet<String>,
    wire: Option<Wire>,
    silent_peer: SilentPeer,
    compression: Option<Compression>,
}

/// What is asked of the peer's compression, in the words of either role.
#[derive(Deserialize)]
struct Compression {
    offers_when_client: Vec<String>,
    rules_when_server: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    needs_in_offer: Vec<String>,
    adds_to_response: Vec<String>,
}

/// The octets of the whole script, not masked, without what timers and reactions add.
#[derive(Deserialize)]
struct Wire {
    frames: usize,
    octets: usize,
    hex: Option<String>,
    sha256: Option<String>,
}

/// Both verdicts on a peer that finishes the opening handshake and then is silent.
#[derive(Deserialize)]
struct SilentPeer {
    tester_is_server: [String; 2],
    tester_is_client: [String; 2],
}

fn facts() -> Vec<Fact> {
    serde_json::from_str(include_str!("facts.json")).expect("facts can be read")
}

/// Runs a check over every classic case, and names those in which it fails.
fn check(failure: impl Fn(&Arc<Case>, &Fact) -> Option<String>) {
    let facts = facts();
    let cases = classic();
    assert_eq!(cases.len(), facts.len());
    let failures: Vec<String> = cases
        .into_iter()
        .zip(&facts)
        .filter_map(|(case, fact)| {
            failure(&Arc::new(case), fact).map(|f| format!("{}: {f}", fact.id))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Option<String> {
    (got != wanted).then(|| format!("{what}: got {got:?}, wanted {wanted:?}"))
}

#[test]
fn ids_and_their_order_are_the_same() {
    let ids: Vec<_> = classic().iter().map(|case| case.id.to_string()).collect();
    let wanted: Vec<_> = facts().into_iter().map(|fact| fact.id).collect();
    assert_eq!(ids, wanted);
    assert!(facts().iter().map(|fact| fact.index).eq(1..=ids.len()));
}

#[test]
fn scripts_are_the_same() {
    check(|case, fact| {
        same(
            "steps",
            &case.steps.iter().map(|sent| step(sent, &case.accept)).collect(),
            &fact.sends,
        )
    });
}

#[test]
fn accepted_events_are_the_same() {
    check(|case, fact| same("accept", &accept(&case.accept), &fact.accept));
}

#[test]
fn expected_closings_are_the_same() {
    check(|case, fact| {
        let close = json!({
            "closed_by_tester": case.close.by == CloseBy::Tester,
            "codes": case.close.codes,
            "require_clean": case.close.clean,
            "wrong_endpoint_fails_case": case.close.wrong_side_fails,
        });
        same("close", &close, &fact.close)
            .or_else(|| same("close on match", &case.close_on_match, &fact.auto_close_on_match))
    });
}

#[test]
fn flags_are_the_same() {
    check(|case, fact| {
        let computed = matches!(case.accept, Accept::FirstEcho { .. } | Accept::EchoLoop { .. });
        let flags = [
            ("always_informational", case.informational),
            ("checks_own_frame_count", case.checks_own_frames),
            ("computed_verdict", computed),
            ("needs_permessage_deflate", !case.deflate.is_empty()),
            ("show_compression_ratio", !case.deflate.is_empty()),
            ("show_duration", case.measured),
            ("wrong_code_fails_case", case.close.wrong_code_fails),
        ];
        let set = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name.to_owned());
        same("flags", &set.collect(), &fact.flags)
    });
}

#[test]
fn octets_are_the_same_in_both_roles() {
    check(|case, fact| {
        let plain = scripted_octets(case, Role::Server);
        let masked = scripted_octets(case, Role::Client);
        let frames = split(&plain);
        let unmasked = split(&masked).into_iter().map(|frame| frame.octets).collect::<Vec<_>>();
        same("masked frames", &masked.len(), &(plain.len() + 4 * frames.len()))
            .or_else(|| {
                (unmasked.concat() != plain).then(|| "octets differ between the roles".to_owned())
            })
            .or_else(|| match (&fact.wire, case.steps.last()) {
                (Some(wire), _) => wire_failure(wire, &plain, frames.len()),
                (None, Some(Step::EchoLoop)) => loop_failure(&case.accept, &frames),
                _ => Some("no octets to compare with".to_owned()),
            })
    });
}

#[test]
fn the_same_is_asked_of_the_peers_compression() {
    check(|case, fact| {
        let Some(compression) = &fact.compression else {
            return same("asked", &case.deflate, &Vec::new());
        };
        let offers = case.deflate.iter().map(|ask| ask.offer().to_string()).collect();
        same("offers", &offers, &compression.offers_when_client).or_else(|| {
            let plain = Parameters::default();
            let able = Parameters { client_max_window_bits: ClientWindow::Supported, ..plain };
            let rules = case.deflate.iter().zip(&compression.rules_when_server);
            rules
                .map(|(ask, rule)| {
                    let adds = rule.adds_to_response.iter().map(|added| format!("; {added}"));
                    let answer = format!("{NAME}{}", adds.collect::<String>());
                    let needs = !rule.needs_in_offer.is_empty();
                    same("needs", &ask.answer(&plain).is_none(), &needs).or_else(|| {
                        same("answer", &ask.answer(&able).map(|a| a.answer()), &Some(answer))
                    })
                })
                .find_map(|failure| failure)
        })
    });
}

#[test]
fn verdicts_on_a_silent_peer_are_the_same() {
    check(|case, fact| {
        same("server", &silent_peer(case, Role::Server), &fact.silent_peer.tester_is_server)
            .or_else(|| {
                let wanted = &fact.silent_peer.tester_is_client;
                same("client", &silent_peer(case, Role::Client), wanted)
            })
    });
}

// The catalogue in the words of the facts.

fn step(step: &Step, accept: &Accept) -> Value {
    match step {
        Step::BeginFrame { opcode, fin, length } => json!({ "frame_header": {
            "opcode": opcode.bits(), "fin": fin, "rsv": 0, "length": length,
        }}),
        Step::Close { code, reason } => {
            let reason = (!reason.is_empty()).then(|| json!({ "hex": hex(reason) }));
            json!({ "close": { "code": code, "reason": reason } })
        }
        Step::CloseAfter(after) => json!({ "close_after": seconds(*after) }),
        Step::EchoLoop => match accept {
            Accept::EchoLoop { kind, series: Series::Same(payload), count } => {
                let opcode = if *kind == Kind::Text { Opcode::Text } else { Opcode::Binary };
                let sent = frame(&FrameSpec::new(opcode, payload.clone()));
                json!({ "echo_loop": { "count": count, "frame": sent } })
            }
            Accept::EchoLoop { kind: wanted, series: Series::Windows { corpus, size }, count } => {
                let unit = if corpus.in_code_points { "code points" } else { "octets" };
                json!({ "echo_loop": { "count": count, "windows": {
                    "kind": kind(*wanted), "corpus": corpus.name, "size": size, "unit": unit,
                } } })
            }
            _ => json!("a loop of what"),
        },
        Step::FragmentSize(size) => json!({ "fragment_size": size }),
        Step::Frame(sent) => json!({ "frame": frame(sent) }),
        Step::FramePart(part) => json!({ "frame_payload_part": payload(part) }),
        Step::KillAfter(after) => json!({ "kill_after": seconds(*after) }),
        Step::Message(message) => json!({ "message": {
            "kind": kind(message.kind),
            "payload": payload(&message.payload),
            "fragment_size": message.fragment_size,
        }}),
        Step::Wait { pause, mark: None } => json!({ "wait": pause.as_millis() }),
        Step::Wait { pause, mark } => {
            json!({ "wait": pause.as_millis(), "records_timeout": mark, "only_if_open": true })
        }
        Step::WireLog { on, noted: false } => json!({ "wirelog": on }),
        Step::WireLog { on, noted } => json!({ "wirelog": on, "log_entry": noted }),
        Step::AwaitEchoes(_) | Step::Dial | Step::ShutdownWrite | Step::Use(_) => {
            json!("a step that no classic case has")
        }
    }
}

fn frame(sent: &FrameSpec) -> Value {
    assert_eq!(sent.form, LengthForm::Shortest);
    let mut value = json!({
        "opcode": sent.opcode.bits(),
        "fin": sent.fin,
        "rsv": sent.rsv,
        "payload": payload(&sent.payload),
    });
    if let Some(chop) = sent.chop {
        value["chop"] = json!(chop);
    }
    if sent.own_write {
        value["own_write"] = json!(true);
    }
    value
}

fn accept(accept: &Accept) -> Value {
    match accept {
        Accept::Class(_) => json!("a class that no classic case has"),
        Accept::EchoLoop { kind: wanted, series, count } => json!({
            "computed": match series {
                Series::Same(_) => "echo_count_type_and_length",
                Series::Windows { .. } => "echo_count_type_length_and_sha1",
            },
            "kind": kind(*wanted),
            "len": series.size().0,
            "count": count,
        }),
        Accept::Events(lists) => {
            let graded = |grade| -> Vec<Vec<Value>> {
                let lists = lists.iter().filter(|list| list.grade == grade);
                lists.map(|list| list.events.iter().map(event).collect()).collect()
            };
            json!({ "ok": graded(Grade::Strict), "non_strict": graded(Grade::NonStrict) })
        }
        Accept::FirstEcho { kind: wanted, payload } => json!({
            "computed": "first_echo_type_and_length",
            "kind": kind(*wanted),
            "len": payload.len(),
        }),
    }
}

fn event(event: &Expected) -> Value {
    match event {
        Expected::Message(wanted, content) => {
            json!({ "message": { "kind": kind(*wanted), "payload": payload(content) } })
        }
        Expected::Pong(content) => json!({ "pong": { "hex": hex(content) } }),
        Expected::Timeout(mark) => json!({ "timeout": mark }),
    }
}

/// Up to 256 octets stand as they are, longer payloads as a unit and a length.
fn payload(payload: &Payload) -> Value {
    if payload.len() <= 256 {
        return json!({ "hex": hex(&payload.to_vec()) });
    }
    let head = payload.head(256);
    let unit = match payload {
        Payload::Repeat { unit, .. } => *unit,
        Payload::Octets(_) | Payload::Window { .. } => (1..=head.len())
            .find(|n| head.iter().eq(head[..*n].iter().cycle().take(256)))
            .unwrap_or_default(),
    };
    json!({ "repeat_hex": hex(&head[..unit]), "len": payload.len() })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Binary => "binary",
        Kind::Text => "text",
    }
}

fn seconds(time: Duration) -> Value {
    if time.subsec_nanos() == 0 { json!(time.as_secs()) } else { json!(time.as_secs_f64()) }
}

fn hex(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xF]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

// Octets.

/// What the script writes to a peer that is silent; limits do not expire.
fn scripted_octets(case: &Arc<Case>, role: Role) -> Vec<u8> {
    let mut now = Duration::ZERO;
    let mut run = Run::opened(case.clone(), config(role), now);
    let mut octets = written(&mut run, now);
    while let Some(due) = run.poll_timeout().filter(|due| *due <= case.scripted_wait()) {
        now = due;
        run.handle_timeout(now);
        octets.extend(written(&mut run, now));
    }
    octets
}

fn written(run: &mut Run, now: Duration) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut buf = Vec::new();
    while run.poll_transmit(0, now, &mut buf).is_some() {
        octets.append(&mut buf);
    }
    octets
}

/// A frame, with its mask taken off.
struct Frame {
    octets: Vec<u8>,
    payload: Vec<u8>,
}

/// Reads frames, on purpose without the tester's own reader.
fn split(mut octets: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = octets {
        let is_masked = second & 0x80 != 0;
        let extended = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (field, rest) = rest.split_at(extended);
        let (key, rest) = rest.split_at(if is_masked { 4 } else { 0 });
        let length = match field {
            [] => usize::from(second & 0x7F),
            field => field.iter().fold(0, |n, octet| n << 8 | usize::from(*octet)),
        };
        let (payload, rest) = rest.split_at(length);
        let mut payload = payload.to_vec();
        if let Ok(key) = key.try_into() {
            mask::apply(key, 0, &mut payload);
        }
        let octets_of_frame = [&[*first, second & 0x7F], field, &payload].concat();
        frames.push(Frame { octets: octets_of_frame, payload });
        octets = rest;
    }
    assert!(octets.is_empty());
    frames
}

fn wire_failure(wire: &Wire, octets: &[u8], frames: usize) -> Option<String> {
    same("frames", &frames, &wire.frames)
        .or_else(|| same("octets", &octets.len(), &wire.octets))
        .or_else(|| match (&wire.hex, &wire.sha256) {
            (Some(wanted), _) => same("hex", &hex(octets), wanted),
            (None, Some(wanted)) => same("sha256", &hex(&Sha256::digest(octets)), wanted),
            (None, None) => Some("no octets to compare with".to_owned()),
        })
}

/// The first message of a loop. Without compression there is no loop over a corpus.
fn loop_failure(accept: &Accept, frames: &[Frame]) -> Option<String> {
    match (accept, frames) {
        (Accept::EchoLoop { kind, series: Series::Same(payload), .. }, [frame]) => {
            let opcode = if *kind == Kind::Text { 1 } else { 2 };
            same("first octet", &frame.octets[0], &(0x80 | opcode))
                .or_else(|| same("payload", &frame.payload, &payload.to_vec()))
        }
        (Accept::EchoLoop { series: Series::Windows { .. }, .. }, [frame]) => {
            same("close frame", &frame.octets, &vec![0x88, 2, 3, 0xe8])
        }
        _ => Some(format!("{} frames", frames.len())),
    }
}

// The silent peer.

fn silent_peer(case: &Arc<Case>, role: Role) -> [String; 2] {
    let mut now = Duration::ZERO;
    let mut run = Run::new(case.clone(), config(role));
    run.handle(0, now, Input::Connected);
    let mut handshake = match role {
        Role::Client => response(&String::from_utf8_lossy(&written(&mut run, now))),
        Role::Server => "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
                         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                         Sec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
            .to_owned(),
    }
    .into_bytes();
    run.handle(0, now, Input::Octets(&mut handshake));
    while !run.is_over() {
        written(&mut run, now);
        now = run.poll_timeout().expect("a limit ends every case");
        run.handle_timeout(now);
    }
    let verdict = judge::classic(case, &run.into_outcome(now));
    [verdict.behavior.name().to_owned(), verdict.close.name().to_owned()]
}

fn response(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let extension = if request.contains("permessage-deflate") {
        "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    } else {
        ""
    };
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         {extension}Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_for(key.unwrap_or_default().as_bytes())
    )
}

fn config(role: Role) -> RunConfig {
    RunConfig::new(role, Target::new("localhost", "/"), 1)
}
