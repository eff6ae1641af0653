//! The `/mock` endpoints: faults switched at run time, the log, the reset.

use evenkeel_mock::{Ending, Fault, Mock, Options, Rule, serve};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::client::{chat, exchange, faulty, post, send, start};

const CHAT: &str = "/v1/chat/completions";

async fn statuses(mock: &Mock, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(post(mock.address(), CHAT, &chat(false)).await.status());
    }
    statuses
}

#[tokio::test]
async fn the_first_rule_that_matches_applies_until_it_is_spent() {
    let mock = faulty(json!([
        {"fault": "rate-limited", "model": "other"},
        {"fault": "done_missing"},
        {"fault": "status", "status": 500, "model": "*", "times": 2},
        {"fault": "status", "status": 503, "model": "m", "times": 1},
    ]))
    .await;
    assert_eq!(statuses(&mock, 4).await, [500, 500, 503, 200]);
    let faults: Vec<_> = mock.log().into_iter().map(|attempt| attempt.fault.is_some()).collect();
    assert_eq!(faults, [true, true, true, false]);
}

#[tokio::test]
async fn a_share_is_drawn_by_seed_and_is_the_same_every_time() {
    let run = async |seed: u64| {
        let rule = Rule::new(Fault::ModelMissing {}).share(0.3);
        let mock = Mock::start(Options { seed, faults: vec![rule], ..Options::default() }).await.expect("a port");
        let first = statuses(&mock, 40).await;
        mock.reset();
        mock.set_faults(vec![Rule::new(Fault::ModelMissing {}).share(0.3)]);
        assert_eq!(statuses(&mock, 40).await, first, "a reset starts the draws again");
        first
    };
    let (one, same, other) = (run(7).await, run(7).await, run(8).await);
    assert!(one == same && one != other);
    let hit = one.iter().filter(|status| **status == 404).count();
    assert!((4..=20).contains(&hit), "0.3 of 40 is about 12, not {hit}");
}

