//! Requests, good and bad: what is forwarded untouched, what is refused and how, and what can be looked at.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::{CONFIG, Kit, deployment, until};

#[tokio::test(flavor = "multi_thread")]
async fn oai_01_oai_02_everything_but_the_model_goes_on_untouched() {
    let kit = Kit::start().await;
    let body = "{ \"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\"}],  \"model\" : \"chat\", \"tools\":[{\"type\":\"function\",\
                \"function\":{\"name\":\"f\"}}], \"seed\":12345678901234567890, \"x-vendor\": {\"a\":[1e999]} }";
    let got = kit.post("/v1/chat/completions", body, &[]).await;
    assert_eq!(got.status, 200, "{got:?}");
    let seen = kit.seen_by_primary().await;
    let expected = body.replace("\"chat\"", "\"large\"");
    assert_eq!(seen[0].body.as_deref().map(String::from_utf8_lossy).as_deref(), Some(expected.as_str()), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_by_name_and_reaches_no_upstream() {
    let kit = Kit::start().await;
    let chat = "/v1/chat/completions";
    let large = format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(2 << 20));
    type Row = (&'static str, Vec<u8>, u16, &'static str, Option<&'static str>);
    let table: Vec<Row> = vec![
        (chat, b"{".to_vec(), 400, "invalid_value", None),
        (chat, b"".to_vec(), 400, "invalid_value", None),
        (chat, b"{\"model\":\"\xff\"}".to_vec(), 400, "invalid_value", None),
        (chat, br#"{"model":"nope","messages":[{}]}"#.to_vec(), 404, "model_not_found", Some("model")),
        (chat, br#"{"model":"vectors","messages":[{}]}"#.to_vec(), 404, "model_not_found", Some("model")),
        (chat, br#"{"model":"chat","messages":[]}"#.to_vec(), 400, "invalid_value", Some("messages")),
        (chat, br#"{"model":"chat","messages":[{}],"stream":1}"#.to_vec(), 400, "invalid_value", Some("stream")),
        (
            chat,
            br#"{"model":"chat","messages":[{}],"max_tokens":1e99}"#.to_vec(),
            400,
            "invalid_value",
            Some("max_tokens"),
        ),
        (chat, large.into_bytes(), 413, "request_too_large", None),
        ("/v1/embeddings", br#"{"model":"vectors","input":[]}"#.to_vec(), 400, "invalid_value", Some("input")),
        ("/v1/responses", b"{}".to_vec(), 501, "not_supported", None),
        ("/v1/nothing", b"{}".to_vec(), 404, "unknown_url", None),
        ("/v1/models", b"{}".to_vec(), 405, "method_not_allowed", None),
    ];
    for (path, body, status, code, param) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let got = kit.post(path, body, &[]).await;
        let error = &got.json()["error"];
        assert_eq!((got.status, error["code"].as_str()), (status, Some(code)), "{path} {shown}: {got:?}");
        assert_eq!(error["param"].as_str(), param, "{path} {shown}: {got:?}");
        assert_eq!(error.as_object().map(serde_json::Map::len), Some(4), "all four keys");
        assert_eq!(got.header("x-request-id").len(), 26, "every answer has an id");
        assert_eq!(got.header("allow"), if status == 405 { "GET, HEAD" } else { "" });
        assert_eq!(got.header("x-should-retry"), if status == 501 { "false" } else { "" });
    }
    assert!(kit.big.log().is_empty() && kit.small.log().is_empty(), "no upstream call");
    let state = kit.gateway.route_state("chat").expect("a route");
    assert!(state.tiers.iter().all(|tier| tier.breaker == "closed"), "no evidence");
    assert!(kit.gateway.metrics().contains("evenkeel_refused_before_admission_total{kind=\"bad_request\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_11_a_refusal_before_admission_names_the_route_that_was_meant_and_no_other_name() {
    let kit = Kit::start().await;
    let chat = "/v1/chat/completions";
    let none: &[(&str, &str)] = &[];
    for (path, body, headers, status, route) in [
        (chat, r#"{"model":"chat","messages":[]}"#, none, 400, "chat"),
        (chat, r#"{"messages":[],"model":"chat"}"#, none, 400, "chat"),
        (chat, r#"{"stream":1,"model":"chat","messages":[{}]}"#, none, 400, "chat"),
        (chat, r#"{"model":"chat","messages":[{"content":"x"}]}"#, &[("evenkeel-accept", "?")], 400, "chat"),
        (chat, r#"{"model":"vectors","messages":[{}]}"#, none, 404, "vectors"),
        (chat, r#"{"model":"nope","messages":[]}"#, none, 400, ""),
        (chat, r#"{"model":"nope","messages":[{}]}"#, none, 404, ""),
        (chat, "{", none, 400, ""),
        ("/v1/embeddings", r#"{"model":"vectors","input":[]}"#, none, 400, "vectors"),
        ("/v2/models/chat/infer", "{", none, 404, "chat"),
    ] {
        let got = kit.post(path, body, headers).await;
        assert_eq!((got.status, got.header("evenkeel-route")), (status, route), "{path} {body}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oai_12_embeddings_pass_in_both_encodings_and_fall_back_within_their_space() {
    let kit = Kit::start().await;
    for format in ["float", "base64"] {
        let body = json!({"model": "vectors", "input": ["a", "b"], "encoding_format": format}).to_string();
        let got = kit.post("/v1/embeddings", body.clone(), &[]).await;
        assert_eq!((got.status, got.json()["data"].as_array().map(Vec::len)), (200, Some(2)), "{got:?}");
        assert_eq!(got.json()["data"][0]["embedding"].is_string(), format == "base64");
    }
    kit.break_primary("{fault: embedding_width, width: 3}");
    let body = json!({"model": "vectors", "input": "a", "dimensions": 64}).to_string();
    let got = kit.post("/v1/embeddings", body, &[]).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "1"), "{got:?}");
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "quality.contract_shape");
}

#[tokio::test(flavor = "multi_thread")]
async fn oai_15_models_status_and_state_answer_with_all_upstreams_down() {
    let kit = Kit::start().await;
    kit.big.kill().await;
    kit.small.kill().await;
    let models = kit.get("/v1/models").await.json();
    let ids: Vec<_> = models["data"].as_array().expect("a list").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, ["chat", "models-only", "vectors"]);
    assert_eq!(kit.get("/v1/models/chat/").await.json()["owned_by"], "evenkeel");
    assert_eq!(kit.get("/v1/models/nope").await.status, 404);
    for _ in 0..3 {
        let got = kit.chat("chat", false).await;
        assert_eq!((got.header("evenkeel-tier"), got.said().as_str()), ("2", "Later."));
    }
    let state = kit.get("/v1/routes/chat/state").await.json();
    assert_eq!(
        (&state["phase"], &state["tier"], &state["degraded"]),
        (&"degraded".into(), &2.into(), &true.into()),
        "{state}"
    );
    assert_eq!(
        (&state["tiers"][0]["breaker"], &state["reason"]),
        (&"open".into(), &"CONNECT_FAILED".into()),
        "{state}"
    );
    let status = kit.get("/v1/status").await.json();
    assert_eq!(status["phase"], "degraded", "the worst of the routes that were asked: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_body_and_record_agree_and_ids_are_kept() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: status, status: 500}");
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let got = kit.post("/v1/chat/completions", body, &[("x-request-id", "mine-7"), ("traceparent", trace)]).await;
    let (object, record) = (&got.json()["evenkeel"], kit.record(&got).await);
    for (header, key) in [
        ("evenkeel-route", "route"),
        ("evenkeel-method", "method"),
        ("evenkeel-path", "path"),
        ("evenkeel-reason", "reason"),
        ("evenkeel-revision", "revision"),
    ] {
        assert_eq!(got.header(header), object[key], "{header}");
    }
    assert_eq!((&object["tier"], &object["attempts"]), (&1.into(), &3.into()), "two on the primary, one below");
    assert_eq!(record["outcome"]["tier"], object["tier"]);
    assert_eq!((&record["reason"], &record["trace"]), (&object["reason"], &trace.into()));
    let forged = kit.post("/v1/chat/completions", body, &[("traceparent", "whatever a client likes")]).await;
    assert_eq!(kit.record(&forged).await["trace"], serde_json::Value::Null, "SE-08");
    assert_eq!(got.header("x-request-id"), "mine-7");
    assert_eq!(got.json()["model"], "little", "G-120: the model is who really answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_074_a_reload_keeps_breakers_and_one_revision_per_request() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: refuse}");
    for _ in 0..3 {
        kit.chat("chat", false).await;
    }
    let before = kit.gateway.revision();
    let mut other = (*deployment(&kit.big, &kit.small)).clone();
    let mut revision = (*other.revision).clone();
    revision.digest[0] ^= 1;
    other.revision = Arc::new(revision);
    kit.gateway.apply(Arc::new(other)).expect("fine");
    assert_ne!(kit.gateway.revision(), before);
    let state = kit.gateway.route_state("chat").expect("a route");
    assert_eq!((state.tiers[0].breaker.as_str(), state.tier), ("open", Some(1)));
    let got = kit.chat("chat", false).await;
    assert_eq!(got.header("evenkeel-revision"), kit.gateway.revision());
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_on_the_same_port() {
    let kit = Kit::start().await;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    let request = http::Request::post(format!("http://{}/v1/chat/completions", kit.gateway.address()));
    let response = client.request(request.body(body.into()).expect("a request")).await.expect("an answer");
    assert_eq!((response.version(), response.status().as_u16()), (http::Version::HTTP_2, 200));
    assert_eq!(response.headers()["evenkeel-tier"], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_06_whoever_sends_no_whole_head_in_time_is_let_go() {
    let config = CONFIG.replace("max_body: 1MiB", "max_body: 1MiB, read_timeout: 200ms");
    let kit = Kit::of(&config, std::path::Path::new("."), BTreeMap::new()).await;
    for sent in ["", "PRI * HT", "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n"] {
        let mut stream = TcpStream::connect(kit.gateway.address()).await.expect("somebody listens");
        stream.write_all(sent.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{sent:?} is waited for without end");
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "), "{answer:?}");
    }
    assert_eq!(kit.chat("chat", false).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_04_f_170_a_client_that_closes_its_side_is_gone() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: silence}");
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(kit.gateway.address()).await.expect("somebody listens");
    stream.write_all((head + body).as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok() && answer.is_empty(), "ADR 3: {answer:?}");
    // Whatever was asked for it is cancelled; its server sees that a moment later.
    until(|| kit.big.log().iter().all(|attempt| attempt.client_gone).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_07_a_flood_of_headers_is_refused_and_the_next_request_is_served() {
    let kit = Kit::start().await;
    let begin = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n";
    let answer = async |request: String| {
        let mut stream = TcpStream::connect(kit.gateway.address()).await.expect("somebody listens");
        // The refusal may come while we still write.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "it ends before the rest could come: {answer:?}");
        String::from_utf8_lossy(&answer).into_owned()
    };
    // Half of a request that is already too large, and a small one of too many headers: all of it is read, so that the
    // refusal can be.
    let large = format!("{begin}x: {}", "y".repeat((64 << 10) - begin.len() - 3));
    for request in [large, format!("{begin}{}\r\n", "a: b\r\n".repeat(500))] {
        let answer = answer(request).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    // A flood: what is left of it unread may cost the client the refusal, as the system resets the connection.
    for flood in [format!("x: {}\r\n", "y".repeat(200_000)), "a: b\r\n".repeat(20_000)] {
        let answer = answer(format!("{begin}{flood}\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert_eq!(kit.chat("chat", false).await.status, 200);
    assert_eq!(kit.big.log().len(), 1, "no flood reached an upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_09_a_clients_deadline_shortens_the_routes_and_reaches_the_upstream() {
    let kit = Kit::start().await;
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    let got = kit.post("/v1/chat/completions", body, &[("x-envoy-expected-rq-timeout-ms", "2000")]).await;
    assert_eq!(kit.record(&got).await["deadline_ms"], 2_000);
    let told: u64 = kit.seen_by_primary().await[0].headers["x-envoy-expected-rq-timeout-ms"].parse().expect("a number");
    assert!((1..2_000).contains(&told), "F-021: less than the whole, time is kept for the tiers below: {told}");
    let got = kit.post("/v1/chat/completions", body, &[("x-envoy-expected-rq-timeout-ms", "0")]).await;
    assert_eq!(
        (got.status, got.said().as_str(), got.header("evenkeel-reason")),
        (200, "Later.", "DEADLINE_INSUFFICIENT")
    );
}
