//! Load: how long a replica would take now, for the choice of two (F-100, F-101).
//!
//! It chooses among replicas that may be asked; which those are, breakers and gates have said. It is no evidence against a
//! replica either: `breaker` and `peers` judge, this only prefers.
//!
//! Latencies are points: a thousand are what requests of that size usually take on all replicas together, so a replica that got
//! the long prompts does not look slow, and one point of view holds for all.
//!
//! # Why a failure is slow
//! A replica that fails in a millisecond is never busy and always quick: the fastest answer attracts the traffic. So a failure
//! enters as a very slow answer, at once and whole; good answers and time wear it off.
//!
//! # Invariants
//! - `LOAD-1`: no failure, and no silence before a cancellation, makes a replica look quicker.
//! - `LOAD-2`: what nobody asks draws near to its peers: half of the difference is gone after ten seconds.
//! - `LOAD-3`: the same bits and the same scores choose the same; ties go to the one that was drawn first, so that idle replicas share what
//!   there is, and none is left unproven.
//!
//! # When it misleads
//! After one failure in a thousand a replica is avoided for about a minute, where its peers have none.
//!
//! # Source
//! The power of two choices (Mitzenmacher, 2001); peak EWMA as in Finagle and linkerd, in integers.

use alloc::vec::Vec;

use crate::{
    clock::{MILLISECOND, Nanos, SECOND},
    median::Running,
    size::{SIZES, Size},
};

/// What requests of a size usually take, in points.
pub(crate) const USUAL: u64 = 1_000;
/// The most points that there are: a million times the usual.
const MOST: u64 = USUAL * 1_000_000;
/// The time in which half of what was known is forgotten (F-101).
const HALF_LIFE: Nanos = 10 * SECOND;
/// The least that a failure enters as (F-101).
const FAILURE: Nanos = 5 * SECOND;
/// The least in times of the usual: where answers take minutes, five seconds would be quick.
const FAILURE_TIMES: u64 = 10;
/// What a size without a good answer is taken for, when it fails.
const UNKNOWN: Nanos = 500 * MILLISECOND;
/// One, in the fixed point of weights.
const ONE: u128 = 1 << 32;
/// Parts of a point that an estimate is kept in: thousands of answers a second move it by far less than a point each.
const FINE: u32 = 20;

/// How many times longer a replica is taken for that did not answer its last probe in time (F-113).
const BUSY: u64 = 4;

/// What an attempt showed of its replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// First content, or the whole answer, came after this time.
    Answered(Nanos),
    /// It failed; the length of the clock that fired, or 0 where none did.
    Failed(Nanos),
    /// It was cancelled after this time without content (F-173).
    Silent(Nanos),
}

/// What one replica takes.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// Points, times two to the power of [`FINE`].
    fine: u64,
    at: Nanos,
}

impl Estimate {
    /// Returns the points now: drawn near to the peers by the time that nothing came (LOAD-2).
    fn now(self, now: Nanos) -> u64 {
        mix(kept(now.saturating_sub(self.at)), self.fine, USUAL << FINE)
    }
}

/// The replicas of one path and operation, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Loads {
    usual: [Running; SIZES],
    /// None where nothing has come yet: a new one is as its peers are (F-101).
    replicas: Vec<Option<Estimate>>,
}

impl Loads {
    pub(crate) fn new(replicas: usize) -> Self {
        Self { usual: [Running::default(); SIZES], replicas: alloc::vec![None; replicas] }
    }

    /// Goes on with other replicas: `from` says for each which one it was before, if it was there.
    #[must_use]
    pub(crate) fn carry(&self, from: impl Iterator<Item = Option<usize>>) -> Self {
        let replicas = from.map(|before| self.replicas.get(before?).copied().flatten()).collect();
        Self { usual: self.usual, replicas }
    }

    /// Returns how long a time is for its size, in points: more than [`USUAL`] is longer than usual.
    pub(crate) fn points(&self, size: Size, took: Nanos) -> u64 {
        let usual = self.usual[size.index()].value().unwrap_or(UNKNOWN).max(1);
        let points = u128::from(took) * u128::from(USUAL) / u128::from(usual);
        points.min(u128::from(MOST)) as u64
    }

    /// Forgets what a replica showed: it is taken for what its peers are.
    pub(crate) fn forget(&mut self, replica: usize) {
        if let Some(estimate) = self.replicas.get_mut(replica) {
            *estimate = None;
        }
    }

    /// Takes in what an attempt showed, and returns it in points; push-back and our own faults show nothing (F-106).
    pub(crate) fn record(&mut self, now: Nanos, replica: usize, size: Size, shown: Shown) -> u64 {
        if self.replicas.is_empty() {
            // Of one there is nothing to choose.
            return 0;
        }
        if let Shown::Answered(took) = shown {
            self.usual[size.index()].record(took);
        }
        let points = match shown {
            Shown::Answered(took) | Shown::Silent(took) => self.points(size, took),
            Shown::Failed(clock) => self.points(size, clock.max(FAILURE)).max(USUAL * FAILURE_TIMES),
        };
        let Some(slot) = self.replicas.get_mut(replica) else { return points };
        let before = slot.unwrap_or(Estimate { fine: USUAL << FINE, at: now });
        let fine = points << FINE;
        let blended = mix(kept(now.saturating_sub(before.at)), before.fine, fine);
        let entered = match shown {
            Shown::Answered(_) => blended,
            Shown::Failed(_) => fine.max(before.now(now)),
            Shown::Silent(_) => blended.max(before.now(now)),
        };
        *slot = Some(Estimate { fine: entered, at: now });
        points
    }

    /// Returns what a request would meet there: the lower, the better. `in_flight` is what it does already; `busy`, that it did
    /// not answer a probe in time.
    pub(crate) fn score(&self, now: Nanos, replica: usize, (in_flight, busy): (u64, bool)) -> u64 {
        let estimate = self.replicas.get(replica).copied().flatten();
        let points = estimate.map_or(USUAL, |estimate| estimate.now(now) >> FINE);
        let times = if busy { BUSY } else { 1 };
        in_flight.saturating_add(1).saturating_mul(points.max(1)).saturating_mul(times)
    }
}

/// Chooses one of the scores: two are drawn, the lower one wins (F-100). None of none.
pub(crate) fn choose(entropy: u64, scores: &[u64]) -> Option<usize> {
    let all = scores.len() as u64;
    if all < 2 {
        return (all == 1).then_some(0);
    }
    // The low and the high half of the bits, so that the draws are independent.
    let first = (entropy >> 32) % all;
    let second = (first + 1 + (entropy & 0xFFFF_FFFF) % (all - 1)) % all;
    [first, second].map(|at| at as usize).into_iter().min_by_key(|&at| scores[at])
}

/// Returns what is left of one after a time: a half per half-life, within a two-hundredth.
fn kept(elapsed: Nanos) -> u128 {
    let (halves, rest) = (elapsed / HALF_LIFE, u128::from(elapsed % HALF_LIFE));
    let f = rest * ONE / u128::from(HALF_LIFE);
    // 2^-f for f from 0 to 1, as 1 - 11/16 f + 3/16 f²: exact at both ends.
    let curve = ONE - f * 11 / 16 + f * f / ONE * 3 / 16;
    curve.checked_shr(halves.min(64) as u32).unwrap_or(0)
}

/// Returns `weight` parts of the one and the rest of the other, rounded to the nearest.
fn mix(weight: u128, one: u64, other: u64) -> u64 {
    let sum = u128::from(one) * weight + u128::from(other) * (ONE - weight);
    ((sum + ONE / 2) / ONE) as u64
}

#[cfg(test)]
mod tests;
