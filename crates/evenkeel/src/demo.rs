//! The demo: mock models, a gateway, traffic, and a script that breaks the primary and, for a while, what stands below.
//!
//! Nothing is played: the gateway is the one that `serve` runs, the models are behind real sockets, and every answer is
//! read to its end by a client that believes nothing.
//!
//! # What happens
//! In tenths of its length: at 1 the primaries become slow, at 2 they fail with 503, at 3 tier 1 fails as well (the small
//! language model with 503; the distilled model is replaced with one that answers in per cent), at 4 the primaries fall
//! silent, at 5 tier 1 is well again, at 6 the primaries are.

mod homes;
mod picture;
mod script;
mod summary;
mod traffic;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use evenkeel_config::{Deployment, load_text};
use evenkeel_gateway::{Gateway, Happened};
use evenkeel_mock::{Mock, OipModel, Options, Pace};
use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) use summary::Summary;
use summary::Tally;

use self::script::Stage;
use crate::{output, served::served};

/// The configuration; the addresses of the mocks are put in.
const CONFIG: &str = include_str!("demo/evenkeel.yaml");

/// Runs the demo and returns what came of it. What is kept of requests goes into the folder that is named, else into one that
/// goes with the demo.
pub(crate) async fn run(length: Duration, data_dir: Option<PathBuf>) -> anyhow::Result<Summary> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    homes::unpack(folder.path()).context("cannot write into the temporary folder")?;
    let oip = BTreeMap::from([("home-value".to_owned(), served(homes::PRIMARY)?)]);
    let none = BTreeMap::new;
    let (large, small, homes) = (mock(1, 30, none()).await?, mock(2, 8, none()).await?, mock(3, 4, oip).await?);
    let text = CONFIG.replace("LARGE", &large.url()).replace("SMALL", &small.url()).replace("HOMES", &homes.url());
    let compile = |text: &str| compile(text, folder.path(), data_dir.clone());
    let deployment = compile(&text)?;
    let bad = compile(&text.replace("distilled.onnx", "per-cent.onnx"))?;
    let gateway = Gateway::start_recording(deployment.clone(), &[]).await?;
    output::note(picture::legend(gateway.address()));
    let start = Instant::now();
    let tally = Arc::new(Mutex::new(Tally::new(&deployment.revision)));
    #[expect(clippy::disallowed_methods, reason = "it is aborted at the end of the demo")]
    let heard = tokio::spawn(listen(gateway.clone(), tally.clone(), start));
    let traffic = traffic::start(&gateway, &deployment.revision, tally.clone(), start);
    #[expect(clippy::disallowed_methods, reason = "it is aborted at the end of the demo")]
    let drawing = tokio::spawn(picture::draw(gateway.clone(), tally.clone(), length));
    let stage = Stage { gateway: &gateway, primaries: [&large, &homes], below: &small, good: deployment, bad };
    stage.play(length, &tally, start).await?;
    tokio::time::sleep_until(start + length).await;
    traffic.stop().await;
    drawing.abort();
    heard.abort();
    gateway.shutdown(Duration::from_secs(1)).await;
    let summary = tally.lock().summary();
    Ok(summary)
}

fn compile(text: &str, folder: &Path, data_dir: Option<PathBuf>) -> anyhow::Result<Arc<Deployment>> {
    let loaded = load_text("demo", text, folder);
    let deployment = loaded.deployment.ok_or_else(|| anyhow!("the demo's own configuration: {:?}", loaded.diagnostics));
    let data_dir = data_dir.unwrap_or_else(|| folder.join("evenkeel-data"));
    Ok(Arc::new(Deployment { data_dir, ..Deployment::clone(&*deployment?) }))
}

async fn mock(seed: u64, first_token_ms: u64, oip: BTreeMap<String, OipModel>) -> anyhow::Result<Mock> {
    let pace = Pace {
        tokens: 16,
        first_token: Duration::from_millis(first_token_ms),
        token_delay: Duration::from_millis(2),
        ..Pace::default()
    };
    Mock::start(Options { seed, pace, oip, ..Options::default() }).await.context("cannot start a mock model")
}

/// Notes transitions as they happen.
async fn listen(gateway: Gateway, tally: Arc<Mutex<Tally>>, start: Instant) {
    let mut watch = gateway.watch();
    loop {
        match watch.recv().await {
            Ok(Happened::Transition(it)) => tally.lock().transition(&it, start.elapsed()),
            Ok(Happened::Decision(_) | Happened::Shadow(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
