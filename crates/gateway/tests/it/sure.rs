//! How sure a model is of a chat answer, by the log-probabilities of its tokens: who answers, what a client is told, and what the
//! record says.

use std::collections::BTreeMap;

use evenkeel_config::{Alone, LearntConfidence, load_to_learn};
use evenkeel_signals::calibrate::{Calibrator, Row, Teacher};
use serde_json::{Value, json};

use crate::client::{Got, Kit, chats};

/// A route whose primary must be sure, and what else stands in `accept`.
fn route(accept: &str) -> String {
    format!(
        r#"
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    commit: full
    tiers:
      - {{name: primary, openai: {{upstream: big, model: large}}, accept: {{confidence: "exp(logprobs.mean)", at_least: 0.7{accept}}}}}
      - {{name: small, openai: {{upstream: small, model: little}}}}
      - {{name: default, fixed: {{content: "Later."}}}}
"#
    )
}

async fn ask(kit: &Kit, stream: bool, extra: Value) -> Got {
    let mut body = json!({"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}]});
    body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    kit.post("/v1/chat/completions", body.to_string(), &[]).await
}

/// Every value of `logprobs` in an answer.
fn logprobs(got: &Got) -> Vec<Value> {
    let whole = || vec![got.json()];
    let bodies = if got.header("content-type").starts_with("text/event-stream") { got.chunks() } else { whole() };
    let choices = bodies.iter().flat_map(|it| it["choices"].as_array().cloned().unwrap_or_default());
    choices.map(|it| it["logprobs"].clone()).collect()
}

#[tokio::test]
async fn oip_35_an_answer_that_is_sure_enough_is_given_without_what_the_client_did_not_ask_for() {
    let kit = Kit::chats(&route("")).await;
    kit.break_primary("{fault: logprobs, each: -0.1}");
    for stream in [false, true] {
        for extra in [json!({}), json!({"logprobs": false}), json!({"logprobs": null}), json!({"n": 2})] {
            let got = ask(&kit, stream, extra).await;
            assert!(got.is_whole(), "{got:?}");
            assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-reason")), ("primary", "PRIMARY_HEALTHY"));
            assert_eq!(got.header("evenkeel-confidence"), "", "what it is worth was not learnt");
            assert!(logprobs(&got).iter().all(Value::is_null), "{got:?}");
            let record = kit.record(&got).await;
            let sure = &record["attempts"][0]["confidence"];
            assert_eq!((&sure["at_least"], &sure["low"]), (&json!("0.7"), &json!(0)), "{record}");
            let said: f64 = sure["said"].as_str().expect("a number").parse().expect("a number");
            assert!((said - (-0.1_f64).exp()).abs() < 1e-9, "{record}");
        }
        let asked = ask(&kit, stream, json!({"logprobs": true})).await;
        assert!(logprobs(&asked).iter().any(Value::is_object), "it is the client's: {asked:?}");
    }
    for attempt in kit.seen_by_primary().await {
        let body: Value = serde_json::from_slice(attempt.body.as_deref().expect("kept")).expect("JSON");
        assert_eq!(body["logprobs"], true, "LOGP-1");
    }
}

#[tokio::test]
async fn oip_35_an_answer_that_is_not_sure_enough_is_the_next_tiers_and_no_evidence() {
    let kit = Kit::chats(&route("")).await;
    kit.break_primary("{fault: logprobs, each: -1.0}");
    for _ in 0..20 {
        for stream in [false, true] {
            let got = ask(&kit, stream, json!({})).await;
            assert!(got.is_whole(), "{got:?}");
            assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-reason")), ("small", "LOW_CONFIDENCE"));
        }
    }
    let record = kit.record(&ask(&kit, false, json!({})).await).await;
    assert_eq!(record["attempts"][0]["result"], "quality.low_confidence", "{record}");
    assert_eq!(record["attempts"][0]["confidence"]["low"], 1);
    let low =
        record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "rows_low").expect("compared");
    assert_eq!((&low["value"], &low["threshold"], &low["breached"]), (&json!("1"), &json!("0"), &json!(true)));
    assert_eq!(kit.gateway.route_state("chat").expect("a route").tiers[0].breaker, "closed");
}

#[tokio::test]
async fn oip_35_where_no_log_probabilities_come_it_is_as_it_was_written() {
    for (accept, path) in [("", "small"), (", on_error: next_tier", "small"), (", on_error: pass", "primary")] {
        let kit = Kit::chats(&route(accept)).await;
        kit.break_primary("{fault: logprobs}");
        for stream in [false, true] {
            let got = ask(&kit, stream, json!({})).await;
            assert_eq!(got.header("evenkeel-path"), path, "{accept}");
            let record = kit.record(&got).await;
            assert_eq!(record["attempts"][0]["confidence"].get("said"), None, "{record}");
        }
    }
}

#[tokio::test]
async fn oip_35_a_member_that_is_not_sure_does_not_vote() {
    let member = |upstream: &str| {
        format!("{{openai: {{upstream: {upstream}, model: m}}, accept: {{confidence: logprobs.min, at_least: -0.6}}}}")
    };
    let kit = Kit::chats(&format!(
        "
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    tiers:
      - {{name: panel, vote: {{quorum: 2}}, paths: [{}, {}, {}]}}
      - {{name: default, fixed: {{content: Later.}}}}
",
        member("big"),
        member("big"),
        member("small")
    ))
    .await;
    for stream in [false, true] {
        assert_eq!(ask(&kit, stream, json!({})).await.header("evenkeel-path"), "panel");
    }
    kit.break_primary("{fault: logprobs, each: -2.0}");
    for stream in [false, true] {
        let got = ask(&kit, stream, json!({})).await;
        assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-reason")), ("default", "QUORUM_NOT_REACHED"));
    }
}

/// A gateway whose first tier tells how likely its answers are right: nearly always where its tokens are as likely as e^-0.1, and on three
/// of ten where they are as likely as e^-1.
async fn learnt() -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let config = chats(&route(", calibration: sure.json"));
    std::fs::write(
        at.join("evenkeel.yaml"),
        config.replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:2"),
    )
    .expect("written");
    let loaded = load_to_learn(&at.join("evenkeel.yaml"), &Alone { route: "chat".into(), tier: "primary".into() });
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let of = deployment.paths[0].confidence_of.clone().expect("it asks");
    let row = |at: usize| {
        let sure = at.is_multiple_of(2);
        let confidence = Some(if sure { -0.1_f64 } else { -1.0 }.exp());
        Row { label: "", confidence, right: at / 2 % 20 < if sure { 19 } else { 6 } }
    };
    let learnt = Calibrator::taught(Teacher::Labels, 0, &(0..2_000).map(row).collect::<Vec<_>>());
    let learnt = LearntConfidence { route: "chat".into(), of, as_of: 1_764_163_893, n: 2_000, rows: None, learnt };
    std::fs::write(at.join("sure.json"), learnt.write()).expect("written");
    Kit::of(&config, at, BTreeMap::new()).await
}

