//! Publish: what monitors say is told to the core, second by second.

use std::{
    sync::{Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use evenkeel_core::RouteId;

use crate::gateway::Shared;

/// From one look to the next.
const TICK: Duration = Duration::from_secs(1);

/// Tells the core how routes stand for as long as the gateway lives.
pub(crate) async fn publish(gateway: Weak<Shared>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(gateway) = gateway.upgrade() else { return };
        let (applied, clock) = (gateway.applied.load_full(), gateway.driver.clock);
        let now = clock.now();
        let wall = super::nanos(clock.wall(now));
        for (at, monitor) in applied.monitors.iter().enumerate() {
            let Some(seen) = monitor.as_ref().and_then(|it| it.tick(wall, now)) else { continue };
            if let Some(guard) = &applied.guards[at] {
                guard.drift().store(u8::try_from(seen.value).unwrap_or(u8::MAX), Relaxed);
            }
            gateway.driver.drifts(&applied.deployment.revision, RouteId(at as u16), &seen);
        }
    }
}
