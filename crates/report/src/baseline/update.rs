//! Making a baseline equal to a run. Rows that still hold stay as they are, with their reasons and
//! the comments around them; a reason also stays where only the verdict changed.

use std::collections::{BTreeMap, BTreeSet};

use jsonc_parser::cst::{CstInputValue, CstObject, CstObjectProp};
use wsproof_engine::{CaseId, Judgement, pattern};

use super::{Baseline, BaselineError, CLOSES, Entry, GRADES, Place, Row, name, read};
use crate::{
    JudgeKind,
    gate::Question,
    words::{bounded, reason, visible},
};

/// How a reason begins that nobody has thought about.
pub(crate) const UNEXPLAINED: &str = "not looked at yet: ";

const EMPTY: &str = "\
// What is expected of the peers under test. `why` says why a case may be other than it should be.
{
  \"peers\": {}
}
";

/// A run that a baseline is to equal.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The run; its baseline is not looked at.
    pub question: Question<'a>,
    /// The patterns by which its cases were selected.
    pub cases: &'a [String],
    /// The patterns by which some were left out.
    pub exclude: &'a [String],
}

/// A baseline that was made equal to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The file.
    pub text: String,
    /// How many rows have no reason yet but that of the tester.
    pub unexplained: usize,
    /// Rows that are gone, with their reasons.
    pub dropped: Vec<String>,
}

