//! The folder of the report while the run goes on: what is not there yet, and what has changed.

use std::{borrow::Cow, collections::HashMap, path::Path};

use wsproof_report::{File, Record, Sink, contract::Confirmation};

use crate::{exit::Error, shelf::Shelf, stored};

/// What was known of a case when its file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    attempts: usize,
    counts: Option<u32>,
    confirmation: Confirmation,
    unstable: bool,
}

impl Written {
    fn of(record: &Record) -> Self {
        Self {
            attempts: record.attempts().len(),
            counts: record.final_attempt().map(|attempt| attempt.attempt),
            confirmation: record.confirmation(),
            unstable: record.is_unstable(),
        }
    }
}

/// The folder of the report, in which only what is new is written.
pub(super) struct Folder<'a> {
    pub(super) out: &'a Path,
    pub(super) written: &'a mut HashMap<String, Written>,
    pub(super) shelf: &'a Shelf,
}

impl Sink for Folder<'_> {
    type Error = Error;

    fn wanted<'r>(
        &mut self,
        name: &str,
        record: &'r Record,
    ) -> Result<Option<Cow<'r, Record>>, Error> {
        let state = Written::of(record);
        let before = self.written.insert(name.to_owned(), state);
        if before == Some(state) && self.out.join(name).exists() {
            return Ok(None);
        }
        self.shelf.whole(record).map(Some)
    }

    fn take(&mut self, file: File) -> Result<(), Error> {
        stored::write_file(self.out, &file)
    }
}
