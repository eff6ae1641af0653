//! The primary dies at three times what the fallback can carry (OV-04, acceptance of the limiter), over real sockets.
//!
//! The fallback is a server with slots, each held for a fixed time, and a queue, as GPU servers have: what it can carry is
//! known exactly. `bench/overload` (`EVENKEEL_OVERLOAD_SLOTS`) runs the same in release, with more slots that are held for less
//! time, and claims answers a second; the test claims which share of their time the slots work, and that no work is in vain:
//! this holds on a machine that is busy with other things, too.
//!
//! What is measured is real time over real sockets, so the script and the load follow the wall clock, at one place
//! (`under_load::moment`); nothing is waited for in the hope that it has happened by then.

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
use parking_lot::Mutex;
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use crate::{process::is_left_out, under_load::moment};

const KILLED: Duration = Duration::from_secs(2);
const BACK: Duration = Duration::from_secs(10);
/// For how long everybody must have been answered by the primary until all is well again.
const WELL: Duration = Duration::from_secs(2);

/// What the fallback is, and how patient clients are.
#[derive(Clone, Copy)]
struct Size {
    slots: usize,
    /// How long it holds a slot.
    service: Duration,
    deadline: Duration,
    /// For how long it is asked, and when all must be well again.
    at_least: Duration,
    length: Duration,
    /// Whether answers a second are held against what it can carry.
    is_bench: bool,
}

fn size() -> Size {
    let [ms, s] = [Duration::from_millis, Duration::from_secs];
    match std::env::var("EVENKEEL_OVERLOAD_SLOTS") {
        Ok(slots) => {
            let slots = slots.parse().expect("a number of slots");
            Size { slots, service: ms(200), deadline: s(5), at_least: s(18), length: s(19), is_bench: true }
        }
        Err(_) => {
            let at_least = BACK + WELL;
            Size { slots: 6, service: ms(500), deadline: s(20), at_least, length: s(90), is_bench: false }
        }
    }
}

/// A server with slots.
struct Slots {
    free: Semaphore,
    slots: usize,
    service: Duration,
    /// From when to when a slot was held, for each answer.
    worked: Mutex<Vec<[Instant; 2]>>,
    /// Requests that it computes or that wait for a slot, now and at most.
    held: AtomicUsize,
    most: AtomicUsize,
}

impl Slots {
    async fn start(Size { slots, service, .. }: Size) -> (SocketAddr, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let worked = Mutex::default();
        let server = Arc::new(Self { free: Semaphore::new(slots), slots, service, worked, held, most });
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
                let begun = Instant::now();
                tokio::time::sleep(self.service).await;
                self.worked.lock().push([begun, Instant::now()]);
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

    /// Returns the share of their time from one moment to another that the slots worked.
    fn share(&self, from: Instant, until: Instant) -> f64 {
        let within = |[begun, ended]: &[Instant; 2]| ended.min(&until).saturating_duration_since(*begun.max(&from));
        let worked: Duration = self.worked.lock().iter().map(within).sum();
        worked.as_secs_f64() / ((until - from).as_secs_f64() * self.slots as f64)
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

#[tokio::test(flavor = "multi_thread")]
async fn ov_04_f_154_a_fallback_that_gets_three_times_its_load_goes_on_at_its_own() {
    if is_left_out("overload", "it takes twenty seconds") {
        return;
    }
    let big = Mock::start(Options::default()).await.expect("a mock starts");
    let size = size();
    let (small, server) = Slots::start(size).await;
    let limit = server.slots * 3 / 2;
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n  big: {{protocol: openai, url: \"{}/v1\"}}\n  small: \
         {{protocol: openai, url: \"http://{small}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    deadline: {}s\n    \
         tiers:\n      - {{name: primary, openai: {{upstream: big, model: m}}, breaker: {{open: 1s, open_max: 1s, ramp: [0.25, \
         1]}}}}\n      - {{name: small, openai: {{upstream: small, model: m}}, limit: {limit}}}\n",
        big.url(),
        size.deadline.as_secs(),
    );
    let deployment = load_text("overload", &text, Path::new(".")).deployment.expect("it compiles");
    let gateway = Gateway::start(deployment).await.expect("it starts");
    let carries = size.slots as f64 / size.service.as_secs_f64();
    let start = Instant::now();
    let script = async {
        moment(start, KILLED).await;
        big.kill().await;
        moment(start, BACK).await;
        big.revive().await;
    };
    let (seen, ()) = tokio::join!(load(&gateway, (3.0 * carries) as u32, size, start), script);

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
    let share = server.share(start + begun, start + BACK);
    let (worked, given) = (server.worked.lock().len(), count(&|it| it.what == What::Tier(1)));
    let most = server.most.load(Relaxed);
    println!(
        "{}",
        json!({"slots": server.slots, "offered_per_s": 3.0 * carries, "carries_per_s": carries, "requests": seen.len(),
               "goodput": (goodput * 1_000.0).round() / 1_000.0, "refused": refused.len(),
               "refusal_p99_ms": early.as_millis() as u64, "slowest_refusal_ms": slowest.as_millis() as u64, "failed": failed, "most_at_fallback": most,
               "slots_at_work": (share * 1_000.0).round() / 1_000.0, "answers_of_fallback": worked, "of_these_given": given})
    );
    assert!(share >= 0.85, "the slots work {share} of their time");
    assert!(given * 20 >= worked * 19, "{given} of {worked} answers of the fallback are given to clients");
    assert!(goodput >= 0.85 || !size.is_bench, "the fallback gives {goodput} of what it can");
    assert!(most <= limit, "{most} at once, the limit is {limit}");
    assert_eq!(failed, 0, "whoever gets no answer is told when to come back");
    assert!(!refused.is_empty() && early < size.deadline / 5, "99 of 100 are refused after {early:?}");
    assert!(slowest < size.deadline * 3 / 5, "refused after {slowest:?}");
}

/// Asks at a steady rate, whether or not it is answered, until all is well again and nobody had to do anything.
async fn load(gateway: &Gateway, rate: u32, size: Size, start: Instant) -> Vec<Seen> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let uri = format!("http://{}/v1/chat/completions", gateway.address());
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let (mut open, mut seen) = (JoinSet::new(), Vec::new());
    for n in 0.. {
        if start.elapsed() > size.at_least && is_well(&seen, rate) {
            break;
        }
        assert!(start.elapsed() < size.length, "the primary has not all of its traffic back");
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

/// Says whether the primary has answered everybody for a while.
fn is_well(seen: &[Seen], rate: u32) -> bool {
    let mut last = seen.iter().rev().take(rate as usize * WELL.as_secs() as usize);
    last.all(|it| it.what == What::Tier(0))
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
