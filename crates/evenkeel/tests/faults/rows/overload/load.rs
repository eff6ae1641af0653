//! OV: more work than there is room for: tiers that are down, limits, bursts, and retries.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{
    exchange::{Exchange, outcome},
    provider::most_at_once,
    row::{
        Forms::{Both, Plain},
        MODELS_ONLY, Row, SHORT, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("OV-02", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(ov_02)),
    Row::new("OV-03", Both, &[Variant::named("", "{fault: status, status: 503}", MODELS_ONLY)], act!(ov_03)),
    Row::new("OV-04", Plain, &[Variant::named("", "{fault: status, status: 503}", LIMITED)], act!(ov_04)),
    Row::new("OV-05", Plain, &[Variant::named("", "{fault: slow_first_token, ms: 1500}", CLASSES)], act!(ov_05)),
    Row::new("OV-12", Plain, &[Variant::named("", "{fault: status, status: 500}", NEVER_OPENS)], act!(ov_12)),
];

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

/// A breaker that stays out of the way of the ledger.
const NEVER_OPENS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {consecutive: 10000, fast: [10000, 1, 10s], slow: [10000, 1, 60s], low: [10000, 10000]}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

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
    // Ten times what fits of what can wait; what cannot comes when there is no room for that any more.
    let line = format!("\"route\":\"{}\"", low.route);
    let (sheddable, first) = tokio::join!(low.many(100), async {
        let shed = async || run.house.gateway.lines(&line).iter().any(|it| it["tier"] == 1).then_some(());
        let shed = critical.until(shed).await;
        critical.must(shed.is_some(), "what can wait goes down the ladder first", &());
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
