//! Tiers that name their outputs otherwise: clients see one contract, whoever answers (`map`).

use std::collections::BTreeMap;

use evenkeel_gateway::prove;
use evenkeel_mock::{OipAnswer, OipModel, TensorSpec};
use serde_json::{Value, json};

use crate::{
    client::{Got, Kit},
    inference::rows,
};

/// Two models that agree in nothing but what they are asked, rules with names of their own, and a default.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: triton}
routes:
  loan:
    protocol: oip
    deadline: 2s
    input: {tensor: x, columns: [income, rooms]}
    output:
      tensors:
        action: {datatype: BYTES}
        score: {datatype: FP32, min: 0, max: 1}
    tiers:
      - name: primary
        oip: {upstream: big, model: scorer}
        total: 500ms
        retries: 0
        map:
          action: {from: predict, labels: [approve, review]}
          score: {from: predict_proba, column: 1, datatype: FP32, shape: [-1]}
      - name: second
        oip: {upstream: small, model: classic}
        total: 500ms
        retries: 0
        map:
          action: {from: class, round: true, labels: [approve, review, refuse]}
          score: {from: p}
      - name: rules
        rules: {file: loan.rules}
        map:
          action: {from: verdict, labels: [approve, review]}
          score: {from: risk}
  cautious:
    protocol: oip
    deadline: 2s
    input: {tensor: x, columns: [income, rooms]}
    output: {tensors: {action: {datatype: BYTES}, score: {datatype: FP32}}}
    tiers:
      - name: primary
        oip: {upstream: big, model: scorer}
        total: 500ms
        map:
          action: {default: review}
          score: {from: predict_proba, column: 1, datatype: FP32}
      - name: default
        fixed: {outputs: {unknown: 1}}
        map:
          action: {from: unknown, labels: [approve, review]}
          score: {default: 0.5}
  wrong:
    protocol: oip
    deadline: 2s
    output: {tensors: {action: {datatype: BYTES}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: scorer}, total: 500ms, map: {action: {from: predicted, labels: [approve, review]}}}
      - {name: default, fixed: {outputs: {action: nobody}}}
  narrow:
    protocol: oip
    deadline: 2s
    output: {tensors: {action: {datatype: BYTES}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: scorer}, total: 500ms, map: {action: {from: predict, labels: [only]}}}
      - {name: default, fixed: {outputs: {action: nobody}}}
"#;

const RULES: &str = "inputs: {income: float}
rules: [{id: low, when: income < 3.0, answer: {risk: 0.875, verdict: 1}}]
otherwise: {risk: 0.125, verdict: 0}
";

fn model(outputs: &[(&str, &str, &[i64], Vec<Value>)]) -> OipModel {
    let specs = outputs.iter().map(|(name, datatype, shape, _)| TensorSpec::new(*name, *datatype, *shape));
    let values = outputs.iter().map(|(name, _, _, values)| ((*name).to_owned(), values.clone()));
    OipModel {
        inputs: vec![TensorSpec::new("x", "FP32", [-1, 2])],
        outputs: specs.collect(),
        answer: OipAnswer::Declared(values.collect()),
    }
}

async fn kit() -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("loan.rules"), RULES).expect("written");
    let scorer = model(&[
        ("predict", "INT64", &[-1, 1], vec![json!(0), json!(1)]),
        ("predict_proba", "FP64", &[-1, 2], [0.75, 0.25, 0.25, 0.75].map(Value::from).into()),
    ]);
    let classic = model(&[
        ("class", "FP32", &[-1], vec![json!(2.0), json!(0.25)]),
        ("p", "FP32", &[-1, 1], vec![json!(0.5)]),
        ("more", "INT8", &[1], vec![json!(7)]),
    ]);
    let models = [("scorer", scorer), ("classic", classic)].map(|(name, it)| (name.to_owned(), it));
    Kit::of(CONFIG, folder.path(), BTreeMap::from(models)).await
}

impl Got {
    /// The outputs by name: datatype, shape and data.
    fn outputs(&self) -> BTreeMap<String, (String, Value, Value)> {
        let output = |it: &Value| {
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            (text("name"), (text("datatype"), it["shape"].clone(), it["data"].clone()))
        };
        self.json()["outputs"].as_array().unwrap_or_else(|| panic!("{self:?}")).iter().map(output).collect()
    }
}

/// What a client sees of an answer to two rows.
fn seen(actions: [&str; 2], scores: [f64; 2]) -> BTreeMap<String, (String, Value, Value)> {
    let output = |name: &str, datatype: &str, data| (name.to_owned(), (datatype.to_owned(), json!([2]), data));
    BTreeMap::from([output("action", "BYTES", json!(actions)), output("score", "FP32", json!(scores))])
}

