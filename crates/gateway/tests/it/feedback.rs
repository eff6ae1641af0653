//! Labels that come after the answer: joined by decision, counted by the tiers that answered, and refused where they cannot be meant.

use std::{collections::BTreeMap, path::Path};

use evenkeel_mock::{OipModel, TensorData};
use serde_json::{Value, json};

use crate::{
    client::{Got, Kit, chats},
    computed::{Asked, model},
};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain, probe: off}
  small: {protocol: oip, url: "SMALL", dialect: plain, probe: off}
routes:
  parity:
    protocol: oip
    deadline: 5s
    shadow: {share: SHARE, max_cost: SHARE}
    input: {features: {x: {type: float}, first: {type: float}, second: {type: float}}}
    output: {tensors: {sure: {datatype: FP32}, label: {datatype: BYTES}}}
    quality: {output: label}
    tiers:
      - {name: primary, oip: {upstream: big, model: first}, total: 3s, retries: 0, accept: {confidence: "outputs.sure", at_least: 0.7, rows: split}}
      - {name: small, oip: {upstream: small, model: second}, total: 3s, retries: 0, accept: {confidence: "outputs.sure", at_least: 0.7, rows: split}}
      - {name: default, fixed: {outputs: {sure: 0.5, label: even}}}
"#;

fn truth(x: u64) -> &'static str {
    if x.is_multiple_of(2) { "even" } else { "odd" }
}

/// Two models of whether a number is even: the first is wrong of every fifth, the second of every third.
fn models() -> BTreeMap<String, OipModel> {
    let model = |(name, wrong): (&'static str, u64)| {
        let says = move |asked: &Asked<'_>| {
            let label = |x: &f64| {
                let x = *x as u64;
                truth(x + u64::from(x.is_multiple_of(wrong))).to_owned()
            };
            Ok(vec![asked.values(name)?, TensorData::Texts(asked.numbers("x")?.iter().map(label).collect())])
        };
        let inputs = &[("x", "FP32"), ("first", "FP32"), ("second", "FP32")];
        (name.to_owned(), model(inputs, &[("sure", "FP32"), ("label", "BYTES")], says))
    };
    BTreeMap::from([("first", 5), ("second", 3)].map(model))
}

async fn kit(share: &str) -> Kit {
    Kit::of(&CONFIG.replace("SHARE", share), Path::new("."), models()).await
}

/// An answer, as its client has it.
struct Answer {
    decision: String,
    /// Of each row: the number, the tier that answered, and what it said.
    rows: Vec<(u64, u8, String)>,
}

impl Answer {
    /// Returns the truth of each row.
    fn labels(&self) -> Vec<&'static str> {
        self.rows.iter().map(|it| truth(it.0)).collect()
    }

    fn item(&self, labels: &[&str]) -> Value {
        match labels {
            [only] => json!({"decision": self.decision, "label": only}),
            several => json!({"decision": self.decision, "labels": several}),
        }
    }
}

/// Asks about some numbers; who is sure of which depends on the number.
async fn ask(kit: &Kit, numbers: &[u64], headers: &[(&str, &str)]) -> Answer {
    let sure = |at: u64| numbers.iter().map(|x| if x % at == 0 { 0.2 } else { 0.9 }).collect::<Vec<_>>();
    let n = numbers.len();
    let body = json!({"inputs": [
        {"name": "x", "datatype": "FP32", "shape": [n], "data": numbers},
        {"name": "first", "datatype": "FP32", "shape": [n], "data": sure(4)},
        {"name": "second", "datatype": "FP32", "shape": [n], "data": sure(8)},
    ]});
    let got = kit.post("/v2/models/parity/infer", body.to_string(), headers).await;
    assert_eq!(got.status, 200, "{got:?}");
    let answer = got.json();
    let outputs = answer["outputs"].as_array().expect("a list");
    let said = &outputs.iter().find(|it| it["name"] == "label").expect("labels")["data"];
    let tiers: Vec<u8> = match answer["parameters"]["evenkeel.row_tiers"].as_str() {
        Some(tiers) => tiers.split(',').map(|it| it.parse().expect("a tier")).collect(),
        None => vec![got.header("evenkeel-tier").parse().expect("a tier"); n],
    };
    let row = |(at, x): (usize, &u64)| (*x, tiers[at], said[at].as_str().expect("a text").to_owned());
    Answer { decision: got.header("evenkeel-decision").into(), rows: numbers.iter().enumerate().map(row).collect() }
}

