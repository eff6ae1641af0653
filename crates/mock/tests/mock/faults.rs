//! One case for each fault, plain and streamed where both exist.

use std::collections::BTreeSet;

use evenkeel_mock::{Mock, OipModel, Options, TensorSpec, parse_faults_yaml};
use serde_json::{Value, json};

use crate::client::{End, Seen, chat, exchange, logged, request, send};

/// What stands in the way: who asks, what breaks, how much is read at most, what must be seen.
type Case = (Ask, Value, usize, fn(&Seen));

#[derive(Clone, Copy, Debug)]
enum Ask {
    Plain,
    Stream,
    Embed,
    Infer,
}
use Ask::{Embed, Infer, Plain, Stream};

const ALL: usize = usize::MAX;

async fn mock() -> Mock {
    let input = TensorSpec::new("x", "FP32", [-1, 2]);
    let output = TensorSpec::new("y", "FP32", [-1, 1]);
    let mut options = Options::default();
    options.oip.insert("m".to_owned(), OipModel::declared(vec![input], output, vec![json!(1.5), json!(2.5)]));
    Mock::start(options).await.expect("loopback has a free port")
}

fn asked(ask: Ask) -> String {
    let post = |path: &str, body: Value| request("POST", path, &body.to_string());
    match ask {
        Plain => post("/v1/chat/completions", chat(false)),
        Stream => post("/v1/chat/completions", chat(true)),
        Embed => post("/v1/embeddings", json!({"model": "m", "input": ["a", "b"]})),
        Infer => {
            let input = json!({"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]});
            post("/v2/models/m/infer", json!({"inputs": [input]}))
        }
    }
}

fn error(seen: &Seen, status: u16, code: &str) {
    assert_eq!((seen.status(), seen.json()["error"]["code"].as_str()), (status, Some(code)));
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

/// A stream that is whole but for what the case says.
fn healthy_stream(seen: &Seen) {
    assert!(seen.framed().is_ok() && seen.finished() && seen.done() == 1 && seen.tokens() == 24, "{}", seen.text());
}

/// A stream that stopped after three tokens and said so to nobody.
fn three_tokens(seen: &Seen) {
    assert_eq!((seen.tokens(), seen.finished(), seen.done()), (3, false, 0), "{}", seen.text());
}

fn outputs(seen: &Seen) -> Value {
    seen.json()["outputs"].clone()
}

fn statuses() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "status", "status": 503, "retry_after": 7}), ALL, |seen| {
            error(seen, 503, "overloaded");
            assert_eq!(seen.header("retry-after"), Some("7"));
        }),
        (Stream, json!({"fault": "status", "status": 502, "body": "html"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.header("content-type")), (502, Some("text/html; charset=utf-8")));
            assert!(seen.text().contains("Bad gateway"));
        }),
        (Plain, json!({"fault": "status", "status": 500, "body": "empty"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.text().as_str()), (500, ""));
        }),
        (Plain, json!({"fault": "status", "status": 418, "type": "t", "code": "c", "message": "m"}), ALL, |seen| {
            assert_eq!(seen.json(), json!({"error": {"message": "m", "type": "t", "param": null, "code": "c"}}));
        }),
        (Infer, json!({"fault": "status", "status": 500}), ALL, |seen| {
            assert_eq!((seen.status(), seen.json()), (500, json!({"error": "the mock was told to fail"})));
        }),
        (Plain, json!({"fault": "rate_limited"}), ALL, |seen| {
            error(seen, 429, "rate_limit_exceeded");
            assert_eq!(seen.header("retry-after"), None);
        }),
        (Stream, json!({"fault": "rate_limited", "retry_after": "soon\r\nx: y", "retry_after_ms": 20}), ALL, |seen| {
            assert_eq!((seen.header("retry-after"), seen.header("retry-after-ms")), (Some("soon  x: y"), Some("20")));
        }),
        (Plain, json!({"fault": "rate_limited", "retry_after_date_s": -60}), ALL, |seen| {
            assert!(seen.header("retry-after").is_some_and(|date| date.ends_with(" GMT") && date.len() == 29));
        }),
        (Plain, json!({"fault": "quota_exhausted", "told": "status_402"}), ALL, |seen| {
            error(seen, 402, "insufficient_quota");
        }),
        (Plain, json!({"fault": "quota_exhausted", "told": "in_band"}), ALL, |seen| {
            error(seen, 200, "insufficient_quota");
        }),
        (Stream, json!({"fault": "quota_exhausted", "told": "in_band"}), ALL, |seen| {
            assert!(seen.events()[0].contains("insufficient_quota") && seen.events().len() == 1);
        }),
        (Plain, json!({"fault": "credential_rejected"}), ALL, |seen| error(seen, 401, "invalid_api_key")),
        (Plain, json!({"fault": "credential_forbidden"}), ALL, |seen| error(seen, 403, "permission_denied")),
        (Stream, json!({"fault": "model_missing"}), ALL, |seen| error(seen, 404, "model_not_found")),
        (Stream, json!({"fault": "context_length_exceeded"}), ALL, |seen| {
            error(seen, 400, "context_length_exceeded");
        }),
        (Plain, json!({"fault": "content_filter"}), ALL, |seen| error(seen, 400, "content_filter")),
        (Plain, json!({"fault": "unsupported_feature"}), ALL, |seen| error(seen, 400, "unsupported_parameter")),
        (Plain, json!({"fault": "redirect", "location": "http://a/"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.header("location")), (302, Some("http://a/")));
        }),
        (Plain, json!({"fault": "error_in_body", "code": "c"}), ALL, |seen| error(seen, 200, "c")),
    ]
}

