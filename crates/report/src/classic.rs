//! The files of `wstest`: `index.json` and one file per peer and case.
//!
//! Scripts search this layout with `grep` and `sed`, so it is reproduced to the octet: sorted
//! keys, 3 spaces, ASCII. The fields say what the classic judgement says.

mod json;
mod traffic;
mod wirelog;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use wsproof_engine::{
    Accept, Accepted, Case, CaseId, CloseBy, Expected, Grade, Kind, Observed, Outcome,
};
use wsproof_proto::Role;

use crate::{
    File, Record, Results,
    contract::{Attempt, PeerInfo},
    names::Names,
};
use traffic::TrafficStats;

/// Renders the files. `cases` is the catalogue, in which the positions of classic cases are
/// counted.
pub fn files(results: &Results, cases: &[Case]) -> Vec<File> {
    let all = Files::new(results, cases);
    let mut files = vec![all.index()];
    for peer in results.peers() {
        let records = results.records(&peer.peer);
        files.extend(records.filter_map(|(id, record)| all.case(&peer.peer, id, record)));
    }
    files
}

/// The files, each rendered when it is asked for.
pub struct Files<'a> {
    results: &'a Results,
    cases: &'a [Case],
    names: Names<'a>,
}

impl<'a> Files<'a> {
    /// The files of these results. `cases` is the catalogue, in which the positions of classic
    /// cases are counted.
    pub fn new(results: &'a Results, cases: &'a [Case]) -> Self {
        Self { results, cases, names: Names::new(results) }
    }

    /// The name of a case's file.
    pub fn name(&self, peer: &str, id: &CaseId) -> String {
        self.names.file(peer, id, "json")
    }

    /// The file of a case with a peer, if it has a result. No other result changes it.
    pub fn case(&self, peer: &str, id: &CaseId, record: &Record) -> Option<File> {
        let attempt = record.final_attempt()?;
        let selected = self.results.run().map_or(&[][..], |run| &run.cases);
        let contents = json::render(&Detail::new(attempt, self.cases, selected));
        Some(File { name: self.name(peer, id), contents })
    }

    /// The index, which names the files of all cases.
    pub fn index(&self) -> File {
        let mut index: BTreeMap<&str, BTreeMap<&str, IndexEntry>> = BTreeMap::new();
        for PeerInfo { peer, .. } in self.results.peers() {
            let finals = self.results.records(peer).filter_map(|(id, record)| {
                let entry = IndexEntry::new(record.final_attempt()?, self.name(peer, id));
                Some((id.as_str(), entry))
            });
            let finals: BTreeMap<_, _> = finals.collect();
            if !finals.is_empty() {
                index.insert(peer, finals);
            }
        }
        File { name: "index.json".to_owned(), contents: json::render(&index) }
    }
}

/// A case in `index.json`. The fields are in the order of their names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexEntry {
    behavior: &'static str,
    behavior_close: &'static str,
    duration: u64,
    remote_close_code: Option<u16>,
    #[serde(rename = "reportfile")]
    report_file: String,
}

impl IndexEntry {
    fn new(attempt: &Attempt, report_file: String) -> Self {
        Self {
            behavior: attempt.classic.behavior.name(),
            behavior_close: attempt.classic.close.name(),
            duration: duration(&attempt.outcome),
            remote_close_code: attempt.outcome.closing.remote_code,
            report_file,
        }
    }
}

/// The file of a case. The fields are in the order of their names.
#[expect(clippy::struct_excessive_bools, reason = "these are the fields of the classic files")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    agent: &'a str,
    behavior: &'static str,
    behavior_close: &'static str,
    case: usize,
    closed_by_me: bool,
    create_stats: bool,
    create_wirelog: bool,
    description: String,
    dropped_by_me: bool,
    duration: u64,
    expectation: String,
    expected: BTreeMap<&'static str, Value>,
    expected_close: BTreeMap<&'static str, Value>,
    failed_by_me: bool,
    http_request: String,
    http_response: String,
    id: &'a CaseId,
    is_server: bool,
    local_close_code: Option<u16>,
    local_close_reason: Option<String>,
    received: Vec<Value>,
    remote_close_code: Option<u16>,
    remote_close_reason: Option<String>,
    report_compression_ratio: bool,
    report_time: bool,
    result: &'a str,
    result_close: &'a str,
    rx_frame_stats: BTreeMap<String, u64>,
    rx_octet_stats: BTreeMap<String, u64>,
    started: &'a str,
    traffic_stats: Option<TrafficStats>,
    tx_frame_stats: BTreeMap<String, u64>,
    tx_octet_stats: BTreeMap<String, u64>,
    was_clean: bool,
    was_close_handshake_timeout: bool,
    was_not_clean_reason: Option<&'a str>,
    was_open_handshake_timeout: bool,
    was_server_connection_drop_timeout: bool,
    wirelog: Vec<Value>,
}

