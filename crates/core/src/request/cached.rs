//! Answers from what was kept: a fresh one before any tier is asked (F-142); an older one is a tier of its own, as `plan` says, where one
//! to other words may have to be looked for first (F-147).

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::Nanos,
    decision::End,
    fact::{Fact, Signal},
    output::Source,
    request::{Request, World},
    revision::Where,
};

impl Request {
    /// Answers with a fresh answer where one is held and the route allows it; else asks the tiers.
    pub(crate) fn begin(&mut self, now: Nanos, world: &mut World<'_>) {
        if let Some(fact) = self.freshness() {
            self.facts.push(fact);
            if !fact.breached() {
                return self.give_stored(now, world, fact.tier);
            }
        }
        if let Some(tier) = self.near_enough() {
            return self.give_stored(now, world, tier);
        }
        if !self.board(now, world) {
            self.advance(now, world);
        }
    }

    /// Answers with what is held, which proves the tiers that answer from it: no copy of a request is made for those (F-153).
    pub(super) fn give_stored(&mut self, now: Nanos, world: &mut World<'_>, tier: u8) {
        for path in self.route().tiers.iter().map(|tier| tier.path) {
            if self.generation.path(path).place == Where::Stored {
                world.paths.state_mut(self.generation.slot(path)).proof.answered(now);
            }
        }
        self.finish(now, world, End::Answered, Some(Source::Stored(tier)));
    }

    /// Compares the age of what is held with what is fresh; none where nothing is, or the client refuses the tier that gave it.
    fn freshness(&self) -> Option<Fact> {
        let policy = self.route().cache.filter(|policy| policy.fresh)?;
        let stored = self.admit.cache.stored.filter(|it| self.admit.max_tier.is_none_or(|max| it.tier <= max))?;
        // Of which the client wants none: older than nothing.
        let age = if self.admit.cache.wants_new() { stored.age.max(1) } else { stored.age };
        Some(Fact::new(stored.tier, Signal::CacheFresh, age, self.admit.cache.fresh_for(policy)))
    }

    /// Compares the nearest answer to other words with what is taken before any tier is asked, and says whose it is where that is
    /// given; none where the route looks for none then, or the client refuses the tier that gave it.
    fn near_enough(&mut self) -> Option<u8> {
        let policy = self.route().cache?;
        let similar = policy.similar.filter(|it| it.fresh)?;
        let lookup = self.admit.cache;
        let near = lookup
            .near
            .filter(|it| !lookup.wants_new() && self.admit.max_tier.is_none_or(|max| it.stored.tier <= max))?;
        let (tier, least) = (near.stored.tier, similar.at_least.thousandths().into());
        let similarity = Fact::new(tier, Signal::SimilarFresh, near.similarity.thousandths().into(), least);
        self.facts.push(similarity);
        if similarity.breached() {
            return None;
        }
        let age = Fact::new(tier, Signal::SimilarFreshAge, near.stored.age, lookup.fresh_for(policy));
        self.facts.push(age);
        (!age.breached()).then_some(tier)
    }

    /// Says whether a tier that answers from the cache has to look for an answer to other words.
    pub(crate) fn seeks(&self) -> bool {
        self.route().cache.is_some_and(|policy| self.admit.cache.seeks(policy))
    }

    /// Says whether an attempt looks for an earlier answer.
    pub(super) fn is_search(&self, attempt: &Attempt) -> bool {
        self.generation.path(attempt.path).place == Where::Stored
    }

    /// Reads what a search has found, with what was compared for that on the record (CACHE-3).
    pub(super) fn found(&mut self, attempt: &Attempt, result: ResultCode) -> ResultCode {
        let Some((near, policy)) = attempt.near.zip(self.route().cache) else { return ResultCode::CacheDissimilar };
        let facts = self.admit.cache.compare(policy, attempt.tier, near);
        self.facts.extend(facts);
        if facts.iter().any(Fact::breached) { ResultCode::CacheDissimilar } else { result }
    }
}
