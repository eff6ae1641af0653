//! Service: the one sequencer of a deployment, on a thread of its own.
//!
//! # Invariants
//! - `AUD-1`: one process at a time writes the log: who holds `audit/lock`, which the kernel releases at its death.
//! - `AUD-2`: a sink that is down is tried again every second, and then all that waits in the spool is entered (G-090).
//! - `AUD-3`: nothing here holds up a request, nor a start for longer than a second, nor an end for longer than the disk takes.
//! - `AUD-4`: a sink that cannot be written is known to be down within ten seconds, also where there is nothing to enter, and where
//!   another process writes it within thirty.
//! - `AUD-5` (G-090): what `intend` has returned of is in the log, whoever writes it.

use std::{
    error::Error,
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Condvar, Mutex};

mod intend;

use self::intend::HandedOn;
use super::{
    anchor::{Anchor, Repository},
    disk::{self, Folder},
    entry::Draft,
    key::{KeyError, Signer},
    log::{Log, LogError, SOURCES},
    sequence::Sequencer,
};

/// How often spools are looked at: a segment is closed once a second.
const LOOK: Duration = Duration::from_secs(1);
/// How long a start waits for a log to be taken up. One whose last lines are not noted is read whole.
const START: Duration = Duration::from_secs(1);
/// How long the end waits for a repository that keeps checkpoints.
const LAST: Duration = Duration::from_secs(5);
/// How long nothing is written before it is tried whether something could be (AUD-4).
const IDLE: SignedDuration = SignedDuration::from_secs(10);
/// How long nothing is written by another process before that is taken for a fault of it: three times what it takes at most.
const SILENT: SignedDuration = SignedDuration::from_secs(30);
/// How long a change waits for its turn, and for another process to enter it: a second until that looks, and its disk.
const HANDED_ON: Duration = Duration::from_secs(5);

/// Where the log is, and in whose name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the deployment; the log is `audit` in it.
    pub data_dir: PathBuf,
    /// The name of the log; without one it is named after its key.
    pub origin: Option<String>,
    /// A key that was given, in PKCS#8; without one it is in the folder of the log, and made there.
    pub key: Option<Given>,
    /// A repository of another owner that keeps checkpoints.
    pub git: Option<Repository>,
}

/// A key that was given; it is never shown.
#[derive(Clone)]
pub struct Given(pub String);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(…)")
    }
}

/// How the log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being taken up.
    Opening,
    /// This process writes it.
    Writing {
        /// Entries that are on disk.
        entries: u64,
        /// Those that a checkpoint covers.
        covered: u64,
        /// When it was published, or this process began.
        since: Timestamp,
    },
    /// Another process writes it.
    Standby,
    /// It cannot be written; spools are kept until it can.
    Down(String),
}

