//! The audit log, as the control plane writes it.

use std::path::PathBuf;

use crate::{
    outside::Outside,
    schema::audit::{Audit, Level},
    secret::Secret,
};

/// The audit log that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLog {
    /// Its name; without one it is named after its key.
    pub origin: Option<String>,
    /// Its key, PKCS#8 in base64; without one it has a key of its own in its folder.
    pub key: Option<Secret>,
    /// A git repository of another owner that keeps checkpoints.
    pub git: Option<Repository>,
}

/// A git repository on this machine that keeps checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its folder.
    pub folder: PathBuf,
    /// The branch.
    pub branch: String,
    /// The least time between two of them, in nanoseconds.
    pub every: u64,
}

/// Compiles the audit log; none where none is written.
pub(super) fn audit(it: &Audit, outside: &Outside) -> Option<AuditLog> {
    let key = || it.key.as_ref().map(|reference| outside.secret(reference));
    let git = it.git.as_ref().map(|it| Repository {
        folder: outside.place(&it.repository),
        branch: it.branch.clone(),
        every: it.every.0,
    });
    (it.level == Level::Local).then(|| AuditLog { origin: it.origin.clone(), key: key(), git })
}
