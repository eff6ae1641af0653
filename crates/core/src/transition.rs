//! Transition: the record of a change of the tier at which a route starts (G-001).

use alloc::sync::Arc;

use crate::{
    class::ResultCode,
    clock::Nanos,
    id::{PathId, RouteId},
    reason::Reason,
    revision::Revision,
};

/// What tripped a breaker, with its counts (F-060).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The rule that fired, as `failures.md` numbers it.
    pub rule: &'static str,
    /// The result that was the last straw; none where no attempt was made: readiness tripped it (F-113).
    pub result: Option<ResultCode>,
    /// Bad outcomes that the rule counted.
    pub bad: u32,
    /// All outcomes that the rule counted.
    pub of: u32,
    /// The reason that it gives to a switch.
    pub reason: Reason,
}

impl Trip {
    /// Makes a trip by a rule, with the result that was the last straw and the outcomes that it counted: bad ones, and all.
    pub(crate) fn new(rule: &'static str, result: ResultCode, (bad, of): (u32, u32)) -> Self {
        Self { rule, result: Some(result), bad, of, reason: result.reason().unwrap_or(Reason::BreakerOpen) }
    }

    /// Makes a trip by a rule that compares: what was measured, and what it may be, as far as a count goes.
    pub(crate) fn compared(rule: &'static str, result: ResultCode, (value, bound): (u64, u64)) -> Self {
        let count = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
        Self::new(rule, result, (count(value), count(bound)))
    }

    /// Makes the trip of a replica that was taken out by so many refused probes in a row.
    pub(crate) fn refused(probes: u32) -> Self {
        Self { rule: "F-113", result: None, bad: probes, of: probes, reason: Reason::HealthcheckFailed }
    }
}

/// What moved a route (G-001).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The breaker of a path.
    Breaker,
    /// What it does about drift.
    Drift,
    /// What was promised of its thresholds, and not kept.
    Certificate,
}

impl Rule {
    /// Returns the word that records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Drift => "drift",
            Self::Certificate => "certificate",
        }
    }
}

/// A proposal that a route start lower, which nothing but a person follows, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// When, on the shell's clock.
    pub at: Nanos,
    /// The revision that it cites.
    pub revision: Arc<Revision>,
    /// Which route.
    pub route: RouteId,
    /// The tier at which it would start.
    pub start_at: u8,
    /// Whether it stands from now on; else it has ended.
    pub stands: bool,
    /// Why it stands, or why no more: [`Reason::SignalStale`] where nobody says any more how things are.
    pub reason: Reason,
    /// On how many rows the last word was.
    pub samples: u64,
}

/// A change of the tier at which a route starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When, on the shell's clock.
    pub at: Nanos,
    /// The revision that it cites (G-001).
    pub revision: Arc<Revision>,
    /// Which route.
    pub route: RouteId,
    /// The tier before; the number of tiers when none was left.
    pub from: u8,
    /// The tier now.
    pub to: u8,
    /// The cause.
    pub reason: Reason,
    /// What moved it.
    pub rule: Rule,
    /// The path whose breaker moved, or the upper one of the two tiers where none did.
    pub path: PathId,
    /// What tripped it, on the way down.
    pub trip: Option<Trip>,
    /// The episode that it begins, continues or ends.
    pub episode: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_070_f_103_what_is_too_much_for_a_count_is_as_much_as_it_holds() {
        let trip = Trip::compared("F-103", ResultCode::Slow, (1 << 32, (1 << 33) + 7));
        assert_eq!((trip.bad, trip.of), (u32::MAX, u32::MAX), "and not what is left of it");
        let trip = Trip::compared("F-070", ResultCode::Slow, (12, 7));
        assert_eq!((trip.bad, trip.of), (12, 7));
    }
}
