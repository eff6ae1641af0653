//! OV: overload and recovery.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::upstream_starred::answered;
use crate::{
    provider::most_at_once,
    row::{
        Forms::{Both, Plain},
        MODELS_ONLY, Row, SHORT, Variant, act,
    },
    run::{Exchange, Run, Side, outcome},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("OV-02", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(ov_02)),
    Row::new("OV-03", Both, &[Variant::named("", "{fault: status, status: 503}", MODELS_ONLY)], act!(ov_03)),
    Row::new("OV-04", Plain, &[Variant::named("", "{fault: status, status: 503}", LIMITED)], act!(ov_04)),
    Row::new("OV-05", Plain, &[Variant::named("", "{fault: slow_first_token, ms: 1500}", CLASSES)], act!(ov_05)),
    Row::new(
        "OV-06",
        Plain,
        &[
            Variant::named("high rate", "{fault: status, status: 500}", NO_RETRIES),
            Variant::named("low rate", "{fault: status, status: 500}", NO_RETRIES),
        ],
        act!(ov_06),
    ),
    Row::new("OV-07", Plain, &[Variant::named("", "{fault: status, status: 503}", FLAPS)], act!(ov_07)),
    Row::new("OV-08", Both, &[Variant::named("", "{fault: status, status: 503}", QUICK)], act!(ov_08)),
    Row::new("OV-09", Plain, &[Variant::named("", "{fault: status, status: 503}", CROWDED)], act!(ov_09)).single(),
    Row::new("OV-10", Plain, &[Variant::named("", "{fault: status, status: 503}", QUICK)], act!(ov_10)),
    Row::new("OV-12", Plain, &[Variant::named("", "{fault: status, status: 500}", NEVER_OPENS)], act!(ov_12)),
    Row::new("OV-13", Both, &[Variant::named("", "{fault: status, status: 503}", QUICK)], act!(ov_13)),
];

