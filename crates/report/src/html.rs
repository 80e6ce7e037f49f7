//! Pages for people: the report and a page per case and peer.
//!
//! The report says what deviates and why in plain HTML; its script only filters, folds and leads
//! to places. No page asks a network for anything. All that comes from a peer is escaped and shown
//! as text.

mod aside;
mod card;
mod case;
mod charts;
mod closing;
mod data;
mod index;
mod matrix;
mod opening;
mod stats;
mod talk;
mod verdict;

use std::collections::HashMap;

use askama::Template;
use wsproof_engine::{Case, CaseId, Citation};
use wsproof_proto::Violation;

use crate::{File, Gate, JudgeKind, Record, Results, contract::PeerInfo, names::Names};

/// How all pages look, for others of their family.
pub const STYLE: &str = include_str!("../templates/style.css");

/// Gives the title of a section (`6`) or a subsection (`6.4`) of the catalogue.
pub type Titles = fn(&str) -> Option<&'static str>;

/// Renders the pages. `cases` is the catalogue, `judge` the judgement that is shown first.
pub fn files(results: &Results, cases: &[Case], judge: JudgeKind, titles: Titles) -> Vec<File> {
    let pages = Pages::new(results, cases, judge, titles);
    let mut files = vec![pages.index()];
    for peer in results.peers() {
        let records = results.records(&peer.peer);
        files.extend(records.filter_map(|(id, record)| pages.case(peer, id, record)));
    }
    files
}

/// Renders `index.html` alone, with what a comparison with a baseline came to if there was one.
pub fn index(
    results: &Results,
    cases: &[Case],
    judge: JudgeKind,
    titles: Titles,
    gate: Option<&Gate<'_>>,
) -> File {
    Pages { view: View::new(results, cases, judge, titles, gate) }.index()
}

/// The pages of a report, each rendered when it is asked for.
pub struct Pages<'a> {
    view: View<'a>,
}

impl<'a> Pages<'a> {
    /// The pages of these results. `cases` is the catalogue, `judge` the judgement that is shown
    /// first.
    pub fn new(results: &'a Results, cases: &'a [Case], judge: JudgeKind, titles: Titles) -> Self {
        Self { view: View::new(results, cases, judge, titles, None) }
    }

    /// The name of a case's page.
    pub fn name(&self, peer: &str, id: &CaseId) -> String {
        self.view.names.file(peer, id, "html")
    }

    /// The page of a case with a peer, if it has a result. No other result changes it.
    pub fn case(&self, peer: &PeerInfo, id: &CaseId, record: &Record) -> Option<File> {
        let case = case::CasePage::new(&self.view, peer, id, record)?;
        Some(page(self.name(&peer.peer, id), &case))
    }

    /// The report itself, which names the pages of all cases.
    pub fn index(&self) -> File {
        page("index.html".to_owned(), &index::Index::new(&self.view))
    }
}

/// What all pages are made from.
struct View<'a> {
    results: &'a Results,
    cases: &'a [Case],
    by_id: HashMap<&'a CaseId, &'a Case>,
    judge: JudgeKind,
    titles: Titles,
    names: Names<'a>,
    gate: Option<&'a Gate<'a>>,
}

impl<'a> View<'a> {
    fn new(
        results: &'a Results,
        cases: &'a [Case],
        judge: JudgeKind,
        titles: Titles,
        gate: Option<&'a Gate<'a>>,
    ) -> Self {
        let by_id = cases.iter().map(|case| (&case.id, case)).collect();
        Self { results, cases, by_id, judge, titles, names: Names::new(results), gate }
    }

    fn case(&self, id: &CaseId) -> Option<&'a Case> {
        self.by_id.get(id).copied()
    }
}

/// A place in an RFC, with its address.
#[derive(Clone, PartialEq, Eq)]
struct Cite {
    label: String,
    url: String,
}

impl Cite {
    fn new(rfc: u16, section: &str) -> Self {
        Self {
            label: format!("RFC {rfc}, {section}"),
            url: format!("https://www.rfc-editor.org/rfc/rfc{rfc}#section-{section}"),
        }
    }
}

impl From<Citation> for Cite {
    fn from(citation: Citation) -> Self {
        Self::new(citation.spec.number(), citation.section)
    }
}

impl From<Violation> for Cite {
    fn from(violation: Violation) -> Self {
        let (rfc, section) = violation.rfc();
        Self::new(rfc, section)
    }
}

/// A piece of a sentence: plain, or a link if it has an address.
#[derive(Clone, PartialEq, Eq)]
struct Piece {
    text: String,
    url: String,
}

/// A sentence in which `RFC 6455, 5.5.1` leads to that section.
fn linked(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while let Some(at) = rest.find("RFC ") {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = |text: &str, dots: bool| {
            let fits = |c: char| c.is_ascii_digit() || dots && c == '.';
            text.find(|c| !fits(c)).unwrap_or(text.len())
        };
        let rfc = &rest[4..4 + digits(&rest[4..], false)];
        let behind = &rest[4 + rfc.len()..];
        let section = behind.strip_prefix(", ").unwrap_or_default();
        let section = section[..digits(section, true)].trim_end_matches('.');
        match rfc.parse() {
            Ok(number) if !section.is_empty() => {
                let cite = Cite::new(number, section);
                let length = 4 + rfc.len() + 2 + section.len();
                pieces.push(Piece { text: std::mem::take(&mut plain), url: String::new() });
                pieces.push(Piece { text: rest[..length].to_owned(), url: cite.url });
                rest = &rest[length..];
            }
            _ => {
                plain.push_str("RFC ");
                rest = &rest[4..];
            }
        }
    }
    plain.push_str(rest);
    pieces.push(Piece { text: plain, url: String::new() });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

fn page(name: String, template: &impl Template) -> File {
    let text = template.render().expect("templates call nothing that fails");
    File { name, contents: text.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::linked;

    fn check(text: &str, links: &[&str]) {
        let pieces = linked(text);
        let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(joined, text);
        let found = pieces.iter().filter(|piece| !piece.url.is_empty());
        let found: Vec<_> = found.map(|piece| format!("{} {}", piece.text, piece.url)).collect();
        assert_eq!(found, links);
    }

    #[test]
    fn rules_in_sentences_are_links() {
        check(
            "limits are allowed (RFC 6455, 10.4).",
            &["RFC 6455, 10.4 https://www.rfc-editor.org/rfc/rfc6455#section-10.4"],
        );
        check(
            "RFC 9112, 6. Or RFC 7692, 7.1",
            &[
                "RFC 9112, 6 https://www.rfc-editor.org/rfc/rfc9112#section-6",
                "RFC 7692, 7.1 https://www.rfc-editor.org/rfc/rfc7692#section-7.1",
            ],
        );
        for text in ["", "RFC ", "RFC 6455", "RFC 99999, 1", "RFC 6455, x", "RFC é, 5"] {
            check(text, &[]);
        }
    }
}
