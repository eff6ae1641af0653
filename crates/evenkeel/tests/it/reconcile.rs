//! One load, counted by everybody: who asked, the metrics, the lines on disk, the store, the audit log. All name the same requests.
//!
//! `./test` asks 100 times a second for some seconds; `bench/reconcile` (`EVENKEEL_RECONCILE`, `RATE:SECONDS`) 2,000 times for a minute, in
//! release.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    process::{Mocking, Serving, evenkeel, get, http, until},
    under_load::moment,
};

type Http = Client<HttpConnector, Full<bytes::Bytes>>;

/// How a request ended, for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    Refused,
    Cancelled,
}

/// What is asked, one after the other: the route, whether as a stream, and how it must end.
const ASKED: [(&str, bool, End); 10] = [
    ("chat", false, End::Answered),
    ("chat", true, End::Answered),
    ("chat", false, End::Answered),
    ("dead", false, End::Answered),
    ("chat", true, End::Answered),
    ("chat", false, End::Answered),
    // Refuses to be answered by a lower tier, and the first is dead.
    ("dead", false, End::Refused),
    ("chat", false, End::Answered),
    // Stalls behind its first words; whoever asked goes then.
    ("stalled", true, End::Cancelled),
    ("chat", false, End::Answered),
];

fn config(models: SocketAddr) -> String {
    format!(
        r#"
version: 1
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", data_dir: kept}}
decisions: {{sample: 0.1}}
upstreams:
  models: {{protocol: openai, url: "http://{models}/v1"}}
  gone: {{protocol: openai, url: "http://127.0.0.1:9/v1"}}
routes:
  chat:
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {{name: primary, openai: {{upstream: models, model: big}}}}
      - {{name: small, openai: {{upstream: models, model: small}}}}
      - {{name: default, fixed: {{content: later}}}}
  dead:
    protocol: openai-chat
    tiers: [{{name: primary, openai: {{upstream: gone, model: m}}}}, {{name: default, fixed: {{content: later}}}}]
  stalled:
    protocol: openai-chat
    tiers: [{{name: primary, openai: {{upstream: models, model: stalled}}}}]
"#
    )
}

/// What the models suffer, in turn: each for a quarter of the time.
const FAULTS: [&str; 4] = [
    "[]",
    r#"[{"model": "big", "fault": "status", "status": 500, "share": 0.3}]"#,
    r#"[{"model": "big", "fault": "status", "status": 429}]"#,
    r#"[{"model": "big", "fault": "cut", "after_tokens": 3, "how": "rst", "share": 0.5}]"#,
];
const STALLED: &str = r#"[{"model": "stalled", "fault": "stall", "after_tokens": 2}]"#;

/// Asks once: the decision, and how it ended; whoever asked for a stream that stalls goes behind its first words.
async fn ask(client: Http, address: SocketAddr, nth: usize) -> (String, End) {
    let (route, stream, expected) = ASKED[nth % ASKED.len()];
    let body = json!({"model": route, "stream": stream, "messages": [{"role": "user", "content": "hello"}]});
    let mut request = http::Request::post(format!("http://{address}/v1/chat/completions"));
    if expected == End::Refused {
        request = request.header("evenkeel-accept", "max-tier=0");
    }
    let response = client.request(request.body(Full::from(body.to_string())).expect("a request")).await;
    let response = response.expect("every request is answered");
    let id = response.headers()["evenkeel-decision"].to_str().expect("text").to_owned();
    let status = response.status().as_u16();
    let mut body = response.into_body();
    if expected == End::Cancelled {
        let frame = body.frame().await.expect("a frame").expect("read");
        assert!(frame.data_ref().is_some_and(|it| !it.is_empty()));
        return (id, End::Cancelled);
    }
    // A stream that was cut behind its first words is answered, if not whole.
    let _ = body.collect().await;
    (id, if status == 200 { End::Answered } else { End::Refused })
}

/// Asks at a steady rate, and breaks the models meanwhile; returns how each decision ended for who asked.
async fn load(serving: &Serving, mock: &Mocking, (rate, lasts): (u64, Duration)) -> BTreeMap<String, End> {
    let client: Http = Client::builder(TokioExecutor::new()).build_http();
    let (start, address, mut open, mut ended) = (Instant::now(), serving.data, JoinSet::new(), BTreeMap::new());
    let all = rate * lasts.as_secs();
    for n in 0..all {
        let phase = (n * FAULTS.len() as u64 / all) as usize;
        if n * FAULTS.len() as u64 % all < FAULTS.len() as u64 {
            let faults = [FAULTS[phase], STALLED].map(|it| it.trim_matches(['[', ']'])).join(",");
            let faults = format!("[{}]", faults.trim_matches(','));
            let control = mock.control;
            let put = tokio::task::spawn_blocking(move || http(control, "PUT", "/mock/faults", &faults));
            let (status, said) = put.await.expect("asked");
            assert_eq!(status, 200, "{said}");
        }
        moment(start, Duration::from_nanos(n * 1_000_000_000 / rate)).await;
        open.spawn(ask(client.clone(), address, n as usize));
        while let Some(it) = open.try_join_next() {
            let (id, end) = it.expect("it asks to its end");
            assert_eq!(ended.insert(id, end), None, "an id is one request's");
        }
    }
    while let Some(it) = open.join_next().await {
        let (id, end) = it.expect("it asks to its end");
        assert_eq!(ended.insert(id, end), None, "an id is one request's");
    }
    assert_eq!(ended.len() as u64, all);
    ended
}

