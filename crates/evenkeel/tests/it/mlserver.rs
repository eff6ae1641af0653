//! A real MLServer with a scikit-learn model as the primary of the example `home-value`, killed under load; and the
//! tritonclient, unmodified, in JSON mode.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::process::{Serving, environments, get, http, is_left_out, skip, until};

/// The folder of the environment that holds MLServer and the tritonclient, where it is installed.
fn environment() -> Option<PathBuf> {
    Some(environments().join("mls/bin")).filter(|bin| bin.join("mlserver").exists())
}

fn client(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// The example, on free ports, with its files and another primary.
fn example(folder: &Path, primary: &str) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value");
    for file in ["distilled.onnx", "distilled.map.json", "home-value.rules", "rules.map.json", "home-value.ref"] {
        std::fs::copy(example.join(file), folder.join(file)).expect("copied");
    }
    let text = std::fs::read_to_string(example.join("evenkeel.yaml")).expect("the file is there");
    let text = text
        .replace("http://127.0.0.1:8090", primary)
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9090", "127.0.0.1:0");
    let file = folder.join("evenkeel.yaml");
    std::fs::write(&file, text).expect("written");
    file
}

/// A MLServer, running; killed at the end.
struct MlServer {
    child: Child,
    url: String,
}

impl MlServer {
    fn start(bin: &Path, folder: &Path) -> Self {
        Self::start_with(bin, folder, &[])
    }

    fn start_with(bin: &Path, folder: &Path, options: &[&str]) -> Self {
        let prepared =
            Command::new(bin.join("python")).arg(client("mlserver_home.py")).arg(folder).args(options).output();
        let prepared = prepared.expect("Python runs");
        assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
        let said: Value = serde_json::from_slice(&prepared.stdout).expect("JSON");
        let url = said["http"].as_str().expect("an address").to_owned();
        let mut child = Command::new(bin.join("mlserver"))
            .args(["start", "."])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("MLServer runs");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let server = Self { child, url };
        let loaded = said.by_ref().lines().map_while(Result::ok).any(|line| line.contains("Loaded model 'home-value'"));
        assert!(loaded, "MLServer ended before it had loaded its model");
        // It goes on to say something of every request, and waits for whoever does not read.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        server
    }

