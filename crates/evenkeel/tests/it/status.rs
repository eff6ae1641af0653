//! `evenkeel status`: asked of a process that serves, by its address or by its configuration.

use std::fs;

use serde_json::Value;

use crate::process::{Serving, evenkeel, get};

const CONFIG: &str = r#"version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "http://127.0.0.1:1/v1"}
  small: {protocol: openai, url: "http://127.0.0.1:2/v1"}
routes:
  chat:
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: big, model: m}}
      - {name: small, openai: {upstream: small, model: m}}
      - {name: default, fixed: {content: "Later."}}
"#;

#[test]
fn f_153_status_says_which_tiers_count_as_redundancy_and_why_the_others_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, CONFIG).expect("written");
    let serving = Serving::start(&file);
    let url = format!("http://{}", serving.admin);
    let output = evenkeel(&["status", "--url", &url]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("chat: normal, starts at tier 0 (primary), PRIMARY_HEALTHY since "), "{text}");
    assert!(
        text.contains("does not count as redundancy: it has not answered well since this process has it"),
        "{text}"
    );
    assert!(text.ends_with("  redundancy: 1 of 2 tiers below tier 0\n"), "{text}");
    let json = evenkeel(&["status", "--url", &url, "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(
        (&json["status"]["routes"][0]["redundancy"], &json["routes"][0]["route"]),
        (&[1, 2].into(), &"chat".into())
    );
    let ready = get(serving.admin, "/readyz");
    let unproven = serde_json::json!([{"route": "chat", "tier": "small", "why": "unproven"}]);
    assert_eq!((&ready["ready"], &ready["unproven"]), (&true.into(), &unproven));
}

#[test]
fn status_that_nobody_answers_is_an_error_that_names_whom_it_asked() {
    let output = evenkeel(&["status", "--url", "http://127.0.0.1:1"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.contains("cannot ask http://127.0.0.1:1")), (Some(2), true), "{said}");
}
