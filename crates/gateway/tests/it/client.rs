//! A gateway with two mock models behind it, and a client that reads what really came.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use evenkeel_config::{Deployment, load_text};
use evenkeel_gateway::Gateway;
use evenkeel_mock::{Attempt, Mock, OipModel, Options, Pace, parse_faults_yaml};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

/// How long something may take that a test waits for. Nothing is claimed by it: it ends a test that would never end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two tiers of models and a safe default, with clocks that a test can wait for.
pub(crate) const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", max_body: 1MiB}
upstreams:
  big: {protocol: openai, url: "BIG/v1", api_key: secret-of-ours}
  small: {protocol: openai, url: "SMALL/v1"}
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, first_token: 300ms, stall: 300ms, finalise: 200ms, max_answer: 64KiB}
      - {name: small, openai: {upstream: small, model: little}, first_token: 300ms, stall: 300ms}
      - {name: default, fixed: {content: "Later."}}
  models-only:
    protocol: openai-chat
    deadline: 3s
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, first_token: 300ms, stall: 300ms, context: 1000000}
      - {name: small, openai: {upstream: small, model: little}, context: 1000000}
  vectors:
    protocol: openai-embeddings
    tiers:
      - {name: primary, openai: {upstream: big, model: embed}, space: e}
      - {name: second, openai: {upstream: small, model: embed}, space: e}
"#;

/// How a configuration begins whose routes are of chats: two servers, which have any model.
const CHATS: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "BIG/v1"}
  small: {protocol: openai, url: "SMALL/v1"}
"#;

/// Writes the configuration of some routes of chats.
pub(crate) fn chats(routes: &str) -> String {
    format!("{CHATS}{routes}")
}

/// A gateway and its two models.
pub(crate) struct Kit {
    pub(crate) gateway: Gateway,
    pub(crate) big: Mock,
    pub(crate) small: Mock,
    http: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The connection broke while the body was read.
    pub(crate) torn: bool,
}

impl Kit {
    pub(crate) async fn start() -> Self {
        Self::of(CONFIG, Path::new("."), BTreeMap::new()).await
    }

    /// Starts a gateway of some routes of chats; both mocks say the same words.
    pub(crate) async fn chats(routes: &str) -> Self {
        Self::of(&chats(routes), Path::new("."), BTreeMap::new()).await
    }

    /// Starts a gateway of a configuration over two mocks, which it calls `BIG` and `SMALL`; both say the same words.
    pub(crate) async fn of(config: &str, folder: &Path, oip: BTreeMap<String, OipModel>) -> Self {
        let pace = Pace { tokens: 8, ..Pace::default() };
        let options = || Options { seed: 1, pace, alike: true, oip: oip.clone(), ..Options::default() };
        Self::over(config, folder, [options(), options()]).await
    }

    /// The same with models that say different things.
    pub(crate) async fn unlike(config: &str) -> Self {
        let pace = Pace { tokens: 8, ..Pace::default() };
        let options = |seed| Options { seed, pace, ..Options::default() };
        Self::over(config, Path::new("."), [options(1), options(2)]).await
    }

