//! Home value: tensors, a model server that falls silent and lies, and how right each tier is.

mod drift;
mod labels;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Example, copy, examples};
use crate::process::{evenkeel, get, http, skip, until};

fn start() -> Example {
    start_changed(str::to_owned)
}

/// Starts it with another text of its configuration.
fn start_changed(change: impl Fn(&str) -> String) -> Example {
    let (model, folder) = (examples().join("home-value/primary.onnx"), tempfile::tempdir().expect("a folder"));
    copy(&examples().join("home-value"), folder.path());
    Example::start_in(folder, "home-value", &[&["--oip", &format!("home-value={}", model.display())]], change)
}

/// A row of a file: its features, and whether its houses are worth much.
struct Home {
    features: Vec<f64>,
    high: bool,
}

/// Reads the rows of a file, whose columns after `id` are the features and the outcome.
fn homes(file: &Path) -> Option<Vec<Home>> {
    let text = std::fs::read_to_string(file).ok()?;
    let home = |line: &str| {
        let mut features: Vec<f64> = line.split(',').skip(1).take(9).map(|it| it.parse().expect("a number")).collect();
        let high = features.pop() == Some(1.0);
        Home { features, high }
    };
    Some(text.lines().skip(1).map(home).collect())
}

/// The rows that the example has.
fn own_homes() -> Vec<Home> {
    homes(&examples().join("home-value/rows.csv")).expect("the file is there")
}

/// Where the whole data lie, beside the repository.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/predictive").join(name)
}

/// A request about some rows.
fn asking(features: &[&[f64]]) -> String {
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [features.len(), 8], "data": features}]}).to_string()
}

fn infer(home: &Example, body: &str) -> Value {
    serde_json::from_str(&home.ask("/v2/models/home-value/infer", body)).expect("JSON")
}

fn scores(answer: &Value) -> Vec<f64> {
    let scores = answer["outputs"][0]["data"].as_array().expect("scores");
    scores.iter().map(|it| it.as_f64().expect("a number")).collect()
}

/// The requests and the faults are those that its README shows, one after the other, and so are the answers.
#[test]
fn home_value_answers_as_its_readme_says() {
    let home = start();
    let [rows, silence, out_of_range] = home.shown();
    let shown = |text: &str| assert!(home.readme.contains(text), "the README does not show {text}");
    let ask = || {
        let answer = infer(&home, rows);
        assert_eq!(answer["id"], "two-rows", "{answer}");
        let told = |key: &str| answer["parameters"][format!("evenkeel.{key}")].clone();
        (told("tier").as_u64().expect("a tier"), told("reason").as_str().expect("a code").to_owned(), answer)
    };
    let (tier, reason, answer) = ask();
    assert_eq!((tier, reason.as_str()), (0, "PRIMARY_HEALTHY"));
    shown(&format!("\"data\":{}", answer["outputs"][0]["data"]));

    home.faults("PUT", silence);
    for expected in ["TIMEOUT", "TIMEOUT", "BREAKER_OPEN", "BREAKER_OPEN"] {
        let (tier, reason, answer) = ask();
        assert_eq!((tier, reason.as_str()), (1, expected));
        let [high, low] = scores(&answer)[..] else { panic!("two rows: {answer}") };
        shown(&format!("the scores {high:.3} and {low:.3}"));
    }
    shown("From the third request on\nthe reason is `BREAKER_OPEN`");
    home.faults("PUT", out_of_range);
    assert_eq!(ask().0, 1);

    home.faults("DELETE", "");
    until("the primary", || (ask().0 == 0).then_some(()));
    assert_eq!(get(home.serving.data, "/v1/routes/home-value/state")["route"], "home-value");
    let (status, error) =
        http(home.serving.data, "POST", "/v2/models/home-value/infer", &rows.replacen("33.8,", "90,", 1));
    assert_eq!(status, 400);
    shown(&error);
}

