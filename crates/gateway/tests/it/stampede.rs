//! Many requests of the same at once: one asks, and what the others get (F-145, DA-09, CL-02).

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::shared::Redis;

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
shared: "SHARED"
upstreams: {held: {protocol: openai, url: "HELD/v1"}}
routes:
  chat:
    protocol: openai-chat
    deadline: 10m
    cache: {waiters: WAITERS}
    tiers:
      - {name: primary, openai: {upstream: held, model: m}, retries: 0}
      - {name: default, fixed: {content: "Later."}}
"#;

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"held"},"finish_reason":"stop"}]}"#;
const BODY: &str = r#"{"model":"chat","messages":[{"role":"user","content":"hello"}]}"#;
const STREAMED_BODY: &str = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
/// What a stream begins with, at once; and how it ends, as a server says it that tells of its filters, too.
const BEGUN: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"},\"finish_reason\":null}]}\n\n";
const FILTERED: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"ld"},"finish_reason":"stop","content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#;
/// One that says something which nobody here knows how to join.
const STRANGE: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"ld"},"finish_reason":"stop","verdict":{"new":true}}]}"#;

/// A server that holds its answers until it is told to give them, and a gateway before it.
struct Held {
    gateway: Gateway,
    calls: Arc<AtomicUsize>,
    gone: Arc<AtomicUsize>,
    open: watch::Sender<&'static [&'static str]>,
}

impl Held {
    async fn start(waiters: u32) -> Self {
        Self::start_with(waiters, "none").await
    }

    async fn start_with(waiters: u32, shared: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (calls, gone, open) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), watch::Sender::new(&[][..]));
        let (called, left, opens) = (calls.clone(), gone.clone(), open.subscribe());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, called.clone(), left.clone(), opens.clone()));
            }
        });
        let text = CONFIG.replace("HELD", &url).replace("WAITERS", &waiters.to_string()).replace("SHARED", shared);
        let deployment = load_text("held", &text, Path::new(".")).deployment.expect("it compiles");
        let gateway = Gateway::start(deployment).await.expect("it starts");
        Self { gateway, calls, gone, open }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until so many requests wait for the answer to another one.
    async fn waiting(&self, wanted: usize) {
        let line = format!("evenkeel_cache_waiters{{route=\"chat\"}} {wanted}");
        self.until(|| self.gateway.metrics().lines().any(|it| it == line)).await;
    }

    async fn until(&self, there: impl Fn() -> bool) {
        let look = async {
            while !there() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(300), look).await.expect("it comes within 300 s");
    }

    fn client(&self) -> Client<HttpConnector, Full<Bytes>> {
        Client::builder(TokioExecutor::new()).http2_only(true).build_http()
    }

    /// Asks; returns the status, who answered, and why.
    fn ask(&self, client: &Client<HttpConnector, Full<Bytes>>) -> tokio::task::JoinHandle<(u16, String, String)> {
        self.ask_with(client, BODY)
    }

    fn ask_with(
        &self,
        client: &Client<HttpConnector, Full<Bytes>>,
        body: &'static str,
    ) -> tokio::task::JoinHandle<(u16, String, String)> {
        let request = Request::post(format!("http://{}/v1/chat/completions", self.gateway.address()));
        let asked = client.request(request.body(Full::from(body)).expect("a request"));
        tokio::spawn(async move {
            let response = asked.await.expect("an answer");
            let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
            let (status, method, reason) =
                (response.status().as_u16(), header("evenkeel-method"), header("evenkeel-reason"));
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            let body = String::from_utf8_lossy(&body);
            // What is streamed by the server itself comes in two pieces.
            let whole = match method.as_str() {
                "default" => body.contains("Later."),
                _ => body.contains("held") || (body.contains("\"he\"") && body.contains("\"ld\"")),
            };
            assert!(whole, "{body}");
            (status, method, reason)
        })
    }
}

