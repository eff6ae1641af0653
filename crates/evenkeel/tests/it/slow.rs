//! A primary that turns ten times slower without an error, and one that falls silent, under load (acceptance of F-064 and
//! UP-15): left in time, probed and no more, and trusted again once it is well.
//!
//! `./test` asks 20 times a second, until all is well; `bench/slow` (`EVENKEEL_SLOW_RATE`) 200 times, in release, and holds
//! shorter times. What is claimed of time is what the scenarios `slow-primary` and `slow-primary-unpromised` claim on a clock of
//! their own; here it is held against the wall clock, and counts and order are held exactly.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use evenkeel_mock::parse_faults_yaml;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    process::is_left_out,
    under_load::{Load, Told, load, mock, moment, watch},
};

const SICK: Duration = Duration::from_secs(5);
const WELL: Duration = Duration::from_secs(15);
/// The clock of a first token, and how many tokens a stream needs is nothing beside it.
const FIRST_TOKEN: Duration = Duration::from_millis(1_000);

/// What is asked, and what is expected of it.
#[derive(Clone, Copy)]
struct Measure {
    /// How often a second.
    rate: u64,
    /// For how long, and when all must be well again.
    at_least: Duration,
    well_by: Duration,
    /// What the primary takes while it is well, in milliseconds: more than what a busy machine adds.
    usual_ms: u64,
    /// How soon it must be left.
    left_in: Duration,
}

fn measure() -> Measure {
    let s = Duration::from_secs;
    match std::env::var("EVENKEEL_SLOW_RATE") {
        Ok(rate) => Measure {
            rate: rate.parse().expect("a rate"),
            at_least: s(32),
            well_by: s(33),
            usual_ms: 20,
            left_in: s(2),
        },
        Err(_) => Measure { rate: 20, at_least: WELL + s(4), well_by: s(90), usual_ms: 50, left_in: s(5) },
    }
}

