//! Read: what the ledger of a route says of each of its tiers, by every method for which there is enough (`signals.md` §9, §14).
//!
//! # Cost
//! O(rows · log rows) of what is held, for each tier; while it is computed no label is joined.

use std::sync::Arc;

use evenkeel_api as api;
use evenkeel_config as config;
use evenkeel_signals::{
    eproc::of_counts,
    estimate::{ConceptDrift, Delayed, DoublyRobust, Estimate, LabelFree, Method, Powered, Silent},
    shape::Reading,
};

use super::{
    item::Claim,
    ledger::{Heard, Held, Ledger, Row, right},
    wall,
};

/// The probability with which an interval of the labels alone may ever miss.
const ALPHA: f64 = 0.05;
/// Copies of fewer than so many of all labelled answers say nothing of the rest.
const LEAST_SHARE: f64 = 0.01;

/// Rows of a tier that count as recent: of fewer a mean of confidences would move by more than a point or two by chance.
const RECENT: usize = 1_000;

/// A row of the tier that is read, with the answer that it is of.
type Of<'a> = (u128, &'a Held, &'a Row);

impl Ledger {
    /// Says how often the tiers of the route are right.
    pub(super) fn read(&self, route: &str, now: u64) -> api::RouteQuality {
        let spec = self.spec.clone();
        let tiers = self.tiers.iter().enumerate();
        let tiers = tiers.map(|(at, (name, since))| self.tier((at, name), *since, (&spec, now))).collect();
        api::RouteQuality {
            route: route.into(),
            as_of: wall(now),
            held: self.held.len() as u64,
            forgotten: self.forgotten,
            tiers,
        }
    }

    fn tier(
        &self,
        (at, name): (usize, &Arc<str>),
        since: u64,
        (spec, now): (&config::Quality, u64),
    ) -> api::TierQuality {
        let place = self.names.iter().position(|it| it == name).map(|it| it as u16);
        let held = || self.held.iter().filter(|(_, it)| it.at >= since);
        let rows = || {
            held()
                .flat_map(|(id, held)| held.rows.iter().enumerate().map(move |(at, row)| (*id + at as u128, held, row)))
        };
        let own: Vec<Of<'_>> = rows().filter(|it| Some(it.2.tier) == place).collect();
        let labelled = Labelled::of(&own, spec);
        let (delayed, bounds) = late(&own, (spec, now));
        let watch = self.watches.get(name).cloned().unwrap_or_default();
        let sure = |row: &Of<'_>| Some((row.1.at, row.2.p?));
        let (free, withdrawn) = label_free(own.iter().filter_map(sure), &watch);
        let last = own.iter().rev().filter_map(sure).take(RECENT);
        // Where no more are held it is the same.
        let recent = label_free(last, &watch).0.filter(|it| free.as_ref().is_some_and(|all| all.n > it.n));
        let heard = || held().filter_map(|(_, held)| Some((held, held.copies.iter().find(|it| it.path == *name)?)));
        api::TierQuality {
            tier: u8::try_from(at).unwrap_or(u8::MAX),
            name: (**name).into(),
            rows: own.len() as u64,
            labels: labelled.n,
            note: (labelled.n == 0).then(|| "no labels: accuracy unknown".into()),
            accuracy: labelled.figure(),
            delayed,
            bounds,
            powered: powered(&own, spec),
            label_free: free,
            label_free_recent: recent.map(|it| api::Figure { method: "label_free_recent".into(), ..it }),
            withdrawn,
            copies: place.and_then(|place| copies((held().map(|it| it.1), name, place), spec)),
            agreement: agreement(heard()),
            score: labelled.score(),
        }
    }
}

/// The rows that have labels.
#[derive(Default)]
struct Labelled {
    n: u64,
    right: u64,
    as_of: u64,
    scores: u64,
    score: f64,
}

