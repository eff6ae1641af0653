//! The demo: mock models, a gateway, traffic, and a script that breaks the primary and, for a while, what stands below.
//!
//! Nothing is played: the gateway is the one that `serve` runs, the models are behind real sockets, and every answer is
//! read to its end by a client that believes nothing.
//!
//! # What happens
//! In tenths of its length: at 1 the primary becomes slow, at 2 it fails with 503, at 3 tier 1 fails as well, at 4 the
//! primary falls silent, at 5 tier 1 is well again, at 6 the primary is.

mod picture;
mod script;
mod summary;
mod traffic;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use evenkeel_mock::{Mock, Options, Pace};
use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) use summary::Summary;
use summary::Tally;

/// The configuration; the addresses of the mocks are put in.
const CONFIG: &str = include_str!("demo/evenkeel.yaml");

/// Runs the demo and returns what came of it.
pub(crate) async fn run(length: Duration) -> anyhow::Result<Summary> {
    let (large, small) = (mock(1, 30).await?, mock(2, 8).await?);
    let text = CONFIG.replace("LARGE", &large.url()).replace("SMALL", &small.url());
    let loaded = load_text("demo", &text, std::path::Path::new("."));
    let deployment =
        loaded.deployment.ok_or_else(|| anyhow!("the demo's own configuration: {:?}", loaded.diagnostics))?;
    let gateway = Gateway::start(deployment.clone()).await?;
    let start = Instant::now();
    let tally = Arc::new(Mutex::new(Tally::new(&deployment.revision)));
    let heard = tokio::spawn(listen(gateway.clone(), tally.clone(), start));
    let traffic = traffic::start(&gateway, &deployment.revision, tally.clone(), start);
    let drawing = tokio::spawn(picture::draw(gateway.clone(), tally.clone(), length));
    script::play(length, &large, &small, &tally, start).await;
    tokio::time::sleep_until(start + length).await;
    traffic.stop().await;
    drawing.abort();
    heard.abort();
    gateway.shutdown(Duration::from_secs(1)).await;
    let summary = tally.lock().summary();
    Ok(summary)
}

async fn mock(seed: u64, first_token_ms: u64) -> anyhow::Result<Mock> {
    let pace = Pace {
        tokens: 16,
        first_token: Duration::from_millis(first_token_ms),
        token_delay: Duration::from_millis(2),
        ..Pace::default()
    };
    Mock::start(Options { seed, pace, ..Options::default() }).await.context("cannot start a mock model")
}

/// Notes transitions as they happen.
async fn listen(gateway: Gateway, tally: Arc<Mutex<Tally>>, start: Instant) {
    let mut watch = gateway.watch();
    loop {
        match watch.recv().await {
            Ok(Happened::Transition(it)) => tally.lock().transition(&it, start.elapsed()),
            Ok(Happened::Decision(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
