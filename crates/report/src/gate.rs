//! Whether a run is as expected: the question of the exit code.
//!
//! Without a baseline a peer is expected to do what it must, or what was asked for beyond that.
//! With a baseline reality must equal it: what is better than expected, a row that decides nothing
//! and a case without a result are found as well. A finding says what is so, and what to do.

use std::collections::{BTreeMap, BTreeSet};

use wsproof_engine::{Basis, Behavior, Case, CaseId, CloseBehavior, Judgement, pattern};

use crate::{
    JudgeKind, Missing, Record, Results,
    baseline::{Baseline, Place, Row},
    words::{number, reason, verdict, visible},
};

/// What a case may be found guilty of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The peer does not do what it must.
    Deviation,
    /// A verdict or a closing verdict is INFORMATIONAL.
    Informational,
    /// A selected case has no result.
    Missing,
    /// Not what was hoped for, but allowed: NON-STRICT, or a closing that breaks no MUST.
    NonStrict,
    /// The peer lacks what the case is about.
    Unimplemented,
    /// Attempts came to different verdicts.
    Unstable,
}

/// Faults for which a run fails, if no row of a baseline expects them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOn(pub BTreeSet<Fault>);

impl Default for FailOn {
    fn default() -> Self {
        Self(BTreeSet::from([Fault::Deviation]))
    }
}

/// Which cases a baseline is asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those that were run, since others run elsewhere or at another time.
    Part,
    /// All of them.
    #[default]
    Whole,
}

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The run.
    pub results: &'a Results,
    /// The cases of the catalogue.
    pub cases: &'a [Case],
    /// The judgement that counts.
    pub judge: JudgeKind,
    /// What fails without being expected.
    pub fail_on: &'a FailOn,
    /// What is expected.
    pub baseline: Option<&'a Baseline>,
    /// Of which cases.
    pub scope: Scope,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Gate<'a> {
    pub(crate) question: Question<'a>,
    findings: Vec<Finding>,
    /// By peer and case: the finding.
    found: BTreeMap<(String, CaseId), usize>,
    /// By peer and case: the row that expects what would be a fault.
    known: BTreeMap<(String, CaseId), Place>,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which kind it is.
    pub kind: FindingKind,
    /// The peer, or the pattern of peers in the baseline.
    pub peer: String,
    /// The case, or the pattern of cases in the baseline; nothing if it is about the peer.
    pub case: String,
    /// What is so, in a sentence. Fit for a terminal, as are peer and case.
    pub what: String,
    /// What to do about it; nothing without a baseline.
    pub mend: String,
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// It fails, and there is no baseline that might expect it.
    Failed,
    /// It fails, and the baseline does not expect that.
    New,
    /// It is other than expected, for better or worse.
    Changed,
    /// It is as it should be, but the baseline expects otherwise.
    Passes,
    /// It has no result.
    Missing,
    /// A row or an entry of the baseline decides nothing.
    Stale,
}

/// How a case stands with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// Nothing is to be said.
    Good,
    /// It fails as the baseline expects, for this reason.
    Known(&'a str),
    /// It is not as expected.
    Found(&'a Finding),
    /// It has no result, and needs none.
    Absent(Missing),
}

impl Standing<'_> {
    /// How a failure stands against the baseline, in a word; nothing if that is not to be said.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Found(Finding { kind: FindingKind::New, .. }) => "new",
            Self::Found(Finding { kind: FindingKind::Changed, .. }) => "changed",
            _ => "",
        }
    }
}

impl<'a> Gate<'a> {
    /// Compares a run with what is expected.
    pub fn new(question: Question<'a>) -> Self {
        let (findings, found, known) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut gate = Self { question, findings, found, known };
        let mut used = BTreeSet::new();
        for peer in question.results.peers() {
            gate.peer(&peer.peer, &mut used);
        }
        gate.stale(&used);
        gate
    }

    /// Whether the run is compared with a baseline.
    pub fn has_baseline(&self) -> bool {
        self.question.baseline.is_some()
    }

    /// What is not as expected, peer by peer.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings are of a kind.
    pub fn count(&self, kind: FindingKind) -> usize {
        self.findings.iter().filter(|finding| finding.kind == kind).count()
    }