fn connections() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "reset"}), ALL, |seen| assert_eq!((seen.raw.len(), seen.end), (0, End::Rst))),
        (Stream, json!({"fault": "reset", "how": "fin"}), ALL, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, End::Fin));
        }),
        (Plain, json!({"fault": "silence"}), ALL, |seen| assert_eq!((seen.raw.len(), seen.end), (0, End::Silent))),
        (Stream, json!({"fault": "silence", "for_ms": 5}), ALL, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, End::Fin));
        }),
        (Plain, json!({"fault": "headers_then_silence"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.framed(), seen.end), (200, Err(vec![]), End::Silent));
        }),
        (Stream, json!({"fault": "headers_then_silence"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.framed(), seen.end), (200, Err(vec![]), End::Silent));
        }),
        (Plain, json!({"fault": "latency", "ms": 5}), ALL, |seen| assert_eq!(seen.status(), 200)),
        (Plain, json!({"fault": "latency", "ms": 600_000}), ALL, |seen| {
            assert_eq!((seen.raw.len(), seen.end), (0, End::Silent));
        }),
        (Embed, json!({"fault": "latency_long_tailed", "shape": "pareto", "median_ms": 1, "max_ms": 3}), ALL, |seen| {
            assert_eq!(seen.status(), 200);
        }),
        (
            Plain,
            json!({"fault": "latency_spike", "ms": 600_000, "every_ms": 600_000, "for_ms": 600_000}),
            ALL,
            |seen| {
                assert_eq!((seen.raw.len(), seen.end), (0, End::Silent));
            },
        ),
        (Plain, json!({"fault": "slow_drip", "bytes": 100, "every_ms": 1}), ALL, |seen| {
            assert!(seen.json()["choices"][0]["message"]["content"].is_string());
        }),
        (Stream, json!({"fault": "slow_drip", "bytes": 300, "every_ms": 1, "close_after_ms": 2}), ALL, healthy_stream),
        (Stream, json!({"fault": "slow_drip", "bytes": 10, "every_ms": 600_000}), ALL, |seen| {
            assert_eq!((&seen.raw[..], seen.end), (&b"HTTP/1.1 2"[..], End::Silent));
        }),
        (Plain, json!({"fault": "huge_headers", "bytes": 10_000}), ALL, |seen| {
            assert_eq!(seen.header("x-filler-2").map(str::len), Some(10_000 - 2 * 4_096));
        }),
        (Plain, json!({"fault": "ignore_cancel", "every_ms": 1}), ALL, |seen| assert_eq!(seen.status(), 200)),
        (Stream, json!({"fault": "ignore_cancel", "every_ms": 1}), ALL, healthy_stream),
    ]
}

