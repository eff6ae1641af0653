//! Tests of the peek: by table, by property against serde_json, and by mutation.

use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value, json};

use super::*;

const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{members}}}"#)
}

fn peek(body: &str) -> Result<ChatPeek, BadRequest> {
    peek_chat(body.as_bytes())
}

#[test]
fn a_plain_request_is_peeked_at() {
    let peek = peek(PLAIN).expect("well-formed");
    assert_eq!((peek.model.as_str(), &PLAIN[peek.model_span.clone()]), ("m", r#""m""#));
    assert_eq!((peek.stream, peek.include_usage, peek.n, peek.max_tokens), (false, false, 1, None));
    assert_eq!((peek.needs, peek.after_tool, peek.is_strict()), (Features::NONE, false, false));
    assert_eq!(peek.text_bytes, 4, "the text with its quotes");
}

#[test]
fn f_036_needs_are_read_from_the_members() {
    let check = |members: &str, needs: Features| {
        assert_eq!(peek(&with(members)).map(|peek| peek.needs), Ok(needs), "{members}");
    };
    check(r#""tools":[{"type":"function"}]"#, Features::TOOLS);
    check(r#""tools":[ ]"#, Features::NONE);
    check(r#""tools":null"#, Features::NONE);
    check(r#""tools":[{}],"tool_choice":"auto""#, Features::TOOLS);
    check(r#""tools":[{}],"tool_choice":"none""#, Features::TOOLS);
    check(r#""tools":[{}],"tool_choice":"required""#, Features::TOOLS.with(Features::TOOL_REQUIRED));
    check(r#""tools":[{}],"tool_choice":"any""#, Features::TOOLS.with(Features::TOOL_REQUIRED));
    check(r#""tool_choice":{"type":"function","function":{"name":"f"}}"#, Features::TOOL_REQUIRED);
    check(r#""response_format":{"type":"text"}"#, Features::NONE);
    check(r#""response_format":{"type":"json_object"}"#, Features::JSON);
    check(r#""response_format":{"json_schema":{"schema":{}},"type":"json_schema"}"#, Features::SCHEMA);
    check(r#""response_format":{"type":"grammar"}"#, Features::SCHEMA);
    check(r#""logprobs":true,"top_logprobs":3"#, Features::LOGPROBS);
    check(r#""logprobs":false"#, Features::NONE);
    check(r#""n":2"#, Features::N);
    check(r#""n":1"#, Features::NONE);
    check(r#""modalities":["text","audio"],"audio":{"voice":"x"}"#, Features::AUDIO);
    let part = |part: &str| {
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"a"}},{{"type":"{part}","x":[1]}}]}}],"model":"m"}}"#
        );
        peek(&body).map(|peek| peek.needs)
    };
    assert_eq!(part("image_url"), Ok(Features::IMAGE));
    assert_eq!(part("input_audio"), Ok(Features::AUDIO));
    assert_eq!(part("file"), Ok(Features::FILE));
    assert_eq!(part("refusal"), Ok(Features::NONE));
}

#[test]
fn streaming_and_limits_are_read() {
    let peeked = peek(&with(r#""stream":true,"stream_options":{"x":1,"include_usage":true},"max_tokens":5"#));
    let peeked = peeked.expect("well-formed");
    assert!(peeked.stream && peeked.include_usage && peeked.max_tokens == Some(5));
    let nulls = peek(&with(r#""stream":null,"stream_options":null,"n":null,"max_completion_tokens":null"#));
    assert_eq!(nulls.map(|peek| (peek.stream, peek.n, peek.max_tokens)), Ok((false, 1, None)), "absent = null");
    assert_eq!(peek(&with(r#""stream_options":{"include_usage":null}"#)).map(|peek| peek.include_usage), Ok(false));
}

#[test]
fn f_006_the_last_message_says_whether_an_empty_answer_is_legitimate() {
    let check = |roles: &[&str], after_tool: bool| {
        let messages: Vec<Value> = roles.iter().map(|role| json!({"content": null, "role": role})).collect();
        let body = json!({"model": "m", "messages": messages}).to_string();
        assert_eq!(peek(&body).map(|peek| peek.after_tool), Ok(after_tool), "{roles:?}");
    };
    check(&["user"], false);
    check(&["user", "assistant", "tool"], true);
    check(&["tool", "user"], false);
    check(&["user", "function"], true);
}

#[test]
fn oai_01_only_the_model_is_rewritten() {
    let body = Bytes::from_static(
        b" {\"seed\" : 1e999,\"mod\\u0065l\":  \"r\\u006futes/a\" ,\"messages\":[{\"role\":\"user\"}],\"x\":{\"model\":\"y\"}}\n",
    );
    let peek = peek_chat(&body).expect("well-formed");
    assert_eq!(peek.model, "routes/a");
    let rewritten = rewrite_model(&body, &peek.model_span, "qwen\"3\n");
    let golden: &[u8] = b" {\"seed\" : 1e999,\"mod\\u0065l\":  \"qwen\\\"3\\n\" ,\"messages\":[{\"role\":\"user\"}],\"x\":{\"model\":\"y\"}}\n";
    assert_eq!(rewritten, golden);
}

#[test]
fn what_the_client_got_wrong_names_the_field() {
    let check = |body: &str, param: &str| {
        let refused = peek(body).expect_err(body);
        assert_eq!(refused.param.as_deref(), Some(param).filter(|param| !param.is_empty()), "{body}: {refused:?}");
    };
    check("", "");
    check("[]", "");
    check("\"x\"", "");
    check("{\"model\":\"m\"", "");
    check(&(PLAIN.to_owned() + "x"), "");
    check("{}", "model");
    check(r#"{"messages":[{}]}"#, "model");
    check(r#"{"model":null,"messages":[{}]}"#, "model");
    check(r#"{"model":7}"#, "model");
    check(r#"{"model":"m"}"#, "messages");
    check(r#"{"model":"m","messages":[]}"#, "messages");
    check(r#"{"model":"m","messages":{}}"#, "messages");
    check(r#"{"model":"m","messages":[{},1]}"#, "messages[1]");
    check(r#"{"model":"m","messages":[{"role":1}]}"#, "messages[0].role");
    check(r#"{"model":"m","messages":[{"content":1}]}"#, "messages[0].content");
    check(r#"{"model":"m","messages":[{"content":[1]}]}"#, "messages[0].content[0]");
    check(r#"{"model":"m","messages":[{"content":[{},{"type":1}]}]}"#, "messages[0].content[1].type");
    for (member, param) in [
        (r#""stream":1"#, "stream"),
        (r#""stream":"true""#, "stream"),
        (r#""stream_options":true"#, "stream_options"),
        (r#""stream_options":{"include_usage":1}"#, "stream_options.include_usage"),
        (r#""n":0"#, "n"),
        (r#""n":129"#, "n"),
        (r#""n":1.0"#, "n"),
        (r#""n":"1""#, "n"),
        (r#""max_tokens":-1"#, "max_tokens"),
        (r#""max_tokens":1e3"#, "max_tokens"),
        (r#""max_tokens":10000001"#, "max_tokens"),
        (r#""max_tokens":99999999999999999999999999"#, "max_tokens"),
        (r#""max_completion_tokens":"9""#, "max_completion_tokens"),
        (r#""logprobs":1"#, "logprobs"),
        (r#""tools":{}"#, "tools"),
        (r#""tool_choice":1"#, "tool_choice"),
        (r#""response_format":"json""#, "response_format"),
        (r#""response_format":{"type":1}"#, "response_format.type"),
        (r#""modalities":[1]"#, "modalities"),
        (r#""model":"other""#, "model"),
        (r#""mod\u0065l":"other""#, "model"),
        (r#""stream":true,"stream":false"#, "stream"),
        (r#""stream":null,"stream":true"#, "stream"),
    ] {
        check(&with(member), param);
    }
    assert!(peek(&with(r#""x":1,"x":2"#)).is_ok(), "others may stand there twice: nobody here reads them");
}

#[test]
fn cl_12_broken_text_is_refused_with_its_offset() {
    let message = |body: &[u8]| peek_chat(body).expect_err("broken").message;
    assert_eq!(message(b"\xef\xbb\xbf{}"), "the body is not valid JSON: a byte order mark at byte 0");
    assert_eq!(message(b"{\"model\":\"\xff\"}"), "the body is not valid JSON: invalid UTF-8 at byte 10");
    assert_eq!(message(br#"{"x":"\ud800"}"#), "the body is not valid JSON: a lone surrogate at byte 6");
    assert_eq!(message(b"{\"x\":\"\0\"}"), "the body is not valid JSON: a control character in a string at byte 6");
}

#[test]
fn cl_13_a_million_keys_and_depth_are_bounded() {
    let many = format!("{{{}\"model\":\"m\",\"messages\":[{{}}]}}", "\"k\":0,".repeat(1_000_000));
    assert!(peek(&many).is_ok());
    let deep = with(&format!("\"x\":{}{}", "[".repeat(200_000), "]".repeat(200_000)));
    assert!(peek(&deep).expect_err("too deep").message.contains("nested deeper than 128"));
}

#[test]
fn embeddings_are_counted() {
    let check = |members: &str, count: usize| {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        assert_eq!(peek_embeddings(body.as_bytes()).map(|peek| peek.count), Ok(count), "{members}");
    };
    check(r#""input":"a""#, 1);
    check(r#""input":["a","b","c"]"#, 3);
    check(r#""input":[1,2,3]"#, 1);
    check(r#""input":[[1],[2,3]]"#, 2);
    let all = br#"{"input":"a","encoding_format":"base64","dimensions":256,"model":"m"}"#;
    let peek = peek_embeddings(all).expect("well-formed");
    assert_eq!((peek.base64, peek.dimensions, &all[peek.model_span]), (true, Some(256), &b"\"m\""[..]));
    for (members, param) in [
        (r#""x":1"#, "input"),
        (r#""input":null"#, "input"),
        (r#""input":[]"#, "input"),
        (r#""input":{}"#, "input"),
        (r#""input":["a",1]"#, "input"),
        (r#""input":[null]"#, "input"),
        (r#""input":"a","encoding_format":"hex""#, "encoding_format"),
        (r#""input":"a","encoding_format":1"#, "encoding_format"),
        (r#""input":"a","dimensions":0"#, "dimensions"),
        (r#""input":"a","input":"b""#, "input"),
    ] {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        let refused = peek_embeddings(body.as_bytes()).expect_err(members);
        assert_eq!(refused.param.as_deref(), Some(param), "{members}");
    }
}

/// A slow second reader: what a document tree says of the same request.
fn by_tree(body: &[u8]) -> Option<(String, bool, u64, bool)> {
    let tree: Value = serde_json::from_slice(body).ok()?;
    let flag = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
    let last = tree["messages"].as_array()?.last()?;
    Some((
        tree["model"].as_str()?.to_owned(),
        flag(tree.get("stream")),
        tree.get("n").and_then(Value::as_u64).unwrap_or(1),
        matches!(last["role"].as_str(), Some("tool" | "function")),
    ))
}

fn requests() -> impl Strategy<Value = String> {
    let message = (prop::sample::select(vec!["user", "tool", "assistant"]), any::<String>(), any::<bool>()).prop_map(
        |(role, text, parts)| match parts {
            true => json!({"role": role, "content": [{"type": "image_url", "text": text}]}),
            false => json!({"content": text, "role": role}),
        },
    );
    let extra = prop::collection::vec(("[a-z]{4,6}", any::<f32>().prop_map(|n| json!([n, {"deep": "}\"{"}]))), 0..3);
    let fields = (any::<String>(), prop::collection::vec(message, 1..4), any::<Option<bool>>(), 1..9_u8, extra);
    (fields, any::<u64>()).prop_map(|((model, messages, stream, n, extra), order)| {
        let mut members = vec![("model".into(), json!(model)), ("messages".into(), json!(messages))];
        members.extend([("stream".into(), json!(stream)), ("n".into(), json!(n))]);
        members.extend(extra);
        members.sort_by_key(|(key, _): &(String, Value)| {
            key.bytes().fold(order, |hash, b| hash.rotate_left(7) ^ u64::from(b))
        });
        let written: Vec<String> = members.iter().map(|(key, value)| format!("{:?} : {value}", key)).collect();
        format!("{{{}}}", written.join(" ,"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, rng_seed: RngSeed::Fixed(41), ..ProptestConfig::default() })]

    #[test]
    fn the_peek_sees_what_a_document_tree_sees(body in requests()) {
        let peek = peek_chat(body.as_bytes()).expect("well-formed");
        let seen = (peek.model.clone(), peek.stream, u64::from(peek.n), peek.after_tool);
        prop_assert_eq!(Some(seen), by_tree(body.as_bytes()));
        let rewritten = rewrite_model(&body.clone().into(), &peek.model_span, "new");
        let (mut before, after): (Value, Value) =
            (serde_json::from_str(&body).expect("JSON"), serde_json::from_slice(&rewritten).expect("JSON"));
        before["model"] = json!("new");
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_damaged_request_is_refused_or_seen_alike(
        body in requests(),
        bites in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        let mut bytes = body.into_bytes();
        for (at, byte, insert) in bites {
            let at = at.index(bytes.len());
            if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        }
        if let Ok(peek) = peek_chat(&bytes) {
            let seen = (peek.model, peek.stream, u64::from(peek.n), peek.after_tool);
            // serde_json refuses numbers beyond f64, which pass here.
            if let Some(tree) = by_tree(&bytes) {
                prop_assert_eq!(seen, tree);
            }
        }
    }
}
