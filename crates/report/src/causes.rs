//! Why a peer's cases failed: failed cases that share a rule, a kind of deviation and the field of
//! the first wrong octet are one cause.
//!
//! All of it is computed from cases, outcomes and judgements; nothing is guessed and nothing is
//! rendered. The page and the terminal say it in the same sentences.

mod contrast;
mod evidence;
mod finding;
mod frames;
mod mismatch;
mod openings;
mod pace;
pub(crate) mod provoked;
mod ruler;
mod rules;
mod sentence;
mod side;
pub(crate) mod wire;

use std::collections::BTreeMap;

use wsproof_engine::{
    Accept, Basis, Behavior, Case, CaseId, Event, Judgement, Observed, Outcome, Section,
    What as Entry,
};

use wsproof_proto::Violation;

use contrast::Told;
use evidence::Evidence;
use finding::{Deviation, Finding, What};
use pace::Pace;
use provoked::Sent;

pub use ruler::Ruler;
pub use rules::Rule;
pub use side::{Mark, Place, Side};

use crate::{JudgeKind, Results, contract::Attempt, words};

/// What several failed cases have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What the peer does, in a sentence without its full stop.
    pub sentence: String,
    /// The failed cases, in the order of the catalogue.
    pub ids: Vec<CaseId>,
    /// The case that shows it best: the one with the shortest transcript.
    pub shown: CaseId,
    /// The requirement that is not met.
    pub rule: Rule,
    /// The strength of that requirement.
    pub basis: Basis,
    /// What should have come.
    pub expected: Side,
    /// What came.
    pub got: Side,
    /// The first octet that deviates, where an octet does.
    pub place: Option<Place>,
    /// The octets around it, where content decides.
    pub ruler: Option<Ruler>,
    /// The entry of the shown case's transcript that decides.
    pub deciding: Option<usize>,
    /// What of the same section passes, and what fails alike.
    pub nearby: String,
}

/// The causes of a peer's failures, that with most cases first.
pub fn causes(results: &Results, peer: &str, judge: JudgeKind, cases: &[Case]) -> Vec<Cause> {
    let finals = || results.records(peer).filter_map(|(_, record)| record.final_attempt());
    // Most peers of many have none.
    if !finals().any(|attempt| attempt.judgement(judge).deviates()) {
        return Vec::new();
    }
    let known: BTreeMap<&CaseId, &Case> = cases.iter().map(|case| (&case.id, case)).collect();
    // Cases of another catalogue fail as well; of them only the judgement is known.
    let strangers = strangers(results, peer, &known);
    let strange: BTreeMap<&CaseId, &Case> = strangers.iter().map(|case| (&case.id, case)).collect();
    let case_of = |id| known.get(id).or_else(|| strange.get(id)).copied();
    let mut sent = BTreeMap::new();
    for (id, _) in results.records(peer) {
        if let Some(case) = case_of(id) {
            sent.insert(id, Sent::of(case));
        }
    }
    let pace = pace(results, peer);
    let mut groups: Vec<Vec<Member<'_>>> = Vec::new();
    let mut passing = Vec::new();
    let mut total = 0;
    for (id, record) in results.records(peer) {
        let Some(attempt) = record.final_attempt() else { continue };
        total += 1;
        let judgement = attempt.judgement(judge);
        let (Some(case), Some(sent)) = (case_of(id), sent.get(id)) else { continue };
        if !judgement.deviates() {
            passing.push(Told { case, sent });
            continue;
        }
        let finding = if known.contains_key(id) {
            pace.mend(Finding::of(case, sent, attempt, judgement), &attempt.outcome)
        } else {
            Finding::other(case, judgement)
        };
        let member = Member::new(case, sent, attempt, judgement, finding);
        let group =
            groups.iter_mut().find(|group| group[0].finding.deviation == member.finding.deviation);
        match group {
            Some(group) => group.push(member),
            None => groups.push(vec![member]),
        }
    }
    absorb(&mut groups);
    // One case says nothing of every case.
    let every = |group: &[Member<'_>]| total > 1 && group.len() == total;
    let mut found: Vec<_> = groups
        .iter()
        .map(|group| cause(results, peer, judge, group, &passing, every(group)))
        .collect();
    found.sort_by_key(|cause| std::cmp::Reverse(cause.ids.len()));
    found
}

/// Why one attempt deviates, said of it alone; from `results` it is known how fast its peer is.
pub(crate) fn cause_of(
    results: &Results,
    judge: JudgeKind,
    case: &Case,
    attempt: &Attempt,
) -> Option<Cause> {
    let judgement = attempt.judgement(judge);
    if !judgement.deviates() {
        return None;
    }
    let sent = Sent::of(case);
    let finding = Finding::of(case, &sent, attempt, judgement);
    let finding = pace(results, &attempt.peer).mend(finding, &attempt.outcome);
    let member = Member::new(case, &sent, attempt, judgement, finding);
    Some(cause(results, &attempt.peer, judge, &[member], &[], false))
}

fn pace(results: &Results, peer: &str) -> Pace {
    let attempts = results.records(peer).filter_map(|(_, record)| record.final_attempt());
    Pace::of(attempts.map(|attempt| &attempt.outcome))
}

/// Stand-ins for the cases that this version does not have.
fn strangers(results: &Results, peer: &str, known: &BTreeMap<&CaseId, &Case>) -> Vec<Case> {
    let mut section = Section::new();
    for (id, _) in results.records(peer).filter(|(id, _)| !known.contains_key(id)) {
        section
            .case(id.as_str(), "a case of another version")
            .why("This version's catalogue does not have this case, nor the rule behind it.");
    }
    section.into_cases()
}

/// A failed case with what is wrong in it.
struct Member<'a> {
    id: &'a CaseId,
    case: &'a Case,
    sent: &'a Sent,
    attempt: &'a Attempt,
    finding: Finding,
    basis: Basis,
}

