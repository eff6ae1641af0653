//! Probes: asks replicas whether they are ready, when the core wants to know (`failures.md`, section 8).
//!
//! What an answer means for a path is the core's. Each probe is made at a moment that entropy draws, so that several gateways
//! do not ask in step (OV-14).

use std::{sync::Weak, time::Duration};

use evenkeel_core::{Found, Input, Probe};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::gateway::Shared;

/// Makes the probes that are wanted, for as long as the gateway lives. Those that wait to be made are at most one a replica
/// (`PROBE-2`).
pub(crate) async fn serve(shared: Weak<Shared>, mut wanted: UnboundedReceiver<Probe>) {
    let mut running = JoinSet::new();
    while let Some(probe) = wanted.recv().await {
        while running.try_join_next().is_some() {}
        let Some(alive) = shared.upgrade() else { return };
        let delay = alive.entropy.draw().checked_rem(probe.within).unwrap_or(0);
        let shared = shared.clone();
        running.spawn(async move {
            sleep(Duration::from_nanos(delay)).await;
            make(&shared, &probe).await;
        });
    }
}

/// Makes one probe; none of a replica that is no longer there.
async fn make(shared: &Weak<Shared>, probe: &Probe) {
    let Probe { probe: id, revision, upstream, replica, .. } = probe;
    let named = &revision.upstreams[upstream.index()];
    let Some(policy) = named.probe else { return };
    let (upstream, at) = {
        let Some(alive) = shared.upgrade() else { return };
        let applied = alive.applied.load();
        let address = &named.replicas[replica.index()];
        // A reload that keeps the replica keeps the probe.
        let all = applied.deployment.revision.upstreams.iter().zip(&applied.upstreams);
        let same = |(it, _): &(&evenkeel_core::Upstream, _)| it.name == named.name;
        let Some((it, upstream)) = all.into_iter().find(same) else { return };
        let Some(at) = it.replicas.iter().position(|it| it == address) else { return };
        (upstream.clone(), at)
    };
    let asked = timeout(Duration::from_nanos(policy.timeout), upstream.is_ready(at)).await;
    let Some(found) = asked.unwrap_or(Some(Found::Busy)) else { return };
    if found == Found::Unknown && upstream.is_first_doubt(at) {
        tracing::warn!(
            target: "evenkeel::upstream",
            upstream = named.name,
            replica = at,
            "the readiness probe is turned away: its credential or its address is wrong, or the server has no such place; \
             neither healthy nor down follows from it (`probe: off` ends it)"
        );
    }
    if let Some(alive) = shared.upgrade() {
        alive.events.metrics.probed(&named.name, *replica, found);
        alive.driver.feed(Input::Probed { probe: *id, found });
    }
}