fn beginnings() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "slow_first_token", "ms": 600_000}), ALL, |seen| {
            assert_eq!((seen.status(), seen.framed(), seen.end), (200, Err(vec![]), End::Silent));
        }),
        (Stream, json!({"fault": "slow_first_token", "ms": 600_000}), ALL, |seen| {
            assert_eq!((seen.events().len(), seen.tokens(), seen.end), (1, 0, End::Silent), "the role alone");
        }),
        (Stream, json!({"fault": "slow_first_token", "ms": 5}), ALL, healthy_stream),
        (Stream, json!({"fault": "keepalive_only", "every_ms": 1}), 300, |seen| {
            assert!(seen.text().ends_with(": keep-alive\n\n") && seen.events().is_empty() && seen.end == End::Talking);
        }),
        (Stream, json!({"fault": "keepalive_only", "kind": "role", "every_ms": 1}), 900, |seen| {
            assert!(
                seen.events().len() > 1 && seen.events().iter().all(|event| event.contains("{\"role\":\"assistant\"}"))
            );
        }),
        (Stream, json!({"fault": "keepalive_only", "kind": "empty_delta", "every_ms": 1}), 900, |seen| {
            assert!(seen.events().len() > 1 && seen.events().iter().all(|event| event.contains("{\"content\":\"\"}")));
        }),
        (Plain, json!({"fault": "keepalive_only", "every_ms": 1}), 120, |seen| {
            assert!(seen.text().starts_with("\n\n") && seen.text().trim().is_empty());
        }),
        (Stream, json!({"fault": "slow_tokens", "every_ms": 600_000}), ALL, |seen| {
            assert_eq!((seen.tokens(), seen.end), (0, End::Silent));
        }),
        (Stream, json!({"fault": "slow_tokens", "every_ms": 1}), ALL, healthy_stream),
        (Stream, json!({"fault": "reasoning", "tokens": 4, "every_ms": 1}), ALL, |seen| {
            healthy_stream(seen);
            assert!(seen.events()[1..5].iter().all(|event| event.contains("{\"reasoning_content\":\" hmm\"}")));
        }),
        (Plain, json!({"fault": "reasoning", "tokens": 2}), ALL, |seen| {
            assert_eq!(seen.json()["choices"][0]["message"]["reasoning_content"], " hmm hmm");
        }),
        (Stream, json!({"fault": "error_event", "code": "c", "role": false}), ALL, |seen| {
            assert!(seen.events().len() == 1 && seen.events()[0].starts_with("{\"error\":"));
        }),
        (Stream, json!({"fault": "error_event"}), ALL, |seen| {
            assert!(seen.events().len() == 2 && seen.events()[1].starts_with("{\"error\":"));
        }),
        (Stream, json!({"fault": "error_event", "after_tokens": 3}), ALL, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_ok() && seen.events()[4].contains("\"code\":\"server_error\""));
        }),
    ]
}

