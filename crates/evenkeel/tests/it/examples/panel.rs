//! Panel: three members vote, one of them is killed, and the record says who said what.

use serde_json::{Value, json};

use super::{Example, examples};
use crate::process::{get, until};

fn infer(panel: &Example, body: &str) -> (Value, Vec<f64>) {
    let answer: Value = serde_json::from_str(&panel.ask("/v2/models/home-value/infer", body)).expect("JSON");
    let scores = answer["outputs"][0]["data"].as_array().expect("scores").iter();
    let scores = scores.map(|it| it.as_f64().expect("a number")).collect();
    (answer["parameters"].clone(), scores)
}

fn record(panel: &Example, told: &Value) -> Value {
    let id = told["evenkeel.decision"].as_str().expect("an id");
    get(panel.serving.data, &format!("/v1/decisions/{id}"))
}

/// The requests and the faults are those that its README shows.
#[test]
fn tn_11_panel_answers_as_its_readme_says_with_one_member_killed() {
    let model = examples().join("home-value/primary.onnx");
    let panel = Example::start("panel", &[&["--oip", &format!("home-value={}", model.display())]]);
    let [rows, broken] = panel.shown();
    let (told, scores) = infer(&panel, rows);
    assert_eq!((&told["evenkeel.method"], &told["evenkeel.tier"]), (&json!("ensemble"), &json!(0)));
    assert_eq!(told["evenkeel.attempts"], 3);
    assert!(scores[0] > 0.9 && scores[1] < 0.1, "{scores:?}");
    let whole = record(&panel, &told);
    let attempts = whole["attempts"].as_array().expect("a list");
    let paths: Vec<_> = attempts.iter().map(|it| (it["path"].as_str(), it["result"].as_str())).collect();
    assert_eq!(paths, ["panel/0", "panel/1", "panel/2"].map(|it| (Some(it), Some("ok"))), "{whole}");
    let votes: Vec<_> = attempts.iter().map(|it| (&it["vote"]["rows"], &it["vote"]["agreed"])).collect();
    assert_eq!(votes[..2], [(&json!(2), &json!(2)); 2], "{whole}");
    assert!(whole["inputs"].to_string().contains("agreement_permille"), "{whole}");

    panel.faults("PUT", broken);
    let (told, _) = infer(&panel, rows);
    assert_eq!((&told["evenkeel.method"], &told["evenkeel.tier"]), (&json!("ensemble"), &json!(0)), "{told}");
    let record_of_two = record(&panel, &told);
    assert_eq!(record_of_two["attempts"][0]["result"], "target.status_5xx", "{record_of_two}");
    until("the dead member is left alone", || {
        let (told, _) = infer(&panel, rows);
        assert_eq!(told["evenkeel.tier"], 0, "two of three are enough");
        let record = record(&panel, &told);
        (record["attempts"].as_array().map(Vec::len) == Some(2)).then_some(())
    });
    let state = get(panel.serving.data, "/v1/routes/home-value/state");
    let members: Vec<_> = state["tiers"][0]["members"].as_array().expect("a list").iter().collect();
    assert_eq!((&members[0]["path"], &members[0]["breaker"]), (&json!("panel/0"), &json!("open")), "{state}");
    assert_eq!(
        (&members[1]["breaker"], &state["tiers"][0]["breaker"]),
        (&json!("closed"), &json!("closed")),
        "{state}"
    );
}
