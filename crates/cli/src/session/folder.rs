//! The folder of the report while the run goes on: what is not there yet, and what has changed.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    fs, io,
    path::Path,
};

use wsproof_engine::{Case, CaseId};
use wsproof_report::{JudgeKind, Results, classic, html};

use crate::{exit::Error, shelf::Shelf, stored};

/// Cases whose files are not in the folder, or do not say all that is known, by peer.
#[derive(Debug, Default)]
pub(super) struct Stale {
    cases: BTreeMap<String, BTreeSet<CaseId>>,
    count: usize,
}

impl Stale {
    /// Notes that something became known about a case with a peer.
    pub(super) fn add(&mut self, peer: &str, case: &CaseId) {
        if !self.cases.contains_key(peer) {
            self.cases.insert(peer.to_owned(), BTreeSet::new());
        }
        if let Some(cases) = self.cases.get_mut(peer) {
            self.count += usize::from(cases.insert(case.clone()));
        }
    }

    fn first(&self, peer: &str) -> Option<CaseId> {
        self.cases.get(peer)?.first().cloned()
    }

    fn remove(&mut self, peer: &str, case: &CaseId) {
        if let Some(cases) = self.cases.get_mut(peer) {
            self.count -= usize::from(cases.remove(case));
        }
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }
}

/// The folder of the report, and what its files are made from.
pub(super) struct Folder<'a> {
    out: &'a Path,
    results: &'a Results,
    shelf: &'a Shelf,
    pages: html::Pages<'a>,
    files: classic::Files<'a>,
}

impl<'a> Folder<'a> {
    /// The folder for these results, whose transcripts may be on the shelf. The order of the
    /// catalogue is that of reports, and then that of the classic files.
    pub(super) fn new(
        out: &'a Path,
        (results, shelf): (&'a Results, &'a Shelf),
        [cases, classic_order]: [&'a [Case]; 2],
        judge: JudgeKind,
    ) -> Self {
        let pages = html::Pages::new(results, cases, judge, wsproof_cases::section_title);
        Self { out, results, shelf, pages, files: classic::Files::new(results, classic_order) }
    }

    /// Writes the files of the cases that are stale, which they are no more.
    pub(super) fn write_cases(&self, stale: &mut Stale) -> Result<(), Error> {
        for peer in self.results.peers() {
            // What could not be written stays stale.
            while let Some(id) = stale.first(&peer.peer) {
                if let Some(record) = self.results.record(&peer.peer, &id) {
                    let whole = self.shelf.whole(record)?;
                    let page = self.pages.case(peer, &id, &whole);
                    let files = [page, self.files.case(&peer.peer, &id, &whole)];
                    let write = |file| stored::write_file(self.out, file);
                    files.iter().flatten().try_for_each(write)?;
                }
                stale.remove(&peer.peer, &id);
            }
        }
        Ok(())
    }

    /// Finds the cases whose files somebody removed: scripts clean up between two clients.
    pub(super) fn find_removed(&self, stale: &mut Stale) -> Result<(), Error> {
        let there = names(self.out)
            .map_err(|error| Error::failed(format!("read {}", self.out.display()), error))?;
        for peer in self.results.peers() {
            for (id, record) in self.results.records(&peer.peer) {
                let names = [self.pages.name(&peer.peer, id), self.files.name(&peer.peer, id)];
                let removed = names.iter().any(|name| !there.contains(OsStr::new(name)));
                if removed && record.final_attempt().is_some() {
                    stale.add(&peer.peer, id);
                }
            }
        }
        Ok(())
    }

    /// Writes what names the files of all cases, which are there by then.
    pub(super) fn write_index(&self) -> Result<(), Error> {
        [self.pages.index(), self.files.index()]
            .iter()
            .try_for_each(|file| stored::write_file(self.out, file))
    }
}

/// The names in a folder; one look is cheaper than one for each file.
fn names(folder: &Path) -> io::Result<HashSet<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use wsproof_engine::{Run, RunConfig, Target, judge};
    use wsproof_proto::Role;
    use wsproof_report::{
        Line,
        contract::{Attempt, Confirmation, PeerInfo, Verdict},
    };

    use super::*;

    const PEER: &str = "a";

    /// Results of a case that came to nothing.
    fn results(case: &Case) -> Results {
        let config = RunConfig::new(Role::Client, Target::new("h", "/"), 1);
        let mut run = Run::new(Arc::new(case.clone()), config);
        run.give_up(Duration::ZERO);
        let outcome = run.into_outcome(Duration::ZERO);
        let (peer, case_id) = (PEER.to_owned(), case.id.clone());
        let url = "ws://127.0.0.1:1".to_owned();
        let mut results = Results::default();
        results.push(Line::Peer(PeerInfo { peer: peer.clone(), url, dial: None }));
        results.push(Line::Attempt(Box::new(Attempt {
            peer: peer.clone(),
            case: case_id.clone(),
            attempt: 1,
            quiet: true,
            beside: 0,
            comparable: true,
            started: "2025-01-31T12:30:01.250Z".to_owned(),
            classic: judge::classic(case, &outcome),
            rfc: judge::rfc(case, &outcome),
            outcome,
        })));
        let confirmation = Confirmation::NotNeeded;
        let verdict = Verdict { peer, case: case_id, attempt: 1, unstable: false, confirmation };
        results.push(Line::Verdict(verdict));
        results
    }

    #[test]
    fn what_could_not_be_written_stays_stale() {
        let cases = wsproof_cases::catalogue();
        let results = results(&cases[0]);
        let dir = tempfile::tempdir().unwrap();
        let shelf = dir.path().join("results.jsonl");
        fs::write(&shelf, "").unwrap();
        let shelf = Shelf::open(&shelf).unwrap();
        let out = dir.path().join("out");
        let folder = Folder::new(&out, (&results, &shelf), [&cases, &cases], JudgeKind::Rfc);
        let mut stale = Stale::default();
        stale.add(PEER, &cases[0].id);
        stale.add(PEER, &cases[0].id);
        assert_eq!(stale.count(), 1);
        assert!(folder.write_cases(&mut stale).is_err(), "there is no such folder");
        assert_eq!(stale.count(), 1);
        fs::create_dir(&out).unwrap();
        folder.write_cases(&mut stale).unwrap();
        assert_eq!((stale.count(), names(&out).unwrap().len()), (0, 2));
        folder.find_removed(&mut stale).unwrap();
        assert_eq!(stale.count(), 0);
        fs::remove_file(out.join(folder.pages.name(PEER, &cases[0].id))).unwrap();
        folder.find_removed(&mut stale).unwrap();
        assert_eq!(stale.count(), 1);
    }
}