fn endings() -> Vec<Case> {
    vec![
        (Stream, json!({"fault": "cut", "after_tokens": 3}), ALL, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_err() && seen.end == End::Fin && !seen.text().ends_with("\n\n"));
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 3, "how": "rst"}), ALL, |seen| assert_eq!(seen.end, End::Rst)),
        (Stream, json!({"fault": "cut", "after_tokens": 3, "how": "fin_between_events"}), ALL, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_err() && seen.end == End::Fin && seen.text().ends_with("\n\n"));
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 3, "how": "between_events"}), ALL, |seen| {
            three_tokens(seen);
            assert!(seen.framed().is_ok() && seen.end == End::Fin);
        }),
        (Stream, json!({"fault": "cut", "after_tokens": 999, "how": "between_events"}), ALL, |seen| {
            assert_eq!((seen.tokens(), seen.finished(), seen.done()), (24, false, 0));
        }),
        (Plain, json!({"fault": "cut", "after_tokens": 12}), ALL, |seen| {
            assert!(seen.framed().is_err_and(|part| part.len() > 50) && seen.end == End::Fin);
        }),
        (Infer, json!({"fault": "cut", "after_tokens": 0, "how": "between_events"}), ALL, |seen| {
            let part = seen.framed().expect("the framing is whole");
            assert!(!part.is_empty() && serde_json::from_slice::<Value>(&part).is_err());
        }),
        (Stream, json!({"fault": "stall", "after_tokens": 3}), ALL, |seen| {
            three_tokens(seen);
            assert_eq!(seen.end, End::Silent);
        }),
        (Stream, json!({"fault": "stall", "after_tokens": 3, "for_ms": 5}), ALL, |seen| {
            three_tokens(seen);
            assert_eq!(seen.end, End::Fin);
        }),
        (Plain, json!({"fault": "stall", "after_tokens": 3}), ALL, |seen| {
            assert!(seen.framed().is_err_and(|part| !part.is_empty()) && seen.end == End::Silent);
        }),
        (Stream, json!({"fault": "garbled_event", "at_token": 2}), ALL, |seen| {
            assert!(seen.finished() && seen.done() == 1 && seen.framed().is_ok());
            assert!(seen.events()[2].ends_with("<garbled>"), "role, token 1, then token 2");
            assert_eq!(seen.tokens(), 23);
        }),
        (Plain, json!({"fault": "garbled_event"}), ALL, |seen| {
            assert!(seen.framed().is_ok() && seen.text().ends_with("<garbled>"));
        }),
        (Stream, json!({"fault": "done_missing"}), ALL, |seen| {
            assert_eq!((seen.finished(), seen.done(), seen.end), (true, 0, End::Fin));
            assert!(seen.framed().is_ok());
        }),
        (Stream, json!({"fault": "done_missing", "hold": true}), ALL, |seen| {
            assert_eq!((seen.finished(), seen.done(), seen.end), (true, 0, End::Silent));
        }),
        (Stream, json!({"fault": "finish_missing"}), ALL, |seen| {
            assert_eq!((seen.tokens(), seen.finished(), seen.done()), (24, false, 1));
        }),
        (Plain, json!({"fault": "finish_missing"}), ALL, |seen| {
            assert_eq!(seen.json()["choices"][0]["finish_reason"], Value::Null);
        }),
        (Plain, json!({"fault": "finish_reason", "reason": "length"}), ALL, |seen| {
            assert_eq!(seen.json()["choices"][0]["finish_reason"], "length");
        }),
        (Stream, json!({"fault": "finish_reason", "reason": "content_filter"}), ALL, |seen| {
            assert!(seen.text().contains("\"finish_reason\":\"content_filter\""));
        }),
        (Stream, json!({"fault": "after_done"}), ALL, |seen| assert_eq!(seen.done(), 2)),
        (Stream, json!({"fault": "after_done", "what": "content"}), ALL, |seen| {
            assert!(seen.done() == 1 && seen.events().last().is_some_and(|last| last.contains("after the end")));
        }),
        (Stream, json!({"fault": "endless"}), 50_000, |seen| assert!(seen.tokens() > 100 && !seen.finished())),
        (Plain, json!({"fault": "endless"}), 50_000, |seen| assert!(seen.text().ends_with("and on "))),
        (Stream, json!({"fault": "huge_line"}), ALL, |seen| {
            let longest = seen.events().iter().map(String::len).max();
            assert!(longest >= Some(10 * 1024 * 1024) && seen.finished() && seen.done() == 1);
        }),
    ]
}

