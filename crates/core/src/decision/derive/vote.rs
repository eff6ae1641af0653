//! Whether the record of an ensemble follows from what was compared: who was asked, and why its vote ended as it did.

use super::Evidence;
use crate::{
    class::{Class, ResultCode},
    decision::AttemptRecord,
    ensemble::Ensemble,
    fact::{Fact, Signal},
    revision::Route,
};

impl Evidence<'_> {
    /// Says whether each member that may be asked was, once, nobody else, and each vote ended for a reason.
    pub(super) fn votes_follow(&self, route: &Route) -> bool {
        let tiers = (0..).zip(&route.tiers);
        let mut ensembles = tiers.filter_map(|(tier, it)| Some((tier, it.ensemble.as_ref()?)));
        ensembles.all(|(tier, ensemble)| match self.tried(tier).next() {
            Some(_) => self.members_follow(tier, ensemble) && self.end_follows(tier, ensemble),
            None => true,
        })
    }

    fn tried(&self, tier: u8) -> impl Iterator<Item = &AttemptRecord> {
        self.attempts.iter().filter(move |attempt| attempt.tier == tier)
    }

    fn members_follow(&self, tier: u8, ensemble: &Ensemble) -> bool {
        let asking = |fact: &&Fact| fact.tier == tier && fact.breached() && !fact.signal.is_about_answer();
        (0..).zip(&ensemble.members).all(|(member, path)| {
            let barred = self.facts.iter().filter(asking).any(|fact| fact.member == Some(member));
            self.tried(tier).filter(|attempt| attempt.path == *path).count() == usize::from(!barred)
        })
    }

    fn end_follows(&self, tier: u8, ensemble: &Ensemble) -> bool {
        let of = |signal: Signal| self.facts.iter().find(|fact| fact.tier == tier && fact.signal == signal);
        let breached = |signal| of(signal).is_some_and(Fact::breached);
        let met = |signal| of(signal).is_some_and(|fact| !fact.breached());
        let rightly = of(Signal::Votes).is_none_or(|fact| fact.threshold == u64::from(ensemble.quorum));
        let refused = self.tried(tier).any(|attempt| attempt.result.class() == Class::Policy);
        rightly
            && self.tried(tier).all(|attempt| match attempt.result {
                ResultCode::QuorumNotReached => breached(Signal::Votes),
                ResultCode::Disagreement => met(Signal::Votes) && of(Signal::Agreement).is_some(),
                ResultCode::VoteOver => met(Signal::VoteOpen) || breached(Signal::Votes) || refused,
                // Where nobody was answered in the end, the vote may not have been taken.
                result if result.is_ok() => met(Signal::Votes) || self.is_open_end(),
                _ => true,
            })
    }

    /// Says whether the request ended while its members ran.
    fn is_open_end(&self) -> bool {
        self.end != crate::decision::End::Answered
    }
}
