//! Thresholds: which one lets a route's cheaper models answer as often as may be, with a promise of how much that may cost in right
//! answers.
//!
//! The policies are the thresholds themselves, one for all models but the last, from one that nobody passes downwards: an order that no
//! row has a part in. So all rows that have not taught a calibration are tested on.
//!
//! # Invariants
//! - `CERT-5`: rows are played in an order that is drawn ([`order`]): the same rows give the same promise in whatever order they come,
//!   and whoever sorts them earns nothing by it.
//! - `CERT-6`: a threshold at which the last model is asked of every row spares nothing, and is not taken.

use sha2::{Digest, Sha256};

use super::{Passed, Terms, walk};

/// Thresholds that are tried, in thousandths: from the safest to the cheapest.
const STEPS: [u16; 27] = [
    1_000, 995, 990, 985, 980, 970, 960, 950, 940, 920, 900, 880, 860, 840, 820, 800, 780, 760, 740, 720, 700, 650,
    600, 550, 500, 400, 300,
];

/// One row that every model has answered, from the first that is asked to the last, which is taken for right.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// How likely each answer is right, in thousandths, and whether it is; none where that could not be computed, which nobody
    /// accepts.
    pub answers: Vec<(Option<u16>, bool)>,
}

/// What a threshold gives on rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtLeast {
    /// The threshold, in thousandths.
    pub at_least: u16,
    /// The share of rows that the last model was not asked for.
    pub kept: f64,
    /// What a request costs, of which that of the last model alone is 1.
    pub cost: f64,
    /// The share of right answers.
    pub right: f64,
    /// How much more often it is wrong than the last model.
    pub extra: f64,
    /// The row at which it passed, where it did.
    pub passed: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// Rows.
    pub n: usize,
    /// What is promised.
    pub terms: Terms,
    /// The share of right answers of the last model.
    pub primary: f64,
    /// What each threshold gives, the safest first.
    pub curve: Vec<AtLeast>,
    /// The place of the one that is taken; none where none passes that spares the last model a row.
    pub chosen: Option<usize>,
}

/// Why nothing can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untunable {
    /// There is no model, or a row has another number of answers than there are models.
    #[error("there is no model, or not every model has answered every row")]
    Models,
    /// There is no row.
    #[error("there is no row")]
    NoRow,
    /// The last model costs nothing.
    #[error("the last model costs nothing, so that nothing can be spared: say what it costs with --cost")]
    CostsNothing,
    /// The last model is never right.
    #[error(
        "the last model is right on no row, and nothing can be lost against it: is --truth the column of what is true, in the words of \
         the answers?"
    )]
    NeverRight,
}

/// Returns the places of rows in the order in which they are played, which is drawn by what stands in all of them.
///
/// Rows are sorted by a digest of their bytes, of how many like them came before, and of all rows. Rows that are alike are parted by
/// their count, so that they do not come together; which of them is which does not matter.
pub fn order<B: AsRef<[u8]>>(rows: &[B]) -> Vec<usize> {
    let digests = digests(rows);
    let seed = together(digests.clone());
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by_key(|at| digests[*at]);
    let mut like = 0_u64;
    let mut keyed: Vec<([u8; 32], usize)> = Vec::with_capacity(rows.len());
    for (at, place) in places.iter().enumerate() {
        like = if at > 0 && digests[places[at - 1]] == digests[*place] { like + 1 } else { 0 };
        let key = Sha256::new().chain_update(seed).chain_update(digests[*place]).chain_update(like.to_be_bytes());
        keyed.push((key.finalize().into(), *place));
    }
    keyed.sort_unstable_by_key(|it| it.0);
    keyed.into_iter().map(|it| it.1).collect()
}

/// Returns the digest of rows, the same in whatever order they come.
pub fn digest<B: AsRef<[u8]>>(rows: &[B]) -> [u8; 32] {
    together(digests(rows))
}