impl Labelled {
    fn of(rows: &[Of<'_>], spec: &config::Quality) -> Self {
        let mut labelled = Self::default();
        for (_, held, row) in rows {
            let (Some(label), Some(right)) = (row.label, row.right(spec)) else { continue };
            labelled.n += 1;
            labelled.right += u64::from(right);
            labelled.as_of = labelled.as_of.max(held.at.saturating_add(label.delay));
            if let Claim::Score(score) = label.claim {
                labelled.scores += 1;
                labelled.score += score;
            }
        }
        labelled
    }

    fn figure(&self) -> Option<api::Figure> {
        let (lo, hi) = of_counts(self.right, self.n - self.right, ALPHA);
        let value = self.right as f64 / self.n as f64;
        (self.n > 0)
            .then(|| figure(&Reading { value, lo, hi, samples: self.n, as_of: self.as_of, state: Method::Labels }))
    }

    fn score(&self) -> Option<api::Score> {
        let value = self.score / self.scores as f64;
        (self.scores > 0).then(|| api::Score { value, n: self.scores, as_of: wall(self.as_of) })
    }
}

/// Weighs labels by how likely they are there (Kaplan–Meier), and says between what the accuracy lies whatever is still to come.
fn late(rows: &[Of<'_>], (spec, now): (&config::Quality, u64)) -> (Option<api::Figure>, Option<[f64; 2]>) {
    let mut delayed = Delayed::default();
    for (id, held, row) in rows {
        delayed.decided(held.at, *id, 0);
        if let (Some(label), Some(right)) = (row.label, row.right(spec)) {
            delayed.label(held.at.saturating_add(label.delay), *id, right);
        }
    }
    let Some(read) = delayed.read(now) else { return (None, None) };
    (read.estimate.as_ref().map(figure), (read.labels > 0).then_some([read.bounds.0, read.bounds.1]))
}

/// Puts labels and confidences together (PPI++); none where nothing tells a confidence.
fn powered(rows: &[Of<'_>], spec: &config::Quality) -> Option<api::Figure> {
    let mut powered = Powered::default();
    for (_, held, row) in rows {
        let Some(p) = row.p else { continue };
        let right = row.right(spec).map(|it| f64::from(u8::from(it)));
        let at = row.label.filter(|_| right.is_some()).map_or(held.at, |it| held.at.saturating_add(it.delay));
        powered.update(at, f64::from(p) / 1e3, right);
    }
    powered.read().map(|it| figure(&it.estimate))
}

/// Says the accuracy by confidences alone, each with its time and in thousandths, or since when labels have shown that it is off.
fn label_free(
    rows: impl Iterator<Item = (u64, u16)>,
    watch: &ConceptDrift,
) -> (Option<api::Figure>, Option<jiff::Timestamp>) {
    let mut all = LabelFree::default();
    rows.for_each(|(at, p)| all.update(at, f64::from(p) / 1e3));
    match all.read(watch) {
        Ok(estimate) => (Some(figure(&estimate)), None),
        Err(Silent::ConceptDrift { since }) => (None, Some(wall(since))),
        Err(Silent::TooFew) => (None, None),
    }
}

/// Says how often a tier would have been right on all labelled rows of the route: on its own by their labels, on those of others by
/// the copies that it was asked for, each of which speaks for as many as were not copied. None where it was copied too seldom.
///
/// # When it misleads
/// Copies are drawn by lot, and left out where there is no room for them: the share of those that were made is taken for the chance.
fn copies<'a>(
    (held, name, place): (impl Iterator<Item = &'a Held>, &Arc<str>, u16),
    spec: &config::Quality,
) -> Option<api::Figure> {
    let mut rows: Vec<(u64, bool, Option<bool>)> = Vec::new();
    for held in held {
        let copy = held.copies.iter().find(|it| it.path == *name);
        for (at, row) in held.rows.iter().enumerate() {
            let Some(label) = row.label.filter(|_| row.right(spec).is_some()) else { continue };
            let other = |it: &Heard| right(it.said.get(at).copied().flatten(), truth(label.claim)?, spec);
            let own = row.tier == place;
            let seen = if own { row.right(spec) } else { copy.and_then(other) };
            rows.push((held.at.saturating_add(label.delay), own, seen));
        }
    }
    let others = || rows.iter().filter(|it| !it.1);
    let seen: Vec<bool> = others().filter_map(|it| it.2).collect();
    let chance = seen.len() as f64 / others().count() as f64;
    let guess = seen.iter().filter(|it| **it).count() as f64 / seen.len() as f64;
    if seen.is_empty() || chance < LEAST_SHARE {
        return None;
    }
    let mut robust = DoublyRobust::default();
    for (at, own, seen) in rows {
        let outcome = seen.map(|it| f64::from(u8::from(it)));
        // All numbers are shares: none is refused.
        let _ = robust.update(at, guess, if own { 1.0 } else { chance }, outcome);
    }
    robust.read().map(|it| figure(&it.estimate))
}

/// Returns what a label says of other answers to the same: `correct` and `score` speak of one answer alone.
fn truth(claim: Claim) -> Option<Claim> {
    matches!(claim, Claim::Label(_)).then_some(claim)
}

/// Says how often copies agreed with what clients got.
fn agreement<'a>(heard: impl Iterator<Item = (&'a Held, &'a Heard)>) -> Option<api::Score> {
    let (mut rows, mut agreed, mut as_of) = (0, 0, 0);
    for (held, it) in heard {
        (rows, agreed, as_of) = (rows + it.compared.0, agreed + it.compared.1, as_of.max(held.at));
    }
    (rows > 0).then(|| api::Score { value: agreed as f64 / rows as f64, n: rows, as_of: wall(as_of) })
}

fn figure(it: &Estimate) -> api::Figure {
    api::Figure {
        value: it.value,
        low: it.lo,
        high: it.hi,
        n: it.samples,
        as_of: wall(it.as_of),
        method: it.state.name().into(),
        assumption: it.state.assumption().into(),
    }
}
