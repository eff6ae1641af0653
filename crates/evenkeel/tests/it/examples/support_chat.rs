//! The support chat: a stream whose model only says that it is alive, and a replica that is gone.

use super::Example;
use crate::process::{get, http};

#[test]
fn the_support_chat_answers_as_its_readme_says() {
    let mut chat = Example::start("support-chat", &[&[], &[], &[]]);
    let [body, keepalive] = chat.shown().map(str::to_owned);
    // Whole, from that tier, and why.
    let stream = |chat: &Example, tier: u8, reason: &str| {
        let answer = chat.ask("/v1/chat/completions", &body);
        let told =
            answer.contains(&format!("\"tier\":{tier},")) && answer.contains(&format!("\"reason\":\"{reason}\""));
        let whole = answer.contains("\"finish_reason\":\"stop\"") && answer.contains("data: [DONE]");
        assert!(told && whole && !answer.contains("\"error\""), "{answer}");
    };
    stream(&chat, 0, "PRIMARY_HEALTHY");
    chat.faults("PUT", &keepalive);
    stream(&chat, 1, "TTFT_BREACH");

    // "A request that fails on one is tried on the other."
    drop(chat.mocks.remove(1));
    chat.faults("PUT", r#"[{"fault": "status", "status": 503}]"#);
    for _ in 0..4 {
        let plain = body.replace("\"stream\": true", "\"stream\": false");
        assert_eq!(chat.chat(&plain)["tier"], 1);
    }

    // "Requests that it could not serve are not sent to it": it has no schemas, and a fixed sentence is none either.
    let asked = || get(chat.mocks[1].control, "/mock/log")["total"].clone();
    let before = asked();
    let schema = r#""response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}, "model""#;
    let (status, answer) =
        http(chat.serving.data, "POST", "/v1/chat/completions", &body.replacen("\"model\"", schema, 1));
    assert!(status == 503 && answer.contains("all_tiers_exhausted"), "{status} {answer}");
    assert_eq!(asked(), before);
}
