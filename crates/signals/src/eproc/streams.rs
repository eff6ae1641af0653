//! Streams: many wealths, one alarm, and who is named for it (`signals.md` §4).

/// Returns the weighted sum of wealths; an alarm at 1. Weights that sum to at most 1 keep the promise of each, whatever the
/// streams have in common (Vovk, Wang).
pub fn combined(weights: &[f64], wealths: &[f64]) -> f64 {
    weights.iter().zip(wealths).map(|(weight, wealth)| weight * wealth).sum()
}

/// Names the streams that carry an alarm, the strongest first: the most of them of which each has its share, weighted as all are.
/// With equal weights: the largest k with W_(k) ≥ d/k. Where no k has it, the strongest alone.
///
/// # When it misleads
/// It orders; it promises no rate of error for restarted forms.
pub fn culprits(weights: &[f64], wealths: &[f64]) -> Vec<usize> {
    let mut ranked: Vec<(usize, f64)> = weights.iter().zip(wealths).map(|(v, w)| v * w).enumerate().collect();
    // Of equals the earlier first: the sort keeps their order.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    #[expect(clippy::cast_precision_loss, reason = "a count of streams")]
    let named = (1..=ranked.len()).rev().find(|k| ranked[k - 1].1 * *k as f64 >= 1.0);
    ranked.truncate(named.unwrap_or(1));
    ranked.into_iter().map(|it| it.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_have_their_share_are_named_and_never_nobody() {
        let third = [1.0 / 3.0; 3];
        for (wealths, sum, named) in [
            ([0.1, 30.0, 0.0], 30.1 / 3.0, vec![1]),
            ([1.5, 0.0, 1.6], 3.1 / 3.0, vec![2, 0]),
            ([1.0, 1.0, 1.0], 1.0, vec![0, 1, 2]),
            ([0.9, 1.4, 2.8], 5.1 / 3.0, vec![2]),
        ] {
            assert!((combined(&third, &wealths) - sum).abs() < 1e-12);
            assert_eq!(culprits(&third, &wealths), named, "{wealths:?}");
        }
        assert_eq!(culprits(&[0.25, 0.75], &[3.9, 1.4]), [1, 0], "weighed as the alarm was");
        assert_eq!(culprits(&[], &[]), Vec::<usize>::new());
    }
}
