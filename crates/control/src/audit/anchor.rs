//! Anchor: checkpoints in a git repository of another owner, so that a log that is begun anew does not pass for the old one.
//!
//! It is a repository on this machine, bare or not, to whose branch commits are added; its working tree is not touched. Who may write
//! there, and where it is pushed to, is its owner's affair: an anchor is worth what it takes to rewrite that branch.
//!
//! # Invariants
//! - `ANC-1`: the branch only grows: a commit has the last one for its parent, and is refused where that is no longer the last.
//! - `ANC-2`: a repository that cannot be written, or does not answer, keeps nobody from anything: git runs on a thread of its own and
//!   for half a minute at most; it is told, and tried again.
//! - `ANC-3`: a log that was cut, or begun anew under its name, does not follow on a larger checkpoint of the same name.
//! - `ANC-4`: nothing of the repository runs here, as its hooks, and git knows nothing of the environment but where programs are: it is
//!   the affair of another owner, who must not become us.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// How long a repository that could not be written is left alone.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// How long git may take for a step, of which there are eight. A file system that has gone away never answers.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether git is done: it takes some milliseconds.
const LOOK: Duration = Duration::from_millis(5);
/// What git says at most: a hash, or a checkpoint, or why not.
const MOST_SAID: u64 = 64 << 10;

/// A repository, and how often it gets a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where it is.
    pub folder: PathBuf,
    /// The branch that checkpoints are committed to.
    pub branch: String,
    /// The least time between two of them.
    pub every: SignedDuration,
}

/// A repository, and what it has.
#[derive(Debug)]
pub(super) struct Anchor {
    repository: Repository,
    limit: Duration,
    /// The entries of the last checkpoint that it has, as far as this process knows.
    size: u64,
    next: Option<Timestamp>,
    running: Option<Running>,
}

/// A commit that is being made.
#[derive(Debug)]
struct Running {
    since: Timestamp,
    size: u64,
    ends: Receiver<io::Result<()>>,
}

impl Anchor {
    pub(super) fn new(repository: Repository) -> Self {
        Self { repository, limit: LIMIT, size: 0, next: None, running: None }
    }

    /// Begins to commit a checkpoint over `size` entries, where it is a new one and one is due; waits for nothing (ANC-2).
    pub(super) fn keep(&mut self, now: Timestamp, size: u64, checkpoint: &[u8]) {
        self.wait(Duration::ZERO);
        if self.running.is_some() || size == self.size || self.next.is_some_and(|next| now < next) {
            return;
        }
        let (end, ends) = channel();
        let commit = Commit { repository: self.repository.clone(), limit: self.limit, now };
        let checkpoint = checkpoint.to_vec();
        let made = thread::Builder::new().name("anchor".into()).spawn(move || {
            // Nobody hears it where the process ends.
            let _ = end.send(commit.make(size, &checkpoint));
        });
        self.running = Some(Running { since: now, size, ends });
        if let Err(error) = made {
            self.ended(now, size, Err(error));
        }
    }

    /// Waits some time for the commit that is being made, and says what came of it.
    pub(super) fn wait(&mut self, most: Duration) {
        let Some(Running { since, size, ends }) = &self.running else { return };
        let (since, size) = (*since, *size);
        match ends.recv_timeout(most) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.ended(since, size, Err(io::Error::other("it panicked, which is a bug of Evenkeel")))
            }
            Ok(made) => self.ended(since, size, made),
        }
    }

    fn ended(&mut self, since: Timestamp, size: u64, made: io::Result<()>) {
        self.running = None;
        let (folder, branch) = (self.repository.folder.display(), &self.repository.branch);
        let waits = match made {
            Ok(()) => {
                tracing::info!(target: "evenkeel::audit", %folder, branch, size, "a checkpoint is kept in the repository");
                self.size = size;
                self.repository.every
            }
            Err(error) => {
                tracing::warn!(target: "evenkeel::audit", %folder, branch, %error, "a checkpoint could not be kept in the repository, and is tried again");
                PAUSE.min(self.repository.every)
            }
        };
        self.next = since.checked_add(waits).ok();
    }
}

