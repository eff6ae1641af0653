//! Ingest: brings the closed segments of all instances of a folder into the store, and never stands on a request's way.
//!
//! # Invariants
//! - `STO-1`: a line is in the store once, whoever dies when: rows and cursor are one transaction, and what was read past the cursor is
//!   read again.
//! - `STO-2`: an engine that is away costs nothing but time: it is asked again and again, ever more seldom up to a limit, and what came
//!   meanwhile is read from disk, as far as it is there.
//! - `STO-3`: one reader for each folder, by a lock that ends with its process; others stand by.
//! - `STO-4`: what was read is told (`read/store`) once it is committed, and not before.
//! - `STO-7`: an instance whose folder cannot be read holds up no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, TryLockError},
    io,
    path::PathBuf,
    time::Duration,
};

use evenkeel_api::evidence::{Cursor, Stream, instances, segments};
use jiff::{SignedDuration, Timestamp};

use super::{
    Store,
    engine::{Of, Statement, Value},
    fault::{Class, Fault},
    follow::At,
    instance::{READER, identity},
    record::text,
    retain::{self, Swept},
    write,
};

/// How often folders are looked at where nothing is left to read: segments are closed once a second.
const POLL: Duration = Duration::from_millis(250);
/// The longest pause before an engine that is away is asked again.
const LONGEST: Duration = Duration::from_secs(15);
/// How long an instance is left alone whose folder cannot be read.
const RETRY: SignedDuration = SignedDuration::from_secs(5);
/// How often what is too old is looked for.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);

/// What a look at the folders found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Nothing was ever recorded there.
    Waiting,
    /// Another process reads this folder.
    Standby,
    /// So many lines were written; there may be more.
    Read(u64),
    /// There was nothing to read.
    Current,
}

/// Reads segments into a store.
pub struct Ingester {
    store: Store,
    folder: PathBuf,
    /// The lock of the folder, once it is ours.
    claim: Option<File>,
    is_made: bool,
    /// How far each stream of each instance is read; empty after whatever went wrong.
    at: BTreeMap<(String, Stream), At>,
    /// The same, as far as it is known to be committed: for states.
    committed: BTreeMap<(String, Stream), u64>,
    /// What was told last to whoever keeps the segments.
    told: BTreeMap<String, Cursor>,
    /// Instances whose folder cannot be read: since when they are left alone, and of which kind the error was.
    unread: BTreeMap<String, (Timestamp, Class)>,
    /// What could not be stored since the process started.
    lost: Lost,
}

/// What could not be stored of what was kept on disk.
#[derive(Default)]
struct Lost {
    /// Lines of a schema that this version does not know.
    unknown: u64,
    /// Numbers that no line had.
    lacking: u64,
    /// Segments of which the rest cannot be read: whoever reads one again finds that again.
    damaged: BTreeSet<(String, Stream, u64)>,
}

impl Ingester {
    /// Reads `data_dir` into a store, and keeps decisions there for so long, until the store is told another time.
    pub fn new(store: Store, data_dir: PathBuf, keep: SignedDuration) -> Self {
        store.keep_for(keep);
        let (at, committed, told, unread, lost) = Default::default();
        Self { store, folder: data_dir, claim: None, is_made: false, at, committed, told, unread, lost }
    }

