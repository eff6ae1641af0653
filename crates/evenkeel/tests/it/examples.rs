//! The examples: each configuration passes `check`, and what its README shows with curl works.

use std::path::{Path, PathBuf};

use evenkeel_mock::{Mock, Options};

use crate::process::{Serving, evenkeel, http};

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
