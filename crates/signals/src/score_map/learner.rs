//! Learner: what pairs of scores teach, in 256 cells, whose means fade with age.

use crate::calibrate::{Decay, Grid, Incompatible};

use super::{
    Scale, ScoreMap, Shape,
    fit::{self, Point},
};

/// Cells of scores.
const CELLS: usize = 256;
/// Pairs from which a map has a shape of its own, and pairs that are kept whole before the cells are made of them.
const SHAPED: usize = 1_000;
/// Pairs from which a map is a line.
const LINE: f64 = 200.0;

/// What a map is to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Match {
    /// The mean of the primary's score where this tier says the same: right where a score is read as a probability or a value.
    #[default]
    Mean,
    /// How often a score is above any threshold: right where clients act above one.
    Rate,
}

/// One request that both answered.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    at: u64,
    score: f64,
    primary: f64,
}

/// Sums over the pairs of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    n: f64,
    score: f64,
    primary: f64,
}

impl Cell {
    fn add(&mut self, other: Cell, times: f64) {
        self.n += other.n * times;
        self.score += other.score * times;
        self.primary += other.primary * times;
    }
}

/// Cells by the tier's score, and by the primary's (of which only the latter's mass and mean are read).
#[derive(Clone, Debug, PartialEq)]
struct Cells {
    scores: (Grid, Vec<Cell>),
    primary: (Grid, Vec<Cell>),
    scale: Scale,
}

/// Learns a score map from pairs, one at a time.
///
/// # Cost
/// O(log 256) a pair, O(256) a fit; 1,000 pairs at most are kept whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learner {
    decay: Decay,
    /// The first pairs, until they make cells.
    pairs: Vec<Pair>,
    cells: Option<Cells>,
    /// Pairs that were no numbers.
    invalid: u64,
}

impl Learner {
    /// A learner that knows all its pairs at once, so that its cells have equal mass on all of them.
    pub fn taught(at: u64, pairs: &[(f64, f64)]) -> Self {
        let mut learner = Self { decay: Decay::at(at), ..Self::default() };
        for (score, primary) in pairs {
            if learner.sound(*score, *primary) {
                learner.pairs.push(Pair { at, score: *score, primary: *primary });
            }
        }
        learner.settle();
        learner
    }

    /// Counts a pair: this tier's score and the primary's for the same request.
    pub fn learn(&mut self, at: u64, score: f64, primary: f64) {
        if !self.sound(score, primary) {
            return;
        }
        let pair = Pair { at, score, primary };
        if self.cells.is_some() {
            self.count(pair);
        } else {
            self.decay.count(at);
            self.pairs.push(pair);
            self.settle();
        }
    }

    /// Returns how many pairs stand behind it, faded by age.
    pub fn n(&self, now: u64) -> f64 {
        self.points(now).iter().map(|it| it.n).sum()
    }

    /// Returns the time of the latest pair, ns.
    pub fn as_of(&self) -> u64 {
        self.decay.as_of
    }

    /// Returns how many pairs were no numbers.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Returns the map that its pairs teach, as of `now` (`MAP-2`).
    pub fn fit(&self, now: u64, to: Match) -> ScoreMap {
        let points = self.points(now);
        let n: f64 = points.iter().map(|it| it.n).sum();
        let scale = self.scale();
        let (shape, knots) = match &self.cells {
            _ if n < LINE => (Shape::Identity, Vec::new()),
            #[expect(clippy::cast_precision_loss, reason = "a thousand")]
            Some(_) if n >= SHAPED as f64 && to == Match::Mean => (Shape::Isotonic, fit::isotonic(&points)),
            #[expect(clippy::cast_precision_loss, reason = "a thousand")]
            Some(cells) if n >= SHAPED as f64 => {
                let scores: Vec<_> = points.iter().map(|it| (it.n, it.score)).collect();
                let of = |it: &&Cell| it.n > 0.0;
                let primary: Vec<_> = cells.primary.1.iter().filter(of).map(|it| (it.n, it.primary / it.n)).collect();
                (Shape::Rate, fit::quantiles(&scores, &primary))
            }
            _ => (Shape::Platt, vec![fit::line(&points, scale)]),
        };
        // Means of neighbouring cells may be equal, by rounding: one knot is enough.
        let mut knots = knots;
        knots.dedup_by(|next, it| next.0 <= it.0);
        ScoreMap::of(shape, scale, knots).unwrap_or_else(|| ScoreMap::identity(scale))
    }

