//! Verdicts that stand: each is told once, when nothing more is to be tried.

use wsproof_engine::{Accept, CaseId, Class, judge};

use super::{Scheduler, record::Record};
use crate::{Confirmation, Event, Settled};

impl Scheduler<'_> {
    /// Enough was confirmed: the rest stands as it is.
    pub(super) fn take_rest(&mut self) {
        while let Some((case, _)) = self.unconfirmed() {
            let Some(record) = self.records.get_mut(&case.id) else { break };
            record.needs_confirmation = false;
            record.confirmation = Confirmation::Taken;
            self.settle(&case.id);
        }
    }

    pub(super) fn settle(&mut self, id: &CaseId) {
        let Some(record) = self.records.get_mut(id) else { return };
        if record.settled {
            return;
        }
        record.settled = true;
        self.settled += 1;
        let _ = self.events.send(Event::Settled(Settled {
            case: record.case.clone(),
            attempt: record.counts,
            unstable: record.unstable,
            confirmation: record.confirmation,
        }));
    }

    /// What could not be confirmed, because the peer is gone, is said to be so: nobody knows
    /// whether it was the peer's fault.
    pub(super) fn settle_unconfirmed(&mut self) {
        let waits = |record: &&Record| record.needs_confirmation && !record.settled;
        let waiting = self.records.values().filter(waits);
        // What was reached with nothing beside it stands, as the peer was there.
        let (standing, open): (Vec<_>, Vec<_>) =
            waiting.partition(|record| record.alone && !record.away);
        let [standing, open] = [standing, open]
            .map(|them| them.iter().map(|it| it.case.id.clone()).collect::<Vec<_>>());
        for id in standing {
            self.settle(&id);
        }
        if open.is_empty() {
            return;
        }
        let ids: Vec<_> = open.iter().map(ToString::to_string).collect();
        let text = format!(
            "not judged, because the peer was gone before the verdict could be confirmed with \
             nothing else at work: {}",
            ids.join(", ")
        );
        let _ = self.events.send(Event::Note(text));
        for id in open {
            if let Some(record) = self.records.get_mut(&id) {
                record.confirmation = Confirmation::Impossible;
            }
            self.settle(&id);
            self.settled -= 1;
        }
    }

    /// Passive rules look at the answers of all cases of the run.
    pub(super) fn settle_passive(&mut self) {
        for mut attempt in std::mem::take(&mut self.passive) {
            let case = attempt.case.clone();
            let Accept::Class(Class::Passive { never }) = &case.accept else { continue };
            let openings = self.records.values().flat_map(|record| {
                record.opening.iter().map(|opening| (record.case.id.as_str(), opening))
            });
            let (behavior, reason) = judge::passive(never, openings);
            for judgement in [&mut attempt.classic, &mut attempt.rfc] {
                judgement.behavior = behavior;
                judgement.reason.clone_from(&reason);
                // The rule is about answers; how this connection ended is for other cases.
                judgement.close = judge::CloseBehavior::Ok;
                "the rule is not about closing".clone_into(&mut judgement.close_reason);
            }
            let number = attempt.number;
            let _ = self.events.send(Event::Attempt(Box::new(attempt)));
            self.settled += 1;
            let _ = self.events.send(Event::Settled(Settled {
                case,
                attempt: number,
                unstable: false,
                confirmation: Confirmation::NotNeeded,
            }));
        }
    }
}
