//! Dice: every draw of a world, from one seed.
//!
//! Each purpose rolls dice of its own, so that a server that draws once more does not move the arrivals.
//!
//! # Source
//! SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).

/// A stream of uniform numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Arrivals = 1,
    Clients,
    Servers,
    Script,
    Probes,
    Shadows,
    Drifts,
}

impl Dice {
    /// Makes the dice of a seed for one purpose.
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut dice = Self(seed ^ (purpose as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self(dice.roll())
    }

    /// Draws 64 uniform bits.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Draws a number below a bound, 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.roll()) * u128::from(bound)) >> 64) as u64
    }

    /// Draws a lot that wins with a share in thousandths; shares of none and all draw nothing.
    pub(crate) fn share(&mut self, permille: u16) -> bool {
        match permille {
            0 => false,
            1_000.. => true,
            share => self.below(1_000) < u64::from(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_wins_about_that_often_and_purposes_do_not_go_hand_in_hand() {
        let mut dice = Dice::new(7, Purpose::Servers);
        let won = (0..100_000).filter(|_| dice.share(250)).count();
        assert!(won.abs_diff(25_000) < 600, "{won}");
        let first = |purpose| Dice::new(7, purpose).roll();
        assert_ne!(first(Purpose::Arrivals), first(Purpose::Clients));
    }
}
