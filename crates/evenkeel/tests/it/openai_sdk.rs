//! The openai Python SDK, unmodified, against a route whose primary has each fault of the mock in turn.

mod rows;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use evenkeel_mock::{Mock, Options, Rule, parse_faults_yaml};
use serde_json::{Value, json};

use self::rows::{ROWS, Row};
use crate::process::{Serving, environments, is_left_out, skip};

/// The interpreter of the environment that holds the SDK, where it is installed.
fn python() -> Option<PathBuf> {
    Some(environments().join("oai/bin/python")).filter(|python| python.exists())
}

/// What every row shares, and the routes for what else the SDK does.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
routes:
  chat: ROUTE(big)
  vectors:
    protocol: openai-embeddings
    tiers: [{name: primary, openai: {upstream: big, model: embed}, space: e}]
"#;
const UPSTREAMS: &str = r#"
upstreams:
  big: UPSTREAM
  small: {protocol: openai, url: "SMALL/v1"}
"#;
const UPSTREAM: &str = r#"{protocol: openai, url: "BIG/v1"}"#;
const ROUTE: &str = r#"
    protocol: openai-chat
    deadline: 4s
    tiers:
      - name: primary
        openai: {upstream: NAME, model: large}
        first_token: 500ms
        stall: 500ms
        total: 2s
        finalise: 100ms
      - {name: small, openai: {upstream: small, model: little}, first_token: 1s}
      - {name: default, fixed: {content: "Later."}}
"#;

/// A route and an upstream of its own for each row, plain and streamed: no breaker and no gate remembers another row.
fn config(big: &str, small: &str) -> String {
    let names = (0..ROWS.len()).flat_map(|row| [route(row, "plain"), route(row, "stream")]);
    let (mut routes, mut upstreams) =
        (CONFIG.replace("ROUTE(big)", &ROUTE.replace("NAME", "big")), UPSTREAMS.to_owned());
    for name in names {
        routes += &format!("  {name}: {}", ROUTE.replace("NAME", &name));
        upstreams += &format!("  {name}: UPSTREAM\n");
    }
    (routes + &upstreams).replace("UPSTREAM", UPSTREAM).replace("BIG", big).replace("SMALL", small)
}

fn route(row: usize, kind: &str) -> String {
    format!("row-{row}-{kind}")
}

/// What the mock's faults do to a chat; these are about embeddings and tensors.
const NO_CHAT: [&str; 6] = [
    "embedding_width",
    "output_missing",
    "output_nonfinite",
    "output_out_of_range",
    "output_wrong_dtype",
    "output_wrong_shape",
];

/// Returns the names of all faults, as the mock tells them to somebody who asks for another one.
pub(crate) fn faults() -> BTreeSet<String> {
    let refused = parse_faults_yaml("[{fault: no_such_fault}]").expect_err("it is none").to_string();
    let (_, names) = refused.split_once("expected one of").expect("it tells what there is");
    let (names, _) = names.split_once(';').expect("then what every entry may have");
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rules(fault: &str) -> Vec<Rule> {
    parse_faults_yaml(fault).expect(fault)
}

#[test]
fn every_fault_that_can_break_a_chat_has_a_row() {
    let rows: BTreeSet<String> = ROWS.iter().flat_map(|row| rules(row.fault)).map(|rule| rule.name()).collect();
    let other: BTreeSet<String> = NO_CHAT.iter().map(|name| name.to_string()).collect();
    assert_eq!(rows.intersection(&other).count(), 0, "a fault with a row waits for none");
    assert_eq!(faults(), &rows | &other);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_mock_is_to_the_python_sdk_what_its_row_says() {
    if is_left_out("openai_sdk", "it runs Python") {
        return;
    }
    let Some(python) = python() else {
        return skip("openai_sdk", "no environment `oai` in the folder of test environments");
    };
    let alike = || Options { alike: true, ..Options::default() };
    let (big, small) = (Mock::start(alike()).await, Mock::start(alike()).await);
    let (big, small) = (big.expect("a mock"), small.expect("a mock"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.yaml");
    std::fs::write(&file, config(&big.url(), &small.url())).expect("written");
    let faults = |fault| rules(fault).iter().map(Rule::to_json).collect::<Vec<_>>();
    let asked = |(at, row): (usize, &Row)| {
        let [plain, stream] = ["plain", "stream"].map(|kind| route(at, kind));
        json!({"id": row.id, "faults": faults(row.fault), "plain": plain, "stream": stream})
    };
    let rows: Value = ROWS.iter().enumerate().map(asked).collect();
    let control = format!("http://{}", big.control_address());
    let output = tokio::task::spawn_blocking(move || {
        let serving = Serving::start(&file);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/openai_faults.py");
        let base = format!("http://{}", serving.data);
        Command::new(python).arg(script).args([base, control, rows.to_string()]).output().expect("Python runs")
    });
    let output = output.await.expect("it ran");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{errors}", String::from_utf8_lossy(&output.stdout));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let mut wrong = Vec::new();
    for (row, seen) in ROWS.iter().zip(&seen) {
        if seen["plain"] != row.plain || seen["stream"] != row.stream {
            wrong.push(format!("{row:?}: the SDK saw {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{errors}", wrong.join("\n"));
    let last = seen.last().expect("a line");
    assert_eq!((seen.len(), &last["features"]), (ROWS.len() + 1, &"fine".into()), "{last}");
}
