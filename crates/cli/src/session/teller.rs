//! What the user is told while cases are run against a server.

use std::collections::HashSet;

use wsproof_engine::{Case, CaseId};
use wsproof_report::{JudgeKind, contract, number};

use super::{NamedPeer, Plan, Voice};
use crate::{output, progress::Progress};

/// Tells the user about one peer.
pub(super) struct Teller {
    voice: Voice,
    /// Known from the first answer, unless it was given.
    pub(super) name: Option<String>,
    address: String,
    /// Cases that began before the name was known.
    early: Vec<CaseId>,
    announced: HashSet<CaseId>,
    progress: Option<Progress>,
}

impl Teller {
    pub(super) fn new(plan: &Plan, named: &NamedPeer, cases: usize) -> Self {
        let progress = (plan.voice == Voice::Own).then(|| {
            let who = named.agent.as_ref().map_or(String::new(), |agent| format!("{agent} at "));
            Progress::new(
                &format!("testing {who}{} with {}", named.url, number(cases, "case")),
                cases,
            )
        });
        Self {
            voice: plan.voice,
            name: None,
            address: named.peer.address.to_string(),
            early: Vec::new(),
            announced: HashSet::new(),
            progress,
        }
    }

    pub(super) fn started(&mut self, case: &Case) {
        if let Some(progress) = &self.progress {
            progress.started(case.id.as_str());
        }
        // A confirmation is not announced again: scripts count these lines.
        if self.voice == Voice::Classic && self.announced.insert(case.id.clone()) {
            match &self.name {
                Some(name) => self.announce(&case.id, name),
                None => self.early.push(case.id.clone()),
            }
        }
    }

    pub(super) fn named(&mut self, name: &str) {
        self.name = Some(name.to_owned());
        for case in std::mem::take(&mut self.early) {
            self.announce(&case, name);
        }
    }

    fn announce(&self, case: &CaseId, agent: &str) {
        let (agent, address) = (output::clean(agent), &self.address);
        let family = if address.starts_with('[') { "tcp6" } else { "tcp4" };
        output::line(&format!(
            "Running test case ID {case} for agent {agent} from peer {family}:{address}"
        ));
    }

    pub(super) fn settled(
        &mut self,
        case: &Case,
        judged: Option<&contract::Attempt>,
        judge: JudgeKind,
        unstable: bool,
    ) {
        let Some(progress) = &mut self.progress else { return };
        progress.settled();
        let Some(judgement) = judged.map(|attempt| attempt.judgement(judge)) else { return };
        if judgement.deviates() || unstable {
            let mark = if unstable { "unstable" } else { "deviates" };
            let reason = output::clean(judgement.deciding_reason());
            progress.say(&format!("  {mark} {:<8} {reason}", case.id));
        }
    }

    pub(super) fn say(&mut self, text: &str) {
        match &mut self.progress {
            Some(progress) => progress.say(&format!("  {text}")),
            None => output::line(text),
        }
    }

    pub(super) fn finish(self) -> Option<String> {
        if let Some(progress) = self.progress {
            progress.finish();
        }
        self.name
    }
}
