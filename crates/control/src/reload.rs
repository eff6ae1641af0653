//! Reload: reads the file again and applies it whole, or not at all (G-014).
//!
//! # Invariants
//! - `LOAD-1`: a file with a mistake changes nothing that runs; it is reported in readiness, log and metric.
//! - `LOAD-2`: what was judged before is not judged again, so a poll costs nothing. It is the bytes that were read that
//!   count, of the configuration and of the files it names, so a save while they are read is not lost.
//! - `LOAD-3`: a panic on the way is contained, and refuses the file like a mistake; the next save or order tries again.
//! - `LOAD-4` (G-090): nothing is applied that was not entered in the audit log before, where there is one; what could not be is judged
//!   again once it can.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use evenkeel_api::{Ready, Rejected};
use evenkeel_config::{Deployment, Loaded, Severity, Sources, load_again};
use evenkeel_core::digest_name;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::plane::DataPlane;

/// Mistakes whose texts stand in readiness: it is read by probes, too, every few seconds. The log has all.
const MOST_MESSAGES: usize = 10;
/// The most characters of such a text; a file may hold a value of any length.
const LONGEST_MESSAGE: usize = 500;

/// What became of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The files say what they said before.
    Unchanged,
    /// A new revision is in force.
    Applied,
    /// The file has mistakes, or runs into a bug; nothing has changed.
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
    /// Where changes are entered before they are applied.
    audit: Option<Arc<dyn Intentions>>,
    /// A change waits for the audit log (LOAD-4).
    waits: AtomicBool,
}

/// Where changes are entered before they are applied.
pub trait Intentions: Send + Sync {
    /// Says why nothing can be entered now, as far as that is known.
    fn down(&self) -> Option<String>;

    /// Enters that a configuration is about to be applied (`config.proposed`), and returns once that is on disk.
    ///
    /// # Errors
    /// It was not entered, and why.
    fn propose(&self, data: Value) -> Result<(), String>;
}

impl Reloader {
    /// Starts from what the data plane has been started with.
    pub fn new(read: Sources, plane: Arc<dyn DataPlane>) -> Self {
        Self {
            path: read.file().into(),
            plane,
            judged: Mutex::new(read),
            rejected: Mutex::new(None),
            audit: None,
            waits: AtomicBool::new(false),
        }
    }

    /// Holds changes back that cannot be entered in the audit log (LOAD-4).
    pub fn audited(self, audit: Arc<dyn Intentions>) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// Returns the file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file if it, or one that it names, says something else.
    pub fn poll(&self) -> Verdict {
        let mut judged = self.judged.lock();
        let changed = judged.look();
        match changed || (self.waits.load(Relaxed) && self.down().is_none()) {
            true => self.judge(&mut judged),
            false => Verdict::Unchanged,
        }
    }

    /// Reads the file, changed or not: a secret that it names may be another one now.
    pub fn reload(&self) -> Verdict {
        let mut judged = self.judged.lock();
        judged.look();
        self.judge(&mut judged)
    }

    /// Says whether a revision is in force, and which configuration was refused since.
    pub fn ready(&self) -> Ready {
        let unproven = self.plane.standing().unproven();
        Ready { ready: true, revision: Some(self.plane.revision()), rejected: self.rejected.lock().clone(), unproven }
    }

    fn down(&self) -> Option<String> {
        self.audit.as_ref().and_then(|audit| audit.down())
    }

    fn judge(&self, judged: &mut Sources) -> Verdict {
        let down = self.down();
        self.waits.store(down.is_some(), Relaxed);
        if let Some(why) = down {
            self.refuse(judged, held_back(&why));
            return Verdict::Rejected;
        }
        match contained(|| self.load(judged)) {
            (0, _) => {
                *self.rejected.lock() = None;
                tracing::info!(target: "evenkeel::config", revision = self.plane.revision(), "configuration applied");
                Verdict::Applied
            }
            (mistakes, messages) => {
                self.refuse(judged, (mistakes, messages));
                Verdict::Rejected
            }
        }
    }

    /// Reads the file and applies it; returns the number of mistakes that keep it from being applied, and what the first
    /// of them say.
    fn load(&self, judged: &mut Sources) -> (usize, Vec<String>) {
        let mut loaded = load_again(judged);
        judged.clone_from(&loaded.sources);
        if let Some(deployment) = loaded.deployment.clone() {
            if let Some(Err(why)) = self.audit.as_ref().map(|it| it.propose(self.proposal(&deployment))) {
                self.waits.store(true, Relaxed);
                return held_back(&why);
            }
            let expiring = self.plane.expiring(&deployment);
            match self.plane.apply(deployment) {
                Ok(()) => loaded.warn(expiring),
                Err(unfit) => loaded.refuse(unfit),
            }
        }
        say(&loaded);
        let errors = loaded.diagnostics.iter().filter(|it| it.severity == Severity::Error);
        (loaded.errors(), errors.take(MOST_MESSAGES).map(|it| shortened(&it.to_string())).collect())
    }

    /// Says what is about to be applied, and in the place of what.
    fn proposal(&self, deployment: &Deployment) -> Value {
        let digest: String = deployment.revision.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"digest": format!("sha256:{digest}"), "revision": deployment.name(), "replaces": self.plane.revision()})
    }

    fn refuse(&self, judged: &Sources, (diagnostics, messages): (usize, Vec<String>)) {
        let digest = judged.digest().map_or("sha256:unreadable".into(), |digest| digest_name(&digest));
        let rejected = Rejected { at: Timestamp::now(), digest, diagnostics, messages };
        tracing::error!(
            target: "evenkeel::config",
            digest = rejected.digest,
            diagnostics = rejected.diagnostics,
            revision = self.plane.revision(),
            "configuration refused, the running one stays"
        );
        self.plane.note_rejected(&rejected);
        *self.rejected.lock() = Some(rejected);
    }
}

/// Counts a panic as a mistake: whatever in a file or in a model runs into a bug, it is that which cannot be applied.
fn contained(load: impl FnOnce() -> (usize, Vec<String>)) -> (usize, Vec<String>) {
    // A data plane takes over what is ready in one step, its last: a panic before it leaves nothing half-done.
    catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        let panic = said.unwrap_or("no text");
        tracing::error!(target: "evenkeel::config", panic, "a reload panicked, which is a bug of Evenkeel; please report it");
        // What a panic says is for the log: nobody has looked whether it holds a secret.
        (1, vec!["the reload panicked, which is a bug of Evenkeel; the log says more".into()])
    })
}

/// Says that a change waits for the audit log (LOAD-4).
fn held_back(why: &str) -> (usize, Vec<String>) {
    let message =
        format!("the audit log is down, and no change is applied until it can be entered there (G-090): {why}");
    (1, vec![shortened(&message)])
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
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
