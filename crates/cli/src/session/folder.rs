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
