//! Clients that come in numbers, do not say what they want, or do not read what they asked for (CL-05, CL-06, F-087).

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::raw::{Raw, chat, kit, kit_with, post, refused};
use crate::client::Kit;

#[tokio::test(flavor = "multi_thread")]
async fn f_056_f_087_a_connection_too_many_is_told_so_and_the_others_are_served() {
    let kit = kit("connections: 3").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::say(&kit, post("", &chat("chat", false))).await;
        assert_eq!(raw.answer().await.expect("an answer").status, 200);
        open.push(raw);
    }
    let mut late = Raw::say(&kit, post("", &chat("chat", false))).await;
    let answer = late.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.closes()), (503, true), "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "overloaded");
    assert!(answer.head.contains("retry-after: 1"), "F-056: {answer:?}");
    assert!(late.rest().await.is_empty());
    assert_eq!(refused(&kit, "too_many_connections"), 1);
    open[0].send(post("", &chat("chat", false))).await;
    assert_eq!(open[0].answer().await.expect("an answer").status, 200, "who is in stays in");

    // The seat of one that leaves is free for the next.
    drop(open.pop());
    let seated = async {
        while Raw::say(&kit, post("", &chat("chat", false))).await.answer().await.is_none_or(|it| it.status != 200) {}
    };
    tokio::time::timeout(Duration::from_secs(20), seated).await.expect("a free seat is given");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_06_a_head_that_does_not_come_is_answered_and_counted_and_an_idle_connection_just_closes() {
    let kit = kit("read_timeout: 200ms").await;
    // The first request of a connection, and a later one.
    let mut first = Raw::say(&kit, "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n").await;
    let mut later = Raw::say(&kit, post("", &chat("chat", false))).await;
    assert_eq!(later.answer().await.expect("an answer").status, 200);
    later.send("GET /v1/mod").await;
    for raw in [&mut first, &mut later] {
        let answer = raw.answer().await.expect("an answer");
        assert_eq!((answer.status, answer.closes()), (408, true), "{answer:?}");
        assert!(answer.json()["error"]["message"].as_str().expect("text").contains("server.read_timeout"));
        assert!(raw.rest().await.is_empty());
    }
    let mut idle = Raw::say(&kit, post("", &chat("chat", false))).await;
    assert_eq!(idle.answer().await.expect("an answer").status, 200);
    assert!(idle.rest().await.is_empty(), "it was not asked for anything");
    let mut silent = Raw::to(kit.gateway.address()).await;
    assert!(silent.rest().await.is_empty());
    assert_eq!(refused(&kit, "head_too_slow"), 2);
    assert_eq!(kit.big.log().len(), 2, "never started");
}

/// Looks until something is there.
async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("it comes")
}

/// Waits until a request is over, and returns its record.
async fn record(kit: &Kit, decision: &str) -> evenkeel_api::Decision {
    until(|| kit.gateway.decision(decision)).await
}

fn judge(record: &evenkeel_api::Decision) {
    let results: Vec<_> = record.attempts.iter().map(|it| it.result.as_str()).collect();
    assert_eq!(results, ["cancelled.client_slow"], "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_05_a_client_that_does_not_read_is_left_and_nobody_else_is_blamed() {
    let kit = kit("write: 900ms").await;
    kit.break_primary("{fault: endless}");
    let mut raw = Raw::narrow(kit.gateway.address()).await;
    raw.send(post("", &chat("chat", true))).await;
    let mut head = [0; 2_000];
    let read = raw.stream.read(&mut head).await.expect("read");
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let decision = head.lines().find_map(|line| line.strip_prefix("evenkeel-decision: ")).expect("an id").to_owned();
    judge(&record(&kit, &decision).await);
    let state = kit.gateway.route_state("chat").expect("a route");
    assert_eq!(
        (state.tiers[0].breaker.as_str(), state.tier),
        ("closed", Some(0)),
        "neutral, though it was silent to us"
    );
    // The upstream call is closed.
    until(|| kit.big.log()[0].client_gone.then_some(())).await;
    // What the system holds is read, and then the end comes: no success.
    let rest = raw.rest().await;
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"));
}

/// A client of HTTP/2 that takes eight bytes of an answer, and gives leave for more only where that one is read.
struct Sipping {
    sender: hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>,
    address: std::net::SocketAddr,
}

impl Sipping {
    async fn to(kit: &Kit) -> Self {
        let address = kit.gateway.address();
        let stream = TcpStream::connect(address).await.expect("taken");
        let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let handshake = builder.initial_stream_window_size(8).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { sender, address }
    }

    async fn ask(&mut self, model: &str, stream: bool) -> http::Response<hyper::body::Incoming> {
        let request = http::Request::post(format!("http://{}/v1/chat/completions", self.address));
        let request = request.body(Full::from(chat(model, stream))).expect("a request");
        self.sender.send_request(request).await.expect("a head")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_05_hp_10_an_answer_that_is_left_unread_is_reset_and_those_beside_it_go_on() {
    let beside =
        "  beside:\n    protocol: openai-chat\n    tiers: [{name: small, openai: {upstream: small, model: little}}]\n";
    let kit = kit_with("write: 900ms, read_timeout: 300ms", beside).await;
    kit.break_primary("{fault: endless}");
    let mut client = Sipping::to(&kit).await;
    let unread = client.ask("chat", true).await;
    let decision = unread.headers()["evenkeel-decision"].to_str().expect("text").to_owned();
    // Others of the same connection are read all the while: twice as long as one may be left.
    let begun = std::time::Instant::now();
    let judged = async {
        while kit.gateway.decision(&decision).is_none() || begun.elapsed() < Duration::from_millis(1_800) {
            let beside = client.ask("beside", true).await;
            let whole = beside.into_body().collect().await.expect("nothing breaks it off").to_bytes();
            assert!(whole.ends_with(b"data: [DONE]\n\n"));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), judged).await.expect("it is judged");
    judge(&record(&kit, &decision).await);
    let rest = unread.into_body().collect().await.map(|it| it.to_bytes().len()).expect_err("it was reset");
    assert!(format!("{rest:?}").contains("CANCEL"), "{rest:?}");
    assert_eq!(client.ask("beside", true).await.status(), 200, "the connection is the others', too");
}
