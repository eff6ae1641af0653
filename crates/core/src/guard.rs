//! Guard: a number that was measured of a request's input, and from which tier on it is answered where that is out of bounds.
//!
//! It measures nothing: the shell does, before the request is admitted, and brings integers. Like what was imputed (F-037) they
//! lie in the request: a tier is skipped for them, and no path is blamed.
//!
//! # Invariants
//! - `GRD-1`: a signal that was not measured compares nothing: unknown never breaches (F-184).
//! - `GRD-2`: what goes on with a sequence is not compared: its state is at one tier, and nowhere else (OIP-36).
//!
//! # Source
//! `docs/design/signals.md`, sections 2 and 7.

use alloc::vec::Vec;

use crate::fact::Signal;

/// What a route takes of one signal, and where what it does not take starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What is compared; it has to be one of [`Signal::is_about_input`].
    pub signal: Signal,
    /// What it is held against, in the quantum of the signal.
    pub threshold: u64,
    /// The first tier that takes what breaches; those above it are compared.
    pub start_at: u8,
}

/// What guards have measured of a request, as integers: the last word on a signal counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardVerdict(Vec<(Signal, u64)>);

impl GuardVerdict {
    /// Notes a measurement.
    ///
    /// # Units
    /// `anomaly_p` and `distance_p` in millionths; `missing_ratio` and `fallback_risk` in ten-thousandths; `staleness_ms` in milliseconds; the
    /// others are counts.
    pub fn note(&mut self, signal: Signal, value: u64) {
        self.0.retain(|(it, _)| *it != signal);
        self.0.push((signal, value));
    }

    /// Returns everything that was measured, in the order of its last word.
    pub(crate) fn all(&self) -> &[(Signal, u64)] {
        &self.0
    }

    /// Returns what was measured of a signal; none where nothing was.
    pub fn of(&self, signal: Signal) -> Option<u64> {
        self.0.iter().find(|(it, _)| *it == signal).map(|(_, value)| *value)
    }
}

impl FromIterator<(Signal, u64)> for GuardVerdict {
    fn from_iter<T: IntoIterator<Item = (Signal, u64)>>(measured: T) -> Self {
        let mut verdict = Self::default();
        measured.into_iter().for_each(|(signal, value)| verdict.note(signal, value));
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_signal_counts_and_what_was_not_measured_is_unknown() {
        let verdict: GuardVerdict =
            [(Signal::AnomalyP, 9), (Signal::Noise, 1), (Signal::AnomalyP, 4)].into_iter().collect();
        let read = [Signal::AnomalyP, Signal::Noise, Signal::MissingRatio].map(|signal| verdict.of(signal));
        assert_eq!(read, [Some(4), Some(1), None], "GRD-1");
    }
}
