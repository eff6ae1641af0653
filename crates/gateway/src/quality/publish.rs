//! Publish: how far routes have gone back from their certificates is told to the core.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use evenkeel_core::{RouteId, RouteSignal};

use crate::{gateway::Shared, snapshot::Applied};

/// From one look to the next. A core that was lost and began anew is told again.
const TICK: Duration = Duration::from_secs(1);

/// Tells the core for as long as the gateway lives.
pub(crate) async fn publish(gateway: Weak<Shared>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(gateway) = gateway.upgrade() else { return };
        tell(&gateway, &gateway.applied.load_full());
    }
}

/// Tells it once, of each route that has a certificate.
pub(crate) fn tell(gateway: &Shared, applied: &Arc<Applied>) {
    for (at, (route, spec)) in applied.deployment.revision.routes.iter().zip(&applied.deployment.routes).enumerate() {
        if !spec.certificate.as_ref().is_some_and(|it| it.enforced) {
            continue;
        }
        let tested = gateway.events.quality.tested(&route.name);
        let told = tested.map_or((0, 0), |it| (u64::from(it.steps), it.rows));
        gateway.driver.says(&applied.deployment.revision, (RouteId(at as u16), RouteSignal::Certificate), told);
    }
}