/// Plays it: the primary as `healthy`, then as `sick`, then as before; returns what clients saw and what was told.
async fn play(slo: &str, [healthy, sick]: [&str; 2], stream: bool) -> Played {
    let (big, small) = (mock(1).await, mock(2).await);
    let faults = |text: &str| parse_faults_yaml(text).expect("faults");
    big.set_faults(faults(healthy));
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n  big: {{protocol: openai, url: \"{}/v1\"}}\n  small: \
         {{protocol: openai, url: \"{}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    deadline: 5s\n    {slo}\n    tiers:\n      - \
         {{name: primary, openai: {{upstream: big, model: m}}, first_token: 1s, breaker: {{open: 2s, open_max: 3s, ramp: [0.25, \
         1]}}}}\n      - {{name: small, openai: {{upstream: small, model: m}}}}\n      - {{name: default, fixed: {{content: later}}}}\n",
        big.url(),
        small.url()
    );
    let deployment = load_text("slow", &text, Path::new(".")).deployment.expect("it compiles");
    let gateway = Gateway::start(deployment).await.expect("it starts");
    let (start, began) = (Instant::now(), Timestamp::now());
    let told = watch(&gateway);
    let script = async {
        moment(start, SICK).await;
        big.set_faults(faults(sick));
        moment(start, WELL).await;
        big.set_faults(faults(healthy));
    };
    let Measure { rate, at_least, well_by, .. } = measure();
    let of = Load { rate, at_least, well_by: Some(well_by), stream };
    let (mut seen, ()) = tokio::join!(load(&gateway, of, start), script);
    seen.sort_by_key(|(_, answered, _)| *answered);
    let told = std::mem::take(&mut *told.lock());
    assert_eq!(told.missed, 0, "what was missed could be an attempt: then no count is worth anything");
    Played { seen, told, began }
}

struct Played {
    seen: Vec<(Duration, Duration, Option<u8>)>,
    told: Told,
    began: Timestamp,
}

impl Played {
    fn at(&self, after: Duration) -> Timestamp {
        self.began + SignedDuration::try_from(after).expect("half a minute")
    }

    /// Returns every switch: when since the start, from where, to where, and why.
    fn switches(&self) -> Vec<(Duration, u8, u8, String)> {
        let switch = |it: &Happened| match it {
            Happened::Transition(it) => {
                let after = Duration::try_from(it.time.duration_since(self.began)).expect("after the start");
                Some((after, it.from, it.to, it.reason.clone()))
            }
            _ => None,
        };
        self.told.records.iter().filter_map(switch).collect()
    }

    /// Counts what was asked of the primary from one moment to another by requests that came after the first: probes, others.
    fn tries(&self, from: Duration, until: Duration) -> [usize; 2] {
        let mut counts = [0, 0];
        for it in &self.told.records {
            let Happened::Decision(it) = it else { continue };
            let admitted = it.time - SignedDuration::from_micros(it.outcome.latency_us as i64);
            for attempt in it.attempts.iter().filter(|it| it.path == "primary") {
                let at = admitted + SignedDuration::from_micros(attempt.start_us as i64);
                if admitted > self.at(from) && at < self.at(until) {
                    counts[usize::from(!attempt.probe)] += 1;
                }
            }
        }
        counts
    }

    fn longest_gap(&self) -> Duration {
        self.seen.windows(2).map(|pair| pair[1].1 - pair[0].1).max().expect("answers")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_064_f_070_a_primary_that_turns_ten_times_slower_is_left_probed_and_trusted_again() {
    if is_left_out("slow", "it takes a minute") {
        return;
    }
    let Measure { rate, usual_ms, left_in, .. } = measure();
    let turns = [usual_ms, 10 * usual_ms].map(|ms| format!("[{{fault: latency, ms: {ms}}}]"));
    let (turns, slo) = (turns.each_ref().map(String::as_str), format!("slo: {{latency: {{p95: {}ms}}}}", 5 * usual_ms));
    let (promised, unpromised) = tokio::join!(play(&slo, turns, false), play("", turns, false));
    for (played, reason) in [(promised, "LATENCY_SLO_BREACH"), (unpromised, "LATENCY_SPIKE")] {
        let switches = played.switches();
        let failed = played.seen.iter().filter(|(.., tier)| tier.is_none()).count();
        let (left, ..) = switches.first().expect("it was left").clone();
        let [probes, strays] = played.tries(left, WELL);
        println!(
            "{}",
            json!({"slow": reason, "rate": rate, "requests": played.seen.len(), "failed": failed,
                   "left_after_ms": left.saturating_sub(SICK).as_millis() as u64, "probes_while_slow": probes,
                   "other_attempts_while_slow": strays, "switches": switches.len(),
                   "back_after_ms": switches.last().map(|it| it.0.saturating_sub(WELL).as_millis() as u64)})
        );
        assert_eq!(failed, 0);
        let ways: Vec<_> = switches.iter().map(|(_, from, to, reason)| (*from, *to, reason.as_str())).collect();
        assert_eq!(ways, [(0, 1, reason), (1, 0, "RECOVERY_RAMP")], "left once, back once");
        assert!(left >= SICK && left <= SICK + left_in, "left {left:?} after the start");
        assert_eq!(strays, 0, "attempts at a path that was left, without a lease");
        assert!((1..=8).contains(&probes), "{probes} probes while it was slow");
        let last: Vec<_> = played.seen.iter().rev().take(20).map(|(.., tier)| *tier).collect();
        assert_eq!(last, [Some(0); 20], "it has all its traffic back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_15_a_primary_that_falls_silent_costs_one_first_token_clock() {
    if is_left_out("slow", "it takes half a minute") {
        return;
    }
    let played = play("", ["[]", "[{fault: silence}]"], true).await;
    let failed = played.seen.iter().filter(|(.., tier)| tier.is_none()).count();
    let (left, ..) = played.switches().first().expect("it was left").clone();
    let [probes, strays] = played.tries(left, WELL);
    let gap = played.longest_gap();
    println!(
        "{}",
        json!({"silent": true, "rate": measure().rate, "requests": played.seen.len(), "failed": failed,
               "longest_gap_ms": gap.as_millis() as u64, "probes_while_silent": probes, "other_attempts": strays})
    );
    assert_eq!((failed, strays), (0, 0));
    assert!(gap <= FIRST_TOKEN + Duration::from_millis(500), "a gap of {gap:?}");
    let seconds = (WELL - left).as_secs() as usize + 1;
    assert!(probes <= seconds, "{probes} tries of a dead primary in {seconds} s");
}
