//! The end of a run on one screen of 80 columns.
//!
//! The text comes in pieces that say what they are, so that a terminal can give them colours.

use jiff::Timestamp;
use wsproof_engine::{CaseId, Judgement};

use crate::{
    Counts, Gate, JudgeKind, Record, Results,
    baseline::UNEXPLAINED,
    causes::Cause,
    contract::Confirmation,
    gate::{FindingKind, Question, Standing},
    refusals::{Refusals, hint, status_line},
    replay,
    words::{
        differs, headline, judge_name, number, other, reason, verdict, visible, visible_octets,
    },
};

/// More causes than this are counted.
const MAX_CAUSES: usize = 5;
/// More peers than this get a line each.
const MAX_PEERS: usize = 5;
/// More unstable cases than this are counted.
const MAX_UNSTABLE: usize = 10;
/// Octets of a refusal's body that are shown.
const MAX_BODY: usize = 280;
pub(crate) const COLUMNS: usize = 80;

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

/// What is said after the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending<'a> {
    /// Where the report lies.
    pub report: &'a str,
    /// The exit code.
    pub exit: u8,
}

/// Renders the summary as text alone.
pub fn text_summary(gate: &Gate<'_>, ending: Option<Ending<'_>>) -> String {
    spans(gate, ending).into_iter().map(|span| span.text).collect()
}

/// Renders the summary in pieces.
pub fn spans(gate: &Gate<'_>, ending: Option<Ending<'_>>) -> Vec<Span> {
    let mut out = Out(Vec::new());
    let results = gate.question.results;
    let peers = results.peers();
    for (index, peer) in peers.iter().enumerate() {
        if peers.len() > MAX_PEERS {
            peer_line(&mut out, gate, &peer.peer);
            continue;
        }
        if index > 0 {
            out.add(Mark::Plain, "\n");
        }
        let name = cut(&visible(&peer.peer), COLUMNS);
        let mut room = COLUMNS.saturating_sub(name.chars().count());
        out.add(Mark::Heading, name);
        let total = number(results.counts(&peer.peer, gate.question.judge).total, "case");
        let time = elapsed(results).filter(|_| peers.len() == 1);
        let time = time.map(|time| format!("{total} in {time}")).unwrap_or_default();
        for part in [&visible(&peer.url), &time] {
            let width = part.chars().count() + 2;
            if width > 2 && width <= room {
                room -= width;
                out.add(Mark::Muted, format!("  {part}"));
            }
        }
        out.add(Mark::Plain, "\n");
        peer_summary(&mut out, gate, &peer.peer);
    }
    for note in results.notes().iter().filter(|note| note.peer.is_none()) {
        out.note(&note.text);
    }
    if let Some(ending) = ending {
        end(&mut out, gate, ending);
    }
    out.0
}

struct Out(Vec<Span>);

impl Out {
    fn add(&mut self, mark: Mark, text: impl Into<String>) {
        self.0.push(Span { mark, text: text.into() });
    }

