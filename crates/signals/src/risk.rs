//! Risk: how likely the primary's answer will not do, seen from the input alone (`signals.md` §7, "anticipating fallbacks").
//!
//! Requests that look alike share a cell: how much of them is missing, how strange they are, whether their route drifts, whether
//! they are noisy. What became of those before says what will become of the next.
//!
//! It ranks routes to look at, and warms lower tiers up; it is blind to faults that the input does not announce.
//!
//! # Invariants
//! - `RISK-1`: a cell with fewer than 50 rows gives no number.
//! - `RISK-2`: rows fade and merge as those of every calibrator do (`CAL-1`, `CAL-2`).
//! - `RISK-3`: a request counts once: a label that comes later changes what it counts as, and not how often or how much.

use std::sync::LazyLock;

use crate::{
    anomaly::PValue,
    calibrate::{Calibrator, CalibratorState, Incompatible, Row, Teacher},
};

/// Below so many rows a cell says nothing.
const ENOUGH: f64 = 50.0;
/// Shares of missing features up to which cells reach, after that of none; the last has all above.
const MISSING: [f64; 2] = [0.05, 0.2];
/// Kinds of each part of a cell: missing, tenths of p and none, states of drift, noise.
const PARTS: [usize; 4] = [4, 11, 3, 2];

/// The names of the cells, as the calibrator has them; made once.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let [missing, tenths, drift, noise] = PARTS;
    (0..missing * tenths * drift * noise).map(|it| it.to_string()).collect()
});

/// What is known of a request before it is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The share of its features that are missing.
    pub missing_ratio: f64,
    /// How strange its row is; none where nothing judges that.
    pub p: Option<PValue>,
    /// The state of drift of its route: 0 stable, 1 warning, 2 drift.
    pub drift: u8,
    /// Whether it is noisy ([`crate::guards::TAIL`], [`crate::guards::ROUGH`]).
    pub noisy: bool,
}

impl Seen {
    /// Returns the number of its cell.
    fn cell(&self) -> usize {
        let missing = match self.missing_ratio {
            ratio if ratio <= 0.0 => 0,
            ratio => 1 + MISSING.iter().filter(|it| ratio > **it || ratio.is_nan()).count(),
        };
        let tenth = self.p.map_or(10, |p| {
            // In whole numbers: the p that is written as .1 is the end of its tenth everywhere.
            let tenth = (u64::from(p.rank) * 10).div_ceil(u64::from(p.of.max(1))).clamp(1, 10) - 1;
            usize::try_from(tenth).expect("below ten")
        });
        let drift = usize::from(self.drift.min(2));
        ((missing * PARTS[1] + tenth) * PARTS[2] + drift) * PARTS[3] + usize::from(self.noisy)
    }
}

/// A risk with what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The probability that the answer is rejected, fails its contract or is wrong by its label.
    pub p: f64,
    /// The rows of the cell, faded by age.
    pub n: f64,
    /// The time of the latest row of any cell, ns.
    pub as_of: u64,
}

/// What became of requests, by cell.
#[derive(Clone, Debug, PartialEq)]
pub struct FallbackRisk(Calibrator);

impl Default for FallbackRisk {
    fn default() -> Self {
        Self(Calibrator::new(Teacher::Labels, &[]))
    }
}

impl FallbackRisk {
    /// Counts a request of which it is known whether the primary's answer failed.
    pub fn update(&mut self, at: u64, seen: &Seen, failed: bool) {
        self.0.update(at, &Row { label: &NAMES[seen.cell()], confidence: None, right: failed });
    }

    /// Counts a request of that time anew of which a label says otherwise than what was known when it was counted (`RISK-3`).
    pub fn amend(&mut self, at: u64, seen: &Seen, failed: bool) {
        self.0.amend(at, &Row { label: &NAMES[seen.cell()], confidence: None, right: failed });
    }

    /// Says how likely the primary's answer to a request fails, as of `now`; nothing where too few were like it (`RISK-1`).
    pub fn read(&self, now: u64, seen: &Seen) -> Option<Reading> {
        let name = &NAMES[seen.cell()];
        let n = self.0.rows(now, name);
        let read = self.0.read(now, name, None);
        (n >= ENOUGH).then_some(Reading { p: read.p, n, as_of: read.as_of })
    }

