//! Cells: what was right, by label and confidence, and what that says of the next answer.

use std::collections::BTreeMap;

use super::{Decay, Grid};

/// Bins of confidence, of equal mass. A missing confidence has one of its own beyond them.
const BINS: usize = 12;
/// What a cell borrows from its label, a label from its path, a path from nothing: rows.
const SHRINKAGE: f64 = 10.0;
/// Below so many rows there is no confidence.
const ENOUGH: f64 = 50.0;

/// Who said what was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teacher {
    /// Labels: the truth, as far as it is known.
    Labels,
    /// The primary's answer to the same request.
    Primary,
}

/// What a confidence is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too few rows.
    None,
    /// How often the path agrees with the primary.
    Agreement,
    /// How often the path is right.
    Calibrated,
}

/// One answer whose outcome is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// What was answered; one and the same for numbers and texts, which have no labels.
    pub label: &'a str,
    /// How sure the path said it was, on its own scale; none and NaN share the bin of the missing.
    pub confidence: Option<f64>,
    /// Whether it was right.
    pub right: bool,
}

/// A confidence with what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The probability that the answer is right, or agrees.
    pub p: f64,
    /// The rows behind the path, faded by age.
    pub n: f64,
    /// The time of the latest of them, ns.
    pub as_of: u64,
    /// What it is worth.
    pub kind: Kind,
}

/// Why calibrators cannot be made one, or be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incompatible {
    /// Their bins differ.
    Grid,
    /// One was taught by labels, the other by the primary.
    Teacher,
    /// A count is negative, or more were right than there were, or a bin does not exist.
    Counts,
}

/// Rows and right ones, faded by age.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    n: f64,
    right: f64,
}

impl Count {
    fn add(&mut self, other: Count, times: f64) {
        *self = Count { n: self.n + other.n * times, right: self.right + other.right * times };
    }

    /// The share that was right, pulled towards a prior.
    fn towards(self, prior: f64) -> f64 {
        (self.right + SHRINKAGE * prior) / (self.n + SHRINKAGE)
    }
}

/// The cell calibrator of one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrator {
    teacher: Teacher,
    grid: Grid,
    decay: Decay,
    /// Per label one count per bin, that of the missing last.
    labels: BTreeMap<String, Vec<Count>>,
}

/// One cell as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct CellState {
    /// The label.
    pub label: String,
    /// The bin; the one after the last is that of the missing.
    pub bin: usize,
    /// Rows, at the time `as_of`.
    pub n: f64,
    /// Right ones among them.
    pub right: f64,
}

/// A calibrator as it is kept: cells in the order of labels and bins, empty ones left out.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibratorState {
    /// Who taught it.
    pub teacher: Teacher,
    /// The ends of the bins.
    pub ends: Vec<f64>,
    /// The time of the latest row, ns.
    pub as_of: u64,
    /// The cells.
    pub cells: Vec<CellState>,
}

impl Calibrator {
    /// A calibrator that knows nothing, with the bins of these confidences.
    pub fn new(teacher: Teacher, confidences: &[f64]) -> Self {
        let grid = Grid::equal_mass(confidences, BINS);
        Self { teacher, grid, decay: Decay::default(), labels: BTreeMap::new() }
    }

