//! Drift of what the first tier answers, and of how sure it is, while what is asked stays as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use evenkeel_mock::{Evaluate, OipModel, Tensor, TensorData, TensorSpec};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Repeats, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use super::{is, spread};
use crate::client::{Got, Kit, chats};

/// Requests of one kind that are sent before something must have been seen.
const MOST: usize = 3_000;

fn write(folder: &Path, schema: Vec<Column>, rows: Vec<Vec<Held<'_>>>) {
    let plan = Plan {
        route: "value".into(),
        schema,
        seed: 5,
        false_alarms_per_million: 10_000,
        repeats: Repeats::Never,
        tool: "a test".into(),
        keyed: None,
        like: None,
    };
    let rows: Vec<_> = (0..).zip(rows).map(|(number, values)| SourceRow { number, at: None, values }).collect();
    let reference = Reference::build(&plan, [7; 32], &rows).expect("sound");
    std::fs::write(folder.join("value.ref"), reference.encode()).expect("written");
}

impl Kit {
    /// Sends what is asked, one after another, until the route is as it is waited for; returns the last answer.
    async fn asks_until(&self, from: usize, word: &str, ask: impl AsyncFn(usize) -> Got) -> Got {
        for n in from..from + MOST {
            let got = ask(n).await;
            assert_eq!(got.status, 200, "{:?}", got.body);
            if is(&self.state(), word) {
                return got;
            }
        }
        panic!("{MOST} requests, and: {:#?}", self.state());
    }

    /// The names of those who carry the alarm that stands.
    fn culprits(&self) -> Vec<String> {
        self.drift().alarm.expect("an alarm stands").culprits.into_iter().map(|it| it.stream).collect()
    }
}

/// A model that is as sure as the amount says, and from a moment on less.
#[derive(Debug)]
struct Sure(Arc<AtomicBool>);

impl Evaluate for Sure {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let TensorData::Floats(numbers) = &inputs[0].data else { return Err("no numbers".into()) };
        let sure = |it: &[f64]| if self.0.load(Relaxed) { it[0] * it[0] } else { it[0] };
        let data = TensorData::Floats(numbers.chunks(2).map(sure).collect());
        Ok(vec![Tensor { name: "score".into(), datatype: "FP32".into(), shape: vec![inputs[0].shape[0]], data }])
    }
}

const OF_TENSORS: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {big: {protocol: oip, url: "BIG", dialect: plain}}
routes:
  value:
    protocol: oip
    deadline: 5s
    shadow: {share: 0}
    input: {tensor: x, columns: [amount, age], reference: value.ref}
    output: {tensors: {score: {datatype: FP32}}}
    drift: {watch: [inputs, outputs], then: {start_at: default, mode: enforce}}
    tiers:
      - {name: primary, oip: {upstream: big, model: m}, accept: {confidence: "outputs.score", at_least: 0.9}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_a_tier_that_is_less_sure_alarms_while_inputs_stay_and_whatever_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let column = |name: &str, role| Column::new(name, ColumnKind::Number, role);
    let schema = vec![column("amount", Role::Input), column("age", Role::Input), column("sure", Role::Confidence)];
    let row = |n| [spread(n, 1), 100.0 * spread(n, 2), spread(n, 1)].map(Held::Number).to_vec();
    write(folder.path(), schema, (0..5_000).map(row).collect());
    let less = Arc::new(AtomicBool::new(false));
    let (input, output) = (TensorSpec::new("x", "FP32", [-1, 2]), TensorSpec::new("score", "FP32", [-1]));
    let model = OipModel::evaluated(vec![input], vec![output], Sure(less.clone()));
    let kit = Kit::of(OF_TENSORS, folder.path(), BTreeMap::from([("m".to_owned(), model)])).await;
    let ask = async |n| kit.sends(n, 0.0).await;
    let mut accepted = 0;
    for n in 0..400 {
        accepted += usize::from(ask(n).await.header("evenkeel-tier") == "0");
    }
    assert!((10..100).contains(&accepted), "most answers are not accepted, and count all the same: {accepted}");
    kit.asks_until(400, "stable", ask).await;
    let streams: Vec<_> = kit.drift().streams.into_iter().map(|it| it.stream).collect();
    assert!(streams.contains(&"confidence:primary".into()) && streams.len() == 3, "{streams:?}");
    less.store(true, Relaxed);
    kit.asks_until(100_000, "drift", ask).await;
    assert_eq!(kit.culprits(), ["confidence:primary"]);
    // The core hears of it within a second.
    let mut got = ask(200_000).await;
    for n in 200_001..200_000 + 40_000 {
        if got.header("evenkeel-reason") == "PREDICTION_DRIFT" {
            break;
        }
        got = ask(n).await;
    }
    let record = kit.record(&got).await;
    assert_eq!((&record["reason"], &record["outcome"]["tier"]), (&json!("PREDICTION_DRIFT"), &json!(1)));
    let compared = record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "output_drift");
    assert_eq!(compared.expect("compared")["value"], "2", "{record}");
}

