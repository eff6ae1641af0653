//! A process that is told to stop, with streams under way; gateway, models and client are processes of their own.
//!
//! The test holds 200 streams open; `bench/drain` (`EVENKEEL_STREAMS`) holds 5,000, in release.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
};

use crate::process::{Mocking, Serving, http, until};

mod rolling;

type Http = Client<HttpConnector, Full<Bytes>>;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// To its `[DONE]`.
    Whole,
    /// With an error that says so, and without `[DONE]`.
    Told,
    /// Anyhow else.
    Lost,
}

/// What is held, and the times of it, in milliseconds.
struct Load {
    streams: usize,
    /// Between two tokens of a stream that ends.
    every: u64,
    /// What all may take, of which 2 s are for last words (F-175).
    drain: u64,
    /// Until a connection is closed on which nothing comes: a second (F-175), and what a busy machine takes to say so.
    silent: u64,
}

fn load() -> Load {
    match std::env::var("EVENKEEL_STREAMS") {
        Ok(streams) => Load { streams: streams.parse().expect("a number"), every: 500, drain: 20_000, silent: 3_000 },
        Err(_) => Load { streams: 200, every: 200, drain: 10_000, silent: 5_000 },
    }
}

/// Two models: one that ends, one that never does.
fn models(every_ms: u64) -> Mocking {
    let faults = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "[{{model: ends, fault: slow_tokens, every_ms: {every_ms}}}, {{model: endless, fault: endless, every_ms: {}}}]",
        every_ms * 2
    );
    std::fs::write(faults.path(), text).expect("written");
    Mocking::start(&["--faults", faults.path().to_str().expect("text")])
}

fn gateway(mock: &Mocking, drain_ms: u64) -> Serving {
    let route = |name: &str| {
        format!(
            "  {name}:\n    protocol: openai-chat\n    deadline: 60s\n    tiers: [{{name: p, openai: {{upstream: m, model: \
             {name}}}, first_token: 50s, stall: 50s}}]\n"
        )
    };
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", drain: {drain_ms}ms}}\nupstreams: {{m: \
         {{protocol: openai, url: \"http://{}/v1\", connect: 20s}}}}\nroutes:\n{}{}{}",
        mock.models,
        route("ends"),
        route("endless"),
        route("quick")
    );
    Serving::start_text(&text)
}

fn client() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

fn ask(address: SocketAddr, route: &str, stream: bool) -> Request<Full<Bytes>> {
    let body = json!({"model": route, "stream": stream, "messages": [{"role": "user", "content": "x"}]}).to_string();
    let request = Request::post(format!("http://{address}/v1/chat/completions"));
    request.header(header::CONTENT_TYPE, "application/json").body(body.into()).expect("a request")
}

/// Says how a stream ended.
fn judge(text: &str) -> End {
    let finished = text.contains("\"finish_reason\":\"stop\"");
    match (text.ends_with("data: [DONE]\n\n"), text.contains("\"code\":\"stream_interrupted\"")) {
        (true, false) if finished => End::Whole,
        (false, true) if text.ends_with("\n\n") => End::Told,
        _ => End::Lost,
    }
}

/// Reads one stream to its end; `begun` counts it as soon as it has spoken.
async fn follow(http: Http, address: SocketAddr, route: &'static str, begun: Arc<(AtomicUsize, Notify)>) -> End {
    let Ok(mut response) = http.request(ask(address, route, true)).await else { return End::Lost };
    let mut text = String::new();
    while let Some(frame) = response.frame().await {
        let Ok(frame) = frame else { return End::Lost };
        if text.is_empty() {
            begun.0.fetch_add(1, SeqCst);
            begun.1.notify_one();
        }
        text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
    }
    judge(&text)
}

