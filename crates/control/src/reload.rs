//! Reload: reads the file again and applies it whole, or not at all (G-014).
//!
//! # Invariants
//! - `LOAD-1`: a file with a mistake changes nothing that runs; it is reported in readiness, log and metric.
//! - `LOAD-2`: bytes that were judged before are not judged again, so a poll costs nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use evenkeel_api::{Ready, Rejected};
use evenkeel_config::{Loaded, Severity, load_file};
use evenkeel_core::digest_name;
use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::plane::DataPlane;

/// What became of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The file says what it said before.
    Unchanged,
    /// A new revision is in force.
    Applied,
    /// The file has mistakes; nothing has changed.
    Rejected,
}

/// Reads one file, and applies it to one data plane.
pub struct Reloader {
    path: PathBuf,
    plane: Arc<dyn DataPlane>,
    state: Mutex<State>,
}

struct State {
    /// Of the bytes that were judged last.
    judged: Option<[u8; 32]>,
    rejected: Option<Rejected>,
}

impl Reloader {
    /// Starts from a file that the data plane has just been started with.
    pub fn new(path: PathBuf, plane: Arc<dyn DataPlane>) -> Self {
        let judged = digest(&path);
        Self { path, plane, state: Mutex::new(State { judged, rejected: None }) }
    }

    /// Returns the file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file if its bytes have changed.
    pub fn poll(&self) -> Verdict {
        let mut state = self.state.lock();
        match digest(&self.path) {
            found if found == state.judged => Verdict::Unchanged,
            found => self.judge(&mut state, found),
        }
    }

    /// Reads the file, changed or not: a secret that it names may be another one now.
    pub fn reload(&self) -> Verdict {
        let mut state = self.state.lock();
        let found = digest(&self.path);
        self.judge(&mut state, found)
    }

    /// Says whether a revision is in force, and which configuration was refused since.
    pub fn ready(&self) -> Ready {
        Ready { ready: true, revision: Some(self.plane.revision()), rejected: self.state.lock().rejected.clone() }
    }

    fn judge(&self, state: &mut State, found: Option<[u8; 32]>) -> Verdict {
        state.judged = found;
        let mut loaded = load_file(&self.path);
        let applied = loaded.deployment.clone().is_some_and(|deployment| match self.plane.apply(deployment) {
            Ok(()) => true,
            Err(unfit) => {
                loaded.refuse(unfit);
                false
            }
        });
        say(&loaded);
        match applied {
            true => {
                state.rejected = None;
                tracing::info!(target: "evenkeel::config", revision = self.plane.revision(), "configuration applied");
                Verdict::Applied
            }
            false => {
                let digest = found.map_or("sha256:unreadable".into(), |digest| digest_name(&digest));
                let rejected = Rejected { at: Timestamp::now(), digest, diagnostics: loaded.errors() };
                tracing::error!(
                    target: "evenkeel::config",
                    digest = rejected.digest,
                    diagnostics = rejected.diagnostics,
                    revision = self.plane.revision(),
                    "configuration refused, the running one stays"
                );
                state.rejected = Some(rejected);
                self.plane.note_rejected();
                Verdict::Rejected
            }
        }
    }
}

fn say(loaded: &Loaded) {
    for it in &loaded.diagnostics {
        let (file, line, key, code, hint) = (&it.file, it.line, &it.key, it.code, &it.hint);
        match it.severity {
            Severity::Error => {
                tracing::error!(target: "evenkeel::config", file, line, key, code, hint, "{}", it.message);
            }
            Severity::Warning => {
                tracing::warn!(target: "evenkeel::config", file, line, key, code, hint, "{}", it.message);
            }
        }
    }
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    std::fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
