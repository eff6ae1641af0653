//! The cache of a route, from both sides: what is given again and to whom, what is never kept, and what stands in for a failure.

use std::{collections::BTreeMap, path::Path};

use evenkeel_mock::{OipModel, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Got, Kit};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "BIG/v1"}
  small: {protocol: openai, url: "SMALL/v1"}
  models: {protocol: oip, url: "BIG"}
routes:
  chat:
    protocol: openai-chat
    deadline: 5s
    cache: {vary: [X-Tenant]}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, first_token: 300ms, stall: 300ms, finalise: 100ms, retries: 0}
      - {name: small, openai: {upstream: small, model: little}, retries: 0}
      - {name: earlier, cache: {}}
      - {name: default, fixed: {content: "Later."}}
  fallback:
    protocol: openai-chat
    deadline: 5s
    cache: {fresh: false}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: earlier, cache: {}}
      - {name: default, fixed: {content: "Later."}}
  any:
    protocol: openai-chat
    cache: {from: any}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: small, openai: {upstream: small, model: little}, retries: 0}
  whole:
    protocol: openai-chat
    commit: full
    cache: {}
    tiers: [{name: primary, openai: {upstream: big, model: large}}]
  vectors:
    protocol: openai-embeddings
    cache: {}
    tiers:
      - {name: primary, openai: {upstream: big, model: embed}, space: e}
      - {name: earlier, cache: {}}
  price:
    protocol: oip
    cache: {}
    tiers:
      - {name: primary, oip: {upstream: models, model: price}}
      - {name: earlier, cache: {}}
  plain:
    protocol: openai-chat
    tiers: [{name: primary, openai: {upstream: big, model: large}}]
"#;

async fn kit() -> Kit {
    let input = TensorSpec::new("x", "FP32", [-1, 2]);
    let model = OipModel::declared(vec![input], TensorSpec::new("score", "FP32", [-1]), vec![json!(0.25)]);
    Kit::of(CONFIG, Path::new("."), BTreeMap::from([("price".to_owned(), model)])).await
}

/// Asks a question of which nothing else is known than its words.
async fn ask(kit: &Kit, route: &str, (more, headers): (Value, &[(&str, &str)])) -> Got {
    let mut body = json!({"model": route, "messages": [{"role": "user", "content": "hello"}]});
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    kit.post("/v1/chat/completions", body.to_string(), headers).await
}

async fn plain(kit: &Kit, route: &str) -> Got {
    ask(kit, route, (json!({}), &[])).await
}

async fn streamed(kit: &Kit, route: &str) -> Got {
    ask(kit, route, (json!({"stream": true, "stream_options": {"include_usage": true}}), &[])).await
}

/// How often models were asked.
fn asked(kit: &Kit) -> usize {
    let work = |log: Vec<evenkeel_mock::Attempt>| log.iter().filter(|it| !it.probe).count();
    work(kit.big.log()) + work(kit.small.log())
}

fn told(got: &Got) -> [&str; 5] {
    ["evenkeel-tier", "evenkeel-method", "evenkeel-path", "evenkeel-degraded", "evenkeel-reason"]
        .map(|it| got.header(it))
}

const FRESH: [&str; 5] = ["0", "cache", "primary", "false", "CACHE_FRESH_HIT"];

