//! The results of a run and everything that is rendered from them.
//!
//! [`contract`] is what outsiders parse: the lines of `results.jsonl`. [`Results`] is all of them
//! read back, and the renderers turn it into files and text. Nothing here does I/O or looks at a
//! clock: times come with the data, files leave as names and octets.

mod account;
pub mod badge;
pub mod baseline;
pub mod causes;
pub mod classic;
pub mod contract;
pub mod conversation;
pub mod diff;
pub mod gate;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
mod log;
pub mod markdown;
pub mod merge;
mod names;
pub mod pcapng;
mod refusals;
mod replay;
mod results;
pub mod summary;
pub mod tap;
mod words;

pub use baseline::Baseline;
pub use contract::{JudgeKind, Line};
pub use gate::Gate;
pub use results::{Counts, Missing, ParseError, Record, Results};
pub use summary::text_summary;
pub use words::number;

/// A file to be written into the folder of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub contents: Vec<u8>,
}
