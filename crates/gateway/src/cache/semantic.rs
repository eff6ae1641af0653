//! Semantic: who says what questions mean, for answers to other words (F-147).
//!
//! Each request asks at most once, only where something else was kept in its scope, and waits by a clock of its own. What an answer
//! is kept for is asked off the way of every request.
//!
//! # Invariants
//! - `SEM-1`: nobody waits longer for an embedder than its `timeout`, nor at all while its breaker is open, or too many others wait
//!   (`upstream/repute`).
//! - `SEM-2`: no request waits for what is kept; what has no place in the queue is dropped, and counted.
//! - `SEM-3`: of an embedder that says what cannot be nothing is kept, and nothing is found: no direction, another length.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use evenkeel_config as config;
use evenkeel_core::{Nanos, ResultCode};
use evenkeel_signals::cosine::Unit;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{
    Cache, Entry, Key,
    similar::{Compared, Meant as Found, Scopes, Similar, compare},
};
use crate::{
    clock::Clock,
    meant::Meant,
    path::{Embedder, Unsaid},
    upstream::Upstream,
};

/// Answers whose questions wait to be kept.
const QUEUE: usize = 256;

macro_rules! came {
    ($($(#[$doc:meta])* $came:ident = $name:literal,)*) => {
        /// What came of looking for an answer to other words, or of keeping one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Came { $($(#[$doc])* $came,)* }

        impl Came {
            /// Everything that may come.
            pub(crate) const ALL: &[Self] = &[$(Self::$came,)*];

            /// Returns the word of metrics and records.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$came => $name,)* }
            }
        }
    };
}

came! {
    /// One was found; whether it is near enough is not said here.
    Found = "found",
    /// Nothing is held of its scope.
    Nothing = "nothing",
    /// What is near asks for something else, by a word that tells.
    Otherwise = "otherwise",
    /// The embedder took longer than it may.
    Slow = "slow",
    /// It failed.
    Failed = "failed",
    /// It said what is no vector, or one of another length.
    Garbage = "garbage",
    /// Its breaker was open.
    Open = "breaker_open",
    /// Too many others waited for it.
    Busy = "busy",
    /// An answer can be found by its meaning.
    Kept = "kept",
    /// The embedder did not say what its question means.
    KeepFailed = "keep_failed",
    /// There was no place in the queue.
    KeepDropped = "keep_dropped",
}

impl Came {
    /// Says whether nobody has said what the question means.
    pub(super) const fn is_silence(self) -> bool {
        matches!(self, Self::Slow | Self::Failed | Self::Garbage | Self::Open | Self::Busy)
    }
}

/// What finds the answers of a route to other words.
pub(crate) struct Semantic {
    spec: config::Semantic,
    upstream: Arc<Upstream>,
    embedder: Embedder,
    jobs: mpsc::Sender<Job>,
    scopes: Arc<Mutex<Scopes>>,
    counts: [AtomicU64; Came::ALL.len()],
}

/// A question, and all that it is asked with.
#[derive(Clone, Debug)]
pub(super) struct Apart {
    pub(super) scope: Key,
    pub(super) question: Arc<str>,
    /// What it means, where somebody has said so.
    pub(super) unit: Option<Arc<Unit>>,
}

/// An answer that is to be found by its meaning.
struct Job {
    cache: Weak<Cache>,
    key: Key,
    entry: Arc<Entry>,
    apart: Apart,
    first: Arc<str>,
}

impl Semantic {
    /// Begins to find; what an earlier one of the same has found out stays, and what was kept in any case (CF-02).
    pub(crate) fn start(
        spec: config::Semantic,
        upstream: Arc<Upstream>,
        clock: Clock,
        before: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        if let Some(same) = before.filter(|it| it.spec == spec && Arc::ptr_eq(&it.upstream, &upstream)) {
            return same.clone();
        }
        let (jobs, queue) = mpsc::channel(QUEUE);
        let semantic = Arc::new(Self {
            embedder: Embedder::new(&spec.embeddings, upstream.clone(), clock),
            spec,
            upstream,
            jobs,
            scopes: before.map(|it| it.scopes.clone()).unwrap_or_default(),
            counts: Default::default(),
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with the cache, of which it holds no share")]
        tokio::spawn(keep(Arc::downgrade(&semantic), queue));
        semantic
    }

    /// Returns the names of the embedder: what another one says is another's.
    pub(super) fn names(&self) -> [&str; 2] {
        [&self.spec.embeddings.upstream, &self.spec.embeddings.model]
    }

    /// Says whether something else is held of a scope than the answer under one key.
    pub(super) fn has_others(&self, scope: &Key, key: &Key) -> bool {
        self.scopes.lock().has_others(scope, key)
    }

    /// Returns how often each thing has come.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Came, u64)> {
        Came::ALL.iter().zip(&self.counts).map(|(came, count)| (*came, count.load(Ordering::Relaxed)))
    }

    /// Looks for the nearest answer to other words, in no more than half of the time that is left.
    pub(super) async fn search(
        &self,
        (cache, meant): (&Cache, &Meant),
        apart: &mut Apart,
        moment: (u64, Nanos),
    ) -> (Came, Option<Similar>) {
        let all = self.scopes.lock().of(&apart.scope);
        let found = match all.is_empty() {
            true => Err(Came::Nothing),
            false => self.nearest(all, apart, (meant, moment)).await,
        };
        let now = Timestamp::now();
        let held = |(similarity_permille, it): (u16, Arc<Found>)| {
            Some(Similar { entry: cache.find(&it.key, now)?, similarity_permille, first: it.first.clone() })
        };
        let found = found.and_then(|near| near.into_iter().find_map(held).ok_or(Came::Nothing));
        let came = found.as_ref().err().copied().unwrap_or(Came::Found);
        self.count(came);
        (came, found.ok())
    }

    async fn nearest(
        &self,
        all: Vec<Arc<Found>>,
        apart: &mut Apart,
        (meant, moment): (&Meant, (u64, Nanos)),
    ) -> Result<Vec<(u16, Arc<Found>)>, Came> {
        let unit = match &apart.unit {
            Some(unit) => unit.clone(),
            None => {
                let said = meant.of(&self.embedder, &apart.question, moment).await;
                apart.unit.insert(unit(said)?).clone()
            }
        };
        match compare(all, &apart.question, &unit) {
            Compared::Near(near) => Ok(near),
            Compared::Otherwise => Err(Came::Otherwise),
            Compared::Unlike => Err(Came::Garbage),
        }
    }

    /// Asks what a question means that an answer is kept for (SEM-1).
    async fn embed(&self, question: &str, moment: (u64, Nanos)) -> Result<Arc<Unit>, Came> {
        unit(self.embedder.vector(question, moment).await)
    }

    /// Keeps an answer so that it is found by its meaning, at once where that is known, else once there is time for it (SEM-2).
    pub(super) fn keep(
        self: &Arc<Self>,
        cache: &Arc<Cache>,
        (key, entry): (Key, Arc<Entry>),
        apart: &Apart,
        first: &str,
    ) {
        let before = || cache.meant(&key).filter(|it| it.scope == apart.scope).map(|it| it.unit.clone());
        let unit = apart.unit.clone().or_else(before);
        let job = Job {
            cache: Arc::downgrade(cache),
            key,
            entry: entry.clone(),
            apart: Apart { unit, ..apart.clone() },
            first: first.into(),
        };
        cache.put(key, entry);
        match job.apart.unit.clone() {
            Some(unit) => self.attach(&job, unit),
            None if self.jobs.try_send(job).is_err() => self.count(Came::KeepDropped),
            None => {}
        }
    }

    /// Lets an answer be found by what its question means (SEM-3).
    fn attach(&self, job: &Job, unit: Arc<Unit>) {
        let Some(cache) = job.cache.upgrade() else { return self.count(Came::KeepFailed) };
        let (key, scope, question) = (job.key, job.apart.scope, job.apart.question.clone());
        let meant = Arc::new(Found { key, scope, question, unit, first: job.first.clone() });
        if !self.scopes.lock().add(&meant, self.spec.entries) {
            return self.count(Came::Garbage);
        }
        cache.attach(&key, &job.entry, meant);
        self.count(Came::Kept);
    }

    fn count(&self, came: Came) {
        self.counts[came as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns the direction of what was said, or why there is none.
fn unit(said: Result<impl AsRef<[f32]>, Unsaid>) -> Result<Arc<Unit>, Came> {
    let said = said.map_err(|why| match why {
        Unsaid::Open => Came::Open,
        Unsaid::Busy => Came::Busy,
        Unsaid::Failed(ResultCode::TotalTimeout) => Came::Slow,
        Unsaid::Failed(ResultCode::DecodeFailed) => Came::Garbage,
        Unsaid::Failed(_) => Came::Failed,
    });
    said.and_then(|vector| Unit::of(vector.as_ref()).map(Arc::new).ok_or(Came::Garbage))
}

/// Asks what the questions mean that answers are kept for, one after the other, for as long as somebody holds the cache.
async fn keep(semantic: Weak<Semantic>, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.recv().await {
        let Some(semantic) = semantic.upgrade() else { return };
        match semantic.embed(&job.apart.question, (job.key.bits(), Nanos::MAX)).await {
            Ok(unit) => semantic.attach(&job, unit),
            Err(Came::Garbage) => semantic.count(Came::Garbage),
            Err(_) => semantic.count(Came::KeepFailed),
        }
    }
}
