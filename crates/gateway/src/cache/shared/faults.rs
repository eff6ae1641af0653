//! Faults: what of a store does not go, and when it goes again (F-146).
//!
//! Not every fault is one of the connection: a store that is full answers each look-up and takes no write.
//!
//! # Invariants
//! - `FAULTS-1`: a fault is told once, until it is another one, or what it is about has gone well again, which is told, too.
//! - `FAULTS-2`: what goes now and then is no news: it has gone well again once it has not failed for [`CALM`].

use std::time::Duration;

use evenkeel_core::Nanos;

/// How long something has gone well before that is told; with less a store that is nearly full fills the log.
const CALM: Duration = Duration::from_secs(5);

/// What is done with a store, of which each may fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Connect,
    Read,
    Write,
    Delete,
    /// The sign of life.
    Ping,
}

/// What does not go, why, and since when it has not failed.
#[derive(Debug, Default)]
pub(super) struct Faults([Option<(String, Nanos)>; 5]);

/// What is to be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    Fails,
    GoesAgain,
}

impl Doing {
    /// Returns the word of the log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Ping => "ping",
        }
    }
}

impl Faults {
    /// Hears that something has failed, and why.
    pub(super) fn failed(&mut self, now: Nanos, doing: Doing, why: &str) -> News {
        let before = self.0[doing as usize].replace((why.to_owned(), now));
        if before.is_some_and(|(before, _)| before == why) { News::None } else { News::Fails }
    }

    /// Hears that something has gone well.
    pub(super) fn went(&mut self, now: Nanos, doing: Doing) -> News {
        // A connection stands, or does not: it is not made again for as long as it goes well.
        let calm = if doing == Doing::Connect { 0 } else { CALM.as_nanos() as Nanos };
        let fault = &mut self.0[doing as usize];
        match fault.take_if(|(_, last)| now.saturating_sub(*last) >= calm) {
            Some(_) => News::GoesAgain,
            None => News::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn faults_1_f_146_a_second_outage_of_the_same_kind_is_told_again() {
        let mut faults = Faults::default();
        for outage in 0..3 {
            let at = outage * 100 * SECOND;
            assert_eq!(faults.failed(at, Doing::Write, "it says OOM"), News::Fails, "outage {outage}");
            assert_eq!(faults.failed(at + SECOND, Doing::Write, "it says OOM"), News::None);
            assert_eq!(faults.failed(at + 2 * SECOND, Doing::Write, "it says NOPERM"), News::Fails, "another reason");
            assert_eq!(faults.went(at + 50 * SECOND, Doing::Read), News::None, "reads went all the time");
            assert_eq!(faults.went(at + 50 * SECOND, Doing::Write), News::GoesAgain);
            assert_eq!(faults.went(at + 51 * SECOND, Doing::Write), News::None);
        }
    }

    #[test]
    fn faults_2_f_146_what_goes_every_other_time_is_told_once() {
        let mut faults = Faults::default();
        let mut told = Vec::new();
        for at in 0..100 {
            told.push(faults.failed(2 * at * SECOND, Doing::Write, "it says OOM"));
            told.push(faults.went((2 * at + 1) * SECOND, Doing::Write));
        }
        assert_eq!(told.iter().filter(|news| **news != News::None).count(), 1);
        assert_eq!(faults.went(300 * SECOND, Doing::Write), News::GoesAgain);
        assert_eq!(faults.failed(0, Doing::Connect, "no connection"), News::Fails);
        assert_eq!(faults.went(1, Doing::Connect), News::GoesAgain, "a connection is not made twice");
    }
}
