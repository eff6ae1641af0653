//! How fast what is on disk comes into a store; `bench/store` runs it in release, with more lines.

use std::{fs, time::Instant};

use evenkeel_control::store::{Pass, Wanted};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::kit::{Kit, decision, id, now, time};

/// Lines of a segment: what comes in a second at the load that must be kept up with.
const SEGMENT: u64 = 2_000;

/// When a request ended, at that load.
fn moment(n: u64) -> Value {
    json!(time(0) + SignedDuration::from_micros(n as i64 * 500))
}

/// The line of an ordinary answer.
fn line(n: u64) -> Value {
    let mut it = decision("i1", 1);
    (it["id"], it["time"], it["latency_us"]) = (json!(id("i1", n)), moment(n), json!(n * 37_119 % 900_000));
    it
}

/// A record as most are: of a request with two tiers, seven comparisons, one attempt.
fn record(n: u64) -> Value {
    let mut it = decision("i1", 7);
    let input = |signal: &str| json!({"signal": signal, "of": "primary", "value": "2999800000", "op": "<", "threshold": "750000000", "breached": false});
    let signals = ["deadline_remaining", "breaker", "limiter", "latency", "readiness", "error_ratio", "rate"];
    let candidate = |tier: u8, verdict: &str, reason: &str| json!({"tier": tier, "method": "distilled", "path": "distilled", "verdict": verdict, "reasons": [reason]});
    (it["id"], it["time"], it["outcome"]["latency_us"]) = (json!(id("i1", n)), moment(n), json!(n * 37_119 % 900_000));
    it["inputs"] = signals.map(input).into();
    it["candidates"] =
        json!([candidate(0, "rejected", "UPSTREAM_5XX"), candidate(1, "selected", "NEXT_ELIGIBLE_TIER")]);
    it["attempts"] = json!([{"path": "primary", "replica": 0, "start_us": 312, "duration_us": 36_040, "first_content_us": null,
        "result": "target.status_5xx", "status": 500, "probe": false, "role": "answer", "sent": true}]);
    it
}

/// Microseconds of CPU time of a process, by its number or `self`; none where it has ended.
fn spent_us(process: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold blanks, stands the third word; of user and system it is the 14th and 15th, in hundredths.
    let words: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    Some((words.get(11)?.parse::<u64>().ok()? + words.get(12)?.parse::<u64>().ok()?) * 10_000)
}

/// The same of all processes of a server.
fn server_us(kit: &Kit) -> u64 {
    let Some(server) = &kit.server else { return 0 };
    server.sql("SELECT pid FROM pg_stat_activity").lines().filter_map(spent_us).sum()
}

/// Reads so many lines into a store, and prints what it took.
async fn read(kit: &Kit, (kind, make): (&str, fn(u64) -> Value), lines: u64) {
    let mut bytes = 0;
    for from in (1..=lines).step_by(SEGMENT as usize) {
        let all: Vec<_> = (from..=lines.min(from + SEGMENT - 1)).map(make).collect();
        bytes += all.iter().map(|it| it.to_string().len() as u64 + 1).sum::<u64>();
        // As they are written: what came in a tenth of a second at once.
        let members: Vec<_> = all.chunks(SEGMENT as usize / 10).collect();
        kit.segment("i1", "decisions", from, &members);
    }
    let mut ingester = kit.ingester();
    // Tables are made, and connections, before it counts.
    let first = ingester.pass(now()).await;
    assert!(matches!(first, Ok(Pass::Read(1_000))), "{first:?}");
    let (begun, own, server) = (Instant::now(), spent_us("self").expect("it runs"), server_us(kit));
    let counted = kit.read(&mut ingester).await.expect("read");
    let took = begun.elapsed();
    let (own, server) = (spent_us("self").expect("it runs") - own, server_us(kit) - server);
    assert_eq!(counted + 1_000, lines);
    let wanted = Wanted { last: Some(1), ..Wanted::default() };
    let last = kit.store.list(&wanted).await.expect("asked");
    assert_eq!(last.len(), 1, "they can be found");
    let per_row = |us: u64| us as f64 / counted as f64;
    let told = json!({
        "store": kit.store.state().engine, "kind": kind, "rows": counted, "bytes_a_row": bytes / lines,
        "rows_a_second": (counted as f64 / took.as_secs_f64()).round(), "cpu_us_a_row": per_row(own).round(),
        "server_cpu_us_a_row": per_row(server).round(), "rows_a_cpu_second": (1e6 / per_row((own + server).max(1))).round(),
    });
    println!("{told}");
}

#[test]
fn the_rate_of_lines_and_of_records_with_each_engine() {
    let lines = std::env::var("EVENKEEL_STORE_LINES").map_or(1_100, |it| it.parse().expect("a number"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let kits = || [Some(Kit::sqlite()), Kit::postgres("the rate of a store")].into_iter().flatten();
    kits().for_each(|kit| runtime.block_on(read(&kit, ("line", line), lines)));
    kits().for_each(|kit| runtime.block_on(read(&kit, ("record", record), lines)));
}