/// No second attempt on the same path.
const NO_RETRIES: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, retries: 0}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A lower tier that has four slots.
const LIMITED: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}, limit: 4}
      - {name: default, fixed: {content: \"Later.\"}}
";

/// Two routes on one model with ten slots: one whose work cannot wait, and one whose work can.
const CLASSES: &str = "
    protocol: openai-chat
    deadline: 8s
    priority: critical
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, limit: 10}
      - {name: default, fixed: {content: \"Later.\"}}
  MODEL-low:
    protocol: openai-chat
    deadline: 8s
    priority: sheddable
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, limit: 10}
      - {name: default, fixed: {content: \"Later.\"}}
";

/// A breaker that tries again soon.
const QUICK: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 1s, open_max: 2s}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A breaker that tries again soon, and time for a thousand at once.
const CROWDED: &str = "
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 1s, open_max: 2s}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A breaker that comes back soon and whole.
const FLAPS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 1s, open_max: 1s, ramp: [1]}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A breaker that stays out of the way of the ledger.
const NEVER_OPENS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {consecutive: 10000, fast: [10000, 1, 10s], slow: [10000, 1, 60s], low: [10000, 10000]}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// Asks until the primary's breaker is open.
async fn open(run: &mut Run) {
    run.break_primary().await;
    for _ in 0..5 {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer", &it.got);
        if run.breaker().await == "open" {
            return;
        }
    }
    let state = run.breaker().await;
    run.must(state == "open", "the path opens", &state);
}

async fn ov_02(run: &mut Run) {
    run.set_lower("{fault: status, status: 503}").await;
    run.break_primary().await;
    for _ in 0..4 {
        let it = run.ask().await;
        answered(run, &it, 2);
        run.in_time(&it, Duration::from_secs(8));
        let reasons = it.record["candidates"].to_string();
        run.must(it.record["candidates"].as_array().map(Vec::len) == Some(3), "candidates with reasons", &reasons);
        run.saw(Side::Client, outcome(&it.got));
        run.saw(Side::Record, it.reason());
    }
    run.must_be(run.breaker().await, "open".to_owned(), "Open");
    run.saw(Side::Path, format!("P = {}, L = {}, open", run.primary_saw().await.len(), run.lower_saw().await.len()));
}

async fn ov_03(run: &mut Run) {
    run.set_lower("{fault: status, status: 503}").await;
    run.break_primary().await;
    for _ in 0..8 {
        let it = run.ask().await;
        run.must_be((it.got.status, it.got.error_code().as_deref()), (503, Some("all_tiers_exhausted")), "503");
        let after = it.got.header("retry-after").parse::<u64>().unwrap_or(0);
        run.must((1..=300).contains(&after), "`Retry-After`", &after);
        run.must_be(it.got.header("x-should-retry"), "false", "`x-should-retry`");
        run.must_be(it.reason(), "ALL_TIERS_EXHAUSTED", "the reason");
    }
    let (primary, lower) = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must(primary <= 5 && lower <= 5, "no storm", &(primary, lower));
    run.saw(Side::Client, "503 `all_tiers_exhausted`, `Retry-After`, `x-should-retry: false`");
    run.saw(Side::Path, format!("P = {primary}, L = {lower} for 8 requests"));
    run.saw(Side::Record, "ALL_TIERS_EXHAUSTED");
}

async fn ov_04(run: &mut Run) {
    run.set_lower("{fault: slow_first_token, ms: 700}").await;
    run.break_primary().await;
    let answers = run.many(60).await;
    let by_tier = |tier: u8| answers.iter().filter(|it| it.got.is_whole() && it.got.tier() == Some(tier)).count();
    let (lower, default) = (by_tier(1), by_tier(2));
    run.must_be(lower + default, 60, "all are answered");
    run.must(lower >= 4, "the lower tier carries what it can", &lower);
    let most = most_at_once(&run.lower_saw().await);
    run.must(most <= 4, "never beyond its limit", &most);
    let told = answers.iter().filter(|it| it.record.to_string().contains("CAPACITY_EXHAUSTED")).count();
    run.must(default > 0 && told >= default, "the reason of each that the default answers", &(told, default));
    run.saw(Side::Client, "60 at once: answers of tier 1, the rest of the default");
    run.saw(Side::Path, format!("at most {most} at once at the lower tier, whose limit is 4"));
    run.saw(Side::Record, "CAPACITY_EXHAUSTED");
}

async fn ov_05(run: &mut Run) {
    run.break_primary().await;
    let mut low = run.beside();
    low.route = format!("{}-low", run.route);
    let mut critical = run.beside();
    // Ten times what fits of what can wait; what cannot comes last.
    let (sheddable, first) = tokio::join!(low.many(100), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        critical.many(2).await
    });
    run.failed.extend([low.failed, critical.failed].concat());
    let of = |answers: &[Exchange]| answers.iter().filter(|it| it.got.tier() == Some(0)).count();
    let all = sheddable.iter().chain(&first).all(|it| it.got.is_whole());
    run.must(all, "all are answered", &all);
    run.must_be(of(&first), 2, "critical first");
    let most = most_at_once(&run.primary_saw().await);
    run.must(most <= 10, "within the limit", &most);
    let told = sheddable.iter().filter(|it| it.record.to_string().contains("CAPACITY_EXHAUSTED")).count();
    run.must(told > 0, "the rest goes down the ladder", &told);
    run.saw(Side::Client, "what is critical: the primary's answers; the rest down the ladder, none refused");
    run.saw(Side::Path, format!("at most {most} at once, the limit is 10"));
    run.saw(Side::Record, "CAPACITY_EXHAUSTED");
}

