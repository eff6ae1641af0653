//! Home value, labels: what became of each row comes late, out of order and twice, and how right each tier is equals a count of it all.

use std::{collections::BTreeMap, process::Command};

use evenkeel_signals::eproc::of_counts;
use serde_json::{Value, json};

use super::{Example, Home, asking, infer, own_homes, scores, start, start_changed};
use crate::process::{evenkeel, get, skip};

/// The probability with which an interval of the labels may ever miss.
const ALPHA: f64 = 0.05;

/// What a client knows of an answer.
struct Answer {
    decision: String,
    /// Of each row: what the answer says of it, and what became of it.
    rows: Vec<(bool, bool)>,
}

impl Answer {
    /// Returns the feedback about it; `wrong` where it is not yet known better.
    fn item(&self, wrong: bool) -> Value {
        let labels: Vec<bool> = self.rows.iter().map(|it| it.1 != wrong).collect();
        match labels[..] {
            [label] => json!({"decision": self.decision, "label": label}),
            _ => json!({"decision": self.decision, "labels": labels}),
        }
    }
}

/// Asks about some rows; of strange ones the first has a thousand times as many people.
fn ask(home: &Example, homes: &[Home], strange: bool) -> Answer {
    let mut features: Vec<Vec<f64>> = homes.iter().map(|it| it.features.clone()).collect();
    if strange {
        features[0][4] *= 1_000.0;
    }
    let answer = infer(home, &asking(&features.iter().map(Vec::as_slice).collect::<Vec<_>>()));
    let decision = answer["parameters"]["evenkeel.decision"].as_str().expect("an id").to_owned();
    let rows = scores(&answer).iter().zip(homes).map(|(score, home)| (*score >= 0.5, home.high)).collect();
    Answer { decision, rows }
}

fn feedback(home: &Example, body: &Value) -> Value {
    serde_json::from_str(&home.ask("/v1/feedback", &body.to_string())).expect("JSON")
}

fn quality(home: &Example) -> Value {
    get(home.serving.admin, "/api/v1/quality?route=home-value")["routes"][0].clone()
}

