//! Limits: all limiters, and the attempts that were cancelled and whose end nobody has seen yet (F-172).
//!
//! A limiter belongs to a model at the address of a replica: whoever names both, on whatever route, shares it (F-081).
//!
//! # Invariants
//! - `LIMS-1`: a cancelled attempt stays in flight until its close is seen, and for [`PATIENCE`] at most.
//! - `LIMS-2`: state lives across revisions that keep address and model (F-074), and while something is in flight.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::{
    clock::{Nanos, SECOND},
    id::{AttemptId, PathId},
    limiter::{Limiter, Said},
    revision::{Path, Revision, Where},
};

/// How long a cancelled attempt is waited for (F-172).
pub(crate) const PATIENCE: Nanos = 30 * SECOND;

/// An address and a model.
type Key = (String, String);

/// A cancelled attempt whose call is not seen closed.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) limiter: u32,
    pub(crate) revision: Arc<Revision>,
    pub(crate) path: PathId,
}

/// All limiters, under numbers that outlive a revision.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    keys: BTreeMap<Key, u32>,
    limiters: BTreeMap<u32, Limiter>,
    leaving: BTreeMap<AttemptId, Leaving>,
    next: u32,
}

impl Limits {
    /// Finds or makes the limiters of every path of a revision, one per replica, and drops those that neither it nor `used`
    /// names and that are empty.
    pub(crate) fn apply(&mut self, revision: &Revision, used: impl Fn(u32) -> bool) -> Vec<Vec<u32>> {
        let old = core::mem::take(&mut self.keys);
        let paths: Vec<_> = revision.paths.iter().map(|path| self.before(path, revision, &old)).collect();
        let named: Vec<u32> = self.keys.values().copied().collect();
        self.limiters.retain(|id, limiter| named.contains(id) || used(*id) || limiter.in_flight() > 0);
        paths
    }

    fn before(&mut self, path: &Path, revision: &Revision, old: &BTreeMap<Key, u32>) -> Vec<u32> {
        let Where::Remote(upstream) = path.place else { return Vec::new() };
        let class = revision.routes[path.route.index()].priority;
        let replicas = revision.upstreams[upstream.index()].replicas.iter();
        let Self { keys, limiters, next, .. } = self;
        let limiter = |address: &String| {
            let key = (address.clone(), path.model.clone());
            let kept = old.get(&key).copied();
            let id = *keys.entry(key).or_insert_with(|| {
                let id = kept.unwrap_or_else(|| {
                    *next += 1;
                    *next
                });
                limiters.entry(id).or_default().adopt(path.limit);
                id
            });
            limiters.entry(id).or_default().claim(class);
            id
        };
        replicas.map(limiter).collect()
    }

    pub(crate) fn at(&self, limiter: u32) -> &Limiter {
        self.limiters.get(&limiter).expect("a limiter lives as long as a revision that names it")
    }

    pub(crate) fn at_mut(&mut self, limiter: u32) -> &mut Limiter {
        self.limiters.get_mut(&limiter).expect("a limiter lives as long as a revision that names it")
    }

    /// Notes that an attempt was cancelled: it stays in flight.
    pub(crate) fn leave(&mut self, attempt: AttemptId, leaving: Leaving) {
        self.leaving.insert(attempt, leaving);
    }

    /// Takes a cancelled attempt out of flight, and returns what is known of it; none where it was out already.
    pub(crate) fn left(&mut self, now: Nanos, attempt: AttemptId) -> Option<Leaving> {
        let leaving = self.leaving.remove(&attempt)?;
        if let Some(limiter) = self.limiters.get_mut(&leaving.limiter) {
            limiter.end(now, attempt, Said::Other);
        }
        Some(leaving)
    }

    /// Returns the weight that is in flight anywhere.
    pub(crate) fn in_flight(&self) -> u64 {
        self.limiters.values().map(Limiter::in_flight).sum()
    }
}
