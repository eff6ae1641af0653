//! What a mock without faults answers.

use std::time::Duration;

use evenkeel_mock::{Mock, Options, Pace};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::client::{End, chat, exchange, hush, open, post, read, read_one, request, send, start};

const CHAT: &str = "/v1/chat/completions";

fn with(extra: Value) -> Value {
    let mut body = chat(extra["stream"] == true);
    body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    body
}

#[tokio::test]
async fn plain_and_stream_say_the_same_and_seeds_decide_what() {
    let (mock, twin) = (start().await, start().await);
    let other = Mock::start(Options { seed: 1, ..Options::default() }).await.expect("a port");
    let plain = post(mock.address(), CHAT, &chat(false)).await;
    let text = plain.json()["choices"][0]["message"]["content"].as_str().expect("text").to_owned();
    assert!(text.split(' ').count() == 24 && plain.header("content-length").is_some());
    assert_eq!(plain.json()["model"], "m");
    let header = |name| plain.header(name);
    assert_eq!((header("x-request-id"), header("set-cookie")), (Some("req-0"), Some("mock=1; Path=/")));
    let stream = post(mock.address(), CHAT, &chat(true)).await;
    assert_eq!((stream.content(), stream.header("content-type")), (text, Some("text/event-stream; charset=utf-8")));
    assert_eq!(
        post(twin.address(), "/chat/completions", &chat(false)).await.raw,
        plain.raw,
        "equal seeds, equal bytes"
    );
    assert_ne!(post(other.address(), CHAT, &chat(false)).await.raw, plain.raw, "other seeds, other bytes");
    let model = post(mock.address(), CHAT, &with(json!({"model": "any/name"}))).await.json();
    assert_eq!(model["model"], "any/name");
    assert_ne!(model["choices"], plain.json()["choices"], "other models, other words");
}

#[tokio::test]
async fn a_stream_is_role_tokens_finish_usage_and_done() {
    let mock = start().await;
    let asked = with(json!({"stream": true, "max_tokens": 2, "stream_options": {"include_usage": true}}));
    let seen = post(mock.address(), CHAT, &asked).await;
    let events = seen.events();
    assert_eq!((events.len(), events[5].as_str(), seen.end), (6, "[DONE]", End::Fin));
    let chunks: Vec<Value> = events[..5].iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert!(chunks[..4].iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "length");
    assert_eq!((chunks[4]["choices"].clone(), chunks[4]["usage"]["completion_tokens"].clone()), (json!([]), json!(2)));
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["object"] == "chat.completion.chunk"));
}

