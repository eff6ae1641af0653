//! Embedder: the example's own, as a process that answers a line with a line; `tests/envs/emb.txt` names what it needs.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use evenkeel_retrieval::Embedder;
use serde::Deserialize;
use serde_json::json;

/// all-MiniLM-L6-v2, as `examples/support-chat/embedder.py` has it.
pub(crate) struct MiniLm {
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
    /// Starts it; none, which is said, where its packages are not installed, or only the inner loop is wanted.
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
        let mut command = Command::new(python);
        command.arg(script).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped")).lines();
        Some(Self { process, input, output })
    }
}

impl Embedder for MiniLm {
    fn model(&self) -> &str {
        "all-MiniLM-L6-v2"
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        writeln!(self.input, "{}", json!({"input": texts})).map_err(|error| error.to_string())?;
        let line = self.output.next().ok_or("it has ended")?.map_err(|error| error.to_string())?;
        let answer: Answer = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        Ok(answer.data.into_iter().map(|it| it.embedding).collect())
    }
}

impl Drop for MiniLm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
