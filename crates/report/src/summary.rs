//! The end of a run on one screen of 80 columns.
//!
//! The text comes in pieces that say what they are, so that a terminal can give them colours.

use wsproof_engine::Case;

use crate::{
    JudgeKind, Record, Results,
    contract::Confirmation,
    refusals::{Refusals, hint, status_line},
    words::{
        differs, headline, judge_name, number, other, reason, verdict, visible, visible_octets,
    },
};

/// More deviations than this are counted.
const MAX_SHOWN: usize = 20;
/// Octets of a refusal's body that are shown.
const MAX_BODY: usize = 280;
const COLUMNS: usize = 80;

/// A piece of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub mark: Mark,
    /// Its text, line feeds included.
    pub text: String,
}

/// What a piece of the summary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A deviation.
    Fail,
    /// A name.
    Heading,
    /// Of lesser interest.
    Muted,
    /// All is well.
    Pass,
    /// Anything else.
    Plain,
    /// To be looked at.
    Warn,
}

/// Renders the summary as text alone.
pub fn text_summary(results: &Results, cases: &[Case], judge: JudgeKind) -> String {
    spans(results, cases, judge).into_iter().map(|span| span.text).collect()
}

/// Renders the summary in pieces.
pub fn spans(results: &Results, cases: &[Case], judge: JudgeKind) -> Vec<Span> {
    let mut out = Out(Vec::new());
    for (index, peer) in results.peers().iter().enumerate() {
        if index > 0 {
            out.add(Mark::Plain, "\n");
        }
        let name = cut(&visible(&peer.peer), COLUMNS);
        let room = COLUMNS.saturating_sub(name.chars().count() + 2);
        out.add(Mark::Heading, name);
        let url = visible(&peer.url);
        let fits = !url.is_empty() && url.chars().count() <= room;
        out.add(Mark::Muted, if fits { format!("  {url}\n") } else { "\n".to_owned() });
        peer_summary(&mut out, results, cases, judge, &peer.peer);
    }
    for note in results.notes().iter().filter(|note| note.peer.is_none()) {
        out.paragraph(Mark::Warn, "note      ", &visible(&note.text));
    }
    out.0
}

struct Out(Vec<Span>);

impl Out {
    fn add(&mut self, mark: Mark, text: impl Into<String>) {
        self.0.push(Span { mark, text: text.into() });
    }

    /// A lead and text that is wrapped beside it.
    fn paragraph(&mut self, mark: Mark, lead: &str, text: &str) {
        let indent = " ".repeat(lead.chars().count());
        for (index, line) in wrap(text, COLUMNS - indent.len()).into_iter().enumerate() {
            self.add(mark, if index == 0 { lead } else { &indent });
            self.add(Mark::Plain, format!("{line}\n"));
        }
    }
}

fn peer_summary(out: &mut Out, results: &Results, cases: &[Case], judge: JudgeKind, peer: &str) {
    let counts = results.counts(peer, judge);
    let mark = match (counts.total, counts.deviating) {
        (0, _) => Mark::Warn,
        (_, 0) if !results.missing(peer).is_empty() => Mark::Warn,
        (_, 0) => Mark::Pass,
        _ => Mark::Fail,
    };
    let headline = headline(results, peer, counts);
    out.add(mark, format!("{}\n", headline.trim_start_matches("– ")));
    let totals = [
        (counts.failed, "failed"),
        (counts.close_only, "closed wrongly"),
        (counts.ok, "passed"),
        (counts.non_strict, "non-strict"),
        (counts.informational, "informational"),
        (counts.unimplemented, "unimplemented"),
        (counts.unstable, "unstable"),
        (results.missing(peer).len(), "without result"),
    ];
    let totals: Vec<_> = totals
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if !totals.is_empty() {
        out.paragraph(Mark::Plain, "", &totals.join(", "));
    }
    let refusals = Refusals::of(results, peer);
    if counts.deviating > 0 && refusals.every().is_some() {
        answers(out, &refusals);
    } else {
        deviations(out, results, cases, judge, peer);
    }
    unstable(out, results, judge, peer);
    let records = || results.records(peer).map(|(_, record)| record);
    let differing = records().filter_map(Record::final_attempt).filter(|a| differs(a)).count();
    if differing > 0 {
        let name = judge_name(other(judge));
        let text = format!("the {name} judgement differs in {}", number(differing, "case"));
        out.paragraph(Mark::Muted, "judged    ", &text);
    }
    let taken = records().filter(|record| record.confirmation() == Confirmation::Taken).count();
    if taken > 0 {
        let text = format!(
            "{} taken as confirmed: 32 in a row were the same in a quiet pass",
            number(taken, "verdict")
        );
        out.paragraph(Mark::Muted, "quiet     ", &text);
    }
    for note in results.notes().iter().filter(|note| note.peer.as_deref() == Some(peer)) {
        out.paragraph(Mark::Warn, "note      ", &visible(&note.text));
    }
}