    /// Adds what another one counted (`RISK-2`).
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0).expect("all have the same bins and the same teacher");
    }

    /// Returns what is to be kept.
    pub fn state(&self) -> CalibratorState {
        self.0.state()
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// It is not the state of a risk, or a count cannot be one.
    pub fn of(state: &CalibratorState) -> Result<Self, Incompatible> {
        if !state.ends.is_empty() || state.teacher != Teacher::Labels {
            return Err(Incompatible::Grid);
        }
        Calibrator::of(state).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Seen = Seen { missing_ratio: 0.0, p: Some(PValue { rank: 50, of: 100 }), drift: 0, noisy: false };

    #[test]
    fn each_part_of_a_cell_matters_where_the_page_says() {
        let p = |rank| Some(PValue { rank, of: 100 });
        for (seen, alike) in [
            (Seen { missing_ratio: 0.01, ..USUAL }, false),
            (Seen { noisy: true, ..USUAL }, false),
            (Seen { drift: 1, ..USUAL }, false),
            (Seen { p: None, ..USUAL }, false),
            (Seen { p: p(51), ..USUAL }, false),
            (Seen { p: p(40), ..USUAL }, false),
            (Seen { p: p(41), ..USUAL }, true),
        ] {
            assert_eq!(seen.cell() == USUAL.cell(), alike, "{seen:?}");
        }
        let missing = |missing_ratio| Seen { missing_ratio, ..USUAL }.cell();
        assert_eq!((missing(0.01), missing(0.06), missing(0.21)), (missing(0.05), missing(0.2), missing(1.0)));
        let all = [0.0, 0.05, 0.2, 1.0].map(missing);
        assert!(all.windows(2).all(|it| it[0] < it[1]));
        let last = Seen { missing_ratio: 1.0, p: None, drift: 9, noisy: true }.cell();
        assert_eq!(last + 1, NAMES.len());
        assert_eq!(missing(f64::NAN), missing(1.0));
    }

    #[test]
    fn risk_1_a_cell_says_nothing_below_fifty_rows_and_what_became_of_them_above() {
        let noisy = Seen { noisy: true, ..USUAL };
        let mut risk = FallbackRisk::default();
        for at in 0..200 {
            risk.update(at, &USUAL, at % 20 == 0);
            if at < 49 {
                risk.update(at, &noisy, true);
            }
        }
        assert_eq!(risk.read(200, &noisy), None);
        // One more than needed: by now the first have faded, by a hair.
        risk.update(200, &noisy, true);
        risk.update(200, &noisy, true);
        let (usual, strange) = (risk.read(200, &USUAL).expect("200"), risk.read(200, &noisy).expect("51"));
        assert!(usual.p < 0.09 && strange.p > 0.8, "{usual:?} {strange:?}");
        assert!((strange.n - 51.0).abs() < 1e-6 && strange.as_of == 200);
    }

    #[test]
    fn risk_3_what_a_label_says_later_counts_as_if_it_had_been_known_at_once() {
        let (mut late, mut early) = (FallbackRisk::default(), FallbackRisk::default());
        // Sixty days, over several half-lives.
        let step = crate::calibrate::HALF_LIFE_NS / 70;
        let wrong = |it: u64| it.is_multiple_of(3);
        (0..600).for_each(|it| late.update(it * step, &USUAL, false));
        (0..600).for_each(|it| early.update(it * step, &USUAL, wrong(it)));
        assert_ne!(late.read(600 * step, &USUAL), early.read(600 * step, &USUAL));
        (0..600).filter(|it| wrong(*it)).for_each(|it| late.amend(it * step, &USUAL, true));
        let (read, expected) = (late.read(600 * step, &USUAL), early.read(600 * step, &USUAL));
        assert!(read == expected && read.is_some(), "exact, at any age: {read:?}, {expected:?}");
        // A label that replaces another takes its word back; what nobody counted stays nothing.
        late.amend(3 * step, &USUAL, false);
        late.amend(3 * step, &USUAL, true);
        late.amend(0, &Seen { noisy: true, ..USUAL }, true);
        assert_eq!(late.read(600 * step, &USUAL), expected);
    }

    #[test]
    fn risk_2_replicas_add_and_states_are_kept() {
        let (mut one, mut other, mut both) =
            (FallbackRisk::default(), FallbackRisk::default(), FallbackRisk::default());
        for at in 0..120_u64 {
            let half = if at.is_multiple_of(2) { &mut one } else { &mut other };
            half.update(7, &USUAL, at % 3 == 0);
            both.update(7, &USUAL, at % 3 == 0);
        }
        one.merge(&other);
        assert_eq!(one.read(7, &USUAL), both.read(7, &USUAL));
        let (kept, before) = (FallbackRisk::of(&one.state()).expect("a risk").read(7, &USUAL), one.read(7, &USUAL));
        assert!(kept.zip(before).is_some_and(|(a, b)| (a.p - b.p).abs() < 1e-12 && (a.n - b.n).abs() < 1e-9));
        let strange = Calibrator::new(Teacher::Labels, &[0.1, 0.9]).state();
        assert_eq!(FallbackRisk::of(&strange), Err(Incompatible::Grid));
    }
}