/// Why something was not entered.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another process writes the log.
    #[error("enter it in the audit log: another process writes that")]
    Standby,
    /// The log cannot be written.
    #[error("enter it in the audit log: it is down: {0}")]
    Down(String),
    /// What was begun before has not ended: there is much to enter, or the disk does not answer.
    #[error(
        "enter it in the audit log: what was begun before has not ended within {0} s, as there is much to enter or the disk does not answer"
    )]
    Busy(f32),
    /// Another process writes the log, and has not entered it.
    #[error("enter it in the audit log: the process that writes that has not done so within {0} s")]
    NotHeard(f32),
    /// It could not be handed on to the process that writes the log.
    #[error("hand it on to the process that writes the audit log")]
    Spool(#[from] io::Error),
    /// The step failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a log cannot be taken up.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("make or lock the folder of the audit log")]
    Folder(#[from] io::Error),
}

/// The log of a deployment, as this process has to do with it.
pub struct Audit {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    settings: Settings,
    clock: fn() -> Timestamp,
    work: Mutex<Work>,
    /// Apart from the work, so that nobody who asks waits for a disk.
    state: Mutex<State>,
    changed: Condvar,
    stop: Mutex<bool>,
    stopped: Condvar,
    /// What was handed on to the process that writes, and where; held while it is waited for.
    handed_on: Mutex<Option<HandedOn>>,
    patience: Duration,
}

/// What is held while this process writes.
struct Work {
    log: Option<Log>,
    /// Held as long as the log is (AUD-1).
    lock: Option<File>,
    sequencer: Sequencer,
    anchor: Option<Anchor>,
    /// When it was last seen that the disk takes something; none where it has failed since.
    proved: Option<Timestamp>,
    /// What another process has last written when, and since when it has stood.
    silent: Option<(Option<(u64, SystemTime)>, Timestamp)>,
}

impl Audit {
    /// Begins to keep the log. It never fails: a log that cannot be written is down, and tried again (AUD-2).
    pub fn start(settings: Settings, clock: fn() -> Timestamp) -> Self {
        let audit = Self::new(settings, clock);
        let shared = audit.shared.clone();
        let running = std::thread::Builder::new().name("audit".into()).spawn(move || shared.run());
        match running {
            Ok(thread) => *audit.thread.lock() = Some(thread),
            Err(error) => audit.shared.say(State::Down(format!("cannot start its thread: {error}"))),
        }
        let mut state = audit.shared.state.lock();
        let _ = audit.shared.changed.wait_while_for(&mut state, |it| *it == State::Opening, START);
        drop(state);
        audit
    }

    fn new(settings: Settings, clock: fn() -> Timestamp) -> Self {
        let sequencer = Sequencer::new(&settings.data_dir);
        let anchor = settings.git.clone().map(Anchor::new);
        let shared = Shared {
            settings,
            clock,
            work: Mutex::new(Work { log: None, lock: None, sequencer, anchor, proved: None, silent: None }),
            state: Mutex::new(State::Opening),
            changed: Condvar::new(),
            stop: Mutex::new(false),
            stopped: Condvar::new(),
            handed_on: Mutex::new(None),
            patience: HANDED_ON,
        };
        Self { shared: Arc::new(shared), thread: Mutex::new(None) }
    }

    /// Returns how the log stands.
    pub fn state(&self) -> State {
        self.shared.state.lock().clone()
    }

    /// Returns the folder of the log.
    pub fn folder(&self) -> PathBuf {
        self.shared.settings.data_dir.join("audit")
    }

    /// Enters what is no line of a spool, and returns its number once it is on disk.
    ///
    /// # Errors
    /// Another process writes the log, or it cannot be written; then it was not entered.
    pub fn append(&self, draft: Draft) -> Result<u64, AppendError> {
        // A disk that does not answer holds up the step that waits for it, and nobody else.
        let Some(mut work) = self.shared.work.try_lock_for(self.shared.patience) else {
            return Err(AppendError::Busy(self.shared.patience.as_secs_f32()));
        };
        let Some(log) = &mut work.log else {
            return Err(match self.state() {
                State::Down(why) => AppendError::Down(why),
                State::Opening => AppendError::Down("it is still being read".into()),
                State::Writing { .. } | State::Standby => AppendError::Standby,
            });
        };
        if let Err(error) = log.append(&[draft]) {
            // It is down until the disk is seen to take something (AUD-4).
            work.proved = None;
            self.shared.say(State::Down(chain(&error)));
            return Err(error.into());
        }
        let seq = log.size() - 1;
        self.shared.tell(&work);
        Ok(seq)
    }

    /// Enters what is left, publishes a checkpoint of all, and lets go of the log.
    pub fn finish(&self) {
        *self.shared.stop.lock() = true;
        self.shared.stopped.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // It contains its panics.
            let _ = thread.join();
        }
        self.shared.step(true);
        let mut work = self.shared.work.lock();
        let now = (self.shared.clock)();
        if let Work { log: Some(log), anchor: Some(anchor), .. } = &mut *work {
            // One that was being made may be of an earlier checkpoint than the last.
            anchor.wait(LAST);
            anchor.keep(now, log.published().0, log.told());
            anchor.wait(LAST);
        }
        (work.log, work.lock) = (None, None);
    }
}

impl Shared {
    fn run(&self) {
        loop {
            self.step(false);
            let mut stop = self.stop.lock();
            if !*stop {
                self.stopped.wait_for(&mut stop, LOOK);
            }
            if *stop {
                return;
            }
        }
    }