    /// Reads whatever comes, until the future is dropped.
    pub async fn run(mut self) {
        let (mut pause, mut swept, mut is_more, mut class) = (POLL, None, false, None);
        loop {
            let now = Timestamp::now();
            let keep = *self.store.keep.lock();
            let is_due = |(at, kept): (Timestamp, _)| kept != keep || now.duration_since(at) >= SWEEP;
            let due = is_more || swept.is_none_or(is_due);
            let mut done = self.pass(now).await;
            if due && matches!(done, Ok(Pass::Current | Pass::Read(_))) {
                swept = Some((now, keep));
                match self.sweep(now).await {
                    Ok(done) => is_more = done.is_more,
                    Err(fault) => done = Err(fault),
                }
            }
            match done {
                Ok(pass) => {
                    if class.take().is_some() {
                        tracing::info!(target: "evenkeel::store", "the decision store is written again");
                    }
                    pause = POLL;
                    if is_more || matches!(pass, Pass::Read(_)) {
                        continue;
                    }
                }
                Err(fault) => {
                    if class != Some(fault.class) {
                        tracing::warn!(target: "evenkeel::store", class = fault.class.name(), "the decision store cannot be written, and is asked again: {fault}");
                    }
                    class = Some(fault.class);
                    pause = (pause * 2).min(LONGEST);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Looks at all folders once, and writes one batch of each stream that has one.
    ///
    /// # Errors
    /// What keeps the store from being written, or a folder from being read. Nothing is lost by it: the next one begins where the last
    /// commit was.
    pub async fn pass(&mut self, now: Timestamp) -> Result<Pass, Fault> {
        let done = self.read(now).await;
        let behind = match done {
            Ok(_) => self.at.values().map(At::behind).sum(),
            Err(_) => {
                self.at.clear();
                self.waiting().await
            }
        };
        let state = match &done {
            Err(_) => "away",
            Ok(Pass::Waiting) => "waiting",
            Ok(Pass::Standby) => "standby",
            Ok(_) if behind > 0 => "behind",
            Ok(_) => "current",
        };
        let unread = self.unread.iter().map(|(name, (_, class))| (name.clone(), class.name().into())).collect();
        self.store.note(now, state, |it| {
            (it.behind_n, it.unread) = (behind, unread);
            (it.unknown_n, it.lacking_n, it.damaged_n) =
                (self.lost.unknown, self.lost.lacking, self.lost.damaged.len() as u64);
        });
        done.inspect_err(|fault| self.store.failed(fault))
    }

    /// Deletes what is older than it is kept, a part of it where that is much.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<Swept, Fault> {
        let keep = *self.store.keep.lock();
        let swept = retain::sweep(&*self.store.engine, now, keep.unwrap_or(SignedDuration::MAX)).await;
        swept.inspect_err(|fault| {
            self.store.note(now, "away", |_| ());
            self.store.failed(fault);
        })
    }

    async fn read(&mut self, now: Timestamp) -> Result<Pass, Fault> {
        let data_dir = self.folder.clone();
        let names = blocking(move || instances(&data_dir)).await?;
        if names.is_empty() {
            return Ok(Pass::Waiting);
        }
        if !self.claimed().await? {
            return Ok(Pass::Standby);
        }
        if !self.is_made {
            self.store.engine.migrate().await?;
            self.is_made = true;
        }
        self.unread.retain(|name, _| names.contains(name));
        let mut read = 0;
        for name in names {
            if self.unread.get(&name).is_some_and(|(since, _)| now < *since + RETRY) {
                continue;
            }
            match self.instance(&name, now, &mut read).await {
                Ok(()) => drop(self.unread.remove(&name)),
                Err(Stopped::Engine(fault)) => return Err(fault),
                Err(Stopped::Folder(fault)) => self.pass_over(name, now, &fault),
            }
        }
        Ok(if read > 0 { Pass::Read(read) } else { Pass::Current })
    }

    /// Writes one batch of each stream of an instance, and counts its lines.
    async fn instance(&mut self, name: &str, now: Timestamp, read: &mut u64) -> Result<(), Stopped> {
        for stream in Stream::ALL {
            *read += self.advance(name, stream, now).await?;
        }
        self.tell(name).await;
        Ok(())
    }

    /// Leaves an instance alone for a while (STO-7).
    fn pass_over(&mut self, name: String, now: Timestamp, fault: &Fault) {
        self.store.failed(fault);
        let class = fault.class;
        if self.unread.insert(name.clone(), (now, class)).is_none_or(|(_, before)| before != class) {
            tracing::warn!(target: "evenkeel::store", instance = name, class = class.name(), "what an instance wrote cannot be read, and waits; others are read: {fault}");
        }
    }

    /// Writes one batch of a stream; returns how many lines.
    async fn advance(&mut self, name: &str, stream: Stream, now: Timestamp) -> Result<u64, Stopped> {
        let folder = self.folder.join("instances").join(name);
        let key = (name.to_owned(), stream);
        let mut at = match self.at.remove(&key) {
            Some(at) => at,
            None => self.begin(folder.clone(), stream).await?,
        };
        let (mut at, taken) = blocking(move || {
            let taken = at.take(&folder, now)?;
            Ok((at, taken))
        })
        .await
        .map_err(Stopped::Folder)?;
        if taken.to > at.n {
            let (statements, unknown) = write::batch(&at.instance, stream, at.n, &taken);
            self.store.engine.write(statements).await?;
            at.n = taken.to;
            if unknown > 0 && self.lost.unknown == 0 {
                tracing::warn!(target: "evenkeel::store", unknown, "lines of a schema that this version does not know are passed over");
            }
            self.lost.unknown += unknown;
            self.lost.lacking += taken.lacking;
        }
        for (segment, why) in &taken.damaged {
            if self.lost.damaged.insert((name.to_owned(), stream, *segment)) {
                tracing::error!(target: "evenkeel::store", instance = name, stream = stream.name(), segment, "the rest of a segment is damaged, and not stored: {why}");
            }
        }
        self.committed.insert(key.clone(), at.n);
        self.at.insert(key, at);
        Ok(taken.lines.len() as u64)
    }

    /// Finds out how far a stream was read.
    async fn begin(&self, folder: PathBuf, stream: Stream) -> Result<At, Stopped> {
        let instance = blocking(move || identity(&folder)).await.map_err(Stopped::Folder)?;
        let engine = &self.store.engine;
        let key = || vec![text(&instance), text(stream.name())];
        engine
            .write(vec![Statement {
                sql: "INSERT INTO cursors (instance, stream, n) VALUES ($1, $2, 0) ON CONFLICT (instance, stream) DO NOTHING".into(),
                values: key(),
                changes: None,
            }])
            .await?;
        let asked = "SELECT n FROM cursors WHERE instance = $1 AND stream = $2";
        let rows = engine.ask(asked.into(), key(), &[Of::Int]).await?;
        let n = match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(Some(n))) => u64::try_from(*n).unwrap_or_default(),
            _ => return Err(Fault::new(Class::Server, "a cursor that was just written is not there").into()),
        };
        Ok(At::new(instance, stream, n))
    }

    /// Takes the folder, unless another process has it (STO-3).
    async fn claimed(&mut self) -> Result<bool, Fault> {
        if self.claim.is_none() {
            let file = self.folder.join("store.lock");
            self.claim = blocking(move || {
                let file = File::options().create(true).truncate(false).write(true).open(file)?;
                match file.try_lock() {
                    Ok(()) => Ok(Some(file)),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(error)) => Err(error),
                }
            })
            .await?;
        }
        Ok(self.claim.is_some())
    }