#[tokio::test]
async fn probes_meet_a_fault_only_where_the_rule_says_so() {
    let mock = faulty(json!([{"fault": "status", "status": 503}])).await;
    assert_eq!(send(mock.address(), "GET", "/v2/health/ready", "").await.status(), 200);
    mock.set_faults(vec![Rule::new(Fault::CredentialRejected {}).on(evenkeel_mock::On::Probes)]);
    for path in ["/v2/health/ready", "/v1/models"] {
        assert_eq!(send(mock.address(), "GET", path, "").await.status(), 401, "{path}");
    }
    assert_eq!(statuses(&mock, 1).await, [200]);
    let probes: Vec<bool> = mock.log().iter().map(|attempt| attempt.probe).collect();
    assert_eq!(probes, [true, true, true, false], "the log tells them apart");
    let log = send(mock.control_address(), "GET", "/mock/log", "").await.json();
    assert_eq!((&log["by_model"][""]["probes"], &log["by_model"]["m"]["probes"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn a_wrong_list_is_refused_with_what_is_wrong_and_the_old_one_stays() {
    let old = json!([{"model": "*", "fault": "latency", "ms": 1, "share": 1.0, "on": "work"}]);
    let mock = faulty(old.clone()).await;
    for (list, words) in [
        (json!([{"fault": "latency", "ms": 1}, {"fault": "nope"}]), vec!["entry 1", "nope", "latency", "cut"]),
        (json!([{"fault": "latency", "mss": 1}]), vec!["entry 0", "mss", "`ms`", "`share`"]),
        (json!([{"fault": "latency"}]), vec!["missing field `ms`"]),
        (json!([{"fault": "latency", "ms": "1"}]), vec!["entry 0 of the faults (\"latency\")", "string \"1\""]),
        (json!([{"fault": "reset", "how": "softly"}]), vec!["softly", "`rst`", "`fin`"]),
        (json!([{"fault": "reset", "share": 1.5}]), vec!["`share`", "0 to 1", "1.5"]),
        (json!([{"fault": "reset", "times": -1}]), vec!["`times`", "-1"]),
        (json!([{"fault": "reset", "on": "mars"}]), vec!["`on`", "`probes`", "mars"]),
        (json!([{"fault": "refuse", "share": 0.5}]), vec!["`share`", "leave them out"]),
        (json!([{"fault": "status", "status": 99}]), vec!["`status`", "200", "599", "99"]),
        (json!([{"model": "m"}]), vec!["`fault` is missing"]),
        (json!({"fault": "reset"}), vec!["list"]),
    ] {
        let seen = send(mock.control_address(), "PUT", "/mock/faults", &list.to_string()).await;
        assert_eq!(seen.status(), 400, "{list}");
        let message = seen.json()["error"].as_str().expect("a message").to_owned();
        assert!(words.iter().all(|word| message.contains(word)), "{list}: {message}");
        assert_eq!(send(mock.control_address(), "GET", "/mock/faults", "").await.json(), old);
    }
}

#[tokio::test]
async fn faults_of_one_model_are_switched_without_touching_those_of_others() {
    let mock = faulty(json!([
        {"fault": "status", "status": 500, "model": "other", "times": 2},
        {"fault": "status", "status": 503, "model": "m"},
        {"fault": "status", "status": 502},
    ]))
    .await;
    let ask = async |model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
        post(mock.address(), CHAT, &body).await.status()
    };
    assert_eq!((ask("other").await, ask("m").await), (500, 503));
    let of_m = async |method: &str, body: &str| {
        let put = send(mock.control_address(), method, "/mock/faults?model=m", body).await;
        (put.status(), put.text())
    };
    assert_eq!(of_m("PUT", r#"[{"fault": "model_missing"}]"#).await.0, 200);
    assert_eq!((ask("m").await, ask("other").await, ask("other").await), (404, 500, 502), "counts of others go on");
    assert_eq!(of_m("DELETE", "").await.0, 200);
    assert_eq!(ask("m").await, 502, "what every model meets stays");
    for (list, why) in [
        (r#"[{"fault": "refuse"}]"#, "it closes the port"),
        (r#"[{"fault": "model_missing", "model": "other"}]"#, "in the list of `m`"),
        ("[{}]", "`fault` is missing"),
    ] {
        let (status, text) = of_m("PUT", list).await;
        assert!(status == 400 && text.contains(why), "{text}");
    }
    assert_eq!(ask("m").await, 502, "a wrong list changes nothing");
}

#[tokio::test]
async fn st_05_prefill_is_rejected_and_nothing_else() {
    let mock = faulty(json!([{"fault": "prefill_rejected"}])).await;
    let ask = async |roles: &[&str]| {
        let messages: Value = roles.iter().map(|role| json!({"role": role, "content": "hello"})).collect();
        post(mock.address(), CHAT, &json!({"model": "m", "messages": messages})).await.status()
    };
    assert_eq!((ask(&["user"]).await, ask(&["user", "assistant", "user"]).await), (200, 200));
    assert_eq!(ask(&["user", "assistant"]).await, 400);
    let faults: Vec<_> = mock.log().into_iter().map(|attempt| attempt.fault.is_some()).collect();
    assert_eq!(faults, [false, false, true], "FAULT-2");
}

#[tokio::test]
async fn the_list_that_is_shown_can_be_put_again() {
    let mock = faulty(json!([{"fault": "status", "status": 500, "type": "t", "times": 3, "model": "x"}])).await;
    let shown = send(mock.control_address(), "GET", "/mock/faults", "").await.json();
    assert_eq!(shown[0]["body"], "json", "defaults are shown");
    let put = send(mock.control_address(), "PUT", "/mock/faults", &shown.to_string()).await;
    assert_eq!((put.status(), put.json()), (200, shown));
}

#[tokio::test]
async fn the_log_shows_what_came_and_what_was_done() {
    let mock = faulty(json!([{"fault": "cut", "after_tokens": 3, "times": 1}])).await;
    let body = chat(true).to_string();
    let asked = format!(
        "POST {CHAT}?q=1 HTTP/1.1\r\nAuthorization: Bearer secret\r\nEvenkeel-Decision: d\r\nX-Request-Id: r\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(mock.address(), &asked, usize::MAX).await;
    post(mock.address(), "/v1/embeddings", &json!({"model": "e", "input": "x"})).await;
    let log = send(mock.control_address(), "GET", "/mock/log?bodies=true", "").await;
    assert!(!log.text().contains("secret"));
    let log = log.json();
    let first = &log["attempts"][0];
    for (key, value) in [
        ("attempt", json!(0)),
        ("method", json!("POST")),
        ("path", json!("/v1/chat/completions?q=1")),
        ("model", json!("m")),
        ("stream", json!(true)),
        ("fault", json!("cut")),
        ("status", json!(200)),
        ("tokens", json!(3)),
        ("ending", json!("fin")),
        ("client_gone", json!(false)),
        ("body", json!(body)),
        ("body_bytes", json!(body.len())),
        ("header_names", json!(["Authorization", "Evenkeel-Decision", "X-Request-Id", "Connection", "Content-Length"])),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!(first["headers"]["authorization"], "present");
    assert_eq!((&first["headers"]["evenkeel-decision"], &first["headers"]["x-request-id"]), (&json!("d"), &json!("r")));
    assert!(first["at_ms"].as_f64() <= first["first_byte_ms"].as_f64() && first["ended_ms"].is_f64());
    assert_eq!(log["attempts"][1]["ending"], "complete");
    assert_eq!(
        log["by_model"],
        json!({"e": {"attempts": 1, "probes": 0, "faulted": 0}, "m": {"attempts": 1, "probes": 0, "faulted": 1}})
    );

    let later = send(mock.control_address(), "GET", "/mock/log?since=1", "").await.json();
    assert_eq!((later["attempts"].as_array().map(Vec::len), later["attempts"][0].get("body")), (Some(1), None));
    let own = send(mock.control_address(), "GET", "/mock/log?model=m", "").await.json();
    assert_eq!(own["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(mock.log()[1].ending, Ending::Complete);
}

#[tokio::test]
async fn a_body_digest_is_the_sha_256_of_what_was_sent() {
    let mock = start().await;
    send(mock.address(), "POST", "/v1/x", "abc").await;
    let attempt = &mock.log()[0];
    assert_eq!(attempt.body_sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[tokio::test]
async fn a_reset_forgets_faults_log_and_counts() {
    let mock = faulty(json!([{"fault": "model_missing"}])).await;
    assert_eq!(statuses(&mock, 2).await, [404, 404]);
    assert_eq!(send(mock.address(), "POST", "/mock/reset", "").await.status(), 200);
    assert_eq!(statuses(&mock, 1).await, [200]);
    let log = send(mock.address(), "GET", "/mock/log", "").await.json();
    assert_eq!((&log["total"]["attempts"], &log["attempts"][0]["attempt"]), (&json!(1), &json!(0)));
    assert_eq!(send(mock.address(), "GET", "/mock/reset", "").await.status(), 405);
    assert_eq!(send(mock.address(), "GET", "/mock/nope", "").await.status(), 404);
}

#[tokio::test]
async fn serve_answers_until_it_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(Options::default(), listener, async { drop(stopped.await) }));
    assert_eq!(send(address, "GET", "/v1/models", "").await.json()["data"], Value::Array(Vec::new()));
    drop(stop);
    server.await.expect("no panic").expect("a clean end");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
