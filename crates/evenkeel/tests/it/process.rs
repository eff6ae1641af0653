//! The binary as a process: started on free ports, read line by line, stopped by its signals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

/// How long something may take that a test waits for. Nothing is claimed by it: it ends a test that would never end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks, so that whoever is waited for can work meanwhile.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A variable of the environment.
pub(crate) type Variable<'a> = (&'a str, &'a str);

/// Runs a verb to its end.
pub(crate) fn evenkeel(arguments: &[&str]) -> Output {
    evenkeel_with(arguments, &[])
}

pub(crate) fn evenkeel_with(arguments: &[&str], variables: &[Variable<'_>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.args(arguments).envs(variables.iter().copied()).output().expect("the binary runs")
}

/// `evenkeel serve`, running.
pub(crate) struct Serving {
    child: Child,
    log: NamedTempFile,
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Its own folder, where it has one that goes with it.
    folder: Option<TempDir>,
}

impl Serving {
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_with(config, &[])
    }

    /// Starts it with a configuration of this text, in a folder that goes with it.
    pub(crate) fn start_text(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("evenkeel.yaml");
        std::fs::write(&config, text).expect("written");
        let mut serving = Self::start(&config);
        serving.folder = Some(folder);
        serving
    }

    pub(crate) fn start_with(config: &Path, variables: &[Variable<'_>]) -> Self {
        Self::spawn(&["serve", "-c", config.to_str().expect("text")], variables)
    }

    /// Starts another verb that serves.
    pub(crate) fn start_verb(arguments: &[&str]) -> Self {
        Self::spawn(arguments, &[])
    }

    fn spawn(arguments: &[&str], variables: &[Variable<'_>]) -> Self {
        let log = NamedTempFile::new().expect("a file");
        let (child, line) = spawn(arguments, variables, &log);
        let data = if line.contains("serves at https://") { "serves at https://" } else { "serves at http://" };
        Self { child, log, data: address(&line, data), admin: address(&line, "admin at http://"), folder: None }
    }

    /// Starts it with few open files allowed, and many if it asks.
    pub(crate) fn start_with_few_files(config: &Path) -> Self {
        Self::start_under("ulimit -S -n 64", config)
    }

    /// Starts it under a limit of the shell.
    pub(crate) fn start_under(limit: &str, config: &Path) -> Self {
        let log = NamedTempFile::new().expect("a file");
        let mut command = Command::new("sh");
        let script = format!("{limit} && exec \"$0\" serve -c \"$1\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_evenkeel")]);
        let (child, line) = said(command.arg(config), &log);
        Self {
            child,
            log,
            data: address(&line, "serves at http://"),
            admin: address(&line, "admin at http://"),
            folder: None,
        }
    }

    /// Counts its open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("the process is there");
        open.count()
    }

    /// Returns what it has logged, line by line; a line that is still being written is not there yet.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log.path()).expect("the log is there");
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn ended(self) -> Option<i32> {
        self.ended_and_where().0
    }

    /// Waits for its end and returns the exit code, and where it was.
    pub(crate) fn ended_and_where(mut self) -> (Option<i32>, SocketAddr) {
        (self.child.wait().expect("it ends").code(), self.data)
    }

    /// Returns the most memory that it has had, in KiB; zero where the system does not tell. The system counts roughly: it may be told as a
    /// little less later.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.map_or(0, |peak| peak.trim().trim_end_matches(" kB").parse().expect("a number"))
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
    _log: NamedTempFile,
    pub(crate) models: SocketAddr,
    pub(crate) control: SocketAddr,
}

impl Mocking {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::at("127.0.0.1:0", arguments)
    }

    pub(crate) fn at(listen: &str, arguments: &[&str]) -> Self {
        let log = NamedTempFile::new().expect("a file");
        let (child, line) = spawn(&[&["mock", "--listen", listen], arguments].concat(), &[], &log);
        let (models, control) = (address(&line, "models at http://"), address(&line, "control at http://"));
        Self { child, _log: log, models, control }
    }
}

impl Drop for Mocking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the binary; returns the first line that it says.
fn spawn(arguments: &[&str], variables: &[Variable<'_>], log: &NamedTempFile) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    said(command.args(arguments).envs(variables.iter().copied()), log)
}

/// Runs a command; returns the first line that it says.
fn said(command: &mut Command, log: &NamedTempFile) -> (Child, String) {
    let errors = log.reopen().expect("the file opens again");
    let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it says where it listens");
    let logged = || std::fs::read_to_string(log.path()).unwrap_or_default();
    assert!(!line.is_empty(), "{command:?} did not start: {}", logged());
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
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Says whether this is the inner loop (`./test --fast`), which leaves out what needs another program or half a minute.
pub(crate) fn is_left_out(test: &str, reason: &str) -> bool {
    let fast = std::env::var_os("EVENKEEL_FAST").is_some();
    if fast {
        skip(test, reason);
    }
    fast
}

/// The folder of what tests need beyond Rust.
pub(crate) fn environments() -> PathBuf {
    let told = std::env::var_os("EVENKEEL_TEST_ENVS").map(PathBuf::from);
    told.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/evenkeel-test"))
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
