//! Streams that become whole answers, and whole answers that become streams.

use bytes::Bytes;
use evenkeel_core::ResultCode;
use serde_json::{Value, json};

use super::{assemble, events};
use crate::{
    protocol::openai::{
        answer::judge_chat,
        event::{Step, StreamJudge},
        peek::peek_chat,
    },
    sse::Scanner,
};

fn data(events: &[Value]) -> Vec<Bytes> {
    events.iter().map(|event| event.to_string().into()).collect()
}

fn whole(events: &[Value]) -> Option<Value> {
    assemble(&data(events)).map(|whole| serde_json::from_slice(&whole).expect("JSON"))
}

fn chunk(choices: Value) -> Value {
    json!({"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "evenkeel": {"tier": 0}, "choices": choices})
}

fn says(delta: Value) -> Value {
    chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]))
}

fn ends(reason: &str) -> Value {
    chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}]))
}

#[test]
fn f_144_a_stream_becomes_what_would_have_been_said_in_one_piece() {
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
    let mut last = chunk(json!([]));
    last["usage"] = usage.clone();
    let got = whole(&[
        says(json!({"role": "assistant", "content": ""})),
        says(json!({"content": "Hel", "refusal": null})),
        says(json!({"content": "lo"})),
        ends("stop"),
        last,
    ]);
    let expected = json!({
        "id": "c1", "object": "chat.completion", "created": 7, "model": "m", "usage": usage,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
    });
    assert_eq!(got, Some(expected), "nothing of an object of ours");
}

#[test]
fn f_144_calls_thoughts_probabilities_and_several_choices_are_joined() {
    let call = |index: u64, rest: Value| {
        let mut call = rest;
        call["index"] = index.into();
        says(json!({"tool_calls": [call]}))
    };
    let mut with_logprobs = says(json!({"content": "x"}));
    with_logprobs["choices"][0]["logprobs"] = json!({"content": [{"token": "x"}], "refusal": null});
    let got = whole(&[
        says(json!({"role": "assistant", "reasoning_content": "hm"})),
        with_logprobs.clone(),
        with_logprobs,
        call(1, json!({"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}})),
        call(0, json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"a\""}})),
        call(0, json!({"function": {"arguments": ":1}"}})),
        chunk(json!([{"index": 1, "delta": {"content": "y"}, "finish_reason": "stop"}])),
        ends("tool_calls"),
    ]);
    let got = got.expect("joined");
    let message = &got["choices"][0]["message"];
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("hm"), &json!("xx")));
    let function = |name: &str, arguments: &str| json!({"name": name, "arguments": arguments});
    let calls = json!([
        {"id": "a", "type": "function", "function": function("f", "{\"a\":1}")},
        {"id": "b", "type": "function", "function": function("g", "")},
    ]);
    assert_eq!(message["tool_calls"], calls);
    assert_eq!(got["choices"][0]["logprobs"]["content"], json!([{"token": "x"}, {"token": "x"}]));
    assert_eq!(got["choices"][1]["message"]["content"], "y");
}

#[test]
fn whole_3_f_144_what_azure_openrouter_and_vllm_say_beside_an_answer_is_joined() {
    let safe = json!({"hate": {"filtered": false, "severity": "safe"}});
    let mut filters = says(json!({"content": "lo", "annotations": [{"type": "url_citation"}]}));
    filters["choices"][0]["content_filter_results"] = safe.clone();
    let thought = |rest: Value| {
        let mut detail = rest;
        detail["type"] = "reasoning.text".into();
        detail["index"] = 0.into();
        says(json!({"reasoning_details": [detail]}))
    };
    let mut end = ends("stop");
    for (name, value) in
        [("content_filter_results", json!({})), ("native_finish_reason", json!("end_turn")), ("stop_reason", json!(7))]
    {
        end["choices"][0][name] = value;
    }
    let mut prompt = chunk(json!([]));
    prompt["prompt_filter_results"] = json!([{"prompt_index": 0}]);
    let said = [
        prompt,
        thought(json!({"text": "h", "signature": null})),
        thought(json!({"text": "m", "signature": "s"})),
        says(
            json!({"content": "Hel", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 1}]}),
        ),
        filters,
        end,
    ];
    let got = whole(&said).expect("joined");
    let (choice, message) = (&got["choices"][0], &got["choices"][0]["message"]);
    assert_eq!(message["content"], "Hello");
    assert_eq!(message["annotations"], json!([{"type": "url_citation"}]));
    let details = json!([
        {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
    ]);
    assert_eq!(message["reasoning_details"], details);
    assert_eq!(
        [&choice["content_filter_results"], &choice["native_finish_reason"], &choice["stop_reason"]],
        [&safe, &json!("end_turn"), &json!(7)]
    );
    assert_eq!(got["prompt_filter_results"][0]["prompt_index"], 0);
}

#[test]
fn whole_1_what_nobody_knows_how_to_join_is_not_joined() {
    for strange in [
        says(json!({"audio": {"data": "AAAA"}})),
        says(json!({"content": ["a", "list"]})),
        says(json!({"tool_calls": [{"id": "a"}]})),
        says(json!({"tool_calls": [{"index": 5_000}]})),
        chunk(json!([{"delta": {"content": "without an index"}}])),
        chunk(json!([{"index": 0, "delta": {}, "verdict": "new"}])),
        chunk(json!([7])),
        json!([1]),
    ] {
        assert_eq!(whole(&[says(json!({"content": "a"})), strange.clone(), ends("stop")]), None, "{strange}");
    }
    assert_eq!(whole(&[says(json!({"content": "a"}))]), None, "it has no end");
}

#[test]
fn whole_2_what_is_taken_apart_passes_our_judges_and_says_the_same() {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 7, "model": "m",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello\n\"you\"", "refusal": null}, "logprobs": null, "finish_reason": "stop",
                "content_filter_results": {"hate": {"filtered": false}}, "native_finish_reason": "end"},
            {"index": 1, "message": {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, "logprobs": null, "finish_reason": "tool_calls"},
        ],
    });
    let bytes = body.to_string();
    let request = peek_chat(br#"{"model":"m","n":2,"messages":[{}]}"#).expect("well-formed");
    for include_usage in [false, true] {
        let written = events(bytes.as_bytes(), include_usage, r#"{"tier":0}"#).expect("a completion");
        let (mut judge, mut scanner, mut last, mut data) =
            (StreamJudge::new(&request), Scanner::default(), None, Vec::new());
        written.iter().for_each(|event| scanner.push(event));
        while let Ok(Some(event)) = scanner.event() {
            last = Some(judge.event(&event.data).step);
            data.push(event.data);
        }
        assert_eq!(last, Some(Step::Complete(ResultCode::Ok)));
        let labelled = |data: &Bytes| data.windows(10).any(|it| it == b"\"evenkeel\"");
        assert_eq!(data.iter().map(labelled).collect::<Vec<_>>().iter().filter(|it| **it).count(), 1);
        assert!(labelled(&data[0]));
        data.pop();
        let mut again: Value = serde_json::from_slice(&assemble(&data).expect("whole")).expect("JSON");
        if !include_usage {
            again["usage"] = body["usage"].clone();
        }
        assert_eq!(again, body);
        assert!(judge_chat(again.to_string().as_bytes(), &request).is_ok());
    }
    assert_eq!(events(b"{}", false, "{}"), None);
    assert_eq!(events(b"[]", false, "{}"), None);
}
