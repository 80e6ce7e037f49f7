//! Everything that is known about a run: the lines of `results.jsonl`, put in order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::DeserializeOwned};
use wsproof_engine::{Behavior, CaseId};
use wsproof_proto::Role;

use crate::contract::{
    Attempt, Confirmation, End, Excluded, FORMAT, JudgeKind, Line, Note, PeerInfo, RunInfo, Verdict,
};

/// The results of a run, complete or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    run: Option<RunInfo>,
    peers: Vec<PeerInfo>,
    records: BTreeMap<String, BTreeMap<CaseId, Record>>,
    excluded: BTreeMap<String, BTreeSet<CaseId>>,
    notes: Vec<Note>,
    end: Option<End>,
}

/// What is known about one case with one peer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    attempts: Vec<Attempt>,
    verdict: Option<Verdict>,
}

/// Why a case has no result with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// It was not for this peer.
    Excluded,
    /// The peer is a client, and did not ask for it.
    NotAsked,
    /// The run was interrupted before its turn.
    NotRun,
    /// Nobody selected it.
    NotSelected,
    /// The peer was gone, so that nobody can know.
    Unreachable,
}

impl Missing {
    /// The reason in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::NotAsked => "not asked for",
            Self::NotRun => "not run: interrupted",
            Self::NotSelected => "not selected",
            Self::Unreachable => "peer unreachable",
        }
    }
}

/// How many cases came to which verdict. Every case is in exactly one of `failed`, `close_only`,
/// `ok`, `non_strict`, `informational` and `unimplemented`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cases with a result.
    pub total: usize,
    /// `behavior` is FAILED.
    pub failed: usize,
    /// Only the closing deviates from what the peer must do.
    pub close_only: usize,
    /// `behavior` is OK and nothing deviates.
    pub ok: usize,
    /// `behavior` is NON-STRICT and nothing deviates.
    pub non_strict: usize,
    /// `behavior` is INFORMATIONAL.
    pub informational: usize,
    /// `behavior` is UNIMPLEMENTED.
    pub unimplemented: usize,
    /// Cases in which the peer deviates from what it must do: the question of the exit code.
    pub deviating: usize,
    /// Cases whose attempts came to different verdicts.
    pub unstable: usize,
}

/// Why results cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A line does not say what it should.
    #[error(
        "read line {line} of the results, field `{field}`: {reason}; mend or remove that line, \
         or run the cases again"
    )]
    Field {
        /// The line, counted from 1.
        line: usize,
        /// The path of the field, `outcome.closing.remote_code`; `.` for the line as a whole.
        field: String,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// The file was written by a newer version.
    #[error(
        "read line {line} of the results, field `format`: {format} is newer than {FORMAT}, the \
         newest that this version knows; update wsproof"
    )]
    Format {
        /// The line, counted from 1.
        line: usize,
        /// The format that it names.
        format: u32,
    },
    /// A line of an unknown type.
    #[error(
        "read line {line} of the results, field `type`: {found:?} is none of run, peer, excluded, \
         attempt, verdict, note, end; mend or remove that line"
    )]
    Type {
        /// The line, counted from 1.
        line: usize,
        /// The type that it names.
        found: String,
    },
}

