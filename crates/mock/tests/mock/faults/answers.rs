//! Faults in place of an answer, and in what an answer says.

use serde_json::{Value, json};

use super::{
    Ask::{Embed, Infer, Plain, Stream},
    Case,
    Until::End,
};
use crate::client::Seen;

pub(super) fn cases() -> Vec<Case> {
    [statuses(), contents()].concat()
}

fn error(seen: &Seen, status: u16, code: &str) {
    assert_eq!((seen.status(), seen.json()["error"]["code"].as_str()), (status, Some(code)));
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

fn outputs(seen: &Seen) -> Value {
    seen.json()["outputs"].clone()
}

fn statuses() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "status", "status": 503, "retry_after": 7}), End, |seen| {
            error(seen, 503, "service_unavailable");
            assert_eq!(seen.header("retry-after"), Some("7"));
        }),
        (Stream, json!({"fault": "status", "status": 502, "body": "html"}), End, |seen| {
            assert_eq!((seen.status(), seen.header("content-type")), (502, Some("text/html; charset=utf-8")));
            assert!(seen.text().contains("Bad gateway"));
        }),
        (Plain, json!({"fault": "status", "status": 500, "body": "empty"}), End, |seen| {
            assert_eq!((seen.status(), seen.text().as_str()), (500, ""));
        }),
        (Plain, json!({"fault": "status", "status": 418, "type": "t", "code": "c", "message": "m"}), End, |seen| {
            assert_eq!(seen.json(), json!({"error": {"message": "m", "type": "t", "param": null, "code": "c"}}));
        }),
        (Infer, json!({"fault": "status", "status": 500}), End, |seen| {
            assert_eq!((seen.status(), seen.json()), (500, json!({"error": "the mock was told to fail"})));
        }),
        (Plain, json!({"fault": "rate_limited"}), End, |seen| {
            error(seen, 429, "rate_limit_exceeded");
            assert_eq!(seen.header("retry-after"), None);
        }),
        (Stream, json!({"fault": "rate_limited", "retry_after": "soon\r\nx: y", "retry_after_ms": 20}), End, |seen| {
            assert_eq!((seen.header("retry-after"), seen.header("retry-after-ms")), (Some("soon  x: y"), Some("20")));
        }),
        (Plain, json!({"fault": "rate_limited", "retry_after_date_s": -60}), End, |seen| {
            assert!(seen.header("retry-after").is_some_and(|date| date.ends_with(" GMT") && date.len() == 29));
        }),
        (Plain, json!({"fault": "quota_exhausted", "told": "status_402"}), End, |seen| {
            error(seen, 402, "insufficient_quota");
        }),
        (Plain, json!({"fault": "quota_exhausted", "told": "in_band"}), End, |seen| {
            error(seen, 200, "insufficient_quota");
        }),
        (Stream, json!({"fault": "quota_exhausted", "told": "in_band"}), End, |seen| {
            assert!(seen.events()[0].contains("insufficient_quota") && seen.events().len() == 1);
        }),
        (Plain, json!({"fault": "credential_rejected"}), End, |seen| error(seen, 401, "invalid_api_key")),
        (Plain, json!({"fault": "credential_forbidden"}), End, |seen| error(seen, 403, "permission_denied")),
        (Stream, json!({"fault": "model_missing"}), End, |seen| error(seen, 404, "model_not_found")),
        (Stream, json!({"fault": "context_length_exceeded"}), End, |seen| {
            error(seen, 400, "context_length_exceeded");
        }),
        (Plain, json!({"fault": "content_filter"}), End, |seen| error(seen, 400, "content_filter")),
        (Plain, json!({"fault": "unsupported_feature"}), End, |seen| error(seen, 400, "unsupported_parameter")),
        (Plain, json!({"fault": "redirect", "location": "http://a/"}), End, |seen| {
            assert_eq!((seen.status(), seen.header("location")), (302, Some("http://a/")));
        }),
        (Plain, json!({"fault": "error_in_body", "code": "c"}), End, |seen| error(seen, 200, "c")),
    ]
}

