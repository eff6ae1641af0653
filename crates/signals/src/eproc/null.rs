//! Null: what "all is well" means for a bounded number, and how a row becomes a bet on it.

/// The greatest `z` that a null may make of a row.
const STEEPEST: f64 = 1e30;

/// A bounded number and the mean that it does not pass while all is well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Null {
    lo: f64,
    hi: f64,
    mean: f64,
    /// 1, or −1 where the mean is not to fall.
    sign: f64,
}

impl Null {
    /// The row is the bet itself: at least −1, of mean at most 0; at most 10^30.
    pub const BET: Self = Self { lo: -1.0, hi: STEEPEST, mean: 0.0, sign: 1.0 };

    /// The mean of a number in [lo, hi] is at most `mean`; none where that cannot be tested: `lo < mean ≤ hi`, all finite.
    pub fn at_most(mean: f64, (lo, hi): (f64, f64)) -> Option<Self> {
        let sound =
            lo.is_finite() && hi.is_finite() && lo < mean && mean <= hi && (hi - mean) / (mean - lo) <= STEEPEST;
        sound.then_some(Self { lo, hi, mean, sign: 1.0 })
    }

    /// The mean of a number in [lo, hi] is at least `mean`: the other direction, by −x; `lo ≤ mean < hi`.
    pub fn at_least(mean: f64, (lo, hi): (f64, f64)) -> Option<Self> {
        Self::at_most(-mean, (-hi, -lo)).map(|it| Self { sign: -1.0, ..it })
    }

    /// Returns the bet on a row, at least −1, and whether the row was clipped; none for what is no number.
    #[inline]
    pub fn bet(&self, x: f64) -> Option<(f64, bool)> {
        let x = self.sign * x;
        let clipped = x.clamp(self.lo, self.hi);
        let z = (clipped - self.mean) / (self.mean - self.lo);
        // At the lower end it may fall short of −1 by the last bit.
        x.is_finite().then_some((z.max(-1.0), clipped != x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_bound_a_row_and_refuse_what_cannot_be_tested() {
        let most = Null::at_most(0.02, (-1.0, 1.0)).expect("sound");
        assert_eq!(most.bet(-1.0), Some((-1.0, false)));
        assert_eq!(most.bet(7.0), Some((0.98 / 1.02, true)));
        let least = Null::at_least(0.9, (0.0, 1.0)).expect("sound");
        assert_eq!(least.bet(1.0), Some((-1.0, false)));
        assert!((least.bet(0.0).expect("a number").0 - 9.0).abs() < 1e-12);
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|it| most.bet(it)), [None; 3]);
        for (mean, lo, hi) in
            [(0.0, 0.0, 1.0), (2.0, 0.0, 1.0), (f64::NAN, 0.0, 1.0), (0.5, 0.0, f64::INFINITY), (1e-300, 0.0, 1.0)]
        {
            assert_eq!(Null::at_most(mean, (lo, hi)), None, "{mean} in [{lo}, {hi}]");
        }
    }
}
