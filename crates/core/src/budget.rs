//! Budget: one purse per route for every extra attempt (F-044).
//!
//! It pays retries, hedges and stream restarts. It does not pay fallbacks: those are admitted by their own tier (F-045).
//!
//! # Why a purse
//! Retries multiply through layers, and a retried prompt pays its prefill again. A first attempt deposits a tenth of its
//! cost, so that extra work stays a tenth of real work, however it comes; the floor keeps a quiet route able to retry.
//!
//! # Invariants
//! - `BUD-1`: over any period, what is withdrawn is at most what was deposited in the period before plus the floor.
//! - `BUD-2`: the purse never holds more than the deposits of the last period.
//!
//! # Source
//! The retry budget of Finagle and linkerd, in integers and with costs in place of counts.

use crate::{clock::Nanos, revision::BudgetPolicy};

/// Slots that a period is divided into.
const SLOTS: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    epoch: u64,
    deposited: u64,
    /// Re-attempts that the floor paid.
    floor: u32,
}

/// The purse of one route, in thousandths of its unit of cost.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    pub(crate) policy: BudgetPolicy,
    balance: u64,
    slots: [Slot; SLOTS],
}

impl Budget {
    pub(crate) fn new(policy: BudgetPolicy) -> Self {
        Self { policy, balance: 0, slots: [Slot::default(); SLOTS] }
    }

    /// Takes in the deposit of a first attempt.
    pub(crate) fn deposit(&mut self, now: Nanos, cost: u64) {
        let deposit = self.policy.ratio.of(cost);
        let slot = self.slot(now);
        slot.deposited = slot.deposited.saturating_add(deposit);
        self.balance = self.balance.saturating_add(deposit).min(self.deposited(now));
    }

    /// Returns what could be paid now; everything while the floor still holds.
    pub(crate) fn purse(&self, now: Nanos) -> u64 {
        if self.floor_left(now) > 0 { u64::MAX } else { self.balance(now) }
    }

    /// Returns what was deposited, and is neither spent nor forgotten.
    pub(crate) fn balance(&self, now: Nanos) -> u64 {
        self.balance.min(self.deposited(now))
    }

    /// Returns how many re-attempts the floor still pays.
    pub(crate) fn floor_left(&self, now: Nanos) -> u32 {
        self.policy.floor.saturating_sub(self.floor_used(now))
    }

    /// Pays a re-attempt, from the purse first, else from the floor. The caller has asked [`Self::purse`] before.
    pub(crate) fn withdraw(&mut self, now: Nanos, cost: u64) {
        self.balance = self.balance(now);
        match self.balance.checked_sub(cost) {
            Some(rest) => self.balance = rest,
            None => self.slot(now).floor += 1,
        }
    }

    fn epoch(&self, now: Nanos) -> u64 {
        now / (self.policy.per / SLOTS as u64).max(1) + 1
    }

    fn slot(&mut self, now: Nanos) -> &mut Slot {
        let epoch = self.epoch(now);
        let slot = &mut self.slots[(epoch % SLOTS as u64) as usize];
        if slot.epoch != epoch {
            *slot = Slot { epoch, ..Slot::default() };
        }
        slot
    }

    fn live(&self, now: Nanos) -> impl Iterator<Item = &Slot> {
        let oldest = (self.epoch(now) + 1).saturating_sub(SLOTS as u64).max(1);
        self.slots.iter().filter(move |slot| slot.epoch >= oldest)
    }

    fn deposited(&self, now: Nanos) -> u64 {
        self.live(now).fold(0, |sum, slot| sum.saturating_add(slot.deposited))
    }

    fn floor_used(&self, now: Nanos) -> u32 {
        self.live(now).map(|slot| slot.floor).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{MILLISECOND, SECOND};

    #[test]
    fn f_044_re_attempts_are_a_tenth_plus_the_floor() {
        let mut budget = Budget::new(BudgetPolicy::default());
        let mut paid = 0;
        for n in 0..1_000 {
            let now = n * 10 * MILLISECOND;
            budget.deposit(now, 1_000);
            if budget.purse(now) >= 1_000 {
                budget.withdraw(now, 1_000);
                paid += 1;
            }
        }
        assert!((90..=103).contains(&paid), "BUD-1: {paid} of 1,000");
    }

    #[test]
    fn an_old_purse_is_empty_but_for_the_floor() {
        let mut budget = Budget::new(BudgetPolicy::default());
        (0..1_000).for_each(|_| budget.deposit(0, 1_000));
        let later = 60 * SECOND;
        for _ in 0..3 {
            assert_eq!(budget.purse(later), u64::MAX);
            budget.withdraw(later, 1_000);
        }
        assert_eq!(budget.purse(later), 0, "BUD-2");
    }
}
