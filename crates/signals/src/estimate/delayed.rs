//! Delayed: accuracy from labels that come late.
//!
//! Decisions wait for their labels, which are joined by id. What has come so far is not all there will be: a decision of an hour ago
//! has its label only if labels come within an hour. So each label is weighed by one over the chance that one of its age is there,
//! and that chance is learnt from how long all others took and wait still (Kaplan–Meier), stratum by stratum.
//!
//! # Guarantee
//! The bounds `lo` and `hi` of [`DelayedReading::bounds`] assume nothing: the labels that are missing may all be wrong, or all right.
//!
//! # When it misleads
//! If how late a label is depends on whether the answer was right; strata must not use the outcome. Labels that only exist for some
//! outcomes (a loan that was declined is never paid back) cannot be weighed up: shadow or explore.
//!
//! # Source
//! Kaplan, Meier 1958; inverse weights by the chance of being observed, Robins, Rotnitzky 1992.

use std::collections::{BTreeMap, BTreeSet};

use super::{Estimate, Method, NORMAL_97_5, float};

/// Labels that take longer are counted and dropped, ns: 14 days.
pub const MOST_DELAY_NS: u64 = 14 * 86_400 * 1_000_000_000;
/// Decisions that are kept at most: the oldest leaves.
pub const MOST_ROWS: usize = 1_000_000;
/// Where less than this share of labels is there, rows are too young to speak.
const LEAST_CHANCE: f64 = 0.2;

/// What became of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The first of its decision.
    First,
    /// Another one: the last wins.
    Again,
    /// It came after 14 days: dropped.
    Late,
    /// No such decision is known (any more): dropped.
    Unknown,
}

/// A decision, its stratum, and its label: after how long the first came, and what the last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    at: u64,
    stratum: u32,
    label: Option<(u64, bool)>,
}

/// Decisions that wait for labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delayed {
    rows: BTreeMap<u128, Row>,
    by_time: BTreeSet<(u64, u128)>,
    again: u64,
    late: u64,
    unknown: u64,
    dropped: u64,
}

/// What the labels so far say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelayedReading {
    /// The weighed accuracy, its samples the labels that are weighed; none where no stratum is old enough. Its interval is the normal one
    /// of as many rows as the weights are worth.
    pub estimate: Option<Estimate>,
    /// Between what the accuracy lies, whatever is still missing.
    pub bounds: (f64, f64),
    /// Decisions.
    pub rows: u64,
    /// Those with a label.
    pub labels: u64,
    /// Those too young to be weighed.
    pub young: u64,
    /// Labels that replaced another, came too late, or had no decision.
    pub again: u64,
    /// See [`Self::again`].
    pub late: u64,
    /// See [`Self::again`].
    pub unknown: u64,
    /// Decisions that had to leave for want of room.
    pub dropped: u64,
}

impl Delayed {
    /// Counts a decision. An id that is known already is not counted again.
    pub fn decided(&mut self, at: u64, id: u128, stratum: u32) {
        if self.rows.contains_key(&id) {
            return;
        }
        self.rows.insert(id, Row { at, stratum, label: None });
        self.by_time.insert((at, id));
        if self.rows.len() > MOST_ROWS
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.rows.remove(&oldest);
            self.dropped += 1;
        }
    }

    /// Joins a label to its decision.
    pub fn label(&mut self, at: u64, id: u128, right: bool) -> Joined {
        let Some(row) = self.rows.get_mut(&id) else {
            self.unknown += 1;
            return Joined::Unknown;
        };
        let delay = at.saturating_sub(row.at);
        if delay > MOST_DELAY_NS {
            self.late += 1;
            return Joined::Late;
        }
        match &mut row.label {
            None => {
                row.label = Some((delay, right));
                Joined::First
            }
            Some((_, last)) => {
                *last = right;
                self.again += 1;
                Joined::Again
            }
        }
    }

    /// Lets decisions go that were made before this time, ns.
    pub fn forget(&mut self, before: u64) {
        while let Some((at, id)) = self.by_time.first().copied()
            && at < before
        {
            self.by_time.pop_first();
            self.rows.remove(&id);
        }
    }

    /// Adds what another replica kept. Of an id that both know, the label that came later after the decision wins; in a tie a right one.
    pub fn merge(&mut self, other: &Self) {
        for (id, theirs) in &other.rows {
            self.decided(theirs.at, *id, theirs.stratum);
            if let Some(ours) = self.rows.get_mut(id) {
                ours.label = ours.label.max(theirs.label);
            }
        }
        self.again += other.again;
        self.late += other.late;
        self.unknown += other.unknown;
        self.dropped += other.dropped;
    }

    /// Says what the labels so far tell; none without decisions.
    ///
    /// # Cost
    /// O(rows · log rows).
    pub fn read(&self, now: u64) -> Option<DelayedReading> {
        let mut strata: BTreeMap<u32, Vec<&Row>> = BTreeMap::new();
        self.rows.values().for_each(|row| strata.entry(row.stratum).or_default().push(row));
        let mut weighed = Weighed::default();
        for rows in strata.values() {
            weighed.add(now, rows);
        }
        let rows = float(u64::try_from(self.rows.len()).unwrap_or(u64::MAX));
        let labels = self.rows.values().filter_map(|it| it.label);
        let (labels, right) = labels.fold((0, 0), |(all, right), it| (all + 1, right + u64::from(it.1)));
        (rows > 0.0).then(|| DelayedReading {
            estimate: weighed.estimate(),
            bounds: (float(right) / rows, (float(right) + rows - float(labels)) / rows),
            rows: u64::try_from(self.rows.len()).unwrap_or(u64::MAX),
            labels,
            young: weighed.young,
            again: self.again,
            late: self.late,
            unknown: self.unknown,
            dropped: self.dropped,
        })
    }
}