#[tokio::test(flavor = "multi_thread")]
async fn f_142_f_144_a_kept_answer_is_given_plain_and_streamed_whichever_it_was() {
    for first_streamed in [false, true] {
        for route in ["chat", "whole"] {
            let kit = kit().await;
            let first = if first_streamed { streamed(&kit, route).await } else { plain(&kit, route).await };
            assert!(first.is_whole(), "{first:?}");
            assert_eq!(first.header("cache-status"), "evenkeel; fwd=uri-miss");
            assert_eq!(kit.record(&first).await["cache"], json!({"status": "miss", "written": "stored"}), "{route}");
            for again in [plain(&kit, route).await, streamed(&kit, route).await, plain(&kit, route).await] {
                assert!(again.is_whole() && again.said() == first.said(), "{first:?} {again:?}");
                assert_eq!(told(&again), FRESH, "{again:?}");
                assert!(again.header("cache-status").starts_with("evenkeel; hit; ttl="), "{again:?}");
                assert!(again.header("age").parse::<u64>().is_ok_and(|age| age < 20), "{again:?}");
                assert!(
                    again.header("openai-processing-ms").is_empty() && again.header("x-ratelimit-limit").is_empty()
                );
                let record = kit.record(&again).await;
                assert_eq!(
                    (&record["outcome"]["method"], &record["attempts"]),
                    (&json!("cache"), &json!([])),
                    "{record}"
                );
                assert_eq!(
                    (&record["cache"]["status"], &record["inputs"][0]["signal"]),
                    (&json!("fresh"), &json!("cache_fresh_age_ns"))
                );
            }
            assert_eq!(asked(&kit), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_144_usage_is_told_as_the_model_told_it() {
    let kit = kit().await;
    let first = plain(&kit, "chat").await.json();
    let again = streamed(&kit, "chat").await;
    let last = again.chunks().pop().expect("events");
    assert!(first["usage"]["total_tokens"].as_u64() > Some(0));
    assert_eq!((&last["usage"], &last["choices"]), (&first["usage"], &json!([])));
    assert_eq!(again.chunks()[0]["evenkeel"]["method"], "cache");
    let model = |it: &Value| it["model"].clone();
    assert_eq!(model(&plain(&kit, "chat").await.json()), model(&first), "who really answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn da_08_f_141_no_other_client_gets_what_was_kept_for_one() {
    let kit = kit().await;
    let scopes: [&[(&str, &str)]; 6] = [
        &[],
        &[("authorization", "Bearer a")],
        &[("authorization", "Bearer b")],
        &[("authorization", "Bearer a"), ("x-tenant", "one")],
        &[("authorization", "Bearer a"), ("x-tenant", "two")],
        &[("x-api-key", "Bearer a")],
    ];
    for (at, scope) in scopes.into_iter().enumerate() {
        let got = ask(&kit, "chat", (json!({}), scope)).await;
        assert_eq!((got.header("evenkeel-method"), asked(&kit)), ("primary", at + 1), "{scope:?}");
    }
    for scope in scopes {
        assert_eq!(told(&ask(&kit, "chat", (json!({}), scope)).await), FRESH, "{scope:?}");
    }
    let other = ask(&kit, "chat", (json!({"temperature": 0.5}), &[])).await;
    assert_eq!(other.header("evenkeel-method"), "primary", "another question");
    assert_eq!(plain(&kit, "any").await.header("evenkeel-method"), "primary", "another route");
}

#[tokio::test(flavor = "multi_thread")]
async fn da_07_f_140_what_is_cut_degraded_or_not_said_to_its_end_is_never_kept() {
    let rows: [(&str, bool, &str); 14] = [
        ("{fault: finish_reason, reason: length}", false, "finish_reason"),
        ("{fault: finish_reason, reason: length}", true, "finish_reason"),
        ("{fault: finish_reason, reason: content_filter}", true, "finish_reason"),
        ("{fault: done_missing}", true, "done_missing"),
        ("{fault: garbled_event, at_token: 3}", true, "event_skipped"),
        ("{fault: cut, after_tokens: 3, how: between_events}", true, "mended"),
        ("{fault: cut, after_tokens: 3}", false, "lower_tier"),
        ("{fault: stall, after_tokens: 3}", true, "mended"),
        ("{fault: finish_missing}", true, "mended"),
        ("{fault: error_in_body}", false, "lower_tier"),
        ("{fault: error_event}", true, "lower_tier"),
        ("{fault: status, status: 500}", false, "lower_tier"),
        ("{fault: content_filter}", false, "no_answer"),
        ("{fault: empty_answer, what: text}", false, "lower_tier"),
    ];
    for (fault, stream, why) in rows {
        let kit = kit().await;
        kit.break_primary(fault);
        let ask = async || if stream { streamed(&kit, "chat").await } else { plain(&kit, "chat").await };
        let record = kit.record(&ask().await).await;
        assert_eq!(record["cache"], json!({"status": "miss", "written": why}), "{fault} stream={stream}: {record}");
        let text = kit.gateway.metrics();
        assert!(text.contains(&format!(r#"evenkeel_cache_writes_total{{route="chat",result="{why}"}} 1"#)), "{text}");
        kit.break_primary("");
        let asked_before = asked(&kit);
        let again = ask().await;
        assert_ne!(again.header("evenkeel-method"), "cache", "{fault}: {again:?}");
        assert_eq!(asked(&kit), asked_before + 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn da_07_f_144_no_header_of_a_server_is_given_again() {
    let kit = kit().await;
    let first = plain(&kit, "chat").await;
    let again = plain(&kit, "chat").await;
    let names =
        |got: &Got| got.headers.keys().map(|it| it.as_str().to_owned()).collect::<std::collections::BTreeSet<_>>();
    let ours = ["age", "cache-status", "content-length", "content-type", "date", "x-request-id"];
    let foreign: Vec<_> =
        names(&again).into_iter().filter(|it| !it.starts_with("evenkeel-") && !ours.contains(&it.as_str())).collect();
    assert_eq!(foreign, Vec::<String>::new(), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn da_10_f_143_with_every_model_gone_an_earlier_answer_stands_in_and_says_so() {
    let kit = kit().await;
    for route in ["chat", "fallback"] {
        let first = plain(&kit, route).await;
        kit.break_primary("{fault: status, status: 500}");
        kit.break_small("{fault: status, status: 500}");
        // Fresh answers are not for who wants a new one; as a stand-in for a failure it is not, either.
        let fresh = if route == "chat" { "max-age=0" } else { "" };
        let got = ask(&kit, route, (json!({}), &[("cache-control", fresh)])).await;
        if route == "chat" {
            assert_eq!(
                (got.said().as_str(), got.header("cache-status")),
                ("Later.", "evenkeel; fwd=request"),
                "{got:?}"
            );
            let record = kit.record(&got).await;
            assert_eq!(record["candidates"][2]["reasons"], json!(["CLIENT_MAX_AGE"]), "{record}");
        } else {
            assert_eq!(got.said(), first.said());
            assert_eq!(told(&got), ["1", "cache", "earlier", "true", "CACHE_STALE_HIT"], "{got:?}");
            assert!(got.header("cache-status").starts_with("evenkeel; hit; ttl="), "{got:?}");
            let record = kit.record(&got).await;
            assert_eq!((&record["cache"]["status"], &record["outcome"]["method"]), (&json!("stale"), &json!("cache")));
            assert_eq!(record["candidates"][0]["reasons"], json!(["UPSTREAM_5XX"]), "why not the model: {record}");
        }
        let unknown = ask(&kit, route, (json!({"seed": 1}), &[])).await;
        assert_eq!((unknown.said().as_str(), unknown.header("cache-status")), ("Later.", "evenkeel; fwd=uri-miss"));
        assert!(kit.record(&unknown).await["candidates"].to_string().contains("CACHE_MISS"));
        kit.break_primary("");
        kit.break_small("");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_143_a_client_says_how_old_an_answer_may_be_and_whether_one_is_kept() {
    let kit = kit().await;
    for (headers, method, status) in [
        (&[("cache-control", "no-store")][..], "primary", "evenkeel; fwd=bypass"),
        (&[], "primary", "evenkeel; fwd=uri-miss"),
        (&[("evenkeel-accept", "max-age=60")], "cache", "evenkeel; hit"),
        (&[("cache-control", "no-cache")], "primary", "evenkeel; fwd=request"),
        (&[("evenkeel-accept", "max-age=0")], "primary", "evenkeel; fwd=request"),
        (&[("cache-control", "no-store")], "primary", "evenkeel; fwd=bypass"),
        (&[], "cache", "evenkeel; hit"),
    ] {
        let got = ask(&kit, "chat", (json!({}), headers)).await;
        assert_eq!(got.header("evenkeel-method"), method, "{headers:?}: {got:?}");
        assert!(got.header("cache-status").starts_with(status), "{headers:?}: {got:?}");
    }
    let stored = ask(&kit, "chat", (json!({"store": true}), &[])).await;
    assert_eq!(stored.header("cache-status"), "evenkeel; fwd=bypass", "F-034: it is not pure");
    assert_eq!(plain(&kit, "plain").await.header("cache-status"), "", "a route without a cache says nothing of one");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_142_what_a_lower_tier_said_comes_back_as_its_own_and_not_to_who_refuses_it() {
    let kit = kit().await;
    kit.break_primary("{fault: status, status: 500}");
    let first = plain(&kit, "any").await;
    assert_eq!(told(&first), ["1", "distilled", "small", "true", "UPSTREAM_5XX"]);
    let again = plain(&kit, "any").await;
    assert_eq!(told(&again), ["1", "cache", "small", "true", "CACHE_FRESH_HIT"], "{again:?}");
    kit.break_primary("");
    let refused = ask(&kit, "any", (json!({}), &[("evenkeel-accept", "max-tier=0")])).await;
    assert_eq!(told(&refused), ["0", "primary", "primary", "false", "PRIMARY_HEALTHY"], "{refused:?}");
    assert_eq!(told(&plain(&kit, "any").await), FRESH, "and what is better is kept in its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_141_embeddings_are_kept_for_the_exact_input_in_the_form_that_was_asked_for() {
    let kit = kit().await;
    let ask = async |more: Value| {
        let mut body = json!({"model": "vectors", "input": ["a", "b"]});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        kit.post("/v1/embeddings", body.to_string(), &[]).await
    };
    let first = ask(json!({})).await;
    let again = ask(json!({})).await;
    assert_eq!((told(&again), &again.json()["data"]), (FRESH, &first.json()["data"]));
    for other in [
        json!({"input": ["a", "c"]}),
        json!({"input": ["b", "a"]}),
        json!({"encoding_format": "base64"}),
        json!({"dimensions": 8}),
    ] {
        assert_ne!(ask(other.clone()).await.header("evenkeel-method"), "cache", "{other}");
    }
    kit.break_primary("{fault: status, status: 500}");
    let gone = kit.post("/v1/embeddings", json!({"model": "vectors", "input": "new"}).to_string(), &[]).await;
    assert_eq!(gone.status, 503, "a vector of nobody's is none: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_141_tensors_are_kept_in_one_form_and_told_in_the_one_that_is_asked_for() {
    let kit = kit().await;
    let body = |more: Value| {
        let mut body =
            json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]}]});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    let first = kit.infer("price", &body(json!({"id": "one"}))).await;
    assert_eq!((first.scores(), first.header("evenkeel-method")), (vec![0.25, 0.25], "primary"), "{first:?}");
    let again = kit.infer("price", &body(json!({"id": "two"}))).await;
    assert_eq!((told(&again), again.scores()), (FRESH, vec![0.25, 0.25]), "{again:?}");
    let parameters = &again.json()["parameters"];
    assert_eq!((&parameters["evenkeel.method"], &again.json()["id"]), (&json!("cache"), &json!("two")));
    let bytes = kit.infer("price", &body(json!({"parameters": {"binary_data_output": true}}))).await;
    assert_eq!(told(&bytes), FRESH, "{bytes:?}");
    assert!(bytes.body.ends_with(&[0.25_f32.to_le_bytes(), 0.25_f32.to_le_bytes()].concat()), "{bytes:?}");
    let pinned = kit.infer("price", &body(json!({"parameters": {"sequence_id": 7, "sequence_start": true}}))).await;
    assert_eq!(pinned.header("cache-status"), "evenkeel; fwd=bypass", "F-034: what belongs to a sequence: {pinned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cf_02_f_141_a_reload_keeps_what_was_kept_and_another_model_begins_anew() {
    let kit = kit().await;
    plain(&kit, "chat").await;
    let slower = CONFIG.replace("deadline: 5s\n    cache: {vary", "deadline: 4s\n    cache: {ttl: 10m, vary");
    kit.gateway.apply(kit.compile(&slower, Path::new("."))).expect("applied");
    assert_eq!(told(&plain(&kit, "chat").await), FRESH);
    kit.gateway.apply(kit.compile(&CONFIG.replace("model: large", "model: larger"), Path::new("."))).expect("applied");
    assert_eq!(
        plain(&kit, "chat").await.header("evenkeel-method"),
        "primary",
        "what another model said is not its own"
    );
    let text = kit.gateway.metrics();
    assert!(text.contains(r#"evenkeel_cache_requests_total{route="chat",result="fresh"} 1"#), "{text}");
    assert!(text.contains(r#"evenkeel_cache_bytes{route="chat"}"#), "{text}");
}
