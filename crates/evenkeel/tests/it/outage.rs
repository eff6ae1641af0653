//! An outage under load: the primary is killed and comes back, and nobody notices (acceptance of the main job).
//!
//! The test runs at 25 requests a second, with a breaker that tries again while the primary is still down.
//! `bench/outage` (`EVENKEEL_OUTAGE_RATE`) asks 1,000 times a second, in release, with the default one.
//!
//! What is measured is real time over real sockets, so the script and the load follow the wall clock, at one place
//! (`under_load::moment`); nothing is waited for in the hope that it has happened by then.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    process::is_left_out,
    under_load::{Load, load, mock, moment, watch},
};

const KILLED: Duration = Duration::from_secs(10);
const BACK: Duration = Duration::from_secs(18);
const LENGTH: Duration = Duration::from_secs(30);
/// The primary's clock for a first answer, and what the fallback may take on top.
const CLOCK: Duration = Duration::from_millis(1_000);

/// How often, and the breaker of the primary.
fn load_and_breaker() -> (u64, &'static str) {
    match std::env::var("EVENKEEL_OUTAGE_RATE") {
        Ok(rate) => (rate.parse().expect("a rate"), "{}"),
        // The outage outlasts it twice at least, so probes meet the primary while it is down.
        Err(_) => (25, "{open: 2s, open_max: 3s}"),
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
    let of = Load { rate, at_least: LENGTH, well_by: None, stream: false };
    let seen = load(&gateway, of, start);
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
