//! Reload: reads the file again and applies it whole, or not at all (G-014).
//!
//! # Invariants
//! - `LOAD-1`: a file with a mistake changes nothing that runs; it is reported in readiness, log and metric.
//! - `LOAD-2`: what was judged before is not judged again, so a poll costs nothing. It is the bytes that were read that
//!   count, of the configuration and of the files it names, so a save while they are read is not lost.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use evenkeel_api::{Ready, Rejected};
use evenkeel_config::{Loaded, Severity, Sources, load_file};
use evenkeel_core::digest_name;
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::plane::DataPlane;

/// What became of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The files say what they said before.
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
    /// What was judged last; held while a file is judged, one after the other.
    judged: Mutex<Sources>,
    /// Apart from it, so that readiness does not wait for a model that is being loaded.
    rejected: Mutex<Option<Rejected>>,
}

impl Reloader {
    /// Starts from what the data plane has been started with.
    pub fn new(read: Sources, plane: Arc<dyn DataPlane>) -> Self {
        Self { path: read.file().into(), plane, judged: Mutex::new(read), rejected: Mutex::new(None) }
    }

    /// Returns the file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file if it, or one that it names, says something else.
    pub fn poll(&self) -> Verdict {
        let mut judged = self.judged.lock();
        match judged.look() {
            true => self.judge(&mut judged),
            false => Verdict::Unchanged,
        }
    }

    /// Reads the file, changed or not: a secret that it names may be another one now.
    pub fn reload(&self) -> Verdict {
        self.judge(&mut self.judged.lock())
    }

    /// Says whether a revision is in force, and which configuration was refused since.
    pub fn ready(&self) -> Ready {
        Ready { ready: true, revision: Some(self.plane.revision()), rejected: self.rejected.lock().clone() }
    }

    fn judge(&self, judged: &mut Sources) -> Verdict {
        let mut loaded = load_file(&self.path);
        judged.clone_from(&loaded.sources);
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
                *self.rejected.lock() = None;
                tracing::info!(target: "evenkeel::config", revision = self.plane.revision(), "configuration applied");
                Verdict::Applied
            }
            false => {
                let digest = judged.digest().map_or("sha256:unreadable".into(), |digest| digest_name(&digest));
                let rejected = Rejected { at: Timestamp::now(), digest, diagnostics: loaded.errors() };
                tracing::error!(
                    target: "evenkeel::config",
                    digest = rejected.digest,
                    diagnostics = rejected.diagnostics,
                    revision = self.plane.revision(),
                    "configuration refused, the running one stays"
                );
                *self.rejected.lock() = Some(rejected);
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

#[cfg(test)]
mod tests;
