//! Gain: how often another path's answer mends the one that stands, by what stands.

use super::{Answer, Placed, policy::Hand};

/// What a cell borrows from its label, a label from its stage, a stage from nothing: rows, as in the cell calibrator.
const SHRINKAGE: f64 = 10.0;
/// In a policy's table: nobody is asked.
pub(super) const NOBODY: u8 = u8::MAX;

/// Sums of gains by stage and place. A stage is: whose answer stands, whom else was asked, whether both said the same.
#[derive(Clone, Debug)]
pub(super) struct Gains {
    paths: usize,
    labels: usize,
    bins: usize,
    /// Rows, by stage and place.
    n: Vec<f64>,
    /// By stage and place: per path what asking it gained.
    gained: Vec<f64>,
    /// The same, as a mean that was pulled to its label's and its stage's.
    shrunk: Vec<f64>,
}

impl Gains {
    pub(super) fn new(paths: usize, labels: usize, bins: usize) -> Self {
        let cells = paths * (paths + 1) * 2 * labels * bins;
        let [gained, shrunk] = [(); 2].map(|()| vec![0.0; cells * paths]);
        Self { paths, labels, bins, n: vec![0.0; cells], gained, shrunk }
    }

    /// Returns how many places a stage has.
    pub(super) fn places(&self) -> usize {
        self.labels * self.bins
    }

    /// Counts what every path would have gained after one answer and after each two.
    pub(super) fn learn(&mut self, rows: &Placed) {
        for row in rows.rows() {
            for first in 0..self.paths {
                let hand = Hand::first(first);
                self.count(row, hand);
                for second in (0..self.paths).filter(|it| *it != first) {
                    self.count(row, hand.asked(row, second));
                }
            }
        }
        for stage in 0..self.n.len() / self.places() {
            self.shrink(stage);
        }
    }

    fn count(&mut self, row: &[Answer], hand: Hand) {
        let cell = hand.cell(row, self.paths, self.places());
        self.n[cell] += 1.0;
        for next in (0..self.paths).filter(|it| !hand.knows(*it)) {
            let after = hand.asked(row, next);
            let of = |hand: Hand| f64::from(u8::from(row[hand.holder].right));
            self.gained[cell * self.paths + next] += of(after) - of(hand);
        }
    }

    /// Pulls each cell of a stage to its label, and each label to the stage.
    fn shrink(&mut self, stage: usize) {
        let cells = stage * self.places()..(stage + 1) * self.places();
        for path in 0..self.paths {
            let of_stage = self.mean(cells.clone(), path, 0.0);
            for label in cells.clone().step_by(self.bins) {
                let of_label = self.mean(label..label + self.bins, path, of_stage);
                for cell in label..label + self.bins {
                    self.shrunk[cell * self.paths + path] = self.mean(cell..cell + 1, path, of_label);
                }
            }
        }
    }

    fn mean(&self, cells: std::ops::Range<usize>, path: usize, towards: f64) -> f64 {
        let n: f64 = self.n[cells.clone()].iter().sum();
        let gained: f64 = cells.map(|cell| self.gained[cell * self.paths + path]).sum();
        (gained + SHRINKAGE * towards) / (n + SHRINKAGE)
    }

    /// Returns values of λ, 0 first: each step takes away about as much of what asking everybody would cost.
    pub(super) fn lambdas(&self, costs: &[f64], steps: usize) -> Vec<f64> {
        let at = |(at, gain): (usize, &f64)| {
            let (cell, cost) = (at / self.paths, costs[at % self.paths]);
            // From this λ on the path is not asked in this cell any more.
            (*gain > 0.0 && cost > 0.0 && self.n[cell] > 0.0).then(|| (gain / cost, self.n[cell] * cost))
        };
        let mut ends: Vec<_> = self.shrunk.iter().enumerate().filter_map(at).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let all: f64 = ends.iter().map(|it| it.1).sum();
        let mut lambdas = vec![0.0];
        let mut spent = 0.0;
        for (lambda, cost) in ends {
            spent += cost;
            #[expect(clippy::cast_precision_loss, reason = "sixty")]
            let due = all * lambdas.len() as f64 / (steps - 1) as f64;
            if spent >= due && lambdas.len() < steps {
                lambdas.push(lambda);
            }
        }
        lambdas
    }

    /// Returns whom to ask next, by stage and place, where a right answer is worth 1 and cost is weighed by λ.
    pub(super) fn next(&self, costs: &[f64], lambda: f64) -> Vec<u8> {
        let next = |cell: usize| {
            let stage = cell / self.places() / 2;
            let asked = [stage / (self.paths + 1), stage % (self.paths + 1)];
            let mut best = (NOBODY, 0.0);
            for (path, cost) in costs.iter().enumerate().filter(|it| !asked.contains(&it.0)) {
                let worth = self.shrunk[cell * self.paths + path] - lambda * cost;
                if worth > best.1 {
                    best = (u8::try_from(path).expect("at most 16 paths"), worth);
                }
            }
            best.0
        };
        (0..self.n.len()).map(next).collect()
    }
}