/// The accuracy that the data were published with, within a point, and the one that the README states, measured through
/// the gateway.
#[test]
fn home_value_is_as_right_as_its_readme_says() {
    let Some(rows) = homes(&data("live.csv")) else {
        return skip("home-value accuracy", "there is no ../shared/data/predictive/live.csv");
    };
    let mut home = start();
    // By their own scores: the maps have seen what the primary says of these rows.
    home.serve_changed(|line| line.split_once(", calibrate_to: ").map_or(line.into(), |(it, _)| format!("{it}}}")));
    let published = [Some(88.67), Some(81.87), None];
    for (tier, path) in ["primary", "distilled", "rules"].into_iter().enumerate() {
        match tier {
            0 => {}
            1 => home.faults("PUT", r#"[{"fault": "status", "status": 503}]"#),
            _ => home.serve_changed(|line| match line.contains("name: distilled,") {
                true => String::new(),
                false => line.replace("start_at: distilled", "start_at: rules"),
            }),
        }
        // In parts, so that a slow machine answers each before its deadline.
        let right = |part: &[Home]| {
            let answer = infer(&home, &asking(&part.iter().map(|it| &it.features[..]).collect::<Vec<_>>()));
            assert_eq!(answer["parameters"]["evenkeel.path"], path);
            scores(&answer).iter().zip(part).filter(|(score, row)| (**score >= 0.5) == row.high).count()
        };
        let right: usize = rows.chunks(200).map(right).sum();
        let accuracy = 100.0 * right as f64 / rows.len() as f64;
        println!("{path}: {accuracy:.2} % of {} rows", rows.len());
        let line = home.readme.lines().find(|it| it.starts_with(&format!("| `{path}`"))).expect("a line of the table");
        assert!(line.ends_with(&format!("| {accuracy:.2} % |")), "{path}: {accuracy:.2} %, and the README: {line}");
        assert!(published[tier].is_none_or(|it: f64| (accuracy - it).abs() <= 1.0), "{path}: {accuracy:.2} %");
    }
}

/// The maps that stand beside the example, and what its README says of them, are what the rows teach (acceptance of scale-keeping).
/// `bench/calibrate` has both written anew.
#[test]
fn home_value_keeps_the_primarys_scale_as_its_readme_says() {
    let live = data("live.csv");
    if !live.is_file() {
        return skip("home-value calibration", "there is no ../shared/data/predictive/live.csv");
    }
    let (example, folder) = (examples().join("home-value"), tempfile::tempdir().expect("a folder"));
    let (config, model) = (example.join("evenkeel.yaml"), example.join("primary.onnx"));
    let write = std::env::var_os("EVENKEEL_WRITE_CALIBRATION").is_some();
    let mut tables = String::new();
    for (tier, most) in [("distilled", 0.5), ("rules", 0.55)] {
        let map = folder.path().join("map.json");
        let of = format!("home-value/{tier}");
        let [config, live, model, map] = [&config, &live, &model, &map].map(|it| it.to_str().expect("text"));
        let learn = |more: &[&str]| {
            let told = ["calibrate", &of, live, "-c", config, "--primary-model", model, "--force", "-o", map];
            let output = evenkeel(&[&told[..], &["--match", "rate", "--as-of", "2026-11-26T00:00:00Z"], more].concat());
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text")
        };
        let judged: Value = serde_json::from_str(&learn(&["--json"])).expect("JSON");
        let actions = judged["actions"].as_array().expect("a list");
        let of = |it: &Value, key: &str| it[key].as_f64().expect("a number");
        let gap = |side: &str| actions.iter().map(|it| (of(it, side) - of(it, "primary")).abs()).sum::<f64>();
        assert!(actions.len() == 4 && gap("after") <= most * gap("before"), "S-MAP, {tier}: {judged}");
        tables += &format!("`{tier}`: {}\n", learn(&[]));

        let (learnt, kept) = (std::fs::read(map).expect("written"), example.join(format!("{tier}.map.json")));
        if write {
            std::fs::write(&kept, &learnt).expect("written");
        }
        assert_eq!(std::fs::read(kept).expect("it is there"), learnt, "{tier}: run bench/calibrate");
    }
    let readme = example.join("README.md");
    let text = std::fs::read_to_string(&readme).expect("it is there");
    let (begin, end) = ("<!-- calibrated: begin -->\n", "<!-- calibrated: end -->");
    let (head, rest) = text.split_once(begin).expect("the mark where the tables begin");
    let (old, tail) = rest.split_once(end).expect("the mark where they end");
    if write {
        std::fs::write(&readme, format!("{head}{begin}{tables}{end}{tail}")).expect("written");
    } else {
        assert_eq!(old, tables, "the README is not what is found: run bench/calibrate");
    }
}

/// Whoever has the rows makes the same reference, with what the README shows.
#[test]
fn the_reference_of_home_value_is_made_again_from_its_rows() {
    let Ok(text) = std::fs::read_to_string(data("train.csv")) else {
        return skip("home-value reference", "there is no ../shared/data/predictive/train.csv");
    };
    let (example, folder) = (examples().join("home-value"), tempfile::tempdir().expect("a folder"));
    let readme = std::fs::read_to_string(example.join("README.md")).expect("it is there");
    let shown = readme.lines().find_map(|it| it.strip_prefix("evenkeel profile FOLDER/train.csv ")).expect("shown");
    // The published file has what the models of its own makers said of each row, too.
    let own = |line: &str| line.split(',').take(10).collect::<Vec<_>>().join(",") + "\n";
    std::fs::write(folder.path().join("train.csv"), text.lines().map(own).collect::<String>()).expect("written");
    let [rows, made] = ["train.csv", "made.ref"].map(|it| folder.path().join(it).to_str().expect("text").to_owned());
    let shown = shown.replace("examples/home-value/home-value.ref", &made);
    let arguments: Vec<&str> = ["profile", &rows].into_iter().chain(shown.split(' ')).collect();
    let output = evenkeel(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let digest = |file: &str| {
        let told = evenkeel(&["profile", "show", file, "--json"]);
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        told["digest"].as_str().expect("a digest").to_owned()
    };
    let kept = example.join("home-value.ref");
    assert_eq!(digest(&made), digest(kept.to_str().expect("text")));
}