/// Sums over the labels that are weighed.
#[derive(Default)]
struct Weighed {
    n: u64,
    young: u64,
    as_of: u64,
    weights: f64,
    squares: f64,
    right: f64,
}

impl Weighed {
    /// Adds the rows of one stratum.
    fn add(&mut self, now: u64, rows: &[&Row]) {
        let waits = rows.iter().map(|row| match row.label {
            Some((delay, _)) => (delay, true),
            None => (age(now, row), false),
        });
        let chance = Arrival::of(waits.collect());
        for row in rows {
            let there = chance.within(age(now, row));
            if there < LEAST_CHANCE {
                self.young += 1;
            } else if let Some((delay, right)) = row.label {
                let weight = 1.0 / there;
                self.n += 1;
                self.as_of = self.as_of.max(row.at.saturating_add(delay));
                self.weights += weight;
                self.squares += weight * weight;
                self.right += if right { weight } else { 0.0 };
            }
        }
    }

    fn estimate(&self) -> Option<Estimate> {
        let effective = self.weights * self.weights / self.squares;
        let value = self.right / self.weights;
        let half = NORMAL_97_5 * (value * (1.0 - value) / effective).sqrt();
        (self.n > 0).then(|| Estimate {
            value,
            lo: (value - half).max(0.0),
            hi: (value + half).min(1.0),
            samples: self.n,
            as_of: self.as_of,
            state: Method::Delayed,
        })
    }
}

/// How old a row is, as far as labels are accepted.
fn age(now: u64, row: &Row) -> u64 {
    now.saturating_sub(row.at).min(MOST_DELAY_NS)
}

/// The chance that a label is there by some age: Kaplan–Meier over those that came and those that are awaited still.
struct Arrival {
    /// Ascending ages, each with the chance from there on.
    steps: Vec<(u64, f64)>,
}

impl Arrival {
    /// Learns from waits: how long, and whether the label has come. One that is awaited still counts as at risk at its own age.
    fn of(mut waits: Vec<(u64, bool)>) -> Self {
        waits.sort_unstable();
        let mut steps = Vec::new();
        let mut missing = 1.0;
        let mut at = 0;
        while at < waits.len() {
            let wait = waits[at].0;
            let alike = waits[at..].iter().take_while(|it| it.0 == wait);
            let (all, came) = alike.fold((0, 0), |(all, came), it| (all + 1, came + u64::from(it.1)));
            if came > 0 {
                missing *= 1.0 - float(came) / float((waits.len() - at) as u64);
                steps.push((wait, 1.0 - missing));
            }
            at += all;
        }
        Self { steps }
    }

    fn within(&self, age: u64) -> f64 {
        let before = self.steps.partition_point(|it| it.0 <= age);
        before.checked_sub(1).map_or(0.0, |it| self.steps[it].1)
    }
}

#[cfg(test)]
mod tests;
