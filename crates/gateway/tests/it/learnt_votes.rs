//! Votes whose worth was learnt: which member is followed, what a client is told of it, and what the record says.

use std::collections::BTreeMap;

use evenkeel_config::{Alone, Kind, LearntVotes, load_to_learn};
use evenkeel_mock::{Evaluate, OipModel, Tensor, TensorData, TensorSpec};
use evenkeel_signals::{
    calibrate::{Asked, Said, Teacher, VoteCalibration},
    votes::{Ballot, Tally},
};
use serde_json::{Value, json};

use crate::client::{Got, Kit, chats, until};

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
    output: {tensors: {label: {datatype: BYTES}, sure: {datatype: FP32}}}
    tiers:
      - name: panel
        vote: {output: label, confidence: outputs.sure, VOTE}
        paths:
          - {oip: {upstream: big, model: first}}
          - {oip: {upstream: small, model: second}}
          - {rules: {file: score.rules}, map: {sure: {default: 1}}}
      - {name: default, fixed: {outputs: {label: none, sure: 0}}}
"#;
const RULES: &str = "inputs: {first: string}
rules: [{id: odd, when: first == 'odd', answer: {label: strange}}]
otherwise: {label: c}
";
const LEARNT: &str = "quorum: 2, calibration: votes.json";
const BY_MEMBER: &str = "quorum: 2, accuracies: [0.75, 0.7, 0.05]";

/// Says what the input of its own name says, as sure as it is told to be.
#[derive(Debug)]
struct Told(&'static str);

impl Evaluate for Told {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let input = |name: &str| inputs.iter().find(|it| it.name == name).ok_or_else(|| format!("no input {name}"));
        let (said, sure) = (input(self.0)?, input("sure")?);
        let output = |name: &str, datatype: &str, data: &TensorData| Tensor {
            name: name.into(),
            datatype: datatype.into(),
            shape: said.shape.clone(),
            data: data.clone(),
        };
        Ok(vec![output("label", "BYTES", &said.data), output("sure", "FP32", &sure.data)])
    }
}

fn models() -> BTreeMap<String, OipModel> {
    let spec = |name: &str, datatype: &str| TensorSpec::new(name, datatype, [-1]);
    let model = |name: &'static str| {
        let inputs = vec![spec("first", "BYTES"), spec("second", "BYTES"), spec("sure", "FP32")];
        OipModel::evaluated(inputs, vec![spec("label", "BYTES"), spec("sure", "FP32")], Told(name))
    };
    BTreeMap::from([("first".to_owned(), model("first")), ("second".to_owned(), model("second"))])
}

/// A number below 100, by row and by what it is for.
fn drawn(row: usize, of: usize) -> usize {
    (row.wrapping_mul(2_654_435_761).wrapping_add(of * 97_531) >> 9) % 100
}

/// What was learnt: the first is right where it is sure, and else on half of the rows; the second on seven of ten; the rules never.
fn learnt() -> VoteCalibration {
    let row = |at: usize| {
        let (sure, truth) = (at.is_multiple_of(2), if drawn(at, 1) < 50 { "a" } else { "b" });
        let said = |right: bool, confidence: Option<f64>| {
            let label = if right == (truth == "a") { "a" } else { "b" };
            Some(Said { label: label.into(), confidence })
        };
        // In the digits in which the models say it.
        let how = Some(f64::from(if sure { 0.9_f32 } else { 0.2 }));
        let rules = Some(Said { label: "c".into(), confidence: Some(1.0) });
        let said = vec![said(sure || drawn(at, 2) < 50, how), said(drawn(at, 3) < 70, how), rules];
        Asked { said, truth: truth.into() }
    };
    VoteCalibration::taught(Teacher::Labels, 0, &(0..2_000).map(row).collect::<Vec<_>>()).expect("rows")
}

async fn kit(vote: &str) -> Kit {
    kit_of(&CONFIG.replace("VOTE", vote)).await
}

