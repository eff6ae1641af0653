//! Episode: how long a route was degraded, from the transition that left tier 0 to the one that came back.
//!
//! A route that stands below tier 0 is in no histogram yet: its length is not known before its end.

use std::collections::BTreeMap;

use evenkeel_core::{Nanos, Reason, Revision, Transition};

/// The episodes that have begun, by route: one at most each. Keyed by name, so that they survive a reload.
#[derive(Debug, Default)]
pub(super) struct Episodes(BTreeMap<String, Begun>);

#[derive(Debug)]
struct Begun {
    at: Nanos,
    cause: Reason,
}

impl Episodes {
    /// Takes note of a transition; where it ends an episode, returns what caused that one and how long it was.
    pub(super) fn transition(&mut self, it: &Transition) -> Option<(Reason, Nanos)> {
        let route = &it.revision.routes[it.route.index()].name;
        if it.from == 0 {
            self.0.insert(route.clone(), Begun { at: it.at, cause: it.reason });
        }
        if it.to > 0 {
            return None;
        }
        let begun = self.0.remove(route)?;
        Some((begun.cause, it.at.saturating_sub(begun.at)))
    }

    /// Forgets routes that are no more.
    pub(super) fn applied(&mut self, revision: &Revision) {
        self.0.retain(|route, _| revision.route(route).is_some());
    }
}