    /// A note; what it quotes stands on lines of its own.
    fn note(&mut self, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let lead = if index == 0 { "note      " } else { "            " };
            self.paragraph(Mark::Warn, lead, &visible(line));
        }
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

/// One of many peers: a line.
fn peer_line(out: &mut Out, gate: &Gate<'_>, peer: &str) {
    const NAME: usize = 28;
    let results = gate.question.results;
    let counts = results.counts(peer, gate.question.judge);
    let headline = headline(results, peer, counts);
    out.add(Mark::Heading, format!("{:NAME$}  ", cut(&visible(peer), NAME)));
    let text = cut(headline.trim_start_matches("– "), COLUMNS - NAME - 2);
    out.add(mark_of(results, peer, counts), format!("{text}\n"));
}

fn mark_of(results: &Results, peer: &str, counts: Counts) -> Mark {
    match (counts.total, counts.deviating) {
        (0, _) => Mark::Warn,
        (_, 0) if !results.missing(peer).is_empty() => Mark::Warn,
        (_, 0) => Mark::Pass,
        _ => Mark::Fail,
    }
}

fn peer_summary(out: &mut Out, gate: &Gate<'_>, peer: &str) {
    let (results, judge) = (gate.question.results, gate.question.judge);
    let counts = results.counts(peer, judge);
    let headline = headline(results, peer, counts);
    let headline = headline.trim_start_matches("– ");
    out.add(mark_of(results, peer, counts), format!("{headline}\n"));
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
        causes(out, gate, peer);
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
        out.note(&note.text);
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

/// Cases that fail in the same way.
struct Entry {
    known: bool,
    cases: Vec<CaseId>,
    sentence: String,
    tags: Vec<String>,
    /// What should have come, and what came: octets where they decide, else words.
    sides: Vec<(&'static str, String)>,
    /// What the baseline says about it, if a person wrote that.
    why: Vec<String>,
}

/// What fails, what is new first.
fn causes(out: &mut Out, gate: &Gate<'_>, peer: &str) {
    let mut entries = entries(gate, peer);
    if entries.is_empty() {
        return;
    }
    entries.sort_by_key(|entry| entry.known);
    out.add(Mark::Plain, "\n");
    let ids = entries.iter().take(MAX_CAUSES).map(|entry| entry.cases[0].as_str().chars().count());
    let width = ids.max().unwrap_or_default().min(16);
    for entry in entries.iter().take(MAX_CAUSES) {
        let lead = format!("  FAIL {:width$}  ", visible(entry.cases[0].as_str()));
        let indent = " ".repeat(lead.chars().count());
        let room = COLUMNS.saturating_sub(lead.chars().count()).max(8);
        out.paragraph(Mark::Fail, &lead, &entry.sentence);
        for (name, side) in &entry.sides {
            let text = cut(side, room - SIDE);
            out.add(Mark::Muted, format!("{indent}{name:SIDE$}"));
            out.add(Mark::Plain, format!("{text}\n"));
        }
        let tags = [&entry.tags[..], &also(&entry.cases[1..])].concat();
        if !tags.is_empty() {
            out.add(Mark::Muted, format!("{indent}{}\n", cut(&tags.join("  "), room)));
        }
        for why in &entry.why {
            out.paragraph(Mark::Muted, &indent, why);
        }
    }
    if let Some(rest) = entries.get(MAX_CAUSES..).filter(|rest| !rest.is_empty()) {
        let more = number(rest.len(), "more cause");
        let of = number(rest.iter().map(|entry| entry.cases.len()).sum(), "case");
        out.add(Mark::Fail, format!("  and {more} ({of}): see the report\n"));
    }
    out.add(Mark::Plain, "\n");
}

/// Room for `expected` and `got`.
const SIDE: usize = 9;

/// Every case that fails or is not as expected, those together that have the same cause.
fn entries(gate: &Gate<'_>, peer: &str) -> Vec<Entry> {
    let Question { results, judge, cases, .. } = gate.question;
    let causes = crate::causes::causes(results, peer, judge, cases);
    let mut entries: Vec<(Option<usize>, Entry)> = Vec::new();
    for (id, standing) in gate.cases_of(peer) {
        let Some(attempt) = results.final_attempt(peer, &id) else { continue };
        let judgement = attempt.judgement(judge);
        let found = match standing {
            Standing::Found(finding) => {
                finding.kind.is_failure() || finding.kind == FindingKind::Changed
            }
            _ => false,
        };
        if !found && !judgement.deviates() {
            continue;
        }
        let known = matches!(standing, Standing::Known(_));
        let index = causes.iter().position(|cause| cause.ids.contains(&id));
        let cause = index.map(|index| &causes[index]);
        let sentence = match cause {
            Some(cause) => visible(&cause.sentence),
            None => visible(&reason(judgement)),
        };
        // A reason that says nothing leaves the title.
        let sentence = if sentence.is_empty() { visible(gate.title(&id)) } else { sentence };
        let same = |(of, entry): &&mut (Option<usize>, Entry)| {
            *of == index && entry.known == known && (of.is_some() || entry.sentence == sentence)
        };
        if let Some((_, entry)) = entries.iter_mut().find(same) {
            // The case that shows it best stands first.
            if cause.is_some_and(|cause| cause.shown == id) {
                entry.cases.insert(0, id);
            } else {
                entry.cases.push(id);
            }
            continue;
        }
        let rule = match cause {
            Some(cause) => Some((cause.rule.rfc, cause.rule.section)),
            None => gate.rule(&id),
        };
        let tags = tags(standing, judgement, rule.filter(|_| !sentence.contains("RFC")));
        let why = match standing {
            Standing::Known(why) if !why.starts_with(UNEXPLAINED) => vec![visible(why)],
            _ => Vec::new(),
        };
        let sides = cause.map(sides).unwrap_or_default();
        entries.push((index, Entry { known, cases: vec![id], sentence, tags, sides, why }));
    }
    entries.into_iter().map(|(_, entry)| entry).collect()
}

pub(crate) fn sides(cause: &Cause) -> Vec<(&'static str, String)> {
    [("expected", &cause.expected), ("got", &cause.got)]
        .into_iter()
        .map(|(name, side)| (name, [side.hex(), visible(&side.words)].join("  ")))
        .map(|(name, text)| (name, text.trim().to_owned()))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// What is to be known about a failure at a glance: its place in the baseline, and the rule.
fn tags(standing: Standing<'_>, judgement: &Judgement, rule: Option<(u16, &str)>) -> Vec<String> {
    let mut tags = Vec::new();
    match standing.word() {
        "" => {}
        "new" => tags.push("NEW".to_owned()),
        word => tags.push(word.to_owned()),
    }
    if !judgement.deviates() {
        tags.push(verdict(judgement).to_owned());
    }
    if let Some((rfc, section)) = rule {
        tags.push(format!("RFC {rfc}, {section}"));
    }
    tags
}

/// The other cases of a cause; ids are never cut.
fn also(cases: &[CaseId]) -> Vec<String> {
    const SHOWN: usize = 5;
    let ids: Vec<_> = cases.iter().take(SHOWN).map(|id| visible(id.as_str())).collect();
    match cases.len() {
        0 => Vec::new(),
        n if n > SHOWN => vec![format!("also {} and {} more", ids.join(" "), n - SHOWN)],
        _ => vec![format!("also {}", ids.join(" "))],
    }
}

/// What holds for the run as a whole.
fn end(out: &mut Out, gate: &Gate<'_>, ending: Ending<'_>) {
    if gate.question.baseline.is_some() {
        let count = |kind| gate.count(kind);
        let mut parts = vec![
            format!("{} new", count(FindingKind::New)),
            format!("{} known", gate.known()),
            format!("{} stale", count(FindingKind::Stale)),
        ];
        let others = [
            (count(FindingKind::Changed), "changed"),
            (count(FindingKind::Passes), "passing unexpectedly"),
            (count(FindingKind::Missing), "missing"),
            (gate.unexplained(), "without a reason of yours"),
        ];
        let others = others.iter().filter(|(n, _)| *n > 0);
        parts.extend(others.map(|(n, what)| format!("{n} {what}")));
        out.paragraph(Mark::Plain, "baseline  ", &parts.join(", "));
    }
    // Failures stand with their peers, unless these are many.
    let many = gate.question.results.peers().len() > MAX_PEERS;
    let others = gate.findings().iter().filter(|finding| many || !finding.kind.is_failure());
    let others: Vec<_> = others.collect();
    for finding in others.iter().take(MAX_CAUSES) {
        let mut of = vec![finding.kind.word()];
        of.extend(Some(&*finding.peer).filter(|_| many || finding.case.is_empty()));
        of.extend(Some(&*finding.case).filter(|case| !case.is_empty()));
        let text = format!("{}: {}", of.join(" "), finding.sentence());
        let mark = if finding.kind.is_failure() { Mark::Fail } else { Mark::Warn };
        out.paragraph(mark, "          ", &text);
    }
    if let Some(more) = others.len().checked_sub(MAX_CAUSES).filter(|more| *more > 0) {
        out.paragraph(Mark::Warn, "          ", &format!("and {more} more (--junit has them all)"));
    }
    out.add(Mark::Plain, format!("report    {}\n", visible(ending.report)));
    if let Some(command) = replayed(gate, ending.report) {
        out.add(Mark::Plain, format!("replay    {command}\n"));
    }
    out.add(Mark::Plain, format!("exit {}\n", ending.exit));
}

/// The command for the first case that is not as expected, else for one that fails as expected.
fn replayed(gate: &Gate<'_>, report: &str) -> Option<String> {
    let results = gate.question.results;
    let judge = gate.question.judge;
    let cases = results.peers().iter().flat_map(|peer| {
        gate.cases_of(&peer.peer).into_iter().map(|(id, standing)| (&*peer.peer, id, standing))
    });
    let judged = cases.filter_map(|(peer, id, standing)| {
        let attempt = results.final_attempt(peer, &id)?;
        let rank = match standing {
            Standing::Found(finding) => finding.kind as u8,
            _ if attempt.judgement(judge).deviates() => u8::MAX,
            _ => return None,
        };
        Some((rank, peer, id))
    });
    // Of equals the first.
    let first = judged.min_by_key(|(rank, ..)| *rank)?;
    replay::of_stored(results, report, first.1, first.2.as_str())
}

/// How long a run took.
fn elapsed(results: &Results) -> Option<String> {
    let began: Timestamp = results.run()?.started.parse().ok()?;
    let ended: Timestamp = results.end()?.ended.parse().ok()?;
    let seconds = ended.duration_since(began).as_secs_f64();
    (seconds >= 0.0).then(|| format!("{seconds:.1} s"))
}

fn unstable(out: &mut Out, results: &Results, judge: JudgeKind, peer: &str) {
    let unstable = results.records(peer).filter(|(_, record)| record.is_unstable());
    for (index, (id, record)) in unstable.enumerate() {
        if index == MAX_UNSTABLE {
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

pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
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
