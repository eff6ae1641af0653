//! Tests of the scan: what counts as content, and that the same is seen in both forms (F-003).

use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value, json};

use super::*;

fn both(said: &Value, finish: &Value) -> [Scan; 2] {
    [("message", Said::Message), ("delta", Said::Delta)].map(|(key, form)| {
        let body = json!({"choices": [{"index": 0, key: said, "finish_reason": finish}]}).to_string();
        scan(body.as_bytes(), form).expect("an object")
    })
}

#[test]
fn f_003_f_023_content_and_reasoning_are_told_apart_in_both_forms() {
    let check = |said: Value, content: bool, reasoning: bool| {
        for scan in both(&said, &Value::Null) {
            assert_eq!((scan.content, scan.reasoning), (content, reasoning), "{said}");
        }
    };
    check(json!({"content": "x"}), true, false);
    check(json!({"content": " "}), true, false);
    check(json!({"refusal": "x"}), true, false);
    check(json!({"tool_calls": [{"index": 0}]}), true, false);
    check(json!({"function_call": {"name": ""}}), true, false);
    check(json!({"audio": {"data": "x"}}), true, false);
    check(json!({"reasoning": "x"}), false, true);
    check(json!({"reasoning_content": "x", "content": null}), false, true);
    check(json!({"reasoning_content": "x", "content": "y"}), true, true);
    check(json!({"role": "assistant", "content": ""}), false, false);
    check(json!({"tool_calls": null, "refusal": null, "content": []}), false, false);
    check(json!({}), false, false);
}

#[test]
fn finish_reasons_are_bits_of_their_index() {
    let scan = |body: &str| scan(body.as_bytes(), Said::Delta).expect("an object");
    let two =
        scan(r#"{"choices":[{"index":5,"delta":{},"finish_reason":"stop"},{"index":127,"finish_reason":"length"}]}"#);
    assert_eq!((two.finished, two.unfinished, two.may_be_empty), (1 << 5 | 1 << 127, false, true));
    let beyond = scan(r#"{"choices":[{"index":128,"finish_reason":"stop"},{"index":1e99,"finish_reason":"stop"}]}"#);
    assert_eq!(beyond.finished, 0);
    assert_eq!(scan(r#"{"choices":[{"finish_reason":"stop"}]}"#).finished, 1, "no index is the first");
    assert_eq!(scan(r#"{"choices":[]}"#).choices, Some(0), "a first chunk of Azure");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(77), ..ProptestConfig::default() })]

    #[test]
    fn what_stands_inside_strings_is_never_structure(text in any::<String>(), key in any::<String>()) {
        let hostile = format!("{text}\"finish_reason\":\"stop\"}}]}}{key}");
        for scan in both(&json!({"content": hostile, "x": {"finish_reason": "stop", "error": text}}), &Value::Null) {
            prop_assert!(scan.content && scan.finished == 0 && scan.unfinished && scan.error.is_none());
        }
    }
}
