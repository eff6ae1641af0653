//! CL: clients in a hurry, that come back at once, that refuse what is degraded, and whose request kills models.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::{gone_of, request};
use crate::{
    exchange::outcome,
    row::{
        Forms::{Both, Plain},
        MODELS_ONLY, Row, SHORT, STARRED, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("CL-07", Both, &[Variant::named("", "{fault: slow_first_token, ms: 8000}", STARRED)], act!(cl_07)),
    Row::new("CL-08", Both, &[Variant::named("", "{fault: rate_limited, retry_after: 60}", MODELS_ONLY)], act!(cl_08)),
    Row::new(
        "CL-09",
        Plain,
        &[
            Variant::named("0", "", SHORT),
            Variant::named("negative", "", SHORT),
            Variant::named("absurd", "", SHORT),
            Variant::named("shorter than any tier's need", "{fault: silence}", MODELS_ONLY),
        ],
        act!(cl_09),
    ),
    Row::new("CL-10", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(cl_10)),
    Row::new("CL-16", Both, &[Variant::named("", "{fault: reset}", SHORT)], act!(cl_16)),
];

async fn cl_07(run: &mut Run) {
    // As many answers as a path must have given before its own times are trusted, and as many silences (F-027).
    const CLIENTS: usize = 60;
    let hurried = async |run: &mut Run| {
        let body = run.chat(&run.route);
        run.ask_with(&body, &[("x-envoy-expected-rq-timeout-ms", "2000")]).await
    };
    // One after the other: what is learned is how quick it is, and not how busy all runs keep this machine.
    for _ in 0..CLIENTS {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    let it = hurried(run).await;
    answered(run, &it, 0);
    run.saw(Side::Client, format!("of one in a hurry before: {}", outcome(&it.got)));
    run.break_primary().await;
    let before = run.primary_saw().await.len();
    let mut waiting = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
        stream.write_all(&request(run)).await.expect("written");
        waiting.push(stream);
    }
    let all = async || (run.primary_saw().await.len() == before + CLIENTS).then_some(());
    run.must(run.until(all).await.is_some(), "all are asked for", &before);
    // The patience of each.
    sleep(Duration::from_millis(3_000)).await;
    drop(waiting);
    gone_of(run, CLIENTS).await;
    let seen = run.primary_saw().await.len();
    let it = hurried(run).await;
    run.must_be(run.primary_saw().await.len(), seen, "what all were silent for is known: the hurried one is not tried");
    let skipped = it.record["candidates"][0].to_string().contains("DEADLINE_INSUFFICIENT");
    run.must(skipped, "the latency signal", &it.record);
    run.saw(Side::Client, format!("of one in a hurry after that: {}", outcome(&it.got)));
    run.saw(Side::Record, format!("then {}", it.reason()));
    let it = run.ask().await;
    answered(run, &it, 0);
    run.saw(Side::Client, format!("of a patient one: {}", outcome(&it.got)));
}

async fn cl_08(run: &mut Run) {
    run.set_lower("{fault: rate_limited, retry_after: 60}").await;
    run.break_primary().await;
    for _ in 0..10 {
        let it = run.ask().await;
        run.must_be(it.got.status, 503, "exhausted");
        run.must_be(it.got.header("x-should-retry"), "false", "`x-should-retry`");
        let after = it.got.header("retry-after").parse::<u64>().unwrap_or(0);
        run.must((1..=300).contains(&after), "`Retry-After`", &after);
        run.must(it.record["reason"] == "ALL_TIERS_EXHAUSTED", "a record of its own", &it.record);
    }
    run.saw(Side::Client, "10 × 503, `Retry-After`, `x-should-retry: false`");
    let asked = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must_be(asked, (1, 1), "no extra attempts when gated");
    run.saw(Side::Path, "P = 1, L = 1 for 10 requests");
    run.saw(Side::Record, "10 × ALL_TIERS_EXHAUSTED");
}

async fn cl_09(run: &mut Run) {
    run.break_primary().await;
    let told = match run.which.variant.name {
        "0" => "0",
        "negative" => "-5",
        "absurd" => "999999999999999999",
        _ => "300",
    };
    let body = run.chat(&run.route);
    let it = run.ask_with(&body, &[("x-envoy-expected-rq-timeout-ms", told)]).await;
    run.describe(&it).await;
    match run.which.variant.name {
        "0" | "negative" => {
            answered(run, &it, 2);
            run.must_be(it.reason(), "DEADLINE_INSUFFICIENT", "the reason");
            run.must_be((run.primary_saw().await.len(), run.lower_saw().await.len()), (0, 0), "no attempt");
        }
        "absurd" => {
            run.must_be(&it.record["deadline_ms"], &8_000.into(), "never lengthened");
            answered(run, &it, 0);
        }
        _ => {
            run.must(it.got.took < Duration::from_secs(2), "within its deadline", &it.got.took);
            run.must(it.got.is_whole() || it.got.status == 504, "the last tier, or 504", &it.got);
            run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
        }
    }
}

async fn cl_10(run: &mut Run) {
    run.break_primary().await;
    let body = run.chat(&run.route);
    let it = run.ask_with(&body, &[("evenkeel-accept", "max-tier=0")]).await;
    run.describe(&it).await;
    run.must_be((it.got.status, it.got.error_code().as_deref()), (503, Some("degradation_refused")), "the refusal");
    run.must_be(run.lower_saw().await.len(), 0, "no lower attempt");
    let verdicts = it.record["candidates"].as_array().map(Vec::len);
    run.must_be(verdicts, Some(3), "candidates with verdicts");
    let told = [1, 2].map(|tier| it.record["candidates"][tier].to_string().contains("CLIENT_MAX_TIER"));
    run.must_be(told, [true, true], "their reason");
    run.saw(Side::Record, "lower tiers: CLIENT_MAX_TIER");
}

async fn cl_16(run: &mut Run) {
    run.set_lower("{fault: reset}").await;
    let it = run.once().await;
    answered(run, &it, 2);
    run.must_be(it.got.said(), "Later.".to_owned(), "the local tier's answer");
    let resets = run.primary_saw().await.len() + run.lower_saw().await.len();
    run.must_be(resets, 2, "two resets and no more");
    run.must(it.record.to_string().contains("SUSPECT_REQUEST"), "the reason", &it.record);
    run.must_be(run.breaker().await, "closed".to_owned(), "the breaker does not open for it alone");
    run.saw(Side::Path, format!("{resets} resets, breaker closed"));
    run.saw(Side::Record, "SUSPECT_REQUEST");
    run.saw(Side::Client, outcome(&it.got));
}