impl<'a> Detail<'a> {
    fn new(attempt: &'a Attempt, cases: &[Case], selected: &[CaseId]) -> Self {
        let outcome = &attempt.outcome;
        let closing = &outcome.closing;
        let case = cases.iter().find(|case| case.id == attempt.case);
        let opening = outcome.openings.first();
        Self {
            agent: &attempt.peer,
            behavior: attempt.classic.behavior.name(),
            behavior_close: attempt.classic.close.name(),
            case: match outcome.role {
                Role::Client => position(&attempt.case, cases),
                // Clients count what was selected.
                Role::Server => place(selected.iter().position(|id| *id == attempt.case)),
            },
            closed_by_me: closing.closed_by_me,
            create_stats: true,
            create_wirelog: outcome.log_was_on && !outcome.unimplemented,
            description: case.map(Case::description).unwrap_or_default(),
            dropped_by_me: closing.dropped_by_me,
            duration: duration(outcome),
            expectation: case.map(Case::expectation).unwrap_or_default(),
            expected: case.map(|case| expected(case, outcome)).unwrap_or_default(),
            expected_close: case.map(|case| expected_close(case, outcome)).unwrap_or_default(),
            failed_by_me: closing.failed_by_me,
            http_request: head_text(opening.map(|opening| opening.request.as_slice())),
            http_response: head_text(opening.map(|opening| opening.response.as_slice())),
            id: &attempt.case,
            is_server: outcome.role == Role::Server,
            local_close_code: closing.local_code,
            local_close_reason: closing.local_reason.as_deref().map(reason_text),
            received: received(outcome),
            remote_close_code: closing.remote_code,
            remote_close_reason: closing.remote_reason.as_deref().map(reason_text),
            report_compression_ratio: traffic::is_about_compression(&attempt.case),
            report_time: case.is_some_and(|case| case.measured),
            result: &attempt.classic.reason,
            result_close: &attempt.classic.close_reason,
            rx_frame_stats: counts(&outcome.stats.frames_received),
            rx_octet_stats: counts(&outcome.stats.read_sizes),
            started: &attempt.started,
            traffic_stats: traffic::stats(&attempt.case, outcome),
            tx_frame_stats: counts(&outcome.stats.frames_sent),
            tx_octet_stats: counts(&outcome.stats.write_sizes),
            was_clean: closing.was_clean,
            was_close_handshake_timeout: closing.close_handshake_timeout,
            was_not_clean_reason: closing.not_clean_reason.as_deref(),
            was_open_handshake_timeout: closing.open_handshake_timeout,
            was_server_connection_drop_timeout: closing.server_drop_timeout,
            wirelog: wirelog::log(case, outcome),
        }
    }
}

fn duration(outcome: &Outcome) -> u64 {
    u64::try_from(outcome.duration().as_millis()).unwrap_or(u64::MAX)
}

/// The position among the classic cases, counted from 1; cases of our own have none: 0.
fn position(id: &CaseId, cases: &[Case]) -> usize {
    let mut classic = cases.iter().filter(|case| case.id.is_classic());
    place(classic.position(|case| case.id == *id))
}

/// Counted from 1; 0 is nowhere.
fn place(index: Option<usize>) -> usize {
    index.map_or(0, |index| index + 1)
}

/// The lists of the classic judgement, by name. `wstest` has none for computed cases, and none
/// before the WebSocket is open.
fn expected(case: &Case, outcome: &Outcome) -> BTreeMap<&'static str, Value> {
    let mut named = BTreeMap::new();
    let Accept::Events(lists) = &case.accept else { return named };
    if outcome.opened_at.is_none() {
        return named;
    }
    for Accepted { grade, events, .. } in lists {
        let name = match grade {
            Grade::Strict => "OK",
            Grade::NonStrict => "NON-STRICT",
            Grade::RfcOnly => continue,
        };
        named.entry(name).or_insert_with(|| events.iter().map(expected_event).collect());
    }
    named
}

fn expected_close(case: &Case, outcome: &Outcome) -> BTreeMap<&'static str, Value> {
    // Before the WebSocket is open `wstest` expects nothing, but for compression it does.
    let expects = outcome.opened_at.is_some() || traffic::is_about_compression(&case.id);
    if !expects || matches!(case.accept, Accept::Class(_)) {
        return BTreeMap::new();
    }
    let mut fields = BTreeMap::from([
        ("closeCode", Value::from(case.close.codes.clone())),
        ("closedByMe", Value::from(case.close.by == CloseBy::Tester)),
        ("requireClean", Value::from(case.close.clean)),
    ]);
    if case.close.wrong_side_fails {
        fields.insert("closedByWrongEndpointIsFatal", Value::from(true));
    }
    fields
}

fn expected_event(event: &Expected) -> Value {
    match event {
        Expected::Message(kind, payload) => {
            message(*kind, &wirelog::payload_text(&payload.head(wirelog::CUT), payload.len()))
        }
        Expected::Pong(payload) => pong(payload, payload.len() as u64),
        Expected::Timeout(tag) => Value::from(vec!["timeout", *tag]),
    }
}

/// The recorded events; messages of computed cases are none.
fn received(outcome: &Outcome) -> Vec<Value> {
    let events = outcome.events.iter().map(|event| match &event.what {
        Observed::Message { kind, len, head, .. } => {
            message(*kind, &wirelog::payload_text(head, *len))
        }
        Observed::Pong { payload, len } => pong(payload, *len),
        Observed::Timeout { tag } => Value::from(vec!["timeout", tag]),
    });
    events.collect()
}

fn message(kind: Kind, text: &str) -> Value {
    Value::from(vec![Value::from("message"), text.into(), (kind == Kind::Binary).into()])
}

fn pong(payload: &[u8], len: u64) -> Value {
    let head = &payload[..payload.len().min(wirelog::CUT)];
    Value::from(vec!["pong".to_owned(), wirelog::payload_text(head, len)])
}

fn head_text(octets: Option<&[u8]>) -> String {
    match octets {
        None | Some([]) => "?".to_owned(),
        Some(octets) => String::from_utf8_lossy(octets).into_owned(),
    }
}

/// A close reason; one that is not UTF-8 in hex.
fn reason_text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => wirelog::hex(octets),
    }
}

fn counts<K: ToString>(counts: &BTreeMap<K, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(key, count)| (key.to_string(), *count)).collect()
}
