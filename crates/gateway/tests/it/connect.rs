//! Connections that are not made: servers that swallow what is sent to them, and when they are left (F-032, UP-14).

use std::{path::Path, time::Duration};

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::client::post;

/// A server on a raw socket, which does with a connection what it is told to.
async fn server<F: Future<Output = ()> + Send + 'static>(with: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(with(stream));
        }
    });
    port
}

/// Asks a route whose primary is at a URL; returns the result of the first attempt, and how long it took.
async fn attempt(url: &str, clocks: &str) -> (String, Duration) {
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams: {{u: {{protocol: openai, url: \"{url}\", {clocks}}}}}\n\
         routes:\n  r:\n    protocol: openai-chat\n    deadline: 30s\n    tiers:\n      - {{name: p, openai: {{upstream: u, model: \
         m}}, first_token: 20s, retries: 0}}\n      - {{name: d, fixed: {{content: Later.}}}}\n"
    );
    let loaded = load_text("connect", &text, Path::new("."));
    let gateway = Gateway::start(loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))).await;
    let gateway = gateway.expect("it starts");
    let body = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
    let got = post(gateway.address(), "/v1/chat/completions", body).await;
    assert!(got.is_whole() && got.header("evenkeel-tier") == "1", "{got:?}");
    let record = gateway.decision(got.header("evenkeel-decision")).expect("a record");
    (record.attempts[0].result.clone(), Duration::from_micros(record.attempts[0].duration_us))
}

#[tokio::test(flavor = "multi_thread")]
async fn conn_1_up_14_a_swallowed_tls_hello_is_left_by_its_own_clock() {
    let swallows = server(async |mut stream| {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let url = format!("https://127.0.0.1:{swallows}");
    let (result, took) = attempt(&url, "tls: 150ms").await;
    assert_eq!(result, "target.tls_failed");
    assert!(took >= Duration::from_millis(150), "{took:?}");
    let (result, took) = attempt(&url, "connect: 900ms").await;
    assert_eq!(result, "target.tls_failed");
    assert!(took >= Duration::from_secs(2), "the clock of F-032, not another: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_speaks_no_tls_is_no_refused_connection() {
    let closes = server(async |stream| drop(stream)).await;
    let plain = server(async |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for port in [closes, plain] {
        assert_eq!(attempt(&format!("https://127.0.0.1:{port}"), "tls: 9s").await.0, "target.tls_failed");
    }
    assert_eq!(attempt("https://127.0.0.1:1", "tls: 9s").await.0, "target.connect_failed");
}