impl Update<'_> {
    /// Makes the baseline from the text of the old one, if there is any.
    pub fn apply(&self, old: Option<&str>) -> Result<Updated, BaselineError> {
        let text = old.unwrap_or(EMPTY);
        let was = Baseline::parse(text)?;
        let mut now = Baseline { judge: self.question.judge, ..was.clone() };
        let peers: Vec<_> = self.question.results.peers().iter().map(|p| p.peer.as_str()).collect();
        now.peers.retain(|entry| peers.iter().any(|p| pattern::selects_whole(&entry.peers, p)));
        // What a row does not decide any more, a wider one may: again, until nothing changes. Each
        // turn leaves fewer patterns and fewer wrong rows.
        let mut added = BTreeSet::new();
        let mut turns = 3 + was.peers.iter().map(|entry| entry.rows.len()).sum::<usize>();
        let ids = self.ids();
        while self.correct(&mut now, &peers, &ids, &mut added) {
            turns = turns.checked_sub(1).ok_or_else(|| BaselineError::Value {
                place: "peers".to_owned(),
                what: "the name of one peer is a pattern that selects another one; give them \
                       other names, or a file each"
                    .to_owned(),
            })?;
        }
        self.fold(&mut now, &peers, &ids, &added);
        self.select(&mut now, &peers);
        let rows =
            was.peers.iter().flat_map(|entry| entry.rows.iter().map(move |row| (entry, row)));
        let dropped = rows.filter(|(entry, row)| !is_kept(&now, &peers, &ids, entry, row));
        let dropped = dropped.map(|(entry, row)| {
            let (cases, peers, why) =
                (visible(&row.cases), visible(&entry.peers), visible(&row.why));
            format!("`{cases}` of `{peers}`: {why}")
        });
        let all = now.peers.iter().flat_map(|entry| &entry.rows);
        Ok(Updated {
            unexplained: all.filter(|row| row.why.starts_with(UNEXPLAINED)).count(),
            dropped: dropped.collect(),
            text: write(text, &was, &now)?,
        })
    }

    /// Replaces rows that do not hold by exact ones, and adds those that are wanted. Says whether
    /// there was anything to do.
    fn correct(
        &self,
        now: &mut Baseline,
        peers: &[&str],
        ids: &BTreeSet<CaseId>,
        added: &mut BTreeSet<(String, CaseId)>,
    ) -> bool {
        let mut decided: BTreeMap<Place, bool> = BTreeMap::new();
        let mut verdicts = Vec::new();
        for &peer in peers {
            let entries = now.entries(peer);
            for id in ids {
                let place = now.row(&entries, id);
                let judged = self.judged(peer, id);
                let holds = match (&judged, place) {
                    (Some((judgement, _)), Some(place)) => {
                        now.at(place).allows(judgement, self.question.fail_on)
                    }
                    _ => false,
                };
                if let Some(place) = place {
                    *decided.entry(place).or_insert(true) &= holds;
                }
                verdicts.push((peer, id, place, judged, holds));
            }
        }
        let mut wanted = Vec::new();
        for (peer, id, place, judged, holds) in verdicts {
            let Some((judgement, faulty)) = judged else { continue };
            let row = match place {
                Some(place) if decided[&place] => continue,
                // The row goes, but holds for this case.
                Some(place) if holds => Row { cases: id.to_string(), ..now.at(place).clone() },
                _ if !faulty => continue,
                Some(place) => self.observed(id, judgement, Some(&now.at(place).why)),
                None => self.observed(id, judgement, None),
            };
            wanted.push((peer, id.clone(), row));
        }
        let mut changed = !wanted.is_empty();
        for (index, entry) in now.peers.iter_mut().enumerate() {
            let before = entry.rows.len();
            let mut number = 0;
            entry.rows.retain(|_| {
                number += 1;
                decided.get(&(index, number - 1)).copied().unwrap_or(false)
            });
            changed |= entry.rows.len() < before;
        }
        for (peer, id, row) in wanted {
            let entry = own_entry(now, peers, peer);
            entry.rows.push(row);
            added.insert((entry.peers.clone(), id));
        }
        changed
    }

    /// Makes one row of new ones that say the same of all cases of a section or subsection.
    fn fold(
        &self,
        now: &mut Baseline,
        peers: &[&str],
        ids: &BTreeSet<CaseId>,
        added: &BTreeSet<(String, CaseId)>,
    ) {
        let prefixes: BTreeSet<(usize, String)> = ids
            .iter()
            .flat_map(|id| {
                id.as_str().match_indices('.').map(|(at, _)| id.as_str()[..=at].to_owned())
            })
            .map(|prefix| (prefix.matches('.').count(), format!("{prefix}*")))
            .collect();
        for (_, cases) in prefixes {
            let members: Vec<_> =
                ids.iter().filter(|id| pattern::selects(&cases, id.as_str())).collect();
            for index in 0..now.peers.len() {
                let Some(folded) = fold_rows(&now.peers[index], &cases, &members, added) else {
                    continue;
                };
                let mut tried = now.clone();
                tried.peers[index] = folded;
                // A row that is more exact than the new one may speak for some of them.
                if self.holds(&tried, peers, ids) {
                    *now = tried;
                }
            }
        }
    }

    fn holds(&self, baseline: &Baseline, peers: &[&str], ids: &BTreeSet<CaseId>) -> bool {
        peers.iter().all(|peer| {
            let entries = baseline.entries(peer);
            ids.iter().all(|id| match (self.judged(peer, id), baseline.row(&entries, id)) {
                (None, None) => true,
                (Some((_, faulty)), None) => !faulty,
                (None, Some(_)) => false,
                (Some((judgement, _)), Some(place)) => {
                    baseline.at(place).allows(judgement, self.question.fail_on)
                }
            })
        })
    }

    /// Says which cases must have a result.
    fn select(&self, now: &mut Baseline, peers: &[&str]) {
        for peer in peers {
            let entries = now.entries(peer);
            if entries.iter().all(|index| now.peers[*index].cases.is_empty()) {
                own_entry(now, peers, peer).cases = self.cases.to_vec();
            }
        }
        for entry in now.peers.iter_mut().filter(|entry| !entry.cases.is_empty()) {
            entry.cases = self.cases.to_vec();
            entry.exclude = self.exclude.to_vec();
        }
    }

    fn ids(&self) -> BTreeSet<CaseId> {
        let known = self.question.cases.iter().map(|case| case.id.clone());
        known.chain(self.question.results.cases()).collect()
    }

    /// What a case came to, and whether that needs a row.
    fn judged(&self, peer: &str, id: &CaseId) -> Option<(&Judgement, bool)> {
        let record = self.question.results.record(peer, id)?;
        let judgement = record.final_attempt()?.judgement(self.question.judge);
        Some((judgement, self.question.fail_on.minds(record, judgement)))
    }

    fn observed(&self, id: &CaseId, judgement: &Judgement, why: Option<&str>) -> Row {
        let fail_on = self.question.fail_on;
        let close = fail_on.minds_close(judgement);
        let grade = fail_on.minds_behavior(judgement.behavior) || !close;
        let found = || format!("{UNEXPLAINED}{}", bounded(&visible(&reason(judgement)), 200));
        Row {
            cases: id.to_string(),
            grades: grade.then_some(judgement.behavior).into_iter().collect(),
            closes: close.then_some(judgement.close).into_iter().collect(),
            why: why.map_or_else(found, str::to_owned),
        }
    }
}

/// Whether what a row says still stands somewhere: the same reason, for a case that it selects, of a
/// peer that its entry selects.
fn is_kept(
    now: &Baseline,
    peers: &[&str],
    ids: &BTreeSet<CaseId>,
    entry: &Entry,
    row: &Row,
) -> bool {
    let of_both = |one: &str, other: &str| {
        let both = |peer| pattern::selects_whole(one, peer) && pattern::selects_whole(other, peer);
        peers.iter().any(|peer| both(peer))
    };
    let for_both = |one: &str, other: &str| {
        let both = |id: &str| pattern::selects(one, id) && pattern::selects(other, id);
        ids.iter().any(|id| both(id.as_str()))
    };
    let entries = now.peers.iter().filter(|other| of_both(&entry.peers, &other.peers));
    let mut rows = entries.flat_map(|entry| &entry.rows);
    rows.any(|other| other.why == row.why && for_both(&row.cases, &other.cases))
}

