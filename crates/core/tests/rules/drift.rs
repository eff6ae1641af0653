//! Drift, counted again from everything that was ever told of a route.

use evenkeel_core::*;

/// For so long what was told is believed.
const MAX_AGE: Nanos = 60 * SECOND;

/// Everything that was told of a route: when, and what.
#[derive(Default)]
pub(crate) struct NaiveDrift(Vec<(Nanos, u64)>);

impl NaiveDrift {
    pub(crate) fn hear(&mut self, now: Nanos, value: u64) {
        self.0.push((now, value));
    }

    /// The share of requests that the upper tiers get.
    pub(crate) fn share(&self, now: Nanos, policy: Option<&DriftPolicy>) -> Permille {
        let Some(policy) = policy.filter(|it| it.mode == DriftMode::Enforce) else { return Permille::ALL };
        let (mut held, mut back): (Option<Nanos>, Option<Nanos>) = (None, None);
        let mut last = 0;
        let told = self.0.iter().map(|(at, value)| (*at, Some(*value)));
        for (at, value) in told.chain([(now, None)]) {
            if let Some(since) = held.filter(|_| at - last > MAX_AGE) {
                (held, back) = (None, Some((last + MAX_AGE + 1).max(since + policy.every)));
            }
            match (value, held) {
                (None, _) => {}
                (Some(2), None) => (held, back) = (Some(at), None),
                (Some(2), Some(_)) | (Some(_), None) => {}
                (Some(_), Some(since)) => (held, back) = (None, Some(at.max(since + policy.every))),
            }
            last = at;
        }
        match (held, back) {
            (Some(_), _) => Permille::new(0),
            (None, None) => Permille::ALL,
            (None, Some(first)) if now < first => Permille::new(0),
            (None, Some(first)) => {
                policy.ramp.get(((now - first) / policy.every) as usize).copied().unwrap_or(Permille::ALL)
            }
        }
    }
}
