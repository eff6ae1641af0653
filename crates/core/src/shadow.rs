//! Shadow: copies of live requests that keep the lower tiers exercised (F-150, F-151).
//!
//! A shadow is no attempt of its request: that has had its terminal outcome and its record. It is work of its own, one call
//! to one tier, whose end is evidence as any other's. Which request is copied to which tier is drawn in `request::shadow`;
//! here are the bounds of how many there are and what they may cost.
//!
//! # Why a purse, and an hour
//! A share alone would follow the traffic: too dear on a busy route, nothing at all on a quiet one. What shadows cost is at
//! most a hundredth of what the route costs; and a tier that nobody has asked for an hour is asked, whatever that costs.
//!
//! # Invariants
//! - `SHA-1`: no shadow of what may not be asked twice, belongs to a sequence, or is private; none before its client was
//!   answered.
//! - `SHA-2`: one shadow at a path at once, [`MOST`] in all.
//! - `SHA-3`: over any hour shadows cost no more than the share of the hour before, but for one an hour and tier.
//! - `SHA-4`: none on a path that is open, at a gate that is closed or whose first try a request may want, or at a replica that
//!   is half used or pushed back lately.
//! - `SHA-5`: what was kept, or waited for, is no request of any model: it pays for no shadow, and draws none but that of an hour.
//!
//! # Source
//! `docs/design/failures.md`, section 11.

use alloc::{collections::BTreeMap, string::String, sync::Arc};

use crate::{
    clock::{Nanos, SECOND},
    id::AttemptId,
    path::Generation,
    proof::HOUR,
    request::Shadow,
    revision::BudgetPolicy,
    unit::Permille,
};

/// Shadows at once, of all routes.
const MOST: usize = 64;
/// For so long after push-back a replica is left alone, and a gate whose time is over is left to requests (F-151).
pub(crate) const QUIET: Nanos = 60 * SECOND;
/// Of a limit, what may be in flight with a shadow (F-151).
pub(crate) const HALF: Permille = Permille::new(500);

/// Which requests of a route are copied to its lower tiers. By default none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowPolicy {
    /// The share of requests that each tier below the first gets; with 0 none does.
    pub share: Permille,
    /// What shadows may cost of what the route does.
    pub cost: Permille,
}

impl ShadowPolicy {
    /// Returns how the purse of a route is filled.
    pub(crate) const fn purse(self) -> BudgetPolicy {
        BudgetPolicy { ratio: self.cost, floor: 0, per: HOUR }
    }
}

impl Default for ShadowPolicy {
    fn default() -> Self {
        Self { share: Permille::new(0), cost: Permille::new(10) }
    }
}

/// All shadows that run.
#[derive(Debug, Default)]
pub(crate) struct Shadows {
    running: BTreeMap<AttemptId, Shadow>,
}

impl Shadows {
    /// Says whether one more may run at a path.
    pub(crate) fn has_room(&self, slot: u32) -> bool {
        self.running.len() < MOST && self.running.values().all(|it| it.slot() != slot)
    }

    pub(crate) fn add(&mut self, id: AttemptId, shadow: Shadow) {
        self.running.insert(id, shadow);
    }

    pub(crate) fn take(&mut self, id: AttemptId) -> Option<Shadow> {
        self.running.remove(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(crate) fn contains(&self, id: AttemptId) -> bool {
        self.running.contains_key(&id)
    }

    /// Returns the ids of all, in the order of their starts.
    pub(crate) fn all(&self) -> alloc::vec::Vec<AttemptId> {
        self.running.keys().copied().collect()
    }

    /// Returns the revisions that they run on.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.running.values().map(Shadow::generation)
    }

    /// Says whether one of them is of a route.
    pub(crate) fn is_of(&self, route: &String) -> bool {
        self.running.values().any(|it| it.route_name() == route)
    }

    /// Hears that nobody listened for a time (PR-09).
    pub(crate) fn paused(&mut self, by: Nanos, unheard: Nanos) {
        self.running.values_mut().for_each(|it| it.paused(by, unheard));
    }
}
