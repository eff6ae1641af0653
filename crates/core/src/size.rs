//! Size: how large a request is, in six bands, so that latencies are compared with their like.
//!
//! Not its cost (`budget`): a band only says which others it may be held against.
//!
//! # When it misleads
//! Within a band the longest prompt is four times the shortest. The bands are for factors, not for shares.

use crate::{input::Admit, revision::Operation};

/// How many bands there are.
pub(crate) const SIZES: usize = 6;
/// The end of the first band; every next one is four times as long.
const FIRST: u64 = 256;

/// The band of a request, by its prompt tokens, or for tensors by its input in units of four bytes, which is what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(u8);

impl Size {
    /// Returns the band of a request.
    pub(crate) fn of_request(admit: &Admit) -> Self {
        Self::of(if admit.operation == Operation::Infer { admit.cost / 1_000 } else { admit.tokens })
    }

    /// Puts a number of units into its band.
    pub(crate) const fn of(units: u64) -> Self {
        let (mut band, mut end) = (0, FIRST);
        while band + 1 < SIZES && units >= end {
            (band, end) = (band + 1, end * 4);
        }
        Self(band as u8)
    }

    /// Returns the position of the band in a table of [`SIZES`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_grow_by_four() {
        let edges = [0, 255, 256, 1_023, 1_024, 4_095, 4_096, 16_384, 65_535, 65_536, u64::MAX];
        assert_eq!(edges.map(|units| Size::of(units).index()), [0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 5]);
    }
}