fn contents() -> Vec<Case> {
    vec![
        (Plain, json!({"fault": "usage_missing"}), End, |seen| assert_eq!(seen.json().get("usage"), None)),
        (Embed, json!({"fault": "usage_absurd"}), End, |seen| {
            assert_eq!(seen.json()["usage"], json!({"prompt_tokens": 0, "total_tokens": 7}));
        }),
        (Plain, json!({"fault": "empty_answer"}), End, |seen| {
            assert_eq!((seen.status(), seen.text().as_str()), (200, ""))
        }),
        (Stream, json!({"fault": "empty_answer", "what": "status_204"}), End, |seen| {
            assert_eq!((seen.status(), seen.header("content-length"), seen.text().as_str()), (204, None, ""));
        }),
        (Plain, json!({"fault": "empty_answer", "what": "choices"}), End, |seen| {
            assert_eq!(seen.json()["choices"], json!([]));
        }),
        (Stream, json!({"fault": "empty_answer", "what": "choices"}), End, |seen| {
            assert!(seen.events().len() == 2 && seen.events()[0].contains("\"choices\":[]") && seen.done() == 1);
        }),
        (Plain, json!({"fault": "empty_answer", "what": "text"}), End, |seen| {
            assert_eq!(seen.json()["choices"][0]["message"]["content"], "");
            let usage = &seen.json()["usage"];
            assert_eq!((&usage["completion_tokens"], &usage["total_tokens"]), (&json!(0), &usage["prompt_tokens"]));
        }),
        (Stream, json!({"fault": "empty_answer", "what": "text"}), End, |seen| {
            assert_eq!((seen.tokens(), seen.finished(), seen.done()), (0, true, 1));
        }),
        (Embed, json!({"fault": "empty_answer", "what": "data"}), End, |seen| {
            assert_eq!(seen.json()["data"], json!([]))
        }),
        (Embed, json!({"fault": "empty_answer", "what": "embedding"}), End, |seen| {
            assert_eq!(seen.json()["data"][1]["embedding"], json!([]));
        }),
        (Infer, json!({"fault": "empty_answer", "what": "outputs"}), End, |seen| assert_eq!(outputs(seen), json!([]))),
        (Plain, json!({"fault": "wrong_model", "name": "other"}), End, |seen| {
            assert_eq!(seen.json()["model"], "other")
        }),
        (Stream, json!({"fault": "wrong_model", "name": "other"}), End, |seen| {
            assert!(seen.events()[0].contains("\"model\":\"other\""));
        }),
        (Embed, json!({"fault": "embedding_width", "width": 3}), End, |seen| {
            assert_eq!(seen.json()["data"][0]["embedding"].as_array().map(Vec::len), Some(3));
        }),
        (Infer, json!({"fault": "output_nonfinite", "row": 1}), End, |seen| {
            assert!(seen.text().contains("\"data\":[1.5,NaN]"))
        }),
        (Infer, json!({"fault": "output_nonfinite", "form": "null"}), End, |seen| {
            assert_eq!(outputs(seen)[0]["data"], json!([null, 2.5]));
        }),
        (Infer, json!({"fault": "output_wrong_shape"}), End, |seen| {
            assert_eq!(outputs(seen)[0]["shape"], json!([3, 1]))
        }),
        (Infer, json!({"fault": "output_wrong_dtype"}), End, |seen| assert_eq!(outputs(seen)[0]["datatype"], "FP64")),
        (Infer, json!({"fault": "output_missing"}), End, |seen| assert_eq!(outputs(seen), json!([]))),
        (Infer, json!({"fault": "output_out_of_range", "value": -7.5}), End, |seen| {
            assert_eq!(outputs(seen)[0]["data"], json!([-7.5, -7.5]));
        }),
    ]
}
