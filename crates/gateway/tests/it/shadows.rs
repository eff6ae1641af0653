//! Copies of requests: the tier below is asked, and its client sees nothing of it (F-150 to F-153).

use std::{collections::BTreeMap, path::Path};

use evenkeel_gateway::{Happened, Shadowed};
use serde_json::{Value, json};

use crate::{
    client::{Got, Kit, until},
    computed::of_x,
};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "BIG/v1", probe: off}
  small: {protocol: openai, url: "SMALL/v1", probe: off}
  first: {protocol: oip, url: "BIG", dialect: plain, probe: off}
  second: {protocol: oip, url: "SMALL", dialect: plain, probe: off}
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    shadow: {share: 1, max_cost: 1}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}}
      - {name: small, openai: {upstream: small, model: little}, residency: [eu]}
      - {name: default, fixed: {content: "Later."}}
  score:
    protocol: oip
    deadline: 3s
    shadow: {share: 1, max_cost: 1}
    input: {features: {x: {type: float}}}
    output: {tensors: {y: {datatype: FP32}}}
    tiers:
      - {name: primary, oip: {upstream: first, model: exact}}
      - {name: small, oip: {upstream: second, model: rough}}
"#;

async fn kit() -> Kit {
    kit_of(CONFIG, Path::new(".")).await
}

async fn kit_of(config: &str, folder: &Path) -> Kit {
    let models = BTreeMap::from([("exact".to_owned(), of_x(|x| x)), ("rough".to_owned(), of_x(|x| x + 0.04))]);
    Kit::of(config, folder, models).await
}

/// Asks, and waits for the end of the copy.
async fn copied(kit: &Kit, ask: impl AsyncFn() -> Got) -> (Got, Shadowed) {
    let mut happened = kit.gateway.watch();
    let got = ask().await;
    let copy = async {
        loop {
            if let Happened::Shadow(it) = happened.recv().await.expect("it is told") {
                break (*it).clone();
            }
        }
    };
    let copy = tokio::time::timeout(std::time::Duration::from_secs(10), copy).await.expect("it ends");
    (got, copy)
}

fn small(kit: &Kit, route: &str) -> evenkeel_api::TierState {
    kit.gateway.route_state(route).expect("a route").tiers.remove(1)
}

