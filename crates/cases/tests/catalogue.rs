//! What holds for every case, whatever it is about.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use wsproof_cases::{catalogue, classic, section_title};
use wsproof_engine::{Case, Timers};

/// Names the cases for which something does not hold.
fn check(holds: impl Fn(&Case) -> bool) {
    let cases = catalogue();
    let bad: Vec<_> = cases.iter().filter(|case| !holds(case)).map(|case| &case.id).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn ids_are_unique_and_sorted() {
    assert!(catalogue().is_sorted_by(|a, b| a.id < b.id));
}

#[test]
fn there_are_517_classic_cases_and_five_of_ours() {
    assert_eq!(classic().len(), 517);
    let ours: Vec<_> =
        catalogue().iter().map(|case| case.id.to_string()).skip(classic().len()).collect();
    assert_eq!(ours, ["CL.3.5", "HS.1.1", "HS.1.50", "HS.2.1", "HS.3.2"]);
}

#[test]
fn our_ids_begin_with_a_letter_and_have_our_limits() {
    check(|case| {
        let letter = case.id.as_str().starts_with(|c: char| c.is_ascii_uppercase());
        case.id.is_classic() != letter
            && case.timers == if letter { Timers::OWN } else { Timers::CLASSIC }
            && case.bare_request == letter
    });
}

#[test]
fn titles_are_short_lower_case_and_without_a_final_period() {
    check(|case| {
        let first = case.title.chars().next();
        case.title.chars().count() < 60
            && first.is_some_and(|c| !c.is_uppercase())
            && !case.title.ends_with('.')
    });
}

#[test]
fn no_two_titles_are_the_same() {
    let seen = RefCell::new(BTreeSet::new());
    check(|case| seen.borrow_mut().insert(case.title.clone()));
}

#[test]
fn every_case_cites_and_explains() {
    check(|case| !case.cites.is_empty() && case.why.ends_with('.') && !case.why.contains("  "));
}

#[test]
fn every_section_has_a_title() {
    check(|case| {
        let parts: Vec<_> = case.id.as_str().split('.').collect();
        let subsection = parts[..parts.len() - 1].join(".");
        section_title(case.id.section()).is_some() && section_title(&subsection).is_some()
    });
    assert_eq!(section_title("6.4"), Some("How early ill-formed text is noticed"));
    assert_eq!(section_title("8"), None);
}

#[test]
fn every_case_knows_the_file_of_its_section() {
    check(|case| {
        let section = case.id.section().to_lowercase();
        let prefix = if case.id.is_classic() { format!("s{section:0>2}_") } else { section + "_" };
        let file = Path::new(case.location.file).file_name().and_then(|name| name.to_str());
        file.is_some_and(|name| name.starts_with(&prefix)) && case.location.line > 0
    });
}
