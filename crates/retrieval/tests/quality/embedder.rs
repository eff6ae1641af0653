//! Embedder: the example's own, as a process that answers a line with a line; `tests/envs/emb.txt` names what it needs.
//!
//! What it has said is kept beside its environment, under a name made of the digest of its program, and of the text: two minutes of computing
//! for each run of the tests otherwise. Whoever changes the program makes all anew.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use evenkeel_retrieval::Embedder;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

/// all-MiniLM-L6-v2, as `examples/support-chat/embedder.py` has it.
pub(crate) struct MiniLm {
    python: PathBuf,
    script: PathBuf,
    /// Started once something is asked that it has not said before.
    process: Option<Process>,
    /// What it has said, by the text.
    said: BTreeMap<String, Vec<f32>>,
    kept: PathBuf,
}

/// The program while it runs.
struct Process {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    embedding: Vec<f32>,
}

impl MiniLm {
    /// Finds it; none, which is said, where its packages are not installed, or only the inner loop is wanted.
    pub(crate) fn start() -> Option<Self> {
        let told = std::env::var_os("EVENKEEL_TEST_ENVS").map(PathBuf::from);
        let environments = told
            .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/evenkeel-test"));
        let python = environments.join("emb/bin/python");
        if std::env::var_os("EVENKEEL_FAST").is_some() || !python.exists() {
            skip("no environment emb, or the inner loop");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat/embedder.py");
        let digest = Sha256::digest(fs::read(&script).expect("the program"));
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let kept = environments.join(format!("emb/said-{name}.json"));
        let said = fs::read(&kept).ok().and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default();
        Some(Self { python, script, process: None, said, kept })
    }
}

impl Process {
    fn start(python: &Path, script: &Path) -> Self {
        let mut command = Command::new(python);
        command.arg(script).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, input, output }
    }

    fn embed(&mut self, texts: &[&String]) -> Result<Vec<Vec<f32>>, String> {
        writeln!(self.input, "{}", json!({"input": texts})).map_err(|error| error.to_string())?;
        let line = self.output.next().ok_or("it has ended")?.map_err(|error| error.to_string())?;
        let answer: Answer = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        Ok(answer.data.into_iter().map(|it| it.embedding).collect())
    }
}

impl Embedder for MiniLm {
    fn model(&self) -> &str {
        "all-MiniLM-L6-v2"
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let new: Vec<_> = texts.iter().filter(|it| !self.said.contains_key(*it)).collect();
        if !new.is_empty() {
            let process = self.process.get_or_insert_with(|| Process::start(&self.python, &self.script));
            let vectors = process.embed(&new)?;
            self.said.extend(new.into_iter().cloned().zip(vectors));
        }
        Ok(texts.iter().map(|it| self.said[it].clone()).collect())
    }
}

impl Drop for MiniLm {
    fn drop(&mut self) {
        let Some(mut it) = self.process.take() else { return };
        let _ = it.process.kill();
        let _ = it.process.wait();
        let written = self.kept.with_extension(format!("{}", std::process::id()));
        let _ = fs::write(&written, json!(self.said).to_string()).and_then(|()| fs::rename(&written, &self.kept));
    }
}

/// Notes that what is found by meaning was not measured, for the list at the end of `./test`.
fn skip(reason: &str) {
    let line = format!("SKIP quality by meaning: {reason}\n");
    print!("{line}");
    if let Some(file) = std::env::var_os("EVENKEEL_SKIPS") {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list can be written");
    }
}
