//! Pages for people: an index and a page per case and peer.
//!
//! Every page stands alone: no script, no network, light and dark. All that comes from a peer is
//! escaped and shown as text.

mod case;
mod index;
mod log;

use askama::Template;
use wsproof_engine::{Case, Citation};
use wsproof_proto::Violation;

use crate::{File, JudgeKind, Results, names::Names};

/// Renders the pages. `cases` is the catalogue, `judge` the judgement that is shown first.
pub fn files(results: &Results, cases: &[Case], judge: JudgeKind) -> Vec<File> {
    let names = Names::new(results);
    let view = View { results, cases, judge, names: &names };
    let mut files = vec![page("index.html".to_owned(), &index::Index::new(&view))];
    for peer in results.peers() {
        for (id, record) in results.records(&peer.peer) {
            if let Some(case) = case::CasePage::new(&view, peer, id, record) {
                files.push(page(names.file(&peer.peer, id, "html"), &case));
            }
        }
    }
    files
}

/// What all pages are made from.
struct View<'a> {
    results: &'a Results,
    cases: &'a [Case],
    judge: JudgeKind,
    names: &'a Names<'a>,
}

impl View<'_> {
    fn case(&self, id: &wsproof_engine::CaseId) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == *id)
    }
}

/// A place in an RFC, with its address.
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

fn page(name: String, template: &impl Template) -> File {
    let text = template.render().expect("templates call nothing that fails");
    File { name, contents: text.into_bytes() }
}
