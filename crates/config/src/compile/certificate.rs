//! What is promised of the thresholds of a route, and how it steps back from that.

use std::sync::Arc;

use evenkeel_core::StepPolicy;

use crate::{
    calibration::Certified,
    check::certificate::void,
    outside::Outside,
    schema::{certificate::Mode, route::Route},
};

/// A certificate, the name under which states have it, and why it promises nothing of the route, where it does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Issued {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// What stands in it.
    pub certified: Arc<Certified>,
    /// Why it is void.
    pub void: Option<String>,
    /// The route steps back where the promise is not kept.
    pub enforced: bool,
    /// The thresholds that it steps back to, each safer than the one before and than those of the configuration. After the last the
    /// model with which it compares answers alone.
    pub ladder: Vec<f64>,
}

impl Issued {
    /// Returns how far its route can step back, where it does.
    pub(crate) fn policy(&self) -> Option<StepPolicy> {
        let last = u8::try_from(self.certified.tiers.len()).ok()?.checked_sub(1)?;
        let thresholds = u8::try_from(self.ladder.len()).ok()?;
        self.enforced.then_some(StepPolicy { last, thresholds })
    }

    /// Returns the threshold so many steps back; none where nobody is asked any more of whom something is promised.
    pub fn stepped(&self, steps: u8) -> Option<f64> {
        self.ladder.get(usize::from(steps).checked_sub(1)?).copied()
    }
}

pub(super) fn issued(route: &Route, outside: &Outside) -> Option<Issued> {
    let it = route.certificate.as_ref()?;
    let certified = outside.certificate(it.file());
    let void = void(&certified, route, outside);
    let promised = certified.tiers.len().saturating_sub(1);
    let accepts = route.tiers.iter().take(promised).filter_map(|tier| tier.accept.as_ref());
    let least = accepts.map(|it| it.at_least).fold(f64::INFINITY, f64::min);
    let mut ladder: Vec<_> = certified.ladder.iter().copied().filter(|it| *it > least).collect();
    ladder.sort_by(f64::total_cmp);
    ladder.dedup();
    Some(Issued {
        sha256: outside.file(it.file()).sha256,
        certified,
        void,
        enforced: it.mode() == Mode::Enforce,
        ladder,
    })
}
