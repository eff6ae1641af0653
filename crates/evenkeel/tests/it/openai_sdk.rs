//! The openai Python SDK, unmodified, against a route whose primary has each fault of the mock in turn.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use evenkeel_mock::{Mock, Options};
use serde_json::Value;

use crate::process::{Serving, skip};

/// The interpreter of the environment that holds the SDK, where it is installed.
fn python() -> Option<PathBuf> {
    let folder = std::env::var_os("EVENKEEL_TEST_ENVS").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/evenkeel-test")))?;
    Some(folder.join("oai/bin/python")).filter(|python| python.exists())
}

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "BIG/v1"}
  small: {protocol: openai, url: "SMALL/v1"}
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    retry_budget: {floor: 1000}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, first_token: 300ms, stall: 300ms, finalise: 100ms, breaker: BREAKER}
      - {name: small, openai: {upstream: small, model: little}, first_token: 1s}
      - {name: default, fixed: {content: "Later."}}
  vectors:
    protocol: openai-embeddings
    tiers: [{name: primary, openai: {upstream: big, model: embed}, space: e}]
"#;

/// What the client must see: of a plain call and of a stream, `tier N` for a whole answer from that tier, `error CODE`
/// for an exception with that code.
const ROWS: &[(&str, &str, &str, &str)] = &[
    ("healthy", "[]", "tier 0", "tier 0"),
    ("UP-03", "[{fault: rate_limited}]", "tier 1", "tier 1"),
    ("UP-05", "[{fault: quota_exhausted, told: status_400}]", "tier 1", "tier 1"),
    ("UP-05", "[{fault: quota_exhausted, told: in_band}]", "tier 1", "tier 1"),
    ("UP-06", "[{fault: status, status: 500, times: 1}]", "tier 0", "tier 0"),
    ("UP-07", "[{fault: status, status: 503}]", "tier 1", "tier 1"),
    ("UP-09", "[{fault: wrong_content_type}]", "tier 1", "tier 1"),
    ("UP-09", "[{fault: redirect}]", "tier 1", "tier 1"),
    ("UP-10", "[{fault: reset, times: 1}]", "tier 0", "tier 0"),
    ("UP-13", "[{fault: refuse}]", "tier 1", "tier 1"),
    ("UP-15", "[{fault: silence}]", "tier 1", "tier 1"),
    ("UP-16", "[{fault: slow_first_token, ms: 1000}]", "tier 0", "tier 1"),
    ("UP-21", "[{fault: credential_rejected}]", "tier 1", "tier 1"),
    ("UP-23", "[{fault: model_missing}]", "tier 1", "tier 1"),
    ("UP-24", "[{fault: context_length_exceeded}]", "tier 1", "tier 1"),
    ("UP-25", "[{fault: content_filter}]", "error 400", "error 400"),
    ("UP-27", "[{fault: error_in_body}]", "tier 1", "tier 1"),
    ("UP-27", "[{fault: empty_answer, what: text}]", "tier 1", "tier 1"),
    ("UP-30", "[{fault: slow_drip, bytes: 40, every_ms: 5}]", "tier 0", "tier 0"),
    ("ST-01", "[{fault: cut, after_tokens: 4, how: rst}]", "tier 1", "error stream_interrupted"),
    ("ST-02", "[{fault: stall, after_tokens: 4}]", "tier 1", "error stream_interrupted"),
    ("ST-03", "[{fault: garbled_event, at_token: 4}]", "tier 1", "tier 0"),
    ("ST-04", "[{fault: done_missing, hold: true}]", "tier 0", "tier 0"),
    ("ST-06", "[{fault: cut, after_tokens: 4, how: between_events}]", "tier 1", "error stream_interrupted"),
    ("ST-07", "[{fault: error_event, after_tokens: 4}]", "tier 0", "error stream_interrupted"),
    ("ST-08", "[{fault: error_event, after_tokens: 0}]", "tier 0", "tier 1"),
    ("ST-12", "[{fault: split_events, bytes: 1, line_end: crlf, comments: true}]", "tier 0", "tier 0"),
    ("ST-14", "[{fault: after_done, what: done}]", "tier 0", "tier 0"),
    ("ST-19", "[{fault: finish_reason, reason: length}]", "tier 0", "tier 0"),
];

#[tokio::test(flavor = "multi_thread")]
async fn up_03_up_05_up_06_up_07_st_01_st_02_st_03_st_04_as_the_python_sdk_sees_them() {
    let Some(python) = python() else {
        return skip("openai_sdk", "no environment `oai` in the folder of test environments");
    };
    let (big, small) = (Mock::start(Options::default()).await, Mock::start(Options::default()).await);
    let (big, small) = (big.expect("a mock"), small.expect("a mock"));
    // Rows follow one another on one path: its breaker comes back at once, and the script warms it up before each.
    let breaker = "{consecutive: 10000, low: [10000, 10000], fast: [10000, 1, 1s], slow: [10000, 1, 1s], open: 1ms, open_max: 1ms, ramp: [1]}";
    let text = CONFIG.replace("BIG", &big.url()).replace("SMALL", &small.url()).replace("BREAKER", breaker);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, text).expect("written");
    let rows: Vec<Value> =
        ROWS.iter().map(|(id, faults, ..)| serde_json::json!({"id": id, "faults": yaml(faults)})).collect();
    let control = format!("http://{}", big.control_address());
    let output = tokio::task::spawn_blocking(move || {
        let serving = Serving::start(&file);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/openai_faults.py");
        let base = format!("http://{}", serving.data);
        let rows = serde_json::to_string(&rows).expect("JSON");
        Command::new(python).arg(script).args([base, control, rows]).output().expect("Python runs")
    });
    let output = output.await.expect("it ran");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let mut wrong = Vec::new();
    for ((id, faults, plain, stream), seen) in ROWS.iter().zip(&seen) {
        if seen["plain"] != *plain || seen["stream"] != *stream {
            wrong.push(format!("{id} {faults}: expected {plain:?} and {stream:?}, the SDK saw {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{errors}", wrong.join("\n"));
    let last = seen.last().expect("a line");
    assert_eq!((seen.len(), &last["features"]), (ROWS.len() + 1, &"fine".into()), "{last}");
}

/// The flow style of YAML, with bare words, as the JSON that the control address takes.
fn yaml(faults: &str) -> Value {
    let rules = evenkeel_mock::parse_faults_yaml(faults).expect(faults);
    drop(rules);
    let quoted: String = faults
        .split_inclusive([':', ',', '{', '}', '[', ']'])
        .map(|part| {
            let (word, mark) = part.split_at(part.len() - 1);
            let bare = word.trim();
            let is_word = !bare.is_empty() && bare.parse::<f64>().is_err() && bare != "true" && bare != "false";
            if is_word { format!("\"{bare}\"{mark}") } else { part.to_owned() }
        })
        .collect();
    serde_json::from_str(&quoted).expect(&quoted)
}
