//! Integers that cannot be out of range: shares in thousandths.

/// A share from 0 to 1,000 thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permille(u16);

impl Permille {
    /// Everything.
    pub const ALL: Self = Self(1_000);

    /// Takes a number of thousandths; more than 1,000 is 1,000.
    pub const fn new(thousandths: u16) -> Self {
        if thousandths > 1_000 { Self::ALL } else { Self(thousandths) }
    }

    /// Returns the number of thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// Draws the lot of a request, 0 to 999, from its uniform bits.
    ///
    /// The bits are mixed first (SplitMix64's finaliser, Steele and others 2014), so that other draws from the same
    /// bits, the choice of a replica for one, do not go hand in hand with this one.
    pub const fn lot(entropy: u64) -> u16 {
        let mut bits = entropy ^ 0x9E37_79B9_7F4A_7C15;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % 1_000) as u16
    }

    /// Says whether the lot of these bits falls into the share.
    pub const fn draws(self, entropy: u64) -> bool {
        Self::lot(entropy) < self.0
    }

    /// Returns this share of a number, rounded down.
    pub const fn of(self, whole: u64) -> u64 {
        (whole as u128 * self.0 as u128 / 1_000) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_draws_about_that_many_lots() {
        for share in [0, 50, 250, 1_000] {
            let drawn = (0..100_000).filter(|n| Permille::new(share).draws(*n)).count();
            assert!(drawn.abs_diff(usize::from(share) * 100) <= 300, "{share} permille drew {drawn} of 100,000");
        }
    }
}