    /// In how many cases a peer fails as expected.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn known_of(&self, peer: &str) -> usize {
        self.known.keys().filter(|(of, _)| of == peer).count()
    }

    /// How many reasons of the baseline are still those that a program wrote.
    pub fn unexplained(&self) -> usize {
        let entries = self.question.baseline.iter().flat_map(|baseline| &baseline.peers);
        let rows = entries.flat_map(|entry| &entry.rows);
        rows.filter(|row| row.why.starts_with(crate::baseline::UNEXPLAINED)).count()
    }

    pub(crate) fn standing(&self, peer: &str, case: &CaseId) -> Standing<'_> {
        let key = (peer.to_owned(), case.clone());
        if let Some(index) = self.found.get(&key) {
            return Standing::Found(&self.findings[*index]);
        }
        if let (Some(place), Some(baseline)) = (self.known.get(&key), self.question.baseline) {
            return Standing::Known(&baseline.at(*place).why);
        }
        match self.question.results.why_missing(peer, case) {
            Some(why) => Standing::Absent(why),
            None => Standing::Good,
        }
    }

    /// Every case of a peer that was selected or that is missed, in the order of the catalogue.
    pub(crate) fn cases_of(&self, peer: &str) -> Vec<(CaseId, Standing<'_>)> {
        let found = self.found.keys().filter(|(of, _)| of == peer).map(|(_, id)| id.clone());
        let ids: BTreeSet<_> = self.question.results.cases().into_iter().chain(found).collect();
        ids.into_iter().map(|id| (id.clone(), self.standing(peer, &id))).collect()
    }

    /// Findings that are about no case of a peer.
    pub(crate) fn apart(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.kind == FindingKind::Stale)
    }

    /// A case with its title.
    pub(crate) fn name(&self, case: &CaseId) -> String {
        format!("{case} {}", self.title(case)).trim_end().to_owned()
    }

    /// The RFC and the section that a case is about first.
    pub(crate) fn rule(&self, case: &CaseId) -> Option<(u16, &'a str)> {
        let case = self.question.cases.iter().find(|known| known.id == *case)?;
        case.cites.first().map(|cite| (cite.spec.number(), cite.section))
    }

    pub(crate) fn title(&self, case: &CaseId) -> &'a str {
        let found = self.question.cases.iter().find(|known| known.id == *case);
        found.map_or("", |case| &case.title)
    }

    fn peer(&mut self, peer: &str, used: &mut BTreeSet<Place>) {
        let Question { results, cases, judge, baseline, fail_on, .. } = self.question;
        let entries = baseline.map(|baseline| baseline.entries(peer)).unwrap_or_default();
        let whole = self.is_whole();
        let known = cases.iter().map(|case| case.id.clone());
        let ids: BTreeSet<_> = known.chain(results.cases()).collect();
        let mut absent: BTreeMap<Missing, Vec<CaseId>> = BTreeMap::new();
        for id in ids {
            let place = baseline.and_then(|baseline| baseline.row(&entries, &id));
            used.extend(place);
            let row = place.zip(baseline).map(|(place, baseline)| baseline.at(place));
            let record = results.record(peer, &id);
            let Some((record, attempt)) = record.and_then(|r| Some((r, r.final_attempt()?))) else {
                let why = results.why_missing(peer, &id).unwrap_or(Missing::Unreachable);
                let demanded = baseline.is_some_and(|baseline| baseline.demands(&entries, &id));
                // With a baseline, whatever was selected must have a result: it would be dropped.
                let selected = !matches!(why, Missing::Excluded | Missing::NotSelected);
                let wanted = baseline.is_some() || fail_on.0.contains(&Fault::Missing);
                if whole && (row.is_some() || demanded || (selected && wanted)) {
                    absent.entry(why).or_default().push(id);
                }
                continue;
            };
            let judgement = attempt.judgement(judge);
            let faulty = fail_on.minds(record, judgement);
            let Some(row) = row else {
                if faulty {
                    self.new_failure(peer, &id, &entries, record, judgement);
                }
                continue;
            };
            if row.allows(judgement, fail_on) {
                if let Some(place) = place.filter(|_| faulty) {
                    self.known.insert((peer.to_owned(), id), place);
                }
            } else {
                self.mismatch(peer, &id, row, judgement, faulty);
            }
        }
        for (why, ids) in absent {
            self.missing(peer, why, &ids);
        }
    }

    /// Whether cases without a result and rows without a case can be told.
    fn is_whole(&self) -> bool {
        self.question.scope == Scope::Whole && !self.question.results.is_interrupted()
    }

    fn new_failure(
        &mut self,
        peer: &str,
        case: &CaseId,
        entries: &[usize],
        record: &Record,
        judgement: &Judgement,
    ) {
        let unstable = if record.is_unstable() { ", but not each time" } else { "" };
        let what = format!("{}{unstable}: {}", verdict(judgement), self.reason(case, judgement));
        let mend = match self.question.baseline {
            None => String::new(),
            Some(_) if entries.is_empty() => format!(
                "mend the peer, or expect it: the baseline has no entry for a peer named `{}`",
                visible(peer)
            ),
            Some(_) => "mend the peer, or expect it with a row and its reason".to_owned(),
        };
        let known = self.question.baseline.is_some();
        let kind = if known { FindingKind::New } else { FindingKind::Failed };
        self.add(kind, peer, case, what, &mend);
    }

    fn mismatch(
        &mut self,
        peer: &str,
        case: &CaseId,
        row: &Row,
        judgement: &Judgement,
        faulty: bool,
    ) {
        let speaks = !row.closes.is_empty() || judgement.close != CloseBehavior::Ok;
        let is = Row {
            grades: vec![judgement.behavior],
            closes: speaks.then_some(judgement.close).into_iter().collect(),
            ..Row::default()
        };
        let is = is.words();
        let of_row = format!("where row `{}` expects {}", visible(&row.cases), row.words());
        if faulty {
            let what = format!("{is} {of_row}: {}", self.reason(case, judgement));
            let new = judgement.deviates() && !row.expects_deviation();
            let kind = if new { FindingKind::New } else { FindingKind::Changed };
            let mend = "mend the peer, or correct the row and its reason";
            self.add(kind, peer, case, what, mend);
        } else {
            let what = format!("{is} {of_row}");
            let mend = "remove the row, or narrow it; if it comes and goes, expect both";
            self.add(FindingKind::Passes, peer, case, what, mend);
        }
    }

    fn missing(&mut self, peer: &str, why: Missing, ids: &[CaseId]) {
        const SHOWN: usize = 8;
        let named: Vec<_> = ids.iter().take(SHOWN).map(|id| visible(id.as_str())).collect();
        let more = if ids.len() > SHOWN { ", .." } else { "" };
        let what = format!(
            "{} without a result ({}): {}{more}",
            number(ids.len(), "case"),
            why.words(),
            named.join(", ")
        );
        let mend = match why {
            Missing::Excluded | Missing::NotSelected => {
                "run what the baseline names (--cases, --exclude), or correct its `cases` and rows"
            }
            Missing::NotAsked => "let the client ask for every case, or exclude them",
            Missing::NotRun | Missing::Unreachable => {
                "find out why the peer was gone, and run again"
            }
        };
        let case = if let [one] = ids { visible(one.as_str()) } else { String::new() };
        for id in ids {
            self.found.insert((peer.to_owned(), id.clone()), self.findings.len());
        }
        let mend = mend.to_owned();
        self.push(Finding { kind: FindingKind::Missing, peer: visible(peer), case, what, mend });
    }

    fn stale(&mut self, used: &BTreeSet<Place>) {
        let Some(baseline) = self.question.baseline.filter(|_| self.is_whole()) else { return };
        let peers = self.question.results.peers();
        for (index, entry) in baseline.peers.iter().enumerate() {
            let (kind, peer) = (FindingKind::Stale, visible(&entry.peers));
            if !peers.iter().any(|known| pattern::selects_whole(&entry.peers, &known.peer)) {
                let names: Vec<_> = peers.iter().take(5).map(|p| visible(&p.peer)).collect();
                let what = format!(
                    "no peer of this run has a name like `{peer}`; there are: {}",
                    names.join(", ")
                );
                let mend = "test that peer as well, or correct or remove its entry".to_owned();
                self.push(Finding { kind, peer, case: String::new(), what, mend });
                continue;
            }
            for (number, row) in entry.rows.iter().enumerate() {
                if !used.contains(&(index, number)) {
                    let case = visible(&row.cases);
                    let what = format!(
                        "row `{case}` decides nothing: no case of the peer, or more exact rows \
                         speak for all of them"
                    );
                    let mend = "correct its pattern or remove it".to_owned();
                    self.push(Finding { kind, peer: peer.clone(), case, what, mend });
                }
            }
        }
    }

    fn reason(&self, case: &CaseId, judgement: &Judgement) -> String {
        let reason = reason(judgement);
        // A reason that says nothing leaves the title.
        visible(if reason.is_empty() { self.title(case) } else { &reason })
    }

    fn add(&mut self, kind: FindingKind, peer: &str, case: &CaseId, what: String, mend: &str) {
        self.found.insert((peer.to_owned(), case.clone()), self.findings.len());
        let (peer, case) = (visible(peer), visible(case.as_str()));
        self.push(Finding { kind, peer, case, what, mend: mend.to_owned() });
    }

    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

