//! The examples: each configuration passes `check`, and what its README shows with curl works.

use std::path::{Path, PathBuf};

use evenkeel_mock::{Mock, Options};

use serde_json::{Value, json};

use crate::process::{Mocking, Serving, evenkeel, get, http, skip, until};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

#[test]
fn every_example_passes_its_check() {
    let mut checked = 0;
    for entry in std::fs::read_dir(examples()).expect("the folder is there") {
        let file = entry.expect("readable").path().join("evenkeel.yaml");
        if file.is_file() {
            let output = evenkeel(&["check", file.to_str().expect("text")]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked} examples");
}

/// The quickstart with its ports replaced by free ones; its request is the one that its README shows.
#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_answers_as_its_readme_says() {
    let (primary, small) = (Mock::start(Options::default()).await, Mock::start(Options::default()).await);
    let (primary, small) = (primary.expect("a mock"), small.expect("a mock"));
    let text = std::fs::read_to_string(examples().join("quickstart/evenkeel.yaml")).expect("the file is there");
    let text = text
        .replace("127.0.0.1:8090", &primary.address().to_string())
        .replace("127.0.0.1:8091", &small.address().to_string())
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9090", "127.0.0.1:0");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, text).expect("written");
    let readme = std::fs::read_to_string(examples().join("quickstart/README.md")).expect("the file is there");
    let body = readme.split("-d '").nth(1).and_then(|it| it.split('\'').next()).expect("the README shows a request");
    let serving = tokio::task::spawn_blocking(move || Serving::start(&file)).await.expect("it starts");
    let (data, body) = (serving.data, body.to_owned());
    let ask = move || http(data, "POST", "/v1/chat/completions", &body);
    let (status, answer) = tokio::task::spawn_blocking(ask.clone()).await.expect("asked");
    assert!(status == 200 && answer.contains("\"tier\":0"), "{answer}");
    primary.kill().await;
    let (status, answer) = tokio::task::spawn_blocking(ask).await.expect("asked");
    assert!(status == 200 && answer.contains("\"tier\":1") && answer.contains("CONNECT_FAILED"), "{answer}");
    tokio::task::spawn_blocking(move || drop(serving)).await.expect("stopped");
}

/// The example `home-value`, its model server and its gateway, on free ports.
struct HomeValue {
    mock: Mocking,
    serving: Serving,
    _folder: tempfile::TempDir,
}

impl HomeValue {
    fn start() -> Self {
        let example = examples().join("home-value");
        let mock = Mocking::start(&["--oip", &format!("home-value={}", example.join("primary.onnx").display())]);
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["distilled.onnx", "home-value.rules"] {
            std::fs::copy(example.join(file), folder.path().join(file)).expect("copied");
        }
        let text = std::fs::read_to_string(example.join("evenkeel.yaml")).expect("the file is there");
        let text = text
            .replace("127.0.0.1:8090", &mock.models.to_string())
            .replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace("127.0.0.1:9090", "127.0.0.1:0");
        let file = folder.path().join("evenkeel.yaml");
        std::fs::write(&file, text).expect("written");
        Self { mock, serving: Serving::start(&file), _folder: folder }
    }

    fn infer(&self, body: &str) -> Value {
        let (status, answer) = http(self.serving.data, "POST", "/v2/models/home-value/infer", body);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    fn faults(&self, verb: &str, faults: &str) {
        assert_eq!(http(self.mock.control, verb, "/mock/faults", faults).0, 200);
    }
}

/// The requests and the faults are those that its README shows, one after the other.
#[test]
fn home_value_answers_as_its_readme_says() {
    let home = HomeValue::start();
    let readme = std::fs::read_to_string(examples().join("home-value/README.md")).expect("the file is there");
    let shown: Vec<&str> = readme.split("-d '").skip(1).filter_map(|it| it.split('\'').next()).collect();
    let [rows, silence, out_of_range] = shown[..] else { panic!("the README shows {shown:?}") };
    let ask = || {
        let answer = home.infer(rows);
        let scores = answer["outputs"][0]["data"].as_array().expect("scores").len();
        assert_eq!((scores, &answer["id"]), (2, &"two-rows".into()), "{answer}");
        answer["parameters"]["evenkeel.tier"].clone()
    };
    assert_eq!(ask(), 0);
    for fault in [silence, out_of_range] {
        home.faults("PUT", fault);
        assert_eq!(ask(), 1, "{fault}");
    }
    home.faults("DELETE", "");
    until("the primary", || (ask() == 0).then_some(()));
    assert_eq!(get(home.serving.data, "/v1/routes/home-value/state")["route"], "home-value");
}

/// The accuracy that the data were published with, within a point, measured through the gateway.
#[test]
fn home_value_is_as_right_as_the_published_models() {
    let live = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/predictive/live.csv");
    let Ok(text) = std::fs::read_to_string(&live) else {
        return skip("home-value accuracy", "there is no ../shared/data/predictive/live.csv");
    };
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').skip(1).take(9).map(|it| it.parse().expect("a number")).collect())
        .collect();
    let features: Vec<&[f64]> = rows.iter().map(|row| &row[..8]).collect();
    let input = json!({"name": "x", "datatype": "FP32", "shape": [rows.len(), 8], "data": features});
    let body = json!({"inputs": [input]}).to_string();
    let home = HomeValue::start();
    for (tier, published, fault) in [(0, 88.67, None), (1, 81.87, Some(r#"[{"fault": "status", "status": 503}]"#))] {
        fault.into_iter().for_each(|fault| home.faults("PUT", fault));
        let answer = home.infer(&body);
        assert_eq!(answer["parameters"]["evenkeel.tier"], tier);
        let scores = answer["outputs"][0]["data"].as_array().expect("scores").iter().filter_map(Value::as_f64);
        let right = scores.zip(&rows).filter(|(score, row)| (*score >= 0.5) == (row[8] == 1.0)).count();
        let accuracy = 100.0 * right as f64 / rows.len() as f64;
        println!("tier {tier}: {accuracy:.2} % of {} rows, published {published}", rows.len());
        assert!((accuracy - published).abs() <= 1.0, "tier {tier}: {accuracy:.2} %");
    }
}