#[tokio::test]
async fn oai_02_tools_schemas_and_choices_are_honoured() {
    let mock = start().await;
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}});
    let tool = json!({"type": "function", "function": {"name": "weather", "parameters": parameters}});
    let asked = json!({"tools": [tool], "tool_choice": "required"});
    let plain = post(mock.address(), CHAT, &with(asked.clone())).await.json();
    let choice = &plain["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let call = &choice["message"]["tool_calls"][0];
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().expect("text")).expect("JSON");
    assert!(call["function"]["name"] == "weather" && arguments["city"].is_string() && arguments["days"].is_i64());

    let mut streamed = with(asked);
    streamed["stream"] = true.into();
    let mut joined = String::new();
    for event in post(mock.address(), CHAT, &streamed).await.events() {
        let chunk: Value = serde_json::from_str(&event).unwrap_or_default();
        let part = chunk.pointer("/choices/0/delta/tool_calls/0/function/arguments").and_then(Value::as_str);
        joined.push_str(part.unwrap_or_default());
    }
    assert_eq!(call["function"]["arguments"], joined.as_str());

    let schema = json!({"$defs": {"s": {"enum": ["a"]}}, "type": "object", "properties": {"x": {"$ref": "#/$defs/s"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let plain = post(mock.address(), CHAT, &with(json!({"response_format": format, "n": 2}))).await.json();
    assert_eq!(plain["choices"][1]["message"]["content"], "{\"x\":\"a\"}");
    assert_eq!(plain["choices"][1]["index"], 1);
    let format = json!({"response_format": {"type": "json_object"}});
    let plain = post(mock.address(), CHAT, &with(format)).await.json();
    let content = plain["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(serde_json::from_str::<Value>(content).expect("JSON").is_object());
}

#[tokio::test]
async fn n_choices_speak_in_turn_and_each_finishes() {
    let mock = start().await;
    let seen = post(mock.address(), CHAT, &with(json!({"stream": true, "n": 2, "max_tokens": 3}))).await;
    for index in [0, 1] {
        let own = |event: &&String| event.contains(&format!("\"index\":{index},"));
        let events = seen.events();
        assert_eq!(events.iter().filter(own).count(), 5, "role, three tokens, finish");
    }
}

#[tokio::test]
async fn oai_12_embeddings_come_as_numbers_and_as_base64() {
    let mock = start().await;
    let asked = json!({"model": "e", "input": ["a", "b", "a"], "dimensions": 5});
    let seen = post(mock.address(), "/v1/embeddings", &asked).await.json();
    let data = seen["data"].as_array().expect("a list");
    assert_eq!((data.len(), data[2]["index"].clone()), (3, json!(2)));
    assert!(data[0]["embedding"] == data[2]["embedding"] && data[0]["embedding"] != data[1]["embedding"]);
    assert_eq!(data[0]["embedding"].as_array().map(Vec::len), Some(5));
    let asked = json!({"model": "e", "input": "a", "dimensions": 3, "encoding_format": "base64"});
    let seen = post(mock.address(), "/v1/embeddings", &asked).await.json();
    assert_eq!(seen["data"][0]["embedding"].as_str().map(str::len), Some(16));
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_shape_of_their_protocol() {
    let mock = start().await;
    for (body, param) in [
        (json!({"messages": []}), Some("model")),
        (json!({"model": "m", "messages": []}), Some("messages")),
        (json!({"model": "m"}), Some("messages")),
        (with(json!({"n": 0})), Some("n")),
        (json!([]), None),
    ] {
        let seen = post(mock.address(), CHAT, &body).await;
        assert_eq!((seen.status(), seen.json()["error"]["param"].as_str()), (400, param), "{body}");
    }
    assert_eq!(send(mock.address(), "GET", CHAT, "").await.status(), 405);
    assert_eq!(send(mock.address(), "GET", "/nope", "").await.json()["error"]["code"], "unknown_url");
}

#[tokio::test]
async fn models_are_listed_and_an_api_key_is_wanted_where_one_is_set() {
    let models = [("a/b".to_owned(), Pace::default())].into();
    let mock =
        Mock::start(Options { models, api_key: Some("k".to_owned()), ..Options::default() }).await.expect("a port");
    let denied = send(mock.address(), "GET", "/v1/models", "").await;
    assert_eq!((denied.status(), denied.json()["error"]["code"].as_str()), (401, Some("invalid_api_key")));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer k\r\nConnection: close\r\n\r\n");
    let list = exchange(mock.address(), &get("/v1/models"), usize::MAX).await.json();
    assert_eq!(list["data"][0]["id"], "a/b");
    let one = exchange(mock.address(), &get("/v1/models/a%2Fb"), usize::MAX).await.json();
    assert_eq!(one["id"], "a/b");
}

#[tokio::test]
async fn pace_is_kept_per_model() {
    let slow = Pace { tokens: 2, first_token: Duration::from_secs(600), ..Pace::default() };
    let mock = Mock::start(Options { models: [("slow".to_owned(), slow)].into(), ..Options::default() })
        .await
        .expect("a port");
    let ask = |stream: bool| {
        let body = with(json!({"model": "slow", "stream": stream}));
        request("POST", CHAT, &body.to_string())
    };
    let seen = hush(&mock, &ask(true)).await;
    assert_eq!((seen.events().len(), seen.end), (1, End::Silent), "the role, then nothing for ten minutes");
    assert_eq!(hush(&mock, &ask(false)).await.end, End::Silent);
    assert_eq!(post(mock.address(), CHAT, &chat(true)).await.tokens(), 24);
}

#[tokio::test]
async fn a_connection_carries_many_requests_pipelined_or_not() {
    let mock = start().await;
    let body = chat(false).to_string();
    let one = format!("POST {CHAT} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = open(mock.address(), &one).await;
    let length = read_one(&mut stream).await.raw.len();
    stream.write_all(one.repeat(2).as_bytes()).await.expect("the mock reads");
    let seen = read(&mut stream, 2 * length).await;
    assert_eq!(String::from_utf8_lossy(&seen.raw).matches("HTTP/1.1 200 OK").count(), 2);
    let log = mock.log();
    assert_eq!(log.iter().map(|attempt| attempt.reused).collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn chunked_bodies_and_expectations_are_honoured() {
    let mock = start().await;
    let (body, head) = (chat(false).to_string(), format!("POST {CHAT} HTTP/1.1\r\nConnection: close\r\n"));
    let (first, rest) = body.split_at(9);
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n9;x=y\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\nTrailer: t\r\n\r\n",
        rest.len()
    );
    assert_eq!(exchange(mock.address(), &chunked, usize::MAX).await.status(), 200);
    assert_eq!(mock.log()[0].body.as_deref(), Some(body.as_bytes()));

    let expects = format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut stream = open(mock.address(), &expects).await;
    assert_eq!(read(&mut stream, 25).await.raw, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.expect("the mock reads");
    assert_eq!(read(&mut stream, usize::MAX).await.status(), 200);
}

#[tokio::test]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let mock = start().await;
    for (head, status) in [
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nname : value\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
    ] {
        let seen = exchange(mock.address(), head, usize::MAX).await;
        assert_eq!((seen.status(), seen.end), (status, End::Fin), "{head}");
    }
    assert!(mock.log().iter().all(|attempt| attempt.status.is_some_and(|status| status >= 400)));
}

#[tokio::test]
async fn old_clients_get_a_stream_without_chunks_and_head_gets_no_body() {
    let mock = start().await;
    let body = chat(true).to_string();
    let old = format!("POST {CHAT} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let seen = exchange(mock.address(), &old, usize::MAX).await;
    assert!(seen.header("transfer-encoding").is_none() && seen.raw.ends_with(b"data: [DONE]\n\n"));
    let head = send(mock.address(), "HEAD", "/v2/health/live", "").await;
    assert!(head.header("content-length") == Some("13") && head.raw.ends_with(b"\r\n\r\n"));
}

#[tokio::test]
async fn log_probabilities_are_given_where_they_are_asked_for_alike_in_both_forms() {
    let mock = start().await;
    let sure = |content: &Value| -> Vec<f64> {
        content.as_array().into_iter().flatten().filter_map(|it| it["logprob"].as_f64()).collect()
    };
    let plain = post(mock.address(), CHAT, &with(json!({"logprobs": true}))).await.json();
    let said = sure(&plain["choices"][0]["logprobs"]["content"]);
    assert!(said.len() == 24 && said.iter().all(|it| (-0.5..=0.0).contains(it)), "{said:?}");
    let stream = post(mock.address(), CHAT, &with(json!({"logprobs": true, "stream": true}))).await;
    let chunks: Vec<Value> = stream.events().iter().filter_map(|it| serde_json::from_str(it).ok()).collect();
    let streamed = chunks.iter().flat_map(|it| sure(&it["choices"][0]["logprobs"]["content"]));
    assert_eq!(streamed.collect::<Vec<_>>(), said);
    let unasked = post(mock.address(), CHAT, &chat(false)).await.json();
    assert!(unasked["choices"][0]["logprobs"].is_null());
    mock.set_faults(evenkeel_mock::parse_faults_yaml("[{fault: logprobs, each: -2.5}]").expect("a fault"));
    let broken = post(mock.address(), CHAT, &with(json!({"logprobs": true, "max_tokens": 2}))).await.json();
    assert_eq!(sure(&broken["choices"][0]["logprobs"]["content"]), [-2.5, -2.5]);
}
