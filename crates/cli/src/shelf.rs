//! Transcripts of passing attempts: they stay in `results.jsonl` until a page needs them.
//!
//! Clients by the hundred leave so many of them that memory would be full of what nobody asks for:
//! only pages of cases and captures show the transcript of a pass. What comes before the peer's
//! first frame stays, for it says how fast the peer answers.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use wsproof_engine::{CaseId, Entry, Transcript, What};
use wsproof_report::{Record, Results, contract::Attempt};

use crate::exit::Error;

/// So many attempts keep their transcripts in memory: more than one peer has.
const KEPT: usize = 1000;
/// Of so many more it is kept until their pages are written, most often at once.
const FRESH: usize = 256;

/// Attempts by their lines in a file.
pub(crate) struct Shelf {
    path: PathBuf,
    /// Open all the time: scripts may remove the file.
    file: RefCell<File>,
    places: HashMap<Key, Place>,
    /// What was taken out of the transcripts that came last.
    fresh: HashMap<Key, Vec<Entry>>,
    /// Attempts that came until now.
    came: usize,
}

/// An attempt: peer, case, number.
type Key = (String, CaseId, u32);

/// Where a line stands, and its length.
type Place = (u64, usize);

impl Shelf {
    /// A shelf of results that stand, or will stand, in this file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = RefCell::new(File::open(path)?);
        let (places, fresh) = (HashMap::new(), HashMap::new());
        Ok(Self { path: path.to_owned(), file, places, fresh, came: 0 })
    }

    /// Takes most of the transcript out of an attempt that stands in the file, if it is a pass and
    /// there are many already.
    pub(crate) fn put(&mut self, attempt: &mut Attempt, place: Place) {
        self.came += 1;
        if self.came > KEPT && attempt.classic.is_plain_pass() && attempt.rfc.is_plain_pass() {
            let rest = shorten(&mut attempt.outcome.transcript);
            if self.fresh.len() < FRESH {
                self.fresh.insert(key(attempt), rest);
            }
            self.places.insert(key(attempt), place);
        }
    }

    /// Keeps nothing any more that stands in the file: all pages are written.
    pub(crate) fn clear(&mut self) {
        self.fresh.clear();
    }

    /// A record with all transcripts.
    pub(crate) fn whole<'a>(&self, record: &'a Record) -> Result<Cow<'a, Record>, Error> {
        if !record.attempts().iter().any(|attempt| self.places.contains_key(&key(attempt))) {
            return Ok(Cow::Borrowed(record));
        }
        let whole = record.with_attempts(|attempt| {
            let key = key(attempt);
            match (self.fresh.get(&key), self.places.get(&key)) {
                (None, Some(place)) => self.read(*place, attempt),
                (rest, _) => {
                    let mut attempt = attempt.clone();
                    attempt.outcome.transcript.entries.extend(rest.into_iter().flatten().cloned());
                    Ok(attempt)
                }
            }
        });
        whole.map(Cow::Owned)
    }

    fn read(&self, (at, len): Place, attempt: &Attempt) -> Result<Attempt, Error> {
        let what = || format!("read {} again", self.path.display());
        let mut line = vec![0; len];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.read_exact(&mut line))
            .map_err(|error| Error::failed(what(), error))?;
        let results = Results::parse(line).map_err(|error| Error::failed(what(), error))?;
        let found = results.record(&attempt.peer, &attempt.case).and_then(|r| r.attempts().first());
        found.cloned().ok_or_else(|| Error::failed(what(), "another case stands there"))
    }
}

/// Leaves what comes up to the peer's first frame. Returns the rest.
fn shorten(transcript: &mut Transcript) -> Vec<Entry> {
    let entries = &mut transcript.entries;
    let first = entries.iter().position(|it| matches!(it.what, What::FrameReceived { .. }));
    let rest = entries.split_off(first.map_or(0, |first| first + 1));
    entries.shrink_to_fit();
    rest
}

fn key(attempt: &Attempt) -> Key {
    (attempt.peer.clone(), attempt.case.clone(), attempt.attempt)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wsproof_proto::{FrameHeader, Opcode};

    use super::*;

    /// Shortens a transcript of frames (`f`) and reads (`r`) to so many entries.
    fn check(entries: &str, left: usize) {
        let entry = |kind| {
            let what = match kind {
                'f' => What::FrameReceived {
                    header: FrameHeader::new(Opcode::Text, 0),
                    head: Vec::new(),
                    whole: None,
                    offset: 0,
                },
                _ => What::Read { len: 2, head: Vec::new() },
            };
            Entry { at: Duration::ZERO, connection: 0, what }
        };
        let mut transcript =
            Transcript { entries: entries.chars().map(entry).collect(), omitted: 7 };
        let whole = transcript.entries.clone();
        let rest = shorten(&mut transcript);
        assert_eq!((transcript.entries.len(), transcript.omitted), (left, 7), "{entries}");
        assert_eq!([transcript.entries, rest].concat(), whole);
    }

    #[test]
    fn what_says_how_fast_a_peer_is_stays() {
        check("rrfrf", 3);
        check("f", 1);
        check("rr", 0);
        check("", 0);
    }
}