impl Finding {
    /// What is so, and what to do about it.
    pub fn sentence(&self) -> String {
        if self.mend.is_empty() {
            self.what.clone()
        } else {
            format!("{}; {}", self.what, self.mend)
        }
    }
}

impl FindingKind {
    /// Whether it is a failure, and not merely something else than expected.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::New)
    }

    /// The kind in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failure",
            Self::New => "new failure",
            Self::Changed => "changed",
            Self::Passes => "unexpected pass",
            Self::Missing => "missing",
            Self::Stale => "stale row",
        }
    }
}

impl FailOn {
    /// Whether a verdict on what was received fails.
    pub(crate) fn minds_behavior(&self, behavior: Behavior) -> bool {
        let fault = match behavior {
            Behavior::Ok => return false,
            Behavior::Failed => Fault::Deviation,
            Behavior::Informational => Fault::Informational,
            Behavior::NonStrict => Fault::NonStrict,
            Behavior::Unimplemented => Fault::Unimplemented,
        };
        self.0.contains(&fault)
    }

    /// Whether a verdict on the closing fails.
    pub(crate) fn minds_close(&self, judgement: &Judgement) -> bool {
        let fault = match judgement.close {
            CloseBehavior::Ok => return false,
            CloseBehavior::Informational => Fault::Informational,
            _ if close_deviates(judgement) => Fault::Deviation,
            _ => Fault::NonStrict,
        };
        self.0.contains(&fault)
    }

