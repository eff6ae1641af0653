//! Process: one process of the binary, what it says, and what the system says of it.

use std::{
    fs,
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long a process may take to say where it listens.
const START: Duration = Duration::from_secs(60);

const BINARY: &str = env!("CARGO_BIN_EXE_evenkeel");

/// One process. Dropped, it is killed.
pub(crate) struct Process {
    child: tokio::sync::Mutex<Child>,
    log: NamedTempFile,
    pub(crate) pid: u32,
    /// The first line that it said.
    line: String,
}

impl Process {
    /// Starts a verb of the binary and waits for its first line.
    pub(crate) async fn start(arguments: &[&str]) -> Process {
        Process::run_as(Command::new(BINARY), arguments).await
    }

    /// As [`start`](Self::start), but with no more than so many files open at once.
    pub(crate) async fn start_with(files: u32, arguments: &[&str]) -> Process {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), BINARY]);
        Process::run_as(shell, arguments).await
    }

    async fn run_as(mut command: Command, arguments: &[&str]) -> Process {
        let log = NamedTempFile::new().expect("a file");
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log.reopen().expect("the file opens again"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = timeout(START, lines.next_line()).await.ok().and_then(Result::ok).flatten();
        let said = || fs::read_to_string(log.path()).unwrap_or_default();
        let line = line.unwrap_or_else(|| panic!("{arguments:?} did not start: {}", said()));
        let pid = child.id().expect("it runs");
        Process { child: tokio::sync::Mutex::new(child), log, pid, line }
    }

    /// Runs a verb to its end and returns all that it says.
    pub(crate) async fn run(arguments: &[&str]) -> String {
        let mut command = Command::new(BINARY);
        let output = command.args(arguments).output().await.expect("the binary runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Returns the address that stands behind some words of the first line.
    pub(crate) fn address(&self, after: &str) -> SocketAddr {
        let rest = self.line.split(after).nth(1).unwrap_or_else(|| panic!("no `{after}` in {:?}", self.line));
        rest.split([',', '/', '\n']).next().expect("a part").parse().expect("an address")
    }

    /// Returns what it has logged.
    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// Returns the lines that it has logged and that hold a text.
    pub(crate) fn lines(&self, with: &str) -> Vec<Value> {
        let text = self.log_text();
        let lines = text.lines().filter(|line| line.contains(with));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub(crate) async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid.to_string()]).status().await;
        assert!(sent.expect("kill runs").success(), "SIG{name}");
    }

    /// Says whether it still runs.
    pub(crate) async fn runs(&self) -> bool {
        matches!(self.child.lock().await.try_wait(), Ok(None))
    }

    /// Waits for its end. Returns its exit code and how long that took; no code for one that did not end in time.
    pub(crate) async fn ended(&self, within: Duration) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let ended = timeout(within, async { self.child.lock().await.wait().await }).await;
        (ended.ok().and_then(Result::ok).and_then(|it| it.code()), start.elapsed())
    }

    /// Counts the sockets that it holds.
    pub(crate) fn sockets(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        let is_socket = |at: std::path::PathBuf| {
            fs::read_link(at).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        open.filter(|it| is_socket(it.path())).count()
    }

    /// Returns the most memory that it has had once it has begun all that it does without being asked, in KiB: what has not grown
    /// for a second.
    pub(crate) async fn at_rest_kib(&self) -> u64 {
        let (mut last, mut same) = (self.peak_kib(), 0);
        while same < 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.peak_kib();
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    }

    /// Returns the most memory that it ever had in use, in KiB (`VmHWM`).
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|it| it.trim().strip_suffix(" kB")).and_then(|it| it.trim().parse().ok()).unwrap_or(0)
    }
}
