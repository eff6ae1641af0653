//! Guards end to end: inputs that are not like those of a reference, in each way in which a request brings them.

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use evenkeel_mock::{OipModel, TensorData, TensorSpec};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use crate::{
    client::{Got, Kit, post},
    computed::{Asked, model},
};

/// A route in which what is strange starts at its second model, beside one that only tells.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", max_body: 32MiB}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
  chats: {protocol: openai, url: "BIG/v1"}
routes:
  fraud:
    protocol: oip
    deadline: 5s
    input: {tensor: x, columns: [amount, age, country], reference: fraud.ref, features: {age: {type: float, min: 0, missing: -1}}}
    guards: {GUARDS}
    tiers:
      - {name: primary, oip: {upstream: big, model: m}, retries: 0}
      - {name: second, oip: {upstream: small, model: m}, retries: 0}
      - {name: default, fixed: {outputs: {score: 0.5}}}
  apart:
    protocol: oip
    input: {features: {amount: {type: float}, age: {type: int}}, tensors: {country: {datatype: INT64}}, reference: fraud.ref}
    guards: {anomaly: {false_alarm_rate: 0.01, then: {start_at: default}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: apart}, retries: 0}
      - {name: default, fixed: {outputs: {score: 0.5}}}
  help:
    protocol: openai-chat
    input: {reference: help.ref}
    guards: {anomaly: {false_alarm_rate: 0.01, then: {start_at: default}}}
    tiers:
      - {name: primary, openai: {upstream: chats, model: large}}
      - {name: default, fixed: {content: "Later."}}
"#;

/// Every guard that can find something here, each with its tier.
const ALL: &str = "anomaly: {false_alarm_rate: 0.01, then: {start_at: default}}, missing: {max_ratio: 0.2, then: {start_at: second}}, \
                   contract: {then: {start_at: second}}, range: {then: {start_at: second}}, unseen: {then: {start_at: second}}, \
                   noise: {then: {start_at: second}}";

fn built(schema: Vec<Column>, value: impl Fn(u64, usize) -> Held<'static>) -> Vec<u8> {
    let columns = schema.len();
    let plan = Plan::new("fraud", schema);
    let row = |number| SourceRow { number, at: None, values: (0..columns).map(|at| value(number, at)).collect() };
    Reference::build(&plan, [7; 32], &(0..2_000).map(row).collect::<Vec<_>>()).expect("sound").encode()
}

/// Amounts up to 100, ages from 18 to 97, some of them missing, and three countries by number.
///
/// Built once: that is most of what these tests take.
static REFERENCES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let column = |name: &str, kind| Column::new(name, kind, Role::Input);
    let schema = vec![
        Column { required: true, ..column("amount", ColumnKind::Number) },
        column("age", ColumnKind::Number),
        column("country", ColumnKind::Category),
    ];
    let fraud = built(schema, |row, at| match at {
        0 => Held::Number((row * 7_919 % 10_007) as f64 / 100.0),
        1 if row % 4 == 0 => Held::Missing,
        1 => Held::Number(18.0 + (row * 31 % 80) as f64),
        _ => Held::Category(["0", "1", "2"][row as usize % 3]),
    });
    let help = built(vec![column("question", ColumnKind::Text)], |row, _| Held::Text(question(row).leak()));
    [fraud, help]
});

/// A question of which no two are the same.
fn question(row: u64) -> String {
    let asked = ["How do I close account", "Where is my parcel", "Can I pay invoice", "Who has my contract"];
    format!("{} {}?", asked[row as usize % 4], 1_000 + row * 7_919 % 9_000)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let [fraud, help] = &*REFERENCES;
    std::fs::write(folder.path().join("fraud.ref"), fraud).expect("written");
    std::fs::write(folder.path().join("help.ref"), help).expect("written");
    folder
}

async fn kit(guards: &str, folder: &Path) -> Kit {
    let score =
        |input: Vec<TensorSpec>| OipModel::declared(input, TensorSpec::new("score", "FP32", [-1]), vec![json!(0.25)]);
    let one = |name: &str, datatype: &str| TensorSpec::new(name, datatype, [-1]);
    let models = BTreeMap::from([
        ("m".to_owned(), score(vec![TensorSpec::new("x", "FP32", [-1, 3])])),
        ("apart".to_owned(), score(vec![one("amount", "FP32"), one("age", "INT64"), one("country", "INT64")])),
    ]);
    Kit::of(&CONFIG.replace("GUARDS", guards), folder, models).await
}