async fn ov_06(run: &mut Run) {
    let high = run.is("high rate");
    // Enough good ones that this is no low traffic, in which three bad ones of five would open the path.
    for _ in 0..if high { 60 } else { 0 } {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    let pause = if high { Duration::ZERO } else { Duration::from_millis(500) };
    let mut answers = Vec::new();
    // Every second one fails, so that it is the share that tells, and not five in a row.
    for number in 0..100 {
        run.set_primary(if number % 2 == 0 { run.which.variant.fault } else { "" }).await;
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer", &it.got);
        answers.push(outcome(&it.got));
        if run.breaker().await != "closed" {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    let told = run.until(async || run.transitions().into_iter().next()).await.unwrap_or_default();
    let rule = told["rule"].as_str().unwrap_or("none").to_owned();
    let wanted: &[&str] = if high { &["F-062b", "F-062c"] } else { &["F-063"] };
    run.must(wanted.contains(&rule.as_str()), "the rule of this rate fired", &(wanted, &told));
    let mut kinds = answers;
    kinds.sort();
    kinds.dedup();
    run.saw(Side::Client, kinds.join(", "));
    run.saw(Side::Path, run.breaker().await);
    run.saw(Side::Record, rule);
}

async fn ov_07(run: &mut Run) {
    let mut away = Vec::new();
    for _ in 0..3 {
        open(run).await;
        let opened = Instant::now();
        run.set_primary("").await;
        let back = normal_again(run, Duration::from_secs(40)).await;
        run.must(back.is_some(), "the primary comes back", &away);
        away.push(opened.elapsed());
        // Closed again: ten good answers and a second.
        let closed = async {
            for _ in 0..100 {
                let it = run.ask().await;
                run.must(it.got.is_whole(), "an answer", &it.got);
                if run.breaker().await == "closed" {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            false
        }
        .await;
        run.must(closed, "and closes", &away);
    }
    let longer = away.windows(2).all(|pair| pair[1] > pair[0] + Duration::from_millis(400));
    run.must(longer, "on the lower tier for longer each time", &away);
    run.saw(Side::Client, "whole answers");
    for (at, name) in ["first away", "second away", "third away"].into_iter().enumerate() {
        run.timed(Side::Path, name, away.get(at).copied().unwrap_or_default());
    }
    let told = run.transitions().iter().filter(|it| it["from"] == 0).count();
    run.must(told >= 3, "each trip in the log", &told);
    run.saw(Side::Record, format!("{told} transitions"));
}

async fn ov_08(run: &mut Run) {
    open(run).await;
    // The next probe hangs, and its client leaves.
    run.set_primary("{fault: silence}").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = run.primary_saw().await.len();
    let body = run.chat(&run.route).to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let mut left = false;
    for _ in 0..10 {
        let mut stream = tokio::net::TcpStream::connect(run.house.data).await.expect("it listens");
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.expect("written");
        tokio::time::sleep(Duration::from_millis(300)).await;
        left = run.primary_saw().await.len() > before;
        if left {
            break;
        }
    }
    run.must(left, "a probe that hangs", &before);
    run.set_primary("").await;
    let normal = normal_again(run, Duration::from_secs(30)).await;
    let state = run.breaker().await;
    run.must(normal.is_some(), "the lease is freed, and the primary answers again", &state);
    run.saw(Side::Client, "normal answers");
    run.saw(Side::Path, "lease freed");
}

/// Asks until the primary answers again; says how long it took.
async fn normal_again(run: &mut Run, within: Duration) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() < within {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer on the way back", &it.got);
        if it.got.tier() == Some(0) {
            return Some(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    None
}

async fn ov_09(run: &mut Run) {
    open(run).await;
    let before = run.primary_saw().await.len();
    // Probes that are slow are there together with everybody else.
    run.set_primary("{fault: slow_first_token, ms: 1500}").await;
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let answers = run.many(1_000).await;
    let (whole, other): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.got.is_whole());
    run.must(whole.len() == 1_000, "all are answered", &other.first());
    let probes = run.primary_saw().await.split_off(before);
    // Each lasts for 1.5 s: what starts within less of one another is there at once.
    let at_once = |from: usize| probes[from..].iter().filter(|it| it.at_ms < probes[from].at_ms + 1_400.0).count();
    let most = (0..probes.len()).map(at_once).max().unwrap_or(0);
    run.must((1..=3).contains(&most), "at most 3 probe at once", &most);
    let tier_0 = answers.iter().filter(|it| it.got.tier() == Some(0)).count();
    run.must(tier_0 <= probes.len(), "the rest takes the lower tier", &tier_0);
    run.saw(Side::Client, "1,000 at once: whole answers");
    run.saw(Side::Path, format!("at most {most} probes at once"));
    let leases = answers.iter().flat_map(|it| it.record["attempts"].as_array().cloned().unwrap_or_default());
    let leases = leases.filter(|it| it["probe"] == true).count();
    run.must_be(leases, probes.len(), "leases in the records");
    run.saw(Side::Record, "a lease for each probe");
}

async fn ov_10(run: &mut Run) {
    open(run).await;
    run.set_primary("").await;
    let start = Instant::now();
    let (mut steps, mut early) = (Vec::<(u64, bool)>::new(), 0);
    // Fifty requests a second: the share of the primary rises with the steps of the ramp.
    while start.elapsed() < Duration::from_secs(12) {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer", &it.got);
        steps.push((start.elapsed().as_millis() as u64, it.got.tier() == Some(0)));
        if it.record["candidates"][0].to_string().contains("BREAKER_RAMP") {
            early += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let first = steps.iter().position(|(_, primary)| *primary).unwrap_or(0);
    let share = |from: usize, to: usize| {
        let part = &steps[from.min(steps.len())..to.min(steps.len())];
        part.iter().filter(|(_, primary)| *primary).count() as f64 / part.len().max(1) as f64
    };
    let (begin, end) = (share(first, first + 20), share(steps.len() - 20, steps.len()));
    run.must(early > 0, "the ramp keeps requests off", &early);
    run.must(end >= 0.9 && begin < end, "the share rises to all", &(begin, end));
    run.saw(Side::Client, "whole answers, the primary's share rising to all");
    run.saw(Side::Record, "BREAKER_RAMP");
}

async fn ov_12(run: &mut Run) {
    const BEFORE: usize = 60;
    const COUNT: usize = 400;
    let start = Instant::now();
    // Enough good ones that this is no low traffic, in which three bad ones of five would open the path.
    for _ in 0..BEFORE {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    run.break_primary().await;
    let mut running = JoinSet::new();
    for _ in 0..4 {
        let mut one = run.beside();
        running.spawn_local(async move {
            let mut answers = Vec::new();
            for _ in 0..COUNT / 4 {
                let it = one.ask().await;
                one.must(it.got.tier() == Some(1), "the lower tier's answer", &it.got);
                answers.push(it);
            }
            (answers, one.failed)
        });
    }
    let (mut again, mut empty) = (0, 0);
    for (answers, failed) in running.join_all().await {
        run.failed.extend(failed);
        again += answers.iter().map(|it| it.results("primary").len().saturating_sub(1)).sum::<usize>();
        empty += answers.iter().filter(|it| it.record.to_string().contains("RETRY_BUDGET_EMPTY")).count();
    }
    let saw = run.primary_saw().await.len();
    run.must_be(saw, BEFORE + COUNT + again, "the provider saw what the records say");
    // 10 % of the first attempts, and 3 for each 10 s begun.
    let most = (BEFORE + COUNT) / 10 + 3 * (start.elapsed().as_secs() as usize / 10 + 1);
    run.must(again <= most, "re-attempts within 10 % and the floor", &(again, most));
    run.must(empty > 0, "then none", &empty);
    run.saw(Side::Client, "whole answers of tier 1");
    run.saw(Side::Path, format!("at most {most} re-attempts allowed, {again} seen, of {COUNT}"));
    run.saw(Side::Record, "RETRY_BUDGET_EMPTY");
}

async fn ov_13(run: &mut Run) {
    open(run).await;
    run.set_primary("").await;
    let start = Instant::now();
    let closed = async |run: &mut Run| {
        while start.elapsed() < Duration::from_secs(180) {
            let it = run.ask().await;
            run.must(it.got.is_whole(), "an answer on the way back", &it.got);
            if run.breaker().await == "closed" {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        false
    };
    let closed = closed(run).await;
    run.must(closed, "Closed within 180 s", &start.elapsed());
    let it = run.ask().await;
    answered(run, &it, 0);
    run.timed(Side::Client, "normal after", start.elapsed());
    run.saw(Side::Path, "closed");
    run.saw(Side::Record, it.reason().to_owned());
}