/// A commit, as its thread makes it.
struct Commit {
    repository: Repository,
    limit: Duration,
    now: Timestamp,
}

impl Commit {
    fn make(&self, size: u64, checkpoint: &[u8]) -> io::Result<()> {
        let branch = format!("refs/heads/{}", self.repository.branch);
        let last = self.git(&["rev-parse", "--verify", "--quiet", &branch], b"").unwrap_or_default();
        let blob = self.git(&["hash-object", "-w", "--stdin"], checkpoint)?;
        let tree = self.git(&["mktree"], format!("100644 blob {blob}\tcheckpoint\n").as_bytes())?;
        if !last.is_empty() {
            if self.git(&["rev-parse", &format!("{last}^{{tree}}")], b"")? == tree {
                return Ok(());
            }
            follows(
                &self.git(&["cat-file", "blob", &format!("{last}:checkpoint")], b"").unwrap_or_default(),
                checkpoint,
            )?;
        }
        let origin = String::from_utf8_lossy(checkpoint).lines().next().unwrap_or_default().to_owned();
        let message = format!("Checkpoint of {origin}: {size} entries");
        let parent = if last.is_empty() { vec![] } else { vec!["-p", &last] };
        let commit = self.git(&[&["commit-tree", &tree, "-m", &message], parent.as_slice()].concat(), b"")?;
        let none = "0".repeat(commit.len());
        let before = if last.is_empty() { &none } else { &last };
        // It is refused where somebody else has moved the branch meanwhile (ANC-1).
        self.git(&["update-ref", &branch, &commit, before], b"").map(drop)
    }

    /// Runs git, and returns what it says (ANC-4).
    fn git(&self, arguments: &[&str], input: &[u8]) -> io::Result<String> {
        let folder = fs::canonicalize(&self.repository.folder)?;
        let mut git = Command::new("git");
        git.env_clear().envs(std::env::var_os("PATH").map(|it| ("PATH", it)));
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Evenkeel").env(format!("GIT_{who}_EMAIL"), "evenkeel@localhost");
            git.env(format!("GIT_{who}_DATE"), format!("{} +0000", self.now.as_second()));
        }
        // The folder that is named is the repository, and not one above it.
        git.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(Path::new("/")));
        // Git refuses the repository of another owner, which may name programs that would run as whoever uses it: it names none here.
        let settings = [("safe.directory", folder.as_os_str()), ("core.hooksPath", OsStr::new("/dev/null"))];
        git.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (at, (key, value)) in settings.iter().enumerate() {
            git.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        git.arg("-C").arg(&folder).args(arguments);
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        // A checkpoint fits into a pipe, so nobody waits for anybody.
        let written = stdin.write_all(input);
        drop(stdin);
        self.ends(&mut child, arguments[0])?;
        let (mut said, mut wrong) = (String::new(), String::new());
        child.stdout.take().expect("it is piped").take(MOST_SAID).read_to_string(&mut said)?;
        child.stderr.take().expect("it is piped").take(MOST_SAID).read_to_string(&mut wrong)?;
        match child.wait()?.success() {
            true => written.map(|()| said.trim().to_owned()),
            false => Err(io::Error::other(wrong.trim().to_owned())),
        }
    }

    /// Waits until git has ended, and ends it where it takes too long.
    fn ends(&self, child: &mut Child, verb: &str) -> io::Result<()> {
        let mut waited = Duration::ZERO;
        while child.try_wait()?.is_none() {
            if waited >= self.limit {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::other(format!(
                    "`git {verb}` has not ended within {} s, and was stopped",
                    self.limit.as_secs_f32()
                )));
            }
            thread::sleep(LOOK);
            waited += LOOK;
        }
        Ok(())
    }
}

