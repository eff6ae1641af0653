//! Clients that leave, close half, or have no time (CL-01, CL-03, CL-04, CL-09, F-170, F-171).

use std::time::Duration;

use evenkeel_gateway::Happened;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::raw::{Raw, chat, kit, post};
use crate::client::Kit;

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leave {
    /// Closes, as a process that ends does.
    Close,
    /// Resets the connection.
    Reset,
    /// Resets a stream of HTTP/2 and keeps the connection.
    ResetStream,
}

/// Waits until the model is asked.
async fn asked(kit: &Kit) {
    let asked = async {
        while kit.big.log().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("the model is asked");
}

/// Asks for what never comes, and leaves once the model is asked.
async fn leave(kit: &Kit, how: Leave, stream: bool) {
    match how {
        Leave::Close | Leave::Reset => {
            let raw = Raw::say(kit, post("", &chat("chat", stream))).await;
            asked(kit).await;
            if let Leave::Reset = how {
                raw.stream.set_zero_linger().expect("set");
            }
        }
        Leave::ResetStream => {
            let http: Client<_, Full<bytes::Bytes>> =
                Client::builder(TokioExecutor::new()).http2_only(true).build_http();
            let request = http::Request::post(format!("http://{}/v1/chat/completions", kit.gateway.address()));
            let request = request.body(Full::from(chat("chat", stream))).expect("a request");
            tokio::select! {
                answer = http.request(request) => panic!("{answer:?}"),
                () = asked(kit) => {}
            }
            let alive = http::Request::get(format!("http://{}/v1/models", kit.gateway.address())).body(Full::default());
            assert_eq!(http.request(alive.expect("a request")).await.expect("an answer").status(), 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_01_cl_03_f_170_f_171_a_client_that_leaves_before_the_answer_costs_nothing_more() {
    for how in [Leave::Close, Leave::Reset, Leave::ResetStream] {
        for (stream, fault) in [(false, "silence"), (true, "silence"), (true, "headers_then_silence")] {
            let kit = kit("write: 9s").await;
            kit.break_primary(&format!("{{fault: {fault}}}"));
            let mut happened = kit.gateway.watch();
            leave(&kit, how, stream).await;
            let Happened::Decision(record) = happened.recv().await.expect("the record is told") else {
                panic!("{how:?}: a transition")
            };
            let results: Vec<_> = record.attempts.iter().map(|it| it.result.as_str()).collect();
            assert_eq!(
                (record.outcome.status, &results[..]),
                (499, &["cancelled.client_gone"][..]),
                "{how:?} {stream}"
            );
            let seen = kit.seen_by_primary().await;
            assert!(seen.len() == 1 && kit.small.log().is_empty(), "{how:?} {stream}: no further attempt: {seen:?}");
            let gone = async {
                while !kit.big.log()[0].client_gone {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the upstream call is closed");
            let state = kit.gateway.route_state("chat").expect("a route");
            assert_eq!((state.tiers[0].breaker.as_str(), state.tier), ("closed", Some(0)), "{how:?} {stream}: neutral");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_04_the_half_that_http_2_closes_after_a_request_is_not_the_answers() {
    let kit = kit("write: 9s").await;
    kit.break_primary("{fault: latency, ms: 100}");
    let http: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    for stream in [false, true] {
        let request = http::Request::post(format!("http://{}/v1/chat/completions", kit.gateway.address()));
        let request = request.body(Full::from(chat("chat", stream))).expect("a request");
        let response = http.request(request).await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["evenkeel-tier"]),
            (200, &"0".parse().expect("a value"))
        );
        let body = response.into_body().collect().await.expect("to its end").to_bytes();
        assert!(!stream || body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_09_an_odd_deadline_is_no_time_or_no_deadline() {
    let kit = kit("write: 9s").await;
    // What the client says, and what it gets where a tier cannot fail, and where each can.
    for (said, certain, fallible) in [
        ("0", "200 Later.", 504),
        ("-1", "200 Later.", 504),
        ("-1e300", "200 Later.", 504),
        ("1e300", "200 a model", 200),
        ("99999999999999999999", "200 a model", 200),
        ("NaN", "200 a model", 200),
        ("soon", "200 a model", 200),
        ("", "200 a model", 200),
    ] {
        for stream in [false, true] {
            let header = [("x-envoy-expected-rq-timeout-ms", said)];
            let got = kit.post("/v1/chat/completions", chat("chat", stream), &header).await;
            let text = if got.said() == "Later." { "Later." } else { "a model" };
            assert_eq!(format!("{} {text}", got.status), certain, "{said:?} {stream}: {got:?}");
            let got = kit.post("/v1/chat/completions", chat("models-only", stream), &header).await;
            assert_eq!(got.status, fallible, "{said:?} {stream}: {got:?}");
            let record = kit.record(&got).await;
            let skipped = record["candidates"].to_string().contains("DEADLINE_INSUFFICIENT");
            assert_eq!(skipped, fallible == 504, "{said:?} {stream}: {record}");
        }
    }
    let state = kit.gateway.route_state("models-only").expect("a route");
    assert!(state.tiers.iter().all(|tier| tier.breaker == "closed"), "neutral: {state:?}");
}