    /// Adds what another one learnt. Two that have no cells yet pool their pairs.
    ///
    /// # Errors
    /// Their cells differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        match (&mut self.cells, &other.cells) {
            (Some(ours), Some(theirs)) => {
                if ours.scores.0 != theirs.scores.0 || ours.primary.0 != theirs.primary.0 {
                    return Err(Incompatible::Grid);
                }
                let (our, their) = self.decay.meet(other.decay);
                ours.fade(our);
                ours.add(theirs, their);
            }
            (None, Some(_)) => {
                let pairs = std::mem::take(&mut self.pairs);
                let invalid = self.invalid;
                *self = Self { invalid: other.invalid, ..other.clone() };
                pairs.into_iter().for_each(|it| self.count(it));
                self.invalid += invalid;
                return Ok(());
            }
            (Some(_), None) => other.pairs.iter().for_each(|it| self.count(*it)),
            (None, None) => {
                self.decay.meet(other.decay);
                self.pairs.extend(&other.pairs);
                self.settle();
            }
        }
        self.invalid += other.invalid;
        Ok(())
    }

    fn sound(&mut self, score: f64, primary: f64) -> bool {
        let sound = score.is_finite() && primary.is_finite();
        self.invalid += u64::from(!sound);
        sound
    }

    /// Makes cells of the pairs, once there are enough.
    fn settle(&mut self) {
        if self.pairs.len() < SHAPED {
            return;
        }
        let scale = self.scale();
        let pairs = std::mem::take(&mut self.pairs);
        let grid = |of: fn(&Pair) -> f64| {
            let grid = Grid::equal_mass(&pairs.iter().map(of).collect::<Vec<_>>(), CELLS);
            let bins = grid.bins();
            (grid, vec![Cell::default(); bins])
        };
        self.cells = Some(Cells { scores: grid(|it| it.score), primary: grid(|it| it.primary), scale });
        // In an order of their own, so that sums do not depend on that of arrival.
        let mut pairs = pairs;
        pairs.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.primary.total_cmp(&b.primary)).then(a.at.cmp(&b.at)));
        pairs.into_iter().for_each(|it| self.count(it));
    }

    fn count(&mut self, pair: Pair) {
        let (factor, weight) = self.decay.count(pair.at);
        let Some(cells) = &mut self.cells else { return };
        cells.fade(factor);
        let cell = Cell { n: 1.0, score: pair.score, primary: pair.primary };
        cells.scores.1[cells.scores.0.bin(pair.score)].add(cell, weight);
        cells.primary.1[cells.primary.0.bin(pair.primary)].add(cell, weight);
        if !(is_probability(pair.score) && is_probability(pair.primary)) {
            cells.scale = Scale::Value;
        }
    }

    fn scale(&self) -> Scale {
        let outside = |it: &Pair| !(is_probability(it.score) && is_probability(it.primary));
        match &self.cells {
            Some(cells) => cells.scale,
            None if self.pairs.iter().any(outside) => Scale::Value,
            None => Scale::Probability,
        }
    }

    /// The pairs, or the cells that have any, ascending by score, with their mass as of `now`.
    fn points(&self, now: u64) -> Vec<Point> {
        let fade = self.decay.read(now);
        let Some(cells) = &self.cells else {
            let weight = |at: u64| Decay::at(at).count(at).1 * Decay::at(at).read(now.max(self.decay.as_of));
            let point = |it: &Pair| Point { n: weight(it.at), score: it.score, primary: it.primary };
            let mut points: Vec<_> = self.pairs.iter().map(point).collect();
            points.sort_by(|a, b| {
                a.score.total_cmp(&b.score).then(a.primary.total_cmp(&b.primary)).then(a.n.total_cmp(&b.n))
            });
            return points;
        };
        let point = |it: &Cell| Point { n: it.n * fade, score: it.score / it.n, primary: it.primary / it.n };
        cells.scores.1.iter().filter(|it| it.n > 0.0).map(point).collect()
    }
}

impl Cells {
    fn fade(&mut self, factor: f64) {
        // A power of two: 1 unless a week has passed.
        if factor < 1.0 {
            for cell in self.scores.1.iter_mut().chain(&mut self.primary.1) {
                let faded = *cell;
                *cell = Cell::default();
                cell.add(faded, factor);
            }
        }
    }

    fn add(&mut self, other: &Self, times: f64) {
        self.scores.1.iter_mut().zip(&other.scores.1).for_each(|(ours, theirs)| ours.add(*theirs, times));
        self.primary.1.iter_mut().zip(&other.primary.1).for_each(|(ours, theirs)| ours.add(*theirs, times));
        if other.scale == Scale::Value {
            self.scale = Scale::Value;
        }
    }
}

fn is_probability(score: f64) -> bool {
    (0.0..=1.0).contains(&score)
}
