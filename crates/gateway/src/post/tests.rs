//! Answers taken apart and put together again: tensors, completions, streams.

use std::path::Path;

use evenkeel_config::{Deployment, load_text};
use serde_json::{Value, json};

use super::*;
use crate::{
    path::Meaning,
    protocol::openai::{event::StreamJudge, peek::peek_chat},
    sse::Scanner,
};

/// Compiles the steps of a chat route.
fn steps(post: &str, commit: &str) -> Arc<Post> {
    compiled(&format!(
        "version: 1\nupstreams: {{a: {{protocol: openai, url: \"http://127.0.0.1:1/v1\"}}}}\nroutes:\n  chat:\n    protocol: openai-chat\n    \
         commit: {commit}\n    post: {post}\n    tiers: [{{name: one, openai: {{upstream: a, model: m}}}}, {{name: default, fixed: {{content: later}}}}]\n"
    ))
}

/// Compiles the steps of a route with a score and a label.
fn on_tensors(post: &str) -> Arc<Post> {
    compiled(&format!(
        "version: 1\nupstreams: {{a: {{protocol: oip, url: \"http://127.0.0.1:1\"}}}}\nroutes:\n  score:\n    protocol: oip\n    \
         post: {post}\n    tiers: [{{name: one, oip: {{upstream: a, model: m}}}}]\n"
    ))
}

fn compiled(text: &str) -> Arc<Post> {
    let loaded = load_text("evenkeel.yaml", text, Path::new("."));
    let deployment: Option<Arc<Deployment>> = loaded.deployment;
    deployment.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).routes[0].post.clone()
}

