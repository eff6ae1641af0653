//! Delay: how many rows a shift of a given size goes unnoticed, at a route's own T and size of reference.
//!
//! A number that is shown beside every detector: "no alarm" is not "no drift" (`signals.md` §14).

use super::{Stream, place, share, stream::form};
use crate::{
    cells::{Cells, Value},
    eproc::Every,
    math,
};

/// Streams that are played.
const STREAMS: u64 = 101;
/// Rows after which one is given up.
const MOST: u64 = 50_000;
/// A reference of more rows is made of so many, with the discount of its own.
const REFERENCE: u64 = 20_000;

/// How long shifts of a normal scalar go unnoticed: median rows; none: more than 50,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// At a shift of a quarter of a standard deviation.
    pub quarter: Option<u64>,
    /// At half a standard deviation.
    pub half: Option<u64>,
    /// At a whole one.
    pub whole: Option<u64>,
}

/// Plays shifts of a normal scalar against a reference of so many rows, from the first row on, and returns the median delays. T is
/// in rows; a T in time is to be taken at the route's rate of rows.
///
/// # Cost
/// Some milliseconds: for pages and reports, not for each request.
pub fn delay(every: u64, reference: u64, enforced: bool) -> Delay {
    let rows = reference.clamp(1, REFERENCE);
    #[expect(clippy::cast_precision_loss, reason = "a count below 2^53")]
    let quantile = |at: u64| Value::Number(normal((at as f64 + 0.5) / rows as f64));
    let cells = Cells::numbers((0..rows).map(quantile));
    let median = |shift: f64| {
        let mut delays: Vec<u64> =
            (0..STREAMS).map(|seed| one(every, (&cells, reference), enforced, (seed, shift))).collect();
        delays.sort_unstable();
        Some(delays[delays.len() / 2]).filter(|it| *it < MOST)
    };
    Delay { quarter: median(0.25), half: median(0.5), whole: median(1.0) }
}

/// Rows until one stream alarms.
fn one(every: u64, (cells, reference): (&Cells, u64), enforced: bool, (seed, shift): (u64, f64)) -> u64 {
    let mut stream = Stream::new(form(Every::Rows(every), enforced));
    for row in 1..MOST {
        let (x, lot) = (share(seed << 32 | row, 0), share(seed << 32 | row, 1));
        let cell = cells.cell(Value::Number(normal(x) + shift));
        stream.update(row, place(cells, cell, lot), reference);
        if stream.wealth().number() >= 1.0 {
            return row;
        }
    }
    MOST
}

/// Returns the normal quantile of a share, within 5·10^-4 (Hastings 1955, Abramowitz and Stegun 26.2.23).
fn normal(share: f64) -> f64 {
    let tail = share.min(1.0 - share).max(1e-17);
    let t = (-2.0 * math::ln(tail)).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let x = t - top / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    if share < 0.5 { -x } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_near_the_anchors_and_fall_with_the_shift() {
        // Prototype figures of signals.md §5: n_ref, T, form, medians at a quarter, a half, a whole standard deviation.
        for (reference, every, enforced, anchors) in [
            (1_000, 10_000, false, [458, 105, 41]),
            (5_000, 10_000, false, [287, 90, 39]),
            (5_000, 10_000, true, [501, 113, 44]),
            (5_000, 100_000, false, [408, 98, 44]),
        ] {
            let it = delay(every, reference, enforced);
            let found = [it.quarter, it.half, it.whole].map(|it| it.expect("noticed"));
            for (found, anchor) in found.iter().zip(anchors) {
                assert!((anchor * 7 / 10..=anchor * 14 / 10).contains(found), "{reference} {every} {enforced}: {it:?}");
            }
        }
        assert_eq!(
            delay(10_000, 50, false).quarter,
            None,
            "what the discount of a small reference eats is not noticed"
        );
    }

    #[test]
    fn normal_quantiles_are_right_to_three_places() {
        for (share, x) in [(0.5, 0.0), (0.975, 1.959_964), (0.025, -1.959_964), (0.999, 3.090_232)] {
            assert!((normal(share) - x).abs() < 5e-4, "{share}");
        }
    }
}