fn digests<B: AsRef<[u8]>>(rows: &[B]) -> Vec<[u8; 32]> {
    rows.iter().map(|row| Sha256::digest(row).into()).collect()
}

fn together(mut digests: Vec<[u8; 32]>) -> [u8; 32] {
    digests.sort_unstable();
    let count = (digests.len() as u64).to_be_bytes();
    digests.iter().fold(Sha256::new().chain_update(count), Sha256::chain_update).finalize().into()
}

/// Tries thresholds on rows in a drawn order ([`order`]); `costs` are those of one call of each model.
///
/// # Errors
/// There are no rows, not every model has answered each, the last model is never right, or it costs nothing, so that nothing can be
/// spared.
///
/// # Cost
/// O(rows × thresholds); offline.
pub fn tune(rows: &[Answers], costs: &[f64], terms: Terms) -> Result<Tuned, Untunable> {
    let last = *costs.last().ok_or(Untunable::Models)?;
    if rows.is_empty() {
        return Err(Untunable::NoRow);
    }
    if rows.iter().any(|row| row.answers.len() != costs.len()) {
        return Err(Untunable::Models);
    }
    // What is no number is not above 0 either.
    if last.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
        return Err(Untunable::CostsNothing);
    }
    let right = rows.iter().filter(|row| row.answers[costs.len() - 1].1).count() as f64;
    if right == 0.0 {
        return Err(Untunable::NeverRight);
    }
    let losses = |at_least: u16| rows.iter().map(move |row| row.extra_loss(at_least));
    let passed = walk(&terms, STEPS.map(losses)).passed.map(|Passed { policy, .. }| policy);
    let n = rows.len() as f64;
    let given = |(at, at_least): (usize, u16)| {
        let kept = rows.iter().filter(|row| row.holder(at_least) + 1 < costs.len()).count() as f64;
        let right = rows.iter().filter(|row| row.answers[row.holder(at_least)].1).count() as f64;
        let cost: f64 = rows.iter().map(|row| costs[..=row.holder(at_least)].iter().sum::<f64>()).sum();
        // Which row each passed at is told of those that were tested.
        let tested = passed.is_some_and(|last| at <= last);
        let alone = tested.then(|| walk(&terms, [losses(at_least)]).passed).flatten().map(|it| it.rows);
        let extra = losses(at_least).sum::<f64>() / n;
        AtLeast { at_least, kept: kept / n, cost: cost / n / last, right: right / n, extra, passed: alone }
    };
    let curve: Vec<AtLeast> = STEPS.into_iter().enumerate().map(given).collect();
    let chosen = passed.filter(|at| curve[*at].kept > 0.0);
    Ok(Tuned { n: rows.len(), terms, primary: right / n, curve, chosen })
}

impl Answers {
    /// Returns the model whose answer is given: the first that is as likely right as that, else the last.
    pub fn holder(&self, at_least: u16) -> usize {
        let (last, above) = (self.answers.len() - 1, &self.answers[..self.answers.len() - 1]);
        above.iter().position(|(right, _)| right.is_some_and(|it| it >= at_least)).unwrap_or(last)
    }

    /// Returns how much more is lost than by the last model alone.
    pub fn extra_loss(&self, at_least: u16) -> f64 {
        let loss = |at: usize| f64::from(u8::from(!self.answers[at].1));
        loss(self.holder(at_least)) - loss(self.answers.len() - 1)
    }
}

impl Tuned {
    /// Returns what the threshold gives that is taken.
    pub fn taken(&self) -> Option<&AtLeast> {
        self.chosen.and_then(|at| self.curve.get(at))
    }

    /// Says whether some threshold passed, all of which spare nothing (`CERT-6`).
    pub fn spares_nothing(&self) -> bool {
        self.chosen.is_none() && self.curve.iter().any(|it| it.passed.is_some())
    }
}

#[cfg(test)]
mod tests;