fn forms() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "usage_missing"}), ALL, |seen| assert_eq!(seen.json().get("usage"), None)),
        (Embed, json!({"fault": "usage_absurd"}), ALL, |seen| {
            assert_eq!(seen.json()["usage"], json!({"prompt_tokens": 0, "total_tokens": 7}));
        }),
        (Stream, json!({"fault": "split_events", "line_end": "mixed", "comments": true}), ALL, |seen| {
            assert!(
                seen.text().contains("\r\r") && seen.text().contains("\r\n\r\n") && seen.text().contains(": still")
            );
            healthy_stream(seen);
        }),
        (Stream, json!({"fault": "split_events", "bytes": 7, "line_end": "cr"}), ALL, |seen| {
            assert!(!seen.text().contains('\n'));
            healthy_stream(seen);
        }),
        (Stream, json!({"fault": "broken_chunked"}), ALL, |seen| {
            assert!(seen.framed().is_err() && seen.events().len() == 1 && seen.end == End::Fin);
        }),
        (Plain, json!({"fault": "broken_chunked", "how": "negative"}), ALL, |seen| {
            assert!(seen.framed() == Err(vec![]) && String::from_utf8_lossy(&seen.raw).contains("\r\n-1\r\n"));
        }),
        (Plain, json!({"fault": "broken_chunked", "how": "overflow"}), ALL, |seen| {
            assert_eq!(seen.framed(), Err(vec![]))
        }),
        (Plain, json!({"fault": "broken_chunked", "how": "short_chunk"}), ALL, |seen| {
            assert!(seen.framed().is_err_and(|part| !part.is_empty()));
        }),
        (Stream, json!({"fault": "broken_chunked", "how": "missing_end"}), ALL, |seen| {
            assert!(seen.framed().is_err() && seen.done() == 1 && seen.end == End::Fin);
        }),
        (Plain, json!({"fault": "empty_answer"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.text().as_str()), (200, ""))
        }),
        (Stream, json!({"fault": "empty_answer", "what": "status_204"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.header("content-length"), seen.text().as_str()), (204, None, ""));
        }),
        (Plain, json!({"fault": "empty_answer", "what": "choices"}), ALL, |seen| {
            assert_eq!(seen.json()["choices"], json!([]));
        }),
        (Stream, json!({"fault": "empty_answer", "what": "choices"}), ALL, |seen| {
            assert!(seen.events().len() == 2 && seen.events()[0].contains("\"choices\":[]") && seen.done() == 1);
        }),
        (Plain, json!({"fault": "empty_answer", "what": "text"}), ALL, |seen| {
            assert_eq!(seen.json()["choices"][0]["message"]["content"], "");
        }),
        (Stream, json!({"fault": "empty_answer", "what": "text"}), ALL, |seen| {
            assert_eq!((seen.tokens(), seen.finished(), seen.done()), (0, true, 1));
        }),
        (Embed, json!({"fault": "empty_answer", "what": "data"}), ALL, |seen| {
            assert_eq!(seen.json()["data"], json!([]))
        }),
        (Embed, json!({"fault": "empty_answer", "what": "embedding"}), ALL, |seen| {
            assert_eq!(seen.json()["data"][1]["embedding"], json!([]));
        }),
        (Infer, json!({"fault": "empty_answer", "what": "outputs"}), ALL, |seen| assert_eq!(outputs(seen), json!([]))),
        (Plain, json!({"fault": "wrong_content_type"}), ALL, |seen| {
            assert_eq!((seen.status(), seen.header("content-type")), (200, Some("text/html; charset=utf-8")));
            assert!(seen.text().starts_with("<!DOCTYPE html>"));
        }),
        (Plain, json!({"fault": "wrong_content_type", "content_type": "a/b", "own_body": true}), ALL, |seen| {
            assert!(seen.header("content-type") == Some("a/b") && seen.json()["choices"].is_array());
        }),
        (Plain, json!({"fault": "wrong_model", "name": "other"}), ALL, |seen| {
            assert_eq!(seen.json()["model"], "other")
        }),
        (Stream, json!({"fault": "wrong_model", "name": "other"}), ALL, |seen| {
            assert!(seen.events()[0].contains("\"model\":\"other\""));
        }),
        (Embed, json!({"fault": "embedding_width", "width": 3}), ALL, |seen| {
            assert_eq!(seen.json()["data"][0]["embedding"].as_array().map(Vec::len), Some(3));
        }),
        (Infer, json!({"fault": "output_nonfinite", "row": 1}), ALL, |seen| {
            assert!(seen.text().contains("\"data\":[1.5,NaN]"))
        }),
        (Infer, json!({"fault": "output_nonfinite", "form": "null"}), ALL, |seen| {
            assert_eq!(outputs(seen)[0]["data"], json!([null, 2.5]));
        }),
        (Infer, json!({"fault": "output_wrong_shape"}), ALL, |seen| {
            assert_eq!(outputs(seen)[0]["shape"], json!([3, 1]))
        }),
        (Infer, json!({"fault": "output_wrong_dtype"}), ALL, |seen| assert_eq!(outputs(seen)[0]["datatype"], "FP64")),
        (Infer, json!({"fault": "output_missing"}), ALL, |seen| assert_eq!(outputs(seen), json!([]))),
        (Infer, json!({"fault": "output_out_of_range", "value": -7.5}), ALL, |seen| {
            assert_eq!(outputs(seen)[0]["data"], json!([-7.5, -7.5]));
        }),
    ]
}

