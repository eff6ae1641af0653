//! OIP-36: sequences over REST, between servers that add up what they are told and know nothing of one another.

use std::{collections::BTreeMap, path::Path};

use evenkeel_mock::{Mock, OipModel, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Got, Kit};

/// Two servers of one model, one of them once more as a tier of its own, and a number that answers when nothing else does.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  both: {protocol: oip, urls: ["BIG", "SMALL"], dialect: triton}
  big: {protocol: oip, url: "BIG", dialect: triton}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  falls:
    protocol: oip
    tiers:
      - {name: primary, oip: {upstream: big, model: sum}}
      - {name: second, oip: {upstream: small, model: sum}}
  sum:
    protocol: oip
    tiers:
      - {name: primary, oip: {upstream: both, model: sum}}
      - {name: second, oip: {upstream: small, model: sum}}
      - {name: default, fixed: {outputs: {y: -1.0}}}
  canned:
    protocol: oip
    tiers: [{name: default, fixed: {outputs: {y: -1.0}}}]
"#;

async fn kit() -> Kit {
    let model = OipModel::summed(vec![TensorSpec::new("x", "FP32", [1])], TensorSpec::new("y", "FP32", [1]));
    Kit::of(CONFIG, Path::new("."), BTreeMap::from([("sum".to_owned(), model)])).await
}

const START: (bool, bool) = (true, false);
const ON: (bool, bool) = (false, false);
const END: (bool, bool) = (false, true);

/// Sends one number of a sequence.
async fn send(kit: &Kit, id: &Value, turn: (bool, bool), number: f32, client: &str) -> Got {
    send_to(kit, "sum", (id, turn), number, client).await
}

async fn send_to(kit: &Kit, route: &str, (id, turn): (&Value, (bool, bool)), number: f32, client: &str) -> Got {
    let (start, end) = turn;
    let parameters = json!({"sequence_id": id, "sequence_start": start, "sequence_end": end});
    let input = json!({"name": "x", "datatype": "FP32", "shape": [1], "data": [number]});
    let body = json!({"parameters": parameters, "inputs": [input]}).to_string();
    kit.post(&format!("/v2/models/{route}/infer"), body, &[("authorization", client)]).await
}

fn sum(got: &Got) -> f64 {
    assert_eq!(got.status, 200, "{got:?}");
    got.json()["outputs"][0]["data"][0].as_f64().expect("a number")
}

/// Counts what a server was asked to add up.
fn inferences(server: &Mock) -> usize {
    server.log().iter().filter(|it| it.path.ends_with("/infer")).count()
}

fn is_lost(got: &Got) {
    let error = got.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(got.status == 409 && error.contains("begin it again with sequence_start"), "{got:?}");
    assert_eq!((got.header("retry-after"), got.header("x-should-retry")), ("", "false"));
}