    /// Whether a case is guilty of anything that is minded.
    pub fn minds(&self, record: &Record, judgement: &Judgement) -> bool {
        self.minds_behavior(judgement.behavior)
            || self.minds_close(judgement)
            || (self.0.contains(&Fault::Unstable) && record.is_unstable())
    }
}

impl Row {
    /// Whether a judgement is what the row expects.
    pub(crate) fn allows(&self, judgement: &Judgement, fail_on: &FailOn) -> bool {
        let grade = match &self.grades[..] {
            [] => !fail_on.minds_behavior(judgement.behavior),
            grades => grades.contains(&judgement.behavior),
        };
        let close = match &self.closes[..] {
            // Who fails as expected may close as it likes.
            [] if judgement.behavior == Behavior::Failed => true,
            [] => !fail_on.minds_close(judgement),
            closes => closes.contains(&judgement.close),
        };
        grade && close
    }

    fn expects_deviation(&self) -> bool {
        use CloseBehavior::{Failed, Unclean, WrongCode};
        self.grades.contains(&Behavior::Failed)
            || self.closes.iter().any(|close| matches!(close, Failed | Unclean | WrongCode))
    }
}

/// Whether the closing alone is a deviation.
pub(crate) fn close_deviates(judgement: &Judgement) -> bool {
    use CloseBehavior::{Failed, Unclean, WrongCode};
    matches!(judgement.close, Failed | Unclean | WrongCode) && judgement.close_basis == Basis::Must
}
