//! A gateway under a steady load over real sockets: what its clients saw, and what it told of itself.
//!
//! The script and the load follow the wall clock, at one place ([`moment`]); nothing is waited for in the hope that it has
//! happened by then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use evenkeel_gateway::{Gateway, Happened};
use evenkeel_mock::{Mock, Options};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{sync::broadcast::error::RecvError, task::JoinSet};

/// What one client saw: when it asked, when it had its answer, from which tier; none for a failure.
pub(crate) type Seen = (Duration, Duration, Option<u8>);

/// For how long tier 0 must have answered everybody until all is well.
const WELL: Duration = Duration::from_secs(3);

/// Who asks: how often a second, for how long, and for streams or for answers in one piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) rate: u64,
    /// For how long.
    pub(crate) at_least: Duration,
    /// Where it goes on until all has been well for a while: when that must be.
    pub(crate) well_by: Option<Duration>,
    pub(crate) stream: bool,
}

impl Load {
    fn is_over(&self, now: Duration, seen: &[Seen]) -> bool {
        let mut last = seen.iter().rev().take((self.rate * WELL.as_secs()) as usize);
        let is_well = self.well_by.is_none() || last.all(|it| it.2 == Some(0));
        assert!(is_well || self.well_by.is_some_and(|by| now < by), "not all is well after {now:?}");
        now > self.at_least && is_well
    }
}

/// Comes at a time of the script.
pub(crate) async fn moment(start: Instant, after: Duration) {
    tokio::time::sleep_until((start + after).into()).await;
}

pub(crate) async fn mock(seed: u64) -> Mock {
    Mock::start(Options { seed, ..Options::default() }).await.expect("a mock starts")
}

/// Asks at a steady rate, whether or not it is answered.
pub(crate) async fn load(gateway: &Gateway, of: Load, start: Instant) -> Vec<Seen> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let uri = format!("http://{}/v1/chat/completions", gateway.address());
    let body =
        json!({"model": "r", "messages": [{"role": "user", "content": "hello"}], "stream": of.stream}).to_string();
    let (mut open, mut seen) = (JoinSet::new(), Vec::new());
    for n in 0.. {
        if of.is_over(start.elapsed(), &seen) {
            break;
        }
        moment(start, Duration::from_secs(n) / of.rate as u32).await;
        let (client, uri, body) = (client.clone(), uri.clone(), body.clone());
        open.spawn(async move {
            let asked = start.elapsed();
            let tier = ask(&client, uri, (body, of.stream)).await;
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

async fn ask(client: &Http, uri: String, (body, stream): (String, bool)) -> Option<u8> {
    let request = http::Request::post(uri).body(Full::from(body)).ok()?;
    let response = client.request(request).await.ok().filter(|it| it.status() == 200)?;
    let tier = response.headers().get("evenkeel-tier")?.to_str().ok()?.parse().ok()?;
    let whole = response.into_body().collect().await.ok()?.to_bytes();
    if stream {
        return whole.ends_with(b"data: [DONE]\n\n").then_some(tier);
    }
    let answer: serde_json::Value = serde_json::from_slice(&whole).ok()?;
    answer["choices"][0]["finish_reason"].as_str().map(|_| tier)
}

/// What the gateway told, in order, and how much of it was missed.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) records: Vec<Happened>,
    pub(crate) missed: u64,
}

pub(crate) fn watch(gateway: &Gateway) -> Arc<Mutex<Told>> {
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