    /// Tells whoever keeps the segments how far they are read (STO-4). What cannot be told now is told the next time.
    async fn tell(&mut self, name: &str) {
        let of = |stream| self.committed.get(&(name.to_owned(), stream)).copied().unwrap_or_default();
        let read = Cursor { decisions: of(Stream::Decisions), events: of(Stream::Events) };
        if self.told.get(name) == Some(&read) {
            return;
        }
        let folder = self.folder.join("instances").join(name);
        let told = blocking(move || read.save(&folder, READER));
        match told.await {
            Ok(()) => drop(self.told.insert(name.into(), read)),
            Err(fault) => tracing::debug!(target: "evenkeel::store", "cannot tell how far segments are read: {fault}"),
        }
    }

    /// Returns how many lines are known to wait while nothing can be read, at least: of the newest segment of each stream one.
    async fn waiting(&self) -> u64 {
        let (data_dir, committed) = (self.folder.clone(), self.committed.clone());
        let counted = blocking(move || {
            let mut waiting = 0;
            for name in instances(&data_dir)? {
                for stream in Stream::ALL {
                    let segments = segments(&data_dir.join("instances").join(&name), stream)?;
                    let segments: Vec<_> = segments.into_iter().filter(|it| it.closed).collect();
                    let (Some(oldest), Some(newest)) = (segments.first(), segments.last()) else { continue };
                    let read = committed.get(&(name.clone(), stream)).copied();
                    waiting += newest.first.saturating_sub(read.unwrap_or(oldest.first.saturating_sub(1)));
                }
            }
            Ok(waiting)
        });
        counted.await.unwrap_or_default()
    }
}

/// What a stream is not read for.
enum Stopped {
    /// The store: nothing can be written.
    Engine(Fault),
    /// The folder of its instance.
    Folder(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

/// Does what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.flatten().map_err(|error| Fault::of_file("the folder of data", &error))
}
