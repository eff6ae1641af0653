//! Tally: votes for classes, ranked; the share of the leader; whether it can still be passed.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Bounds;
use crate::{RATIO, math, quantise};

/// One member's vote for a class. Who abstains, fails or is late has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The member, by its place in the tier.
    pub voter: usize,
    /// What it counts, in millionths ([`super::weight`]).
    pub weight: i64,
    /// The class that it voted for, in the one form that equal answers share.
    pub class: String,
}

/// One class and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The class.
    pub class: String,
    /// The sum of its votes, in millionths.
    pub weight: i64,
    /// How many voted for it.
    pub voters: u32,
    /// The member whose own answer stands for the class: the one of most weight, the earlier in the tier of two alike.
    pub best: usize,
    best_weight: i64,
}

/// Whether answers that are still out can make two classes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rivals {
    /// Classes are equal or not: labels, values.
    Apart,
    /// Classes are clusters of similar texts, and a text between two of them joins them.
    MayJoin,
}

/// The classes that were voted for, the leader first.
///
/// Ties are broken by voters, by the place of the best voter, and by the bytes of the class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    standings: Vec<Standing>,
    who: u64,
}

impl Tally {
    /// Counts votes, in any order.
    pub fn of(ballots: &[Ballot]) -> Self {
        let mut classes: BTreeMap<&str, Standing> = BTreeMap::new();
        let who = ballots.iter().filter(|it| it.voter < 64).fold(0, |who, it| who | 1 << it.voter);
        for ballot in ballots {
            let standing = classes.entry(&ballot.class).or_insert_with(|| Standing {
                class: ballot.class.clone(),
                weight: 0,
                voters: 0,
                best: ballot.voter,
                best_weight: ballot.weight,
            });
            standing.weight = standing.weight.saturating_add(ballot.weight);
            standing.voters += 1;
            if (Reverse(ballot.weight), ballot.voter) < (Reverse(standing.best_weight), standing.best) {
                (standing.best_weight, standing.best) = (ballot.weight, ballot.voter);
            }
        }
        let mut standings: Vec<_> = classes.into_values().collect();
        // The map's order is that of the bytes, and the sort keeps it among equals.
        standings.sort_by_key(|it| (Reverse(it.weight), Reverse(it.voters), it.best));
        Self { standings, who }
    }

    /// Returns the classes, the leader first.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Returns the leading class; none where nobody voted.
    pub fn leader(&self) -> Option<&Standing> {
        self.standings.first()
    }

    /// Returns how many voted.
    pub fn voters(&self) -> u32 {
        self.standings.iter().map(|it| it.voters).sum()
    }

    /// Returns who voted: one bit a member, the first the lowest.
    pub fn who(&self) -> u64 {
        self.who
    }

    /// Returns the leader's share of all weight, in 1/10,000: the softmax of the sums over all `classes`, those included that
    /// nobody voted for. Raw: it holds only if members erred apart from each other.
    pub fn share(&self, classes: u32) -> Option<i64> {
        quantise(self.raw_share(classes)?, RATIO)
    }

    /// The same share as a number, for the calibrator of shares.
    pub fn raw_share(&self, classes: u32) -> Option<f64> {
        let leader = self.leader()?.weight;
        #[expect(clippy::cast_precision_loss, reason = "millionths within ±2^53")]
        let odds = |weight: i64| math::exp(weight.saturating_sub(leader) as f64 / 1e6);
        let unseen = (classes.max(2) as usize).saturating_sub(self.standings.len());
        #[expect(clippy::cast_precision_loss, reason = "a count of classes")]
        let nobody = if unseen == 0 { 0.0 } else { unseen as f64 * odds(0) };
        // Ranked order, so the sum is the same for any order of arrival.
        Some(1.0 / (self.standings.iter().map(|it| odds(it.weight)).sum::<f64>() + nobody))
    }

    /// Returns the part of the voters that voted for the leader, in 1/10,000.
    pub fn agreement(&self) -> Option<i64> {
        let leader = f64::from(self.leader()?.voters);
        quantise(leader / f64::from(self.voters()), RATIO)
    }

    /// Says that the leader wins whatever those who are still out say (`VOTE-2`).
    ///
    /// A rival that only ties does not pass for sure, but is counted as if it did.
    pub fn decided(&self, out: &[Bounds], rivals: Rivals) -> bool {
        let Some(leader) = self.leader() else { return false };
        let swing: i128 = out.iter().map(|it| it.swing()).sum();
        if out.is_empty() {
            return true;
        }
        let others = &self.standings[1..];
        let rival: i128 = match rivals {
            Rivals::Apart => others.first().map_or(0, |it| i128::from(it.weight)).max(0),
            // One that weighs less than nothing may join the leader.
            Rivals::MayJoin => others.iter().map(|it| i128::from(it.weight).abs()).sum(),
        };
        // A class that nobody has voted for yet stands at zero.
        i128::from(leader.weight) - rival > swing
    }
}

#[cfg(test)]
mod tests;
