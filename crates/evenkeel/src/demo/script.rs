//! The script: what breaks when, in tenths of the demo's length.

use std::{sync::Arc, time::Duration};

use evenkeel_mock::{Body, Fault, Mock, Rule};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::summary::Tally;

/// One step: after so many tenths, this happens to that model.
struct Step {
    tenth: u32,
    primary: bool,
    /// What people read; none when the model is well again.
    fault: Option<(&'static str, Fault)>,
}

/// Plays the script from `start` on.
pub(super) async fn play(length: Duration, primary: &Mock, below: &Mock, tally: &Arc<Mutex<Tally>>, start: Instant) {
    for step in steps() {
        tokio::time::sleep_until(start + length * step.tenth / 10).await;
        let mock = if step.primary { primary } else { below };
        let tier = u8::from(!step.primary);
        let words = step.fault.as_ref().map(|(words, _)| *words);
        mock.set_faults(step.fault.map(|(_, fault)| Rule::new(fault)).into_iter().collect());
        tally.lock().fault(tier, words, start.elapsed());
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
    let step = |tenth, primary, fault| Step { tenth, primary, fault };
    vec![
        step(1, true, Some(("slow", Fault::Latency { ms: 1_500 }))),
        step(2, true, Some(("503", unavailable()))),
        step(3, false, Some(("503", unavailable()))),
        step(4, true, Some(("silent", Fault::Silence { for_ms: None }))),
        step(5, false, None),
        step(6, true, None),
    ]
}
