//! A process that is stopped for a time and goes on: what it did not hear is nobody's silence (PR-09).

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};

use crate::process::{Mocking, Serving, http, is_left_out, until};

#[test]
fn pr_09_a_frozen_process_blames_nobody_when_it_wakes_up() {
    if is_left_out("pause", "it stands still for some seconds") {
        return;
    }
    let mock = Mocking::start(&[]);
    // The first token comes after a second; the clock for it allows two, and the process stands still for five.
    let fault = json!([{"model": "big", "fault": "latency", "ms": 1_000}]).to_string();
    assert_eq!(http(mock.control, "PUT", "/mock/faults", &fault).0, 200);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nupstreams:\n  up: {{protocol: openai, url: \
         \"http://{}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    tiers:\n      - {{name: big, openai: {{upstream: \
         up, model: big}}, first_token: 2s}}\n      - {{name: small, openai: {{upstream: up, model: small}}}}\n      - {{name: \
         default, fixed: {{content: later}}}}\n",
        mock.models
    );
    fs::write(&file, text).expect("written");
    let serving = Serving::start(&file);
    let asking = |_| {
        let data = serving.data;
        let body = json!({"model": "r", "stream": true, "messages": [{"role": "user", "content": "x"}]}).to_string();
        thread::spawn(move || http(data, "POST", "/v1/chat/completions", &body))
    };
    let asked: Vec<_> = (0..8).map(asking).collect();
    thread::sleep(Duration::from_millis(300));
    serving.signal("STOP");
    thread::sleep(Duration::from_secs(5));
    serving.signal("CONT");
    for answer in asked {
        let (status, body) = answer.join().expect("it is answered");
        assert!(status == 200 && body.contains("data: [DONE]"), "{status}: {body}");
    }
    let decisions = until("eight records", || {
        let log = serving.log().into_iter().filter(|line| !line["attempts"].is_null());
        Some(log.collect::<Vec<Value>>()).filter(|decisions| decisions.len() == 8)
    });
    for decision in decisions {
        assert_eq!((&decision["tier"], &decision["degraded"]), (&json!(0), &json!(false)), "{decision}");
    }
}