/// Refuses a checkpoint that does not follow on the last one of the branch (ANC-3).
fn follows(last: &str, next: &[u8]) -> io::Result<()> {
    let read = |text: &str| {
        let mut lines = text.lines();
        Some((lines.next()?.to_owned(), lines.next()?.parse::<u64>().ok()?))
    };
    let (Some((before, larger)), Some((origin, size))) = (read(last), read(&String::from_utf8_lossy(next))) else {
        return Ok(());
    };
    if before != origin {
        tracing::warn!(target: "evenkeel::audit", before, origin, "the branch has had checkpoints of another log until now");
    } else if larger > size {
        return Err(io::Error::other(format!(
            "it has a checkpoint of {larger} entries of {origin}, and this log has {size}: it was cut, or begun anew; name another branch for another log"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::kit::at;

    fn anchor(folder: &std::path::Path) -> Anchor {
        let every = SignedDuration::from_hours(1);
        Anchor::new(Repository { folder: folder.into(), branch: "checkpoints".into(), every })
    }

    /// Commits, where one is due, and waits until it is done.
    fn keep(anchor: &mut Anchor, now: Timestamp, size: u64, checkpoint: &[u8]) {
        anchor.keep(now, size, checkpoint);
        anchor.wait(LIMIT);
        assert!(anchor.running.is_none(), "it takes a moment");
    }

    fn said(folder: &std::path::Path, arguments: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("git runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn anc_1_each_checkpoint_is_a_commit_on_the_one_before_in_a_bare_repository_and_in_a_clone() {
        for bare in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let here = folder.path();
            said(here, if bare { &["init", "-q", "--bare"] } else { &["init", "-q"] });
            let mut one = anchor(here);
            keep(&mut one, at(0), 1, b"log\n1\n");
            keep(&mut one, at(60), 2, b"log\n2\n");
            assert_eq!(
                said(here, &["log", "--format=%s %ct", "checkpoints"]),
                "Checkpoint of log: 1 entries 1795420800\n",
                "one an hour"
            );
            keep(&mut one, at(3_600), 2, b"log\n2\n");
            keep(&mut one, at(9_000), 2, b"log\n2\n");
            // Another process goes on where this one was, and what is there is not committed again.
            let mut other = anchor(here);
            keep(&mut other, at(9_000), 2, b"log\n2\n");
            keep(&mut other, at(99_000), 3, b"log\n3\n");
            let subjects = said(here, &["log", "--format=%s", "checkpoints"]);
            let of = |size: u64| format!("Checkpoint of log: {size} entries\n");
            assert_eq!(subjects, of(3) + &of(2) + &of(1));
            assert_eq!(said(here, &["show", "checkpoints~1:checkpoint"]), "log\n2\n");
        }
    }

    #[test]
    fn anc_2_a_repository_that_is_not_there_is_tried_again_in_a_minute() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().join("later");
        let mut anchor = anchor(&here);
        keep(&mut anchor, at(0), 1, b"log\n1\n");
        std::fs::create_dir(&here).expect("made");
        said(&here, &["init", "-q", "--bare"]);
        keep(&mut anchor, at(59), 1, b"log\n1\n");
        assert_eq!(said(&here, &["log", "--format=%s", "checkpoints"]), "");
        keep(&mut anchor, at(60), 1, b"log\n1\n");
        assert_eq!(said(&here, &["log", "--format=%s", "checkpoints"]), "Checkpoint of log: 1 entries\n");
    }

    /// A bare repository.
    fn bare() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        said(folder.path(), &["init", "-q", "--bare"]);
        folder
    }

    #[test]
    fn anc_2_a_git_that_does_not_answer_holds_nobody_up_and_is_ended() {
        let folder = bare();
        let here = folder.path();
        // Whoever opens a pipe waits for somebody to write.
        fs::remove_file(here.join("config")).expect("removed");
        assert!(Command::new("mkfifo").arg(here.join("config")).status().expect("mkfifo runs").success());
        let mut anchor = Anchor { limit: Duration::from_millis(50), ..anchor(here) };
        anchor.keep(at(0), 1, b"log\n1\n");
        anchor.keep(at(0), 1, b"log\n1\n");
        assert!(anchor.running.is_some() && anchor.next.is_none(), "nobody has waited for it");
        anchor.wait(LIMIT);
        assert!(anchor.running.is_none() && anchor.next == Some(at(60)), "it is tried again");
        let commit = Commit { repository: anchor.repository, limit: anchor.limit, now: at(0) };
        let error = commit.make(1, b"log\n1\n").expect_err("it hangs");
        assert!(error.to_string().contains("`git hash-object` has not ended within 0.05 s"), "{error}");
    }

    #[test]
    fn anc_3_a_smaller_checkpoint_of_the_same_log_is_refused_by_name() {
        let folder = bare();
        let mut one = anchor(folder.path());
        keep(&mut one, at(0), 9, b"log\n9\n");
        let commit = |now, checkpoint: &str| {
            let repository = anchor(folder.path()).repository;
            Commit { repository, limit: LIMIT, now }.make(3, checkpoint.as_bytes()).map_err(|it| it.to_string())
        };
        let error = commit(at(9), "log\n3\n").expect_err("it was cut");
        assert!(error.contains("9 entries of log, and this log has 3: it was cut, or begun anew"), "{error}");
        assert_eq!(commit(at(9), "other\n3\n"), Ok(()), "another log has another name");
        assert_eq!(said(folder.path(), &["log", "--format=%s", "checkpoints"]).lines().count(), 2);
    }

    #[test]
    fn anc_4_no_hook_runs_and_git_sees_nothing_of_the_environment() {
        use std::os::unix::fs::PermissionsExt;

        let folder = bare();
        let here = folder.path();
        let ran = here.join("ran");
        for hook in ["reference-transaction", "update", "post-index-change"] {
            let file = here.join("hooks").join(hook);
            fs::write(&file, format!("#!/bin/sh\necho {hook} >> {}\n", ran.display())).expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("changed");
        }
        let mut one = anchor(here);
        keep(&mut one, at(0), 1, b"log\n1\n");
        assert_eq!(said(here, &["log", "--format=%s", "checkpoints"]), "Checkpoint of log: 1 entries\n");
        assert!(!ran.exists(), "{:?}", fs::read_to_string(&ran));
        // They are hooks that git runs: whoever else commits there runs them.
        said(here, &["update-ref", "refs/heads/other", "checkpoints"]);
        assert!(ran.exists());
        // What the process has in its environment, the configuration of git among it, is not what git gets.
        let commit = Commit { repository: one.repository, limit: LIMIT, now: at(0) };
        let listed = commit.git(&["config", "--list", "--show-scope", "--name-only"], b"").expect("listed");
        assert!(!listed.contains("global"), "{listed}");
        let all = commit.git(&["-c", "alias.environment=!env", "environment"], b"").expect("listed");
        let names: Vec<_> = all.lines().filter_map(|it| it.split_once('=')).map(|(name, _)| name).collect();
        let known = |it: &str| it.starts_with("GIT_") || ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(&it);
        assert!(names.contains(&"PATH") && names.iter().all(|it| known(it)), "{names:?}");
    }

    #[test]
    fn the_repository_of_another_owner_gets_checkpoints() {
        let folder = bare();
        let here = folder.path();
        let given = Command::new("chown").args(["-R", "65534:65534"]).arg(here).output().expect("chown runs");
        if !given.status.success() {
            eprintln!("skipped: a folder is given to another user by root alone");
            return;
        }
        // Git refuses it to whoever does not say that it is meant.
        let refused = Command::new("git")
            .arg("-C")
            .arg(here)
            .args(["rev-parse", "--git-dir"])
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output();
        let refused = String::from_utf8_lossy(&refused.expect("git runs").stderr).into_owned();
        assert!(refused.contains("dubious ownership"), "{refused}");
        let mut one = anchor(here);
        keep(&mut one, at(0), 1, b"log\n1\n");
        assert_eq!(one.size, 1, "it has it");
        let log = here.join("refs/heads/checkpoints");
        assert!(log.is_file(), "and there it is");
    }
}
