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

/// Returns how often a place of the primary was asked.
fn count(kit: &Kit, place: &str) -> usize {
    kit.big.log().iter().filter(|it| it.path == place).count()
}

/// Waits until a place of the primary has been asked so many times more.
async fn asked(kit: &Kit, place: &str, times: usize) {
    let before = count(kit, place);
    for _ in 0..1_000 {
        if count(kit, place) >= before + times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("`{place}` is not asked {times} times");
}

fn says(word: &'static str) -> impl Fn(&TierState) -> bool {
    move |tier| tier.readiness == [word]
}

#[tokio::test(flavor = "multi_thread")]
async fn f_111_servers_are_asked_what_costs_nothing_with_our_credential_and_off_is_off() {
    let kit = start().await;
    until(&kit, says("ready")).await;
    let seen = kit.seen_by_primary().await;
    assert!(seen.iter().all(|it| it.probe && it.method == "GET"), "never a billed call: {seen:?}");
    for (path, credential) in [("/v1/models", true), ("/v2/health/ready", false)] {
        let of: Vec<_> = seen.iter().filter(|it| it.path == path).collect();
        assert!(!of.is_empty(), "{path}");
        assert!(of.iter().all(|it| it.headers.contains_key("authorization") == credential), "{path}");
    }
    assert!(kit.small.log().is_empty(), "`probe: off`");
    assert_eq!(kit.gateway.route_state("chat").expect("a route").tiers[1].readiness, ["unasked"]);
    let metrics = kit.gateway.metrics();
    let counted = |upstream| {
        metrics.contains(&format!("evenkeel_probes_total{{upstream=\"{upstream}\",replica=\"0\",found=\"good\"}}"))
    };
    assert_eq!(["big", "tensors", "small"].map(counted), [true, true, false], "{metrics}");
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
    for place in ["/v1/models", "/v2/health/ready"] {
        asked(&kit, place, 5).await;
    }
    let both = until(&kit, says("busy")).await;
    assert!(both.iter().all(|tier| tier.breaker == "closed" && tier.eligible), "{both:?}");
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "0", "it works");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_111_a_server_is_listened_to_for_as_long_as_timeout_says() {
    let patient = "protocol: openai, url: \"BIG/v1\", api_key: secret-of-ours, probe: {every: 100ms, timeout: 20s}";
    let hasty = "protocol: openai, url: \"BIG/v1\", api_key: secret-of-ours, probe: {every: 100ms, timeout: 100ms}";
    let kit = Kit::of(&CONFIG.replace(hasty, patient), Path::new("."), BTreeMap::new()).await;
    kit.break_primary("{fault: slow_first_token, ms: 500, on: probes}");
    until(&kit, |tier| tier.readiness != ["unasked"]).await;
    assert_eq!(["chat", "score"].map(|route| primary(&kit, route).readiness), [["ready"], ["busy"]]);
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
    // One may have been on its way.
    asked(&kit, "/v2/health/ready", 3).await;
    let before = count(&kit, "/v1/models");
    asked(&kit, "/v2/health/ready", 5).await;
    assert_eq!(count(&kit, "/v1/models"), before, "the other, which answers nobody, has been asked five times");
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
    let off = CONFIG.replacen("{every: 100ms, timeout: 100ms}", "off", 1);
    kit.gateway.apply(again(&off)).expect("applied");
    let chat = primary(&kit, "chat");
    assert_eq!((&chat.readiness[..], chat.eligible), (&["unasked".to_owned()][..], true));
    asked(&kit, "/v2/health/ready", 3).await;
    let before = count(&kit, "/v1/models");
    asked(&kit, "/v2/health/ready", 5).await;
    assert_eq!(count(&kit, "/v1/models"), before, "`off` is off");
}
