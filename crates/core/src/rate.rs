//! Rate: how much a stream must say, and in which time (F-029).
//!
//! It compares; counting what a stream says is the shell's, and what follows from too little is `request`'s. A stream that
//! says one token a second is never silent, so no clock ends it.
//!
//! # Invariants
//! - `RATE-1`: a path that asks nothing finds nobody slow.

use crate::{
    clock::{Nanos, SECOND},
    fact::{Fact, Signal},
};

/// The time over which a stream is judged. Shorter, and a server that gathers its tokens looks slow between two bursts.
pub const RATE_WINDOW: Nanos = 10 * SECOND;

/// Returns the tokens that a stream must say in [`RATE_WINDOW`], where its path asks for so many a second.
pub const fn least_tokens(min_rate: u16) -> u64 {
    min_rate as u64 * (RATE_WINDOW / SECOND)
}

/// Compares what a stream of a tier has said in [`RATE_WINDOW`] with the least; returns the fact where that is too little.
pub(crate) fn too_little(tier: u8, said: u64, min_rate: u16) -> Option<Fact> {
    let fact = Fact::new(tier, Signal::TokensSaid, said, least_tokens(min_rate));
    fact.breached().then_some(fact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_029_less_than_the_least_is_too_little_and_nothing_is_less_than_nothing() {
        assert_eq!([too_little(0, 19, 2).is_some(), too_little(0, 20, 2).is_some()], [true, false]);
        assert_eq!(too_little(0, 0, 0), None, "RATE-1");
        assert_eq!(least_tokens(u16::MAX), 655_350);
    }
}
