//! The primary dies at three times what the fallback can carry (OV-04, acceptance of the limiter), over real sockets.
//!
//! The fallback is a server with slots, each held for a fixed time, and a queue, as GPU servers have: what it can carry is
//! known exactly. `bench/overload` runs the same in release, with more slots and for longer (`EVENKEEL_OVERLOAD_SLOTS`).
//!
//! What is measured is real time over real sockets, so the script and the load follow the wall clock, at one place
//! ([`moment`]); nothing is waited for in the hope that it has happened by then.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use evenkeel_mock::{Mock, Options};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use crate::process::is_left_out;

const KILLED: Duration = Duration::from_secs(2);
const BACK: Duration = Duration::from_secs(10);
const LENGTH: Duration = Duration::from_secs(18);
/// How long the fallback holds a slot.
const SERVICE: Duration = Duration::from_millis(200);

/// A server with slots.
struct Slots {
    free: Semaphore,
    slots: usize,
    /// Requests that it computes or that wait for a slot, now and at most.
    held: AtomicUsize,
    most: AtomicUsize,
}

impl Slots {
    async fn start(slots: usize) -> (SocketAddr, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let server = Arc::new(Self { free: Semaphore::new(slots), slots, held, most });
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| shared.answer(request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (address, server)
    }

    async fn answer(&self, request: http::Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let _ = request.into_body().collect().await;
        let held = self.held.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(held, Relaxed);
        // Twice as many as there are slots may be here; whoever comes beyond that is turned away.
        let response = match held <= 2 * self.slots {
            true => {
                let _slot = self.free.acquire().await.expect("it is never closed");
                tokio::time::sleep(SERVICE).await;
                let message = json!({"role": "assistant", "content": "hello"});
                let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
                let body =
                    json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices});
                Response::builder().header("content-type", "application/json").body(Full::from(body.to_string()))
            }
            false => Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(Full::default()),
        };
        self.held.fetch_sub(1, Relaxed);
        Ok(response.expect("a response"))
    }
}

/// What one client saw: when it asked, when it had its answer, and which.
struct Seen {
    asked: Duration,
    answered: Duration,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Tier(u8),
    /// Refused, and told when to come back.
    Later,
    Failed,
}

fn slots() -> usize {
    std::env::var("EVENKEEL_OVERLOAD_SLOTS").ok().map_or(8, |it| it.parse().expect("a number of slots"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ov_04_f_154_a_fallback_that_gets_three_times_its_load_goes_on_at_its_own() {
    if is_left_out("overload", "it takes twenty seconds") {
        return;
    }
    let big = Mock::start(Options::default()).await.expect("a mock starts");
    let (small, server) = Slots::start(slots()).await;
    let limit = server.slots * 3 / 2;
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n  big: {{protocol: openai, url: \"{}/v1\"}}\n  small: \
         {{protocol: openai, url: \"http://{small}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    deadline: 5s\n    \
         tiers:\n      - {{name: primary, openai: {{upstream: big, model: m}}, breaker: {{open: 1s, open_max: 1s, ramp: [0.25, \
         1]}}}}\n      - {{name: small, openai: {{upstream: small, model: m}}, limit: {limit}}}\n",
        big.url(),
    );
    let deployment = load_text("overload", &text, Path::new(".")).deployment.expect("it compiles");
    let gateway = Gateway::start(deployment).await.expect("it starts");
    let carries = server.slots as f64 / SERVICE.as_secs_f64();
    let start = Instant::now();
    let script = async {
        moment(start, KILLED).await;
        big.kill().await;
        moment(start, BACK).await;
        big.revive().await;
    };
    let (seen, ()) = tokio::join!(load(&gateway, (3.0 * carries) as u32, start), script);

    let count = |of: &dyn Fn(&&Seen) -> bool| seen.iter().filter(of).count();
    let begun = KILLED + Duration::from_millis(500);
    let carried = count(&|it| it.what == What::Tier(1) && (begun..BACK).contains(&it.answered));
    let goodput = carried as f64 / (carries * (BACK - begun).as_secs_f64());
    let refused = seen.iter().filter(|it| it.what == What::Later).map(|it| it.answered - it.asked);
    let mut refused: Vec<Duration> = refused.collect();
    refused.sort();
    // Four of a route wait for room, half of what is left at most (F-166); everybody else is told at once.
    let early = refused.get(refused.len() * 99 / 100).copied().unwrap_or_default();
    let slowest = refused.last().copied().unwrap_or_default();
    let failed = count(&|it| it.what == What::Failed);
    let (last, most) = (LENGTH - Duration::from_secs(2), server.most.load(Relaxed));
    let away = count(&|it| it.asked > last && it.what != What::Tier(0));
    println!(
        "{}",
        json!({"slots": server.slots, "offered_per_s": 3.0 * carries, "carries_per_s": carries, "requests": seen.len(),
               "goodput": (goodput * 1_000.0).round() / 1_000.0, "refused": refused.len(),
               "refusal_p99_ms": early.as_millis() as u64, "slowest_refusal_ms": slowest.as_millis() as u64, "failed": failed, "most_at_fallback": most,
               "not_primary_in_the_last_2_s": away})
    );
    assert!(goodput >= 0.85, "the fallback gives {goodput} of what it can");
    assert!(most <= limit, "{most} at once, the limit is {limit}");
    assert_eq!(failed, 0, "whoever gets no answer is told when to come back");
    assert!(!refused.is_empty() && early < Duration::from_secs(1), "99 of 100 are refused after {early:?}");
    assert!(slowest < Duration::from_secs(3), "refused after {slowest:?}");
    assert_eq!(away, 0, "all is well again, and nobody had to do anything");
}

/// Comes at a time of the script.
async fn moment(start: Instant, after: Duration) {
    tokio::time::sleep_until((start + after).into()).await;
}

/// Asks at a steady rate, whether or not it is answered.
async fn load(gateway: &Gateway, rate: u32, start: Instant) -> Vec<Seen> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let uri = format!("http://{}/v1/chat/completions", gateway.address());
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let (mut open, mut seen) = (JoinSet::new(), Vec::new());
    for n in 0..rate * LENGTH.as_secs() as u32 {
        moment(start, Duration::from_secs(1) * n / rate).await;
        let (client, uri, body) = (client.clone(), uri.clone(), body.clone());
        open.spawn(async move {
            let asked = start.elapsed();
            let what = ask(&client, uri, body).await.unwrap_or(What::Failed);
            Seen { asked, answered: start.elapsed(), what }
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

async fn ask(client: &Client<HttpConnector, Full<Bytes>>, uri: String, body: String) -> Option<What> {
    let request = http::Request::post(uri).body(Full::from(body)).ok()?;
    let response = client.request(request).await.ok()?;
    if response.status() == 503 {
        return response.headers().contains_key("retry-after").then_some(What::Later);
    }
    let tier = response.headers().get("evenkeel-tier")?.to_str().ok()?.parse().ok()?;
    let whole = response.into_body().collect().await.ok()?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&whole).ok()?;
    answer["choices"][0]["finish_reason"].as_str().map(|_| What::Tier(tier))
}
