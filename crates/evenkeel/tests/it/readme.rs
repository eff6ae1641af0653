//! The README: what it lets a newcomer type works as typed.

use std::path::Path;

use evenkeel_mock::{Mock, Options, parse_faults_yaml};
use serde_json::Value;

use crate::process::{Serving, evenkeel_with, http};

/// The blocks of the section "Two minutes", in order.
fn blocks() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the file is there");
    let section = readme.split("\n## ").find(|it| it.starts_with("Two minutes")).expect("the section is there");
    section.split("```").skip(1).step_by(2).map(str::to_owned).collect()
}

/// The key is refused by a mock in place of the provider's server, and nothing listens where the own model would.
#[tokio::test(flavor = "multi_thread")]
async fn two_minutes_work_as_typed() {
    let blocks = blocks();
    let [file, commands, curl] = &blocks[..] else { panic!("three blocks: {blocks:?}") };
    let hosted = Mock::start(Options::default()).await.expect("a mock");
    hosted.set_faults(parse_faults_yaml("[{fault: credential_rejected}]").expect("a fault"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let file = file.strip_prefix("yaml\n").expect("the configuration").to_owned();
    assert!(file.contains("https://api.openai.com/v1") && !file.contains("server:"));
    let file = file.replace("https://api.openai.com", &hosted.url()).replace("127.0.0.1:8000", &nobody.to_string());
    let file = format!("{file}server: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\n");
    let (commands, curl) = (commands.clone(), curl.clone());
    let told = tokio::task::spawn_blocking(move || type_them(&file, &commands, &curl)).await.expect("typed");
    assert_eq!((&told["tier"], &told["method"], &told["degraded"]), (&2.into(), &"default".into(), &true.into()));
    assert_eq!(hosted.log().len(), 1);
}

/// Types the lines; returns what the answer says of itself.
fn type_them(file: &str, commands: &str, curl: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evenkeel.yaml");
    std::fs::write(&path, file).expect("written");
    let mut lines = commands.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    assert_eq!(lines.next(), Some(""));
    let variable = lines.next().and_then(|it| it.strip_prefix("export ")?.split_once('=')).expect("a key");
    assert_eq!(lines.next(), Some("cargo run --release -- check evenkeel.yaml"));
    let checked = evenkeel_with(&["check", path.to_str().expect("text")], &[variable]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    assert_eq!(lines.next(), Some("cargo run --release -- serve -c evenkeel.yaml"));
    let serving = Serving::start_with(&path, &[variable]);
    let asked = curl.trim().strip_prefix("curl -si http://127.0.0.1:8080").expect("the address of the default");
    let (at, body) = asked.split_once(" -d '").expect("a body");
    let (status, answer) = http(serving.data, "POST", at, body.trim_end_matches('\''));
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["evenkeel"].clone()
}
