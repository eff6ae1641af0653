//! Shadows: who is copied, to which tier, when, and what that costs (F-150, F-151).
//!
//! It draws no lots. It holds copies to what bounds them: a request that was answered, may be copied and is at its end; one
//! copy at a path at once; what they cost; half of a limit.

use std::collections::BTreeMap;

use evenkeel_core::{AttemptId, Nanos, Path, Permille, Revision, RouteId, SECOND, Start, Where};

use super::{
    Broken,
    watch::{Running, Watch},
};

const HOUR: Nanos = 3_600 * SECOND;

/// What is known of copies.
#[derive(Debug)]
pub(super) struct Shadows {
    running: BTreeMap<AttemptId, Running>,
    /// By route.
    purses: Vec<Purse>,
}

#[derive(Clone, Copy, Debug)]
struct Purse {
    share: Permille,
    cost: Permille,
    tiers: u64,
    /// What was put in, and what copies have cost.
    deposited: u64,
    paid: u64,
    dearest: u64,
}

impl Shadows {
    pub(super) fn new(revision: &Revision) -> Self {
        let purse = |route: &evenkeel_core::Route| Purse {
            share: route.shadow.share,
            cost: route.shadow.cost,
            // Each member of an ensemble is exercised for itself.
            tiers: route.tiers.iter().map(|it| it.ensemble.as_ref().map_or(1, |it| it.members.len() as u64)).sum(),
            deposited: 0,
            paid: 0,
            dearest: 0,
        };
        Self { running: BTreeMap::new(), purses: revision.routes.iter().map(purse).collect() }
    }

    /// Returns a copy that runs.
    pub(super) fn running(&self, attempt: AttemptId) -> Option<Running> {
        self.running.get(&attempt).copied()
    }

    /// Notes that a copy is over.
    pub(super) fn over(&mut self, attempt: AttemptId) {
        self.running.remove(&attempt);
    }

    /// Notes a request that was answered, and so pays for copies.
    pub(super) fn ended(&mut self, route: RouteId, cost: u64) {
        self.purses[route.index()].deposited += cost;
    }

    /// Judges a copy that is started.
    pub(super) fn started(&mut self, now: Nanos, start: &Start, (watch, path): (&Watch, &Path)) -> Result<(), Broken> {
        let admit = &watch.admit;
        let broken = |rule, what: &str| Err((rule, Some(start.request), format!("{what}: {start:?}")));
        let purse = &mut self.purses[admit.route.index()];
        // Those of before are not put off by what comes later; each tier may have one an hour that nobody pays.
        (purse.paid, purse.dearest) = (purse.paid + admit.cost, purse.dearest.max(admit.cost));
        let free = (now / HOUR + 1) * purse.tiers * purse.dearest;
        let most = purse.cost.of(purse.deposited) + free;
        match watch.over {
            _ if purse.share == Permille::new(0) => return broken("F-150", "a copy where none is wanted"),
            None | Some(None) => return broken("F-150", "a copy before the client has an answer"),
            Some(Some(tier)) if tier >= start.tier => {
                return broken("F-150", "a copy to a tier that was asked, or above");
            }
            _ => {}
        }
        if !admit.pure || admit.private || admit.sequence.is_some() || path.effects {
            return broken("F-150", "a copy of what may not be copied");
        }
        if path.place == Where::Certain || self.running.values().any(|it| it.path == start.path) {
            return broken("F-150", "a copy to what is certain, or a second one to a path");
        }
        watch.may_ask(start, path)?;
        if purse.paid > most {
            return broken("F-150", &format!("copies cost {}, at most {most} may they", purse.paid));
        }
        self.running.insert(start.attempt, Running::of(start, admit.operation));
        Ok(())
    }

    /// Judges that nothing of them is left.
    pub(super) fn open(&self) -> usize {
        self.running.len()
    }
}