#[tokio::test]
async fn oip_36_each_sequence_is_added_up_by_one_server_however_its_clients_name_it() {
    let kit = kit().await;
    // Two clients take the same ids, as a number and as a text; each is a sequence of its own.
    let ids = [json!(7), json!("7"), json!(u64::MAX), json!("año")];
    let all: Vec<_> = ids.iter().flat_map(|id| ["Bearer a", "Bearer b", ""].map(|client| (id, client))).collect();
    for round in 0..6 {
        for (at, (id, client)) in all.iter().enumerate() {
            let got = send(&kit, id, if round == 0 { START } else { ON }, at as f32, client).await;
            assert_eq!(sum(&got), (at * (round + 1)) as f64, "{id} of {client:?}");
            let told = &got.json()["parameters"];
            assert_eq!((&told["sequence_id"], &told["sequence_start"]), (*id, &json!(round == 0)), "its own id");
            assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-attempts")), ("0", "1"));
        }
    }
    let (big, small) = (inferences(&kit.big), inferences(&kit.small));
    assert!(big.is_multiple_of(6) && small.is_multiple_of(6), "all of a sequence at one: {big} and {small}");
    for (id, client) in all {
        send(&kit, id, END, 0.0, client).await;
        is_lost(&send(&kit, id, ON, 1.0, client).await);
        is_lost(&send(&kit, id, END, 1.0, client).await);
    }
    let got = kit
        .post(
            "/v2/models/sum/infer",
            json!({"parameters": {"sequence_id": -7}, "inputs": [
        {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]})
            .to_string(),
            &[],
        )
        .await;
    assert!(got.status == 400 && got.json()["error"].to_string().contains("'sequence_id'"), "{got:?}");
}

#[tokio::test]
async fn oip_36_f_034_what_a_server_loses_is_lost_and_nobody_else_answers_for_it() {
    let kit = kit().await;
    let (broken, id) = ("{fault: reset}", json!("s"));
    send(&kit, &id, START, 1.0, "").await;
    assert_eq!(sum(&send(&kit, &id, ON, 2.0, "").await), 3.0);
    assert_eq!(kit.metric("evenkeel_sequences"), Some(1.0));
    kit.break_primary(broken);
    kit.break_small(broken);
    let lost = send(&kit, &id, ON, 3.0, "").await;
    is_lost(&lost);
    let record = kit.record(&lost).await;
    assert_eq!(
        (record["attempts"].as_array().map(Vec::len), &record["outcome"]["status"]),
        (Some(1), &json!(409)),
        "{record}"
    );
    assert_eq!(record["candidates"][1]["reasons"], json!(["CAPABILITY_MISSING"]), "{record}");
    kit.break_primary("");
    kit.break_small("");
    is_lost(&send(&kit, &id, ON, 4.0, "").await);
    assert_eq!(kit.metric("evenkeel_sequences"), Some(0.0));
    assert_eq!(kit.metric("evenkeel_sequences_lost_total{route=\"sum\"}"), Some(2.0));
    assert_eq!(sum(&send(&kit, &id, START, 5.0, "").await), 5.0, "begun again");
    assert_eq!(sum(&send(&kit, &id, END, 1.0, "").await), 6.0);
}

#[tokio::test]
async fn oip_36_a_start_falls_to_the_tier_that_can_and_the_rest_stays_there() {
    let kit = kit().await;
    let told = async |id: u64, turn, total: f64, tier: &str| {
        let got = send_to(&kit, "falls", (&json!(id), turn), 1.0, "").await;
        assert_eq!((sum(&got), got.header("evenkeel-tier")), (total, tier), "{id}");
        got
    };
    told(1, START, 1.0, "0").await;
    kit.break_primary("{fault: status, status: 500}");
    let fell = told(2, START, 1.0, "1").await;
    assert_eq!(fell.header("evenkeel-attempts"), "2", "one try, then the next tier (F-034)");
    kit.break_primary("");
    // Whoever answered has the sequence.
    for total in [2.0, 3.0] {
        told(1, ON, total, "0").await;
        told(2, ON, total, "1").await;
    }
}

#[tokio::test]
async fn oip_36_a_mistake_of_the_client_ends_no_sequence() {
    let kit = kit().await;
    let id = json!(1);
    send(&kit, &id, START, 1.0, "").await;
    let wrong = json!({"parameters": {"sequence_id": 1}, "inputs": [
        {"name": "z", "datatype": "FP32", "shape": [1], "data": [1]}]});
    let got = kit.post("/v2/models/sum/infer", wrong.to_string(), &[("authorization", "")]).await;
    assert_eq!(got.status, 400, "{got:?}");
    assert_eq!(sum(&send(&kit, &id, ON, 1.0, "").await), 2.0);
}

#[tokio::test]
async fn oip_36_a_reload_keeps_a_sequence_while_its_server_stays() {
    let kit = kit().await;
    let mut ids = Vec::new();
    // Until both servers have some.
    while inferences(&kit.big) == 0 || inferences(&kit.small) == 0 {
        assert!(ids.len() < 200, "one server gets nothing");
        ids.push(json!(ids.len() + 1));
        send(&kit, &ids[ids.len() - 1], START, 1.0, "").await;
    }
    let apply = |config: &str| kit.gateway.apply(kit.compile(config, Path::new("."))).expect("it fits");
    apply(&CONFIG.replace(r#"["BIG", "SMALL"]"#, r#"["SMALL", "BIG"]"#));
    for id in &ids {
        assert_eq!(sum(&send(&kit, id, ON, 1.0, "").await), 2.0);
    }
    apply(&CONFIG.replace(r#"urls: ["BIG", "SMALL"]"#, r#"url: "BIG""#));
    let mut lost = 0;
    for id in &ids {
        match send(&kit, id, ON, 1.0, "").await {
            got if got.status == 200 => assert_eq!(sum(&got), 3.0),
            got => {
                is_lost(&got);
                lost += 1;
            }
        }
    }
    assert!((1..ids.len()).contains(&lost), "those of the server that is gone: {lost}");
}

#[tokio::test]
async fn oip_36_a_tier_without_a_model_goes_on_with_what_it_began() {
    let kit = kit().await;
    let ask = async |flags: &str| {
        let body = format!(
            r#"{{"parameters":{{"sequence_id":1,{flags}}},"inputs":[{{"name":"x","datatype":"FP32","shape":[1],"data":[1]}}]}}"#
        );
        kit.post("/v2/models/canned/infer", body, &[]).await
    };
    is_lost(&ask(r#""sequence_start":false"#).await);
    for flags in [r#""sequence_start":true"#, r#""sequence_start":false"#, r#""sequence_end":true"#] {
        assert_eq!(sum(&ask(flags).await), -1.0);
    }
    is_lost(&ask(r#""sequence_start":false"#).await);
}
