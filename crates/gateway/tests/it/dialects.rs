//! Servers that say what they are, and get what they understand.

use std::{sync::Arc, time::Duration};

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::client::post;

/// The first line of a request, and its body.
type Asked = (String, Vec<u8>);

/// Says with which status an inference is answered, by its body.
type Status = fn(&[u8]) -> u16;

/// A server that calls itself by a name, answers every inference with one score, and keeps what it was asked.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    name: &'static str,
    /// What it says before it says its name: a status and a body, from the last to the first.
    before: Arc<Mutex<Vec<(u16, &'static str)>>>,
    /// What it says of its model.
    pub(crate) model: Arc<Mutex<(u16, String)>>,
    /// With which status it answers an inference, by its body.
    pub(crate) status: Arc<Mutex<Status>>,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    /// What it runs; its connections, too.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Server {
    async fn start(name: &'static str, before: &[(u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener, name, before)
    }

    pub(crate) fn on(listener: TcpListener, name: &'static str, before: &[(u16, &'static str)]) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let before = Arc::new(Mutex::new(before.iter().rev().copied().collect()));
        let model = Arc::new(Mutex::new((404, String::new())));
        let status = Arc::new(Mutex::new((|_| 200) as Status));
        let server = Self { url, name, before, model, status, asked: Arc::default(), tasks: Arc::default() };
        let listening = server.clone();
        server.tasks.lock().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                listening.tasks.lock().spawn(listening.clone().serve(stream));
            }
        });
        server
    }

    /// Ends it, its connections included.
    pub(crate) async fn stop(&self) {
        // Who listens is in the first, and a connection that came meanwhile in the second.
        for _ in 0..2 {
            let mut tasks = std::mem::take(&mut *self.tasks.lock());
            tasks.shutdown().await;
        }
    }

    /// How often it was asked what it is.
    fn looks(&self) -> usize {
        self.asked.lock().iter().filter(|(line, _)| line.starts_with("GET /v2 ")).count()
    }

    pub(crate) fn inferences(&self) -> Vec<Vec<u8>> {
        let asked = self.asked.lock();
        asked.iter().filter(|(line, _)| line.starts_with("POST")).map(|(_, body)| body.clone()).collect()
    }

    async fn serve(self, stream: TcpStream) {
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
            let said = json!({"name": self.name, "version": "1", "extensions": []}).to_string();
            let score =
                json!({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}]}).to_string();
            let (status, answer) = match line.split(' ').nth(1) {
                Some("/v2") => self.before.lock().pop().map_or((200, said), |(status, body)| (status, body.to_owned())),
                Some("/v2/models/m") => self.model.lock().clone(),
                _ => match (self.status.lock())(&body) {
                    200 => (200, score),
                    status => (status, r#"{"error":"x has 3 features, expecting 2"}"#.into()),
                },
            };
            self.asked.lock().push((line, body));
            let length = answer.len();
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{answer}").as_bytes()).await.expect("sent");
        }
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

/// Asks until tier 0 answers: nobody waits for a server to say what it is.
async fn until_understood(gateway: &Gateway) {
    let asking = async {
        while tier(gateway).await != "0" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asking).await.expect("soon it has said what it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_08_a_server_is_asked_what_it_is_and_gets_what_it_understands() {
    for name in ["triton", "kserve"] {
        let server = Server::start(name, &[]).await;
        let gateway = gateway(&server, "auto").await;
        until_understood(&gateway).await;
        let sent = server.inferences().pop().expect("an inference");
        let (json, tensor) = sent.split_at(sent.len() - size_of::<f32>());
        assert_eq!(tensor, f32::NAN.to_le_bytes(), "{name}: bytes have no words for it, and need none");
        let json = str::from_utf8(json).expect("JSON is UTF-8");
        assert!(json.contains(r#""binary_data_size":4"#) && !json.contains("content_type"), "{name}: {json}");
        assert_eq!(server.looks(), 1, "{name}: asked once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_2_a_server_that_is_asked_while_it_starts_is_asked_again() {
    let starting = [(502, "<html>"), (503, r#"{"name":"proxy"}"#), (200, "{}"), (200, "starting")];
    let server = Server::start("triton", &starting).await;
    let gateway = gateway(&server, "auto").await;
    // An inference that it understands in any case makes it asked again; what it is not asked for does not reach it.
    let body = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;
    let asking = async {
        while server.looks() <= starting.len() {
            assert_eq!(post(gateway.address(), "/v2/models/r/infer", body).await.header("evenkeel-tier"), "0");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asking).await.expect("it is asked until it has said what it is");
    until_understood(&gateway).await;
    assert_eq!(server.looks(), starting.len() + 1, "and not again");
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_2_a_server_that_has_nothing_to_say_is_plain() {
    let mut kits = Vec::new();
    for status in [404, 405, 501] {
        let server = Server::start("triton", &[(status, "")]).await;
        kits.push((status, gateway(&server, "auto").await, server));
    }
    // Longer than the pause after which one that could not speak would be asked again.
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(600) {
        for (_, gateway, _) in &kits {
            let body = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;
            post(gateway.address(), "/v2/models/r/infer", body).await;
        }
    }
    for (status, gateway, server) in &kits {
        assert_eq!(server.looks(), 1, "{status}: asked once");
        assert_ne!(tier(gateway).await, "0", "{status}: it is plain");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_08_a_declared_dialect_is_believed() {
    let server = Server::start("nobody", &[]).await;
    let plain = gateway(&server, "plain").await;
    let unread =
        "an input has values that the model's server cannot read as JSON (NaN, infinity, or bytes that are no text)";
    assert_eq!(tier(&plain).await, unread, "F-009: a safe default does not hide it");
    let mlserver = gateway(&server, "mlserver").await;
    assert_eq!(tier(&mlserver).await, unread, "nor does this one read it");
    let body =
        r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"content_type":"np"},"data":[1]}]}"#;
    assert_eq!(post(mlserver.address(), "/v2/models/r/infer", body).await.header("evenkeel-tier"), "0");
    let sent = String::from_utf8(server.inferences().pop().expect("an inference")).expect("JSON is UTF-8");
    assert!(sent.contains(r#""content_type":"np""#), "it has a meaning there: {sent}");
    let triton = gateway(&server, "triton").await;
    assert_eq!(tier(&triton).await, "0");
    assert_eq!(server.looks(), 0, "nobody was asked");
}
