//! Decay: counts that fade, without touching them at every row.

use crate::math;

/// After this long a row counts half, in nanoseconds: 7 days.
pub const HALF_LIFE_NS: u64 = 7 * 86_400 * 1_000_000_000;
/// Weights are whole parts of this, so that sums of them are exact, in any order.
const PARTS: f64 = 1_048_576.0;

/// What time counts are kept at: a whole number of half-lives. A later row weighs more than 1 instead of all others less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decay {
    epoch: u64,
    /// The time of the latest row, ns.
    pub(crate) as_of: u64,
}

impl Decay {
    pub(crate) fn at(as_of: u64) -> Self {
        Self { epoch: as_of / HALF_LIFE_NS, as_of }
    }

    /// Moves on to the time of a row: what was counted so far is to be multiplied by the first number, an exact power of two, and
    /// the row weighs the second.
    pub(crate) fn count(&mut self, at: u64) -> (f64, f64) {
        let factor = self.move_to(at);
        let (whole, part) = halves(at);
        // Rounded before it fades by whole half-lives: those are exact, so a row weighs the same whenever it is counted.
        let young = (math::exp2(part) * PARTS).round_ties_even() / PARTS;
        (factor, young * math::exp2(whole - halves(self.epoch * HALF_LIFE_NS).0))
    }

    /// Moves on to where another stands, if that is later; returns what is to be multiplied by: ours, theirs.
    pub(crate) fn meet(&mut self, other: Self) -> (f64, f64) {
        let ours = self.move_to(other.as_of);
        #[expect(clippy::cast_precision_loss, reason = "a count of weeks")]
        let theirs = math::exp2(other.epoch as f64 - self.epoch as f64);
        (ours, theirs)
    }

    /// Returns what a count is to be multiplied by to be read at this time.
    pub(crate) fn read(&self, now: u64) -> f64 {
        let ((epoch, _), (whole, part)) = (halves(self.epoch * HALF_LIFE_NS), halves(now.max(self.as_of)));
        math::exp2(epoch - whole - part)
    }

    fn move_to(&mut self, at: u64) -> f64 {
        let epoch = (at / HALF_LIFE_NS).max(self.epoch);
        #[expect(clippy::cast_precision_loss, reason = "a count of weeks")]
        let factor = math::exp2(self.epoch as f64 - epoch as f64);
        (self.epoch, self.as_of) = (epoch, self.as_of.max(at));
        factor
    }
}

/// A time in whole half-lives, and the part of another.
fn halves(at: u64) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "the part of a half-life is exact to a microsecond")]
    let part = (at % HALF_LIFE_NS) as f64 / HALF_LIFE_NS as f64;
    #[expect(clippy::cast_precision_loss, reason = "a count of weeks")]
    let whole = (at / HALF_LIFE_NS) as f64;
    (whole, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_week_ago_counts_half() {
        let mut decay = Decay::at(0);
        assert_eq!(decay.count(0), (1.0, 1.0));
        assert_eq!(decay.read(HALF_LIFE_NS), 0.5);
        assert_eq!(decay.count(HALF_LIFE_NS * 3), (0.125, 1.0), "what was counted fades when the clock moves on");
        assert_eq!(decay.count(HALF_LIFE_NS * 2), (1.0, 0.5), "a late row weighs less");
        let (_, weight) = decay.count(HALF_LIFE_NS * 3 + HALF_LIFE_NS / 2);
        assert!((weight - std::f64::consts::SQRT_2).abs() < 1e-6);
        assert!((decay.read(HALF_LIFE_NS * 4) * weight - 0.5_f64.sqrt()).abs() < 1e-6);
    }
}
