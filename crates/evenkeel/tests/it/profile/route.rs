//! A route whose rows are profiled as they are served: missing values, units, computed columns; and its reference, made before it is there.

use serde_json::{Value, json};

use super::{Folder, column, err, out};
use crate::process::{Serving, evenkeel, get, http};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
routes:
  fraud-score:
    protocol: oip
    input:
      features:
        amount: {type: float}
        age_s: {type: float, missing: -1, unit: s}
        vip: {type: bool}
        country: {type: category, missing: none}
      reference: ./fraud.ref
      derive: {amount_log: "log1p(amount)", young: "age_s < 100.0"}
    # With three numbers one at the edge is a third of them.
    guards: {missing: {max_ratio: 0.6}, noise: off}
    tiers:
      - {name: rules, rules: {file: fraud.rules}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;
const RULES: &str = "inputs: {amount: float}\nrules: [{id: large, when: amount > 900.0, answer: {score: 0.9}}]\notherwise: {score: 0.1}\n";

/// Amount, age, whether somebody is a good customer, country; as a table has them.
fn row(at: u64) -> (f64, f64, bool, &'static str) {
    let drawn = |of: u64, salt: u64| (at.wrapping_mul(2_654_435_761).wrapping_add(salt * 40_503) >> 7) % of;
    let age = if at.is_multiple_of(10) { -1.0 } else { drawn(1_000, 2) as f64 };
    (drawn(100_000, 1) as f64 / 100.0, age, drawn(3, 3) == 0, ["de", "fr", "it", "none"][drawn(4, 4) as usize])
}

fn folder() -> Folder {
    let folder = Folder::new();
    let line = |at: u64| {
        let (amount, age, vip, country) = row(at);
        // As pandas writes truth values.
        format!("{amount},{age},{},{country}\n", if vip { "True" } else { "False" })
    };
    let rows: String = (0..4_000).map(line).collect();
    folder.write("rows.csv", format!("amount,age_s,vip,country\n{rows}"));
    folder.write("fraud.yaml", CONFIG);
    folder.write("fraud.rules", RULES);
    folder
}

#[test]
fn rows_of_the_reference_pass_all_guards_of_the_route_that_they_were_profiled_for() {
    let folder = folder();
    let config = folder.path("fraud.yaml").display().to_string();
    // The reference that the file names is not there yet, or broken: it is made by this very command.
    let made = ["@rows.csv", "-o", "@fraud.ref", "--route", "fraud-score", "-c", &config, "--force"];
    let told = folder.json(&made);
    folder.write("fraud.ref", &folder.read("fraud.ref")[..500]);
    assert_eq!(told, folder.json(&made));

    let schema = told["header"]["schema"].as_array().expect("a list");
    let names: Vec<_> = schema.iter().map(|it| it["name"].as_str().unwrap_or("")).collect();
    assert_eq!(names, ["age_s", "amount", "country", "vip", "amount_log", "young"]);
    assert_eq!((&schema[0]["unit"], &schema[0]["required"]), (&json!("s"), &json!(false)));
    let none = (0..4_000).filter(|it| row(*it).3 == "none").count();
    for (name, missing) in [("age_s", 400), ("young", 400), ("country", none), ("amount_log", 0), ("vip", 0)] {
        assert_eq!(
            (&column(&told, name)["missing"], &column(&told, name)["invalid"]),
            (&json!(missing), &json!(0)),
            "{name}"
        );
    }
    let checked = evenkeel(&["check", &config]);
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));

    let serving = Serving::start(&folder.path("fraud.yaml"));
    for at in 0..30 {
        let (amount, age, vip, country) = row(at);
        let input = |name: &str, datatype: &str, value: Value| json!({"name": name, "datatype": datatype, "shape": [1], "data": [value]});
        let body = json!({"inputs": [
            input("amount", "FP64", json!(amount)), input("age_s", "FP64", json!(age)), input("vip", "BOOL", json!(vip)),
            input("country", "BYTES", json!(country)),
        ]});
        let (status, answer) = http(serving.data, "POST", "/v2/models/fraud-score/infer", &body.to_string());
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let id = answer["parameters"]["evenkeel.decision"].as_str().expect("an id");
        let record = get(serving.data, &format!("/v1/decisions/{id}"));
        let guards = record["guards"].as_array().expect("a list");
        assert!(guards.iter().any(|it| it["guard"] == "contract"), "{record}");
        assert!(guards.iter().all(|it| it["breached"] == false), "row {at}: {record}");
    }
    // The same rows are no drift of themselves, if they are read as the route reads them.
    let compared = folder.json(&["show", "@fraud.ref", "--against", "@rows.csv", "-c", &config]);
    assert!(compared["state"] != "Drift" && compared["missing_columns"] == json!([]), "{compared}");
    let compared = folder.json(&["show", "@fraud.ref", "--against", "@rows.csv"]);
    assert_eq!((&compared["state"], &compared["missing_columns"]), (&json!("Drift"), &json!(["amount_log", "young"])));
}

#[test]
fn what_the_route_says_wrong_of_its_columns_is_refused_and_nothing_is_written() {
    let folder = folder();
    for (from, to, words) in [
        ("unit: s", "unit: furlongs", "`furlongs` is no unit"),
        ("log1p(amount)", "log1p(amont)", "amont"),
        ("fraud-score:", "other:", "has no route `fraud-score`"),
    ] {
        folder.write("fraud.yaml", CONFIG.replacen(from, to, 1));
        let config = folder.path("fraud.yaml").display().to_string();
        let output = folder.profile(&["@rows.csv", "-o", "@fraud.ref", "--route", "fraud-score", "-c", &config]);
        assert!(output.status.code() == Some(2) && err(&output).contains(words), "{}{}", err(&output), out(&output));
        assert!(!folder.path("fraud.ref").exists());
    }
}