/// What a peer answers that refuses everything: once for each status.
fn answers(out: &mut Out, refusals: &Refusals<'_>) {
    out.add(Mark::Plain, "\n");
    for opening in refusals.by_status.values().filter_map(|found| Some(found.first()?.opening)) {
        out.paragraph(Mark::Fail, "  answer  ", &status_line(opening));
        let body = visible_octets(&opening.body[..opening.body.len().min(MAX_BODY)]);
        if !body.is_empty() {
            out.paragraph(Mark::Plain, "          ", &body);
        }
        let hint = hint(opening);
        if !hint.is_empty() {
            out.paragraph(Mark::Plain, "  hint    ", hint);
        }
    }
    out.add(Mark::Plain, "\n");
}

fn deviations(out: &mut Out, results: &Results, cases: &[Case], judge: JudgeKind, peer: &str) {
    let mut found = Vec::new();
    for (id, record) in results.records(peer) {
        let Some(attempt) = record.final_attempt() else { continue };
        let judgement = attempt.judgement(judge);
        if judgement.deviates() {
            let title = cases.iter().find(|case| case.id == *id).map(|case| case.title.as_str());
            // A reason that says nothing leaves the title.
            let reason = reason(judgement);
            let reason =
                if reason.is_empty() { title.unwrap_or_default().to_owned() } else { reason };
            found.push((visible(id.as_str()), visible(&reason)));
        }
    }
    if found.is_empty() {
        return;
    }
    let width = found.iter().take(MAX_SHOWN).map(|(id, _)| id.chars().count()).max();
    let width = width.unwrap_or_default().min(16);
    out.add(Mark::Plain, "\n");
    for (id, reason) in found.iter().take(MAX_SHOWN) {
        let lead = format!("  FAIL {id:width$}  ");
        let room = COLUMNS.saturating_sub(lead.chars().count()).max(8);
        out.add(Mark::Fail, lead);
        out.add(Mark::Plain, format!("{}\n", cut(reason, room)));
    }
    if let Some(more) = found.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        out.add(Mark::Fail, format!("  and {more} more\n"));
    }
    out.add(Mark::Plain, "\n");
}

fn unstable(out: &mut Out, results: &Results, judge: JudgeKind, peer: &str) {
    let unstable = results.records(peer).filter(|(_, record)| record.is_unstable());
    for (index, (id, record)) in unstable.enumerate() {
        if index == MAX_SHOWN {
            return out.add(Mark::Warn, "          and more\n");
        }
        let words: Vec<_> = record
            .attempts()
            .iter()
            .map(|attempt| {
                let place = if attempt.quiet { "alone" } else { "beside other cases" };
                format!("{} {place}", verdict(attempt.judgement(judge)))
            })
            .collect();
        let counts = record.final_attempt().map_or(0, |attempt| attempt.attempt);
        let text =
            format!("{}  {} (attempt {counts} counts)", visible(id.as_str()), words.join(", "));
        out.paragraph(Mark::Warn, "unstable  ", &text);
    }
}

/// The text, or as many of its words as fit.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let fits: String = text.chars().take(room - 3).collect();
    let end = fits.rfind(' ').filter(|at| *at > room / 2).unwrap_or(fits.len());
    format!("{} ..", fits[..end].trim_end())
}

fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("it begins with a line, and lines are only added");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
