//! Weight: how much one member's vote counts, in whole millionths.

use crate::{math, quantise};

/// Parts of a weight of 1: sums of whole numbers do not depend on order.
const MILLIONTHS: u32 = 1_000_000;
/// Nobody is trusted further than this, nor less than its opposite: one member never outvotes all others for certain.
const SUREST: f64 = 0.999;

/// The weight of every vote where all count alike (`rule: majority`).
pub const EQUAL: i64 = 1_000_000;

/// Returns the weight of a vote whose answer is right with probability `p`, among `classes` possible answers:
/// ln(p (K−1) / (1−p)), in millionths.
///
/// An answer worse than chance has a weight below zero: it speaks against its class. NaN counts as chance, which is 0.
/// Fewer than two classes count as two. Where answers are free texts, a fixed number of classes is taken, such as that of the
/// members (at least two): it must not change while votes come in.
pub fn weight(p: f64, classes: u32) -> i64 {
    if p.is_nan() {
        return 0;
    }
    let p = p.clamp(1.0 - SUREST, SUREST);
    let others = f64::from(classes.max(2) - 1);
    quantise(math::ln(p * others / (1.0 - p)), MILLIONTHS).expect("a logarithm of what is clipped")
}

/// The least and the most that a member's vote can still weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least weight, in millionths.
    pub least: i64,
    /// The most weight, in millionths.
    pub most: i64,
}

impl Bounds {
    /// The bounds of a vote whose weight does not depend on the answer.
    pub fn exactly(weight: i64) -> Self {
        Self { least: weight, most: weight }
    }

    /// How far this vote can move a leader and a rival towards each other: for the rival, or against the leader.
    pub(super) fn swing(self) -> i128 {
        i128::from(self.most.max(0)).max(-i128::from(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_log_odds_in_millionths_and_bounded() {
        for (p, classes, expected) in [
            (0.9, 2, 2_197_225),
            (0.6, 10, 2_602_690),
            (0.8, 2, 1_386_294),
            (0.5, 2, 0),
            (0.1, 2, -2_197_225),
            (1.0, 2, 6_906_755),
            (0.0, 2, -6_906_755),
            (0.7, 1, 847_298),
            (f64::NAN, 7, 0),
        ] {
            assert_eq!(weight(p, classes), expected, "{p} of {classes}");
        }
        assert_eq!(Bounds { least: -7, most: 5 }.swing(), 7, "whichever is more");
        assert_eq!(Bounds::exactly(-3).swing(), 3, "speaks against the leader");
    }
}
