//! `evenkeel serve`: reloads that apply whole or not at all, and a drain that loses nothing.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    cli::TEN_MISTAKES,
    process::{Serving, get, http, until},
};

fn config(content: &str) -> String {
    format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\nroutes:\n  r:\n    protocol: \
         openai-chat\n    tiers: [{{name: d, fixed: {{content: \"{content}\"}}}}]\n"
    )
}

fn said(serving: &Serving) -> String {
    let body = r#"{"model":"r","messages":[{"role":"user","content":"x"}]}"#;
    let (status, answer) = http(serving.data, "POST", "/v1/chat/completions", body);
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
}

/// How many configurations were refused.
fn refused(serving: &Serving) -> u64 {
    let (_, metrics) = http(serving.admin, "GET", "/metrics", "");
    let counter = metrics.lines().find_map(|line| line.strip_prefix("evenkeel_config_apply_failures_total "));
    counter.expect(&metrics).parse().expect("a number")
}

#[test]
fn cf_01_g_014_a_saved_file_reloads_and_an_invalid_one_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("one")).expect("written");
    let serving = Serving::start(&file);
    assert_eq!(said(&serving), "one");
    let first = get(serving.admin, "/readyz");
    assert_eq!((&first["ready"], &first["rejected"], refused(&serving)), (&true.into(), &Value::Null, 0));

    fs::write(&file, TEN_MISTAKES).expect("written");
    let rejected = until("the refusal", || {
        let ready = get(serving.admin, "/readyz");
        (!ready["rejected"].is_null()).then_some(ready)
    });
    assert_eq!((&rejected["ready"], &rejected["revision"]), (&true.into(), &first["revision"]));
    assert_eq!(rejected["rejected"]["diagnostics"], 10, "{rejected}");
    let said_of_it = rejected["rejected"]["messages"].as_array().expect("what is wrong");
    assert_eq!(said_of_it.len(), 10, "{rejected}");
    assert!(said_of_it.iter().all(|it| it.as_str().is_some_and(|it| it.contains("\n    hint: "))), "{rejected}");
    until("the count", || (refused(&serving) == 1).then_some(()));
    let log = serving.log();
    let errors: Vec<&Value> = log.iter().filter(|line| line["level"] == "ERROR").collect();
    let (refusals, diagnostics): (Vec<&Value>, Vec<&Value>) =
        errors.into_iter().partition(|it| it["message"] == "configuration refused, the running one stays");
    assert_eq!((refusals.len(), diagnostics.len()), (1, 10), "{log:#?}");
    assert_eq!((&refusals[0]["diagnostics"], &refusals[0]["revision"]), (&10.into(), &first["revision"]));
    assert!(diagnostics.iter().all(|it| it["line"].is_u64() && it["hint"].is_string()), "{diagnostics:#?}");
    assert_eq!(said(&serving), "one", "the running revision goes on answering");

    fs::write(&file, config("three")).expect("written");
    until("the new revision", || (said(&serving) == "three").then_some(()));
    let ready = get(serving.admin, "/readyz");
    assert!(ready["rejected"].is_null() && ready["revision"] != first["revision"], "{ready}");
}

/// A route whose answer stands in a file of its own, which nobody watches.
fn config_of_rules(folder: &Path) -> &'static str {
    fs::create_dir(folder.join("rules")).expect("made");
    rules(folder, 0.25);
    "version: 1\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\nroutes:\n  r:\n    protocol: oip\n    input: \
     {tensor: x, columns: [a]}\n    output: {tensors: {score: {datatype: FP32, shape: [-1]}}}\n    tiers:\n      - {name: \
     rules, rules: {file: rules/r.rules}}\n"
}

fn rules(folder: &Path, score: f64) {
    let text = format!(
        "inputs: {{a: float}}\nmode: first\nrules:\n  - {{id: one, when: a > 1000.0, answer: {{score: 1.0}}, owner: o, why: \
         w}}\notherwise: {{score: {score}}}\n"
    );
    fs::write(folder.join("rules/r.rules"), text).expect("written");
}

fn score(serving: &Serving) -> f64 {
    let body = r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]}"#;
    let (status, answer) = http(serving.data, "POST", "/v2/models/r/infer", body);
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["outputs"][0]["data"][0].as_f64().expect("a score")
}

#[test]
fn f_175_a_hang_up_reads_again_what_the_file_names_and_a_termination_drains() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config_of_rules(folder.path())).expect("written");
    let serving = Serving::start(&file);
    assert_eq!(score(&serving), 0.25);
    rules(folder.path(), 0.75);
    assert_eq!(score(&serving), 0.25, "nobody has said that it changed");
    serving.signal("HUP");
    until("the new rules", || (score(&serving) == 0.75).then_some(()));
    let (status, _) = http(serving.data, "GET", "/metrics", "");
    assert_eq!(status, 404, "SE-07: the admin plane is not on the data port");
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
}

#[test]
fn pr_03_more_connections_than_a_shell_allows_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("one")).expect("written");
    let serving = Serving::start_with_few_files(&file);
    let open: Vec<_> = (0..100).map(|_| TcpStream::connect(serving.data).expect("taken")).collect();
    assert_eq!(said(&serving), "one", "beside {} others", open.len());
}

/// A route whose only model takes a request and never answers.
fn config_of_silence(silent: &TcpListener, drain: &str) -> String {
    format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", drain: {drain}}}\nupstreams: {{s: {{protocol: \
         openai, url: \"http://{}\"}}}}\nroutes:\n  r:\n    protocol: openai-chat\n    deadline: 60s\n    tiers: [{{name: p, \
         openai: {{upstream: s, model: m}}}}, {{name: d, fixed: {{content: later}}}}]\n",
        silent.local_addr().expect("bound")
    )
}

#[test]
fn f_175_the_drain_is_the_one_of_the_configuration_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, silent) = (folder.path().join("e.yaml"), TcpListener::bind("127.0.0.1:0").expect("a port"));
    fs::write(&file, config_of_silence(&silent, "60s")).expect("written");
    let serving = Serving::start(&file);
    let first = get(serving.admin, "/readyz")["revision"].clone();
    fs::write(&file, config_of_silence(&silent, "200ms")).expect("written");
    until("the new revision", || (get(serving.admin, "/readyz")["revision"] != first).then_some(()));
    let data = serving.data;
    let body = r#"{"model":"r","messages":[{"role":"user","content":"x"}]}"#;
    let asking = std::thread::spawn(move || http(data, "POST", "/v1/chat/completions", body));
    let _called = silent.accept().expect("the model is called");
    let start = Instant::now();
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(20), "it waited for {:?}", start.elapsed());
    let (status, answer) = asking.join().expect("an answer");
    assert!(status == 503 && answer.contains("stopping"), "PR-07: {status} {answer}");
}

#[test]
fn a_filter_of_the_log_that_cannot_be_read_is_told_and_is_not_silence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    fs::write(&file, config("one")).expect("written");
    let serving = Serving::start_with(&file, &[("EVENKEEL_LOG", "verbose")]);
    let told = |what: &str| until(what, || serving.log().into_iter().find(|it| it["message"].as_str() == Some(what)));
    assert_eq!(told("serving")["level"], "INFO");
    let warned = until("the warning", || serving.log().into_iter().find(|it| it["level"] == "WARN"));
    assert!(warned["message"].as_str().is_some_and(|it| it.starts_with("EVENKEEL_LOG cannot be read")), "{warned}");
    assert_eq!((&warned["value"], &warned["why"]), (&"verbose".into(), &"`verbose` is not a level".into()));
}
