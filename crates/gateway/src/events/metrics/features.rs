//! Metrics of what is fetched and imputed (F-037).

use evenkeel_core::{BreakerState, BreakerTurn, Decision};
use prometheus_client::registry::Registry;

use super::{Counters, Gauges};
use crate::{
    enrich::{Enriched, Plan},
    names,
};

/// What is counted of feature servers.
#[derive(Default)]
pub(super) struct Features {
    fetches: Counters,
    imputed: Counters,
    states: Gauges,
    changes: Counters,
}

impl Features {
    pub(super) fn register(&self, it: &mut Registry) {
        it.register(
            names::FEATURE_FETCHES,
            "Enriched requests by how the feature server answered",
            self.fetches.clone(),
        );
        it.register(names::IMPUTED, "Values that stand in for features, by what stands in", self.imputed.clone());
        let states = self.states.clone();
        it.register(names::FEATURE_BREAKER_STATE, "1 for the state a feature server's breaker is in", states);
        let changes = self.changes.clone();
        it.register(names::FEATURE_BREAKER_CHANGES, "Changes of breakers of feature servers", changes);
    }

    pub(super) fn enriched(&self, decision: &Decision, enriched: &Enriched) {
        let route = || ("route", decision.revision.routes[decision.route.index()].name.clone());
        let fetch = vec![route(), ("upstream", enriched.server.clone()), ("result", enriched.result.into())];
        self.fetches.get_or_create(&fetch).inc();
        for imputed in &enriched.imputed {
            let labels = vec![route(), ("feature", imputed.feature.clone()), ("from", imputed.stand.name().into())];
            self.imputed.get_or_create(&labels).inc_by(imputed.rows);
        }
    }

    pub(super) fn turned(&self, plan: &Plan, turn: &BreakerTurn) {
        let reason = ("reason", turn.reason().name().into());
        let labels = [named(plan), vec![("to", turn.to.name().into()), reason]].concat();
        self.changes.get_or_create(&labels).inc();
    }

    pub(super) fn stand<'a>(&self, servers: impl Iterator<Item = (&'a Plan, BreakerState)>) {
        self.states.clear();
        for (plan, is) in servers {
            for state in BreakerState::ALL {
                let labels = [named(plan), vec![("state", state.name().into())]].concat();
                self.states.get_or_create(&labels).set(i64::from(state == is));
            }
        }
    }
}

fn named(plan: &Plan) -> Vec<(&'static str, String)> {
    vec![("route", plan.route.clone()), ("upstream", plan.server.clone())]
}
