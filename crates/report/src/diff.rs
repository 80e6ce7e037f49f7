//! Two runs compared: what got worse, what got better, what came and what went.

use std::fmt::Write;

use wsproof_engine::{CaseId, What};
use wsproof_proto::FrameHeader;

use crate::{
    JudgeKind, Results,
    contract::Attempt,
    words::{number, reason, spaced_hex, verdict, visible},
};

/// Octets around the first difference that are shown.
const AROUND: usize = 8;

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// Lines for people.
    pub text: String,
    /// Whether anything got worse, or went.
    pub worse: bool,
}

/// Changes of one kind.
#[derive(Default)]
struct Changes {
    worse: Vec<String>,
    gone: Vec<String>,
    changed: Vec<String>,
    better: Vec<String>,
    new: Vec<String>,
}

/// Compares the runs under a judgement.
pub fn diff(before: &Results, after: &Results, judge: JudgeKind) -> Diff {
    let mut out = Diff { text: String::new(), worse: false };
    let catalogue = |results: &Results| results.run().map(|run| run.catalogue.clone());
    if catalogue(before) != catalogue(after) {
        out.text.push_str("note: not the same catalogue, so that verdicts may differ for that\n");
    }
    for peer in before.peers() {
        let Some(other) = partner(before, after, &peer.peer) else {
            out.worse = true;
            let _ = writeln!(out.text, "{}: is gone", visible(&peer.peer));
            continue;
        };
        let mut changes = Changes::default();
        let mut same = 0;
        let mut ids: Vec<&CaseId> = before.records(&peer.peer).map(|(id, _)| id).collect();
        ids.extend(after.records(other).map(|(id, _)| id));
        ids.sort();
        ids.dedup();
        for id in ids {
            let pair = (before.final_attempt(&peer.peer, id), after.final_attempt(other, id));
            same += usize::from(!compare(&mut changes, id, pair, judge));
        }
        let name = if *other == peer.peer {
            visible(other)
        } else {
            format!("{} -> {}", visible(&peer.peer), visible(other))
        };
        let _ = writeln!(out.text, "{name}: {} unchanged", number(same, "case"));
        out.worse |= !changes.worse.is_empty() || !changes.gone.is_empty();
        let kinds = [
            ("worse", changes.worse),
            ("gone", changes.gone),
            ("changed", changes.changed),
            ("better", changes.better),
            ("new", changes.new),
        ];
        for (kind, lines) in kinds {
            for line in lines {
                let _ = writeln!(out.text, "  {kind:<8}{line}");
            }
        }
    }
    for peer in after.peers() {
        if partner(after, before, &peer.peer).is_none() {
            let _ = writeln!(out.text, "{}: is new", visible(&peer.peer));
        }
    }
    out
}

/// The same peer in the other run: by its name, else by its name without a version, else because
/// there is no other.
fn partner<'a>(of: &Results, among: &'a Results, name: &str) -> Option<&'a str> {
    let plain = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let alike = |results: &'a Results, name: &str| {
        let peers = results.peers().iter().map(|peer| &*peer.peer);
        peers.filter(|peer| plain(peer) == plain(name)).collect::<Vec<_>>()
    };
    let exact = among.peers().iter().find(|peer| peer.peer == name);
    if let Some(peer) = exact {
        return Some(&peer.peer);
    }
    let namesakes = of.peers().iter().filter(|peer| plain(&peer.peer) == plain(name)).count();
    match (&alike(among, name)[..], of.peers().len(), among.peers()) {
        ([one], ..) if namesakes == 1 => Some(one),
        (_, 1, [one]) => Some(&one.peer),
        _ => None,
    }
}

/// Compares a case; says whether anything is to be told about it.
fn compare(
    changes: &mut Changes,
    id: &CaseId,
    pair: (Option<&Attempt>, Option<&Attempt>),
    judge: JudgeKind,
) -> bool {
    let id = visible(id.as_str());
    let said = |attempt: &Attempt| verdict(attempt.judgement(judge));
    let (before, after) = match pair {
        (None, None) => return false,
        (Some(before), None) => {
            changes.gone.push(format!("{id}  was {}", said(before)));
            return true;
        }
        (None, Some(after)) => {
            changes.new.push(format!("{id}  {}", said(after)));
            return true;
        }
        (Some(before), Some(after)) => (before, after),
    };
    let (old, new) = (before.judgement(judge), after.judgement(judge));
    let (was, is) = (said(before), said(after));
    match (old.deviates(), new.deviates()) {
        (false, true) => {
            changes.worse.push(format!("{id}  {was} -> {is}: {}", visible(&reason(new))));
        }
        (true, false) => changes.better.push(format!("{id}  {was} -> {is}")),
        (true, true) => {
            let octets = octets(before, after);
            if octets.is_none() && (old.behavior, old.close) == (new.behavior, new.close) {
                return false;
            }
            let octets = octets.map(|octets| format!(": {octets}")).unwrap_or_default();
            changes.changed.push(format!("{id}  {was} -> {is}{octets}"));
        }
        (false, false) if was == is => return false,
        (false, false) if is == "passed" => changes.better.push(format!("{id}  {was} -> {is}")),
        (false, false) => changes.changed.push(format!("{id}  {was} -> {is}")),
    }
    true
}

/// Where the peer's frames of two attempts first differ, as far as their octets were kept. Masking
/// keys of a client are random, and no difference.
fn octets(before: &Attempt, after: &Attempt) -> Option<String> {
    let (before, after) = (frames(before), frames(after));
    let same = |n: &usize| before.get(*n).map(without_key) == after.get(*n).map(without_key);
    let frame = (0..before.len().max(after.len())).find(|n| !same(n))?;
    let at = match (before.get(frame).map(without_key), after.get(frame).map(without_key)) {
        (Some(before), Some(after)) => {
            before.iter().zip(&after).take_while(|(a, b)| a == b).count()
        }
        _ => 0,
    };
    let shown = |frames: &[(FrameHeader, &[u8])]| match frames.get(frame) {
        None => "nothing".to_owned(),
        Some((header, payload)) => {
            let octets = encoded(header, payload);
            let from = at.saturating_sub(AROUND);
            spaced_hex(&octets[from..octets.len().min(at + AROUND)])
        }
    };
    let (before, after) = (shown(&before), shown(&after));
    Some(format!("frame {}, octet {at}: {before} -> {after}", frame + 1))
}

/// The peer's frames, with what was kept of their payloads.
fn frames(attempt: &Attempt) -> Vec<(FrameHeader, &[u8])> {
    let entries = attempt.outcome.transcript.entries.iter();
    let received = entries.filter_map(|entry| match &entry.what {
        What::FrameReceived { header, head, .. } => Some((*header, &head[..])),
        _ => None,
    });
    received.collect()
}

fn without_key((header, payload): &(FrameHeader, &[u8])) -> Vec<u8> {
    encoded(&FrameHeader { mask: header.mask.map(|_| [0; 4]), ..*header }, payload)
}

fn encoded(header: &FrameHeader, payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    header.encode(&mut octets);
    octets.extend_from_slice(payload);
    octets
}