/// Reads requests of one connection, and answers each once it may: the first as the first of the answers says, and all that come
/// when there are no more as the last does.
async fn serve(
    mut stream: TcpStream,
    calls: Arc<AtomicUsize>,
    gone: Arc<AtomicUsize>,
    mut open: watch::Receiver<&'static [&'static str]>,
) {
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let more = match stream.read(&mut piece).await {
            Ok(more) if more > 0 => more,
            _ => return,
        };
        read.extend_from_slice(&piece[..more]);
        if !read.ends_with(b"}]}") {
            continue;
        }
        let streamed = read.windows(13).any(|it| it == b"\"stream\":true");
        read.clear();
        let call = calls.fetch_add(1, Ordering::SeqCst);
        let begun = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{BEGUN}");
        if streamed && stream.write_all(begun.as_bytes()).await.is_err() {
            return;
        }
        let answer = tokio::select! {
            answers = open.wait_for(|answers| !answers.is_empty()) => {
                answers.map_or("", |answers| answers[call.min(answers.len() - 1)])
            }
            _ = stream.read(&mut piece) => {
                gone.fetch_add(1, Ordering::SeqCst);
                return;
            }
        };
        if streamed {
            let end = format!("data: {answer}\n\ndata: [DONE]\n\n");
            return drop(stream.write_all(end.as_bytes()).await);
        }
        let status = if answer.is_empty() { "500 Internal Server Error" } else { "200 OK" };
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all(format!("{head}{answer}").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Lets so many requests of the same come while the answer to the first of them is held, and looks at what becomes of them.
async fn stampede(many: usize, (first, others): (&'static str, &'static str), shared: &str) {
    let held = Held::start_with(16_384, shared).await;
    // A connection has a hundred streams at most (F-087).
    let clients: Vec<_> = (0..many.div_ceil(100)).map(|_| held.client()).collect();
    let mut asked = vec![held.ask_with(&clients[0], first)];
    held.until(|| held.calls() == 1).await;
    asked.extend((1..many).map(|at| held.ask_with(&clients[at / 100], others)));
    held.waiting(many - 1).await;
    assert_eq!(held.calls(), 1);
    held.open.send_replace(if first == BODY { &[ANSWER] } else { &[FILTERED] });
    let mut reasons = std::collections::BTreeMap::<_, usize>::new();
    for answer in asked {
        let (status, method, reason) = answer.await.expect("no panic");
        assert_eq!(status, 200);
        *reasons.entry((method, reason)).or_default() += 1;
    }
    let text = |method: &str, reason: &str| (method.to_owned(), reason.to_owned());
    let expected = [(text("cache", "CACHE_FRESH_HIT"), many - 1), (text("primary", "PRIMARY_HEALTHY"), 1)];
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(held.calls(), 1, "F-145");
    held.waiting(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn da_09_f_145_ten_thousand_requests_of_the_same_are_one_call() {
    stampede(10_000, (BODY, BODY), "none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn da_09_f_145_ten_thousand_streams_of_the_same_are_one_call_that_speaks_already() {
    stampede(10_000, (STREAMED_BODY, STREAMED_BODY), "none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn da_09_f_145_f_146_ten_thousand_requests_of_the_same_are_one_call_before_a_shared_store_too() {
    let Some(redis) = Redis::start() else { return };
    redis.is_up().await;
    stampede(10_000, (BODY, BODY), &redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn da_09_f_144_f_145_a_stream_and_an_answer_in_one_piece_wait_for_one_another() {
    stampede(100, (STREAMED_BODY, BODY), "none").await;
    stampede(100, (BODY, STREAMED_BODY), "none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flight_4_f_145_after_a_stream_that_cannot_be_shared_one_asks_again_and_the_rest_wait() {
    let held = Held::start(100).await;
    let client = held.client();
    let all: Vec<_> = (0..50).map(|_| held.ask_with(&client, STREAMED_BODY)).collect();
    held.waiting(49).await;
    held.open.send_replace(&[STRANGE, FILTERED]);
    let mut reasons = std::collections::BTreeMap::<_, usize>::new();
    for answer in all {
        *reasons.entry(answer.await.expect("no panic").2).or_default() += 1;
    }
    let expected = [("CACHE_FRESH_HIT".to_owned(), 48), ("PRIMARY_HEALTHY".to_owned(), 2)];
    assert_eq!((reasons.into_iter().collect::<Vec<_>>(), held.calls()), (expected.to_vec(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_02_f_145_a_leader_that_leaves_is_led_on_for_those_who_wait() {
    let held = Held::start(100).await;
    let client = held.client();
    let leader = held.ask(&client);
    held.until(|| held.calls() == 1).await;
    let waiters: Vec<_> = (0..5).map(|_| held.ask(&client)).collect();
    held.waiting(5).await;
    leader.abort();
    waiters[0].abort();
    held.waiting(4).await;
    held.open.send_replace(&[ANSWER]);
    for waiter in waiters.into_iter().skip(1) {
        assert_eq!(waiter.await.expect("no panic").2, "CACHE_FRESH_HIT");
    }
    assert_eq!((held.calls(), held.gone.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_02_f_170_with_nobody_left_to_wait_the_call_is_cancelled() {
    let held = Held::start(100).await;
    let client = held.client();
    let leader = held.ask(&client);
    held.until(|| held.calls() == 1).await;
    let waiter = held.ask(&client);
    held.waiting(1).await;
    leader.abort();
    // The connection tells of what is given up in the order in which it was.
    waiter.abort();
    held.until(|| held.gone.load(Ordering::SeqCst) == 1).await;
    held.waiting(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn da_09_f_145_beyond_the_bound_and_after_a_failure_the_next_tier_answers() {
    let held = Held::start(3).await;
    let client = held.client();
    let leader = held.ask(&client);
    held.until(|| held.calls() == 1).await;
    let waiters: Vec<_> = (0..3).map(|_| held.ask(&client)).collect();
    held.waiting(3).await;
    let (_, method, reason) = held.ask(&client).await.expect("no panic");
    assert_eq!((method.as_str(), reason.as_str()), ("default", "CAPACITY_EXHAUSTED"));
    held.open.send_replace(&[""]);
    assert_eq!(leader.await.expect("no panic").2, "UPSTREAM_5XX");
    let mut reasons = Vec::new();
    for waiter in waiters {
        reasons.push(waiter.await.expect("no panic").2);
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["COOLDOWN_HOLD", "COOLDOWN_HOLD", "UPSTREAM_5XX"], "one asks again, the rest do not");
    assert_eq!(held.calls(), 2);
}
