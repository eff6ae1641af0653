//! Readiness probes over sockets: what a server says of itself, and how little it decides (`failures.md`, section 8).

use std::{collections::BTreeMap, path::Path, time::Duration};

use evenkeel_api::TierState;

use crate::client::Kit;

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "BIG/v1", api_key: secret-of-ours, probe: {every: 100ms, timeout: 100ms}}
  tensors: {protocol: oip, url: "BIG", probe: {every: 100ms, timeout: 100ms}}
  small: {protocol: openai, url: "SMALL/v1", probe: off}
routes:
  chat:
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, breaker: {open: 100ms}}
      - {name: small, openai: {upstream: small, model: little}}
  score:
    protocol: oip
    output: {tensors: {score: {datatype: FP32}}}
    tiers:
      - {name: primary, oip: {upstream: tensors, model: home}, breaker: {open: 100ms}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

async fn start() -> Kit {
    Kit::of(CONFIG, Path::new("."), BTreeMap::new()).await
}

fn primary(kit: &Kit, route: &str) -> TierState {
    kit.gateway.route_state(route).expect("a route").tiers.remove(0)
}

/// Waits until the primary of both routes stands as a test wants it.
async fn until(kit: &Kit, wanted: impl Fn(&TierState) -> bool) -> [TierState; 2] {
    for _ in 0..1_000 {
        let both = ["chat", "score"].map(|route| primary(kit, route));
        if both.iter().all(&wanted) {
            return both;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not come to that: {:?}", ["chat", "score"].map(|route| primary(kit, route)));
}

fn says(word: &'static str) -> impl Fn(&TierState) -> bool {
    move |tier| tier.readiness == [word]
}

#[tokio::test(flavor = "multi_thread")]
async fn f_111_servers_are_asked_what_costs_nothing_with_our_credential_and_off_is_off() {
    let kit = start().await;
    until(&kit, says("ready")).await;
    let asked = kit.seen_by_primary().await;
    assert!(asked.iter().all(|it| it.probe && it.method == "GET"), "never a billed call: {asked:?}");
    for (path, credential) in [("/v1/models", true), ("/v2/health/ready", false)] {
        let of: Vec<_> = asked.iter().filter(|it| it.path == path).collect();
        assert!(!of.is_empty(), "{path}");
        assert!(of.iter().all(|it| it.headers.contains_key("authorization") == credential), "{path}");
    }
    assert!(kit.small.log().is_empty(), "`probe: off`");
    assert_eq!(kit.gateway.route_state("chat").expect("a route").tiers[1].readiness, ["unasked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_112_f_113_a_server_that_resets_its_probes_is_left_before_a_request_meets_it_and_is_back_without_one() {
    let kit = start().await;
    kit.break_primary("{fault: reset, on: probes}");
    let both = until(&kit, says("out")).await;
    assert!(both.iter().all(|tier| tier.breaker == "open" && !tier.eligible), "{both:?}");
    let got = kit.chat("chat", false).await;
    assert_eq!(
        (got.status, got.header("evenkeel-tier"), got.header("evenkeel-reason")),
        (200, "1", "HEALTHCHECK_FAILED")
    );
    let models = kit.get("/v1/models").await;
    assert_eq!(models.status, 200, "F-116: a list of ours depends on no upstream");
    let names: Vec<_> = models.json()["data"].as_array().expect("a list").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(names, ["chat", "score"]);
    kit.break_primary("");
    until(&kit, |tier| tier.readiness == ["ready"] && tier.eligible).await;
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_113_only_an_oip_server_says_by_a_status_that_it_is_not_ready() {
    let kit = start().await;
    kit.break_primary("{fault: status, status: 503, on: probes}");
    until(&kit, |tier| tier.readiness == ["out"] || tier.readiness == ["busy"]).await;
    assert_eq!(["chat", "score"].map(|route| primary(&kit, route).readiness), [["busy"], ["out"]]);
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_113_up_34_a_server_that_is_too_busy_to_say_is_not_out() {
    let kit = start().await;
    kit.break_primary("{fault: silence, on: probes}");
    until(&kit, says("busy")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let both = until(&kit, says("busy")).await;
    assert!(both.iter().all(|tier| tier.breaker == "closed" && tier.eligible), "{both:?}");
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "0", "it works");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_114_up_35_a_probe_that_is_turned_away_is_shown_as_misconfigured_and_changes_nothing() {
    for status in [401, 403, 404] {
        let kit = start().await;
        kit.break_primary(&format!("{{fault: status, status: {status}, on: probes}}"));
        let both = until(&kit, says("misconfigured")).await;
        assert!(both.iter().all(|tier| tier.breaker == "closed" && tier.eligible), "{status}: {both:?}");
        assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "0", "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_110_a_server_that_answers_requests_is_not_asked() {
    let kit = start().await;
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "0");
    let probes = async || kit.seen_by_primary().await.iter().filter(|it| it.path == "/v1/models").count();
    // One may have been on its way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = probes().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(probes().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_074_reloads_keep_the_probes_and_one_without_them_ends_them() {
    let kit = start().await;
    kit.break_primary("{fault: reset, on: probes}");
    until(&kit, says("out")).await;
    let again = |text: &str| kit.compile(text, Path::new("."));
    kit.gateway
        .apply(again(&CONFIG.replace("protocol: openai-chat", "protocol: openai-chat\n    deadline: 9s")))
        .expect("applied");
    until(&kit, says("out")).await;
    kit.gateway.apply(again(&CONFIG.replace("{every: 100ms, timeout: 100ms}", "off"))).expect("applied");
    until(&kit, |tier| tier.readiness == ["unasked"] && tier.eligible).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = kit.seen_by_primary().await.len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(kit.seen_by_primary().await.len(), before, "nobody is asked");
}
