//! Ensembles behind a route: votes row by row, members that fail or are slow, texts, and what is told of it (signals §10).

use std::collections::BTreeMap;

use evenkeel_mock::{OipModel, TensorData};
use serde_json::{Value, json};

use crate::{
    client::{Got, Kit, until_told},
    computed::{Asked, model},
};

/// Two models that say what a request tells them to, and rules that always say the same.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  score:
    protocol: oip
    deadline: 3s
    when_exhausted: refuse
    input: {features: {first: {type: string}, second: {type: string}, sure: {type: float}}}
    output: {tensors: {label: {datatype: BYTES}, by: {datatype: BYTES}, sure: {datatype: FP32}}}
    tiers:
      - name: panel
        vote: {VOTE}
        paths:
          - {oip: {upstream: big, model: first}}
          - {oip: {upstream: small, model: second}ACCEPT}
          - {rules: {file: score.rules}, map: {sure: {default: 1}}}
      - {name: default, fixed: {outputs: {label: none, by: nobody, sure: 0}}}
"#;

const RULES: &str = "inputs: {first: string}
rules: [{id: odd, when: first == 'odd', answer: {label: strange, by: rules}}]
otherwise: {label: c, by: rules}
";

/// Two models, each of which says what the input of its own name says.
fn models() -> BTreeMap<String, OipModel> {
    let inputs = &[("first", "BYTES"), ("second", "BYTES"), ("sure", "FP32")];
    let outputs = &[("label", "BYTES"), ("by", "BYTES"), ("sure", "FP32")];
    let model = |name: &'static str| {
        let says = move |asked: &Asked<'_>| {
            let said = asked.texts(name)?;
            let by = vec![name.to_owned(); said.len()];
            Ok(vec![TensorData::Texts(said), TensorData::Texts(by), asked.values("sure")?])
        };
        (name.to_owned(), model(inputs, outputs, says))
    };
    BTreeMap::from(["first", "second"].map(model))
}

async fn kit(vote: &str, accept: &str) -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("score.rules"), RULES).expect("written");
    Kit::of(&CONFIG.replace("VOTE", vote).replace("ACCEPT", accept), folder.path(), models()).await
}

/// What the two models say of each row, and how sure they are.
fn rows(said: &[[&str; 2]]) -> Value {
    let n = said.len();
    let column = |at: usize| said.iter().map(|it| it[at]).collect::<Vec<_>>();
    let sure: Vec<_> = said.iter().map(|it| f64::from(u8::from(it[1] != "unsure"))).collect();
    json!({"id": "mine", "inputs": [
        {"name": "first", "datatype": "BYTES", "shape": [n], "data": column(0)},
        {"name": "second", "datatype": "BYTES", "shape": [n], "data": column(1)},
        {"name": "sure", "datatype": "FP32", "shape": [n], "data": sure},
    ]})
}

async fn ask(kit: &Kit, said: &[[&str; 2]]) -> Got {
    kit.post("/v2/models/score/infer", rows(said).to_string(), &[]).await
}

fn output(got: &Got, name: &str) -> Vec<String> {
    let answer = got.json();
    let outputs = answer["outputs"].as_array().unwrap_or_else(|| panic!("no outputs: {answer}"));
    let data = outputs.iter().find(|it| it["name"] == name).map(|it| it["data"].as_array().expect("a list"));
    let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    data.unwrap_or_else(|| panic!("no {name}: {answer}")).iter().map(text).collect()
}

fn results(record: &Value) -> Vec<(String, String)> {
    let text = |it: &Value| it.as_str().expect("text").to_owned();
    let attempts = record["attempts"].as_array().expect("a list");
    attempts.iter().map(|it| (text(&it["path"]), text(&it["result"]))).collect()
}

fn result(path: &str, result: &str) -> (String, String) {
    (path.into(), result.into())
}

