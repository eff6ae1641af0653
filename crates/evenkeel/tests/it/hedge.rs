//! A long tail with and without hedges, side by side over real sockets (F-090 to F-095, OV-11, acceptance of hedging).
//!
//! `bench/hedge` runs it in release, at a higher rate and with a rarer tail (`EVENKEEL_HEDGE_RATE`, `EVENKEEL_HEDGE_SHARE`).
//!
//! What is measured is real time over real sockets, so the load follows the wall clock, at one place (`under_load::moment`).

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use evenkeel_mock::{Mock, Options, Pace, parse_faults_yaml};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    process::is_left_out,
    under_load::{Told, moment, watch},
};

fn is_bench() -> bool {
    std::env::var_os("EVENKEEL_HEDGE_RATE").is_some()
}

/// Until when the times of the path are learned, until when there is a tail, and until when every replica is slow.
fn phases() -> [Duration; 3] {
    // Who asks less often must ask for longer to meet as many that are slow.
    let seconds = if is_bench() { [4, 14, 20] } else { [4, 20, 26] };
    seconds.map(Duration::from_secs)
}

fn told<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(otherwise)
}

/// A gateway before two replicas of its own.
struct Side {
    gateway: Gateway,
    replicas: [Mock; 2],
}

impl Side {
    async fn start(hedge: &str, first_token: Duration) -> Self {
        let pace = Pace { first_token, embedding_width: 4, ..Pace::default() };
        let mock = |seed| Mock::start(Options { seed, pace, ..Options::default() });
        let replicas = [mock(1).await.expect("a mock"), mock(2).await.expect("a mock")];
        let text = format!(
            "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n  big: {{protocol: openai, urls: [\"{}/v1\", \
             \"{}/v1\"]}}\nroutes:\n  r:\n    protocol: openai-embeddings\n    deadline: 20s\n    tiers:\n      - {{name: primary, \
             openai: {{upstream: big, model: m}}, space: s, hedge: {hedge}}}\n",
            replicas[0].url(),
            replicas[1].url()
        );
        let deployment = load_text("hedge", &text, Path::new(".")).deployment.expect("it compiles");
        Self { gateway: Gateway::start(deployment).await.expect("it starts"), replicas }
    }

    fn breaks(&self, faults: &str) {
        for replica in &self.replicas {
            replica.set_faults(parse_faults_yaml(faults).expect("faults"));
        }
    }

    /// Makes the next request of a replica slow, and no other; both replicas in turn.
    fn holds_one(&self, turn: usize, latency: Duration) {
        let faults = format!("[{{fault: latency, ms: {}, times: 1}}]", latency.as_millis());
        self.replicas[turn % 2].set_faults(parse_faults_yaml(&faults).expect("faults"));
    }

    fn asked(&self) -> usize {
        self.replicas.iter().map(|it| it.log().len()).sum()
    }

    /// Asks at a steady rate; returns how long each took, by when it was asked.
    async fn load(&self, rate: u32, start: Instant) -> Vec<(Duration, Duration)> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let uri = format!("http://{}/v1/embeddings", self.gateway.address());
        let body = json!({"model": "r", "input": "hello"}).to_string();
        let mut open = JoinSet::new();
        for n in 0..rate * phases()[2].as_secs() as u32 {
            moment(start, Duration::from_secs(1) * n / rate).await;
            let (client, uri, body) = (client.clone(), uri.clone(), body.clone());
            open.spawn(async move {
                let asked = start.elapsed();
                let request = http::Request::post(uri).body(Full::from(body)).expect("a request");
                let response = client.request(request).await.expect("an answer");
                assert_eq!(response.status(), 200);
                let _ = response.into_body().collect().await.expect("a body");
                (asked, start.elapsed() - asked)
            });
        }
        open.join_all().await
    }
}

fn quantile(times: &[(Duration, Duration)], of_thousand: usize) -> Duration {
    let [learnt, end, _] = phases();
    let tail = times.iter().filter(|(asked, _)| (learnt..end).contains(asked));
    let mut took: Vec<Duration> = tail.map(|it| it.1).collect();
    took.sort_unstable();
    took[(took.len() * of_thousand / 1_000).min(took.len() - 1)]
}

/// Returns how many more attempts than requests there were, of those that came from a moment on.
fn extra(told: &Told, from: Timestamp) -> f64 {
    let (mut requests, mut attempts) = (0, 0);
    for it in &told.records {
        let Happened::Decision(it) = it else { continue };
        if it.time - SignedDuration::from_micros(it.outcome.latency_us as i64) >= from {
            requests += 1;
            attempts += it.attempts.len();
        }
    }
    attempts as f64 / f64::from(requests) - 1.0
}

#[tokio::test(flavor = "multi_thread")]
async fn f_093_f_095_ov_11_hedges_take_the_tail_away_for_a_twentieth_of_the_calls() {
    if is_left_out("hedge", "it takes half a minute") {
        return;
    }
    // One in fifty of the test is slow, so that the worst hundredth is; the bench asks often enough for the worst thousandth.
    let (rate, share) = (told("EVENKEEL_HEDGE_RATE", 25), told("EVENKEEL_HEDGE_SHARE", 0.02));
    let (long, [learnt, end, _]) = (is_bench(), phases());
    // On a busy machine 20 ms would drown in what else happens, and so would what a hedge waits for.
    let (usual, factor) = if long { (Duration::from_millis(20), 10) } else { (Duration::from_millis(200), 5) };
    let rare = if long { 99 * usual } else { Duration::from_secs(10) };
    let sides = [Side::start("auto", usual).await, Side::start("off", usual).await];
    let told = watch(&sides[0].gateway);
    let (start, began) = (Instant::now(), Timestamp::now());
    let script = async {
        // As many are slow as are said to be: drawn by chance, too few of some hundred would be in one run of twenty.
        let apart = Duration::from_secs_f64(1.0 / (f64::from(rate) * share));
        for turn in 0..(end - learnt).div_duration_f64(apart) as usize {
            moment(start, learnt + apart * turn as u32).await;
            sides.iter().for_each(|it| it.holds_one(turn, rare));
        }
        moment(start, end).await;
        sides.iter().for_each(|it| it.breaks(&format!("[{{fault: latency, ms: {}}}]", 9 * usual.as_millis())));
    };
    let (with, without, ()) = tokio::join!(sides[0].load(rate, start), sides[1].load(rate, start), script);
    let told = std::mem::take(&mut *told.lock());
    assert_eq!(told.missed, 0, "what was missed could be a hedge");
    let all = sides[0].asked() as f64 / with.len() as f64 - 1.0;
    let slow = extra(&told, began + SignedDuration::try_from(end).expect("seconds"));
    let of = if long { 999 } else { 990 };
    let [median, tail] = [500, of].map(|of| [quantile(&with, of), quantile(&without, of)]);
    println!(
        "{}",
        json!({"rate": rate, "slow_share": share, "quantile": of, "p50_ms": median.map(|it| it.as_millis() as u64),
               "tail_ms_with_and_without": tail.map(|it| it.as_millis() as u64), "extra_calls": (all * 1e4).round() / 1e4,
               "extra_calls_while_all_are_slow": (slow * 1e4).round() / 1e4})
    );
    assert!(tail[0] * factor <= tail[1], "{tail:?}: with hedges it is far less");
    assert!(all <= 0.05 && slow <= 0.05, "{all} and {slow} more calls than requests");
}