/// The names of the outputs that each inference has asked a server for.
fn asked(log: &[evenkeel_mock::Attempt]) -> Vec<Vec<String>> {
    let names = |it: &evenkeel_mock::Attempt| {
        let body = it.body.as_deref().expect("a body");
        // Bytes stand behind the JSON of one of the two.
        let body = serde_json::Deserializer::from_slice(body).into_iter::<Value>().next().expect("JSON").expect("JSON");
        let names = body["outputs"].as_array().into_iter().flatten();
        names.map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    };
    log.iter().filter(|it| it.method == "POST").map(names).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_one_contract_whichever_tier_answers_and_however_it_names_its_outputs() {
    let kit = kit().await;
    let body = rows(&[[1.0, 2.0], [6.0, 3.0]]);
    let check = |got: &Got, tier: &str, actions, scores| {
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, tier), "{got:?}");
        assert_eq!(got.outputs(), seen(actions, scores), "{got:?}");
    };
    check(&kit.infer("loan", &body).await, "0", ["approve", "review"], [0.25, 0.75]);
    kit.big.kill().await;
    check(&kit.infer("loan", &body).await, "1", ["refuse", "approve"], [0.5, 0.5]);
    kit.small.kill().await;
    check(&kit.infer("loan", &body).await, "2", ["review", "approve"], [0.875, 0.125]);
    check(&kit.infer("cautious", &body).await, "1", ["review", "review"], [0.5, 0.5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_for_the_outputs_that_it_knows() {
    let kit = kit().await;
    let wanting = |names: &[&str]| {
        let mut body = rows(&[[1.0, 2.0], [6.0, 3.0]]);
        body["outputs"] = names.iter().map(|name| json!({"name": name})).collect();
        body
    };
    for names in [&["score"][..], &["score", "action"], &[]] {
        let got = kit.infer("loan", &wanting(names)).await;
        let outputs = got.outputs();
        let expected: Vec<&str> = if names.is_empty() { vec!["action", "score"] } else { names.to_vec() };
        assert!(outputs.len() == expected.len() && expected.iter().all(|it| outputs.contains_key(*it)), "{got:?}");
    }
    let got = kit.infer("cautious", &wanting(&["action"])).await;
    assert_eq!((got.header("evenkeel-tier"), &got.outputs()["action"].2), ("0", &json!(["review", "review"])));
    let log = asked(&kit.seen_by_primary().await);
    let both = vec!["predict".to_owned(), "predict_proba".to_owned()];
    assert_eq!(log, [vec!["predict_proba".to_owned()], both.clone(), both, vec![]]);

    kit.big.kill().await;
    assert_eq!(kit.infer("loan", &wanting(&["action"])).await.outputs()["action"].2, json!(["refuse", "approve"]));
    kit.small.settled().await;
    assert_eq!(asked(&kit.small.log()), [["class"]], "in the form of its dialect");
    let unknown = kit.infer("loan", &wanting(&["predict"])).await;
    assert_eq!(
        (unknown.status, unknown.json()["error"].as_str().is_some_and(|it| it.contains("predict"))),
        (400, true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_is_quality_and_an_absent_output_target_and_the_next_tier_answers() {
    let kit = kit().await;
    let body = rows(&[[1.0, 2.0], [6.0, 3.0]]);
    let result = async |got: &Got| kit.record(got).await["attempts"][0]["result"].clone();
    let got = kit.infer("narrow", &body).await;
    assert_eq!((got.header("evenkeel-tier"), got.header("evenkeel-reason")), ("1", "OUTPUT_OUT_OF_RANGE"), "{got:?}");
    assert_eq!(result(&got).await, "quality.contract_range", "the second row has no label");
    kit.break_primary("{fault: output_missing}");
    let got = kit.infer("loan", &body).await;
    assert_eq!((got.header("evenkeel-tier"), got.outputs().len()), ("1", 2), "{got:?}");
    assert_eq!(result(&got).await, "target.output_missing");
    kit.break_primary("{fault: output_wrong_dtype}");
    let got = kit.infer("loan", &body).await;
    assert_eq!((got.header("evenkeel-tier"), got.outputs().len()), ("1", 2), "{got:?}");
    assert_eq!(result(&got).await, "quality.contract_dtype");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_20_a_server_that_refuses_an_output_which_the_map_names_is_not_blamed_on_its_client() {
    let kit = kit().await;
    let got = kit.infer("wrong", &rows(&[[1.0, 2.0]])).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "1"), "{got:?}");
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "target.output_missing");
    // What a server with all outputs refuses is the client's own fault, also behind a map.
    kit.break_primary("{fault: status, status: 400}");
    let got = kit.infer("narrow", &rows(&[[1.0, 2.0]])).await;
    assert_eq!(got.status, 400, "{got:?}");
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "caller.caller_invalid");
}

#[test]
fn f_163_answers_of_this_process_are_proven_through_their_map_before_anybody_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let unfit = |rules: &str, from: &str, to: &str| {
        std::fs::write(folder.path().join("loan.rules"), rules).expect("written");
        let config = CONFIG.replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:2");
        assert!(config.contains(from), "{from}");
        let mut loaded = evenkeel_config::load_text("f", &config.replace(from, to), folder.path());
        let unfit = prove(&loaded.deployment.clone().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics)));
        loaded.refuse(unfit);
        let told = |it: &evenkeel_config::Diagnostic| (it.line, it.message.clone(), it.hint.clone());
        loaded.diagnostics.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(unfit(RULES, "version: 1", "version: 1"), []);
    let hint = "answer what `map` takes, or mend `map`".to_owned();
    let place = "one of its values has no place in the type, the labels or the range of the output";
    let message = format!("`map` does not make `action` of it: {place}");
    let three = RULES.replace("verdict: 1", "verdict: 2");
    assert_eq!(unfit(&three, "version: 1", "version: 1"), [(31, message.clone(), hint.clone())]);
    assert_eq!(unfit(RULES, "unknown: 1}", "unknown: 2}"), [(48, message, hint.clone())]);
    let message =
        "`map` does not make `action` of it: its type is not, and does not become, the one that the route promises";
    assert_eq!(unfit(RULES, "unknown: 1}", "unknown: 0.9}"), [(48, message.into(), hint)]);
    assert_eq!(
        unfit(
            RULES,
            "unknown: 1}}\n        map:\n          action: {",
            "unknown: 0.9}}\n        map:\n          action: {round: true, "
        ),
        []
    );
}
