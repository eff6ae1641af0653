//! Entropy: how many bits the bytes of a text need, each taken for itself.

use std::sync::LazyLock;

use crate::math::ln;

/// Counts whose product with their logarithm is kept.
const KEPT: usize = 4_096;

/// n log2 n for small n; made once.
static PRODUCTS: LazyLock<Box<[f64]>> = LazyLock::new(|| (0..KEPT).map(|n| product(n as u32)).collect());

/// Returns the entropy of bytes that were counted, bits per byte; 0 where there are none.
pub(super) fn bits(counts: &[u32; 256]) -> f64 {
    let n: u32 = counts.iter().sum();
    if n == 0 {
        return 0.0;
    }
    let products = &*PRODUCTS;
    let of = |it: u32| products.get(it as usize).copied().unwrap_or_else(|| product(it));
    let sum: f64 = counts.iter().filter(|it| **it > 1).map(|it| of(*it)).sum();
    ((of(n) - sum) / f64::from(n)).max(0.0)
}

fn product(n: u32) -> f64 {
    if n < 2 { 0.0 } else { f64::from(n) * (ln(f64::from(n)) / std::f64::consts::LN_2) }
}
