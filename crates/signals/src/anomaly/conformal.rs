//! Conformal: how many of the rows that calibrate are as far as this one.

use crate::math;

/// Rows of a reference below which only guards judge.
const ENOUGH: u64 = 1_000;
/// Expected calibrating rows beyond a threshold: below, the rate that comes out may be far from the one that was asked for.
const SOLID: f64 = 5.0;

/// One reference of twenty may have a greater rate than is said.
const SELDOM: f64 = 0.05;

/// A p-value as it was counted: exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PValue {
    /// One more than the calibrating rows that are as far, or farther.
    pub rank: u32,
    /// One more than all calibrating rows.
    pub of: u32,
}

impl PValue {
    /// Returns it as a share.
    pub fn value(self) -> f64 {
        f64::from(self.rank) / f64::from(self.of)
    }

    /// Returns it in millionths, rounded up: what is decided upon is never less than what was counted.
    pub fn millionths(self) -> u32 {
        let up = (u64::from(self.rank) * 1_000_000).div_ceil(u64::from(self.of.max(1)));
        u32::try_from(up).unwrap_or(u32::MAX)
    }
}

/// What a score may be used for at a false-alarm rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// For what it was made.
    Sound,
    /// The rate may come out far from the one that was asked for: so few calibrating rows are expected beyond the threshold.
    Thin {
        /// α(n+1), less than 5.
        expected: f64,
    },
    /// No row could ever be called anomalous: α(n+1) is less than 1.
    Refused {
        /// The calibrating rows that the rate needs.
        needed: u64,
    },
    /// The reference has fewer than 1,000 rows: guards only.
    GuardsOnly {
        /// How many it has.
        rows: u64,
    },
}

/// Scores of the rows that calibrate, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration(Box<[f32]>);

impl Calibration {
    /// Takes scores in any order; none where one of them is no number.
    pub fn of(mut scores: Vec<f32>) -> Option<Self> {
        scores.sort_by(f32::total_cmp);
        let sound = scores.iter().all(|it| it.is_finite() && *it >= 0.0) && u32::try_from(scores.len() + 1).is_ok();
        sound.then(|| Self(scores.into()))
    }

    /// Returns how rare a score is: ties count as farther (`ANOM-3`).
    pub fn p(&self, s: f32) -> PValue {
        let as_far = self.0.len() - self.0.partition_point(|it| *it < s);
        let count = |it: usize| u32::try_from(it + 1).expect("checked when it was made");
        PValue { rank: count(as_far), of: count(self.0.len()) }
    }

    /// Returns the scores, ascending.
    pub fn scores(&self) -> &[f32] {
        &self.0
    }

    /// Returns what the false-alarm rate really is, at most, in 95 of 100 references of this size. A rate is promised on average over
    /// references; that of one is `Beta(l, n+1−l)`, `l = ⌊α(n+1)⌋`. 0 where no row could ever be called anomalous.
    ///
    /// # Source
    /// Vovk 2012. For whole `l` a Beta law lies below `x` as often as `l` or more of `n` draws do.
    pub fn rate_at_most(&self, false_alarm_rate: f64) -> f64 {
        let n = self.0.len();
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let rows = n as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let beyond = ((false_alarm_rate * (rows + 1.0)) as usize).min(n);
        if beyond == 0 {
            return 0.0;
        }
        let fewer = |x: f64| {
            let odds = math::ln(x) - math::ln(1.0 - x);
            let (mut term, mut sum, mut drawn) = (rows * math::ln(1.0 - x), 0.0, 0.0);
            for _ in 0..beyond {
                sum += math::exp(term);
                term += odds + math::ln((rows - drawn) / (drawn + 1.0));
                drawn += 1.0;
            }
            sum
        };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            if fewer(middle) > SELDOM { low = middle } else { high = middle }
        }
        high
    }

    /// Says what a false-alarm rate can be had for, of a reference with so many rows.
    pub fn standing(&self, false_alarm_rate: f64, rows: u64) -> Standing {
        #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
        let expected = false_alarm_rate * (self.0.len() + 1) as f64;
        if rows < ENOUGH {
            Standing::GuardsOnly { rows }
        } else if expected.is_nan() || expected < 1.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
            Standing::Refused { needed: (1.0 / false_alarm_rate).ceil() as u64 }
        } else if expected < SOLID {
            Standing::Thin { expected }
        } else {
            Standing::Sound
        }
    }
}

/// Returns how rare the rows of one request are together, from how rare each is: the least of `rows × p_(k) / k`, the k-th least `p` being
/// `p_(k)`. One row among many has to be rarer than one alone, and many that are a little rare are rare together. None without a row.
///
/// # Guarantee
/// At most α of the requests of usual rows have a `p` of α or less, however many rows they have: conformal p-values of one calibration are
/// positively dependent in the way that this needs.
///
/// # When it misleads
/// With n calibrating rows no row is rarer than 1/(n+1): of α(n+1) rows or fewer one strange row is noticed, of more so large a part
/// has to be strange.
///
/// # Source
/// Simes 1986; Bates, Candès, Lei, Romano, Sesia 2023.
pub fn together(rows: &mut [PValue]) -> Option<PValue> {
    rows.sort_unstable_by_key(|it| it.rank);
    let all = rows.len() as u64;
    let each = (1..).zip(rows.iter()).map(|(k, p)| PValue { rank: times(p.rank, all, k).min(p.of), of: p.of });
    each.min_by_key(|it| it.rank)
}

/// A rank so many times, over `k`, rounded up.
fn times(rank: u32, all: u64, k: u64) -> u32 {
    u32::try_from((u64::from(rank).saturating_mul(all)).div_ceil(k)).unwrap_or(u32::MAX)
}
