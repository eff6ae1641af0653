//! OV: overload and recovery: a file for what is too much, for what breakers do, and for the way back.

mod breaker;
mod load;
mod recovery;

use std::time::{Duration, Instant};

use crate::{row::Row, run::Run};

/// The rows of these files.
pub(super) const ROWS: &[&[Row]] = &[load::ROWS, breaker::ROWS, recovery::ROWS];

/// A breaker that tries again soon.
const QUICK: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 1s, open_max: 2s}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// Asks until the primary's breaker is open.
async fn open(run: &mut Run) {
    run.break_primary().await;
    for _ in 0..5 {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer", &it.got);
        if run.breaker().await == "open" {
            return;
        }
    }
    let state = run.breaker().await;
    run.must(state == "open", "the path opens", &state);
}

/// Asks until the primary answers again; says how long it took.
async fn normal_again(run: &mut Run, within: Duration) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() < within {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer on the way back", &it.got);
        if it.got.tier() == Some(0) {
            return Some(start.elapsed());
        }
        // The pace of the clients on the way back.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    None
}
