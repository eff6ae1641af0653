//! Report: PSI and JS, numbers for people beside what they are without any change; never conditions (`signals.md` §3).

use crate::math;

/// How far two distributions are apart, and how far two samples of one distribution would be.
///
/// # When it misleads
/// Neither number has an error control. With no change at all PSI has a mean of about (k−1)(1/n+1/m): ten cells and 100 rows on both
/// sides give 0.18, above the customary "0.1 is some drift" in four of five comparisons. Read it beside `unchanged`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// The population stability index, in natural units.
    pub psi: f64,
    /// What it is about when nothing changed.
    pub psi_unchanged: f64,
    /// The Jensen–Shannon divergence, bits.
    pub js_bits: f64,
    /// What it is about when nothing changed.
    pub js_unchanged: f64,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows that are compared with it.
    pub live: u64,
}

impl Report {
    /// Compares counts in the same cells, with ½ added to each; none without a row on both sides, or for other cells.
    pub fn of(reference: &[u64], live: &[u32]) -> Option<Self> {
        let (n, m) = (reference.iter().sum::<u64>(), live.iter().map(|it| u64::from(*it)).sum::<u64>());
        if n == 0 || m == 0 || reference.len() != live.len() {
            return None;
        }
        // A cell that is empty on both sides cannot differ.
        let used: Vec<(u64, u64)> =
            reference.iter().zip(live).map(|(a, b)| (*a, u64::from(*b))).filter(|it| it.0 + it.1 > 0).collect();
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
        let shares = |of: fn(&(u64, u64)) -> u64| {
            let sum: f64 = used.iter().map(|it| of(it) as f64 + 0.5).sum();
            used.iter().map(|it| (of(it) as f64 + 0.5) / sum).collect::<Vec<_>>()
        };
        let (p, q) = (shares(|it| it.0), shares(|it| it.1));
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
        let unchanged = (used.len() as f64 - 1.0) * (1.0 / n as f64 + 1.0 / m as f64);
        Some(Self {
            psi: psi(&p, &q),
            psi_unchanged: unchanged,
            js_bits: js_bits(&p, &q),
            // Both are the same sum of squares in the small, a factor apart.
            js_unchanged: unchanged / (8.0 * std::f64::consts::LN_2),
            reference: n,
            live: m,
        })
    }
}

/// Returns Σ(p−q)·ln(p/q) of shares above 0.
pub fn psi(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q) * math::ln(p / q)).sum()
}

/// Returns the Jensen–Shannon divergence of shares above 0, in bits: between 0 and 1.
pub fn js_bits(p: &[f64], q: &[f64]) -> f64 {
    let half = |p: f64, q: f64| p * math::ln(2.0 * p / (p + q));
    p.iter().zip(q).map(|(p, q)| half(*p, *q) + half(*q, *p)).sum::<f64>() / (2.0 * std::f64::consts::LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_those_of_the_oracles() {
        let (p, q) = ([0.5, 0.5], [0.4, 0.6]);
        let js = js_bits(&p, &q);
        for (found, expected) in [(psi(&p, &q), 0.040_546_5), (js, 0.007_299_2), (js.sqrt(), 0.085_435_1)] {
            assert!((found - expected).abs() < 5e-8, "{found} {expected}");
        }
    }

    #[test]
    fn without_any_change_the_numbers_are_about_what_is_said() {
        let mut bits = 1_u64;
        let mut draw = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((bits >> 33) % 10).expect("small")
        };
        let (mut sum, mut js, mut above) = (0.0, 0.0, [0, 0]);
        let runs = 2_000;
        for _ in 0..runs {
            let (mut reference, mut live) = ([0_u64; 10], [0_u32; 10]);
            (0..100).for_each(|_| reference[draw()] += 1);
            (0..100).for_each(|_| live[draw()] += 1);
            let report = Report::of(&reference, &live).expect("rows");
            assert!((report.psi_unchanged - 0.18).abs() < 1e-12 && report.js_bits >= 0.0);
            (sum, js) =
                (sum + report.psi / f64::from(runs), js + report.js_bits / report.js_unchanged / f64::from(runs));
            (above[0], above[1]) = (above[0] + i32::from(report.psi > 0.1), above[1] + i32::from(report.psi > 0.2));
        }
        assert!((0.16..0.20).contains(&sum) && (0.85..1.15).contains(&js), "{sum} {js}");
        assert!((1_540..1_740).contains(&above[0]) && (520..720).contains(&above[1]), "82 % and 31 %: {above:?}");
        assert_eq!([Report::of(&[0], &[1]), Report::of(&[1], &[0]), Report::of(&[1], &[1, 1])], [None; 3]);
    }
}
