//! Every: the wanted mean time between false alarms, and what a row is given of it (`EPR-3`).

/// The part of T that one row is given at most.
const MOST: u64 = 1_000;

/// T, the wanted mean time between false alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// In rows.
    Rows(u64),
    /// In ns.
    Nanos(u64),
}

impl Every {
    /// Returns the share of T that a row is given: that of the time since the row before, `last`.
    ///
    /// The first row of a clock is given nothing: there is no time before it.
    pub(crate) fn deposit(self, last: Option<u64>, at: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share, right to 53 bits")]
        match self {
            Self::Rows(every) => 1.0 / every.max(1) as f64,
            Self::Nanos(every) => {
                let since = at.saturating_sub(last.unwrap_or(at));
                since.min(every / MOST) as f64 / every.max(1) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_given_the_time_since_the_last_but_at_most_a_thousandth() {
        let every = Every::Nanos(1_000_000);
        assert_eq!(every.deposit(None, 77), 0.0);
        assert_eq!(every.deposit(Some(70), 77), 7e-6);
        assert_eq!(every.deposit(Some(0), 999_999), 1e-3, "a silence is no wealth");
        assert_eq!(every.deposit(Some(80), 77), 0.0, "a clock that went back");
        assert_eq!(Every::Rows(100).deposit(None, 0), 0.01);
    }
}
