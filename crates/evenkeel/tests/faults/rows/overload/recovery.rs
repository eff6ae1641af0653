//! OV: the way back: longer each time, step by step, and without anybody.

use std::time::{Duration, Instant};

use super::{QUICK, normal_again, open};
use crate::{
    row::{
        Forms::{Both, Plain},
        Row, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("OV-07", Plain, &[Variant::named("", "{fault: status, status: 503}", FLAPS)], act!(ov_07)),
    Row::new("OV-10", Plain, &[Variant::named("", "{fault: status, status: 503}", QUICK)], act!(ov_10)),
    Row::new("OV-13", Both, &[Variant::named("", "{fault: status, status: 503}", QUICK)], act!(ov_13)),
];

/// A breaker that comes back soon and whole.
const FLAPS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 1s, open_max: 1s, ramp: [1]}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

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
                // The pace of the clients.
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

async fn ov_10(run: &mut Run) {
    open(run).await;
    run.set_primary("").await;
    let start = Instant::now();
    let (mut primary, mut early) = (Vec::<bool>::new(), 0);
    let mut ask = async |run: &mut Run| {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer", &it.got);
        primary.push(it.got.tier() == Some(0));
        early += usize::from(it.record["candidates"][0].to_string().contains("BREAKER_RAMP"));
    };
    // Some tens of requests a second: the share of the primary rises with the steps of the ramp.
    while run.breaker().await != "closed" && start.elapsed() < Duration::from_secs(60) {
        ask(run).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.breaker_is("closed").await;
    for _ in 0..20 {
        ask(run).await;
    }
    let first = primary.iter().position(|it| *it).unwrap_or(0);
    let share = |part: &[bool]| part.iter().filter(|it| **it).count();
    let (begin, end) = (share(&primary[first..first + 20]), share(&primary[primary.len() - 20..]));
    run.must(early > 0, "the ramp keeps requests off", &early);
    run.must(end == 20 && begin < end, "the share rises to all", &(begin, end));
    run.saw(Side::Client, "whole answers");
    run.saw(Side::Path, format!("{begin} of the first 20 from its first answer on, {end} of the last 20"));
    run.saw(Side::Record, "BREAKER_RAMP");
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
            // The pace of the clients.
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
