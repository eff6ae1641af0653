//! Routes that a feature server enriches, against a small one that breaks on demand (F-037).

mod rows;
pub(crate) mod server;

use std::{collections::BTreeMap, time::Duration};

use evenkeel_mock::{OipModel, TensorSpec};
use serde_json::{Value, json};

use self::server::{Feast, Mode};
use crate::client::{Got, Kit, until};

/// Columns that may be left out: `txn_7d`, whose last known value stands in for a day, and `avg`, of which only the default does.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  feast: {protocol: feast, url: "FEAST", api_key: secret-of-ours}
routes:
  fraud:
    protocol: oip
    deadline: 3s
    input:
      tensor: x
      columns: [amount, txn_7d, avg]
      features: {txn_7d: {type: int, min: 0, max: 500}}
    enrich:
      upstream: feast
      entity: {customer_id: {input: customer}}
      timeout: 300ms
      features:
        txn_7d: {feature: "stats:txn_7d", max_age: 1h, keep: 24h, default: 5}
        avg: {feature: "stats:avg_amount", default: 1.5}
    tiers:
      - {name: primary, oip: {upstream: big, model: fraud}, total: 1s}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

/// Starts a gateway over a feature server, with a piece of its configuration replaced.
async fn kit(feast: &Feast, (from, to): (&str, &str)) -> Kit {
    assert!(CONFIG.contains(from), "{from}");
    over(feast, &CONFIG.replace(from, to)).await
}

/// The same of a whole configuration.
async fn over(feast: &Feast, config: &str) -> Kit {
    let config = config.replace("FEAST", &feast.url());
    let input = TensorSpec::new("x", "FP32", [-1, 3]);
    let model = OipModel::declared(vec![input], TensorSpec::new("score", "FP32", [-1]), vec![json!(0.25)]);
    Kit::of(&config, std::path::Path::new("."), BTreeMap::from([("fraud".to_owned(), model)])).await
}

/// A request of rows, each of a customer; `null` is what is left out.
fn rows(customers: &[i64], rows: &Value) -> Value {
    let n = customers.len();
    json!({"inputs": [
        {"name": "x", "datatype": "FP32", "shape": [n, 3], "data": rows},
        {"name": "customer", "datatype": "INT64", "shape": [n], "data": customers},
    ]})
}

/// One row of customer 1 in which both features are left out.
fn one() -> Value {
    rows(&[1], &json!([[7.0, null, null]]))
}

/// What the primary was last asked.
async fn sent(kit: &Kit) -> Value {
    let seen = kit.seen_by_primary().await;
    serde_json::from_slice(seen.last().expect("it was asked").body.as_deref().expect("a body")).expect("JSON")
}

/// The imputed features of a record: which, from where, in how many rows, and whether with an age.
fn imputed(record: &Value) -> Vec<(String, String, u64, Option<u64>)> {
    let list = record["enrichment"]["imputed"].as_array().expect("a list");
    let text = |it: &Value| it.as_str().expect("text").to_owned();
    let one = |it: &Value| {
        (text(&it["feature"]), text(&it["from"]), it["rows"].as_u64().expect("a count"), it["age_ms"].as_u64())
    };
    list.iter().map(one).collect()
}

