//! `evenkeel serve-path`: a path in a process of its own, which is an upstream like any other.

use std::path::Path;

use serde_json::Value;

use crate::process::{Serving, evenkeel, get, http, until};

const ROW: &str =
    r#"{"inputs":[{"name":"x","shape":[1,8],"datatype":"FP32","data":[6.0,29.0,6.2,1.0,1457.0,2.4,33.8,-118.0]}]}"#;

fn example() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value/evenkeel.yaml");
    file.to_str().expect("text").to_owned()
}

/// Asks a route; returns the score, and the tier that gave it.
fn ask(serving: &Serving, route: &str) -> (f64, u64) {
    let (status, answer) = http(serving.data, "POST", &format!("/v2/models/{route}/infer"), ROW);
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let score = answer["outputs"].as_array().expect("a list").iter().find(|it| it["name"] == "score").expect("a score");
    (score["data"][0].as_f64().expect("a number"), answer["parameters"]["evenkeel.tier"].as_u64().expect("a tier"))
}

#[test]
fn a_path_has_a_process_of_its_own_and_a_gateway_calls_it_until_it_is_killed() {
    let alone = ["serve-path", &example(), "home-value/distilled", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let path = Serving::start_verb(&alone);
    let models = get(path.data, "/v2/models");
    assert_eq!(models["models"], serde_json::json!(["home-value"]), "and nothing else");
    let metadata = get(path.data, "/v2/models/home-value");
    assert_eq!(metadata["inputs"][0]["name"], "x", "with the contract of its route: {metadata}");
    let (score, tier) = ask(&path, "home-value");
    assert_eq!(tier, 0, "alone it is no fall-back");
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nupstreams: {{path: {{protocol: oip, url: \
         \"http://{0}\"}}, grpc: {{protocol: oip-grpc, url: \"http://{0}\"}}}}\nroutes:\n  one: {{protocol: oip, tiers: [{{name: p, oip: \
         {{upstream: path, model: home-value}}}}, {{name: d, fixed: {{outputs: {{score: 0.5}}}}}}]}}\n  two: {{protocol: oip, tiers: \
         [{{name: p, oip: {{upstream: grpc, model: home-value}}}}, {{name: d, fixed: {{outputs: {{score: 0.5}}}}}}]}}\n",
        path.data
    );
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, text).expect("written");
    let gateway = Serving::start(&file);
    for route in ["one", "two"] {
        assert_eq!(ask(&gateway, route), (score, 0), "{route}: the same score, from tier 0");
    }
    drop(path);
    for route in ["one", "two"] {
        until("the tier below", || (ask(&gateway, route) == (0.5, 1)).then_some(()));
    }
}

#[test]
fn what_cannot_stand_alone_is_refused_in_words() {
    for (path, words) in [
        ("home-value/nope", "route `home-value` has no tier `nope`"),
        ("nope/distilled", "there is no route `nope`"),
        ("home-value/primary", "calls an upstream"),
        ("home-value", "write it as ROUTE/TIER"),
    ] {
        let refused = evenkeel(&["serve-path", &example(), path]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && said.contains(words), "{path}: {said}");
    }
}
