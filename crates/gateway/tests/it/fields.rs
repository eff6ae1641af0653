//! Fields of JSON that are voted on together, through the gateway: models agree where they agree in each of them, in whatever other
//! words, and with numbers that are near each other (signals §10).

use serde_json::{Value, json};

use crate::client::{Got, Kit, chats};

/// Three models, each behind a route of its own as well, which tells what it says.
const ROUTES: &str = r#"
routes:
  panel:
    protocol: openai-chat
    deadline: 5s
    tiers:
      - name: panel
        vote: {json_fields: [label, amount], rel_tol: 0.02, quorum: 2, at_least: 0.6, weights: [1, 1, 1]}
        paths:
          - {openai: {upstream: big, model: large}}
          - {openai: {upstream: small, model: little}}
          - {openai: {upstream: small, model: other}}
  large: {protocol: openai-chat, tiers: [{name: one, openai: {upstream: big, model: large}}]}
  little: {protocol: openai-chat, tiers: [{name: one, openai: {upstream: small, model: little}}]}
  other: {protocol: openai-chat, tiers: [{name: one, openai: {upstream: small, model: other}}]}
"#;

async fn ask(kit: &Kit, route: &str, question: usize, format: &Value) -> Got {
    let messages = json!([{"role": "user", "content": format!("question {question}")}]);
    let stream = question.is_multiple_of(2);
    let body = json!({"model": route, "messages": messages, "stream": stream, "response_format": format});
    kit.post("/v1/chat/completions", body.to_string(), &[]).await
}

/// Why the ensemble did not answer.
async fn why(kit: &Kit, got: &Got) -> Value {
    kit.record(got).await["candidates"][0]["reasons"][0].clone()
}

/// An answer with two fields that are voted on, and one that is not.
fn record() -> Value {
    let properties =
        json!({"why": {"type": "string"}, "label": {"enum": ["a", "b"]}, "amount": {"enum": [100, 101, 150]}});
    let schema = json!({"type": "object", "properties": properties});
    json!({"type": "json_schema", "json_schema": {"name": "record", "schema": schema}})
}

#[tokio::test(flavor = "multi_thread")]
async fn models_agree_in_fields_whatever_else_they_say_and_numbers_may_be_near() {
    let kit = Kit::unlike(&chats(ROUTES)).await;
    let (mut agreed, mut near, mut apart) = (0, 0, 0);
    for question in 0..24 {
        let mut said = Vec::new();
        for model in ["large", "little", "other"] {
            said.push(ask(&kit, model, question, &record()).await.said());
        }
        let read: Vec<Value> = said.iter().map(|it| serde_json::from_str(it).expect("JSON")).collect();
        // 100 and 101 are within a fiftieth, and 150 is far from both.
        let class = |it: &Value| (it["label"].clone(), it["amount"].as_u64().expect("a number") / 50);
        let with = |one: &Value| read.iter().filter(|it| class(it) == class(one)).collect::<Vec<_>>();
        let winners = read.iter().map(with).find(|it| it.len() >= 2);
        let got = ask(&kit, "panel", question, &record()).await;
        match winners {
            Some(winners) => {
                let answer: Value = serde_json::from_str(&got.said()).expect("JSON");
                assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-method")), ("0", "ensemble"), "{got:?}");
                assert!(winners.contains(&&answer), "one of those who agree, in its own words: {answer} of {read:?}");
                agreed += usize::from(winners.iter().any(|it| it["why"] != winners[0]["why"]));
                near += usize::from(winners.iter().any(|it| it["amount"] != winners[0]["amount"]));
            }
            None => {
                assert_eq!((got.status, why(&kit, &got).await), (503, json!("DISAGREEMENT_HIGH")), "{read:?}: {got:?}");
                apart += 1;
            }
        }
    }
    assert!(agreed > 0 && near > 0 && apart > 0, "or it shows nothing: {agreed} {near} {apart}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_field_out_has_no_vote() {
    let kit = Kit::unlike(&chats(ROUTES)).await;
    for format in [json!({"type": "text"}), json!({"type": "json_object"})] {
        let got = ask(&kit, "panel", 1, &format).await;
        assert_eq!((got.status, why(&kit, &got).await), (503, json!("QUORUM_NOT_REACHED")), "{format}: {got:?}");
        let record = kit.record(&got).await;
        let votes = record["attempts"].as_array().expect("a list").iter().filter(|it| it.get("vote").is_some());
        assert_eq!(votes.count(), 0, "{record}");
    }
}
