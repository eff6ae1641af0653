//! Cascade: which path to ask next, from what asking it gave before (`signals.md` §8).
//!
//! A cheap path answers; whether a dearer one is worth asking too depends on who answered, what, and how surely. Rows that every
//! path answered (tier shadow) say, cell by cell, how often the answer turned right when another one was asked; a policy asks on
//! where that is worth its price.
//!
//! ```text
//! rows that all paths answered -> Cascade::taught -> sweep over λ -> Policy (a look-up table) -> certify
//! ```
//!
//! It is not a promise: what a policy gives on the rows that taught it flatters it. A promise comes from [`crate::certify`], on other
//! rows.
//!
//! # Invariants
//! - `CASC-1`: a request asks at most three paths, and none twice.
//! - `CASC-2`: two answers that are the same stay; else the one of higher calibrated P(right) stands, and in a tie the one that stood.
//! - `CASC-3`: a policy is a table: the same answers ask the same path, whatever else was asked before.
//!
//! # When it misleads
//! It is greedy: it weighs the next path alone, not what a third could add after it. It holds for rows like those that taught it.
//!
//! # Source
//! Model cascades as in Chen, Zaharia, Zou 2020 (FrugalML), with shrunk cells in place of their fitted thresholds; the combination by
//! calibrated probability is ours.

mod gain;
mod policy;

pub use policy::{Given, Policy};

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::calibrate::{Asked, Calibrator, Incompatible, Row, Teacher};
use gain::Gains;
use policy::Table;

/// Values of λ that are tried.
const SWEEP: usize = 60;
/// Paths at most: tables grow with their square.
const MOST_PATHS: usize = 16;

/// What a cascade has learnt of its paths.
#[derive(Clone, Debug)]
pub struct Cascade {
    costs: Vec<f64>,
    labels: BTreeMap<String, usize>,
    paths: Vec<Path>,
    /// Places of a label: the bins of the path that has most.
    bins: usize,
    gains: Gains,
}

/// A path with what its calibrator says, by place.
#[derive(Clone, Debug)]
struct Path {
    calibrator: Calibrator,
    p: Vec<f64>,
}

/// Inputs as a policy sees them: row by row what each path said, and whether that is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    paths: usize,
    answers: Vec<Answer>,
}

/// One path's answer, as a place in its table.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    /// How likely it is right.
    p: f64,
    /// Label and bin of confidence.
    place: u32,
    /// The first path that said the same.
    class: u8,
    /// Whether it is right.
    right: bool,
}

impl Placed {
    /// Returns, row by row, whether a path alone was right.
    pub fn right(&self, path: usize) -> impl Iterator<Item = bool> {
        self.rows().map(move |row| row.get(path).is_some_and(|it| it.right))
    }

    fn rows(&self) -> impl Iterator<Item = &[Answer]> {
        self.answers.chunks_exact(self.paths)
    }
}

impl Cascade {
    /// Learns from rows of one time that every path was asked about; a path that gave no answer is learnt as that. Costs are per
    /// call, in any unit that they share.
    ///
    /// # Errors
    /// There are no rows, not all have as many answers as there are costs, there are more than 16 paths, or a cost is below 0 or no
    /// number.
    ///
    /// # Cost
    /// O(rows × paths³); offline.
    pub fn taught(at: u64, rows: &[&Asked], costs: &[f64]) -> Result<Self, Incompatible> {
        let sound = costs.iter().all(|it| it.is_finite() && *it >= 0.0);
        let paths = (1..=MOST_PATHS).contains(&costs.len());
        if rows.is_empty() || !paths || !sound || rows.iter().any(|it| it.said.len() != costs.len()) {
            return Err(Incompatible::Counts);
        }
        let calibrators: Vec<_> = (0..costs.len()).map(|path| calibrator(at, rows, path)).collect();
        let seen: BTreeSet<_> = calibrators.iter().flat_map(Calibrator::labels).collect();
        let labels: BTreeMap<String, usize> = seen.into_iter().map(str::to_owned).zip(0..).collect();
        let bins = calibrators.iter().map(Calibrator::bins).max().unwrap_or(1);
        let path = |calibrator: Calibrator| Path { p: chances(&calibrator, at, &labels, bins), calibrator };
        let paths: Vec<_> = calibrators.into_iter().map(path).collect();
        let gains = Gains::new(costs.len(), labels.len() + 2, bins);
        let mut cascade = Self { costs: costs.to_vec(), labels, paths, bins, gains };
        cascade.gains.learn(&cascade.place(rows));
        Ok(cascade)
    }