async fn kit_of(config: &str) -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("score.rules"), RULES).expect("written");
    let nowhere = config.replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:2");
    std::fs::write(at.join("evenkeel.yaml"), nowhere).expect("written");
    let panel = Alone { route: "score".into(), tier: "panel".into() };
    let loaded = load_to_learn(&at.join("evenkeel.yaml"), &panel);
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let path = deployment.revision.routes[0].tiers[0].path;
    let Kind::Ensemble(ensemble) = &deployment.paths[path.index()].kind else { panic!("no ensemble") };
    let of = ensemble.of.clone();
    let votes = LearntVotes { route: "score".into(), of, as_of: 1_764_163_893, n: 2_000, learnt: learnt() };
    std::fs::write(at.join("votes.json"), votes.write()).expect("written");
    Kit::of(config, at, models()).await
}

async fn ask(kit: &Kit, rows: &[(&str, &str, f64)]) -> Got {
    let n = rows.len();
    let texts = |of: fn(&(&str, &str, f64)) -> String| rows.iter().map(of).collect::<Vec<_>>();
    let sure: Vec<_> = rows.iter().map(|it| it.2).collect();
    let body = json!({"inputs": [
        {"name": "first", "datatype": "BYTES", "shape": [n], "data": texts(|it| it.0.into())},
        {"name": "second", "datatype": "BYTES", "shape": [n], "data": texts(|it| it.1.into())},
        {"name": "sure", "datatype": "FP32", "shape": [n], "data": sure},
    ]});
    kit.post("/v2/models/score/infer", body.to_string(), &[]).await
}

fn labels(got: &Got) -> Vec<String> {
    let answer = got.json();
    let output = answer["outputs"].as_array().into_iter().flatten().find(|it| it["name"] == "label");
    let data = output.and_then(|it| it["data"].as_array()).unwrap_or_else(|| panic!("no labels: {answer}"));
    data.iter().map(|it| it.as_str().expect("text").to_owned()).collect()
}

/// How likely the winner is right where these have said so, in thousandths.
fn expected(said: &[Option<(&str, f64)>; 3]) -> u16 {
    let learnt = learnt();
    let ballot = |(voter, it): (usize, &Option<(&str, f64)>)| {
        let (label, sure) = (*it)?;
        let said = Said { label: label.into(), confidence: Some(f64::from(sure as f32)) };
        Some(Ballot { voter, weight: learnt.weight(0, voter, &said), class: label.into() })
    };
    let tally = Tally::of(&said.iter().enumerate().filter_map(ballot).collect::<Vec<_>>());
    (learnt.confidence(0, &tally).expect("it is known").p * 1e3).floor() as u16
}

