//! What becomes of the rows of an answer: whole, not accepted, or in part (OIP-35).
//!
//! There is one walk down the ladder: what a tier did not keep goes on to the next one, with what was set apart from it.
//!
//! # Invariants
//! - `PART-1`: an answer in part is success of its path, and never the last word: the walk goes on for what is left, and ends
//!   with all rows or with a refusal.
//! - `PART-2`: an answer that was not accepted is given only where its path lets it stand, it has all rows that are left, no model
//!   below has given one that was accepted, and the client takes it; of several that may stand the surest, of those the first.

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::Nanos,
    decision::{AttemptRecord, End, KeptRows, derive::Evidence},
    fact::{Fact, Signal},
    output::{Output, Source},
    request::{Request, World},
    revision::ImputedPolicy,
    rows::RowRule,
};

impl Request {
    /// Returns how imputed rows are taken: those of a sequence all or none (OIP-36).
    pub(crate) fn imputed(&self) -> ImputedPolicy {
        let imputed = self.route().imputed;
        ImputedPolicy { split: imputed.split && self.admit.sequence.is_none(), ..imputed }
    }

    /// Returns how many rows a tier is asked for.
    pub(crate) fn rows_of(&self, tier: u8) -> u64 {
        self.rows.asked(!self.imputed().sets_apart(tier))
    }

    /// Reads a whole answer as the rule of its tier says, with what was compared for that on the record; returns what it came
    /// to, and how many of its rows are kept.
    pub(super) fn judge(&mut self, attempt: &Attempt, result: ResultCode) -> (ResultCode, Option<KeptRows>) {
        let kept = |kept| (attempt.rows > 0).then_some(KeptRows { asked: attempt.rows, kept });
        if !result.is_ok() {
            return (result, kept(0));
        }
        if self.is_search(attempt) {
            return (self.found(attempt, result), kept(attempt.rows));
        }
        let (tier, takes_all) = (attempt.tier, !self.imputed().sets_apart(attempt.tier));
        // What has the state of a sequence is the only one that can go on with it, sure or not (OIP-36).
        let judged = self.generation.path(attempt.path).accept.zip(attempt.low);
        let judged = judged.filter(|_| self.admit.sequence.is_none());
        // An answer that nobody has looked at has nothing against it.
        let (rule, low) = judged.unwrap_or((RowRule::Any, 0));
        // What the client asks for it asks of each row.
        let rule = if self.admit.min_confidence.is_some() { RowRule::Any } else { rule };
        // Where nobody has counted rows, each that is low is one too many.
        let low = if attempt.rows > 0 { low.min(attempt.rows) } else { low };
        if judged.is_some() {
            self.facts.push(Fact::new(tier, Signal::RowsLow, low, rule.borne(attempt.rows)));
        }
        let Some(left) = self.rows.left(takes_all, rule, low) else {
            self.may_stand(attempt);
            return (ResultCode::LowConfidence, kept(0));
        };
        if left.apart > 0 {
            self.facts.push(Fact::new(tier, Signal::RowsApart, left.apart, 0));
        }
        self.rows = left;
        match left.all {
            0 => (result, kept(attempt.rows)),
            _ => (ResultCode::OkPart, kept(attempt.rows - (left.all - left.apart))),
        }
    }

    /// Notes an answer that was not accepted, where it may stand (PART-2).
    fn may_stand(&mut self, attempt: &Attempt) {
        let whole = attempt.rows == self.rows.all && self.admit.min_confidence.is_none();
        if whole && self.generation.path(attempt.path).stands {
            self.facts.push(Fact::new(attempt.tier, Signal::Stands, attempt.sure.thousandths().into(), 0));
        }
    }

    /// Gives the surest answer that was not accepted, where one may stand; says whether there was one (PART-2).
    pub(super) fn stands(&mut self, now: Nanos, world: &mut World<'_>) -> bool {
        let evidence = Evidence { facts: &self.facts, attempts: &self.attempts, end: End::Answered };
        let Some(tier) = evidence.stands() else { return false };
        let low = |it: &&AttemptRecord| it.tier == tier && it.result == ResultCode::LowConfidence;
        let Some(attempt) = self.attempts.iter().find(low).map(|it| it.attempt) else { return false };
        self.finish(now, world, End::Answered, Some(Source::Attempt(attempt)));
        true
    }

    /// Has the shell keep what an attempt answered in part, before anybody is asked for the rest.
    pub(super) fn keep_part(&self, world: &mut World<'_>, attempt: &Attempt) {
        world.outputs.push_back(Output::Keep { request: self.admit.request, attempt: attempt.id });
    }
}