/// Asks about all rows, one to three a request; after 80 requests the primary fails, and every sixth is a strange one.
fn ask_all(home: &Example, homes: &[Home]) -> Vec<Answer> {
    let (mut answers, mut rest) = (Vec::new(), homes);
    while !rest.is_empty() {
        if answers.len() == 80 {
            home.faults("PUT", r#"[{"fault": "status", "status": 503}]"#);
        }
        let (now, later) = rest.split_at(rest.len().min(1 + answers.len() % 3));
        answers.push(ask(home, now, answers.len() % 6 == 4));
        rest = later;
    }
    answers
}

/// Counts rows, and right ones, by tier: who answered stands in the log of decisions, what was said and what became of it the client
/// knows.
fn offline(home: &Example, answers: &[Answer]) -> [(u64, u64); 4] {
    let log = get(home.serving.admin, "/api/v1/decisions?route=home-value&last=1000");
    let tier = |it: &Value| (it["id"].as_str().expect("an id").to_owned(), it["outcome"]["tier"].as_u64());
    let tiers: BTreeMap<String, Option<u64>> = log["decisions"].as_array().expect("a list").iter().map(tier).collect();
    let mut counts = [(0, 0); 4];
    for answer in answers {
        let (all, right) = &mut counts[tiers[&answer.decision].expect("it was answered") as usize];
        *all += answer.rows.len() as u64;
        *right += answer.rows.iter().filter(|(said, truth)| said == truth).count() as u64;
    }
    counts
}

#[test]
fn home_values_accuracy_by_tier_equals_an_offline_count_once_all_labels_have_come() {
    // A request that is out of all range starts at the rules, so that three tiers answer.
    let home =
        start_changed(|text| text.replace("guards: {anomaly", "guards: {range: {then: {start_at: rules}}, anomaly"));
    let answers = ask_all(&home, &own_homes());

    // Out of order; of every fourth the wrong outcome first, and all of them once more.
    let n = answers.len();
    let order: Vec<usize> = (0..n).map(|at| at * 37 % n).collect();
    assert_eq!(n, 150, "37 has no divisor in common with it");
    let early: Vec<Value> = order.iter().filter(|at| *at % 4 == 0).map(|at| answers[*at].item(true)).collect();
    let said = feedback(&home, &json!(early));
    assert_eq!((&said["counted"], &said["refused"]), (&json!(early.len()), &json!(0)), "{said}");
    let half = quality(&home);
    let awaited =
        |tier: &Value| tier["labels"].as_u64() < tier["rows"].as_u64() && tier["bounds"][0] != tier["bounds"][1];
    assert!(half["tiers"].as_array().expect("a list").iter().take(3).all(awaited), "{half}");
    for at in &order {
        let expected = if at % 4 == 0 { "replaced" } else { "counted" };
        assert_eq!(feedback(&home, &answers[*at].item(false))["status"], expected);
    }
    let again: Vec<Value> = order.iter().rev().map(|at| answers[*at].item(false)).collect();
    let said = feedback(&home, &json!(again));
    assert_eq!((&said["replaced"], &said["counted"], &said["refused"]), (&json!(n), &json!(0), &json!(0)), "{said}");

    let (offline, live) = (offline(&home, &answers), quality(&home));
    assert_eq!((&live["held"], &live["forgotten"]), (&json!(n), &json!(0)));
    let status = evenkeel(&["status", "--url", &format!("http://{}", home.serving.admin)]);
    let words = String::from_utf8_lossy(&status.stdout).into_owned();
    for (tier, (all, right)) in offline.into_iter().enumerate().take(3) {
        assert!(all >= 20, "tier {tier} has answered {all} rows");
        is_told(&live["tiers"][tier], &words, (all, right));
    }
    assert_eq!((offline[3], live["tiers"][3]["labels"].as_u64()), ((0, 0), Some(0)));
}

/// Holds what is told of a tier, as figures and in words, against a count.
fn is_told(tier: &Value, words: &str, (all, right): (u64, u64)) {
    let (value, (low, high)) = (right as f64 / all as f64, of_counts(right, all - right, ALPHA));
    let accuracy = &tier["accuracy"];
    let counted = [&tier["rows"], &tier["labels"], &accuracy["n"], &accuracy["method"]];
    assert_eq!(counted, [&json!(all), &json!(all), &json!(all), &json!("labels")]);
    let figures = [&accuracy["value"], &accuracy["low"], &accuracy["high"]];
    assert_eq!(figures, [&json!(value), &json!(low), &json!(high)], "{tier}");
    assert_eq!(tier["bounds"], json!([value, value]), "nothing is to come");
    let line = format!("accuracy {value:.3}, between {low:.3} and {high:.3}, n = {all}, ");
    assert!(words.contains(&line), "{line} is not in {words}");
}

/// The script that the README has readers run.
#[test]
fn home_value_is_sent_rows_and_labels_by_the_script_of_its_readme() {
    let home = start();
    assert!(home.readme.contains("\npython3 examples/home-value/send.py --rows 300 --income 1.25 --labels\n"));
    let script = home.folder.path().join("send.py");
    let url = format!("http://{}", home.serving.data);
    let mut python = Command::new("python3");
    python.arg(script).args(["--rows", "40", "--income", "1.25", "--pace", "0", "--labels", "--url", &url]);
    let Ok(output) = python.output() else {
        return skip("home-value send.py", "there is no python3");
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let answered = said.lines().find_map(|it| it.trim_start().strip_prefix("40 rows answered by tier 0 (primary, "));
    let right = answered.and_then(|it| it.strip_prefix("PRIMARY_HEALTHY), ")).expect("who answered");
    let right: u64 = right.split(' ').next().and_then(|it| it.parse().ok()).expect("how many are right");
    assert!(said.ends_with("    40 labels counted, 0 replaced, 0 refused\n"), "{said}");
    assert_eq!(quality(&home)["tiers"][0]["accuracy"]["value"], json!(right as f64 / 40.0), "{said}");
}