impl Results {
    /// Reads the text of a `results.jsonl`. A last line that was cut off, as a crash leaves it,
    /// is left out with a note.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, ParseError> {
        let mut results = Self::default();
        let mut rest = text.as_ref();
        let mut number = 0;
        while !rest.is_empty() {
            let end = rest.iter().position(|octet| *octet == b'\n');
            let (line, tail) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
            rest = tail;
            number += 1;
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            match parse_line(line, number) {
                Ok(line) => results.push(line),
                Err(ParseError::Field { reason, .. }) if end.is_none() && reason.is_eof() => {
                    let text = format!(
                        "The results end in the middle of line {number}: the tester was stopped \
                         while it wrote. That line is left out."
                    );
                    results.push(Line::Note(Note { peer: None, text }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(results)
    }

    /// Takes one more line.
    pub fn push(&mut self, line: Line) {
        match line {
            Line::Run(run) => self.run = Some(run),
            Line::Peer(peer) => self.add_peer(peer),
            Line::Excluded(Excluded { peer, cases }) => {
                self.excluded.entry(peer).or_default().extend(cases);
            }
            Line::Attempt(attempt) => {
                let attempts = &mut self.record_mut(&attempt.peer, &attempt.case).attempts;
                // Most cases have one, and it is large.
                attempts.reserve_exact(1);
                attempts.push(*attempt);
            }
            Line::Verdict(verdict) => {
                let record = self.record_mut(&verdict.peer, &verdict.case);
                record.verdict = Some(verdict);
            }
            Line::Note(note) => self.notes.push(note),
            Line::End(end) => self.end = Some(end),
        }
    }

    /// The lines that say all this, those of a case beside each other.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.run.iter().cloned().map(Line::Run).collect();
        for info in &self.peers {
            let peer = &info.peer;
            lines.push(Line::Peer(info.clone()));
            if let Some(cases) = self.excluded.get(peer) {
                let cases = cases.iter().cloned().collect();
                lines.push(Line::Excluded(Excluded { peer: peer.clone(), cases }));
            }
            for record in self.records.get(peer).into_iter().flat_map(BTreeMap::values) {
                lines.extend(record.attempts.iter().cloned().map(Box::new).map(Line::Attempt));
                lines.extend(record.verdict.clone().map(Line::Verdict));
            }
        }
        lines.extend(self.notes.iter().cloned().map(Line::Note));
        lines.extend(self.end.clone().map(Line::End));
        lines
    }

    /// How the run was started, if its first line is known.
    pub fn run(&self) -> Option<&RunInfo> {
        self.run.as_ref()
    }

    /// How the run ended; nothing if it was cut off.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The notes, in order.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether the run did not come to its end.
    pub fn is_interrupted(&self) -> bool {
        self.end.as_ref().is_none_or(|end| end.interrupted)
    }

    /// The peers, in the order in which they appeared.
    pub fn peers(&self) -> &[PeerInfo] {
        &self.peers
    }

    /// The cases of a peer that have a result, in the order of the catalogue.
    pub fn records(&self, peer: &str) -> impl Iterator<Item = (&CaseId, &Record)> {
        let records = self.records.get(peer);
        records.into_iter().flatten().filter(|(_, record)| !record.attempts.is_empty())
    }

    /// What is known about a case with a peer.
    pub fn record(&self, peer: &str, case: &CaseId) -> Option<&Record> {
        let record = self.records.get(peer)?.get(case)?;
        (!record.attempts.is_empty()).then_some(record)
    }

    /// The attempt of a case that counts.
    pub fn final_attempt(&self, peer: &str, case: &CaseId) -> Option<&Attempt> {
        self.record(peer, case)?.final_attempt()
    }

    /// Every case that was selected or has a result with any peer, in the order of the catalogue.
    pub fn cases(&self) -> Vec<CaseId> {
        let judged = self.peers.iter().flat_map(|peer| self.records(&peer.peer)).map(|(id, _)| id);
        // One by one: with many peers almost all are there already.
        let mut ids = BTreeSet::new();
        ids.extend(judged.chain(self.selected()));
        ids.into_iter().cloned().collect()
    }

    /// The selected cases that should have a result with a peer and have none.
    pub fn missing(&self, peer: &str) -> Vec<&CaseId> {
        self.without_result(peer).filter(|id| !self.is_excluded(peer, id)).collect()
    }

    /// The selected cases that were not for this peer.
    pub fn excluded(&self, peer: &str) -> Vec<&CaseId> {
        self.without_result(peer).filter(|id| self.is_excluded(peer, id)).collect()
    }

    /// Why a case has no result with a peer; none if it has one.
    pub fn why_missing(&self, peer: &str, case: &CaseId) -> Option<Missing> {
        if self.final_attempt(peer, case).is_some() {
            return None;
        }
        // An attempt that does not count was made before the peer went.
        Some(if self.record(peer, case).is_some() {
            Missing::Unreachable
        } else if self.is_excluded(peer, case) {
            Missing::Excluded
        } else if !self.selected().any(|id| id == case) {
            Missing::NotSelected
        } else if self.is_client(peer) {
            Missing::NotAsked
        } else if self.is_interrupted() {
            Missing::NotRun
        } else {
            Missing::Unreachable
        })
    }

    /// Whether the peer came to the tester, and not the tester to the peer.
    pub fn is_client(&self, peer: &str) -> bool {
        let mut attempts = self.records(peer).flat_map(|(_, record)| &record.attempts);
        attempts.any(|attempt| attempt.outcome.role == Role::Server)
    }

    fn selected(&self) -> impl Iterator<Item = &CaseId> {
        self.run.iter().flat_map(|run| &run.cases)
    }

    fn without_result(&self, peer: &str) -> impl Iterator<Item = &CaseId> {
        self.selected().filter(move |id| self.final_attempt(peer, id).is_none())
    }

    fn is_excluded(&self, peer: &str, case: &CaseId) -> bool {
        self.excluded.get(peer).is_some_and(|cases| cases.contains(case))
    }

    /// Counts the verdicts of a peer under a judgement.
    pub fn counts(&self, peer: &str, judge: JudgeKind) -> Counts {
        let mut counts = Counts::default();
        for (_, record) in self.records(peer) {
            let Some(attempt) = record.final_attempt() else { continue };
            let judgement = attempt.judgement(judge);
            counts.total += 1;
            *match judgement.behavior {
                Behavior::Failed => &mut counts.failed,
                _ if judgement.deviates() => &mut counts.close_only,
                Behavior::Ok => &mut counts.ok,
                Behavior::NonStrict => &mut counts.non_strict,
                Behavior::Informational => &mut counts.informational,
                Behavior::Unimplemented => &mut counts.unimplemented,
            } += 1;
            counts.deviating += usize::from(judgement.deviates());
            counts.unstable += usize::from(record.is_unstable());
        }
        counts
    }

    fn add_peer(&mut self, peer: PeerInfo) {
        match self.peers.iter_mut().find(|known| known.peer == peer.peer) {
            Some(known) if !peer.url.is_empty() => *known = peer,
            Some(_) => {}
            None => self.peers.push(peer),
        }
    }

    fn record_mut(&mut self, peer: &str, case: &CaseId) -> &mut Record {
        if !self.records.contains_key(peer) {
            self.add_peer(PeerInfo { peer: peer.to_owned(), ..PeerInfo::default() });
            self.records.insert(peer.to_owned(), BTreeMap::new());
        }
        let records = self.records.get_mut(peer).expect("it was inserted where it was missing");
        records.entry(case.clone()).or_default()
    }
}

impl Record {
    /// The same with other attempts in the places of its own.
    pub fn with_attempts<E>(
        &self,
        attempt: impl FnMut(&Attempt) -> Result<Attempt, E>,
    ) -> Result<Self, E> {
        let attempts: Result<_, E> = self.attempts.iter().map(attempt).collect();
        Ok(Self { attempts: attempts?, verdict: self.verdict.clone() })
    }

    /// All attempts, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The attempt that counts: the one that the verdict names, or the last one if the run was
    /// interrupted before there was a verdict. None if nobody can know whose fault it was.
    pub fn final_attempt(&self) -> Option<&Attempt> {
        if self.confirmation() == Confirmation::Impossible {
            return None;
        }
        let named = self.verdict.as_ref().map(|verdict| verdict.attempt);
        let found = self.attempts.iter().rfind(|attempt| Some(attempt.attempt) == named);
        found.or_else(|| self.attempts.last())
    }

    /// Whether attempts came to different verdicts.
    pub fn is_unstable(&self) -> bool {
        let unstable = self.verdict.as_ref().is_some_and(|verdict| verdict.unstable);
        unstable && self.confirmation() != Confirmation::Impossible
    }

    /// What is known about a verdict that was reached beside other cases.
    pub fn confirmation(&self) -> Confirmation {
        self.verdict.as_ref().map_or(Confirmation::Missing, |verdict| verdict.confirmation)
    }
}

fn parse_line(line: &[u8], number: usize) -> Result<Line, ParseError> {
    // Not serde's own tagged enum: it takes the octet counts that are keys for text, and an
    // error in it names no field.
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    let head: Head = read(line, number)?;
    Ok(match head.kind.as_str() {
        "run" => {
            #[derive(Deserialize)]
            struct Format {
                format: u32,
            }
            let Format { format } = read(line, number)?;
            if format > FORMAT {
                return Err(ParseError::Format { line: number, format });
            }
            Line::Run(read(line, number)?)
        }
        "peer" => Line::Peer(read(line, number)?),
        "excluded" => Line::Excluded(read(line, number)?),
        "attempt" => Line::Attempt(read(line, number)?),
        "verdict" => Line::Verdict(read(line, number)?),
        "note" => Line::Note(read(line, number)?),
        "end" => Line::End(read(line, number)?),
        _ => return Err(ParseError::Type { line: number, found: head.kind }),
    })
}

fn read<T: DeserializeOwned>(line: &[u8], number: usize) -> Result<T, ParseError> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| ParseError::Field {
        line: number,
        field: error.path().to_string(),
        reason: error.into_inner(),
    })?;
    let end = json.end();
    end.map(|()| value).map_err(|reason| ParseError::Field {
        line: number,
        field: ".".to_owned(),
        reason,
    })
}
