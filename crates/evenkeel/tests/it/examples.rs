//! The examples: each configuration passes `check`, and what its README shows with curl works.

mod home_value;
mod panel;
mod quickstart;
mod support_chat;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Mocking, Serving, evenkeel, http};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

#[test]
fn every_example_passes_its_check() {
    let mut checked = 0;
    for entry in std::fs::read_dir(examples()).expect("the folder is there") {
        let example = entry.expect("readable").path();
        if example.join("evenkeel.yaml").is_file() {
            let folder = tempfile::tempdir().expect("a folder");
            copy(&example, folder.path());
            index(folder.path(), &[]);
            let file = folder.path().join("evenkeel.yaml");
            let text = std::fs::read_to_string(&file).expect("the file is there");
            std::fs::write(&file, text.replace(BY_MEANING, "")).expect("written");
            let output = evenkeel(&["check", file.to_str().expect("text")]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
            checked += 1;
        }
    }
    assert_eq!(checked, 4, "examples, each with a test of its own below");
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let from = entry.expect("readable").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            std::fs::create_dir(&to).expect("made");
            copy(&from, &to);
        } else {
            std::fs::copy(&from, to).expect("copied");
        }
    }
}

/// What the tier of an example whose documents are found by meaning, too, says of that.
const BY_MEANING: &str = ", embeddings: {upstream: embedder, model: all-MiniLM-L6-v2}";

/// Builds the index of the documents that an example has, as its README says: with nothing more, by words alone.
fn index(example: &Path, more: &[&str]) {
    let (documents, index) = (example.join("help-centre"), example.join("help-centre.index"));
    if documents.is_dir() {
        let synonyms = example.join("synonyms.txt");
        let [documents, index, synonyms] = [documents, index, synonyms].map(|it| it.to_str().expect("text").to_owned());
        let build = ["index", "build", &documents, "-o", &index, "--synonyms", &synonyms];
        let output = evenkeel(&[&build, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// An example with its mocks in their order, and its gateway, all on free ports.
struct Example {
    mocks: Vec<Mocking>,
    serving: Serving,
    readme: String,
    folder: tempfile::TempDir,
}

impl Example {
    /// Starts what its README starts, without Python; `mocks` are the arguments of each, which stands at 8090 and from there on.
    fn start(name: &str, mocks: &[&[&str]]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&examples().join(name), folder.path());
        index(folder.path(), &[]);
        Self::start_in(folder, name, mocks, |text| text.replace(BY_MEANING, ""))
    }

    /// Starts the gateway in a folder that is as its README makes it.
    fn start_in(folder: tempfile::TempDir, name: &str, mocks: &[&[&str]], change: impl Fn(&str) -> String) -> Self {
        let file = folder.path().join("evenkeel.yaml");
        let mut text = change(&std::fs::read_to_string(&file).expect("the file is there"));
        let mocks: Vec<Mocking> = mocks.iter().map(|arguments| Mocking::start(arguments)).collect();
        for (port, mock) in (8090..).zip(&mocks) {
            let told = format!("127.0.0.1:{port}");
            assert!(text.contains(&told), "{name} has no {told}");
            text = text.replace(&told, &mock.models.to_string());
        }
        text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:9090", "127.0.0.1:0");
        std::fs::write(&file, text).expect("written");
        let readme = std::fs::read_to_string(folder.path().join("README.md")).expect("the file is there");
        Self { mocks, serving: Serving::start(&file), readme, folder }
    }

    /// Serves the same with other lines.
    fn serve_changed(&mut self, change: impl Fn(&str) -> String) {
        let file = self.folder.path().join("evenkeel.yaml");
        let text = std::fs::read_to_string(&file).expect("the file is there");
        let changed: Vec<String> = text.lines().map(change).collect();
        std::fs::write(&file, changed.join("\n")).expect("written");
        self.serving = Serving::start(&file);
    }

    /// What its README sends with curl, in order.
    fn shown<const N: usize>(&self) -> [&str; N] {
        let shown: Vec<&str> = self.readme.split("-d '").skip(1).filter_map(|it| it.split('\'').next()).collect();
        shown[..].try_into().unwrap_or_else(|_| panic!("the README shows {shown:?}"))
    }

    fn ask(&self, path: &str, body: &str) -> String {
        let (status, answer) = http(self.serving.data, "POST", path, body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Asks for a chat completion; returns what the object `evenkeel` says.
    fn chat(&self, body: &str) -> Value {
        let answer: Value = serde_json::from_str(&self.ask("/v1/chat/completions", body)).expect("JSON");
        answer["evenkeel"].clone()
    }

    fn faults(&self, verb: &str, faults: &str) {
        assert_eq!(http(self.mocks[0].control, verb, "/mock/faults", faults).0, 200, "{faults}");
    }
}
