//! A real Feast feature server, as it answers, and slow, and gone (F-037; `protocols.md`, sections 2.7 and 6).

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    interop::servers::{are_left_out, told},
    process::{Serving, get, http, until},
};

/// `txn_7d` may be an hour old to be good, and a day to stand in; of `avg_amount` any age will do. Where two of three values are
/// imputed the `rules` are skipped, which tell by their answers what they were given.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  feast: {protocol: feast, url: "FEAST"}
routes:
  fraud:
    protocol: oip
    deadline: 10s
    input: {tensor: x, columns: [amount, txn_7d, avg_amount]}
    output: {tensors: {score: {datatype: FP32}}}
    enrich:
      upstream: feast
      entity: {customer_id: {input: customer}}
      timeout: 2s
      max_imputed: 0.5
      features:
        txn_7d: {feature: "stats:txn_7d", max_age: 1h, keep: 24h, default: 5}
        avg_amount: {feature: "stats:avg_amount", default: 1.5}
    tiers:
      - {name: rules, rules: {file: fraud.rules}}
      - {name: default, fixed: {outputs: {score: 0.0}}}
"#;

const RULES: &str = r#"
inputs: {amount: float, txn_7d: float, avg_amount: float}
mode: first
rules:
  - {id: fetched, when: "txn_7d == 7.0 && avg_amount == 12.5", answer: {score: 1.0}}
  - {id: old, when: "txn_7d == 9.0 && avg_amount == 3.5", answer: {score: 2.0}}
  - {id: known, when: "txn_7d == 7.0 && avg_amount == 1.5", answer: {score: 3.0}}
otherwise: {score: 4.0}
"#;

/// A feature server with its worker, ended together.
struct Feast {
    child: Child,
    url: String,
}

impl Feast {
    fn start(folder: &Path) -> Self {
        let told = told("fea", "feast_home.py", &[folder.to_str().expect("text")]);
        let words: Vec<&str> = told["command"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let url = told["http"].as_str().expect("an address").to_owned();
        let feast = Self { child: command.spawn().expect("Feast runs"), url };
        let address: std::net::SocketAddr =
            feast.url.strip_prefix("http://").expect("one").parse().expect("an address");
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() || http(address, "GET", "/health", "").0 != 200 {
            assert!(begun.elapsed() < Duration::from_secs(120), "Feast is not ready");
            std::thread::sleep(Duration::from_millis(200));
        }
        feast
    }

    /// Sends a signal to it and to its worker.
    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let sent = Command::new("kill").args([&format!("-{name}"), "--", &group]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Feast {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

/// Asks about rows of customers in which both features are missing; returns scores, what was imputed, and the record.
fn ask(serving: &Serving, customers: &[i64]) -> (Vec<f64>, String, Value) {
    let n = customers.len();
    let x = vec![json!([100.0, null, null]); n];
    let body = json!({"inputs": [
        {"name": "x", "datatype": "FP32", "shape": [n, 3], "data": x},
        {"name": "customer", "datatype": "INT64", "shape": [n], "data": customers},
    ]});
    let (status, answer) = http(serving.data, "POST", "/v2/models/fraud/infer", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let scores = answer["outputs"][0]["data"].as_array().expect("a list").iter().filter_map(Value::as_f64).collect();
    let parameters = &answer["parameters"];
    let decision = parameters["evenkeel.decision"].as_str().expect("an id");
    let record = get(serving.data, &format!("/v1/decisions/{decision}"));
    (scores, parameters["evenkeel.imputed"].as_str().unwrap_or_default().to_owned(), record)
}

#[test]
fn f_037_a_real_feast_enriches_a_route_and_costs_no_answer_when_it_is_slow_or_gone() {
    if are_left_out("feast", &["fea"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let feast = Feast::start(&folder.path().join("feast"));
    std::fs::write(folder.path().join("fraud.rules"), RULES).expect("written");
    // A file of its own each: one that changes is read again.
    let serve = |name: &str, feature: &str| {
        let file = folder.path().join(name);
        let text = CONFIG.replace("FEAST", &feast.url).replace("stats:txn_7d", feature);
        std::fs::write(&file, text).expect("written");
        Serving::start(&file)
    };
    let (serving, wrong) = (serve("right.yaml", "stats:txn_7d"), serve("wrong.yaml", "stats:nope"));

    let (scores, imputed, record) = ask(&serving, &[1, 1]);
    assert_eq!((scores, imputed.as_str()), (vec![1.0, 1.0], ""), "fresh: {record}");
    assert_eq!(record["enrichment"]["result"], "ok");

    let (scores, imputed, record) = ask(&serving, &[2, 1]);
    assert_eq!(scores, [2.0, 1.0], "three hours old: {record}");
    assert!(imputed.starts_with("txn_7d;from=last_known;rows=1;age=108"), "{imputed}");

    // A null that is PRESENT, a NaN that comes as null, and an entity that nobody knows.
    for customer in [3, 99] {
        let (scores, imputed, record) = ask(&serving, &[customer]);
        assert_eq!(imputed, "avg_amount;from=default;rows=1, txn_7d;from=default;rows=1", "{record}");
        assert_eq!(
            (scores, &record["reason"]),
            (vec![0.0], &"FEATURE_MISSING".into()),
            "all of it is imputed: {record}"
        );
    }

    let (_, _, record) = ask(&wrong, &[1]);
    let enrichment = &record["enrichment"];
    assert_eq!(
        (&enrichment["result"], &record["outcome"]["status"]),
        (&"target.status_5xx".into(), &200.into()),
        "{record}"
    );

    feast.signal("STOP");
    let (scores, imputed, record) = ask(&serving, &[1]);
    assert_eq!(scores, [0.0], "both of two are imputed: {record}");
    assert!(imputed.contains("avg_amount;from=default;rows=1, txn_7d;from=last_known;rows=1;age="), "{imputed}");
    assert_eq!(record["enrichment"]["result"], "target.total_timeout");
    feast.signal("CONT");
    let (scores, ..) = ask(&serving, &[1]);
    assert_eq!(scores, [1.0], "it goes on where it was");

    drop(feast);
    let opened = until("the breaker", || {
        let (_, imputed, record) = ask(&serving, &[1]);
        assert!(imputed.contains("txn_7d;from=last_known;rows=1;age="), "{record}");
        (record["enrichment"]["result"] == "breaker_open").then_some(record)
    });
    let compared = opened["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "imputed_permille");
    assert_eq!(compared.expect("the decision shows it")["value"], "1000", "{opened}");
    let state = get(serving.data, "/v1/routes/fraud/state");
    assert_eq!((&state["enrich"]["breaker"], &state["phase"]), (&"open".into(), &"normal".into()), "{state}");
    let told = until("the line of the breaker", || {
        serving.log().into_iter().find(|line| line["message"] == "the breaker of a feature server has changed")
    });
    assert_eq!((&told["upstream"], &told["to"]), (&"feast".into(), &"open".into()), "{told}");
    until("the line of the decision", || {
        let known = |line: &Value| line["imputed"].as_str().is_some_and(|it| it.contains("txn_7d;from=last_known"));
        serving.log().into_iter().find(|line| line["decision"] == opened["id"]).filter(known)
    });
}
