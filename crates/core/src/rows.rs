//! Rows: how many rows of a batch are still to be answered, and what a judged answer leaves of them (OIP-35).
//!
//! It counts. Which rows they are, and what is wrong with each, is the shell's to see.
//!
//! # Invariants
//! - `ROWS-1`: an answer is accepted as a whole, or not at all, or, where its tier or its route splits, in part; what is
//!   left of a batch never grows, and is less after each answer that was accepted in part.
//!
//! # When it misleads
//! A tier whose answers are judged is left for every row that it is not sure of, be it right or not: a threshold without a
//! calibration moves what is rare, which need not be what is wrong.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.2; ADR 7.

use crate::unit::Permille;

/// When bad rows move an answer to the tiers below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowRule {
    /// One is enough; all rows move.
    #[default]
    Any,
    /// Where all are bad.
    All,
    /// Where at least this share is bad; all rows move.
    Share(Permille),
    /// The bad ones move, the others stay.
    Split,
}

impl RowRule {
    /// Returns how many bad rows an answer of so many rows may have and is still accepted as a whole.
    pub const fn borne(self, rows: u64) -> u64 {
        match self {
            Self::Any | Self::Split => 0,
            Self::All => rows.saturating_sub(1),
            Self::Share(share) => {
                // Rounded up: at least this share.
                let moved = (rows as u128 * share.thousandths() as u128).div_ceil(1_000) as u64;
                moved.saturating_sub(1)
            }
        }
    }
}

/// The rows of a request that are still to be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// All of them; 0 where nobody judges rows, and nobody counts them.
    pub all: u64,
    /// Those of them that only the tiers below take, from where the route says on (F-037).
    pub apart: u64,
}

impl Rows {
    /// Returns how many of them a tier is asked for.
    pub const fn asked(self, takes_all: bool) -> u64 {
        if takes_all { self.all } else { self.all.saturating_sub(self.apart) }
    }

    /// Returns what an answer leaves of them in which so many rows are bad; none where it is not accepted. Nothing is left
    /// by one that is accepted as a whole.
    pub const fn left(self, takes_all: bool, rule: RowRule, bad: u64) -> Option<Self> {
        let (asked, apart) = (self.asked(takes_all), if takes_all { 0 } else { self.apart });
        let split = matches!(rule, RowRule::Split) && bad < asked;
        match bad <= rule.borne(asked) {
            true => Some(Self { all: apart, apart }),
            false if split => Some(Self { all: apart + bad, apart }),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oip_35_bad_rows_are_borne_as_the_rule_says() {
        let share = |permille| RowRule::Share(Permille::new(permille));
        for (rule, rows, borne) in [
            (RowRule::Any, 5, 0),
            (RowRule::Split, 5, 0),
            (RowRule::All, 5, 4),
            (RowRule::All, 1, 0),
            (RowRule::All, 0, 0),
            (share(200), 5, 0),
            (share(200), 6, 1),
            (share(200), 10, 1),
            (share(200), 11, 2),
            (share(1_000), 7, 6),
            (share(1), 7, 0),
            (share(500), 0, 0),
            (share(1_000), u64::MAX, u64::MAX - 1),
        ] {
            assert_eq!(rule.borne(rows), borne, "{rule:?} of {rows}");
        }
    }

    #[test]
    fn oip_35_rows_1_only_a_split_keeps_a_part_and_less_is_left_after_it() {
        let whole = Rows { all: 5, apart: 0 };
        assert_eq!(whole.left(true, RowRule::Any, 0), Some(Rows::default()));
        assert_eq!(whole.left(true, RowRule::Any, 1), None);
        assert_eq!(whole.left(true, RowRule::All, 4), Some(Rows::default()));
        assert_eq!(whole.left(true, RowRule::Split, 2), Some(Rows { all: 2, apart: 0 }));
        assert_eq!(whole.left(true, RowRule::Split, 5), None, "nothing of it is kept");
        let apart = Rows { all: 5, apart: 3 };
        assert_eq!((apart.asked(false), apart.asked(true)), (2, 5));
        assert_eq!(apart.left(false, RowRule::Any, 0), Some(Rows { all: 3, apart: 3 }));
        assert_eq!(apart.left(false, RowRule::Split, 1), Some(Rows { all: 4, apart: 3 }));
        assert_eq!(apart.left(true, RowRule::Split, 1), Some(Rows { all: 1, apart: 0 }));
        for rule in [RowRule::Any, RowRule::All, RowRule::Split, RowRule::Share(Permille::new(300))] {
            for (all, apart, bad, takes_all) in (0..6).flat_map(|all| {
                let apart =
                    move |apart| (0..=all).flat_map(move |bad| [(all, apart, bad, true), (all, apart, bad, false)]);
                (0..=all).flat_map(apart)
            }) {
                let rows = Rows { all, apart };
                if bad > rows.asked(takes_all) {
                    continue;
                }
                let Some(left) = rows.left(takes_all, rule, bad) else { continue };
                assert!(left.all < all || all == 0 || rows.asked(takes_all) == 0, "ROWS-1: {rows:?} {rule:?} {bad}");
                assert!(left.apart <= left.all && left.apart <= apart, "ROWS-1: {left:?} of {rows:?}");
            }
        }
    }
}
