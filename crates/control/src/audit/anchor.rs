//! Anchor: checkpoints in a git repository of another owner, so that a log that is begun anew does not pass for the old one.
//!
//! It is a repository on this machine, bare or not, to whose branch commits are added; its working tree is not touched. Who may write
//! there, and where it is pushed to, is its owner's affair: an anchor is worth what it takes to rewrite that branch.
//!
//! # Invariants
//! - `ANC-1`: the branch only grows: a commit has the last one for its parent, and is refused where that is no longer the last.
//! - `ANC-2`: a repository that cannot be written keeps nobody from anything: it is told, and tried again.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use jiff::{SignedDuration, Timestamp};

/// How long a repository that could not be written is left alone.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

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
    /// The entries of the last checkpoint that it has, as far as this process knows.
    size: u64,
    next: Option<Timestamp>,
}

impl Anchor {
    pub(super) fn new(repository: Repository) -> Self {
        Self { repository, size: 0, next: None }
    }

    /// Commits a checkpoint over `size` entries, where it is a new one and one is due (ANC-2).
    pub(super) fn keep(&mut self, now: Timestamp, size: u64, checkpoint: &[u8]) {
        if size == self.size || self.next.is_some_and(|next| now < next) {
            return;
        }
        let (folder, branch) = (self.repository.folder.display(), &self.repository.branch);
        let waits = match self.commit(now, size, checkpoint) {
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
        self.next = now.checked_add(waits).ok();
    }

    fn commit(&self, now: Timestamp, size: u64, checkpoint: &[u8]) -> io::Result<()> {
        let branch = format!("refs/heads/{}", self.repository.branch);
        let last = self.git(&["rev-parse", "--verify", "--quiet", &branch], b"", now).unwrap_or_default();
        let blob = self.git(&["hash-object", "-w", "--stdin"], checkpoint, now)?;
        let tree = self.git(&["mktree"], format!("100644 blob {blob}\tcheckpoint\n").as_bytes(), now)?;
        if !last.is_empty() && self.git(&["rev-parse", &format!("{last}^{{tree}}")], b"", now)? == tree {
            return Ok(());
        }
        let origin = String::from_utf8_lossy(checkpoint).lines().next().unwrap_or_default().to_owned();
        let message = format!("Checkpoint of {origin}: {size} entries");
        let parent = if last.is_empty() { vec![] } else { vec!["-p", &last] };
        let commit = self.git(&[&["commit-tree", &tree, "-m", &message], parent.as_slice()].concat(), b"", now)?;
        let none = "0".repeat(commit.len());
        let before = if last.is_empty() { &none } else { &last };
        // It is refused where somebody else has moved the branch meanwhile (ANC-1).
        self.git(&["update-ref", &branch, &commit, before], b"", now).map(drop)
    }

    /// Runs git, and returns what it says.
    fn git(&self, arguments: &[&str], input: &[u8], now: Timestamp) -> io::Result<String> {
        let date = format!("{} +0000", now.as_second());
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.repository.folder).args(arguments);
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Evenkeel").env(format!("GIT_{who}_EMAIL"), "evenkeel@localhost");
            git.env(format!("GIT_{who}_DATE"), &date);
        }
        // A repository that somebody has set in the environment is not the one that was named.
        git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        // A checkpoint fits into a pipe, so nobody waits for anybody.
        let written = stdin.write_all(input);
        drop(stdin);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        written.map(|()| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::kit::at;

    fn anchor(folder: &std::path::Path) -> Anchor {
        let every = SignedDuration::from_hours(1);
        Anchor::new(Repository { folder: folder.into(), branch: "checkpoints".into(), every })
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
            one.keep(at(0), 1, b"log\n1\n");
            one.keep(at(60), 2, b"log\n2\n");
            assert_eq!(
                said(here, &["log", "--format=%s %ct", "checkpoints"]),
                "Checkpoint of log: 1 entries 1795420800\n",
                "one an hour"
            );
            one.keep(at(3_600), 2, b"log\n2\n");
            one.keep(at(9_000), 2, b"log\n2\n");
            // Another process goes on where this one was, and what is there is not committed again.
            let mut other = anchor(here);
            other.keep(at(9_000), 2, b"log\n2\n");
            other.keep(at(99_000), 3, b"log\n3\n");
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
        anchor.keep(at(0), 1, b"log\n1\n");
        std::fs::create_dir(&here).expect("made");
        said(&here, &["init", "-q", "--bare"]);
        anchor.keep(at(59), 1, b"log\n1\n");
        assert_eq!(said(&here, &["log", "--format=%s", "checkpoints"]), "");
        anchor.keep(at(60), 1, b"log\n1\n");
        assert_eq!(said(&here, &["log", "--format=%s", "checkpoints"]), "Checkpoint of log: 1 entries\n");
    }
}