    async fn over(config: &str, folder: &Path, [big, small]: [Options; 2]) -> Self {
        let (big, small) = (Mock::start(big).await.expect("a mock"), Mock::start(small).await.expect("a mock"));
        let gateway = Gateway::start(compiled(config, folder, (&big, &small))).await.expect("a gateway");
        Self { gateway, big, small, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Compiles another configuration over the same mocks.
    pub(crate) fn compile(&self, config: &str, folder: &Path) -> Arc<Deployment> {
        compiled(config, folder, (&self.big, &self.small))
    }

    /// Breaks the primary, in the words of the fault catalogue.
    pub(crate) fn break_primary(&self, fault: &str) {
        self.big.set_faults(parse_faults_yaml(&format!("[{fault}]")).expect(fault));
    }

    /// Breaks the lower model.
    pub(crate) fn break_small(&self, faults: &str) {
        self.small.set_faults(parse_faults_yaml(&format!("[{faults}]")).expect(faults));
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Got {
        let mut request = Request::post(format!("http://{}{path}", self.gateway.address()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let answered = tokio::time::timeout(PATIENCE, self.http.request(request)).await;
        read(answered.expect("an answer, if a late one").expect("an answer")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.look("GET", path).await
    }

    pub(crate) async fn look(&self, verb: &str, path: &str) -> Got {
        let request = Request::builder().method(verb).uri(format!("http://{}{path}", self.gateway.address()));
        let request = request.body(Full::default());
        read(self.http.request(request.expect("a request")).await.expect("an answer")).await
    }

    /// Asks a route for a chat completion.
    pub(crate) async fn chat(&self, route: &str, stream: bool) -> Got {
        let body = json!({"model": route, "stream": stream, "messages": [{"role": "user", "content": "hello"}]});
        self.post("/v1/chat/completions", body.to_string(), &[]).await
    }

    /// Returns the value of a series, with its labels.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let metrics = self.gateway.metrics();
        metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Returns the record of a decision.
    pub(crate) async fn record(&self, got: &Got) -> Value {
        self.get(&format!("/v1/decisions/{}", got.header("evenkeel-decision"))).await.json()
    }

    /// Asks until five requests have met a kept connection that was gone, and holds each against UP-11: two attempts,
    /// no purse asked, and in the end no breaker that has moved. Five paid retries would have emptied the purse.
    pub(crate) async fn meet_stale_connections(&self, route: &str, ask: impl AsyncFn() -> Got, check: impl Fn(&Got)) {
        let mut met = 0;
        for _ in 0..100 {
            let got = ask().await;
            check(&got);
            let record = self.record(&got).await;
            let attempts = record["attempts"].as_array().expect("a list");
            let results: Vec<_> = attempts.iter().map(|it| it["result"].as_str().expect("a word")).collect();
            // A new connection answers; one that answered before is reset.
            match results[..] {
                ["ok"] => {}
                ["target.unsent", "ok"] => met += 1,
                _ => panic!("{results:?}: {record}"),
            }
            assert!(!record["inputs"].to_string().contains("retry_cost"), "F-043: free: {record}");
            assert_eq!(got.header("evenkeel-degraded"), "false");
            if met == 5 {
                break;
            }
        }
        assert_eq!(met, 5, "kept connections are reused");
        let state = self.gateway.route_state(route).expect("a route");
        assert_eq!((state.tiers[0].breaker.as_str(), state.tier), ("closed", Some(0)), "neutral");
    }

    /// What the primary's server saw, once it has noticed everything.
    pub(crate) async fn seen_by_primary(&self) -> Vec<Attempt> {
        self.big.settled().await;
        self.big.log()
    }
}

async fn read(response: http::Response<hyper::body::Incoming>) -> Got {
    let (head, mut body) = response.into_parts();
    let (mut whole, mut torn) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => whole.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => {
                torn = true;
                break;
            }
        }
    }
    Got { status: head.status.as_u16(), headers: head.headers, body: whole.into(), torn }
}

/// Asks a gateway that no kit has made.
pub(crate) async fn post(address: std::net::SocketAddr, path: &str, body: impl Into<Bytes>) -> Got {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{address}{path}")).body(Full::new(body.into())).expect("a request");
    read(client.request(request).await.expect("an answer")).await
}

/// Looks at a gateway that no kit has made.
pub(crate) async fn get(address: std::net::SocketAddr, path: &str) -> Got {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::get(format!("http://{address}{path}")).body(Full::default()).expect("a request");
    read(client.request(request).await.expect("an answer")).await
}

pub(crate) fn deployment(big: &Mock, small: &Mock) -> Arc<Deployment> {
    compiled(CONFIG, Path::new("."), (big, small))
}

fn compiled(config: &str, folder: &Path, mocks: (&Mock, &Mock)) -> Arc<Deployment> {
    let text = config.replace("BIG", &mocks.0.url()).replace("SMALL", &mocks.1.url());
    let loaded = load_text("test", &text, folder);
    loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The data of each event of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = String::from_utf8(self.body.to_vec()).expect("UTF-8");
        text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// The events of a stream but for its end, as JSON.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        let events = self.events();
        events.iter().filter_map(|event| serde_json::from_str(event).ok()).collect()
    }

    /// The text of a whole answer or stream.
    pub(crate) fn said(&self) -> String {
        if !self.header("content-type").starts_with("text/event-stream") {
            return self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        }
        let events = self.events();
        let chunks = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
        chunks.filter_map(|it| it["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn is_whole(&self) -> bool {
        match self.header("content-type").starts_with("text/event-stream") {
            true => !self.torn && self.events().last().is_some_and(|it| it == "[DONE]") && !self.has_error(),
            false => self.status == 200 && self.json()["choices"].is_array(),
        }
    }

    pub(crate) fn has_error(&self) -> bool {
        self.events().iter().any(|event| event.starts_with("{\"error\""))
    }
}

/// Waits until something is there.
pub(crate) async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let looking = async {
        loop {
            match look() {
                Some(found) => break found,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it comes")
}

/// Asks until the answer is what a test waits for, such as what is learned in the background: nothing tells of that but an
/// answer.
pub(crate) async fn until_told<T>(tell: impl AsyncFn() -> T, told: impl Fn(&T) -> bool) -> T {
    let asking = async {
        loop {
            let said = tell().await;
            if told(&said) {
                break said;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it is known after a while")
}