fn cases() -> Vec<Case> {
    [statuses(), connections(), beginnings(), endings(), forms()].concat()
}

#[tokio::test]
async fn each_fault_breaks_as_its_row_says() {
    let mock = mock().await;
    for (ask, fault, limit, check) in cases() {
        let name = fault["fault"].as_str().expect("a case names its fault").to_owned();
        println!("{ask:?} {fault}");
        let put = send(mock.control_address(), "PUT", "/mock/faults", &json!([fault]).to_string()).await;
        assert_eq!(put.status(), 200, "{}", put.text());
        let before = mock.log().len();
        check(&exchange(mock.address(), &asked(ask), limit).await);
        let attempt = logged(&mock, |attempt| attempt.attempt as usize == before).await;
        assert_eq!(attempt.fault.as_deref(), Some(&*name), "the log names the fault");
    }
}

/// Returns every name that a list may use, as a refusal tells them.
fn names() -> BTreeSet<String> {
    let error = parse_faults_yaml("[{fault: nope}]").expect_err("no such fault").to_string();
    let (_, allowed) = error.split_once("expected one of ").expect("it lists the names");
    let (allowed, _) = allowed.split_once(';').expect("it ends the list");
    allowed.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_fault_has_a_case() {
    let mut tested: BTreeSet<String> =
        cases().iter().map(|(_, fault, ..)| fault["fault"].as_str().expect("a name").to_owned()).collect();
    // These two need more than one exchange: `port.rs`.
    tested.extend(["refuse".to_owned(), "reset_reused".to_owned()]);
    assert_eq!(tested, names());
}

#[test]
fn both_formats_read_every_case_alike() {
    for (_, fault, ..) in cases() {
        let yaml = parse_faults_yaml(&json!([fault]).to_string()).expect("JSON is YAML");
        let again = yaml[0].to_json();
        for (key, value) in fault.as_object().expect("a case is an object") {
            let same = again[key] == *value || again[key].as_f64().is_some_and(|number| value.as_f64() == Some(number));
            assert!(same, "{key} of {fault} became {again}");
        }
    }
}
