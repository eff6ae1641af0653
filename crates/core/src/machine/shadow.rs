//! The core and its shadows: what it hears of them, and what it knows by them of its tiers (F-150 to F-153).

use super::Core;
use crate::{
    class::ResultCode,
    clock::Nanos,
    id::{AttemptId, PathId},
    input::Event,
    output::Cancelled,
    proof::Redundancy,
    request::{Shadow, World},
    revision::{Route, Where},
    timer::Owner,
};

impl Core {
    /// Says whether a shadow runs. Changes nothing.
    pub fn is_shadowing(&self, attempt: AttemptId) -> bool {
        self.shadows.contains(attempt)
    }

    /// Hears what happened to a shadow; says whether it is one.
    pub(super) fn shadowed(&mut self, now: Nanos, attempt: AttemptId, event: Event) -> bool {
        if !self.shadows.contains(attempt) {
            return false;
        }
        let of = self.with_shadow(attempt, |it, world| it.event(now, event, world));
        // What it leaves is for those who wait.
        for (_, waiter) in of.map_or(alloc::vec::Vec::new(), |name| self.routes[&name].waiting.clone()) {
            self.with(waiter, |it, world| it.look_again(now, world));
        }
        true
    }

    /// Hears that the clock of a shadow may have fired.
    pub(super) fn shadow_due(&mut self, now: Nanos, attempt: AttemptId) {
        self.with_shadow(attempt, |it, world| it.timeout(now, world));
    }

    /// Stops all shadows: the process does.
    pub(super) fn stop_shadows(&mut self, now: Nanos) {
        for attempt in self.shadows.all() {
            let why = (Cancelled::Drained, ResultCode::Drained);
            self.with_shadow(attempt, |it, world| it.stop(now, world, why));
        }
    }

    /// Lets a shadow act on the world; returns the name of its route where it is over.
    fn with_shadow(
        &mut self,
        id: AttemptId,
        act: impl FnOnce(&mut Shadow, &mut World<'_>),
    ) -> Option<alloc::string::String> {
        let mut shadow = self.shadows.take(id)?;
        let name = shadow.route_name().clone();
        act(&mut shadow, &mut self.world(&name));
        match shadow.due() {
            Some(due) => {
                self.timers.arm(Owner::Shadow(id), due);
                self.shadows.add(id, shadow);
                None
            }
            None => {
                self.timers.disarm(Owner::Shadow(id));
                Some(name)
            }
        }
    }

    /// Says when a tier last answered well, and whether it counts as redundancy (F-153).
    pub(super) fn proven(
        &self,
        now: Nanos,
        route: &Route,
        (tier, eligible): (usize, bool),
    ) -> (Option<Nanos>, Redundancy) {
        let (path, ensemble) = (route.tiers[tier].path, route.tiers[tier].ensemble.as_ref());
        let exercised = |path: PathId| self.paths.state(self.generation.slot(path)).proof.exercised();
        // Of those that vote, as many as must.
        let good = match ensemble {
            None => exercised(path),
            Some(it) => {
                let mut members: alloc::vec::Vec<_> = it.members.iter().map(|path| exercised(*path)).collect();
                members.sort_unstable();
                members[it.members.len() - usize::from(it.quorum)]
            }
        };
        let certain = self.generation.path(path).place == Where::Certain;
        let ago = good.map(|at| now.saturating_sub(at));
        (good, Redundancy::of((certain, eligible), ago, route.rehearsal))
    }
}
