//! An outage under load: the primary is killed and comes back, and nobody notices (acceptance of the main job).
//!
//! The test runs at 50 requests a second. `bench/outage` runs it in release at 1,000: `EVENKEEL_OUTAGE_RATE=1000`.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use evenkeel_mock::{Mock, Options};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{sync::broadcast::error::RecvError, task::JoinSet};

const KILLED: Duration = Duration::from_secs(10);
const BACK: Duration = Duration::from_secs(18);
const LENGTH: Duration = Duration::from_secs(30);
/// The primary's clock for a first answer, and what the fallback may take on top.
const CLOCK: Duration = Duration::from_millis(1_000);

/// What one client saw: when it asked, when it had its answer, from which tier; none for a failure.
type Seen = (Duration, Duration, Option<u8>);

#[tokio::test(flavor = "multi_thread")]
async fn up_13_an_outage_under_load_is_seen_by_nobody() {
    let rate: u64 = std::env::var("EVENKEEL_OUTAGE_RATE").ok().and_then(|it| it.parse().ok()).unwrap_or(50);
    let (big, small) = (mock(1).await, mock(2).await);
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n  big: {{protocol: openai, url: \"{}/v1\"}}\n  \
         small: {{protocol: openai, url: \"{}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    deadline: 5s\n    \
         tiers:\n      - {{name: primary, openai: {{upstream: big, model: m}}, total: 1s}}\n      - {{name: small, \
         openai: {{upstream: small, model: m}}}}\n      - {{name: default, fixed: {{content: later}}}}\n",
        big.url(),
        small.url()
    );
    let deployment = load_text("outage", &text, Path::new(".")).deployment.expect("it compiles");
    let gateway = Gateway::start(deployment).await.expect("it starts");
    let start = Instant::now();
    let probes = count_probes(&gateway, start);
    let seen = load(&gateway, rate, start);
    let script = async {
        tokio::time::sleep_until((start + KILLED).into()).await;
        big.kill().await;
        tokio::time::sleep_until((start + BACK).into()).await;
        big.revive().await;
    };
    let (mut seen, ()) = tokio::join!(seen, script);
    seen.sort_by_key(|(_, answered, _)| *answered);

    let failed = seen.iter().filter(|(.., tier)| tier.is_none()).count();
    let gap = seen.windows(2).map(|pair| pair[1].1 - pair[0].1).max().expect("answers");
    let slowest = seen.iter().map(|(asked, answered, _)| *answered - *asked).max().expect("answers");
    let back = seen.iter().find(|(asked, _, tier)| *asked > BACK && *tier == Some(0)).map(|(_, answered, _)| *answered);
    let back = back.expect("the primary answers again") - BACK;
    let (probes, lowest) = (*probes.lock(), seen.iter().filter_map(|(.., tier)| *tier).max());
    println!(
        "{}",
        json!({"rate": rate, "requests": seen.len(), "failed": failed, "longest_gap_ms": gap.as_millis() as u64,
               "slowest_ms": slowest.as_millis() as u64, "back_after_ms": back.as_millis() as u64,
               "probes_while_down": probes, "lowest_tier": lowest})
    );
    assert_eq!(failed, 0);
    assert!(gap <= CLOCK + Duration::from_millis(500), "a gap of {gap:?}");
    assert!(back <= Duration::from_secs(10), "the primary answers {back:?} after its return");
    assert!(probes <= 5, "{probes} attempts at a dead primary after it was cut off");
}

async fn mock(seed: u64) -> Mock {
    Mock::start(Options { seed, ..Options::default() }).await.expect("a mock starts")
}

/// Asks at a steady rate, whether or not it is answered.
async fn load(gateway: &Gateway, rate: u64, start: Instant) -> Vec<Seen> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let uri = format!("http://{}/v1/chat/completions", gateway.address());
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let (mut open, mut seen) = (JoinSet::new(), Vec::new());
    for n in 0..rate * LENGTH.as_secs() {
        tokio::time::sleep_until((start + Duration::from_secs(n) / rate as u32).into()).await;
        let (client, uri, body) = (client.clone(), uri.clone(), body.clone());
        open.spawn(async move {
            let asked = start.elapsed();
            let tier = ask(&client, uri, body).await;
            (asked, start.elapsed(), tier)
        });
        while let Some(Ok(it)) = open.try_join_next() {
            seen.push(it);
        }
    }
    while let Some(Ok(it)) = open.join_next().await {
        seen.push(it);
    }
    seen
}

type Http = Client<hyper_util::client::legacy::connect::HttpConnector, Full<bytes::Bytes>>;

async fn ask(client: &Http, uri: String, body: String) -> Option<u8> {
    let request = http::Request::post(uri).body(Full::from(body)).ok()?;
    let response = client.request(request).await.ok().filter(|it| it.status() == 200)?;
    let tier = response.headers().get("evenkeel-tier")?.to_str().ok()?.parse().ok()?;
    let whole = response.into_body().collect().await.ok()?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&whole).ok()?;
    answer["choices"][0]["finish_reason"].as_str().map(|_| tier)
}

/// Counts attempts at the primary from when it was cut off until it is back.
fn count_probes(gateway: &Gateway, start: Instant) -> Arc<Mutex<usize>> {
    let (count, mut watch) = (Arc::new(Mutex::new(0)), gateway.watch());
    let counted = count.clone();
    tokio::spawn(async move {
        let mut cut_off = false;
        loop {
            let happened = match watch.recv().await {
                Ok(happened) => happened,
                // A record that was missed could be a probe that was not counted: then the count is worth nothing.
                Err(RecvError::Lagged(_)) => {
                    *counted.lock() += 1_000;
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            match happened {
                Happened::Transition(it) => cut_off = it.to > 0,
                Happened::Decision(it) if cut_off && start.elapsed() < BACK => {
                    // What was under way when the breaker opened is no probe.
                    *counted.lock() += it.attempts.iter().filter(|it| it.path == "primary" && it.probe).count();
                }
                Happened::Decision(_) => {}
            }
        }
    });
    count
}