    /// SIGKILL: no goodbye on any connection.
    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

impl Drop for MlServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn up_10_up_13_mlserver_is_killed_under_load_and_the_onnx_tier_answers() {
    if is_left_out("mlserver", "it runs MLServer") {
        return;
    }
    let Some(bin) = environment() else {
        return skip("mlserver", "no environment `mls` in the folder of test environments");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = MlServer::start(&bin, &folder.path().join("server"));
    let serving = Serving::start(&example(folder.path(), &server.url));
    let mut load = Command::new(bin.join("python"))
        .arg(client("oip_load.py"))
        .arg(format!("http://{}", serving.data))
        .args(["--rate", "50", "--seconds", "10"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    until("a hundred answers of the primary", || {
        let (_, metrics) = http(serving.admin, "GET", "/metrics", "");
        let of_primary = |line: &&str| line.starts_with("evenkeel_requests_total") && line.contains("tier=\"0\"");
        let answered = metrics.lines().find(of_primary)?.rsplit(' ').next()?.parse::<f64>().ok()?;
        (answered >= 100.0).then_some(())
    });
    server.kill();
    let left = until("the transition", || {
        let state = get(serving.data, "/v1/routes/home-value/state");
        (state["tier"] == 1).then_some(state)
    });
    let lost = ["CONNECT_FAILED", "UPSTREAM_RESET"].map(Value::from);
    assert!(lost.contains(&left["reason"]), "the transition names the lost connection: {left}");
    let lines = BufReader::new(load.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let summary: Value = serde_json::from_str(&lines.last().expect("a summary")).expect("JSON");
    assert!(load.wait().expect("it ends").success());
    println!("{summary}");
    assert_eq!((&summary["requests"], &summary["failures"]), (&500.into(), &0.into()), "{summary}");
    let tiers: Vec<&String> = summary["by_tier"].as_object().expect("counts").keys().collect();
    assert_eq!(tiers, ["0", "1"], "{summary}");
    let pairs = summary["by_tier_and_reason"].as_array().expect("a list");
    let below: Vec<&Value> = pairs.iter().filter(|it| it["tier"] == "1").collect();
    assert!(lost.contains(&below[0]["reason"]), "the first decisions name the lost connection: {summary}");
    let (open, others): (Vec<&Value>, Vec<&Value>) = below.iter().partition(|it| it["reason"] == "BREAKER_OPEN");
    assert!(open[0]["count"].as_u64() > Some(250), "later ones the open breaker: {summary}");
    assert!(others.iter().all(|it| lost.contains(&it["reason"]) && it["count"].as_u64() < Some(20)), "{summary}");
}

#[test]
fn oip_12_oip_16_oip_24_oip_32_the_tritonclient_in_json_mode_works_with_a_real_server_behind() {
    if is_left_out("tritonclient", "it runs MLServer and Python") {
        return;
    }
    let Some(bin) = environment() else {
        return skip("tritonclient", "no environment `mls` in the folder of test environments");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = MlServer::start(&bin, &folder.path().join("server"));
    let serving = Serving::start(&example(folder.path(), &server.url));
    cases_are_fine(&bin, &serving, 0);
    drop(server);
    cases_are_fine(&bin, &serving, 1);
}

#[test]
fn oip_20_a_server_that_names_its_outputs_otherwise_answers_under_the_names_of_the_route() {
    if is_left_out("mlserver", "it runs MLServer") {
        return;
    }
    let Some(bin) = environment() else {
        return skip("mlserver", "no environment `mls` in the folder of test environments");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = MlServer::start_with(&bin, &folder.path().join("server"), &["--plain"]);
    let config = example(folder.path(), &server.url);
    let text = std::fs::read_to_string(&config).expect("it was written");
    let primary = "oip: {upstream: models, model: home-value}";
    let map = "map: {score: {from: predict_proba, column: 1, datatype: FP32}}";
    assert!(text.contains(primary), "{text}");
    std::fs::write(&config, text.replace(primary, &format!("{primary}, {map}"))).expect("written");
    let serving = Serving::start(&config);
    let row = "[6.0553, 29, 6.21827, 1.03723, 1457, 2.46531, 33.8, -118.08]";
    let ask = |outputs: &str| {
        let body =
            format!(r#"{{"inputs": [{{"name": "x", "datatype": "FP32", "shape": [1, 8], "data": {row}}}]{outputs}}}"#);
        let (status, answer) = http(serving.data, "POST", "/v2/models/home-value/infer", &body);
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let output = &answer["outputs"][0];
        let named = (output["name"].clone(), output["datatype"].clone(), output["shape"].clone());
        assert_eq!(named, ("score".into(), "FP32".into(), serde_json::json!([1])), "{status}: {answer}");
        (answer["parameters"]["evenkeel.tier"].clone(), output["data"][0].as_f64().expect("a number"))
    };
    let (tier, score) = ask("");
    assert!(tier == 0 && score > 0.5, "the probability of class 1, as it did not name it: {tier} {score}");
    assert_eq!(
        ask(r#", "outputs": [{"name": "score"}]"#),
        (0.into(), score),
        "nor does who asks for it see the other name"
    );
    drop(server);
    let (tier, score) = ask("");
    assert!(tier == 1 && score > 0.5, "{tier} {score}");
}

/// Every case of the client is as it should be, answered by this tier.
fn cases_are_fine(bin: &Path, serving: &Serving, tier: u8) {
    let script = Command::new(bin.join("python"))
        .arg(client("oip_triton.py"))
        .arg(format!("http://{}", serving.data))
        .output()
        .expect("Python runs");
    let printed = String::from_utf8_lossy(&script.stdout);
    let cases: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(cases.len(), 19, "{printed}{}", String::from_utf8_lossy(&script.stderr));
    for case in cases {
        assert_eq!(case["ok"], true, "{case}");
        if case["outputs"].as_object().is_some_and(|outputs| !outputs.is_empty()) {
            let told = &case["parameters"];
            assert_eq!(
                (&told["evenkeel.tier"], &told["evenkeel.route"]),
                (&tier.into(), &"home-value".into()),
                "{case}"
            );
        }
    }
}
