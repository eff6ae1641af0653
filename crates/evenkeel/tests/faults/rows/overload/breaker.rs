//! OV: what opens a breaker, and who may ask while it is half open.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{QUICK, normal_again, open};
use crate::{
    exchange::outcome,
    row::{
        Forms::{Both, Plain},
        Row, Variant, act,
    },
    rows::{clients::request, upstream_starred::answered},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "OV-06",
        Plain,
        &[
            Variant::named("high rate", "{fault: status, status: 500}", NO_RETRIES),
            Variant::named("low rate", "{fault: status, status: 500}", NO_RETRIES),
        ],
        act!(ov_06),
    ),
    Row::new("OV-08", Both, &[Variant::named("", "{fault: status, status: 503}", QUICK)], act!(ov_08)),
    Row::new("OV-09", Plain, &[Variant::named("", "{fault: status, status: 503}", CROWDED)], act!(ov_09)).single(),
];

/// No second attempt on the same path.
const NO_RETRIES: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, retries: 0}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A breaker that tries again soon, and time for a thousand at once.
const CROWDED: &str = "
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 1s, open_max: 2s}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

async fn ov_06(run: &mut Run) {
    let high = run.is("high rate");
    // Enough good ones that this is no low traffic, in which three bad ones of five would open the path.
    for _ in 0..if high { 60 } else { 0 } {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    // Few enough requests that they are low traffic: that is what the variant is about.
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

async fn ov_08(run: &mut Run) {
    open(run).await;
    // The next probe hangs, and its client leaves.
    run.set_primary("{fault: silence}").await;
    run.breaker_is("half_open").await;
    let before = run.primary_saw().await.len();
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(&request(run)).await.expect("written");
    let asked = async || (run.primary_saw().await.len() > before).then_some(());
    run.must(run.until(asked).await.is_some(), "a probe that hangs", &before);
    drop(stream);
    let route = format!("\"route\":\"{}\"", run.route);
    let gone = run.until(async || run.house.gateway.lines(&route).into_iter().find(|it| it["status"] == 499)).await;
    let record = run.record(gone.unwrap_or_default()["decision"].as_str().unwrap_or_default()).await;
    let attempt = &record["attempts"][0];
    run.must_be(&attempt["probe"], &true.into(), "a leased probe");
    run.must_be(&attempt["result"], &"cancelled.client_gone".into(), "the end of the lease");
    run.set_primary("").await;
    let normal = normal_again(run, Duration::from_secs(30)).await;
    let state = run.breaker().await;
    run.must(normal.is_some(), "the lease is freed, and the primary answers again", &state);
    run.saw(Side::Client, "one leaves; then normal answers");
    run.saw(Side::Path, "the probe is cancelled, the next one is let in");
    run.timed(Side::Path, "normal again after", normal.unwrap_or_default());
    run.saw(Side::Record, format!("probe: `{}`", attempt["result"].as_str().unwrap_or("none")));
}

async fn ov_09(run: &mut Run) {
    open(run).await;
    let before = run.primary_saw().await.len();
    // Probes that are slow are there together with everybody else.
    run.set_primary("{fault: slow_first_token, ms: 1500}").await;
    run.breaker_is("half_open").await;
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
