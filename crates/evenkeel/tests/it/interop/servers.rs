//! Servers: Triton, MLServer and kserve, each from its own environment, started and waited for.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::process::{environments, http, is_left_out, skip, until};

/// How long a server may take to load its models, on a busy machine.
const READY: Duration = Duration::from_secs(120);

/// A real server, running; killed at the end.
pub(crate) struct Server {
    child: Child,
    /// What starts it, on the same ports each time.
    command: Command,
    /// Where it speaks REST.
    pub(crate) http: String,
    /// Where it speaks gRPC.
    pub(crate) grpc: String,
    ready: String,
}

/// Returns the folder of an environment's programs, where it is installed.
pub(crate) fn environment(name: &str) -> Option<PathBuf> {
    Some(environments().join(name).join("bin")).filter(|bin| bin.join("python").exists())
}

/// Says whether a test that needs these environments is left out, and notes why.
pub(crate) fn are_left_out(test: &str, environments: &[&str]) -> bool {
    if is_left_out(test, "it runs servers of others, and Python") {
        return true;
    }
    let missing = environments.iter().find(|name| environment(name).is_none());
    if let Some(missing) = missing {
        skip(test, &format!("no environment `{missing}` in the folder of test environments"));
    }
    missing.is_some()
}

/// Returns a script of the tests.
pub(crate) fn client(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

impl Server {
    /// Starts all three, and waits until each is ready: Triton, MLServer, kserve.
    pub(crate) fn start_all(folder: &Path) -> Vec<Self> {
        let servers = vec![Self::triton(folder), Self::mlserver(folder), Self::kserve()];
        servers.iter().for_each(Self::wait);
        servers
    }

    fn triton(folder: &Path) -> Self {
        let folder = folder.join("triton");
        Self::of(&told("tri", "triton_home.py", &[folder.to_str().expect("text")]))
    }

    fn kserve() -> Self {
        Self::of(&told("ks", "kserve_home.py", &[]))
    }

    fn mlserver(folder: &Path) -> Self {
        let folder = folder.join("mlserver");
        let told = told("mls", "mlserver_home.py", &[folder.to_str().expect("text")]);
        let program = environment("mls").expect("it was looked for").join("mlserver");
        let mut command = Command::new(program);
        command.args(["start", "."]).current_dir(&folder);
        let http = text(&told, "http").to_owned();
        let ready = text(&told, "ready").replace(&http, "");
        Self { child: silent(&mut command), command, grpc: format!("http://127.0.0.1:{}", told["grpc"]), http, ready }
    }

    fn of(told: &Value) -> Self {
        let words = |key: &str| told[key].as_array().expect("a list").iter().map(|it| it.as_str().expect("text"));
        let mut command = Command::new(words("command").next().expect("a program"));
        command.args(words("command").skip(1));
        let environment = told["environment"].as_object().expect("variables");
        command.envs(environment.iter().map(|(name, value)| (name, value.as_str().expect("text"))));
        let (http, grpc, ready) = (text(told, "http").into(), text(told, "grpc").into(), text(told, "ready").into());
        Self { child: silent(&mut command), command, http, grpc, ready }
    }

    /// Waits until it is ready.
    fn wait(&self) {
        let address = self.address();
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() || http(address, "GET", &self.ready, "").0 != 200 {
            assert!(begun.elapsed() < READY, "{} is not ready after {READY:?}", self.http);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Where it speaks REST, as a socket has it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.http.strip_prefix("http://").expect("an address").parse().expect("an address")
    }

    /// SIGSTOP: it holds its connections, and says nothing.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        // Each of its threads stops when it next gets a turn.
        let threads = format!("/proc/{}/task", self.child.id());
        until("a server that stands still", || {
            let threads = std::fs::read_dir(&threads).ok()?;
            let stopped = |thread: std::fs::DirEntry| {
                let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
            };
            threads.flatten().all(stopped).then_some(())
        });
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// SIGKILL: no goodbye on any connection.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Starts it again after it was killed, on the same ports, and waits until it is ready.
    pub(crate) fn restart(&mut self) {
        self.child = silent(&mut self.command);
        self.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script that prepares a server, and returns what it says.
pub(crate) fn told(environment_of: &str, script: &str, arguments: &[&str]) -> Value {
    let python = environment(environment_of).expect("it was looked for").join("python");
    let prepared = Command::new(python).arg(client(script)).args(arguments).output().expect("Python runs");
    assert!(prepared.status.success(), "{script}: {}", String::from_utf8_lossy(&prepared.stderr));
    serde_json::from_slice(&prepared.stdout).expect("JSON")
}

fn text<'v>(told: &'v Value, key: &str) -> &'v str {
    told[key].as_str().expect("text")
}

fn silent(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}