fn rows(data: &Value) -> Value {
    let n = data.as_array().expect("rows").len();
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [n, 3], "data": data}]})
}

/// The reasons of the first tier, and the signals that spoke against it.
fn against(record: &Value) -> (Vec<String>, Vec<String>) {
    let text = |it: &Value| it.as_str().expect("text").to_owned();
    let reasons = record["candidates"][0]["reasons"].as_array().expect("a list").iter().map(text).collect();
    let inputs = record["inputs"].as_array().expect("a list").iter();
    let signals =
        inputs.filter(|it| it["of"] == "primary" && it["breached"] == true).map(|it| text(&it["signal"])).collect();
    (reasons, signals)
}

fn guard<'r>(record: &'r Value, name: &str) -> &'r Value {
    let guards = record["guards"].as_array().unwrap_or_else(|| panic!("{record}"));
    guards.iter().find(|it| it["guard"] == name).unwrap_or(&Value::Null)
}

fn check(got: &Got, tier: &str, why: &str) {
    assert_eq!((got.status, got.header("evenkeel-tier"), got.header("evenkeel-reason")), (200, tier, why), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_strange_starts_below_and_the_record_says_why_with_score_and_threshold() {
    let folder = folder();
    let kit = kit(ALL, folder.path()).await;
    let got = kit.infer("fraud", &rows(&json!([[50.0, 40.0, 1.0]]))).await;
    check(&got, "0", "PRIMARY_HEALTHY");
    let record = kit.record(&got).await;
    assert_eq!((against(&record).1, record["guards"].as_array().map(Vec::len)), (vec![], Some(6)), "{record}");
    assert_eq!(record["judged"]["rows"], 1);
    for (row, tier, why, signal, name, features) in [
        (json!([50.0, 40.0, 7.0]), "2", "OUT_OF_DISTRIBUTION", "input_unseen", "unseen", json!(["country"])),
        (json!([1e6, 40.0, 1.0]), "2", "OUT_OF_DISTRIBUTION", "input_range", "range", json!(["amount"])),
        (json!([50.0, -1, 1.0]), "1", "FEATURE_MISSING", "missing_ratio", "missing", Value::Null),
    ] {
        let got = kit.infer("fraud", &rows(&json!([row]))).await;
        check(&got, tier, why);
        let record = kit.record(&got).await;
        let (reasons, signals) = against(&record);
        assert!(signals.iter().any(|it| it == signal) && reasons.contains(&why.to_owned()), "{record}");
        assert_eq!(record["candidates"][0]["verdict"], "skipped", "it lies in the request: {record}");
        let told = guard(&record, name);
        assert_eq!(
            (&told["breached"], told.get("features").unwrap_or(&Value::Null)),
            (&json!(true), &features),
            "{told}"
        );
    }
    let record = kit.record(&kit.infer("fraud", &rows(&json!([[1e6, 40.0, 1.0]]))).await).await;
    let far = guard(&record, "anomaly");
    assert_eq!((&far["start_at"], &far["columns"][0]["column"]), (&json!("default"), &json!("amount")), "{far}");
    assert!(far["value"].as_str().expect("text") <= far["threshold"].as_str().expect("text"), "{far}");
    let compared = record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "anomaly_p");
    let compared = compared.unwrap_or_else(|| panic!("{record}"));
    let millionths =
        format!("{:.6}", compared["value"].as_str().expect("text").parse::<f64>().expect("a number") / 1e6);
    assert_eq!((far["value"].as_str(), &compared["op"]), (Some(millionths.as_str()), &json!("<=")), "the same number");
    assert!(!record.to_string().contains("1000000"), "no value of an input: {record}");
    let series = "evenkeel_guard_checks_total{route=\"fraud\",guard=\"range\",result=\"breached\"}";
    assert_eq!(kit.metric(series), Some(2.0), "{}", kit.gateway.metrics());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_only_tells_moves_nobody_and_is_told_all_the_same() {
    let folder = folder();
    let kit = kit("anomaly: {false_alarm_rate: 0.01}", folder.path()).await;
    let got = kit.infer("fraud", &rows(&json!([[1e6, 40.0, 7.0]]))).await;
    check(&got, "0", "PRIMARY_HEALTHY");
    let record = kit.record(&got).await;
    for name in ["range", "unseen", "anomaly"] {
        let told = guard(&record, name);
        assert_eq!((&told["breached"], told.get("start_at")), (&json!(true), None), "{record}");
    }
    let words =
        evenkeel_api::explain(&kit.gateway.decision(got.header("evenkeel-decision")).expect("kept")).to_string();
    for expected in [
        "What its input was like",
        "1 row looked at, held against sha256:",
        "range: 1 feature outside their range (in breach; told, and nothing else).\n    amount",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_off_takes_its_inputs_and_reasons_out_of_the_decision_and_nothing_else() {
    let folder = folder();
    // In breach of all but `noise`: of three numbers none is at the edge that is not beyond it.
    let strange = rows(&json!([[1e6, -1, 7.0]]));
    let of = |name: &str| match name {
        "anomaly" => "anomaly_p",
        "missing" => "missing_ratio",
        "contract" => "input_contract",
        "range" => "input_range",
        "unseen" => "input_unseen",
        _ => "noise",
    };
    let all = kit(ALL, folder.path()).await;
    let before = all.record(&all.infer("fraud", &strange).await).await;
    assert_eq!(before["outcome"]["tier"], 2, "the lowest tier that one of them names: {before}");
    let inputs = |record: &Value, without: &str| -> Vec<(String, String, bool)> {
        let list = record["inputs"].as_array().expect("a list").clone();
        let text = |it: &Value| it.as_str().expect("text").to_owned();
        let clock = |it: &&Value| it["signal"] != "time_left_ns" && it["signal"] != without;
        list.iter().filter(clock).map(|it| (text(&it["signal"]), text(&it["of"]), it["breached"] == true)).collect()
    };
    for name in ["anomaly", "missing", "contract", "range", "unseen", "noise"] {
        let at = ALL.find(&format!("{name}: {{")).expect("on");
        let end = at + ALL[at..].find("}}").expect("its end") + 2;
        let guards = format!("{}{name}: off{}", &ALL[..at], &ALL[end..]);
        let kit = kit(&guards, folder.path()).await;
        let after = kit.record(&kit.infer("fraud", &strange).await).await;
        assert_eq!(guard(&after, name), &Value::Null, "{name}: {after}");
        let others = |record: &Value| -> Vec<Value> {
            record["guards"].as_array().expect("a list").iter().filter(|it| it["guard"] != name).cloned().collect()
        };
        assert_eq!(others(&after), others(&before), "without {name}");
        // Where it was the winner, the tier that it named is not skipped to any more.
        let tier = if name == "anomaly" { 1 } else { 2 };
        assert_eq!(after["outcome"]["tier"], tier, "without {name}: {after}");
        let left: Vec<_> = inputs(&after, of(name)).into_iter().filter(|it| it.1 == "primary").collect();
        let were: Vec<_> = inputs(&before, of(name)).into_iter().filter(|it| it.1 == "primary").collect();
        assert_eq!(left, were, "without {name}");
        assert!(!after["inputs"].to_string().contains(of(name)), "{name}: {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_from_columns_tensors_bytes_and_over_grpc_alike() {
    let folder = folder();
    let kit = kit(ALL, folder.path()).await;
    let p = |record: &Value| guard(record, "anomaly")["value"].clone();
    let column = kit.record(&kit.infer("fraud", &rows(&json!([[1e6, 40.0, 1.0]]))).await).await;
    let values: Vec<u8> = [1e6_f32, 40.0, 1.0].iter().flat_map(|it| it.to_le_bytes()).collect();
    let x = json!({"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": values.len()}});
    let mut body = json!({"inputs": [x]}).to_string().into_bytes();
    let length = body.len().to_string();
    body.extend(values);
    let got = kit.post("/v2/models/fraud/infer", body, &[("inference-header-content-length", &length)]).await;
    check(&got, "2", "OUT_OF_DISTRIBUTION");
    assert_eq!(p(&kit.record(&got).await), p(&column), "as bytes");
    let one = |name: &str, datatype: &str, value: Value| json!({"name": name, "datatype": datatype, "shape": [1], "data": [value]});
    let tensors = json!({"inputs": [one("amount", "FP32", json!(1e6)), one("age", "INT64", json!(40)), one("country", "INT64", json!(1))]});
    let got = kit.infer("apart", &tensors).await;
    check(&got, "1", "INPUT_ANOMALY");
    assert_eq!(p(&kit.record(&got).await), p(&column), "as tensors of their own");
    let before = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nupstreams: {{grpc: {{protocol: oip-grpc, url: \"http://{}\"}}}}\n\
         routes: {{fraud: {{protocol: oip, tiers: [{{name: primary, oip: {{upstream: grpc, model: fraud}}, retries: 0}}]}}}}\n",
        kit.gateway.address()
    );
    let before = load_text("before", &before, Path::new(".")).deployment.expect("compiles");
    let before = Gateway::start(before).await.expect("a gateway");
    let got = post(before.address(), "/v2/models/fraud/infer", rows(&json!([[1e6, 40.0, 1.0]])).to_string()).await;
    assert_eq!(got.status, 200, "{got:?}");
    let last = &kit.gateway.decisions(Some("fraud"), 1)[0];
    let anomaly = last.guards.iter().find(|it| it.guard == "anomaly").expect("on");
    assert_eq!((json!(anomaly.value), last.outcome.tier), (p(&column), Some(2)), "over gRPC");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_huge_batch_rows_are_looked_at_and_the_record_says_how_many() {
    let folder = folder();
    let kit = kit(ALL, folder.path()).await;
    let many: Vec<Value> = (0..5_000).map(|it| json!([f64::from(it % 100), 40.0, f64::from(it % 3)])).collect();
    let got = kit.infer("fraud", &rows(&json!(many))).await;
    check(&got, "0", "PRIMARY_HEALTHY");
    let record = kit.record(&got).await;
    assert_eq!((&record["judged"]["rows"], &record["judged"]["of"]), (&json!(1_024), &json!(5_000)), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_is_no_question_like_those_before_gets_the_safe_default() {
    let folder = folder();
    let kit = kit(ALL, folder.path()).await;
    let ask = async |content: &str, stream: bool| {
        let body = json!({"model": "help", "stream": stream, "messages": [{"role": "user", "content": content}]});
        kit.post("/v1/chat/completions", body.to_string(), &[]).await
    };
    check(&ask(&question(7), false).await, "0", "PRIMARY_HEALTHY");
    let large = "word \u{7} 0101 ".repeat(800_000);
    for strange in ["0110100101101001011010010110100101101001", "", "\u{1}\u{2}\u{3}\u{4}", &large] {
        check(&ask(strange, false).await, "1", "INPUT_ANOMALY");
    }
    let got = ask("0110100101101001011010010110100101101001", true).await;
    assert_eq!((got.header("evenkeel-tier"), got.said().as_str()), ("1", "Later."), "a stream, too");
    check(&ask(&question(7), false).await, "0", "PRIMARY_HEALTHY");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_break_the_contract_are_refused_and_others_that_are_wrong_are_judged() {
    let folder = folder();
    let kit = kit(ALL, folder.path()).await;
    for (row, words) in [
        (json!([null, 40.0, 1.0]), "element 0 is not a number"),
        (json!(["x", 40.0, 1.0]), "element 0 is not a number"),
        (json!([50.0, -2, 1.0]), "'age' is -2"),
    ] {
        let got = kit.infer("fraud", &rows(&json!([row]))).await;
        assert!(got.status == 400 && got.json()["error"].as_str().is_some_and(|it| it.contains(words)), "{got:?}");
    }
    let got = kit.infer("fraud", &rows(&json!([[50.0, -1, 1.0]]))).await;
    check(&got, "1", "FEATURE_MISSING");
    // What says that there is none is within no bounds, and need not be.
    assert_eq!(guard(&kit.record(&got).await, "contract")["value"], "0");
    check(&kit.infer("fraud", &rows(&json!([[50.0, 40.0, 1.0]]))).await, "0", "PRIMARY_HEALTHY");
}

/// The route of tensors of their own, whose first tier may fail as often as it likes, and says this where the age is missing: above
/// .6 its contract does not bear it.
async fn risky(folder: &Path, without_age: f64) -> Kit {
    let (begin, end) =
        (CONFIG.find("    input: {features: {amount").expect("there"), CONFIG.find("  help:").expect("there"));
    let route = r#"    input: {features: {amount: {type: float}, age: {type: float, missing: -1}}, tensors: {country: {datatype: INT64}}, reference: fraud.ref}
    output: {tensors: {score: {datatype: FP32, max: 0.6}}}
    shadow: {share: 0}
    guards: {anomaly: off, missing: off, fallback_risk: {at_least: 0.5, then: {start_at: default}}}
    tiers:
      - name: primary
        oip: {upstream: big, model: apart}
        retries: 0
        breaker: {consecutive: 1000, fast: [1000, 1, 10s], slow: [1000, 1, 60s], low: [1000, 1000]}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;
    let config = format!("{}{route}{}", &CONFIG[..begin], &CONFIG[end..]).replace("GUARDS", "anomaly: off");
    let score = move |asked: &Asked<'_>| {
        let of = |age: f64| if age < 0.0 { without_age } else { 0.2 };
        Ok(vec![TensorData::Floats(asked.numbers("age")?.into_iter().map(of).collect())])
    };
    let apart = model(&[("amount", "FP32"), ("age", "FP32"), ("country", "INT64")], &[("score", "FP32")], score);
    Kit::of(&config, folder, BTreeMap::from([("apart".to_owned(), apart)])).await
}

/// A request of that route.
fn aged(age: f64) -> Value {
    let one = |name: &str, datatype: &str, value: f64| json!({"name": name, "datatype": datatype, "shape": [1], "data": [value]});
    let country = json!({"name": "country", "datatype": "INT64", "shape": [1], "data": [1]});
    json!({"inputs": [one("amount", "FP32", 50.0), one("age", "FP32", age), country]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_labels_say_was_wrong_before_is_sent_past_the_first_tier_until_they_say_otherwise() {
    let folder = folder();
    let kit = risky(folder.path(), 0.3).await;
    let mut without_age = Vec::new();
    for at in 0..90 {
        let got = kit.infer("apart", &aged(if at < 30 { 40.0 } else { -1.0 })).await;
        check(&got, "0", "PRIMARY_HEALTHY");
        if at >= 30 {
            without_age.push(got.header("evenkeel-decision").to_owned());
        }
    }
    // Nothing but labels can tell: all were answered well, as far as anybody can see.
    let label = async |correct: bool| {
        let items: Vec<Value> = without_age.iter().map(|it| json!({"decision": it, "correct": correct})).collect();
        let said = kit.post("/v1/feedback", json!(items).to_string(), &[]).await.json();
        assert_eq!(said["refused"], 0, "{said}");
    };
    label(false).await;
    let got = kit.infer("apart", &aged(-1.0)).await;
    check(&got, "1", "INPUT_ANOMALY");
    let record = kit.record(&got).await;
    assert_eq!(against(&record), (vec!["INPUT_ANOMALY".to_owned()], vec!["fallback_risk".to_owned()]), "{record}");
    assert!(guard(&record, "fallback_risk")["value"].as_str().expect("a number") > "0.8", "RISK-3: {record}");
    check(&kit.infer("apart", &aged(40.0)).await, "0", "PRIMARY_HEALTHY");
    label(true).await;
    check(&kit.infer("apart", &aged(-1.0)).await, "0", "PRIMARY_HEALTHY");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_made_the_first_tier_fail_before_is_sent_past_it_and_others_are_not() {
    let folder = folder();
    let kit = risky(folder.path(), 0.9).await;
    let asked = async |age: f64| kit.record(&kit.infer("apart", &aged(age)).await).await;
    // Enough that a failure now and then cuts nothing off.
    for _ in 0..30 {
        assert_eq!(asked(40.0).await["outcome"]["tier"], 0);
    }
    let mut failed = 0;
    let sent_past = loop {
        let record = asked(-1.0).await;
        assert_eq!(record["outcome"]["tier"], 1, "{record}");
        if guard(&record, "fallback_risk")["breached"] == true {
            break record;
        }
        assert_eq!(guard(&record, "fallback_risk")["value"], Value::Null, "too few are known: {record}");
        failed += 1;
        assert!(failed < 100, "{record}");
    };
    assert!(failed > 49, "RISK-1: {failed}");
    let (reasons, signals) = against(&sent_past);
    assert_eq!((reasons, signals), (vec!["INPUT_ANOMALY".to_owned()], vec!["fallback_risk".to_owned()]), "{sent_past}");
    assert_eq!(sent_past["attempts"].as_array().map(Vec::len), Some(0), "nobody was asked: {sent_past}");
    let other = asked(40.0).await;
    assert_eq!(
        (&other["outcome"]["tier"], &guard(&other, "fallback_risk")["breached"]),
        (&json!(0), &json!(false)),
        "{other}"
    );
}
