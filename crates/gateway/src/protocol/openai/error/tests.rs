//! Tests of the classifier: every row of `failures.md`, section 1, that a wire can show, and the shapes of bodies.

use ResultCode as R;
use serde_json::{Value, json};

use super::*;

fn head(status: u16) -> Head<'static> {
    Head { status, content_type: Some("application/json"), push_back: false }
}

fn openai(code: Value, kind: Value) -> String {
    json!({"error": {"message": "no", "type": kind, "param": null, "code": code}}).to_string()
}

#[test]
fn f_001_f_002_every_row_of_the_class_table_by_status() {
    let check = |status: u16, push_back: bool, expected: R| {
        for body in
            ["", "<html>oops</html>", "{}", "{\"error\":null}", &openai(Value::Null, json!("invalid_request_error"))]
        {
            assert_eq!(classify_http(Head { push_back, ..head(status) }, body.as_bytes()), expected, "{status} {body}");
        }
    };
    for caller in [400, 405, 406, 409, 411, 415, 418, 422, 428, 431, 451, 499] {
        check(caller, false, R::CallerInvalid);
    }
    for rate in [429, 529] {
        check(rate, false, R::RateLimited);
        check(rate, true, R::RateLimited);
    }
    check(402, false, R::QuotaExhausted);
    check(503, true, R::PushBack);
    check(401, false, R::CredentialRejected);
    check(407, false, R::CredentialRejected);
    check(403, false, R::CredentialForbidden);
    for server in [500, 501, 502, 503, 505, 520, 599] {
        check(server, false, R::Status5xx);
    }
    check(408, false, R::TotalTimeout);
    check(504, false, R::TotalTimeout);
    for redirect in [300, 301, 302, 304, 307, 308] {
        check(redirect, false, R::ProtocolError);
    }
    check(204, false, R::EmptyAnswer);
    for setup in [404, 410, 421] {
        check(setup, false, R::ModelMissing);
    }
    check(413, false, R::MessageTooLarge);
    for odd in [201, 206, 100, 600, 999] {
        check(odd, false, R::DecodeFailed);
    }
}

#[test]
fn f_001_the_code_wins_over_the_type_and_the_type_over_the_status() {
    let check = |status: u16, code: &str, kind: &str, expected: R| {
        let body = openai(json!(code), json!(kind));
        assert_eq!(classify_http(head(status), body.as_bytes()), expected, "{status} {body}");
        if status != 200 {
            return;
        }
        let error = ErrorObject::read(body.as_bytes()).expect("an error");
        assert_eq!(classify_in_band(&error, Place::Stream), expected, "F-003: the same in a stream");
    };
    for status in [200, 400, 402, 403, 429, 500] {
        check(status, "insufficient_quota", "invalid_request_error", R::QuotaExhausted);
        check(status, "billing_hard_limit_reached", "x", R::QuotaExhausted);
        check(status, "x", "insufficient_quota", R::QuotaExhausted);
        check(status, "rate_limit_exceeded", "requests", R::RateLimited);
        check(status, "context_length_exceeded", "invalid_request_error", R::ContextExceeded);
        check(status, "content_filter", "x", R::ContentFiltered);
        check(status, "content_policy_violation", "x", R::ContentFiltered);
        check(status, "unsupported_parameter", "x", R::UnsupportedFeature);
        check(status, "model_not_found", "x", R::ModelMissing);
        check(status, "DeploymentNotFound", "x", R::ModelMissing);
        check(status, "invalid_api_key", "x", R::CredentialRejected);
        check(status, "context_length_exceeded", "rate_limit_error", R::ContextExceeded);
    }
    check(503, "x", "overloaded_error", R::PushBack);
    check(500, "overloaded", "x", R::PushBack);
    check(529, "x", "overloaded_error", R::RateLimited);
    check(400, "invalid_value", "invalid_request_error", R::CallerInvalid);
    check(500, "invalid_value", "invalid_request_error", R::Status5xx);
}