/// The entry for a peer's own rows: the most exact one, if no other peer shares it.
fn own_entry<'a>(now: &'a mut Baseline, peers: &[&str], peer: &str) -> &'a mut Entry {
    let first = now.entries(peer).first().copied();
    let own = first.filter(|index| {
        let entry = &now.peers[*index].peers;
        peers.iter().filter(|peer| pattern::selects_whole(entry, peer)).count() == 1
    });
    // Alone, it may call itself what it likes: names hold versions and ports.
    let pattern = if peers.len() == 1 { "*" } else { peer };
    let named = || now.peers.iter().position(|entry| entry.peers == pattern);
    let index = own.or_else(named).unwrap_or_else(|| {
        now.peers.push(Entry { peers: pattern.to_owned(), ..Entry::default() });
        now.peers.len() - 1
    });
    &mut now.peers[index]
}

fn fold_rows(
    entry: &Entry,
    cases: &str,
    members: &[&CaseId],
    added: &BTreeSet<(String, CaseId)>,
) -> Option<Entry> {
    let is_member = |row: &Row| members.iter().any(|id| id.as_str() == row.cases);
    let taken = entry.rows.iter().any(|row| row.cases == cases);
    let first = entry.rows.iter().find(|row| is_member(row))?;
    let mut same = entry.rows.iter().filter(|row| is_member(row)).map(|row| {
        let new = added.contains(&(entry.peers.clone(), CaseId::new(&*row.cases)));
        new && (&row.grades, &row.closes, &row.why) == (&first.grades, &first.closes, &first.why)
    });
    let rows = same.clone().count();
    if taken || rows < 2 || rows != members.len() || !same.all(|same| same) {
        return None;
    }
    let mut folded = entry.clone();
    folded.rows.retain(|row| !is_member(row));
    folded.rows.push(Row { cases: cases.to_owned(), ..first.clone() });
    Some(folded)
}

/// Writes what changed into the text, so that all else in it stays.
fn write(text: &str, was: &Baseline, now: &Baseline) -> Result<String, BaselineError> {
    let tree = read::tree(text)?;
    let root = tree.object_value_or_set();
    if was.judge != now.judge {
        let judge = if now.judge == JudgeKind::Classic { "classic" } else { "rfc" };
        set(&root, 0, "judge", json(judge));
    }
    let peers = root.object_value_or_set("peers");
    for entry in &was.peers {
        if !now.peers.iter().any(|kept| kept.peers == entry.peers) {
            remove(&peers, &entry.peers);
        }
    }
    for entry in &now.peers {
        let old = was.peers.iter().find(|old| old.peers == entry.peers);
        write_entry(&peers.object_value_or_set(&entry.peers), old, entry);
    }
    let mut text = tree.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn write_entry(object: &CstObject, old: Option<&Entry>, entry: &Entry) {
    let lists = [
        ("cases", old.map(|old| &old.cases), &entry.cases),
        ("exclude", old.map(|old| &old.exclude), &entry.exclude),
    ];
    for (index, (key, old, list)) in lists.into_iter().enumerate() {
        if list.is_empty() {
            remove(object, key);
        } else if old != Some(list) {
            let texts: Vec<_> = list.iter().map(|text| json(text)).collect();
            set(object, index, key, format!("[{}]", texts.join(", ")));
        }
    }
    let rows = object.object_value_or_set("expect");
    let old_rows = old.map(|old| &old.rows[..]).unwrap_or_default();
    for row in old_rows {
        if !entry.rows.iter().any(|kept| kept.cases == row.cases) {
            remove(&rows, &row.cases);
        }
    }
    for row in entry.rows.iter().filter(|row| !old_rows.contains(row)) {
        let id = CaseId::new(&*row.cases);
        let before =
            |prop: &CstObjectProp| CaseId::new(prop.decoded_name().unwrap_or_default()) < id;
        let index = rows.properties().iter().take_while(|prop| before(prop)).count();
        set(&rows, index, &row.cases, row_text(row));
    }
}

fn row_text(row: &Row) -> String {
    let mut parts = Vec::new();
    let grades: Vec<_> = row.grades.iter().map(|grade| name(&GRADES, grade)).collect();
    let closes: Vec<_> = row.closes.iter().map(|close| name(&CLOSES, close)).collect();
    for (key, names) in [("grade", grades), ("close", closes)] {
        match &names[..] {
            [] => {}
            [one] => parts.push(format!("\"{key}\": {}", json(one))),
            several => {
                let several: Vec<_> = several.iter().map(|one| json(one)).collect();
                parts.push(format!("\"{key}\": [{}]", several.join(", ")));
            }
        }
    }
    format!("{{ {}, \"why\": {} }}", parts.join(", "), json(&row.why))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn remove(object: &CstObject, key: &str) {
    if let Some(prop) = object.get(key) {
        prop.remove();
    }
}

/// Sets a member to a value that is JSON already, which keeps a row on one line.
fn set(object: &CstObject, index: usize, key: &str, value: String) {
    let empty = CstInputValue::String(String::new());
    let prop = match object.get(key) {
        Some(prop) => {
            prop.set_value(empty);
            prop
        }
        None => object.insert(index.min(object.properties().len()), key, empty),
    };
    if let Some(text) = prop.value().and_then(|value| value.as_string_lit()) {
        text.set_raw_value(value);
    }
}
