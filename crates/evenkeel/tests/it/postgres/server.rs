//! A PostgreSQL on a free port of this machine, as an unprivileged user where the tests run as root; killed at the end.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::process::environments;

/// The password of everybody; nobody may see it.
pub(super) const PASSWORD: &str = "hush-hush";
/// Debian's user for those who are nobody.
const NOBODY: u32 = 65_534;
/// How long a server may take to start, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// Where the programs of a server are.
pub(super) struct Programs {
    pub(super) name: &'static str,
    bin: PathBuf,
    /// They are where only root can reach them, and are copied.
    hidden: Option<PathBuf>,
}

/// Returns the servers that this machine has, and why not the others.
pub(super) fn programs() -> [Result<Programs, String>; 2] {
    let newest = |folder: &Path, below: &str| {
        let versions = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let with = versions
            .map(|it| it.path().join(below))
            .filter(|it| it.join("initdb").exists() && it.join("psql").exists());
        with.max()
    };
    let debian = newest(Path::new("/usr/lib/postgresql"), "bin");
    let debian = debian.map(|bin| Programs { name: "Debian's PostgreSQL", bin, hidden: None });
    let packages = environments().join("pg/lib");
    let pypi = newest(&packages, "site-packages/pgserver/pginstall/bin");
    let pypi = pypi.map(|bin| {
        let packages = bin.ancestors().nth(3).expect("it is three folders below").to_owned();
        Programs { name: "PyPI pgserver, with pgvector", bin, hidden: is_root().then_some(packages) }
    });
    let apt = "no PostgreSQL in /usr/lib/postgresql: `apt-get install postgresql` brings one";
    [debian.ok_or(apt.into()), pypi.ok_or("no environment `pg` in the folder of test environments".into())]
}

fn is_root() -> bool {
    // Whose the process is: its own folder says so.
    std::fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0)
}

