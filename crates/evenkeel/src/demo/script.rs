//! The script: what breaks when, in tenths of the demo's length.
//!
//! Servers break behind their sockets. The model in this process breaks as such models do: a bad one is rolled out.

use std::{sync::Arc, time::Duration};

use evenkeel_config::Deployment;
use evenkeel_gateway::Gateway;
use evenkeel_mock::{Body, Fault, Mock, Rule};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::summary::Tally;

/// What the script acts on.
pub(super) struct Stage<'a> {
    pub(super) gateway: &'a Gateway,
    /// The servers of tier 0, of every route.
    pub(super) primaries: [&'a Mock; 2],
    /// The server of tier 1.
    pub(super) below: &'a Mock,
    /// The configuration, and the one that a bad model is rolled out with.
    pub(super) good: Arc<Deployment>,
    pub(super) bad: Arc<Deployment>,
}

/// One step: after so many tenths, this happens to that tier of every route.
struct Step {
    tenth: u32,
    tier: u8,
    /// What people read, and what the servers do; none when all is well again.
    fault: Option<(&'static str, Fault)>,
}

impl Stage<'_> {
    /// Plays the script from `start` on.
    pub(super) async fn play(&self, length: Duration, tally: &Mutex<Tally>, start: Instant) -> anyhow::Result<()> {
        for Step { tenth, tier, fault } in steps() {
            tokio::time::sleep_until(start + length * tenth / 10).await;
            let (words, fault) = fault.unzip();
            let rules: Vec<Rule> = fault.into_iter().map(Rule::new).collect();
            if tier == 0 {
                self.primaries.iter().for_each(|mock| mock.set_faults(rules.clone()));
            } else {
                let deployment = if rules.is_empty() { &self.good } else { &self.bad };
                self.below.set_faults(rules);
                let applied = self.gateway.apply(deployment.clone());
                applied.map_err(|unfit| anyhow::anyhow!("the demo's own configuration: {unfit:?}"))?;
            }
            tally.lock().fault(tier, words, start.elapsed());
        }
        Ok(())
    }
}

fn steps() -> Vec<Step> {
    let unavailable = || Fault::Status {
        status: 503,
        body: Body::default(),
        kind: None,
        code: None,
        message: None,
        retry_after: None,
        retry_after_ms: None,
        retry_after_date_s: None,
    };
    let step = |tenth, tier, fault| Step { tenth, tier, fault };
    vec![
        step(1, 0, Some(("slow", Fault::Latency { ms: 1_500 }))),
        step(2, 0, Some(("503", unavailable()))),
        step(3, 1, Some(("503, or a bad model", unavailable()))),
        step(4, 0, Some(("silent", Fault::Silence { for_ms: None }))),
        step(5, 1, None),
        step(6, 0, None),
    ]
}
