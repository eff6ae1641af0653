//! Agreement of samples: one model is asked several times, and how far its answers agree is how sure it is (`docs/guides/sure.md`).

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {api: {protocol: openai, url: "API/v1"}}
routes:
  quiz:
    protocol: openai-chat
    deadline: 30s
    cache: {ttl: 5m}
    shadow: {share: 0}
    tiers:
      - name: primary
        method: ensemble
        vote: {choice: ABCD, quorum: 3, at_least: 0.6}
        paths: [{openai: {upstream: api, model: m}}, {openai: {upstream: api, model: m}}, {openai: {upstream: api, model: m}}]
      - {name: large, openai: {upstream: api, model: large}}
      - {name: default, fixed: {content: "Later."}}
"#;

/// A server whose model `m` says what it is told to, call by call; `large` always says D.
#[derive(Clone, Default)]
struct Script {
    says: Arc<Mutex<VecDeque<&'static str>>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Script {
    async fn serve(self, mut stream: TcpStream) {
        let mut read = Vec::new();
        loop {
            let Some(end) = whole(&read) else {
                let mut piece = [0; 4_096];
                match stream.read(&mut piece).await {
                    Ok(0) | Err(_) => return,
                    Ok(n) => read.extend_from_slice(&piece[..n]),
                }
                continue;
            };
            let body: Vec<u8> = read.drain(..end.1).skip(end.0).collect();
            let answer = self.answer(&body).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            if stream.write_all((head + &answer).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, body: &[u8]) -> Value {
        let Ok(asked) = serde_json::from_slice::<Value>(body) else { return json!({"data": []}) };
        let model = asked["model"].as_str().unwrap_or_default().to_owned();
        let says = match model.as_str() {
            "large" => "D",
            _ => self.says.lock().expect("no panic").pop_front().unwrap_or("none"),
        };
        self.asked.lock().expect("no panic").push(asked);
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": [
            {"index": 0, "message": {"role": "assistant", "content": format!("The answer is {says}.")}, "finish_reason": "stop"},
        ], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}})
    }
}

/// Returns where the body of the first request begins and ends, once it is there.
fn whole(read: &[u8]) -> Option<(usize, usize)> {
    let head = read.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let end = head + length.unwrap_or(0_usize);
    (read.len() >= end).then_some((head, end))
}

/// A gateway before the server.
struct Sampled {
    gateway: Gateway,
    script: Script,
}

impl Sampled {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let script = Script::default();
        let serves = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serves.clone().serve(stream));
            }
        });
        let loaded = load_text("samples", &CONFIG.replace("API", &url), Path::new("."));
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let gateway = Gateway::start(loaded.deployment.expect("it compiles")).await.expect("it starts");
        Self { gateway, script }
    }

    /// Asks a question to which the samples are these; returns the answer, who gave it, and the record.
    async fn asks(&self, question: &str, samples: [&'static str; 3]) -> (String, String, evenkeel_api::Decision) {
        *self.script.says.lock().expect("no panic") = samples.into();
        self.script.asked.lock().expect("no panic").clear();
        let body =
            json!({"model": "quiz", "temperature": 1, "messages": [{"role": "user", "content": question}]}).to_string();
        let mut stream = TcpStream::connect(self.gateway.address()).await.expect("it listens");
        let head =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut got = String::new();
        stream.read_to_string(&mut got).await.expect("it answers");
        let (head, body) = got.split_once("\r\n\r\n").expect("a head");
        let header = |name: &str| head.lines().find_map(|it| it.strip_prefix(name)).unwrap_or_default().to_owned();
        let record = self.gateway.decision(&header("evenkeel-decision: ")).expect("it is kept");
        let json: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{got}"));
        let said = json["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        (said, header("evenkeel-tier: "), record)
    }

    fn calls(&self) -> Vec<Value> {
        self.script.asked.lock().expect("no panic").clone()
    }
}

fn compared(record: &evenkeel_api::Decision, signal: &str) -> Option<(String, String)> {
    record.inputs.iter().find(|it| it.signal == signal).map(|it| (it.value.clone(), it.threshold.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_model_is_sampled_as_often_as_it_is_named_and_the_share_of_its_answers_is_how_sure_it_is() {
    let sampled = Sampled::start().await;
    let (said, tier, record) = sampled.asks("first", ["A", "B", "A"]).await;
    assert_eq!((said.as_str(), tier.as_str()), ("The answer is A.", "0"));
    let calls = sampled.calls();
    assert!(calls.len() == 3 && calls.iter().all(|it| *it == calls[0]), "each is a call of its own: {calls:?}");
    assert_eq!(compared(&record, "agreement_permille"), Some(("731".into(), "600".into())));
    assert_eq!(compared(&record, "votes"), Some(("3".into(), "3".into())));
    let mut classes: Vec<_> = record.attempts.iter().map(|it| it.vote.as_ref().and_then(|it| it.class)).collect();
    classes.sort_unstable();
    assert_eq!(classes, [Some(0), Some(0), Some(1)], "two said the one, one the other");
    let (said, tier, record) = sampled.asks("second", ["A", "B", "C"]).await;
    assert_eq!((said.as_str(), tier.as_str()), ("The answer is D.", "1"), "not sure enough: the next tier");
    assert_eq!((record.reason.as_str(), sampled.calls().len()), ("DISAGREEMENT_HIGH", 4));
    assert_eq!(compared(&record, "agreement_permille"), Some(("333".into(), "600".into())));
    // What was voted is kept: asked again, nobody is sampled.
    let (said, _, record) = sampled.asks("first", ["B", "B", "B"]).await;
    assert_eq!(
        (said.as_str(), record.reason.as_str(), sampled.calls().len()),
        ("The answer is A.", "CACHE_FRESH_HIT", 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_that_says_no_letter_has_no_vote_and_too_few_are_no_answer() {
    let sampled = Sampled::start().await;
    let (said, tier, record) = sampled.asks("third", ["A", "A", "not sure"]).await;
    assert_eq!((said.as_str(), tier.as_str()), ("The answer is D.", "1"));
    assert_eq!(record.reason, "QUORUM_NOT_REACHED");
}