    /// Finds the places of answers in the tables. What a path said that nobody had said before has a place of its own, and so has
    /// silence.
    pub fn place(&self, rows: &[&Asked]) -> Placed {
        let answers = rows.iter().flat_map(|row| (0..self.paths.len()).map(|path| self.answer(row, path)));
        Placed { paths: self.paths.len(), answers: answers.collect() }
    }

    fn answer(&self, row: &Asked, path: usize) -> Answer {
        let of = &self.paths[path];
        let (place, right) = match row.said.get(path).and_then(Option::as_ref) {
            None => ((self.labels.len() + 1) * self.bins, false),
            Some(it) => {
                let label = self.labels.get(&it.label).copied().unwrap_or(self.labels.len());
                (label * self.bins + of.calibrator.bin(it.confidence), it.label == row.truth)
            }
        };
        let class = (0..path).find(|it| same(row, *it, path)).unwrap_or(path);
        let place_in = |it: usize| u32::try_from(it).expect("places of a table");
        Answer { p: of.p[place], place: place_in(place), class: u8::try_from(class).expect("at most 16"), right }
    }

    /// Returns the policies of the sweep: each first path with each λ, those alike but once.
    pub fn sweep(&self) -> Vec<Policy> {
        let mut tables: Vec<Arc<Table>> = Vec::new();
        for lambda in self.gains.lambdas(&self.costs, SWEEP) {
            let next = self.gains.next(&self.costs, lambda);
            if tables.last().is_none_or(|it| it.next != next) {
                let costs = self.costs.clone();
                tables.push(Arc::new(Table { lambda, costs, places: self.gains.places(), next }));
            }
        }
        let policy =
            |table: &Arc<Table>| (0..self.costs.len()).map(|first| Policy { first, table: table.clone() }).collect();
        tables.iter().flat_map(|table| -> Vec<_> { policy(table) }).collect()
    }

    /// Returns the policies that none beats on these rows both in right answers and in cost, safest first.
    ///
    /// Taken from the rows that taught the cascade it orders policies for a certificate and promises nothing.
    pub fn frontier(&self, rows: &Placed) -> Vec<(Policy, Given)> {
        let mut all: Vec<_> = self.sweep().into_iter().map(|it| (it.given(rows), it)).collect();
        all.sort_by(|a, b| a.0.cost.total_cmp(&b.0.cost).then(b.0.right.cmp(&a.0.right)));
        let mut frontier: Vec<(Policy, Given)> = Vec::new();
        for (given, policy) in all {
            if frontier.last().is_none_or(|it| given.right > it.1.right) {
                frontier.push((policy, given));
            }
        }
        frontier.reverse();
        frontier
    }
}

fn calibrator(at: u64, rows: &[&Asked], path: usize) -> Calibrator {
    Calibrator::taught(Teacher::Labels, at, &rows.iter().filter_map(|it| row(it, path)).collect::<Vec<_>>())
}

/// What one path said, as a row of its calibrator.
fn row(of: &Asked, path: usize) -> Option<Row<'_>> {
    let said = of.said[path].as_ref()?;
    Some(Row { label: &said.label, confidence: said.confidence, right: said.label == of.truth })
}

/// What a calibrator says of each place: labels in their order, then a new one, then silence, which is never right.
fn chances(calibrator: &Calibrator, at: u64, labels: &BTreeMap<String, usize>, bins: usize) -> Vec<f64> {
    let said = calibrator.chances(at);
    let mut p = vec![said.of_new(); (labels.len() + 2) * bins];
    for (label, at) in labels {
        if let Some(of_bins) = said.of(label) {
            p[at * bins..at * bins + of_bins.len()].copy_from_slice(of_bins);
        }
    }
    p[(labels.len() + 1) * bins..].fill(0.0);
    p
}

/// Says whether two paths said the same.
fn same(row: &Asked, a: usize, b: usize) -> bool {
    matches!((&row.said[a], &row.said[b]), (Some(a), Some(b)) if a.label == b.label)
}

#[cfg(test)]
mod tests;