/// The requests that metrics count, by how they ended.
fn metrics(admin: SocketAddr) -> BTreeMap<End, u64> {
    let mut counts = BTreeMap::new();
    let text = http(admin, "GET", "/metrics", "").1;
    for line in text.lines().filter(|it| it.starts_with("evenkeel_requests_total{")) {
        let code = line.split("code=\"").nth(1).and_then(|it| it.split('"').next()).expect(line);
        let end = match code {
            "499" => End::Cancelled,
            "200" => End::Answered,
            _ => End::Refused,
        };
        *counts.entry(end).or_default() += line.rsplit(' ').next().and_then(|it| it.parse::<u64>().ok()).expect(line);
    }
    counts
}

/// The decisions of the store, whole, without a gateway.
fn stored(store: &Path) -> BTreeMap<String, End> {
    let (mut found, mut before) = (BTreeMap::new(), None);
    loop {
        let mut arguments =
            vec!["decisions", "list", "--json", "--last", "1000", "--store", store.to_str().expect("text")];
        arguments.extend(before.iter().flat_map(|it: &String| ["--before", it.as_str()]));
        let output = evenkeel(&arguments);
        for line in String::from_utf8(output.stdout).expect("text").lines() {
            let it: Value = serde_json::from_str(line).expect(line);
            let status = if it["status"].is_null() { &it["outcome"]["status"] } else { &it["status"] };
            let end = match status.as_u64() {
                Some(499) => End::Cancelled,
                Some(200) => End::Answered,
                _ => End::Refused,
            };
            let id = it["id"].as_str().expect("an id").to_owned();
            assert_eq!(found.insert(id, end), None, "it is stored once");
        }
        let said = String::from_utf8(output.stderr).expect("text");
        before = said.lines().find_map(|it| Some(it.split_once("older ones: --before ")?.1.to_owned()));
        if before.is_none() {
            return found;
        }
    }
}

/// The decisions that the audit log has entered.
fn audited(log: &Path) -> u64 {
    let log = log.to_str().expect("text");
    let key = evenkeel(&["audit", "key", "--log", log]).stdout;
    let verified = evenkeel(&["audit", "verify", "--log", log, "--key", String::from_utf8_lossy(&key).trim()]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    let exported = evenkeel(&["audit", "export", "--log", log, "--type", "decision.batch"]).stdout;
    let lines = String::from_utf8(exported).expect("text");
    // Behind the entries stands the checkpoint that their proofs lead to.
    let count = |line: &str| serde_json::from_str::<Value>(line).expect(line)["entry"]["data"]["count"].as_u64();
    lines.lines().filter_map(count).sum()
}

fn counts(of: &BTreeMap<String, End>) -> BTreeMap<End, u64> {
    let mut counts = BTreeMap::new();
    of.values().for_each(|it| *counts.entry(*it).or_default() += 1);
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn g_112_g_096_who_asked_the_metrics_the_store_and_the_audit_log_count_the_same_requests() {
    let told = std::env::var("EVENKEEL_RECONCILE").ok();
    let told = told.as_deref().map(|it| it.split_once(':').expect("RATE:SECONDS"));
    let (rate, seconds) = told.map_or((100, 4), |(a, b)| (a.parse().expect("a rate"), b.parse().expect("seconds")));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    let mock = Mocking::start(&[]);
    fs::write(&file, config(mock.models)).expect("written");
    let serving = Serving::start(&file);
    let asked = load(&serving, &mock, (rate, Duration::from_secs(seconds))).await;
    let all = asked.len() as u64;

    let admin = serving.admin;
    let evidence = || get(admin, "/api/v1/standing")["evidence"]["streams"]["decisions"].clone();
    until("all of them on disk", || (evidence()["durable"].as_u64() == Some(all)).then_some(()));
    assert_eq!(evidence()["missing"], json!({}), "nothing is missing");
    let counted = counts(&asked);
    assert_eq!(metrics(admin), counted);
    // What the last attempts cost the models is told by then, too; of what is stored nothing is held in memory alone.
    until("the store has them", || {
        let told = get(admin, "/api/v1/history?span=1h");
        let spans = told["spans"].as_array().expect("a list");
        let requests: u64 = spans.iter().map(|it| it["requests"].as_u64().expect("a number")).sum();
        (requests == all).then_some(())
    });
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));

    let kept = folder.path().join("kept");
    let stored = stored(&kept.join("evenkeel.db"));
    let missing: BTreeSet<_> = asked.iter().filter(|(id, end)| stored.get(*id) != Some(end)).collect();
    assert!(missing.is_empty() && stored.len() == asked.len(), "{} stored; {missing:?}", stored.len());
    assert_eq!(audited(&kept.join("audit")), all);
    let told = json!({"rate": rate, "seconds": seconds, "requests": all, "answered": counted[&End::Answered],
        "refused": counted[&End::Refused], "cancelled": counted[&End::Cancelled]});
    println!("{told}");
}
