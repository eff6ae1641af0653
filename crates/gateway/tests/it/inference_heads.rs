//! What stands around an inference: headers that belong to one hop, and the ways in which a body may come.

use std::path::Path;

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Headers of an answer that are the server's own affair.
const OWN: [(&str, &str); 8] = [
    ("ce-id", "7"),
    ("ce-type", "io.seldon.serving.inference.response"),
    ("seldon-puid", "p"),
    ("x-seldon-route", ":m_1:"),
    ("x-hop", "h"),
    ("keep-alive", "timeout=5"),
    ("set-cookie", "a=b"),
    ("server", "uvicorn"),
];

/// Reads one message, and returns its head in lower case, and its body.
async fn message(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end + 4]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let whole = end + 4 + length.unwrap_or(0_usize);
            if seen.len() >= whole {
                return (head, seen[end + 4..whole].to_vec());
            }
        }
        assert!(stream.read_buf(&mut seen).await.expect("it reads") > 0, "{}", String::from_utf8_lossy(&seen));
    }
}

/// Starts a gateway before a server.
async fn gateway(url: &str) -> Gateway {
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams: {{u: {{protocol: oip, url: \"{url}\", dialect: mlserver, \
         probe: off}}}}\nroutes:\n  r:\n    protocol: oip\n    input: {{tensor: x, columns: [a]}}\n    \
         tiers: [{{name: p, oip: {{upstream: u, model: m}}}}]\n"
    );
    let loaded = load_text("heads", &text, Path::new("."));
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Gateway::start(deployment).await.expect("it starts")
}

fn infer() -> String {
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [0.5]}]}).to_string()
}

/// Answers one inference with what belongs to the server alone; returns what it was asked.
async fn answer_one(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.expect("it comes");
    let asked = message(&mut stream).await;
    let output = json!({"name": "y", "datatype": "FP32", "shape": [1], "data": [0.25]});
    let own = json!({"headers": {"ce-id": "7", "seldon-puid": "p"}, "content_type": "np"});
    let body = json!({"model_name": "m", "parameters": own, "outputs": [output]}).to_string();
    let headers: String = OWN.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: x-hop, close\r\n";
    let answer = format!("{head}{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.expect("sent");
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_33_what_belongs_to_one_hop_or_to_a_server_does_not_cross() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gateway = gateway(&format!("http://{}", listener.local_addr().expect("bound"))).await;
    let mut client = TcpStream::connect(gateway.address()).await.expect("it listens");
    let (body, length) = (infer(), infer().len());
    let own = "ce-id: 1\r\nseldon-puid: q\r\nx-seldon-route: :m_2:\r\nx-hop: h\r\nconnection: x-hop, keep-alive\r\n\
               keep-alive: timeout=7\r\nte: trailers\r\ncookie: a=b\r\nproxy-authorization: Basic eA==\r\nupgrade: h2c\r\n\
               forwarded: for=1.2.3.4\r\nx-forwarded-for: 1.2.3.4\r\n";
    let request = format!("POST /v2/models/r/infer HTTP/1.1\r\nhost: t\r\n{own}content-length: {length}\r\n\r\n{body}");
    client.write_all(request.as_bytes()).await.expect("sent");
    let ((asked, _), (head, body)) = tokio::join!(answer_one(&listener), message(&mut client));
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let names = |head: &str| -> Vec<String> {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.map(|(name, _)| name.to_owned()).collect()
    };
    for (line, head) in own.lines().map(|line| (line, &asked)).chain(OWN.map(|(name, _)| (name, &head))) {
        let name = line.split(':').next().expect("a name");
        assert!(!names(head).contains(&name.to_owned()), "{name} crosses: {head}");
    }
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["outputs"][0]["data"], json!([0.25]), "{answer}");
    let told = answer["parameters"].as_object().expect("what the gateway says");
    assert!(!told.contains_key("headers"), "{answer}");
    assert!(told.contains_key("evenkeel.tier"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_38_a_body_may_be_asked_leave_for_and_may_come_in_chunks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gateway = gateway(&format!("http://{}", listener.local_addr().expect("bound"))).await;
    let (body, length) = (infer(), infer().len());
    let (first, rest) = body.split_at(9);
    let chunks = format!("9;x=y\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\ntrailer: t\r\n\r\n", rest.len());
    for (expects, framing, sent) in [
        (true, format!("content-length: {length}"), &body),
        (true, "transfer-encoding: chunked".into(), &chunks),
        (false, "transfer-encoding: chunked".into(), &chunks),
    ] {
        let mut client = TcpStream::connect(gateway.address()).await.expect("it listens");
        let expect = if expects { "expect: 100-continue\r\n" } else { "" };
        let head = format!("POST /v2/models/r/infer HTTP/1.1\r\nhost: t\r\n{expect}{framing}\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("sent");
        if expects {
            let (leave, _) = message(&mut client).await;
            assert_eq!(leave, "http/1.1 100 continue\r\n\r\n", "{framing}");
        }
        client.write_all(sent.as_bytes()).await.expect("sent");
        let ((asked, came), (head, _)) = tokio::join!(answer_one(&listener), message(&mut client));
        assert!(head.starts_with("http/1.1 200"), "{framing}: {head}");
        assert!(!asked.contains("\r\nexpect:") && !asked.contains("\r\ntransfer-encoding:"), "{asked}");
        let came: Value = serde_json::from_slice(&came).expect("JSON");
        assert_eq!(came["inputs"][0]["data"], json!([0.5]), "{framing}");
    }
}