impl<'a> Member<'a> {
    fn new(
        case: &'a Case,
        sent: &'a Sent,
        attempt: &'a Attempt,
        judgement: &Judgement,
        finding: Finding,
    ) -> Self {
        let behavior = judgement.behavior == Behavior::Failed;
        let basis = if behavior { judgement.basis } else { judgement.close_basis };
        Self { id: &attempt.case, case, sent, attempt, finding, basis }
    }

    fn outcome(&self) -> &'a Outcome {
        &self.attempt.outcome
    }

    fn told(&self) -> Told<'a> {
        Told { case: self.case, sent: self.sent }
    }

    /// The event that came.
    fn came(&self) -> Option<&'a Event> {
        self.attempt.outcome.events.get(self.finding.came?)
    }

    /// Whether a pong came that answers one of the tester's own.
    fn answers_pong(&self) -> bool {
        match self.came().map(|event| &event.what) {
            Some(Observed::Pong { payload, .. }) => self.sent.pongs.contains(payload),
            _ => false,
        }
    }

    /// The length of the message that came.
    fn length(&self) -> Option<u64> {
        match self.came()?.what {
            Observed::Message { len, .. } => Some(len),
            _ => None,
        }
    }
}

/// Draws together what only looks different because other things were sent before.
fn absorb(groups: &mut Vec<Vec<Member<'_>>>) {
    let mut moved = Vec::new();
    let deviations: Vec<_> =
        groups.iter().map(|group| group[0].finding.deviation.clone()).collect();
    let closes_at_once = groups.iter().find_map(|group| {
        let first = &group[0];
        let is = first.finding.deviation == Deviation::ClosesAtOnce && group.len() > 2;
        is.then(|| first.outcome().closing.first_remote_code)
    });
    // Loops of echoes do not keep what came, so that a message nobody sent looks like a wrong echo
    // there. Where it comes in all other failed cases, it came in these too.
    let unasked = Deviation::Unasked(What::Echo);
    let computed = |member: &Member<'_>| {
        matches!(member.case.accept, Accept::EchoLoop { .. } | Accept::FirstEcho { .. })
    };
    let other = |group: &&Vec<Member<'_>>| group[0].finding.deviation != unasked;
    let only_unasked = deviations.contains(&unasked)
        && groups.iter().filter(other).all(|group| group.iter().all(computed));
    // A changed octet may make a text ill-formed.
    let altered = Deviation::Altered(What::Echo);
    for group in groups.iter_mut() {
        let mut kept = Vec::new();
        for mut member in group.drain(..) {
            let outcome = member.outcome();
            let closing = &outcome.closing;
            // An illegal octet that comes in other cases as well was not provoked in this one.
            let unprovoked = outcome
                .deviations
                .first()
                .map(|found| Deviation::Illegal(found.violation))
                .filter(|own| deviations.contains(own));
            let at_once = closes_at_once
                .is_some_and(|code| closing.first_remote_code == code && outcome.events.is_empty());
            let to = match &member.finding.deviation {
                own if only_unasked && *own != unasked => Some(unasked.clone()),
                Deviation::NotRefused(_) => unprovoked,
                Deviation::Illegal(Violation::TextIllFormed)
                    if member.sent.fault.is_none() && deviations.contains(&altered) =>
                {
                    Some(altered.clone())
                }
                Deviation::AnswerCode(_) | Deviation::EndsGood(_) if at_once => {
                    Some(Deviation::ClosesAtOnce)
                }
                _ => None,
            };
            match to {
                Some(deviation) => {
                    member.finding.deviation = deviation;
                    moved.push(member);
                }
                None => kept.push(member),
            }
        }
        *group = kept;
    }
    for member in moved {
        let same = |group: &&mut Vec<Member<'_>>| {
            group.first().is_some_and(|it| it.finding.deviation == member.finding.deviation)
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.push(member);
        }
    }
    groups.retain(|group| !group.is_empty());
    for group in groups {
        group.sort_by(|a, b| a.id.cmp(b.id));
    }
}

