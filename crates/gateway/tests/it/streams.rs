//! Rows of `fault-catalogue.md` after the first content. What becomes of a stream that breaks stands in `rescue`.

use std::{collections::BTreeMap, path::Path};

use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::client::{CONFIG, Kit, until};

#[tokio::test(flavor = "multi_thread")]
async fn st_01_st_02_st_06_st_07_f_127_a_stream_that_nobody_mends_ends_in_a_terminal_error() {
    let config = CONFIG.replacen("    deadline: 3s\n", "    deadline: 3s\n    rescue: off\n", 1);
    for (fault, result) in [
        ("{fault: cut, after_tokens: 3, how: rst}", "target.truncated"),
        ("{fault: cut, after_tokens: 3, how: fin}", "target.truncated"),
        ("{fault: cut, after_tokens: 3, how: between_events}", "target.truncated"),
        ("{fault: stall, after_tokens: 3}", "target.stall"),
        ("{fault: error_event, after_tokens: 3}", "target.error_in_stream"),
        ("{fault: finish_missing}", "target.truncated"),
    ] {
        let kit = Kit::unlike(&config).await;
        kit.break_primary(fault);
        let got = kit.chat("chat", true).await;
        let events = got.events();
        assert!(got.status == 200 && !got.torn && got.has_error(), "{fault}: {got:?}");
        assert!(!events.iter().any(|event| event == "[DONE]" || event.contains("\"stop\"")), "F-127: {events:?}");
        let last: serde_json::Value = serde_json::from_str(events.last().expect("an event")).expect("JSON");
        let error = &last["error"];
        assert_eq!((&error["code"], &error["type"]), (&"stream_interrupted".into(), &"server_error".into()), "{last}");
        assert_eq!((&last["evenkeel"]["rescue"], &error["param"]), (&"truncated".into(), &serde_json::Value::Null));
        let record = kit.record(&got).await;
        assert_eq!(record["attempts"][0]["result"], result, "{fault}: {record}");
        assert_eq!((&record["outcome"]["end"], &record["outcome"]["tier"]), (&"broken".into(), &0.into()));
        assert_eq!(record["outcome"]["rescue"], "truncated");
        assert!(kit.small.log().is_empty(), "nothing is started after commit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn st_03_st_04_st_12_st_14_st_18_st_19_what_is_whole_stays_whole() {
    let plain = Kit::start().await;
    let whole = plain.chat("chat", true).await.said();
    for (fault, result, same) in [
        ("{fault: garbled_event, at_token: 3}", "ok_event_skipped", false),
        ("{fault: done_missing}", "ok_done_missing", true),
        ("{fault: done_missing, hold: true}", "ok_done_missing", true),
        ("{fault: done_missing, reset: true}", "ok_done_missing", true),
        ("{fault: after_finish, error: true}", "ok_done_missing", true),
        ("{fault: split_events, bytes: 1, line_end: crlf, comments: true}", "ok", true),
        ("{fault: split_events, bytes: 1, line_end: cr, comments: false}", "ok", true),
        ("{fault: after_done, what: done}", "ok", true),
        ("{fault: after_done, what: content}", "ok", true),
        ("{fault: reasoning, tokens: 5, every_ms: 100}", "ok", true),
        ("{fault: finish_reason, reason: length}", "ok", true),
    ] {
        let kit = Kit::start().await;
        kit.break_primary(fault);
        let got = kit.chat("chat", true).await;
        let record = kit.record(&got).await;
        assert!(got.is_whole(), "{fault}: {got:?}");
        assert_eq!(got.events().iter().filter(|event| *event == "[DONE]").count(), 1, "{fault}");
        assert_eq!(
            (&record["attempts"][0]["result"], &record["outcome"]["tier"]),
            (&result.into(), &0.into()),
            "{fault}"
        );
        let told = got.events().iter().any(|event| event.contains("ok_event_skipped"));
        assert_eq!(told, result == "ok_event_skipped", "F-128: the last chunk tells: {got:?}");
        assert_eq!(got.said() == whole, same, "{fault}: {} and {whole}", got.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn st_07_st_08_st_13_what_breaks_before_content_is_an_ordinary_outcome() {
    // A megabyte takes its time on a busy machine, and no clock is what this is about.
    let patient = CONFIG.replace("first_token: 300ms", "first_token: 3s");
    for (fault, result) in [
        ("{fault: error_event, after_tokens: 0, role: true}", "target.error_in_stream"),
        ("{fault: error_event, after_tokens: 0, role: false, code: insufficient_quota}", "capacity.quota_exhausted"),
        ("{fault: garbled_event, at_token: 0}", "target.decode_failed"),
        ("{fault: huge_line, bytes: 1200000, at_token: 0}", "target.decode_failed"),
        ("{fault: cut, after_tokens: 0, how: rst}", "target.truncated"),
    ] {
        let kit = Kit::of(&patient, Path::new("."), BTreeMap::new()).await;
        kit.break_primary(fault);
        let got = kit.chat("chat", true).await;
        let record = kit.record(&got).await;
        assert!(got.is_whole() && got.header("evenkeel-tier") == "1", "OAI-17: {fault}: {got:?} {record}");
        assert_eq!(record["attempts"][0]["result"], result, "{fault}: {record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_020_an_attempt_begins_with_nothing_of_the_one_that_broke_before_it() {
    for fault in [
        "{fault: error_event, after_tokens: 0, role: true, times: 1}",
        "{fault: garbled_event, at_token: 0, times: 1}",
        "{fault: cut, after_tokens: 0, how: fin, times: 1}",
        "{fault: cut, after_tokens: 0, how: rst, times: 1}",
    ] {
        let kit = Kit::start().await;
        let whole = kit.chat("chat", true).await.said();
        for _ in 0..2 {
            kit.break_primary(fault);
            assert_eq!(kit.chat("chat", true).await.header("evenkeel-tier"), "1", "{fault}");
            let got = kit.chat("chat", true).await;
            let record = kit.record(&got).await;
            assert_eq!((got.header("evenkeel-tier"), got.said()), ("0", whole.clone()), "{fault} {record}");
            assert_eq!(record["attempts"][0]["result"], "ok", "{fault}: {record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_object_is_on_the_first_chunk_and_the_headers_say_the_same() {
    let kit = Kit::start().await;
    let got = kit.chat("chat", true).await;
    let first: serde_json::Value = serde_json::from_str(&got.events()[0]).expect("JSON");
    assert_eq!(first["evenkeel"]["decision"], got.header("evenkeel-decision"), "G-121");
    assert_eq!(first["evenkeel"]["tier"], 0);
    assert!(got.events()[1..].iter().all(|event| !event.contains("evenkeel")), "only there");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_01_f_170_a_client_that_goes_closes_the_upstream_call() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: slow_tokens, every_ms: 50}");
    let body = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Full<bytes::Bytes>>();
    let request = http::Request::post(format!("http://{}/v1/chat/completions", kit.gateway.address()));
    let mut response = client.request(request.body(body.into()).expect("a request")).await.expect("an answer");
    let first = response.body_mut().frame().await.expect("a frame").expect("a frame");
    let id = response.headers()["evenkeel-decision"].to_str().expect("text").to_owned();
    drop((first, response, client));
    let record = until(|| kit.gateway.decision(&id)).await;
    until(|| kit.big.log()[0].client_gone.then_some(())).await;
    assert_eq!((record.outcome.status, record.attempts[0].result.as_str()), (499, "cancelled.client_gone"));
    let state = kit.gateway.route_state("chat").expect("a route");
    assert_eq!(state.tiers[0].breaker, "closed", "F-170: no evidence");
}

#[tokio::test(flavor = "multi_thread")]
async fn st_17_f_134_a_stream_without_end_is_ended_at_what_was_asked_for() {
    let kit = Kit::start().await;
    kit.break_primary("{fault: endless, every_ms: 0}");
    let asked = r#"{"model":"chat","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"x"}]}"#;
    let got = kit.post("/v1/chat/completions", asked, &[]).await;
    let last: serde_json::Value = serde_json::from_str(got.events().last().expect("an event")).expect("JSON");
    assert_eq!(last["error"]["code"], "output_limit", "{last}");
    assert!(!got.events().iter().any(|event| event == "[DONE]"), "F-127");
    let record = kit.record(&got).await;
    assert_eq!(record["attempts"][0]["result"], "target.answer_too_large", "{record}");
    until(|| kit.big.log()[0].client_gone.then_some(())).await;
}