fn question() -> Question {
    Question::Chat(peek_chat(br#"{"model":"m","messages":[{}]}"#).expect("well-formed"))
}

fn completion(content: &Value) -> Bytes {
    let choice = json!({"index": 0, "message": content, "logprobs": {"content": []}, "finish_reason": "stop"});
    json!({"id": "x", "choices": [choice]}).to_string().into()
}

/// Has a completion go through the steps; returns how it ended, what is left of it and what was done.
fn said(post: &Post, message: &Value) -> (ResultCode, Option<Value>, Vec<Posted>) {
    let body = completion(message);
    let Question::Chat(peek) = question() else { unreachable!("it is a chat") };
    let judged = judge_chat(&body, &peek).expect("an answer");
    let left = Left::Answer {
        headers: Default::default(),
        counts: judged.counts(),
        envelope: judged.envelope,
        body,
        model: "m".into(),
    };
    let ended = whole(Ended { result: ResultCode::Ok, status: Some(200), after: None, left }, post, &question());
    let (notes, left) = ended.left.notes();
    let body = match left {
        Left::Answer { body, .. } => Some(serde_json::from_slice(&body).expect("JSON")),
        _ => None,
    };
    (ended.result, body, notes.posted)
}

#[test]
fn a_completion_is_redacted_where_a_model_speaks_and_nowhere_else() {
    let post = steps("[{redact: {}}]", "first_content");
    let message = json!({
        "role": "assistant", "content": "write to a@b.example", "reasoning": "it is c@d.example", "refusal": null,
        "tool_calls": [{"function": {"name": "mail", "arguments": "{\"to\":\"a@b.example\"}"}}],
    });
    let (result, body, posted) = said(&post, &message);
    let choice = &body.expect("an answer")["choices"][0];
    assert_eq!(result, ResultCode::Ok);
    assert_eq!(choice["message"]["content"], "write to [email]");
    assert_eq!(choice["message"]["reasoning"], "it is [email]");
    assert_eq!(choice["message"]["tool_calls"], message["tool_calls"], "a call is for a machine");
    assert_eq!(choice["logprobs"], Value::Null, "they are those of other words");
    let changed =
        Posted { step: 0, name: "redact", output: None, part: Some("email".into()), changes: 2, failed: false };
    assert_eq!(posted, [changed], "POST-5");
}

#[test]
fn an_answer_that_changes_nothing_stays_byte_for_byte() {
    let post = steps("[{redact: {}}, {strip: {}}, {max_length: {characters: 99}}]", "first_content");
    let (_, body, posted) = said(&post, &json!({"role": "assistant", "content": "nothing of that kind"}));
    assert_eq!(body.expect("an answer")["choices"][0]["logprobs"], json!({"content": []}));
    assert_eq!(posted, []);
}

#[test]
fn post_4_what_cannot_be_looked_at_is_not_given() {
    let post = steps("[{redact: {}}]", "first_content");
    let parts = json!([{"type": "text", "text": "a@b.example"}]);
    let (result, body, posted) = said(&post, &json!({"role": "assistant", "content": parts}));
    assert_eq!((result, body, posted), (ResultCode::GuardOutput, None, vec![]));
    let stripped = steps("[{strip: {}}]", "first_content");
    let (result, ..) = said(&stripped, &json!({"role": "assistant", "content": "<b></b>"}));
    assert_eq!(result, ResultCode::GuardOutput, "nothing is left of it");
}

/// Where a model says something besides, as some servers have it.
fn besides() -> Value {
    json!({
        "role": "assistant",
        "reasoning_details": [{"type": "reasoning.text", "text": "it is a@b.example", "index": 0}],
        "annotations": [{"type": "url_citation", "url_citation": {"title": "by c@d.example", "start_index": 3}}],
        "audio": {"id": "audio-1", "data": "UklGRg==", "transcript": "write to e@f.example"},
        "provider_specific": {"count": 1, "sure": true},
        "tool_calls": [{"function": {"name": "mail", "arguments": "{\"to\":\"g@h.example\"}"}}],
    })
}

#[test]
fn post_4_what_a_message_says_under_other_keys_is_looked_at_too() {
    let mut message = besides();
    message["content"] = json!("yes");
    let (result, body, posted) = said(&steps("[{redact: {}}]", "first_content"), &message);
    let got = &body.expect("an answer")["choices"][0]["message"];
    assert_eq!((result, posted[0].changes), (ResultCode::Ok, 3));
    assert_eq!(got["reasoning_details"][0]["text"], "it is [email]");
    assert_eq!(got["annotations"][0]["url_citation"]["title"], "by [email]");
    assert_eq!(got["audio"], json!({"id": "audio-1", "data": "UklGRg==", "transcript": "write to [email]"}));
    assert_eq!(
        (&got["tool_calls"], &got["provider_specific"], &got["content"]),
        (&message["tool_calls"], &message["provider_specific"], &message["content"])
    );
    let (_, body, posted) = said(&steps("[{max_length: {characters: 3}}]", "first_content"), &message);
    assert_eq!((&body.expect("an answer")["choices"][0]["message"], posted), (&message, vec![]), "no step is for them");
}

#[test]
fn post_4_a_message_where_nobody_looks_for_one_is_looked_at_too() {
    let post = steps("[{redact: {}}]", "first_content");
    let choice =
        json!({"index": 0, "message": {"content": "yes"}, "delta": {"content": "a@b.example"}, "text": "c@d.example"});
    let body: Bytes = json!({"choices": [choice]}).to_string().into();
    let made = chat::whole(&body, &post, &mut Changes::default()).expect("it can be looked at").expect("it changes");
    let made: Value = serde_json::from_slice(&made).expect("JSON");
    let choice = &made["choices"][0];
    assert_eq!((&choice["delta"]["content"], &choice["text"]), (&json!("[email]"), &json!("[email]")));
}

#[tokio::test]
async fn post_4_of_a_stream_what_is_said_under_other_keys_is_left_out() {
    let deltas = [(besides(), None), say("yes"), (json!({}), Some("stop"))];
    let check = |chunks: Vec<Chunk>, seen: bool| {
        let delta =
            serde_json::from_slice::<Value>(&chunks[0].event.data).expect("JSON")["choices"][0]["delta"].clone();
        let given = besides();
        for key in ["reasoning_details", "annotations"] {
            assert_eq!(delta[key], if seen { given[key].clone() } else { Value::Null }, "{key}");
        }
        assert_eq!(delta["audio"]["transcript"], if seen { "write to e@f.example" } else { "" });
        assert_eq!(delta["audio"]["data"], given["audio"]["data"], "sound is no text");
        for key in ["role", "provider_specific", "tool_calls"] {
            assert_eq!(delta[key], given[key], "{key}");
        }
    };
    for (post, seen) in [("[{redact: {}}]", false), ("[{strip: {}}]", false), ("[{max_length: {characters: 9}}]", true)]
    {
        check(streamed_chunks(&steps(post, "first_content"), &deltas).await.0, seen);
        check(held(chunks(&deltas), &steps(post, "full")).0.expect("it passes"), seen);
    }
}

#[test]
fn f_010_an_answer_goes_on_as_it_came_where_its_step_lets_it() {
    let post = steps("[{allow: {labels: [Yes, No], on_error: pass}}, {max_length: {characters: 5}}]", "full");
    let (result, body, posted) = said(&post, &json!({"role": "assistant", "content": "perhaps"}));
    assert_eq!(
        (result, &body.expect("an answer")["choices"][0]["message"]["content"]),
        (ResultCode::Ok, &json!("perh…"))
    );
    let told: Vec<_> = posted.iter().map(|it| (it.step, it.part.as_deref(), it.failed, it.is_change())).collect();
    assert_eq!(told, [(0, Some("passed"), false, false), (1, None, false, true)], "the next step has its turn");
    let held_to = |on_error: &str| {
        let post = steps(&format!("[{{allow: {{labels: [Yes, No]{on_error}}}}}]"), "full");
        held(chunks(&[say("perhaps"), (json!({}), Some("stop"))]), &post).0.is_ok()
    };
    assert_eq!((held_to(""), held_to(", on_error: next_tier"), held_to(", on_error: pass")), (false, false, true));
}

#[test]
fn post_6_a_label_that_is_not_allowed_ends_the_attempt_and_names_its_step() {
    let post = steps("[{allow: {labels: [Yes, No]}}]", "full");
    let say = |text: &str| said(&post, &json!({"role": "assistant", "content": text}));
    assert_eq!(say("yes.").1.expect("an answer")["choices"][0]["message"]["content"], "Yes");
    let (result, body, posted) = say("perhaps");
    assert_eq!((result, body), (ResultCode::GuardOutput, None));
    assert_eq!((posted.len(), posted[0].name, posted[0].failed), (1, "allow", true));
    assert!(matches!(result.evidence(), evenkeel_core::Evidence::Success), "the path did its work");
}

#[test]
fn post_6_a_step_that_panics_is_no_evidence_against_the_path() {
    let unfit = guarded::<()>(|| panic!("a mistake of ours")).expect_err("it has not let it pass");
    assert_eq!(unfit.result(), ResultCode::GuardOutput);
    assert!(matches!(unfit.result().evidence(), evenkeel_core::Evidence::Success));
}

/// Makes chunks of deltas, each with a `finish_reason` or without.
fn chunks(deltas: &[(Value, Option<&str>)]) -> Vec<Chunk> {
    let Question::Chat(peek) = question() else { unreachable!("it is a chat") };
    let (mut judge, mut scanner) = (StreamJudge::new(&peek), Scanner::default());
    let made = deltas.iter().map(|(delta, finish)| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        scanner.push(format!("data: {}\n\n", json!({"choices": [choice]})).as_bytes());
        let event = scanner.event().expect("small").expect("whole");
        let judged = judge.event(&event.data);
        let counts = judged.counts();
        Chunk { event, envelope: judged.envelope, says: judged.says, counts }
    });
    made.collect()
}

/// Has a stream go through the steps, piece by piece; returns what a client reads of each, and what each means.
async fn streamed(post: &Arc<Post>, deltas: &[(Value, Option<&str>)]) -> (Vec<(String, Meaning)>, Vec<Posted>) {
    let (chunks, meanings, posted) = streamed_chunks(post, deltas).await;
    let text = |chunk: &Chunk| {
        let said: Value = serde_json::from_slice(&chunk.event.data).expect("JSON");
        said["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    };
    (chunks.iter().map(text).zip(meanings).collect(), posted)
}

/// The same, as it is sent.
async fn streamed_chunks(
    post: &Arc<Post>,
    deltas: &[(Value, Option<&str>)],
) -> (Vec<Chunk>, Vec<Meaning>, Vec<Posted>) {
    let ask = Arc::new(Ask {
        question: Question::Chat(peek_chat(br#"{"model":"m","stream":true,"messages":[{}]}"#).expect("well-formed")),
        body: Bytes::new(),
        headers: Default::default(),
        decision: String::new(),
        revision: String::new(),
        created: 0,
    });
    let (out, mut pieces) = channel(64);
    let mut posting = Posting::new(post, &ask, true, 0);
    let inner = posting.between(Some(out)).expect("a stream");
    let said = chunks(deltas);
    let attempt: Attempting = Box::pin(async move {
        for chunk in said {
            let meaning = if chunk.says.text.is_some() { Meaning::Content } else { Meaning::Nothing };
            let _ = inner.send(Piece::Event(chunk, meaning)).await;
        }
        Ended::bare(ResultCode::Ok, Some(200))
    });
    let ended = posting.behind(attempt).await;
    let (mut got, mut meanings) = (Vec::new(), Vec::new());
    while let Some(Piece::Event(chunk, meaning)) = pieces.recv().await {
        got.push(chunk);
        meanings.push(meaning);
    }
    (got, meanings, ended.left.notes().0.posted)
}

fn say(text: &str) -> (Value, Option<&str>) {
    (json!({"content": text}), None)
}

#[tokio::test]
async fn a_stream_holds_back_only_what_a_pattern_may_be_part_of() {
    let post = steps("[{redact: {}}]", "first_content");
    let end = (json!({}), Some("stop"));
    let (got, posted) = streamed(&post, &[say("Write"), say(" to a@b"), say(".example"), say(", please"), end]).await;
    let texts: Vec<&str> = got.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(texts, ["", "Write to ", "", "[email], ", "please"], "the end goes out with the last event");
    assert_eq!(got[0].1, Meaning::Reasoning, "it has spoken, and nothing of that can be used yet");
    assert_eq!((got[1].1, got[4].1), (Meaning::Content, Meaning::Content));
    assert_eq!((posted.len(), posted[0].changes), (1, 1));
}

#[tokio::test]
async fn a_call_ends_the_text_before_it() {
    let post = steps("[{redact: {}}]", "first_content");
    let call = (json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}), None);
    let (got, _) = streamed(&post, &[say("I ask mail"), call, (json!({}), Some("tool_calls"))]).await;
    let texts: Vec<&str> = got.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(texts, ["I ask ", "mail", ""]);
}

#[test]
fn a_stream_that_is_held_to_its_end_is_one_text() {
    let post = steps("[{allow: {labels: [Approve, Decline]}}]", "full");
    let deltas =
        [(json!({"role": "assistant", "content": ""}), None), say("app"), say("rove."), (json!({}), Some("stop"))];
    let (done, posted) = held(chunks(&deltas), &post);
    let texts: Vec<String> =
        done.expect("it passes").iter().map(|it| it.text().unwrap_or_default().into_owned()).collect();
    assert_eq!((texts.concat(), texts[0].as_str()), ("Approve".into(), "Approve"));
    assert_eq!(posted[0].changes, 1);
    let (done, posted) = held(chunks(&[say("perhaps"), (json!({}), Some("stop"))]), &post);
    assert_eq!((done.expect_err("it does not pass"), posted[0].failed), (ResultCode::GuardOutput, true));
}

#[test]
fn tensors_are_changed_element_by_element() {
    let post = on_tensors(
        "[{clamp: {output: score, min: 0, max: 1}}, {round: {output: score, places: 2}}, {clamp: {output: count, max: 9}}, \
         {allow: {output: label, labels: [yes, no], otherwise: no}}, {redact: {output: note}}]",
    );
    let mut answer = InferAnswer::of([
        Tensor::from_f32("score", vec![3], &[-0.25, 0.123, 1.5]).expect("it fits"),
        Tensor::from_i64("count", vec![2], &[4, 12]).expect("it fits"),
        Tensor::from_bytes("label", vec![2], &["YES", "perhaps"]).expect("it fits"),
        Tensor::from_bytes("note", vec![1], &["by a@b.example"]).expect("it fits"),
        Tensor::from_f32("other", vec![1], &[7.0]).expect("it fits"),
    ]);
    let mut changes = Changes::default();
    tensors::apply(&mut answer, &post, &mut changes).expect("nothing of it fails");
    let single = |values: &[f32]| values.iter().map(|it| f64::from(*it)).collect::<Vec<_>>();
    assert_eq!(answer.output("score").and_then(Tensor::to_f64), Some(single(&[0.0, 0.12, 1.0])));
    assert_eq!(answer.output("count").and_then(Tensor::to_f64), Some(vec![4.0, 9.0]));
    assert_eq!(answer.output("other").and_then(Tensor::to_f64), Some(vec![7.0]));
    let texts = |name| answer.output(name).expect("there").strings().map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!((texts("label"), texts("note")), (vec![b"yes".to_vec(), b"no".to_vec()], vec![b"by [email]".to_vec()]));
    let told: Vec<_> =
        told(&post, &changes, None).into_iter().map(|it| (it.step, it.name, it.part, it.changes)).collect();
    let email = Some("email".to_owned());
    assert_eq!(
        told,
        [
            (0, "clamp", None, 2),
            (1, "round", None, 1),
            (2, "clamp", None, 1),
            (3, "allow", None, 2),
            (4, "redact", email, 1)
        ]
    );
}

#[test]
fn post_4_an_output_of_another_type_is_not_given() {
    let post = on_tensors("[{clamp: {output: score, min: 0}}, {redact: {output: note}}]");
    let unfit = |tensor: Tensor| tensors::apply(&mut InferAnswer::of([tensor]), &post, &mut Changes::default());
    let label = Tensor::from_bytes("score", vec![1], &["a"]).expect("it fits");
    assert_eq!(unfit(label), Err(Unfit::Form(ResultCode::ContractDtype)));
    let bytes = Tensor::from_bytes("note", vec![1], &[[0xff_u8]]).expect("it fits");
    assert_eq!(unfit(bytes), Err(Unfit::Form(ResultCode::GuardOutput)));
}