#[test]
fn a_code_that_is_a_number_is_a_status() {
    let check = |status: u16, body: &str, expected: R| {
        assert_eq!(classify_http(head(status), body.as_bytes()), expected, "{status} {body}");
    };
    check(500, r#"{"error":{"code":429}}"#, R::RateLimited);
    check(500, r#"{"error":{"code":"402"}}"#, R::QuotaExhausted);
    check(500, r#"{"error":{"code":400}}"#, R::Status5xx);
    check(200, r#"{"error":{"code":400,"message":"bad"}}"#, R::CallerInvalid);
    check(200, r#"{"error":{"code":500}}"#, R::ErrorInBody);
    check(200, r#"{"error":{"code":529}}"#, R::RateLimited);
    check(200, r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#, R::CallerInvalid);
}

#[test]
fn errors_of_all_shapes_are_read() {
    let check = |body: &str, code: Option<&str>, message: Option<&str>| {
        let error = ErrorObject::read(body.as_bytes()).unwrap_or_default();
        assert_eq!((error.code.as_deref(), error.message.as_deref()), (code, message), "{body}");
    };
    check(r#"{"error":{"code":"c","message":"m"}}"#, Some("c"), Some("m"));
    check(r#"[{"error":{"code":"c","message":"m"}},{"error":{"code":"d"}}]"#, Some("c"), Some("m"));
    check(r#"{"error":"m"}"#, None, Some("m"));
    check(r#"{"error":"m","code":"c"}"#, None, Some("m"));
    check(r#"{"object":"error","message":"m","code":"c"}"#, Some("c"), Some("m"));
    check(r#"{"detail":"m"}"#, None, Some("m"));
    check(r#"{"detail":[{"msg":"m"}]}"#, None, None);
    check("[[[[{\"error\":1}]]]]", None, None);
    check("\"m\"", None, None);
    check("{\"error\":", None, None);
    check("", None, None);
}

#[test]
fn a_full_window_told_in_prose_is_a_capability() {
    let body = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#;
    assert_eq!(classify_http(head(400), body.as_bytes()), R::ContextExceeded);
    let quota_in_prose = r#"{"error":{"message":"insufficient_quota rate_limit_exceeded"}}"#;
    assert_eq!(classify_http(head(400), quota_in_prose.as_bytes()), R::CallerInvalid, "prose closes no gate");
}

#[test]
fn f_001_what_is_in_no_table_is_broken_where_it_stands() {
    let error =
        ErrorObject { message: Some("boom".into()), kind: Some("server_error".into()), ..ErrorObject::default() };
    assert_eq!(classify_in_band(&error, Place::Body), R::ErrorInBody);
    assert_eq!(classify_in_band(&error, Place::Stream), R::ErrorInStream);
    assert_eq!(classify_http(head(200), br#"{"error":{"message":"boom"}}"#), R::ErrorInBody);
    assert_eq!(classify_http(head(200), b"<html>"), R::WrongContentType);
    assert_eq!(classify_http(head(200), b" \n"), R::EmptyAnswer, "F-003: as in an answer that is not streamed");
    assert_eq!(classify_http(head(502), b"<html>"), R::Status5xx);
    let page = Head { content_type: Some(" Text/HTML; charset=utf-8"), ..head(502) };
    assert_eq!(classify_http(page, br#"{"error":{"code":"insufficient_quota"}}"#), R::Status5xx, "UP-09");
}

#[test]
fn up_09_html_is_never_what_was_asked_for() {
    let check = |content_type: Option<&str>, plain: bool, stream: bool| {
        assert_eq!((speaks(content_type, false), speaks(content_type, true)), (plain, stream), "{content_type:?}");
    };
    check(None, true, true);
    check(Some("application/json"), true, false);
    check(Some("Application/JSON; charset=utf-8"), true, false);
    check(Some("application/problem+json"), true, false);
    check(Some("text/event-stream; charset=utf-8"), false, true);
    check(Some("text/plain"), true, true);
    check(Some("text/html; charset=utf-8"), false, false);
    check(Some("image/png"), false, false);
}

#[test]
fn errors_of_ours_have_four_keys_and_the_words_of_the_table() {
    for problem in Problem::ALL {
        let body: Value = serde_json::from_slice(&error_body(problem, "m", None)).expect("JSON");
        assert_eq!(body["error"].as_object().map(|error| error.len()), Some(4), "{problem:?}");
        assert!(body["error"]["param"].is_null() && body["error"]["message"] == "m");
        let kind = body["error"]["type"].as_str();
        let degraded = matches!(problem.status(), 503 | 504);
        assert_eq!(kind, Some(if degraded { "service_degraded" } else { "invalid_request_error" }), "{problem:?}");
    }
    let golden =
        r#"{"error":{"message":"'n' is \"x\"","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#;
    assert_eq!(error_body(Problem::Invalid, "'n' is \"x\"", Some("n")), golden);
    let code = |problem| words(problem).1;
    assert_eq!(code(Problem::UnknownModel), "model_not_found");
    assert_eq!(code(Problem::UnknownUrl), "unknown_url");
    assert_eq!(code(Problem::Exhausted), "all_tiers_exhausted");
    assert_eq!(code(Problem::DegradationRefused), "degradation_refused");
    assert_eq!(code(Problem::DeadlineExceeded), "deadline_exceeded");
    assert_eq!(code(Problem::Overloaded), "overloaded");
}

#[test]
fn f_127_a_broken_stream_ends_in_an_error_event_and_no_done() {
    let golden = concat!(
        r#"data: {"error":{"message":"m\n","type":"server_error","param":null,"code":"stream_interrupted"},"#,
        r#""evenkeel":{"tier":0}}"#,
        "\n\n"
    );
    assert_eq!(error_event(ResultCode::Truncated, "m\n", r#"{"tier":0}"#), golden);
}

#[test]
fn an_upstreams_words_are_relayed_clean_and_short() {
    let check = |body: &str, result: R, expected: &str| {
        assert_eq!(relay(body.as_bytes(), result), expected, "{body}");
    };
    check(
        r#"{"error":{"message":"too\u0000 long\u001b[2J\n","type":"t","param":"messages","code":"context_length_exceeded","x":1}}"#,
        R::ContextExceeded,
        r#"{"error":{"message":"too long[2J","type":"t","param":"messages","code":"context_length_exceeded"}}"#,
    );
    check(
        "<html>",
        R::ContentFiltered,
        r#"{"error":{"message":"the model refused the request","type":"invalid_request_error","param":null,"code":"content_filter"}}"#,
    );
    check(
        r#"{"error":"nope"}"#,
        R::CallerInvalid,
        r#"{"error":{"message":"nope","type":"invalid_request_error","param":null,"code":"invalid_value"}}"#,
    );
}
