//! What must hold for `audit`.

use super::Checks;
use crate::{schema::audit::Level, tree::Key};

impl Checks<'_> {
    /// The tamper-evident log.
    pub(super) fn audit(&mut self) {
        let (key, audit) = (Key::default().field("audit"), &self.file.audit);
        let wrong = |it: char| it.is_whitespace() || it.is_control() || it == '+';
        if audit.origin.as_ref().is_some_and(|it| it.is_empty() || it.contains(wrong)) {
            let message = "it cannot be the name of a log: checkpoints have no place for spaces and plus signs in it";
            self.error(
                "bad-origin",
                &key.field("origin"),
                message,
                "write a name like an address, such as example.com/audit",
            );
        }
        if let Some(reference) = audit.key.clone() {
            self.secret(&key.field("key"), &reference);
        }
        if let Some(git) = &audit.git {
            let key = key.field("git");
            let hint = "name the folder of a repository, such as ../checkpoints.git";
            self.not_empty(&key.field("repository"), &git.repository, "it names no folder", hint);
            // What git takes for the name of a branch, or less.
            let plain = |it: char| it.is_ascii_alphanumeric() || "-_/".contains(it);
            let branch = &git.branch;
            if branch.is_empty()
                || !branch.chars().all(plain)
                || branch.starts_with(['-', '/'])
                || branch.ends_with('/')
                || branch.contains("//")
            {
                let hint = "write letters, digits, `-`, `_` and `/`, such as checkpoints";
                self.error("bad-branch", &key.field("branch"), "it cannot be the name of a branch", hint);
            }
        }
        let given = audit.origin.is_some() || audit.key.is_some() || audit.git.is_some();
        if audit.level == Level::Off && given {
            let hint = "remove `level: off`, or what else stands there";
            self.warning(
                "no-effect",
                &key,
                "no audit log is written, so what else is said of it changes nothing",
                hint,
            );
        }
    }
}
