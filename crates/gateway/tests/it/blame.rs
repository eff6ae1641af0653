//! A 5xx that is the client's fault, and one that is not (OIP-39).

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::{
    client::{Got, post},
    dialects::Server,
};

/// Of the kind that is answered, and of one that is not.
const GOOD: &str = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;
const BAD: &str = r#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}"#;

/// A route with a safe default, and one without, over one model each.
async fn gateway(protocol: &str, url: &str) -> Gateway {
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams: {{u: {{protocol: {protocol}, url: \"{url}\", dialect: \
         plain, probe: off}}}}\nroutes:\n  saved:\n    protocol: oip\n    tiers:\n      - {{name: p, oip: {{upstream: u, model: \
         n}}, retries: 0}}\n      - {{name: d, fixed: {{outputs: {{y: 0.0}}}}}}\n  bare:\n    protocol: oip\n    tiers: \
         [{{name: p, oip: {{upstream: u, model: n}}, retries: 0}}]\n"
    );
    Gateway::start(load_text("blame", &text, Path::new(".")).deployment.expect("it compiles")).await.expect("it starts")
}

async fn infer(gateway: &Gateway, route: &str, body: &'static str) -> Got {
    post(gateway.address(), &format!("/v2/models/{route}/infer"), body).await
}

fn breaker(gateway: &Gateway, route: &str) -> String {
    gateway.route_state(route).expect("a route").tiers[0].breaker.clone()
}

/// Asks for what fails thirty times, each time beside what is answered.
async fn clients_that_fail_open_no_breaker(gateway: &Gateway) {
    for _ in 0..30 {
        let good = infer(gateway, "saved", GOOD).await;
        assert_eq!((good.status, good.header("evenkeel-tier")), (200, "0"), "{good:?}");
        let bad = infer(gateway, "saved", BAD).await;
        assert_eq!(
            (bad.status, bad.header("evenkeel-tier"), bad.header("evenkeel-reason")),
            (200, "1", "CALLER_ERROR")
        );
        let record = gateway.decision(bad.header("evenkeel-decision")).expect("a record");
        let attempt = &record.attempts[0];
        assert_eq!((attempt.result.as_str(), attempt.status), ("caller.caller_suspected", Some(500)));
    }
    assert_eq!(breaker(gateway, "saved"), "closed");
    for _ in 0..10 {
        assert_eq!(infer(gateway, "bare", GOOD).await.status, 200);
        let bad = infer(gateway, "bare", BAD).await;
        let told = bad.json()["error"].as_str().expect("words").to_owned();
        assert_eq!((bad.status, told.as_str()), (400, "x has 3 features, expecting 2"), "where nobody else can answer");
    }
    assert_eq!(breaker(gateway, "bare"), "closed");
}

/// Asks for what was answered until it is no longer asked for there.
async fn a_server_that_broke_is_cut_off(gateway: &Gateway) {
    let broken = infer(gateway, "saved", GOOD).await;
    assert_eq!((broken.header("evenkeel-tier"), broken.header("evenkeel-reason")), ("1", "UPSTREAM_5XX"));
    let bad = infer(gateway, "saved", BAD).await;
    assert_eq!(bad.header("evenkeel-reason"), "UPSTREAM_5XX", "no longer the client's: {bad:?}");
    for _ in 0..30 {
        infer(gateway, "saved", GOOD).await;
    }
    assert_eq!(breaker(gateway, "saved"), "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_39_f_002_clients_that_send_what_a_server_fails_at_open_no_breaker_and_a_server_that_broke_does() {
    let server = Server::on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), "plain", &[]);
    *server.status.lock() = |body| if body.windows(5).any(|it| it == b"[1,3]") { 500 } else { 200 };
    let gateway = gateway("oip", &server.url).await;
    clients_that_fail_open_no_breaker(&gateway).await;
    *server.status.lock() = |_| 500;
    a_server_that_broke_is_cut_off(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_39_where_nothing_was_ever_answered_a_5xx_is_the_servers() {
    let server = Server::on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), "plain", &[]);
    *server.status.lock() = |_| 500;
    let gateway = gateway("oip", &server.url).await;
    for _ in 0..5 {
        assert_eq!(infer(&gateway, "saved", BAD).await.header("evenkeel-tier"), "1");
    }
    assert_eq!(breaker(&gateway, "saved"), "open");
}

/// How long a message may be that a server of gRPC answers; a longer one it fails at.
type Takes = Arc<Mutex<usize>>;

/// A server of gRPC whose model takes two numbers.
async fn grpc_server(takes: Takes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let takes = takes.clone();
            let service = service_fn(move |request| answer(request, takes.clone()));
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

async fn answer(
    request: Request<Incoming>,
    takes: Takes,
) -> Result<Response<UnsyncBoxBody<Bytes, std::convert::Infallible>>, hyper::Error> {
    let infers = request.uri().path().ends_with("/ModelInfer");
    // The tensor stands raw at the end of the message: bytes of its numbers, behind a field of so many.
    let message = request.into_body().collect().await?.to_bytes();
    let takes = *takes.lock();
    let tensor = message.len().saturating_sub(takes);
    let (code, text) = match infers {
        true if message[..tensor].ends_with(&[0x3A, takes as u8]) => ("0", ""),
        true => ("13", "x has 3 features, expecting 2"),
        false => ("12", "no such method"),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().expect("digits"));
    trailers.insert("grpc-message", text.parse().expect("ASCII"));
    // One output `y`, FP32, of one element, 0.5.
    let output = b"\0\0\0\0\x16\x2A\x0E\x0A\x01y\x12\x04FP32\x1A\x01\x01\x2A\0\x32\x04\0\0\0\x3F";
    let body = Full::new(Bytes::from_static(if code == "0" { output } else { b"" }));
    let body = body.with_trailers(async { Some(Ok(trailers)) });
    let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
    Ok(response.body(UnsyncBoxBody::new(body)).expect("an answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_39_f_003_over_grpc_it_is_the_same() {
    let takes = Takes::new(Mutex::new(2 * size_of::<f32>()));
    let gateway = gateway("oip-grpc", &grpc_server(takes.clone()).await).await;
    clients_that_fail_open_no_breaker(&gateway).await;
    *takes.lock() = size_of::<f32>();
    a_server_that_broke_is_cut_off(&gateway).await;
}
