//! The catalogue of conformance cases: data only.
//!
//! Each section is a file with one function that adds its cases; the list below holds the
//! functions. What carries a case out and what judges it is in `wsproof-engine`. Ids that begin
//! with a digit are those of `wstest` and mean the same; ours begin with a letter.

mod cl_closing;
pub mod corpus;
mod hs_opening;
mod s01_framing;
mod s02_pings;
mod s03_reserved_bits;
mod s04_opcodes;
mod s05_fragments;
mod s06_utf8;
mod s07_closing;
mod s09_limits;
mod s10_own_fragments;
mod s12_compression;
mod s13_parameters;
mod titles;
mod windows;

use wsproof_engine::{Case, Section};

pub use titles::section_title;

/// The version of the catalogue. A change that can change a verdict changes it.
pub const CATALOGUE_VERSION: &str = "1.1.0";

const SECTIONS: [fn(&mut Section); 13] = [
    s01_framing::section,
    s02_pings::section,
    s03_reserved_bits::section,
    s04_opcodes::section,
    s05_fragments::section,
    s06_utf8::section,
    s07_closing::section,
    s09_limits::section,
    s10_own_fragments::section,
    s12_compression::section,
    s13_parameters::section,
    cl_closing::section,
    hs_opening::section,
];

/// Every case, sorted by id.
pub fn catalogue() -> Vec<Case> {
    let mut section = Section::new();
    for add_cases in SECTIONS {
        add_cases(&mut section);
    }
    let mut cases = section.into_cases();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases
}

/// The cases that `wstest` has too.
pub fn classic() -> Vec<Case> {
    let mut cases = catalogue();
    cases.retain(|case| case.id.is_classic());
    cases
}
