//! `evenkeel serve`: reloads that apply whole or not at all, and a drain that loses nothing.

use crate::process::{Serving, get, http, until};

fn config(content: &str) -> String {
    format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nroutes:\n  r:\n    protocol: \
         openai-chat\n    tiers: [{{name: d, fixed: {{content: \"{content}\"}}}}]\n"
    )
}

fn said(serving: &Serving) -> String {
    let body = r#"{"model":"r","messages":[{"role":"user","content":"x"}]}"#;
    let (status, answer) = http(serving.data, "POST", "/v1/chat/completions", body);
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
}

#[test]
fn cf_01_g_014_a_saved_file_reloads_and_an_invalid_one_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, config("one")).expect("written");
    let serving = Serving::start(&file);
    assert_eq!(said(&serving), "one");
    let first = get(serving.admin, "/readyz");
    assert_eq!((&first["ready"], &first["rejected"]), (&true.into(), &serde_json::Value::Null));

    std::fs::write(&file, config("two").replace("content", "contant")).expect("written");
    let rejected = until("the refusal", || {
        let ready = get(serving.admin, "/readyz");
        (!ready["rejected"].is_null()).then_some(ready)
    });
    assert_eq!((&rejected["ready"], &rejected["revision"]), (&true.into(), &first["revision"]));
    assert!(rejected["rejected"]["diagnostics"].as_u64() >= Some(1), "{rejected}");
    assert_eq!(said(&serving), "one");
    let (_, metrics) = http(serving.admin, "GET", "/metrics", "");
    assert!(metrics.contains("evenkeel_config_apply_failures_total 1"), "{metrics}");

    std::fs::write(&file, config("three")).expect("written");
    until("the new revision", || (said(&serving) == "three").then_some(()));
    let ready = get(serving.admin, "/readyz");
    assert!(ready["rejected"].is_null() && ready["revision"] != first["revision"], "{ready}");
}

#[test]
fn f_175_a_hang_up_reloads_and_a_termination_drains() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, config("one")).expect("written");
    let serving = Serving::start(&file);
    assert_eq!(http(serving.admin, "GET", "/healthz", "").0, 200);
    serving.signal("HUP");
    assert_eq!(said(&serving), "one", "it lives on");
    let (status, _) = http(serving.data, "GET", "/metrics", "");
    assert_eq!(status, 404, "SE-07: the admin plane is not on the data port");
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
}