/// A route of chats, with a reference or before there is one, and what else its first tier has.
fn of_chats(reference: bool, accept: &str) -> String {
    let (input, drift) = match reference {
        true => {
            ("    input: {reference: value.ref}\n", "    drift: {watch: [inputs, outputs], then: {mode: observe}}\n")
        }
        false => ("", ""),
    };
    let commit = if accept.is_empty() { "first_content" } else { "full" };
    chats(&format!(
        "routes:\n  value:\n    protocol: openai-chat\n    deadline: 5s\n    commit: {commit}\n{input}{drift}    tiers:\n      \
         - {{name: primary, openai: {{upstream: big, model: m}}{accept}}}\n      - {{name: default, fixed: {{content: Later.}}}}\n"
    ))
}

const ACCEPT: &str = ", accept: {confidence: \"exp(logprobs.mean)\", at_least: 0.1}";

/// What somebody asks, of words that have nothing to do with one another.
fn question(n: usize) -> String {
    const WORDS: [&str; 8] = ["where", "is", "my", "parcel", "number", "order", "from", "today"];
    let word = |at| WORDS[(spread(n, at) * 8.0) as usize];
    (1..6 + (spread(n, 9) * 4.0) as u64).map(word).collect::<Vec<_>>().join(" ")
}

async fn chat(kit: &Kit, n: usize, extra: Value) -> Got {
    let message = json!([{"role": "user", "content": question(n)}]);
    let mut body = json!({"model": "value", "stream": n.is_multiple_of(2), "messages": message});
    body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    kit.post("/v1/chat/completions", body.to_string(), &[]).await
}

/// Makes the reference of answers like those of the mock, whose words it has said itself: eight of them, each as likely as any other,
/// and of each token it is as sure as e^0 to e^-0.5. Of what they say and why they ended it has what is named.
async fn learn(folder: &Path, named: &[&str]) {
    let kit = Kit::of(&of_chats(false, ""), folder, BTreeMap::new()).await;
    let mut words = BTreeSet::new();
    for n in 0..120 {
        let said = chat(&kit, 2 * n, json!({})).await.said();
        words.extend(said.split(' ').map(str::to_owned));
    }
    let words: Vec<String> = words.into_iter().collect();
    let reply = |n| {
        let word = |at: u64| words[(spread(n, 20 + at) * words.len() as f64) as usize].as_str();
        (0..8).map(word).collect::<Vec<_>>().join(" ")
    };
    let sure = |n| (-(0..8).map(|at| (spread(n, 40 + at) * 500.0).floor() / 1e3).sum::<f64>() / 8.0).exp();
    let rows: Vec<_> = (1_000_000..1_001_500).map(|n| (question(n), reply(n), sure(n))).collect();
    let text = |name: &str, role| Column::new(name, ColumnKind::Text, role);
    let role = |name| if named.contains(&name) { Role::Output } else { Role::Label };
    let ended = Column::new("finish_reason", ColumnKind::Category, role("finish_reason"));
    let schema = vec![
        text("question", Role::Input),
        text("reply", role("reply")),
        ended,
        Column::new("sure", ColumnKind::Number, Role::Confidence),
    ];
    let held = rows.iter().map(|(asked, said, sure)| {
        vec![Held::Text(asked), Held::Text(said), Held::Category("stop"), Held::Number(*sure)]
    });
    write(folder, schema, held.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_what_a_chat_is_answered_and_how_sure_its_model_is_alarm_while_questions_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    for (named, accept, extra, fault, carries) in [
        (&["reply"][..], ACCEPT, json!({"max_tokens": 4}), None, "output:primary.reply."),
        (&["finish_reason"], "", json!({"max_tokens": 4}), None, "output:primary.finish_reason"),
        (&["reply", "finish_reason"], ACCEPT, json!({}), Some("{fault: logprobs, each: -0.9}"), "confidence:primary"),
    ] {
        learn(folder.path(), named).await;
        let kit = Kit::of(&of_chats(true, accept), folder.path(), BTreeMap::new()).await;
        for n in 0..150 {
            chat(&kit, n, json!({})).await;
        }
        kit.asks_until(150, "stable", async |n| chat(&kit, n, json!({})).await).await;
        let streams: Vec<_> = kit.drift().streams.into_iter().map(|it| it.stream).collect();
        let watches = |name: &str| kit.gateway.metrics().contains(&format!("feature=\"{name}\""));
        assert_eq!(watches("confidence:primary"), accept == ACCEPT, "{streams:?}");
        fault.into_iter().for_each(|it| kit.break_primary(it));
        kit.asks_until(10_000, "drift", async |n| chat(&kit, n, extra.clone()).await).await;
        let culprits = kit.culprits();
        assert!(culprits.iter().any(|it| it.starts_with(carries)), "{carries}: {culprits:?}");
        assert!(culprits.iter().all(|it| !it.starts_with("feature:")), "nobody asks anything else: {culprits:?}");
    }
}
