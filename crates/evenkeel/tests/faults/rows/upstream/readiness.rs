//! UP: what servers say of their readiness, against what their answers show.

use serde_json::Value;

use crate::{
    row::{
        Forms::{Both, Plain},
        PLAIN, Row, SHORT, Setting, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("UP-33", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(up_33)).within(PROBED),
    Row::new("UP-34", Plain, &[Variant::named("", "{fault: silence, on: probes}", SHORT)], act!(up_34))
        .within(PROBED)
        .single(),
    Row::new("UP-35", Plain, &[Variant::named("", "", SHORT)], act!(up_35)).within(PROBED).single(),
];

/// A primary that is often asked whether it is ready.
const PROBED: Setting = Setting {
    upstreams: "  primary: {protocol: openai, url: \"PRIMARY/v1\", probe: {every: 200ms, timeout: 200ms}}\n  lower: {protocol: openai, \
                url: \"LOWER/v1\"}\n",
    ..PLAIN
};

async fn up_33(run: &mut Run) {
    run.break_primary().await;
    let ready = run.house.client.send(run.house.primary.models, "GET", "/v1/models", String::new()).await;
    run.must_be(ready.status, 200, "the server says that it is ready");
    for _ in 0..12 {
        let it = run.ask().await;
        answered(run, &it, 1);
        probed(run, 1, "good").await;
    }
    run.saw(Side::Client, "whole answers of tier 1, a good probe after each");
    run.must_be(run.breaker().await, "open".to_owned(), "by real outcomes");
    let told = run.until(async || Some(run.transitions()).filter(|it| !it.is_empty())).await.unwrap_or_default();
    run.must_be(told.len(), 1, "no flapping");
    let lines = run.house.gateway.lines("a breaker has changed");
    let of_it = |it: &&Value| it["route"] == run.route && it["path"] == "primary" && it["to"] == "open";
    let opened = lines.iter().find(of_it).map(|it| [&it["rule"], &it["reason"]]);
    run.must_be(format!("{opened:?}"), format!("{:?}", Some(["F-063", "UPSTREAM_5XX"].map(Value::from))), "F-060");
    let ready = run.until(async || Some(run.readiness().await).filter(|it| it == "ready")).await;
    run.must(ready.is_some(), "good probes, which close nothing", &ready);
    run.must(run.breaker().await != "closed", "a probe closes nothing", &());
    run.saw(Side::Path, format!("P = {} for 12 requests", run.primary_saw().await.len()));
    run.saw(Side::Record, "one transition");
}

/// Waits for so many more probes of the primary that find something; claims that they come.
async fn probed(run: &mut Run, more: u32, found: &str) {
    let label = format!("found=\"{found}\"");
    let probes = async || run.house.metric_of("evenkeel_probes_total", &label).await;
    let wanted = probes().await + f64::from(more);
    let came = run.until(async || (probes().await >= wanted).then_some(())).await;
    run.must(came.is_some(), "more probes come", &(found, wanted));
}

/// Breaks what the primary's server says of itself, and waits until that is seen.
async fn break_readiness(run: &mut Run, fault: &str, word: &str) {
    // A list of models names no model.
    run.house.primary.set_faults("", fault).await;
    let seen = run.until(async || Some(run.readiness().await).filter(|it| it == word)).await;
    run.must(seen.is_some(), word, &run.readiness().await);
}

/// Asks streamed and plain in turn: runs of several forms would hear of one another's successes, by which probes pause.
async fn ask_in_turn(run: &mut Run, requests: usize) {
    for at in 0..requests {
        run.which.stream = at % 2 == 1;
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    run.saw(Side::Client, "whole answers of the primary, streamed and plain");
}

async fn up_34(run: &mut Run) {
    break_readiness(run, run.which.variant.fault, "busy").await;
    // More than take out a replica that refuses.
    probed(run, 4, "busy").await;
    run.must_be(run.readiness().await, "busy".to_owned(), "some probes later");
    run.must_be(run.breaker().await, "closed".to_owned(), "never out");
    ask_in_turn(run, 12).await;
    run.must(run.transitions().is_empty(), "no switch", &run.transitions());
    run.saw(Side::Path, format!("P = {} for 12 requests; breaker closed", run.primary_saw().await.len()));
    run.saw(Side::Record, "`busy` in the route's state");
}

async fn up_35(run: &mut Run) {
    for status in [401, 404] {
        break_readiness(run, &format!("{{fault: status, status: {status}, on: probes}}"), "misconfigured").await;
        probed(run, 4, "unknown").await;
        run.must_be(run.breaker().await, "closed".to_owned(), "neither healthy nor down");
    }
    ask_in_turn(run, 2).await;
    run.saw(Side::Path, "breaker closed");
    let warned = run.house.gateway.lines("the readiness probe is turned away");
    run.must_be(warned.len(), 1, "warned once");
    run.saw(Side::Record, "`misconfigured` in the route's state; warned once");
}