fn check_default_answer(got: &Got, what: &str) {
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "{what}: {got:?}");
    let text = "avg;from=default;rows=1, txn_7d;from=default;rows=1";
    assert_eq!(got.header("evenkeel-imputed"), text, "{what}");
    assert_eq!(got.json()["parameters"]["evenkeel.imputed"], text, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_what_a_client_left_out_is_fetched_for_all_rows_at_once_and_only_then_does_a_tier_see_it() {
    let feast = Feast::start(&[(1, 7, 12.5, 60), (2, 9, 3.5, 60)]).await;
    let kit = kit(&feast, ("", "")).await;
    let body = rows(&[2, 1, 2, 1], &json!([[7.0, null, null], [8.0, null, 4.5], [9.0, null, null], [1.0, 2.0, 3.0]]));
    let got = kit.infer("fraud", &body).await;
    assert_eq!((got.status, got.scores()), (200, vec![0.25; 4]), "{got:?}");
    assert!(!got.headers.contains_key("evenkeel-imputed"), "nothing was imputed: {got:?}");
    let asked = feast.asked();
    assert_eq!(asked.len(), 1, "one question");
    assert_eq!(asked[0]["features"], json!(["stats:avg_amount", "stats:txn_7d"]));
    assert_eq!(asked[0]["entities"], json!({"customer_id": [2, 1]}), "each once");
    assert_eq!(feast.authorization(), "Bearer secret-of-ours");
    let sent = sent(&kit).await;
    assert_eq!(sent["inputs"].as_array().map(Vec::len), Some(1), "whose features they are is no input of a model");
    assert_eq!(sent["inputs"][0]["data"], json!([7.0, 9.0, 3.5, 8.0, 7.0, 4.5, 9.0, 9.0, 3.5, 1.0, 2.0, 3.0]));
    let record = kit.record(&got).await;
    let enrichment = &record["enrichment"];
    assert_eq!((&enrichment["upstream"], &enrichment["result"]), (&"feast".into(), &"ok".into()), "{record}");
    let compared = record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "imputed_permille");
    assert_eq!(compared.expect("it is an input of the decision")["value"], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_who_lacks_nothing_asks_nobody_and_needs_to_say_no_name() {
    let feast = Feast::start(&[]).await;
    let kit = kit(&feast, ("", "")).await;
    let whole = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1.0, 2.0, 3.0]}]});
    let got = kit.infer("fraud", &whole).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "{got:?}");
    assert_eq!(kit.record(&got).await["enrichment"]["result"], "nothing_missing");
    assert_eq!(feast.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_what_a_client_got_wrong_is_400_and_reaches_nobody() {
    let feast = Feast::start(&[]).await;
    let kit = kit(&feast, ("", "")).await;
    let x = |data: &Value| json!({"name": "x", "datatype": "FP32", "shape": [1, 3], "data": data});
    let customer = |datatype: &str, shape: &Value, data: &Value| json!({"name": "customer", "datatype": datatype, "shape": shape, "data": data});
    let lacks = || x(&json!([1.0, null, null]));
    let many: Vec<i64> = (0..5_001).collect();
    let lacking = |n: usize| Value::from(vec![json!([1.0, null, null]); n]);
    for (body, words) in [
        (json!({"inputs": [lacks()]}), "input 'customer' is missing: it says whose features"),
        (
            json!({"inputs": [x(&json!([null, 1.0, 1.0])), customer("INT64", &json!([1]), &json!([1]))]}),
            "'amount' is NaN",
        ),
        (json!({"inputs": [lacks(), customer("INT64", &json!([2]), &json!([1, 2]))]}), "rows"),
        (json!({"inputs": [lacks(), customer("BYTES", &json!([1]), &json!(["a"]))]}), "'customer' is BYTES"),
        (json!({"inputs": [lacks(), customer("INT64", &json!([1]), &json!([null]))]}), "element 0 is not an integer"),
        (
            json!({"inputs": [x(&json!([1.0, 501, null])), customer("INT64", &json!([1]), &json!([1]))]}),
            "'txn_7d' is 501",
        ),
        (rows(&many, &lacking(5_001)), "10002 features are missing, more than the 10000"),
    ] {
        let got = kit.infer("fraud", &body).await;
        let error = got.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!(got.status, 400, "{words}: {got:?}");
        assert!(error.contains(words), "{words}: {error}");
    }
    assert_eq!((feast.asked().len(), kit.seen_by_primary().await.len()), (0, 0));
    // As many rows as one likes, where they are about few.
    let few = vec![3; 5_001];
    assert_eq!(kit.infer("fraud", &rows(&few, &lacking(5_001))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_an_unknown_entity_a_null_and_a_value_that_cannot_be_are_imputed_and_told() {
    let feast = Feast::start(&[(1, 7, 12.5, 60), (2, 501, 3.5, 60)]).await;
    let kit = kit(&feast, ("", "")).await;
    let got = kit.infer("fraud", &rows(&[1, 99], &json!([[7.0, null, null], [8.0, null, null]]))).await;
    let text = "avg;from=default;rows=1, txn_7d;from=default;rows=1";
    assert_eq!((got.status, got.header("evenkeel-imputed")), (200, text), "{got:?}");
    assert_eq!(sent(&kit).await["inputs"][0]["data"], json!([7.0, 7.0, 12.5, 8.0, 5.0, 1.5]));
    let got = kit.infer("fraud", &rows(&[2], &json!([[7.0, null, null]]))).await;
    assert_eq!(got.header("evenkeel-imputed"), "txn_7d;from=default;rows=1", "501 is more than the column takes");
    feast.set(Mode::Nulls);
    check_default_answer(&kit.infer("fraud", &rows(&[7], &json!([[7.0, null, null]]))).await, "null is PRESENT");
    assert_eq!(kit.gateway.route_state("fraud").expect("a route").enrich.expect("enriched").breaker, "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_a_stale_value_stands_in_as_the_last_known_one_and_its_age_is_told() {
    // `txn_7d` may be an hour old to be good, and a day to stand in; of `avg` any age will do.
    let feast = Feast::start(&[(1, 7, 12.5, 3 * 3_600), (2, 9, 3.5, 25 * 3_600)]).await;
    let kit = kit(&feast, ("", "")).await;
    let got = kit.infer("fraud", &rows(&[1, 2], &json!([[7.0, null, null], [8.0, null, null]]))).await;
    assert_eq!(sent(&kit).await["inputs"][0]["data"], json!([7.0, 7.0, 12.5, 8.0, 5.0, 3.5]), "{got:?}");
    let told = got.header("evenkeel-imputed");
    assert!(told.starts_with("txn_7d;from=last_known;rows=1;age=1080"), "{told}");
    assert!(told.ends_with(", txn_7d;from=default;rows=1"), "{told}");
    let record = kit.record(&got).await;
    let [known, default] = &imputed(&record)[..] else { panic!("{record}") };
    assert!((10_800_000..10_860_000).contains(&known.3.expect("an age")), "{record}");
    assert_eq!((known.1.as_str(), default.1.as_str(), default.3), ("last_known", "default", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_a_feature_server_that_is_down_slow_or_mad_costs_no_answer_and_its_breaker_opens() {
    let table = [
        (Mode::Closed, "target.reset"),
        (Mode::Silent, "target.total_timeout"),
        (Mode::Status(500, "\"'Feature nope not found in projection stats'\"".into()), "target.status_5xx"),
        (Mode::Status(404, "{}".into()), "target.model_missing"),
        (Mode::Status(422, "{}".into()), "target.protocol_error"),
        (Mode::Status(200, "<html>".into()), "target.decode_failed"),
        (Mode::Status(200, "{\"results\":[],\"metadata\":{\"feature_names\":[]}}".into()), "target.decode_failed"),
        (Mode::Status(200, format!("[{}]", "0,".repeat(3 << 20))), "target.answer_too_large"),
    ];
    for (mode, result) in table {
        let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
        let kit = kit(&feast, ("", "")).await;
        feast.set(mode);
        let mut results = Vec::new();
        for _ in 0..4 {
            let got = kit.infer("fraud", &one()).await;
            check_default_answer(&got, result);
            let record = kit.record(&got).await;
            let compared = record["inputs"].to_string();
            assert!(
                compared.contains("\"signal\":\"imputed_permille\",\"threshold\":\"1000\",\"value\":\"1000\""),
                "{record}"
            );
            results.push(record["enrichment"]["result"].as_str().expect("a word").to_owned());
        }
        assert_eq!(
            results,
            [result, result, "breaker_open", "breaker_open"],
            "two in a row are enough while little is known"
        );
        let state = kit.gateway.route_state("fraud").expect("a route");
        assert_eq!(state.enrich.expect("enriched").breaker, "open", "{result}");
        assert_eq!(
            (state.phase.as_str(), state.tiers[0].breaker.as_str()),
            ("normal", "closed"),
            "no tier is to blame"
        );
        let metrics = kit.gateway.metrics();
        for line in [
            "evenkeel_feature_breaker_state{route=\"fraud\",upstream=\"feast\",state=\"open\"} 1",
            "evenkeel_imputed_values_total{route=\"fraud\",feature=\"avg\",from=\"default\"} 4",
            "evenkeel_feature_fetches_total{route=\"fraud\",upstream=\"feast\",result=\"breaker_open\"} 2",
            &format!("evenkeel_feature_fetches_total{{route=\"fraud\",upstream=\"feast\",result=\"{result}\"}} 2"),
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_nobody_waits_for_a_feature_server_whose_breaker_is_open_and_the_last_known_values_stand_in() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let kit = kit(&feast, ("timeout: 300ms", "timeout: 300ms\n      breaker: {low: [1, 1]}")).await;
    let got = kit.infer("fraud", &one()).await;
    assert!(!got.headers.contains_key("evenkeel-imputed"), "{got:?}");
    feast.set(Mode::Silent);
    let slow = kit.infer("fraud", &one()).await;
    let record = kit.record(&slow).await;
    let [spent, latency] =
        [&record["enrichment"]["duration_us"], &record["outcome"]["latency_us"]].map(|it| it.as_u64());
    assert!(spent >= Some(300_000) && latency >= spent, "the time is the request's: {record}");
    let before = feast.asked().len();
    for _ in 0..5 {
        let got = kit.infer("fraud", &one()).await;
        let told = got.header("evenkeel-imputed");
        assert!(told.starts_with("avg;from=default;rows=1, txn_7d;from=last_known;rows=1;age=6"), "{told}");
        assert_eq!(sent(&kit).await["inputs"][0]["data"], json!([7.0, 7.0, 1.5]));
        let record = kit.record(&got).await;
        assert_eq!(record["enrichment"]["result"], "breaker_open");
        assert!(record["outcome"]["latency_us"].as_u64() < Some(300_000), "{record}");
    }
    assert_eq!(feast.asked().len(), before, "nobody asked");
    // What is another one's is not known.
    let got = kit.infer("fraud", &rows(&[2], &json!([[7.0, null, null]]))).await;
    check_default_answer(&got, "customer 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_f_021_a_reload_while_features_are_fetched_costs_the_time_of_both_fetches_and_no_more_than_there_is() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let kit = kit(&feast, ("", "")).await;
    feast.set(Mode::Silent);
    // The first fetch is given its whole 300 ms; half of what is left then are some 200 ms.
    let hurry = [("x-envoy-expected-rq-timeout-ms", "700")];
    let asking = kit.post("/v2/models/fraud/infer", one().to_string(), &hurry);
    let reload = async {
        until(|| (feast.asked().len() == 1).then_some(())).await;
        let config = CONFIG.replace("FEAST", &feast.url()).replace("deadline: 3s", "deadline: 2s");
        kit.gateway.apply(kit.compile(&config, std::path::Path::new("."))).expect("it applies");
    };
    let (got, ()) = tokio::join!(asking, reload);
    check_default_answer(&got, "a reload");
    assert_eq!(feast.asked().len(), 2, "the new revision asks for itself");
    let record = kit.record(&got).await;
    let [fetch, latency] =
        [&record["enrichment"]["duration_us"], &record["outcome"]["latency_us"]].map(|it| it.as_u64().expect("a time"));
    assert!(fetch < 290_000, "half of what is left: {record}");
    assert!(latency >= 300_000 + fetch, "the time of both is the request's: {record}");
    assert_eq!(record["deadline_ms"], 700, "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_f_070_a_feature_server_that_is_well_again_is_asked_again() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let breaker = "timeout: 300ms\n      breaker: {low: [1, 1], open: 100ms, open_max: 100ms, ramp: [1]}";
    let kit = kit(&feast, ("timeout: 300ms", breaker)).await;
    feast.set(Mode::Closed);
    check_default_answer(&kit.infer("fraud", &one()).await, "down");
    feast.set(Mode::Well);
    let again = async {
        loop {
            let got = kit.infer("fraud", &one()).await;
            if !got.headers.contains_key("evenkeel-imputed")
                && kit.gateway.route_state("fraud").expect("a route").enrich.expect("enriched").breaker == "closed"
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("it comes back by itself");
    // A ramp that ends by time alone is noticed by whoever comes next.
    kit.infer("fraud", &one()).await;
    let metrics = kit.gateway.metrics();
    for to in ["open", "half_open", "ramp", "closed"] {
        let line = format!("evenkeel_feature_breaker_changes_total{{route=\"fraud\",upstream=\"feast\",to=\"{to}\"");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_rows_that_are_imputed_for_the_greater_part_start_at_the_tier_that_takes_them() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let kit = kit(&feast, ("timeout: 300ms", "timeout: 300ms\n      max_imputed: 0.5")).await;
    let half = kit.infer("fraud", &rows(&[9, 1], &json!([[7.0, null, 2.0], [7.0, null, null]]))).await;
    assert_eq!((half.header("evenkeel-tier"), half.header("evenkeel-degraded")), ("0", "false"), "{half:?}");
    let worst = kit.infer("fraud", &rows(&[1, 9], &json!([[7.0, null, null], [7.0, null, null]]))).await;
    assert_eq!((worst.status, worst.scores()), (200, vec![0.5, 0.5]));
    assert_eq!((worst.header("evenkeel-tier"), worst.header("evenkeel-reason")), ("1", "FEATURE_MISSING"), "{worst:?}");
    let record = kit.record(&worst).await;
    assert_eq!(record["candidates"][0]["verdict"], "skipped", "{record}");
    let compared = record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "imputed_permille");
    let compared = compared.expect("compared");
    assert_eq!(
        (&compared["value"], &compared["threshold"], &compared["breached"]),
        (&"1000".into(), &"500".into(), &true.into())
    );
    assert_eq!(kit.gateway.route_state("fraud").expect("a route").phase, "normal", "the route stays where it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_f_021_a_client_in_a_hurry_is_answered_in_its_time_and_the_feature_server_is_not_blamed() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let kit = kit(&feast, ("timeout: 300ms", "timeout: 300ms\n      breaker: {low: [1, 1]}")).await;
    feast.set(Mode::Silent);
    let hurry = [("x-envoy-expected-rq-timeout-ms", "200")];
    for _ in 0..3 {
        let got = kit.post("/v2/models/fraud/infer", one().to_string(), &hurry).await;
        check_default_answer(&got, "in a hurry");
        let record = kit.record(&got).await;
        assert_eq!(record["enrichment"]["result"], "target.total_timeout", "no more than half of the time: {record}");
        assert_eq!(record["deadline_ms"], 200);
    }
    assert_eq!(kit.gateway.route_state("fraud").expect("a route").enrich.expect("enriched").breaker, "closed", "ENR-3");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_cf_02_a_reload_keeps_what_is_known_and_another_plan_begins_anew() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let kit = kit(&feast, ("", "")).await;
    assert_eq!(kit.infer("fraud", &one()).await.status, 200);
    feast.set(Mode::Closed);
    let config = CONFIG.replace("FEAST", &feast.url());
    let applied = |config: &str| kit.gateway.apply(kit.compile(config, std::path::Path::new("."))).expect("it fits");
    applied(&config.replace("deadline: 3s", "deadline: 2s"));
    let told = kit.infer("fraud", &one()).await.header("evenkeel-imputed").to_owned();
    assert!(told.contains("txn_7d;from=last_known"), "{told}");
    applied(&config.replace("default: 5", "default: 6"));
    let told = kit.infer("fraud", &one()).await.header("evenkeel-imputed").to_owned();
    assert!(told.contains("txn_7d;from=default"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_metadata_tells_clients_whom_to_name() {
    let feast = Feast::start(&[]).await;
    let kit = kit(&feast, ("", "")).await;
    let told = kit.get("/v2/models/fraud").await.json();
    let inputs = json!([
        {"name": "x", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "customer", "datatype": "INT64", "shape": [-1]},
    ]);
    assert_eq!(told["inputs"], inputs, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_037_what_is_left_out_of_bytes_or_over_grpc_is_fetched_too() {
    let feast = Feast::start(&[(1, 7, 12.5, 60)]).await;
    let kit = kit(&feast, ("", "")).await;
    let tensor: Vec<u8> = [7.0, f32::NAN, f32::NAN].iter().flat_map(|it| it.to_le_bytes()).collect();
    let packed = json!({"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}});
    let customer = json!({"name": "customer", "datatype": "INT64", "shape": [1, 1], "data": [1]});
    let json = json!({"inputs": [customer, packed]}).to_string().into_bytes();
    let length = [("inference-header-content-length", json.len().to_string())];
    let length = length.each_ref().map(|(name, value)| (*name, value.as_str()));
    let got = kit.post("/v2/models/fraud/infer", [json, tensor].concat(), &length).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "{got:?}");
    let filled = json!([7.0, 7.0, 12.5]);
    assert_eq!(sent(&kit).await["inputs"][0]["data"], filled);

    // Another gateway stands before it, which calls it over gRPC and knows nothing of features.
    let before = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nupstreams: {{behind: {{protocol: oip-grpc, url: \
         \"http://{}\"}}}}\nroutes: {{through: {{protocol: oip, tiers: [{{name: p, oip: {{upstream: behind, model: fraud}}}}]}}}}\n",
        kit.gateway.address()
    );
    let before = evenkeel_config::load_text("before", &before, std::path::Path::new(".")).deployment.expect("compiles");
    let before = evenkeel_gateway::Gateway::start(before).await.expect("it starts");
    let body = r#"{"inputs":[{"name":"customer","datatype":"INT64","shape":[1],"data":[1]},{"name":"x","datatype":"FP32","shape":[1,3],"data":[8,NaN,NaN]}]}"#;
    let got = crate::client::post(before.address(), "/v2/models/through/infer", body).await;
    assert_eq!((got.status, got.scores()), (200, vec![0.25]), "{got:?}");
    assert_eq!(sent(&kit).await["inputs"][0]["data"], json!([8.0, 7.0, 12.5]));
    feast.set(Mode::Closed);
    let (reply, counted) =
        (crate::client::post(before.address(), "/v2/models/through/infer", body).await, "from=\"last_known\"} 1");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(
        kit.gateway
            .metrics()
            .contains(&format!("evenkeel_imputed_values_total{{route=\"fraud\",feature=\"txn_7d\",{counted}"))
    );
}
