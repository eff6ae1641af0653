//! Arms: pairs the k-th outcome of one arm with the k-th of the other, where no request was answered by both.

use std::collections::VecDeque;

use super::Outcome;

/// Outcomes of one arm that wait for the other at most: a small canary beside all other traffic is paired with the latest.
pub const WAITING: usize = 4_096;

/// Which revision answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The new one.
    New,
    /// The old one.
    Old,
}

/// Outcomes that wait for their partner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arms {
    /// Which arm waits; nobody where there is none waiting.
    ahead: Option<Arm>,
    waiting: VecDeque<Outcome>,
    dropped: u64,
}

impl Arms {
    /// Takes an outcome; returns a pair, new and old, where there is one. Outcomes without a label do not wait: they are no rows.
    ///
    /// Of what waits too long the oldest is dropped, whatever it says, so that what is left is a fair sample.
    pub fn pair(&mut self, arm: Arm, outcome: Outcome) -> Option<(Outcome, Outcome)> {
        outcome.loss()?;
        if self.ahead.is_some_and(|it| it != arm)
            && let Some(other) = self.waiting.pop_front()
        {
            return Some(if arm == Arm::New { (outcome, other) } else { (other, outcome) });
        }
        self.ahead = Some(arm);
        self.waiting.push_back(outcome);
        if self.waiting.len() > WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        None
    }

    /// Returns how many outcomes found no partner in time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kth_of_one_arm_meets_the_kth_of_the_other() {
        let mut arms = Arms::default();
        let lost = |it: f64| Outcome::Lost(it);
        assert_eq!(arms.pair(Arm::Old, lost(0.1)), None);
        assert_eq!(arms.pair(Arm::Old, lost(0.2)), None);
        assert_eq!(arms.pair(Arm::New, Outcome::Unlabelled), None, "no row, so no partner is used up");
        assert_eq!(arms.pair(Arm::New, Outcome::Missing), Some((Outcome::Missing, lost(0.1))));
        assert_eq!(arms.pair(Arm::New, lost(0.3)), Some((lost(0.3), lost(0.2))));
        assert_eq!(arms.pair(Arm::New, lost(0.4)), None);
        assert_eq!(arms.pair(Arm::Old, lost(0.5)), Some((lost(0.4), lost(0.5))));
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_leaves() {
        let mut arms = Arms::default();
        for at in 0..WAITING + 10 {
            arms.pair(Arm::Old, Outcome::Lost(if at < 10 { 1.0 } else { 0.0 }));
        }
        assert_eq!(arms.dropped(), 10);
        assert_eq!(arms.pair(Arm::New, Outcome::Missing), Some((Outcome::Missing, Outcome::Lost(0.0))));
    }
}
