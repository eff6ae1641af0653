//! Noise: two numbers that say that a row, or a signal in it, is not as smooth as its like (`signals.md` §7).

/// Above this share of features in their outer hundredth a row is noisy: five times what is expected.
pub const TAIL: f64 = 0.05;
/// A roughness above this quantile of the reference is noisy.
pub const ROUGH: f64 = 0.99;
/// Half a rank from the middle, beyond which lies a hundredth of all rows, both sides together.
const OUTER: f64 = 0.495;

/// Returns the share of features in the outer hundredth of the reference; expected .01. None where no feature has a rank.
///
/// # Units
/// Ranks from −½ to ½, as cells give them.
///
/// # When it misleads
/// With 20 features one of them is already .05.
pub fn tail_ratio(ranks: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut all, mut outer) = (0_u32, 0_u32);
    for rank in ranks.into_iter().filter(|it| it.is_finite()) {
        all += 1;
        outer += u32::from(rank.abs() > OUTER);
    }
    (all > 0).then(|| f64::from(outer) / f64::from(all))
}

/// Returns how rough a series is, Σ(x_t − x_{t−1})² / 2Σ(x_t − x̄)²: near 0 for a smooth one, 1 for noise, up to 2 for one that jumps
/// to and fro. None for fewer than two numbers, one that is none, and a series that does not change.
///
/// # Source
/// von Neumann 1941: half his ratio of the mean square successive difference to the variance.
pub fn roughness(series: &[f64]) -> Option<f64> {
    let greatest = series.iter().fold(0.0_f64, |greatest, it| greatest.max(it.abs()));
    if series.len() < 2 || !series.iter().all(|it| it.is_finite()) || greatest == 0.0 {
        return None;
    }
    // In parts of the greatest, so that no square is too large or too small for a number.
    let parts = || series.iter().map(|it| it / greatest);
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let mean = parts().sum::<f64>() / series.len() as f64;
    let spread: f64 = parts().map(|it| (it - mean) * (it - mean)).sum();
    let steps: f64 = parts().zip(parts().skip(1)).map(|(a, b)| (b - a) * (b - a)).sum();
    let roughness = steps / (2.0 * spread);
    (steps > 0.0 && roughness.is_finite()).then_some(roughness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracles_of_the_page() {
        for (series, expected) in [
            (&[1.0, 2.0, 3.0, 4.0][..], Some(0.3)),
            (&[1.0, -1.0, 1.0, -1.0], Some(1.5)),
            (&[1e300, -1e300, 1e300, -1e300], Some(1.5)),
            (&[1e-300, -1e-300, 1e-300, -1e-300], Some(1.5)),
            (&[5.0, 5.0, 5.0], None),
            (&[0.0, 0.0], None),
            (&[1.0], None),
            (&[], None),
            (&[1.0, f64::NAN], None),
            (&[1.0, f64::INFINITY], None),
        ] {
            let found = roughness(series);
            assert_eq!(found.is_some(), expected.is_some(), "{series:?}");
            assert!(found.zip(expected).is_none_or(|(a, b)| (a - b).abs() < 1e-12), "{series:?}: {found:?}");
        }
    }

    #[test]
    fn the_outer_hundredth_is_counted_and_what_is_no_rank_is_not() {
        assert_eq!(tail_ratio([0.1, -0.496, 0.495, 0.499, f64::NAN]), Some(0.5));
        assert_eq!(tail_ratio([f64::NAN]), None);
    }
}
