//! Tests of the judge of completions in one piece, by table.

use ResultCode as R;
use serde_json::json;

use super::*;
use crate::protocol::openai::peek::peek_chat;

fn request(n: u8, last_role: &str) -> ChatPeek {
    let body = json!({"model": "m", "n": n, "messages": [{"role": last_role, "content": "x"}]}).to_string();
    peek_chat(body.as_bytes()).expect("well-formed")
}

fn judge(body: &str) -> Result<Answer, R> {
    judge_for(body, &request(1, "user"))
}

fn judge_for(body: &str, request: &ChatPeek) -> Result<Answer, R> {
    judge_chat(body.as_bytes(), request).map_err(|none| none.result)
}

fn choice(message: &str, finish: &str) -> String {
    format!(r#"{{"id":"x","choices":[{{"index":0,"message":{message},"finish_reason":{finish}}}],"model":"m"}}"#)
}

#[test]
fn f_004_a_whole_answer_is_ok_and_its_usage_is_read() {
    let body = r#"{"model":"gpt","choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop","index":0}],
        "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11},"error":null}"#;
    let answer = judge(body).expect("whole");
    assert_eq!(answer.usage, Some(Usage { prompt_tokens: 9, completion_tokens: 2 }));
}

#[test]
fn f_006_empty_is_a_failure_unless_it_is_legitimate() {
    let check = |message: &str, finish: &str, expected: Option<R>| {
        assert_eq!(judge(&choice(message, finish)).err(), expected, "{message} {finish}");
    };
    for filled in [
        r#"{"content":"x"}"#,
        r#"{"content":null,"refusal":"no"}"#,
        r#"{"tool_calls":[{"id":"1"}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"content":"","audio":{"id":"a"}}"#,
        r#"{"content":[{"type":"text"}]}"#,
    ] {
        check(filled, r#""stop""#, None);
    }
    for empty in [
        "{}",
        r#"{"content":null}"#,
        r#"{"content":""}"#,
        r#"{"content":"","tool_calls":[ ]}"#,
        r#"{"content":"","reasoning_content":"hm"}"#,
        r#"{"content":[],"refusal":null,"audio":{}}"#,
    ] {
        check(empty, r#""stop""#, Some(R::EmptyAnswer));
        check(empty, r#""length""#, None);
        check(empty, r#""content_filter""#, None);
        check(empty, r#""tool_calls""#, None);
        let after_tool = judge_chat(choice(empty, r#""stop""#).as_bytes(), &request(1, "tool"));
        assert!(after_tool.is_ok(), "UP-28: after a tool turn {empty} is fine");
    }
}

#[test]
fn oai_04_an_answer_without_its_finish_reason_is_truncated() {
    let check = |finish: &str| assert_eq!(judge(&choice(r#"{"content":"x"}"#, finish)), Err(R::Truncated), "{finish}");
    check("null");
    check(r#""""#);
    check("1");
    let one = r#"{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}"#;
    assert_eq!(judge_for(one, &request(2, "user")), Err(R::Truncated), "two were asked for");
    let second_open = r#"{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"},{"index":1,"message":{"content":"y"}}]}"#;
    assert_eq!(judge_for(second_open, &request(2, "user")), Err(R::Truncated));
}

#[test]
fn oai_07_errors_and_nothing_under_200_go_to_the_next_tier() {
    let check = |body: &str, expected: R| assert_eq!(judge(body), Err(expected), "{body}");
    check("", R::EmptyAnswer);
    check(" \n", R::EmptyAnswer);
    check("{}", R::EmptyAnswer);
    check(r#"{"choices":null}"#, R::EmptyAnswer);
    check(r#"{"choices":[]}"#, R::EmptyAnswer);
    check(r#"{"error":{"message":"boom"}}"#, R::ErrorInBody);
    check(r#"{"error":"boom","choices":[]}"#, R::ErrorInBody);
    check(r#"{"error":true}"#, R::ErrorInBody);
    check(r#"{"error":500}"#, R::ErrorInBody);
    check(r#"{"error":{"code":"insufficient_quota"}}"#, R::QuotaExhausted);
    check(r#"{"error":{"code":"content_filter"}}"#, R::ContentFiltered);
    check(r#"{"object":"error","message":"boom","code":503}"#, R::ErrorInBody);
    check(&choice(r#"{"content":"x"}"#, r#""error""#), R::ErrorInBody);
    check("<html>", R::DecodeFailed);
    check("[]", R::DecodeFailed);
    check(r#"{"choices":{}}"#, R::DecodeFailed);
    check(r#"{"choices":[1]}"#, R::DecodeFailed);
    check(r#"{"choices":[{"index":0,"message":{"content":"x"#, R::DecodeFailed);
    for no_error in ["null", "false", "\"\"", "{}", "[ ]"] {
        let body = choice(r#"{"content":"x"}"#, r#""stop""#).replacen('{', &format!("{{\"error\":{no_error},"), 1);
        assert!(judge(&body).is_ok(), "{no_error} is no error");
    }
}

#[test]
fn st_15_absent_and_absurd_usage_is_not_invented() {
    for usage in ["null", "{}", "7", r#"{"prompt_tokens":-1}"#, r#"{"prompt_tokens":1e99}"#, r#"{"prompt_tokens":"5"}"#]
    {
        let body = choice(r#"{"content":"x"}"#, r#""stop""#).replacen('{', &format!("{{\"usage\":{usage},"), 1);
        assert_eq!(judge(&body).map(|answer| answer.usage), Ok(None), "{usage}");
    }
}

#[test]
fn f_131_what_is_no_answer_has_cost_what_it_tells() {
    let usage = r#""usage":{"prompt_tokens":900,"completion_tokens":300}"#;
    let empty = r#"{"message":{"content":""},"finish_reason":"stop"}"#;
    let open = r#"{"message":{"content":"x"}}"#;
    for (body, expected) in [
        (format!(r#"{{"choices":[{empty}],{usage}}}"#), R::EmptyAnswer),
        (format!(r#"{{"choices":[{open}],{usage}}}"#), R::Truncated),
        (format!(r#"{{"choices":[],{usage}}}"#), R::EmptyAnswer),
        (format!(r#"{{"error":"boom",{usage}}}"#), R::ErrorInBody),
    ] {
        let none = judge_chat(body.as_bytes(), &request(1, "user")).expect_err("it is none");
        let told = Usage { prompt_tokens: 900, completion_tokens: 300 };
        assert_eq!((none.result, none.counts.told), (expected, Some(told)), "{body}");
    }
    let none = judge_chat(b"<html>", &request(1, "user")).expect_err("it is none");
    assert_eq!(none, R::DecodeFailed.into());
}
