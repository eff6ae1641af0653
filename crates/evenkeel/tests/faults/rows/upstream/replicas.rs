//! UP: one bad replica beside a good one.

use serde_json::Value;

use crate::{
    row::{
        Forms::{Both, Plain},
        PLAIN, Row, Setting, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("UP-36", Both, &[Variant::named("", "{fault: status, status: 500}", PAIR)], act!(up_36)).within(REPLICAS),
    Row::new("UP-37", Plain, &[Variant::named("", "{fault: status, status: 500}", PAIR)], act!(up_37)).within(REPLICAS),
];

/// A primary on two replicas. What the bad one breaks is asked again of the other, however many ask at once: a purse that is
/// empty (F-044) is another row's matter.
const PAIR: &str = "
    protocol: openai-chat
    deadline: 8s
    retry_budget: {ratio: 1, floor: 100, per: 10s}
    tiers:
      - {name: primary, openai: {upstream: pair, model: MODEL}, first_token: 4s}
      - {name: lower, openai: {upstream: lower, model: MODEL-lower}, first_token: 1s}
";

/// The two mocks as replicas of one upstream, and the second for a tier of its own as well.
const REPLICAS: Setting = Setting {
    upstreams: "  pair: {protocol: openai, urls: [\"PRIMARY/v1\", \"LOWER/v1\"]}\n  lower: {protocol: openai, url: \"LOWER/v1\"}\n",
    ..PLAIN
};

/// Breaks the second replica.
async fn break_second(run: &Run) {
    run.house.lower.set_faults(&run.route, run.which.variant.fault).await;
}

async fn up_36(run: &mut Run) {
    break_second(run).await;
    // Two at once, so that both replicas are asked.
    let (mut failed, mut named) = (0, Value::Null);
    for _ in 0..12 {
        for it in run.many(2).await {
            answered(run, &it, 0);
            let attempts = it.record["attempts"].as_array().cloned().unwrap_or_default();
            failed += attempts.len() - 1;
            if let [bad, _] = &attempts[..] {
                named = bad["replica"].clone();
            }
            run.must(attempts.len() <= 2, "one retry, on the other replica", &attempts);
        }
    }
    // Left for its failures alone it is not tried again. Where the other one is so busy that it would take longer than the
    // bad one is taken for (F-101), it is, and its breaker opens.
    run.set_primary("{fault: slow_first_token, ms: 2000}").await;
    let line = format!("\"route\":\"{}\"", run.route);
    let turned = |run: &Run| {
        let turns = run.house.gateway.lines(&line);
        let turn = turns.iter().find(|it| it["message"] == "a breaker has changed");
        turn.map(|it| (it["replica"].as_u64(), it["to"].as_str().unwrap_or_default().to_owned()))
    };
    for _ in 0..8 {
        for it in run.many(6).await {
            answered(run, &it, 0);
        }
        if turned(run).is_some() {
            break;
        }
    }
    run.saw(Side::Client, "whole answers of the primary");
    run.must((1..=5).contains(&failed), "the bad replica is met, and left", &failed);
    run.must_be(&named, &1.into(), "the record names the replica");
    run.must_be(turned(run), Some((Some(1), "open".to_owned())), "the replica's breaker opens");
    run.must_be(run.breaker().await, "closed".to_owned(), "the path stays closed");
    run.saw(Side::Path, "the bad replica's breaker open, the path's closed");
    run.saw(Side::Record, format!("replica {named} named"));
}

async fn up_37(run: &mut Run) {
    break_second(run).await;
    // Which of the two is asked first is a matter of chance; two at once ask both.
    for _ in 0..20 {
        for it in run.many(2).await {
            answered(run, &it, 0);
        }
        if !run.lower_saw().await.is_empty() {
            break;
        }
    }
    for _ in 0..40 {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    let (good, bad) = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must(good >= 40 && (1..=8).contains(&bad), "traffic does not gather where it fails fast", &(good, bad));
    run.saw(Side::Client, "whole answers of the primary");
    run.saw(Side::Path, format!("good replica {good}, bad replica {bad} of {}", good + bad));
}