/// A server, running or not.
pub(super) struct Postgres {
    pub(super) name: &'static str,
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Postgres {
    pub(super) fn start(programs: Programs) -> Self {
        let folder = tempfile::Builder::new().prefix("evenkeel-pg").tempdir_in("/tmp").expect("a folder");
        run(Command::new("chmod").arg("755").arg(folder.path()));
        let bin = match programs.hidden {
            None => programs.bin,
            Some(packages) => {
                let to = folder.path().join("programs");
                std::fs::create_dir_all(to.join("pgserver")).expect("made");
                run(Command::new("cp").arg("-r").arg(packages.join("pgserver/pginstall")).arg(to.join("pgserver")));
                run(Command::new("cp").arg("-r").arg(packages.join("pgserver.libs")).arg(&to));
                to.join("pgserver/pginstall/bin")
            }
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let mut it = Self { name: programs.name, bin, folder, port, child: None };
        let home = it.folder.path().join("home");
        std::fs::create_dir(&home).expect("made");
        if is_root() {
            std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).expect("given away");
        }
        let mut initdb = it.command("initdb");
        run(initdb
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(it.data()));
        it.spawn();
        it.sql(&format!(
            "CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE reader LOGIN; CREATE DATABASE help"
        ));
        // Whoever is `locked` has to know the password; the others are believed, since hashing takes its time in a debug build.
        let hba = "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n";
        std::fs::write(it.data().join("pg_hba.conf"), hba).expect("written");
        it.sql("SELECT pg_reload_conf()");
        it
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("home/data")
    }

    /// One of its programs, as whom it runs.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(self.folder.path().join("home")).stdin(Stdio::null());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// The URL of its database, for the one who owns everything; it has a password, though nobody asks for it.
    pub(super) fn url(&self) -> String {
        self.url_of("postgres", PASSWORD)
    }

    pub(super) fn url_of(&self, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/help", self.port)
    }

    /// Runs statements in its database; returns what they print.
    pub(super) fn sql(&self, statements: &str) -> String {
        let database = if statements.contains("CREATE DATABASE") { "postgres" } else { "help" };
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database, "-AtX"]);
        for statement in statements.split("; ") {
            psql.args(["-c", statement]);
        }
        run(&mut psql)
    }

    /// Says whether it has pgvector.
    pub(super) fn knows_vectors(&self) -> bool {
        self.sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "1"
    }

    /// Lets it encrypt, with a certificate and its key.
    ///
    /// # Errors
    /// It was built without TLS.
    pub(super) fn encrypt(&self, certificate: &str) -> Result<(), String> {
        let file = self.data().join("server.pem");
        std::fs::write(&file, certificate).expect("written");
        if is_root() {
            std::os::unix::fs::chown(&file, Some(NOBODY), Some(NOBODY)).expect("given away");
        }
        run(Command::new("chmod").arg("600").arg(&file));
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", "help"]);
        for name in ["ssl_cert_file", "ssl_key_file"] {
            psql.args(["-c", &format!("ALTER SYSTEM SET {name} = 'server.pem'")]);
        }
        let set = psql.args(["-c", "ALTER SYSTEM SET ssl = on"]).output().expect("psql runs");
        if !set.status.success() || String::from_utf8_lossy(&set.stderr).contains("not supported") {
            return Err(String::from_utf8_lossy(&set.stderr).trim().to_owned());
        }
        self.sql("SELECT pg_reload_conf()");
        // Whoever starts a connection before the reload is through gets none.
        crate::process::until("TLS", || (self.sql("SHOW ssl") == "on").then_some(()));
        Ok(())
    }

    /// Starts it, on the port that it has.
    pub(super) fn spawn(&mut self) {
        let begun = Instant::now();
        while self.child.is_none() {
            let mut postgres = self.command("postgres");
            postgres
                .arg("-D")
                .arg(self.data())
                .args(["-p", &self.port.to_string()])
                .args(["-c", "listen_addresses=127.0.0.1"]);
            postgres.args(["-c", "fsync=off", "-c", "unix_socket_directories="]);
            let mut child = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("PostgreSQL runs");
            // It is not taken at once where one that was killed has not let go of its memory yet.
            while child.try_wait().expect("asked").is_none() {
                let ready = self
                    .command("psql")
                    .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"])
                    .args(["-d", "postgres", "-c", "SELECT 1"])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status();
                if ready.expect("psql runs").success() {
                    self.child = Some(child);
                    return;
                }
                assert!(begun.elapsed() < READY, "{} is not ready", self.name);
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(begun.elapsed() < READY, "{} does not start", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal to all of it: first to the process that makes those of connections. It ends when nothing is left that has
    /// not heeded it: a connection that goes on would answer for all the others.
    pub(super) fn signal(&self, name: &str) {
        let Some(child) = &self.child else { return };
        let id = child.id();
        let send = |id: u32| {
            // One of a connection may have ended meanwhile.
            let _ = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).stderr(Stdio::null()).status();
        };
        if name == "KILL" {
            // Those of a process that is dead are nobody's.
            self.signal("STOP");
            processes_of(id).into_iter().for_each(|(id, _)| send(id));
            return send(id);
        }
        send(id);
        let heeded = |state: char| state == 'Z' || (state == 'T') == (name == "STOP");
        crate::process::until(name, || {
            let left: Vec<u32> =
                processes_of(id).into_iter().filter(|(_, state)| !heeded(*state)).map(|(id, _)| id).collect();
            left.iter().copied().for_each(send);
            left.is_empty().then_some(())
        });
    }

    /// SIGKILL, to all of it: no goodbye on any connection.
    pub(super) fn kill(&mut self) {
        self.signal("KILL");
        if let Some(mut child) = self.child.take() {
            child.wait().expect("gone");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal("CONT");
        self.kill();
    }
}

/// A process and those that it started, each with the letter of its state (proc(5)). The file `children` of a process will not do:
/// it leaves some out while others come and go.
fn processes_of(id: u32) -> Vec<(u32, char)> {
    let entries = std::fs::read_dir("/proc").expect("a list of processes").flatten();
    let ids = entries.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let state = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // What follows the name, which may have any sign in it: state, parent.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent: u32 = fields.next()?.parse().ok()?;
        (process == id || parent == id).then_some((process, state))
    };
    ids.filter_map(state).collect()
}

/// Runs a program to its end, which is a good one; returns what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