async fn feedback(kit: &Kit, body: impl ToString) -> Got {
    kit.post("/v1/feedback", body.to_string(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_answer_counts_once_under_the_decision_that_gave_it() {
    let cached = CONFIG.replace("SHARE", "0").replace("    deadline: 5s\n", "    deadline: 5s\n    cache: {}\n");
    let kit = Kit::of(&cached, Path::new("."), models()).await;
    for at in 0..3 {
        let it = ask(&kit, &[6], &[]).await;
        assert_eq!(feedback(&kit, it.item(&it.labels())).await.status, if at == 0 { 200 } else { 404 }, "time {at}");
    }
    let live = kit.gateway.quality(Some("parity")).routes.remove(0);
    assert_eq!((live.tiers[0].rows, live.tiers[0].labels), (1, 1), "one answer, whoever got it");
}

#[tokio::test(flavor = "multi_thread")]
async fn accuracy_by_tier_from_delayed_labels_equals_an_offline_computation_once_all_have_come() {
    let kit = kit("0").await;
    let mut answers = Vec::new();
    for at in 0..60_u64 {
        let numbers: Vec<u64> = (0..=at % 3).map(|row| at * 7 + row * 5 + 1).collect();
        if at == 40 {
            kit.break_primary("{fault: status, status: 500}");
        }
        answers.push(ask(&kit, &numbers, &[]).await);
    }
    // Offline: from what clients got, and the truth.
    let mut offline = BTreeMap::<u8, (u64, u64)>::new();
    for (x, tier, said) in answers.iter().flat_map(|it| &it.rows) {
        let (all, right) = offline.entry(*tier).or_default();
        (*all, *right) = (*all + 1, *right + u64::from(said == truth(*x)));
    }
    assert_eq!(offline.len(), 3, "every tier has answered some: {offline:?}");

    // Labels come out of order, in several forms, some of them wrong at first, some twice.
    let order: Vec<usize> = (0..60).map(|at| at * 37 % 60).collect();
    let wrong: Vec<&Answer> = order.iter().filter(|at| *at % 4 == 0).map(|at| &answers[*at]).collect();
    let lines: String = wrong.iter().map(|it| format!("{}\n", it.item(&vec!["neither"; it.rows.len()]))).collect();
    let said = feedback(&kit, lines).await.json();
    assert_eq!((&said["counted"], &said["refused"]), (&json!(wrong.len()), &json!(0)), "{said}");
    let half = kit.gateway.quality(Some("parity")).routes.remove(0);
    let awaited = half.tiers.iter().any(|it| it.labels < it.rows && it.bounds.is_some_and(|[low, high]| low < high));
    assert!(awaited, "what is still to come is told: {half:?}");
    for at in &order {
        let one = feedback(&kit, answers[*at].item(&answers[*at].labels())).await;
        let expected = if at % 4 == 0 { "replaced" } else { "counted" };
        assert_eq!((one.status, &one.json()["status"]), (200, &json!(expected)), "QUAL-2");
    }
    let again: Vec<Value> = order.iter().rev().map(|at| answers[*at].item(&answers[*at].labels())).collect();
    // An id of now that nobody was given: the drawn part of one is another's.
    let stranger = format!("{}{}", &answers[0].decision[..16], &answers[1].decision[16..]);
    let stranger = json!({"decision": stranger, "label": "even"});
    let all = feedback(&kit, json!([again, vec![stranger]].concat())).await.json();
    assert_eq!((&all["replaced"], &all["refused"], &all["counted"]), (&json!(60), &json!(1), &json!(0)), "{all}");

    let live = kit.gateway.quality(Some("parity")).routes.remove(0);
    assert_eq!((live.held, live.forgotten), (60, 0));
    for (tier, (all, right)) in offline {
        let tier = &live.tiers[usize::from(tier)];
        let accuracy = tier.accuracy.as_ref().expect("labels");
        let expected = right as f64 / all as f64;
        assert_eq!((tier.rows, tier.labels, accuracy.n, accuracy.value), (all, all, all, expected), "QUAL-3: {tier:?}");
        assert_eq!(tier.bounds, Some([expected, expected]), "nothing is to come");
        assert!(accuracy.low <= expected && expected <= accuracy.high && accuracy.as_of <= live.as_of);
        let series =
            format!("evenkeel_accuracy{{route=\"parity\",path=\"{}\",method=\"labels\",of=\"value\"}}", tier.name);
        assert_eq!(kit.metric(&series), Some(expected));
        let samples = format!("evenkeel_accuracy_samples{{route=\"parity\",path=\"{}\",method=\"labels\"}}", tier.name);
        assert_eq!(kit.metric(&samples), Some(all as f64));
    }
    let count = |path: &str, kind: &str| {
        kit.metric(&format!("evenkeel_quality_events_total{{route=\"{path}\",path=\"{path}\",kind=\"{kind}\"}}"))
    };
    assert_eq!(count("none", "unknown"), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn se_12_feedback_that_cannot_be_meant_has_a_clear_answer_and_counts_nothing() {
    let kit = kit("0").await;
    let one = ask(&kit, &[1], &[("authorization", "Bearer one")]).await;
    let private = ask(&kit, &[1], &[("evenkeel-private", "true")]).await;
    let id = &one.decision;
    let as_one = [("authorization", "Bearer one")];
    for (body, headers, status, says) in [
        (json!({"decision": id, "label": "odd"}), &[][..], 404, "no answer of this decision is held"),
        (json!({"decision": id, "label": "odd"}), &[("authorization", "Bearer other")], 404, "given to another client"),
        (json!({"decision": id, "label": 7}), &as_one, 400, "the answer said a text"),
        (json!({"decision": id, "labels": ["odd", "even"]}), &as_one, 400, "another number of rows"),
        (json!({"decision": id}), &as_one, 400, "`label`, `labels`, `correct` and `score`"),
        (json!({"decision": id, "score": 2}), &as_one, 400, "from 0 to 1"),
        (json!({"decision": "x", "correct": true}), &as_one, 400, "no id of a decision"),
        (json!({"decision": private.decision, "label": "odd"}), &[], 400, "say `correct`"),
        (json!({"decision": "00000000000000000000000001", "correct": true}), &[], 404, "14 days"),
        (json!([]), &[], 400, "there is no item"),
    ] {
        let got = kit.post("/v1/feedback", body.to_string(), headers).await;
        let text = got.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(got.status == status && text.contains(says), "{body}: {} {text}", got.status);
    }
    assert_eq!(kit.post("/v1/feedback", "{\"decision\"", &[]).await.status, 400);
    assert_eq!(kit.post("/v1/feedback", " ".repeat(3 << 20), &[]).await.status, 413);
    assert_eq!(kit.get("/v1/feedback").await.status, 405);
    let quiet = kit.gateway.quality(Some("parity")).routes.remove(0);
    assert!(quiet.tiers.iter().all(|it| it.labels == 0 && it.accuracy.is_none()), "{quiet:?}");
    assert_eq!(quiet.tiers[0].note.as_deref(), Some("no labels: accuracy unknown"));
    let right = json!({"decision": private.decision, "correct": true});
    assert_eq!(feedback(&kit, right).await.status, 200, "of what is private, whether it was right");
    let got = kit.post("/v1/feedback", json!({"decision": id, "label": "odd"}).to_string(), &as_one).await;
    assert_eq!((got.status, &got.json()["status"]), (200, &json!("counted")));
    assert!(kit.gateway.quality(Some("nobody")).routes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_takes_correct_and_score_streamed_or_not_and_no_label() {
    let routes = "routes:\n  chat:\n    protocol: openai-chat\n    quality: {right_at: 0.8}\n    tiers: [{name: primary, openai: {upstream: big, \
                  model: m}}, {name: default, fixed: {content: Later.}}]\n";
    assert!(chats(routes).contains("quality"));
    let kit = Kit::chats(routes).await;
    let mut ids = Vec::new();
    for stream in [false, true, false, true] {
        ids.push(kit.chat("chat", stream).await.header("evenkeel-decision").to_owned());
    }
    let refused = feedback(&kit, json!({"decision": ids[0], "label": "yes"})).await;
    assert!(refused.status == 400 && refused.json()["error"]["message"].to_string().contains("`correct` or `score`"));
    let items = json!([
        {"decision": ids[0], "correct": true}, {"decision": ids[1], "correct": false},
        {"decision": ids[2], "score": 0.9}, {"decision": ids[3], "score": 0.7},
    ]);
    assert_eq!(feedback(&kit, items).await.json()["counted"], 4);
    let standing = kit.gateway.standing().with_quality(kit.gateway.quality(None));
    let tier = standing.routes[0].tiers[0].quality.clone().expect("told to operators");
    assert_eq!(tier.accuracy.as_ref().map(|it| (it.value, it.n)), Some((0.5, 4)), "{tier:?}");
    assert_eq!(tier.score.map(|it| (it.value, it.n)), Some((0.8, 2)));
    let state = kit.get("/v1/routes/chat/state").await.json();
    assert_eq!(state["tiers"][0].get("quality"), None, "and not to everybody");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_what_a_copy_said_is_held_against_the_label_of_its_request() {
    let kit = kit("1").await;
    let mut happened = kit.gateway.watch();
    let mut answers = Vec::new();
    for x in [1, 3, 9] {
        answers.push(ask(&kit, &[x], &[]).await);
        let copy = async {
            while !matches!(happened.recv().await.expect("it is told"), evenkeel_gateway::Happened::Shadow(_)) {}
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), copy).await.expect("it ends");
    }
    for answer in &answers {
        assert_eq!(feedback(&kit, answer.item(&answer.labels())).await.status, 200);
    }
    let tiers = kit.gateway.quality(Some("parity")).routes.remove(0).tiers;
    assert_eq!(tiers[0].accuracy.as_ref().map(|it| it.value), Some(1.0));
    // Of 1, 3 and 9 the second model has two wrong.
    let copies = tiers[1].copies.as_ref().expect("three copies");
    assert!((copies.value - 1.0 / 3.0).abs() < 1e-9 && copies.method == "doubly_robust", "{copies:?}");
    assert_eq!(tiers[1].agreement.as_ref().map(|it| it.n), Some(3));
    assert_eq!(tiers[1].note.as_deref(), Some("no labels: accuracy unknown"), "it has answered nobody");
}
