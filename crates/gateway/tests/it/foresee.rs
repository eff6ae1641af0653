//! What a route is likely to fall back because of, from the requests that it gets, at a pace that is played.

use std::{collections::BTreeMap, path::Path, time::Duration};

use evenkeel_mock::{OipModel, TensorSpec};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client::Kit;

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain, probe: off}
routes:
  fraud:
    protocol: oip
    deadline: 60s
    shadow: {share: 0}
    input: {features: {amount: {type: float}, age: {type: float, missing: -1}}}
    guards: {missing: {max_ratio: 0.2, then: {start_at: default}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: m}, retries: 0}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

/// Requests between two points.
const REQUESTS: u64 = 4;

async fn kit() -> Kit {
    let one = |name: &str| TensorSpec::new(name, "FP32", [-1]);
    let score = OipModel::declared(vec![one("amount"), one("age")], one("score"), vec![json!(0.25)]);
    Kit::of(CONFIG, Path::new("."), BTreeMap::from([("m".to_owned(), score)])).await
}

/// Asks about four transactions, of so many of which the age is missing, and lets five seconds pass.
async fn five_seconds(kit: &Kit, at: &mut Timestamp, missing: u64) {
    for request in 0..REQUESTS {
        let age = if request < missing { -1.0 } else { 40.0 };
        let one = |name: &str, value: f64| json!({"name": name, "datatype": "FP32", "shape": [1], "data": [value]});
        let got = kit.infer("fraud", &json!({"inputs": [one("amount", 50.0), one("age", age)]})).await;
        assert_eq!(got.status, 200, "{got:?}");
    }
    *at += Duration::from_secs(5);
    kit.gateway.foresee(*at);
}

/// The share climbs until most requests are moved, three times; then it climbs again, nearly as far.
async fn climbs(kit: &Kit) {
    let mut at = Timestamp::from_second(2_000_000_000).expect("a time");
    kit.gateway.foresee(at);
    let missing = |point: u64| match point {
        // In 24 requests, which make a point, one after the other is without its age.
        0..72 => u64::from(point % 6 < point / 12),
        72..96 => 1 + u64::from(point % 6 < (point - 72) / 4),
        96..120 => 3,
        _ => 0,
    };
    for point in 0..3 * 240 + 88 {
        five_seconds(kit, &mut at, missing(point % 240)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_whose_requests_lose_features_is_likely_to_fall_back_because_of_missing_features() {
    let kit = kit().await;
    climbs(&kit).await;
    let state: Value = kit.get("/v1/routes/fraud/state").await.json();
    let said = &state["forecast"];
    assert_eq!(
        (&said["because"], &said["threshold"], &said["within_s"]),
        (&json!("missing features"), &json!(0.5), &json!(300)),
        "{state}"
    );
    assert!(said["warns"] == true && said["judged"].as_u64() >= Some(240), "{state}");
    let series = "evenkeel_forecast_probability{route=\"fraud\",trigger=\"missing features\"}";
    assert_eq!(kit.metric(series), said["probability"].as_f64(), "{}", kit.gateway.metrics());
}
