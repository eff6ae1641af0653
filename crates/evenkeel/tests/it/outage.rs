//! An outage under load: the primary is killed and comes back, and nobody notices (acceptance of the main job).
//!
//! The test runs at 50 requests a second, with a breaker that tries again while the primary is still down. The long runs
//! (`EVENKEEL_LONG`) and `bench/outage` (`EVENKEEL_OUTAGE_RATE`) ask 1,000 times a second, in release, with the default one.
//!
//! What is measured is real time over real sockets, so the script and the load follow the wall clock, at one place
//! ([`moment`]); nothing is waited for in the hope that it has happened by then.

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
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{sync::broadcast::error::RecvError, task::JoinSet};

use crate::process::is_left_out;

const KILLED: Duration = Duration::from_secs(10);
const BACK: Duration = Duration::from_secs(18);
const LENGTH: Duration = Duration::from_secs(30);
/// The primary's clock for a first answer, and what the fallback may take on top.
const CLOCK: Duration = Duration::from_millis(1_000);

/// What one client saw: when it asked, when it had its answer, from which tier; none for a failure.
type Seen = (Duration, Duration, Option<u8>);

/// How often, and the breaker of the primary.
fn load_and_breaker() -> (u64, &'static str) {
    let told = std::env::var("EVENKEEL_OUTAGE_RATE").ok().map(|it| it.parse().expect("a rate"));
    match told.or(std::env::var_os("EVENKEEL_LONG").map(|_| 1_000)) {
        Some(rate) => (rate, "{}"),
        // The outage outlasts it twice at least, so probes meet the primary while it is down.
        None => (50, "{open: 2s, open_max: 3s}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_13_an_outage_under_load_is_seen_by_nobody() {
    if is_left_out("outage", "it takes half a minute") {
        return;
    }
    let (rate, breaker) = load_and_breaker();
    let (big, small) = (mock(1).await, mock(2).await);
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n  big: {{protocol: openai, url: \"{}/v1\"}}\n  \
         small: {{protocol: openai, url: \"{}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    deadline: 5s\n    \
         tiers:\n      - {{name: primary, openai: {{upstream: big, model: m}}, total: 1s, breaker: {breaker}}}\n      - {{name: \
         small, openai: {{upstream: small, model: m}}}}\n      - {{name: default, fixed: {{content: later}}}}\n",
        big.url(),
        small.url()
    );
    let deployment = load_text("outage", &text, Path::new(".")).deployment.expect("it compiles");
    let gateway = Gateway::start(deployment).await.expect("it starts");
    let (start, began) = (Instant::now(), Timestamp::now());
    let told = watch(&gateway);
    let seen = load(&gateway, rate, start);
    let script = async {
        moment(start, KILLED).await;
        big.kill().await;
        moment(start, BACK).await;
        big.revive().await;
    };
    let (mut seen, ()) = tokio::join!(seen, script);
    seen.sort_by_key(|(_, answered, _)| *answered);

    let failed = seen.iter().filter(|(.., tier)| tier.is_none()).count();
    let gap = seen.windows(2).map(|pair| pair[1].1 - pair[0].1).max().expect("answers");
    let slowest = seen.iter().map(|(asked, answered, _)| *answered - *asked).max().expect("answers");
    let back = seen.iter().find(|(asked, _, tier)| *asked > BACK && *tier == Some(0)).map(|(_, answered, _)| *answered);
    let back = back.expect("the primary answers again") - BACK;
    let told = told.lock();
    let [probes, strays] = attempts_while_down(&told.records, began);
    let lowest = seen.iter().filter_map(|(.., tier)| *tier).max();
    println!(
        "{}",
        json!({"rate": rate, "requests": seen.len(), "failed": failed, "longest_gap_ms": gap.as_millis() as u64,
               "slowest_ms": slowest.as_millis() as u64, "back_after_ms": back.as_millis() as u64,
               "probes_while_down": probes, "other_attempts_while_down": strays, "lowest_tier": lowest})
    );
    assert_eq!(failed, 0);
    assert!(gap <= CLOCK + Duration::from_millis(500), "a gap of {gap:?}");
    assert!(back <= Duration::from_secs(10), "the primary answers {back:?} after its return");
    assert_eq!(told.missed, 0, "what was missed could be an attempt: then the count is worth nothing");
    assert_eq!(strays, 0, "attempts at a path that was cut off, without a lease");
    assert!(probes <= 5, "{probes} probes of a dead primary");
    assert!(probes > 0 || breaker == "{}", "the breaker tries again while it is down");
}

/// Comes at a time of the script.
async fn moment(start: Instant, after: Duration) {
    tokio::time::sleep_until((start + after).into()).await;
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
        moment(start, Duration::from_secs(n) / rate as u32).await;
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

/// What the gateway told, in order, and how much of it was missed.
#[derive(Default)]
struct Told {
    records: Vec<Happened>,
    missed: u64,
}

fn watch(gateway: &Gateway) -> Arc<Mutex<Told>> {
    let (told, mut watch) = (Arc::new(Mutex::new(Told::default())), gateway.watch());
    let kept = told.clone();
    tokio::spawn(async move {
        loop {
            match watch.recv().await {
                Ok(happened) => kept.lock().records.push(happened),
                Err(RecvError::Lagged(missed)) => kept.lock().missed += missed,
                Err(RecvError::Closed) => return,
            }
        }
    });
    told
}

/// Counts the attempts at the primary while it was down, of requests that were admitted after it was cut off: leased
/// probes, and others.
fn attempts_while_down(records: &[Happened], began: Timestamp) -> [usize; 2] {
    let at = |after: Duration| began + SignedDuration::try_from(after).expect("half a minute");
    let cut_off = records.iter().find_map(|it| match it {
        Happened::Transition(it) if it.from == 0 && it.time >= at(KILLED) => Some(it.time),
        _ => None,
    });
    let cut_off = cut_off.expect("the primary was left");
    let mut counts = [0, 0];
    for it in records {
        let Happened::Decision(it) = it else { continue };
        let admitted = it.time - SignedDuration::from_micros(it.outcome.latency_us as i64);
        if admitted <= cut_off {
            continue;
        }
        for attempt in it.attempts.iter().filter(|it| it.path == "primary") {
            if admitted + SignedDuration::from_micros(attempt.start_us as i64) < at(BACK) {
                counts[usize::from(!attempt.probe)] += 1;
            }
        }
    }
    counts
}