/// Opens streams, and returns once all of them speak: every fourth would never end.
async fn streams(address: SocketAddr, many: usize) -> JoinSet<End> {
    let (http, begun, mut streams) = (client(), Arc::new((AtomicUsize::new(0), Notify::new())), JoinSet::new());
    for at in 0..many {
        let route = if at % 4 == 0 { "endless" } else { "ends" };
        streams.spawn(follow(http.clone(), address, route, begun.clone()));
    }
    let all = async {
        while begun.0.load(SeqCst) < many {
            begun.1.notified().await;
        }
    };
    let spoke = tokio::time::timeout(Duration::from_secs(40), all).await;
    assert!(spoke.is_ok(), "{} of {many} streams have begun", begun.0.load(SeqCst));
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn f_175_pr_07_a_drain_ends_every_stream_whole_or_with_a_word() {
    let Load { streams: many, every, drain: drain_ms, silent } = load();
    let mock = models(every);
    let serving = gateway(&mock, drain_ms);
    let mut open = streams(serving.data, many).await;
    // Connections on which nothing is under way: one that has been used, one that has not.
    let mut used = TcpStream::connect(serving.data).await.expect("taken");
    used.write_all(b"GET /v1/models HTTP/1.1\r\nhost: t\r\n\r\n").await.expect("asked");
    assert!(read_answer(&mut used).await.starts_with("HTTP/1.1 200"));
    let mut fresh = TcpStream::connect(serving.data).await.expect("taken");
    let mut idle = TcpStream::connect(serving.data).await.expect("taken");
    let mut watching = TcpStream::connect(serving.data).await.expect("taken");

    let start = Instant::now();
    serving.signal("TERM");
    while {
        watching.write_all(b"GET /v2/health/ready HTTP/1.1\r\nhost: t\r\n\r\n").await.expect("asked");
        read_answer(&mut watching).await.starts_with("HTTP/1.1 200")
    } {}
    let (status, _) = http(serving.admin, "GET", "/readyz", "");
    assert_eq!(status, 503, "nobody is to be sent here");
    for late in [&mut used, &mut fresh] {
        late.write_all(b"GET /v1/models HTTP/1.1\r\nhost: t\r\n\r\n").await.expect("still open");
        let answer = read_answer(late).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        assert_eq!(late.read(&mut [0]).await.expect("closed, not reset"), 0);
    }
    assert_eq!(idle.read(&mut [0]).await.expect("closed, not reset"), 0, "it asked for nothing");
    let idle_for = start.elapsed();
    until("the end of new connections", || std::net::TcpStream::connect(serving.data).is_err().then_some(()));

    let mut ends = Vec::new();
    while let Some(end) = open.join_next().await {
        ends.push(end.expect("no panic"));
    }
    let (ended, peak) = (start.elapsed(), serving.peak_memory());
    let count = |end| ends.iter().filter(|it| **it == end).count();
    let code = serving.ended();
    println!(
        "{}",
        json!({"streams": many, "whole": count(End::Whole), "told": count(End::Told), "lost": count(End::Lost),
               "drain_ms": drain_ms, "all_ended_ms": ended.as_millis() as u64, "process_ended_ms":
               start.elapsed().as_millis() as u64, "idle_closed_ms": idle_for.as_millis() as u64, "peak_kib": peak})
    );
    assert_eq!((count(End::Lost), count(End::Told)), (0, many.div_ceil(4)), "those that would never end are told");
    let [half, all] = [drain_ms / 2, drain_ms].map(Duration::from_millis);
    assert!(ended >= half && ended < all && start.elapsed() < all, "{ended:?} {:?}", start.elapsed());
    assert!(idle_for < Duration::from_millis(silent), "{idle_for:?}");
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_175_a_second_termination_leaves_a_second() {
    let mock = models(50);
    let serving = gateway(&mock, 60_000);
    let mut open = streams(serving.data, 4).await;
    let start = Instant::now();
    serving.signal("TERM");
    let (admin, data) = (serving.admin, serving.data);
    until("the drain", || (http(admin, "GET", "/readyz", "").0 == 503).then_some(()));
    until("the end of new connections", || std::net::TcpStream::connect(data).is_err().then_some(()));
    serving.signal("TERM");
    while let Some(end) = open.join_next().await {
        assert_ne!(end.expect("no panic"), End::Lost);
    }
    assert_eq!(serving.ended(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "a minute was allowed, and is not any more: {:?}",
        start.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pr_08_a_kill_breaks_connections_and_looks_like_no_success() {
    let mock = models(50);
    let serving = gateway(&mock, 60_000);
    let mut open = streams(serving.data, 40).await;
    serving.signal("KILL");
    while let Some(end) = open.join_next().await {
        assert_eq!(end.expect("no panic"), End::Lost, "neither whole, nor told");
    }
    assert_eq!(serving.ended(), None, "by the signal");
    let again = gateway(&mock, 60_000);
    let answer = client().request(ask(again.data, "quick", false)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// Reads an answer whose body is shorter than what one packet holds.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let read = stream.read_buf(&mut answer).await.expect("read");
        let text = String::from_utf8_lossy(&answer);
        if read == 0 || text.ends_with('}') {
            return text.into_owned();
        }
    }
}