    /// A calibrator taught by rows of one time, with their own bins.
    pub fn taught(teacher: Teacher, at: u64, rows: &[Row<'_>]) -> Self {
        let confidences: Vec<f64> = rows.iter().filter_map(|it| it.confidence).collect();
        let mut taught = Self { decay: Decay::at(at), ..Self::new(teacher, &confidences) };
        let (factor, weight) = taught.decay.count(at);
        taught.fade(factor);
        rows.iter().for_each(|row| taught.count(row, weight));
        taught
    }

    /// Counts a row.
    pub fn update(&mut self, at: u64, row: &Row<'_>) {
        let (factor, weight) = self.decay.count(at);
        self.fade(factor);
        self.count(row, weight);
    }

    /// Counts a row of that time the other way round: it was counted as another outcome, and turned out to be this one.
    pub fn amend(&mut self, at: u64, row: &Row<'_>) {
        let (factor, weight) = self.decay.count(at);
        self.fade(factor);
        let bin = self.bin(row.confidence);
        // A row weighs the same whenever it is counted (`CAL-2`), so what is taken back is what was added.
        if let Some(cell) = self.labels.get_mut(row.label).map(|cells| &mut cells[bin]) {
            let right = cell.right + if row.right { weight } else { -weight };
            cell.right = right.clamp(0.0, cell.n);
        }
    }

    fn count(&mut self, row: &Row<'_>, weight: f64) {
        let bin = self.bin(row.confidence);
        let one = Count { n: 1.0, right: f64::from(u8::from(row.right)) };
        if let Some(cells) = self.labels.get_mut(row.label) {
            cells[bin].add(one, weight);
        } else {
            let mut cells = vec![Count::default(); self.grid.bins() + 1];
            cells[bin].add(one, weight);
            self.labels.insert(row.label.to_owned(), cells);
        }
    }

    /// Says how likely an answer is right, as of `now`. A label that is new says what the path says.
    pub fn read(&self, now: u64, label: &str, confidence: Option<f64>) -> Reading {
        let fade = self.decay.read(now);
        let path = faded(sum(self.labels.values().flatten()), fade);
        let bin = self.bin(confidence);
        let p = match self.labels.get(label) {
            None => path.towards(0.5),
            Some(cells) => Self::of_bins(cells, fade, path.towards(0.5)).nth(bin).unwrap_or(0.5),
        };
        let kind = match self.teacher {
            _ if path.n < ENOUGH => Kind::None,
            Teacher::Labels => Kind::Calibrated,
            Teacher::Primary => Kind::Agreement,
        };
        Reading { p, n: path.n, as_of: self.decay.as_of, kind }
    }

    /// Returns the rows behind one label, faded by age, as of `now`.
    pub fn rows(&self, now: u64, label: &str) -> f64 {
        self.labels.get(label).map_or(0.0, |cells| faded(sum(cells), self.decay.read(now)).n)
    }

    /// Returns the least and the most that [`Self::read`] says of any answer, as of `now`.
    pub fn range(&self, now: u64) -> (f64, f64) {
        let fade = self.decay.read(now);
        let new = faded(sum(self.labels.values().flatten()), fade).towards(0.5);
        let all = self.labels.values().flat_map(|cells| Self::of_bins(cells, fade, new));
        all.fold((new, new), |(least, most), p| (least.min(p), most.max(p)))
    }

    /// What is read of each bin of a label, that of the missing last.
    fn of_bins(cells: &[Count], fade: f64, p_path: f64) -> impl Iterator<Item = f64> {
        let p_label = faded(sum(cells), fade).towards(p_path);
        cells.iter().map(move |it| faded(*it, fade).towards(p_label))
    }

    /// Returns how many bins there are, that of the missing included.
    pub(crate) fn bins(&self) -> usize {
        self.grid.bins() + 1
    }

    /// Returns what [`Self::read`] says of every answer, as of `now`: a table, for many answers of one time.
    pub fn chances(&self, now: u64) -> Chances<'_> {
        let fade = self.decay.read(now);
        let new = faded(sum(self.labels.values().flatten()), fade).towards(0.5);
        let of = |cells: &Vec<Count>| Self::of_bins(cells, fade, new).collect();
        let labels = self.labels.iter().map(|(label, cells)| (label.as_str(), of(cells))).collect();
        Chances { grid: &self.grid, labels, new }
    }

    /// Returns the labels that were seen.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }

    /// Adds what another one counted (`CAL-1`).
    ///
    /// # Errors
    /// Their bins or their teachers differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        if self.grid != other.grid {
            return Err(Incompatible::Grid);
        }
        if self.teacher != other.teacher {
            return Err(Incompatible::Teacher);
        }
        let (ours, theirs) = self.decay.meet(other.decay);
        self.fade(ours);
        for (label, counts) in &other.labels {
            let cells = self.labels.entry(label.clone()).or_insert_with(|| vec![Count::default(); counts.len()]);
            cells.iter_mut().zip(counts).for_each(|(cell, count)| cell.add(*count, theirs));
        }
        Ok(())
    }

    /// Returns what is to be kept.
    pub fn state(&self) -> CalibratorState {
        let fade = self.decay.read(self.decay.as_of);
        let cells = self.labels.iter().flat_map(|(label, counts)| {
            let cell = move |(bin, it): (usize, &Count)| {
                let cell = CellState { label: label.clone(), bin, n: it.n * fade, right: it.right * fade };
                (it.n > 0.0).then_some(cell)
            };
            counts.iter().enumerate().filter_map(cell)
        });
        let ends = self.grid.ends().to_vec();
        CalibratorState { teacher: self.teacher, ends, as_of: self.decay.as_of, cells: cells.collect() }
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// The bins do not ascend, or a count cannot be one.
    pub fn of(state: &CalibratorState) -> Result<Self, Incompatible> {
        let grid = Grid::of(state.ends.clone()).ok_or(Incompatible::Grid)?;
        let decay = Decay::at(state.as_of);
        let lift = 1.0 / decay.read(state.as_of);
        let mut labels: BTreeMap<String, Vec<Count>> = BTreeMap::new();
        for cell in &state.cells {
            let sound = cell.n.is_finite() && cell.right >= 0.0 && cell.right <= cell.n && cell.bin <= grid.bins();
            if !sound {
                return Err(Incompatible::Counts);
            }
            let bins = grid.bins() + 1;
            let cells = labels.entry(cell.label.clone()).or_insert_with(|| vec![Count::default(); bins]);
            cells[cell.bin].add(Count { n: cell.n, right: cell.right }, lift);
        }
        Ok(Self { teacher: state.teacher, grid, decay, labels })
    }

    /// Returns the bin of a confidence; that of the missing is the last.
    pub(crate) fn bin(&self, confidence: Option<f64>) -> usize {
        bin(&self.grid, confidence)
    }

    fn fade(&mut self, factor: f64) {
        // A power of two: 1 unless a week has passed.
        if factor < 1.0 {
            self.labels
                .values_mut()
                .flatten()
                .for_each(|it| *it = Count { n: it.n * factor, right: it.right * factor });
        }
    }
}

/// What a calibrator says at one time, by label and bin.
#[derive(Clone, Debug)]
pub struct Chances<'a> {
    grid: &'a Grid,
    labels: BTreeMap<&'a str, Vec<f64>>,
    new: f64,
}

impl Chances<'_> {
    /// Says how likely an answer is right, as [`Calibrator::read`] does.
    pub fn p(&self, label: &str, confidence: Option<f64>) -> f64 {
        let bin = bin(self.grid, confidence);
        self.labels.get(label).map_or(self.new, |it| it[bin])
    }

    /// What is said of a label in each bin; none of a label that is new.
    pub(crate) fn of(&self, label: &str) -> Option<&[f64]> {
        self.labels.get(label).map(Vec::as_slice)
    }

    /// What is said of a label that is new.
    pub(crate) fn of_new(&self) -> f64 {
        self.new
    }
}

/// The bin of a confidence; that of the missing is the last.
fn bin(grid: &Grid, confidence: Option<f64>) -> usize {
    confidence.filter(|it| it.is_finite()).map_or(grid.bins(), |it| grid.bin(it))
}

fn faded(count: Count, fade: f64) -> Count {
    Count { n: count.n * fade, right: count.right * fade }
}

fn sum<'a>(counts: impl IntoIterator<Item = &'a Count>) -> Count {
    let mut all = Count::default();
    counts.into_iter().for_each(|it| all.add(*it, 1.0));
    all
}

#[cfg(test)]
mod tests;
