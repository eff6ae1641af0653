//! Recovery: once the trouble is over, all is well again in time, without anybody, and nothing is left behind (rule 11,
//! F-190).

use evenkeel_core::{BreakerState, Core, Nanos, RouteId, SECOND};

/// Since when all is well.
#[derive(Debug)]
pub(super) struct Recovery {
    /// When faults and passing clients begin and end.
    trouble: Option<(Nanos, Nanos)>,
    well: bool,
    since: Nanos,
    /// The longest that a path which flapped may stay away beyond what others may (F-067).
    away: Nanos,
}

impl Recovery {
    pub(super) fn new(trouble: Option<(Nanos, Nanos)>) -> Self {
        Self { trouble, well: true, since: 0, away: 0 }
    }

    /// Notes how things stand, and for how much longer than others a path may stay away that flapped.
    pub(super) fn note(&mut self, now: Nanos, well: bool, away: Nanos) {
        if well != self.well {
            (self.well, self.since, self.away) = (well, now, away);
        }
    }

    /// Returns since when all is well; none while it is not.
    pub(super) fn well_since(&self) -> Option<Nanos> {
        self.well.then_some(self.since)
    }

    /// Judges the end: `left` are requests and calls that are still there. Without a time only these are judged.
    pub(super) fn end(
        &self,
        now: Nanos,
        core: &Core,
        left: (usize, usize),
        within: Option<Nanos>,
    ) -> Result<(), String> {
        if left != (0, 0) || core.open() > 0 {
            return Err(format!("{} requests and {} calls at servers are left behind", left.0, left.1));
        }
        if core.waiting() > 0 {
            return Err(format!("nobody is there, and {} places in queues are taken", core.waiting()));
        }
        let Some(within) = within else { return Ok(()) };
        if !core.is_quiet() {
            let why = core.next_timeout().map(|(_, why)| why);
            return Err(format!("nobody is there, and the core still waits for {why:?}"));
        }
        let routes = (0..core.revision().routes.len() as u16).map(RouteId);
        for (at, state) in routes.map(|route| (route, core.route_state(now, route))) {
            let name = &core.revision().routes[at.index()].name;
            let shut = state.tiers.iter().any(|tier| tier.breaker == BreakerState::Open);
            if state.start != 0 || shut || state.tiers[0].breaker != BreakerState::Closed {
                return Err(format!("`{name}` starts at tier {} for good: {:?}", state.start, state.tiers));
            }
        }
        let over = self.trouble.map_or(0, |(_, over)| over);
        // Goodput is judged elsewhere; a path that flaps is back after its own, longer, open time and its ramp.
        let within = within + self.away;
        match self.since.checked_sub(over) {
            Some(took) if self.well && took > within => {
                Err(format!("well again only {} s after the trouble was over", took / SECOND))
            }
            _ => Ok(()),
        }
    }
}