fn told(permille: u16) -> String {
    format!("0.{permille:03}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_answer_is_worth_changes_the_winner_and_the_client_is_told_how_likely_it_is_right() {
    // With `at_least` everybody is waited for, so that it is known who has voted.
    let (learnt, by_member) = (kit(&format!("{LEARNT}, at_least: 0.01")).await, kit(BY_MEMBER).await);
    let rows = [("a", "b", 0.9), ("a", "b", 0.2)];
    let plain = ask(&by_member, &rows).await;
    assert_eq!(
        (labels(&plain), plain.header("evenkeel-confidence")),
        (vec!["a".to_owned(); 2], ""),
        "the first is better"
    );
    let got = ask(&learnt, &rows).await;
    assert_eq!(labels(&got), ["a", "b"], "but not where it is not sure");
    let rows: Vec<u16> =
        [0.9, 0.2].map(|sure| expected(&[Some(("a", sure)), Some(("b", sure)), Some(("c", 1.0))])).into();
    let least = rows.iter().min().copied().expect("two");
    assert_eq!(got.header("evenkeel-confidence"), format!("{};kind=votes;n=2000", told(least)));
    let parameters = got.json()["parameters"].clone();
    assert_eq!(parameters["evenkeel.confidence"], json!(f64::from(least) / 1e3));
    assert_eq!(
        (&parameters["evenkeel.confidence_kind"], &parameters["evenkeel.confidence_n"]),
        (&json!("votes"), &json!(2_000))
    );
    assert_eq!(parameters["evenkeel.confidence_as_of"], "2025-11-26T13:31:33Z");
    assert_eq!(parameters["evenkeel.row_confidences"], format!("{},{}", told(rows[0]), told(rows[1])));

    let record = learnt.record(&got).await;
    let votes = &record["votes"];
    assert_eq!((&votes["confidence_permille"], &votes["n"]), (&json!(least), &json!(2_000)), "{record}");
    assert!(votes["share_permille"].as_u64().is_some_and(|it| it != u64::from(least)), "{record}");
    assert!(votes["calibration"].as_str().is_some_and(|it| it.len() == "sha256:".len() + 12), "{record}");
    let confidence = json!({"kind": "votes", "value": told(least), "n": 2_000, "as_of": "2025-11-26T13:31:33Z"});
    assert_eq!(record["outcome"]["confidence"], confidence);
    let agreement = |record: &Value| {
        let inputs = record["inputs"].as_array().expect("a list").clone();
        inputs.into_iter().find(|it| it["signal"] == "agreement_permille").expect("it was compared")["value"].clone()
    };
    assert_eq!(agreement(&record), json!(least.to_string()), "what was compared is what was told");
    let again = ask(&learnt, &[("a", "b", 0.9), ("a", "b", 0.2)]).await;
    assert_eq!(
        (labels(&again), again.header("evenkeel-confidence")),
        (labels(&got), got.header("evenkeel-confidence"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn how_sure_members_are_counts_where_it_is_asked_alone() {
    // The same file cannot be taken for a vote that does not ask: it is refused (config). Without it the better member wins always.
    let kit = kit(LEARNT).await;
    let sure = ask(&kit, &[("a", "b", 0.9)]).await;
    let unsure = ask(&kit, &[("a", "b", 0.2)]).await;
    assert_eq!((labels(&sure), labels(&unsure)), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_asks_how_likely_the_answer_is_right() {
    let likely = expected(&[Some(("a", 0.2)), Some(("b", 0.2)), Some(("c", 1.0))]);
    assert!((400..950).contains(&likely), "or the bounds below show nothing: {likely}");
    let (below, above) = (f64::from(likely) / 1e3, f64::from(likely + 1) / 1e3);
    for (least, tier, reason) in [(below, "0", "NORMAL"), (above, "1", "DISAGREEMENT_HIGH")] {
        let kit = kit(&format!("{LEARNT}, at_least: {least}")).await;
        let got = ask(&kit, &[("a", "b", 0.2)]).await;
        assert_eq!(got.header("evenkeel-tier"), tier, "{least}: {got:?}");
        if tier == "1" {
            assert_eq!(
                (got.header("evenkeel-reason"), got.header("evenkeel-confidence")),
                (reason, ""),
                "another answers"
            );
            let record = kit.record(&got).await;
            assert_eq!(record["votes"]["confidence_permille"], likely, "{record}");
            assert!(record["outcome"].get("confidence").is_none(), "what was told is of another answer: {record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tn_11_with_a_dead_member_what_is_told_is_what_votes_without_it_are_worth() {
    let kit = kit(&format!("{LEARNT}, at_least: 0.01")).await;
    kit.break_small("{fault: status, status: 500}");
    let got = ask(&kit, &[("a", "b", 0.9)]).await;
    assert_eq!(labels(&got), ["a"]);
    let left = expected(&[Some(("a", 0.9)), None, Some(("c", 1.0))]);
    assert_eq!(got.header("evenkeel-confidence"), format!("{};kind=votes;n=2000", told(left)));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_142_a_kept_answer_of_a_vote_is_told_as_sure_as_it_was_given() {
    let config = CONFIG.replace("VOTE", &format!("{LEARNT}, at_least: 0.01"));
    let rows = [("a", "b", 0.9), ("a", "b", 0.2)];
    let confidences = |got: &Got| {
        got.json()["parameters"]
            .as_object()
            .expect("an object")
            .clone()
            .into_iter()
            .filter(|it| it.0.contains("confidence"))
            .collect::<Vec<_>>()
    };
    for (cache, tiers, reason) in [
        ("{ttl: 5m}", "", "CACHE_FRESH_HIT"),
        ("{fresh: false}", "      - {name: earlier, cache: {}}\n", "CACHE_STALE_HIT"),
    ] {
        let config = config.replace("    deadline: 3s\n", &format!("    deadline: 3s\n    cache: {cache}\n"));
        let kit = kit_of(&config.replace("      - {name: default", &format!("{tiers}      - {{name: default"))).await;
        let first = ask(&kit, &rows).await;
        assert!(first.header("evenkeel-confidence").ends_with(";kind=votes;n=2000"), "{first:?}");
        assert_eq!(confidences(&first).len(), 5, "{first:?}");
        if !tiers.is_empty() {
            kit.break_primary("{fault: status, status: 500}");
            kit.break_small("{fault: status, status: 500}");
        }
        let again = ask(&kit, &rows).await;
        assert_eq!((again.header("evenkeel-method"), again.header("evenkeel-reason")), ("cache", reason), "{again:?}");
        assert_eq!(again.header("evenkeel-confidence"), first.header("evenkeel-confidence"), "{cache}");
        assert_eq!(confidences(&again), confidences(&first), "{cache}");
        let (record, before) = (kit.record(&again).await, kit.record(&first).await);
        assert_eq!(record["outcome"]["confidence"], before["outcome"]["confidence"], "{record}");
        assert!(record["outcome"]["confidence"].is_object(), "{record}");
    }
}

/// Three models of chats that vote on a field, and answers that are given to other words at once.
const CHAT: &str = r#"
routes:
  score:
    protocol: openai-chat
    deadline: 5s
    cache: {semantic: {embeddings: {upstream: small, model: embed, timeout: 2s}, at_least: 0.6, fresh: true}}
    tiers:
      - name: panel
        vote: {json_field: label, calibration: votes.json, quorum: 2, at_least: 0.01}
        paths:
          - {openai: {upstream: big, model: large}}
          - {openai: {upstream: small, model: little}}
          - {openai: {upstream: small, model: other}}
      - {name: default, fixed: {content: "Later."}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn f_142_f_147_to_other_words_no_answer_is_told_how_likely_it_is_right() {
    let kit = kit_of(&chats(CHAT)).await;
    let label = json!({"type": "object", "properties": {"label": {"enum": ["a", "b"]}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "label", "schema": label}});
    let ask = async |question: &str| {
        let messages = json!([{"role": "user", "content": question}]);
        let body = json!({"model": "score", "messages": messages, "response_format": format});
        kit.post("/v1/chat/completions", body.to_string(), &[]).await
    };
    let (asked, again) = ("How do I reset my password?", "how do I reset the password, please");
    let first = ask(asked).await;
    assert!(first.header("evenkeel-confidence").ends_with(";kind=votes;n=2000"), "{first:?}");
    until(|| kit.metric(r#"evenkeel_cache_semantic_total{route="score",result="kept"}"#).filter(|it| *it >= 1.0)).await;
    for (question, reason, confidence) in
        [(again, "CACHE_SEMANTIC_HIT", ""), (asked, "CACHE_FRESH_HIT", first.header("evenkeel-confidence"))]
    {
        let got = ask(question).await;
        assert_eq!((got.header("evenkeel-reason"), got.said()), (reason, first.said()), "{got:?}");
        assert_eq!(got.header("evenkeel-confidence"), confidence, "{reason}");
        let (body, record) = (got.json()["evenkeel"].clone(), kit.record(&got).await);
        assert_eq!(body.get("confidence").is_some(), !confidence.is_empty(), "{body}");
        assert_eq!(record["outcome"].get("confidence").is_some(), !confidence.is_empty(), "{record}");
    }
}
