//! What is no failure and yet worth a line: unstable and informational cases, and those on which
//! the two judgements do not agree.

use wsproof_engine::{CaseId, CloseBehavior};

use super::{Piece, View, linked, verdict::Verdict};
use crate::{
    Record,
    contract::Attempt,
    words::{behavior_words, bounded, close_words, differs, other, visible},
};

/// A case that is no failure and yet worth a line.
pub(super) struct Aside {
    pub(super) id: String,
    pub(super) peer: String,
    pub(super) link: String,
    pub(super) text: Vec<Piece>,
}

pub(super) struct Difference {
    pub(super) id: String,
    pub(super) peer: String,
    pub(super) link: String,
    pub(super) verdicts: [String; 2],
    pub(super) why: Vec<Piece>,
}

/// Rows of which only the first ones are shown: the table of all cases has the rest.
pub(super) struct Rows<T> {
    pub(super) shown: Vec<T>,
    pub(super) more: usize,
}

impl<T> Rows<T> {
    fn new(mut rows: impl Iterator<Item = T>, most: usize) -> Self {
        Self { shown: rows.by_ref().take(most).collect(), more: rows.count() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.shown.len() + self.more
    }
}

type Final<'a> = (&'a str, &'a CaseId, &'a Record, &'a Attempt);

fn finals<'a>(view: &View<'a>) -> impl Iterator<Item = Final<'a>> {
    let results = view.results;
    results.peers().iter().flat_map(move |peer| {
        let records = results.records(&peer.peer);
        records.filter_map(|(id, record)| {
            Some((peer.peer.as_str(), id, record, record.final_attempt()?))
        })
    })
}

pub(super) fn asides(view: &View<'_>, verdict: Verdict) -> Rows<Aside> {
    let of = |record, attempt| Verdict::of(view, Some((record, attempt)));
    let found = finals(view).filter(|(_, _, record, attempt)| of(record, attempt) == verdict);
    let aside = found.map(|(peer, id, record, attempt)| Aside {
        id: visible(id.as_str()),
        peer: visible(peer),
        link: view.names.file(peer, id, "html"),
        text: if verdict == Verdict::Unstable {
            attempts(view, record, &view.names.file(peer, id, "html"))
        } else {
            let reason = &attempt.judgement(view.judge).reason;
            let reason = reason.strip_prefix("Any answer is allowed. ").unwrap_or(reason);
            let title = view.case(id).map_or("", |case| case.title.as_str());
            linked(&format!("{title}: {}", bounded(&visible(reason), 300)))
        },
    });
    Rows::new(aside, 200)
}

/// The verdicts of all attempts in order, each with a link to it.
pub(super) fn attempts(view: &View<'_>, record: &Record, page: &str) -> Vec<Piece> {
    let plain = |text: String| Piece { text, url: String::new() };
    let counts = record.final_attempt().map_or(0, |attempt| attempt.attempt);
    let mut pieces = Vec::new();
    for attempt in record.attempts() {
        let judgement = attempt.judgement(view.judge);
        let place = if attempt.quiet { "alone" } else { "beside other cases" };
        let behavior = behavior_words(judgement.behavior);
        let both = match judgement.close {
            CloseBehavior::Ok => behavior.to_owned(),
            close => format!("{behavior}, closing {}", close_words(close)),
        };
        if !pieces.is_empty() {
            pieces.push(plain(", then ".to_owned()));
        }
        let url = format!("{page}#attempt-{}", attempt.attempt);
        pieces.push(Piece { text: format!("{both} {place}"), url });
        if judgement.deviates() && record.is_unstable() {
            let reason = bounded(&visible(&crate::words::reason(judgement)), 160);
            pieces.push(plain(format!(" ({reason})")));
        }
    }
    pieces.push(plain(format!("; attempt {counts} counts")));
    pieces
}

pub(super) fn differing(view: &View<'_>) -> Rows<Difference> {
    let found = finals(view).filter(|(.., attempt)| differs(attempt));
    let difference = found.map(|(peer, id, _, attempt)| {
        let say = |kind| {
            let judgement: &wsproof_engine::Judgement = attempt.judgement(kind);
            format!("{} / {}", judgement.behavior.name(), judgement.close.name())
        };
        let judgement = attempt.judgement(view.judge);
        let mut why = judgement.reason.clone();
        if judgement.close != CloseBehavior::Ok && judgement.close_reason != why {
            why = format!("{why}; closing: {}", judgement.close_reason);
        }
        Difference {
            id: visible(id.as_str()),
            peer: visible(peer),
            link: view.names.file(peer, id, "html"),
            verdicts: [view.judge, other(view.judge)].map(say),
            why: linked(&bounded(&visible(&why), 300)),
        }
    });
    Rows::new(difference, 600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        let rows = Rows::new(0..5, 3);
        assert_eq!((&rows.shown[..], rows.more, rows.len()), (&[0, 1, 2][..], 2, 5));
        assert!(Rows::new(0..0, 3).is_empty());
    }
}