fn cause(
    results: &Results,
    peer: &str,
    judge: JudgeKind,
    group: &[Member<'_>],
    passing: &[Told<'_>],
    every: bool,
) -> Cause {
    // What shows octets comes before what does not.
    let shown = group.iter().map(|member| (evidence::evidence(member), member));
    let (evidence, shown) = shown
        .min_by_key(|(evidence, member)| {
            let content = evidence::is_content(&member.finding.deviation);
            // Where time deviates, what came late stands for octets.
            let slow = matches!(member.finding.deviation, Deviation::Slow { .. });
            let without =
                if slow { evidence.deciding.is_none() } else { evidence.got.octets.is_empty() };
            let dull = content && evidence.ruler.is_none();
            let bare = evidence.expected.octets.is_empty();
            // What stands alone is seen more easily than what answers a fault.
            let provoked = member.sent.fault.is_some();
            let length = member.outcome().transcript.entries.len();
            let entries = &member.outcome().transcript.entries;
            let unlogged = entries.iter().any(|it| matches!(it.what, Entry::WireLog { .. }));
            // A header alone shows less than a header with a payload.
            let header = |side: &Side| (1..="81 00".len()).contains(&side.hex().len());
            let slight = header(&evidence.got) || header(&evidence.expected);
            (without, dull, unlogged, bare, provoked, slight, length)
        })
        .expect("a group has a member");
    let sentence = sentence::sentence(group, passing, every);
    Cause {
        sentence: words::visible(&sentence),
        ids: group.iter().map(|member| member.id.clone()).collect(),
        shown: shown.id.clone(),
        rule: rule(group, passing, &shown.finding),
        basis: shown.basis,
        expected: evidence.expected,
        got: evidence.got,
        place: evidence.place,
        ruler: evidence.ruler,
        deciding: evidence.deciding,
        nearby: nearby(results, peer, judge, shown, group),
    }
}

/// The rule of the shown case; what goes wrong in fragments alone rests on the one about them.
fn rule(group: &[Member<'_>], passing: &[Told<'_>], finding: &Finding) -> Rule {
    let echo = finding.rule == Rule::echo();
    let fragments = group.iter().all(|member| member.sent.fragments);
    let contrast = passing.iter().any(|it| !it.sent.fragments);
    if echo && fragments && contrast { Rule::fragments() } else { finding.rule.clone() }
}

/// Passing and failing parts of the shown case's section.
fn nearby(
    results: &Results,
    peer: &str,
    judge: JudgeKind,
    shown: &Member<'_>,
    group: &[Member<'_>],
) -> String {
    let section = shown.id.section();
    // Passed, failed for the same reason, failed otherwise.
    let mut parts: BTreeMap<CaseId, [usize; 3]> = BTreeMap::new();
    for (id, record) in results.records(peer).filter(|(id, _)| id.section() == section) {
        let Some(attempt) = record.final_attempt() else { continue };
        let place = if !attempt.judgement(judge).deviates() {
            0
        } else if group.iter().any(|member| member.id == id) {
            1
        } else {
            2
        };
        parts.entry(CaseId::new(part(id.as_str()))).or_default()[place] += 1;
    }
    let which = |fits: fn(&[usize; 3]) -> bool| {
        let found: Vec<_> = parts.iter().map(|(id, counts)| (id, fits(counts))).collect();
        ranges(&found)
    };
    let pass = which(|counts| counts[1] + counts[2] == 0);
    let partly = which(|counts| counts[0] > 0 && counts[1] + counts[2] > 0);
    let mut words = Vec::new();
    if !pass.is_empty() {
        let verb = if pass.contains([',', ' ']) { "pass" } else { "passes" };
        words.push(format!("{pass} {verb}"));
    }
    if !partly.is_empty() {
        words.push(format!("of {partly} some pass"));
    }
    if words.is_empty() {
        return format!("nothing in section {section} passes");
    }
    words.join("; ")
}

/// `6.4` of `6.4.1`, but `2.1` of `2.1`.
fn part(id: &str) -> &str {
    let mut dots = id.match_indices('.').map(|(at, _)| at);
    match (dots.next(), dots.next()) {
        (Some(_), Some(second)) => &id[..second],
        _ => id,
    }
}

/// The chosen ones of a list, neighbours drawn together: `6.1, 6.5 to 6.8`.
fn ranges(all: &[(&CaseId, bool)]) -> String {
    let mut text = String::new();
    let mut rest = all;
    while let Some(at) = rest.iter().position(|(_, chosen)| *chosen) {
        let run = rest[at..].iter().take_while(|(_, chosen)| *chosen).count();
        let (first, last) = (rest[at].0, rest[at + run - 1].0);
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&words::visible(first.as_str()));
        if run > 1 {
            text.push_str(if run == 2 { ", " } else { " to " });
            text.push_str(&words::visible(last.as_str()));
        }
        rest = &rest[at + run..];
    }
    text
}

/// Ids in the order of the catalogue, neighbours drawn together.
pub(crate) fn id_ranges(ids: &[CaseId], all: &[CaseId]) -> String {
    let chosen: Vec<_> = all.iter().map(|id| (id, ids.contains(id))).collect();
    ranges(&chosen)
}