/// How often the tier below was asked for work, once its server has noticed everything.
async fn asked(kit: &Kit) -> usize {
    kit.small.settled().await;
    kit.small.log().iter().filter(|it| !it.probe).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_f_153_a_copy_proves_the_tier_below_and_its_client_sees_nothing_of_it() {
    let kit = kit().await;
    assert_eq!((small(&kit, "chat").redundancy.as_str(), small(&kit, "chat").last_exercised), ("unproven", None));
    assert_eq!(kit.gateway.status().routes[0].redundancy, [1, 2], "the safe default is certain");
    for stream in [false, true] {
        let (got, copy) = copied(&kit, async || kit.chat("chat", stream).await).await;
        assert!(got.is_whole() && got.header("evenkeel-path") == "primary", "{got:?}");
        assert_eq!((copy.result, copy.tier, copy.path.as_str(), copy.route.as_str()), ("ok", 1, "small", "chat"));
        assert_eq!((copy.decision.as_str(), copy.against), (got.header("evenkeel-decision"), Some(0)));
        let record = kit.record(&got).await;
        assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "F-151: {record}");
    }
    assert_eq!(asked(&kit).await, 2, "the mock saw the copies, and nothing else");
    let state = small(&kit, "chat");
    assert!(state.redundancy == "counts" && state.last_exercised.is_some(), "{state:?}");
    assert_eq!(kit.gateway.status().routes[0].redundancy, [2, 2]);
    let metrics = kit.gateway.metrics();
    for line in [
        "evenkeel_shadow_attempts_total{route=\"chat\",path=\"small\",result=\"ok\"} 2",
        "evenkeel_path_rehearsal_age_seconds{route=\"chat\",path=\"small\"}",
        "evenkeel_attempts_total{route=\"chat\",path=\"primary\",result=\"ok\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(
        !metrics.contains("evenkeel_attempts_total{route=\"chat\",path=\"small\""),
        "F-151: no attempt of a request"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn f_152_a_dead_tier_opens_before_the_primary_dies_and_no_client_notices() {
    let kit = kit().await;
    kit.break_small("{fault: status, status: 503}");
    for _ in 0..2 {
        let (got, copy) = copied(&kit, async || kit.chat("chat", false).await).await;
        assert!(got.is_whole() && got.header("evenkeel-path") == "primary", "{got:?}");
        assert_eq!(copy.result, "target.status_5xx");
    }
    let state = until(|| Some(small(&kit, "chat")).filter(|it| it.breaker == "open")).await;
    assert_eq!((state.redundancy.as_str(), state.eligible), ("barred", false));
    let status = kit.gateway.status();
    assert_eq!(
        (status.routes[0].tier, status.routes[0].degraded, status.routes[0].redundancy),
        (Some(0), false, [1, 2])
    );
    // Now the primary dies, too: the dead tier is not asked.
    kit.break_primary("{fault: status, status: 503}");
    let before = asked(&kit).await;
    let got = kit.chat("chat", false).await;
    assert_eq!((got.status, got.header("evenkeel-path")), (200, "default"), "{got:?}");
    assert_eq!(asked(&kit).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_151_nothing_private_stored_or_bound_elsewhere_is_copied() {
    let kit = kit().await;
    let ask = async |more: Value, headers: &[(&str, &str)]| {
        let mut body = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}]});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let got = kit.post("/v1/chat/completions", body.to_string(), headers).await;
        assert_eq!((got.status, got.header("evenkeel-path")), (200, "primary"), "{got:?}");
    };
    ask(json!({}), &[("evenkeel-private", "true")]).await;
    ask(json!({"store": true}), &[]).await;
    // One that may be copied, and is: what was to come before it has come.
    copied(&kit, async || kit.chat("chat", false).await).await;
    assert_eq!(asked(&kit).await, 1);
    let wrong = kit.post("/v1/chat/completions", "{}", &[("evenkeel-private", "perhaps")]).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_what_rules_answer_to_a_copy_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = "inputs: {x: float}\nrules: [{id: near, when: x < 1.0, answer: {y: 0.25}}]\notherwise: {y: 1}\n";
    std::fs::write(folder.path().join("near.rules"), rules).expect("written");
    let config = CONFIG.replace("oip: {upstream: second, model: rough}", "rules: {file: near.rules}");
    let kit = kit_of(&config, folder.path()).await;
    let ask = async || {
        let body = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [0.25, 100.0]}]});
        kit.post("/v2/models/score/infer", body.to_string(), &[]).await
    };
    let (_, copy) = copied(&kit, ask).await;
    let compared = copy.compared.expect("both are tensors");
    assert_eq!((compared.rows, compared.agreed), (2, 1), "{compared:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_a_copy_goes_through_the_steps_of_its_route() {
    let steps = "    post: [{clamp: {output: y, min: 0, max: 1}}]\n    output: {tensors";
    let kit = kit_of(&CONFIG.replace("    output: {tensors", steps), Path::new(".")).await;
    let ask = async || {
        let body = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [0.25, 100.0]}]});
        kit.post("/v2/models/score/infer", body.to_string(), &[]).await
    };
    let (_, copy) = copied(&kit, ask).await;
    let compared = copy.compared.expect("both are tensors");
    assert!(compared.pairs[1].given == 1.0 && compared.pairs[1].shadow == 1.0, "{compared:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_numbers_are_compared_and_handed_on_in_pairs() {
    let kit = kit().await;
    let ask = async || {
        let body = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [0.25, 100.0]}]});
        kit.post("/v2/models/score/infer", body.to_string(), &[]).await
    };
    let (got, copy) = copied(&kit, ask).await;
    assert_eq!((got.status, got.header("evenkeel-path")), (200, "primary"), "{got:?}");
    let compared = copy.compared.expect("both are tensors");
    assert_eq!((compared.rows, compared.agreed, compared.pairs.len()), (2, 2, 2));
    let pair = &compared.pairs[0];
    assert!(pair.output == "y" && pair.given == 0.25 && (pair.shadow - 0.29).abs() < 1e-6, "{pair:?}");
    let metrics = kit.gateway.metrics();
    assert!(metrics.contains("evenkeel_shadow_disagreement_ratio{route=\"score\",path=\"small\"} 0.0"), "{metrics}");
    assert!(metrics.contains("evenkeel_shadow_rows_total{route=\"score\",path=\"small\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_152_a_silent_tier_is_stopped_and_its_body_is_let_go() {
    let kit = Kit::of(&CONFIG.replace("deadline: 3s", "deadline: 1s"), Path::new("."), BTreeMap::new()).await;
    kit.break_small("{fault: silence}");
    let (got, copy) = copied(&kit, async || kit.chat("chat", true).await).await;
    assert!(got.is_whole(), "{got:?}");
    assert_eq!(copy.result, "target.first_token_timeout");
    // Its connection is closed, and so its body is let go.
    until(|| kit.small.log().iter().filter(|it| !it.probe).all(|it| it.client_gone).then_some(())).await;
}
