//! Servers that say what they are, and get what they understand.

use std::sync::Arc;

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::client::post;

/// A server that calls itself by a name, answers every inference with one score, and keeps what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, name, kept.clone()));
            }
        });
        Self { url, asked }
    }

    fn inferences(&self) -> Vec<String> {
        let asked = self.asked.lock();
        asked.iter().filter(|(line, _)| line.starts_with("POST")).map(|(_, body)| body.clone()).collect()
    }
}

async fn serve(stream: TcpStream, name: &str, asked: Arc<Mutex<Vec<(String, String)>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            if !matches!(stream.read_line(&mut head).await, Ok(1..)) {
                return;
            }
            if let Some(value) = head[before..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let line = head.lines().next().expect("a line").to_owned();
        let answer = match line.starts_with("GET /v2 ") {
            true => json!({"name": name, "version": "1", "extensions": []}),
            false => json!({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}]}),
        };
        asked.lock().push((line, String::from_utf8(body).expect("UTF-8")));
        let answer = answer.to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await.expect("sent");
    }
}

async fn gateway(server: &Server, dialect: &str) -> Gateway {
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams: {{u: {{protocol: oip, url: \"{}\", dialect: \
         {dialect}}}}}\nroutes:\n  r:\n    protocol: oip\n    tiers:\n      - {{name: p, oip: {{upstream: u, model: m}}}}\n      \
         - {{name: d, fixed: {{outputs: {{y: 0.0}}}}}}\n",
        server.url
    );
    let deployment = load_text("dialects", &text, std::path::Path::new(".")).deployment.expect("it compiles");
    Gateway::start(deployment).await.expect("it starts")
}

/// Asks about NaN; returns the tier that answered, or what is wrong.
async fn tier(gateway: &Gateway) -> String {
    let body =
        r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"content_type":"np"},"data":[NaN]}]}"#;
    let got = post(gateway.address(), "/v2/models/r/infer", body).await;
    match got.status {
        200 => got.header("evenkeel-tier").to_owned(),
        _ => got.json()["error"].as_str().expect("an error").to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_08_a_server_is_asked_what_it_is_and_gets_what_it_understands() {
    for name in ["triton", "kserve"] {
        let server = Server::start(name).await;
        let gateway = gateway(&server, "auto").await;
        // Nobody waits for it to say what it is; soon it has.
        let mut answered = tier(&gateway).await;
        for _ in 0..1_000 {
            if answered == "0" {
                break;
            }
            answered = tier(&gateway).await;
        }
        assert_eq!(answered, "0", "{name}");
        let sent = server.inferences().pop().expect("an inference");
        assert!(sent.contains("[NaN]") && !sent.contains("content_type"), "{name}: {sent}");
        let looks = server.asked.lock().iter().filter(|(line, _)| line.starts_with("GET")).count();
        assert_eq!(looks, 1, "{name}: asked once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_08_a_declared_dialect_is_believed() {
    let server = Server::start("nobody").await;
    let plain = gateway(&server, "plain").await;
    let unread =
        "an input has values that the model's server cannot read as JSON (NaN, infinity, or bytes that are no text)";
    assert_eq!(tier(&plain).await, unread, "F-009: a safe default does not hide it");
    let mlserver = gateway(&server, "mlserver").await;
    assert_eq!(tier(&mlserver).await, unread, "nor does this one read it");
    let body =
        r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"content_type":"np"},"data":[1]}]}"#;
    assert_eq!(post(mlserver.address(), "/v2/models/r/infer", body).await.header("evenkeel-tier"), "0");
    let sent = server.inferences().pop().expect("an inference");
    assert!(sent.contains(r#""content_type":"np""#), "it has a meaning there: {sent}");
    let triton = gateway(&server, "triton").await;
    assert_eq!(tier(&triton).await, "0");
    assert!(server.asked.lock().iter().all(|(line, _)| line.starts_with("POST")), "nobody was asked");
}
