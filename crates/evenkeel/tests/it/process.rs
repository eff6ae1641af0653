//! The binary as a process: started on free ports, read line by line, stopped by its signals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Runs a verb to its end.
pub(crate) fn evenkeel(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(arguments).output().expect("the binary runs")
}

/// `evenkeel serve`, running.
pub(crate) struct Serving {
    child: Child,
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Serving {
    pub(crate) fn start(config: &Path) -> Self {
        let (child, line) = spawn(&["serve", "-c", config.to_str().expect("text")]);
        Self { child, data: address(&line, "serves at http://"), admin: address(&line, "admin at http://") }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `evenkeel mock`, running.
pub(crate) struct Mocking {
    child: Child,
    pub(crate) models: SocketAddr,
    pub(crate) control: SocketAddr,
}

impl Mocking {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (child, line) = spawn(&[&["mock", "--listen", "127.0.0.1:0"], arguments].concat());
        Self { child, models: address(&line, "models at http://"), control: address(&line, "control at http://") }
    }
}

impl Drop for Mocking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the binary; returns the first line that it says.
fn spawn(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it says where it listens");
    (child, line)
}

fn address(line: &str, after: &str) -> SocketAddr {
    let rest = line.split(after).nth(1).unwrap_or_else(|| panic!("no address in {line:?}"));
    rest.split([',', '/', '\n']).next().expect("a part").parse().expect("an address")
}

/// Sends one request and returns status and body.
pub(crate) fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    (status, body.to_owned())
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Value {
    let (_, body) = http(address, "GET", path, "");
    serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: not JSON: {body}"))
}

/// Looks until something is there.
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not come within 20 s");
        std::thread::yield_now();
    }
}

/// Notes that a test was skipped, for the list at the end of `./test`.
pub(crate) fn skip(test: &str, reason: &str) {
    println!("SKIP {test}: {reason}");
    if let Ok(file) = std::env::var("EVENKEEL_SKIPS") {
        let line = format!("SKIP {test}: {reason}\n");
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list can be written");
    }
}