/// Asks for answers that are as likely right as that.
async fn picky(kit: &Kit, least: &str, stream: bool) -> Got {
    let body = json!({"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}]});
    let accept = format!("min-confidence={least}");
    kit.post("/v1/chat/completions", body.to_string(), &[("evenkeel-accept", &accept)]).await
}

#[tokio::test]
async fn a_client_is_told_how_likely_an_answer_is_right_by_what_was_learnt_of_its_tier() {
    let kit = learnt().await;
    kit.break_primary("{fault: logprobs, each: -0.1}");
    for stream in [false, true] {
        let got = ask(&kit, stream, json!({})).await;
        assert_eq!(got.header("evenkeel-path"), "primary");
        let told = got.header("evenkeel-confidence");
        assert!(told.starts_with("0.94") && told.ends_with(";kind=calibrated;n=2000"), "{told}");
        let object = if stream { got.chunks()[0]["evenkeel"].clone() } else { got.json()["evenkeel"].clone() };
        let confidence = &object["confidence"];
        assert_eq!((&confidence["kind"], &confidence["n"]), (&json!("calibrated"), &json!(2_000)), "{object}");
        assert!(confidence["as_of"].is_string(), "SURE-1: {object}");
        let record = kit.record(&got).await;
        assert_eq!(record["outcome"]["confidence"]["kind"], "calibrated", "{record}");
        let attempt = &record["attempts"][0]["confidence"];
        assert_eq!((&attempt["learnt"]["n"], &attempt["at_least"]), (&json!(2_000), &json!("0.7")), "{record}");
        assert!(attempt["right_permille"].as_u64() >= Some(940), "{record}");
    }
    kit.break_primary("{fault: logprobs, each: -1.0}");
    let got = ask(&kit, false, json!({})).await;
    assert_eq!(
        (got.header("evenkeel-path"), got.header("evenkeel-confidence")),
        ("small", ""),
        "of that nothing is known"
    );
}

#[tokio::test]
async fn f_168_who_asks_for_more_than_is_known_is_refused_and_no_tier_is_asked_in_vain() {
    let kit = learnt().await;
    kit.break_primary("{fault: logprobs, each: -0.1}");
    for stream in [false, true] {
        let got = picky(&kit, "0.9", stream).await;
        assert_eq!((got.status, got.header("evenkeel-path")), (200, "primary"), "{got:?}");
    }
    let refused = |got: &Got| {
        assert_eq!((got.status, got.header("evenkeel-reason")), (503, "CLIENT_MIN_CONFIDENCE"), "{got:?}");
        assert!(got.json()["error"]["code"] == "degradation_refused", "{got:?}");
    };
    let asked = kit.seen_by_primary().await.len();
    refused(&picky(&kit, "0.99", false).await);
    assert_eq!(kit.seen_by_primary().await.len(), asked, "nothing that it says is as likely right");
    kit.break_primary("{fault: logprobs, each: -1.0}");
    refused(&picky(&kit, "0.9", false).await);
    assert_eq!(kit.seen_by_primary().await.len(), asked + 1);
    kit.small.settled().await;
    assert_eq!(kit.small.log().len(), 0, "who tells nothing is not asked");
    let wrong = picky(&kit, "much", false).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
}

#[tokio::test]
async fn oip_35_part_2_the_surest_that_was_not_accepted_is_given_before_the_default() {
    let accept = "accept: {confidence: \"exp(logprobs.mean)\", at_least: 0.9, otherwise: best}";
    let kit = Kit::chats(&format!(
        "
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    commit: full
    tiers:
      - {{name: primary, openai: {{upstream: big, model: large}}, {accept}}}
      - {{name: small, openai: {{upstream: small, model: little}}, {accept}}}
      - {{name: default, fixed: {{content: Later.}}}}
"
    ))
    .await;
    for (primary, small, path) in [
        ("each: -1.0", "{fault: logprobs, each: -0.5}", "small"),
        ("each: -0.5", "{fault: logprobs, each: -1.0}", "primary"),
        ("each: -1.0", "{fault: status, status: 503}", "primary"),
    ] {
        kit.break_primary(&format!("{{fault: logprobs, {primary}}}"));
        kit.break_small(small);
        for stream in [false, true] {
            let got = ask(&kit, stream, json!({})).await;
            assert!(got.is_whole() && got.said() != "Later.", "{got:?}");
            assert!(logprobs(&got).iter().all(Value::is_null), "{got:?}");
            let reason = if path == "small" || small.contains("logprobs") {
                "LOW_CONFIDENCE"
            } else {
                got.header("evenkeel-reason")
            };
            assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-reason")), (path, reason));
            let record = kit.record(&got).await;
            assert_eq!(record["candidates"][if path == "small" { 1 } else { 0 }]["verdict"], "selected", "{record}");
        }
    }
}