fn input<'a>(record: &'a Value, signal: &str) -> &'a Value {
    let inputs = record["inputs"].as_array().expect("a list");
    inputs.iter().find(|it| it["signal"] == signal).unwrap_or_else(|| panic!("no {signal}: {record}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_that_of_the_member_that_is_followed_in_it() {
    let kit = kit("output: label, quorum: 3, accuracies: [0.9, 0.7, 0.7]", "").await;
    // All agree; two agree against the best, who outweighs them; nobody agrees; the best agrees with one.
    let got = ask(&kit, &[["c", "c"], ["a", "c"], ["a", "b"], ["b", "b"]]).await;
    assert_eq!((got.status, got.header("evenkeel-tier"), got.header("evenkeel-method")), (200, "0", "ensemble"));
    assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-attempts")), ("panel", "3"));
    assert_eq!(got.header("evenkeel-confidence"), "", "a share of votes is none until it is calibrated");
    assert_eq!(output(&got, "label"), ["c", "a", "a", "b"]);
    assert_eq!(output(&got, "by"), ["first"; 4], "the best of those that are followed, with all that it says");
    let record = kit.record(&got).await;
    assert_eq!(results(&record), [result("panel/0", "ok"), result("panel/1", "ok"), result("panel/2", "ok")]);
    assert_eq!((&input(&record, "votes")["value"], &input(&record, "votes")["threshold"]), (&json!("3"), &json!("3")));
    let votes: Vec<_> = record["attempts"].as_array().expect("a list").iter().map(|it| it["vote"].clone()).collect();
    assert_eq!(votes[0], json!({"weight_millionths": 2_197_225, "rows": 4, "agreed": 4}));
    assert_eq!(votes[1], json!({"weight_millionths": 847_298, "rows": 4, "agreed": 2}));
    assert_eq!(votes[2], json!({"weight_millionths": 847_298, "rows": 4, "agreed": 1}));
    assert!(!record.to_string().contains("strange"), "no word of what was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_answer_may_come_from_different_members() {
    let kit = kit("output: label, quorum: 3, weights: [1, 1, 1]", "").await;
    let got = ask(&kit, &[["c", "x"], ["x", "c"], ["x", "x"]]).await;
    assert_eq!(output(&got, "label"), ["c", "c", "x"]);
    assert_eq!(output(&got, "by"), ["first", "second", "first"]);
    let one = ask(&kit, &[["b", "c"]]).await;
    let record = kit.record(&one).await;
    let classes: Vec<_> =
        record["attempts"].as_array().expect("a list").iter().map(|it| &it["vote"]["class"]).collect();
    assert_eq!(classes, [&json!(1), &json!(0), &json!(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_140_what_was_voted_is_kept_as_it_was_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("score.rules"), RULES).expect("written");
    let config = CONFIG.replace("VOTE", "output: label, quorum: 3, weights: [1, 1, 1]").replace("ACCEPT", "");
    let config = config.replace("    deadline: 3s\n", "    deadline: 3s\n    cache: {ttl: 5m}\n");
    let kit = Kit::of(&config, folder.path(), models()).await;
    let said = [["c", "x"], ["x", "c"], ["x", "x"]];
    let first = ask(&kit, &said).await;
    assert_eq!(kit.record(&first).await["cache"]["written"], "stored");
    let again = ask(&kit, &said).await;
    assert_eq!((again.header("evenkeel-method"), again.header("evenkeel-attempts")), ("cache", "0"));
    for got in [&first, &again] {
        assert_eq!(output(got, "label"), ["c", "c", "x"]);
        assert_eq!(output(got, "by"), ["first", "second", "first"], "no member said all of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_voted_on_need_not_be_asked_for() {
    let kit = kit("output: label, quorum: 3, weights: [1, 1, 1]", "").await;
    let mut body = rows(&[["x", "c"]]);
    body["outputs"] = json!([{"name": "by"}]);
    let got = kit.post("/v2/models/score/infer", body.to_string(), &[]).await;
    assert_eq!(output(&got, "by"), ["second"]);
    assert_eq!(got.json()["outputs"].as_array().map(Vec::len), Some(1), "JUDGE-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn tn_11_a_dead_member_is_left_out_and_too_few_votes_go_to_the_next_tier() {
    let kit = kit("output: label, quorum: 2, weights: [1, 1, 1]", "").await;
    kit.break_primary("{fault: status, status: 500}");
    let got = ask(&kit, &[["a", "c"]]).await;
    assert_eq!((got.header("evenkeel-tier"), output(&got, "label")), ("0", vec!["c".to_owned()]));
    let record = kit.record(&got).await;
    assert!(!results(&record).contains(&result("panel/0", "ok")), "{record}");
    kit.break_small("{fault: status, status: 500}");
    let got = ask(&kit, &[["a", "c"]]).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "1"), "{got:?}");
    assert_eq!(got.header("evenkeel-reason"), "QUORUM_NOT_REACHED");
    let record = kit.record(&got).await;
    assert_eq!(record["candidates"][0]["reasons"][0], "QUORUM_NOT_REACHED", "{record}");
    // The rules are quick, and need not be the first.
    let rules = results(&record).into_iter().find(|it| it.0 == "panel/2").map(|it| it.1);
    let rules = rules.unwrap_or_default();
    assert!(["quality.quorum_not_reached", "cancelled.vote_over"].contains(&&*rules), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_2_a_straggler_that_can_change_nothing_is_cancelled_and_its_server_sees_that() {
    let kit = kit("output: label, quorum: 2, weights: [1, 1, 1]", "").await;
    kit.break_small("{fault: silence}");
    let got = ask(&kit, &[["c", "x"]]).await;
    assert_eq!((got.header("evenkeel-tier"), output(&got, "label")), ("0", vec!["c".to_owned()]));
    let record = kit.record(&got).await;
    assert!(results(&record).contains(&result("panel/1", "cancelled.vote_over")), "{record}");
    // Where the others are slower, its server has read what was asked before nobody wants it any more.
    kit.break_primary("{fault: latency, ms: 100}");
    let asked = async || {
        let got = ask(&kit, &[["c", "x"]]).await;
        assert_eq!((got.header("evenkeel-tier"), output(&got, "label")), ("0", vec!["c".to_owned()]));
        kit.small.log().iter().any(|it| it.client_gone)
    };
    until_told(asked, |gone| *gone).await;
    let state = kit.gateway.route_state("score").expect("a route");
    let members: Vec<_> = state.tiers[0].members.iter().map(|it| (it.path.as_str(), it.breaker.as_str())).collect();
    assert_eq!(members, [("panel/0", "closed"), ("panel/1", "closed"), ("panel/2", "closed")], "rule 5");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_a_member_says_nothing_of_a_row_of_which_it_is_not_sure() {
    let accept = ", accept: {confidence: outputs.sure, at_least: 0.5}";
    let kit = kit("output: label, quorum: 2, weights: [1, 5, 1]", accept).await;
    let got = ask(&kit, &[["c", "x"], ["c", "unsure"]]).await;
    assert_eq!(output(&got, "label"), ["x", "c"], "where it is sure it outweighs both");
    let record = kit.record(&got).await;
    assert_eq!(input(&record, "votes")["value"], "2", "of the row that has the fewest: {record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_agreement_goes_to_the_next_tier() {
    let kit = kit("output: label, quorum: 2, at_least: 0.6, weights: [1, 1, 1]", "").await;
    let got = ask(&kit, &[["a", "b"]]).await;
    assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-reason")), ("1", "DISAGREEMENT_HIGH"), "{got:?}");
    let got = ask(&kit, &[["c", "b"]]).await;
    assert_eq!(got.header("evenkeel-tier"), "0", "two of three");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_has_the_votes_of_each_ensemble_that_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("score.rules"), RULES).expect("written");
    let second = "      - name: jury
        vote: {output: label, quorum: 1, weights: [2, 1]}
        paths: [{oip: {upstream: big, model: first}}, {oip: {upstream: small, model: second}}]
      - {name: default";
    let config = CONFIG.replace("VOTE", "output: label, quorum: 2, at_least: 0.6, weights: [1, 1, 1]");
    let config = config.replace("ACCEPT", "").replace("      - {name: default", second);
    let kit = Kit::of(&config, folder.path(), models()).await;
    let got = ask(&kit, &[["a", "b"]]).await;
    assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-reason")), ("jury", "DISAGREEMENT_HIGH"), "{got:?}");
    let record = kit.record(&got).await;
    let weight = |it: &Value| (it["path"].as_str().map(str::to_owned), it["vote"]["weight_millionths"].as_u64());
    let votes: BTreeMap<_, _> = record["attempts"].as_array().expect("attempts").iter().map(weight).collect();
    for (path, weight) in
        [("panel/0", 1_000_000), ("panel/1", 1_000_000), ("panel/2", 1_000_000), ("jury/0", 2_000_000)]
    {
        assert_eq!(votes.get(&Some(path.to_owned())), Some(&Some(weight)), "{path}: {record}");
    }
}

const CHAT: &str = r#"
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    tiers:
      - name: panel
        vote: {weights: [1, 1, 1], quorum: 2}
        paths:
          - {openai: {upstream: big, model: large}}
          - {openai: {upstream: small, model: little}}
          - {openai: {upstream: small, model: other}}
      - {name: default, fixed: {content: "Later."}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_voted_on_and_streamed_as_the_winner_said_it() {
    let kit = Kit::chats(CHAT).await;
    let plain = kit.chat("chat", false).await;
    let streamed = kit.chat("chat", true).await;
    assert!(plain.is_whole() && streamed.is_whole(), "{plain:?} {streamed:?}");
    assert_eq!(plain.said(), streamed.said(), "all say the same words");
    assert!(streamed.header("content-type").starts_with("text/event-stream"));
    assert_eq!(streamed.header("evenkeel-method"), "ensemble");
    let models = ["large", "little", "other"];
    assert!(models.contains(&plain.json()["model"].as_str().expect("a model")), "who really answered: {plain:?}");
    assert!(models.contains(&streamed.chunks()[0]["model"].as_str().expect("a model")), "{streamed:?}");
    let record = kit.record(&streamed).await;
    assert_eq!(record["outcome"]["path"], "panel", "{record}");
    assert!(record["attempts"].as_array().is_some_and(|it| it.iter().all(|it| it["sent"] == false)), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_a_vote_less_and_a_tool_is_not_asked_of_several() {
    let kit = Kit::chats(CHAT).await;
    kit.break_primary("{fault: cut, after_tokens: 3, how: rst}");
    let got = kit.chat("chat", true).await;
    assert!(got.is_whole() && got.header("evenkeel-tier") == "0", "{got:?}");
    kit.break_small("{fault: cut, after_tokens: 3, how: rst, model: other}");
    let got = kit.chat("chat", true).await;
    assert_eq!((got.said().as_str(), got.header("evenkeel-reason")), ("Later.", "QUORUM_NOT_REACHED"), "{got:?}");
    let tools = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]});
    let got = kit.post("/v1/chat/completions", tools.to_string(), &[]).await;
    let record = kit.record(&got).await;
    assert_eq!(record["attempts"], json!([]), "{record}");
    assert!(record["candidates"][0]["reasons"].to_string().contains("CAPABILITY_MISSING"), "{record}");
    let against = record["inputs"].as_array().expect("a list").iter().filter(|it| it["signal"] == "features_missing");
    let of: Vec<_> = against.map(|it| it["of"].as_str().expect("text")).take(3).collect();
    assert_eq!(of, ["panel/0", "panel/1", "panel/2"], "each member, with its reason");
}
