//! Answers from what was kept: a fresh one before any tier is asked (F-142); an older one is a tier of its own, as `plan` says.

use crate::{
    clock::Nanos,
    decision::End,
    fact::{Fact, Signal},
    output::Source,
    request::{Request, World},
};

impl Request {
    /// Answers with a fresh answer where one is held and the route allows it; else asks the tiers.
    pub(crate) fn begin(&mut self, now: Nanos, world: &mut World<'_>) {
        if let Some(fact) = self.freshness() {
            self.facts.push(fact);
            if !fact.breached() {
                return self.finish(now, world, End::Answered, Some(Source::Stored(fact.tier)));
            }
        }
        if !self.board(now, world) {
            self.advance(now, world);
        }
    }

    /// Compares the age of what is held with what is fresh; none where nothing is, or the client refuses the tier that gave it.
    fn freshness(&self) -> Option<Fact> {
        let policy = self.route().cache.filter(|policy| policy.fresh)?;
        let stored = self.admit.cache.stored.filter(|it| self.admit.max_tier.is_none_or(|max| it.tier <= max))?;
        // Of which the client wants none: older than nothing.
        let age = if self.admit.cache.wants_new() { stored.age.max(1) } else { stored.age };
        Some(Fact::new(stored.tier, Signal::CacheFresh, age, self.admit.cache.fresh_for(policy)))
    }
}
