//! What becomes of the rows of an answer: whole, not accepted, or in part (OIP-35).
//!
//! There is one walk down the ladder: what a tier did not keep goes on to the next one, with what was set apart from it.
//!
//! # Invariants
//! - `PART-1`: an answer in part is success of its path, and never the last word: the walk goes on for what is left, and ends
//!   with all rows or with a refusal.

use crate::{
    attempt::Attempt,
    class::ResultCode,
    decision::KeptRows,
    fact::{Fact, Signal},
    output::Output,
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
        // Where nobody has counted rows, each that is low is one too many.
        let low = if attempt.rows > 0 { low.min(attempt.rows) } else { low };
        if judged.is_some() {
            self.facts.push(Fact::new(tier, Signal::RowsLow, low, rule.borne(attempt.rows)));
        }
        let Some(left) = self.rows.left(takes_all, rule, low) else { return (ResultCode::LowConfidence, kept(0)) };
        if left.apart > 0 {
            self.facts.push(Fact::new(tier, Signal::RowsApart, left.apart, 0));
        }
        self.rows = left;
        match left.all {
            0 => (result, kept(attempt.rows)),
            _ => (ResultCode::OkPart, kept(attempt.rows - (left.all - left.apart))),
        }
    }

    /// Has the shell keep what an attempt answered in part, before anybody is asked for the rest.
    pub(super) fn keep_part(&self, world: &mut World<'_>, attempt: &Attempt) {
        world.outputs.push_back(Output::Keep { request: self.admit.request, attempt: attempt.id });
    }
}