    /// Enters what is new, and publishes what is due; at the `end` in any case.
    fn step(&self, end: bool) {
        self.open();
        let mut work = self.work.lock();
        let Work { log: Some(log), sequencer, anchor, proved, .. } = &mut *work else { return };
        let done = catch_unwind(AssertUnwindSafe(|| {
            let now = (self.clock)();
            let before = (log.size(), log.published().0);
            sequencer.pass(now, log)?;
            if end || log.due(now) {
                log.publish(now)?;
            }
            let written = before != (log.size(), log.published().0);
            if !written && proved.is_none_or(|it| now.duration_since(it) >= IDLE) {
                log.prove(now)?;
                *proved = Some(now);
            } else if written {
                *proved = Some(now);
            }
            if let Some(anchor) = anchor {
                anchor.keep(now, log.published().0, log.told());
            }
            Ok::<_, LogError>(())
        }));
        match done {
            Ok(Ok(())) => self.tell(&work),
            Ok(Err(error)) => {
                work.proved = None;
                self.say(State::Down(chain(&error)));
            }
            Err(_) => {
                // What it was in the middle of is on disk or not; the next step reads it from there.
                (work.log, work.lock) = (None, None);
                self.say(State::Down("a step panicked, which is a bug of Evenkeel; please report it".into()));
            }
        }
    }

    /// Takes up the log, where nobody else has it and this process has not yet.
    fn open(&self) {
        let mut work = self.work.lock();
        if work.log.is_some() {
            return;
        }
        match self.opened() {
            Ok(None) => {
                let state = self.stands_by(&mut work);
                self.say(state);
            }
            Ok(Some((lock, log))) => {
                (work.proved, work.silent) = (None, None);
                let (key, origin) = (log.signer().vkey(), log.signer().origin().to_owned());
                tracing::info!(target: "evenkeel::audit", origin, key, entries = log.size(), "the audit log is written by this process");
                (work.log, work.lock) = (Some(log), Some(lock));
                self.tell(&work);
            }
            Err(error) => self.say(State::Down(chain(&error))),
        }
    }

    /// Says how the log stands that another process writes, by what that has last written (AUD-4).
    fn stands_by(&self, work: &mut Work) -> State {
        let now = (self.clock)();
        let file = std::fs::metadata(self.settings.data_dir.join("audit").join(SOURCES));
        // It is another file each time; its time alone may stand still for some milliseconds.
        let written = file.and_then(|it| Ok((it.ino(), it.modified()?))).ok();
        match work.silent {
            Some((before, since)) if before == written => match now.duration_since(since) < SILENT {
                true => State::Standby,
                false => {
                    State::Down(format!("the process that writes it has written nothing for {} s", SILENT.as_secs()))
                }
            },
            _ => {
                work.silent = Some((written, now));
                State::Standby
            }
        }
    }

    fn opened(&self) -> Result<Option<(File, Log)>, OpenError> {
        let folder = self.settings.data_dir.join("audit");
        disk::make(&folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        let origin = self.settings.origin.as_deref();
        let signer = match &self.settings.key {
            Some(Given(key)) => Signer::of_text(key, "`audit.key`", origin)?,
            None => Signer::of_folder(&folder, origin)?,
        };
        let public = format!("{}\n", signer.vkey());
        let log = Log::open((self.clock)(), Box::new(Folder::new(folder.clone(), Some(&lock))), signer)?;
        if std::fs::read(folder.join("key.pub")).ok().as_deref() != Some(public.as_bytes()) {
            disk::put(&folder.join("key.pub"), public.as_bytes(), 0o644)?;
        }
        Ok(Some((lock, log)))
    }

    fn tell(&self, work: &Work) {
        let Some(log) = &work.log else { return };
        let (covered, since) = log.published();
        self.say(State::Writing { entries: log.size(), covered, since });
    }

    fn say(&self, next: State) {
        let before = std::mem::replace(&mut *self.state.lock(), next.clone());
        self.changed.notify_all();
        match (before, next) {
            (State::Down(before), State::Down(why)) if before == why => {}
            (_, State::Down(why)) => {
                tracing::error!(target: "evenkeel::audit", why, "the audit log is down; spools are kept until it can be written")
            }
            (State::Down(_), _) => tracing::info!(target: "evenkeel::audit", "the audit log is no longer down"),
            _ => {}
        }
    }
}

/// Returns a message with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = format!("cannot {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
