//! Told: how the spool stands, for metrics and for operators.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use evenkeel_api::evidence::{Stream, Why};
use parking_lot::{Condvar, Mutex};

/// What the writer says of itself.
#[derive(Debug, Default)]
pub(crate) struct Told {
    durable: [AtomicU64; 2],
    /// Bytes that wait for whoever reads them.
    waiting: AtomicU64,
    missed: Mutex<BTreeMap<(Stream, Why), u64>>,
    state: Mutex<State>,
    /// There is a place, or something is in its way.
    settled: Condvar,
}

#[derive(Clone, Debug, Default)]
struct State {
    instance: Option<String>,
    trouble: Option<String>,
    /// Nobody looks for a place any more.
    over: bool,
}

/// How the spool stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The name of this process among those that share its folder; none before it has one.
    pub(crate) instance: Option<String>,
    /// The last line of each stream that is on disk, with all before it.
    pub(crate) durable: [(Stream, u64); 2],
    /// Lines that are missing.
    pub(crate) missed: Vec<((Stream, Why), u64)>,
    /// Bytes that wait for whoever reads them.
    pub(crate) waiting: u64,
    /// Why nothing can be written; none where all is well.
    pub(crate) trouble: Option<String>,
}

impl Told {
    /// Counts lines that are missing.
    pub(super) fn missed(&self, stream: Stream, why: Why, count: u64) {
        if count > 0 {
            *self.missed.lock().entry((stream, why)).or_default() += count;
        }
    }

    pub(super) fn durable(&self, stream: Stream, n: u64) {
        self.durable[stream as usize].store(n, Relaxed);
    }

    pub(super) fn waiting(&self, bytes: u64) {
        self.waiting.store(bytes, Relaxed);
    }

    pub(super) fn instance(&self, name: &str) {
        self.state.lock().instance = Some(name.into());
        self.settled.notify_all();
    }

    /// Waits until this process has a name among those that share its folder.
    ///
    /// # Errors
    /// What is in the way of that.
    pub(super) fn named(&self) -> Result<String, String> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                State { instance: Some(name), .. } => return Ok(name.clone()),
                State { trouble: Some(why), .. } => return Err(why.clone()),
                State { over: true, .. } => return Err("nobody looks for a place any more".into()),
                _ => self.settled.wait(&mut state),
            }
        }
    }

    /// Takes note that nothing is written any more.
    pub(super) fn over(&self) {
        self.state.lock().over = true;
        self.settled.notify_all();
    }

    /// Takes note of what is in the way, or that nothing is; says whether that is new.
    pub(super) fn trouble(&self, what: Option<String>) -> bool {
        let mut state = self.state.lock();
        let new = what.is_some() != state.trouble.is_some();
        state.trouble = what;
        self.settled.notify_all();
        new
    }

    pub(super) fn standing(&self) -> Standing {
        let State { instance, trouble, .. } = self.state.lock().clone();
        let missed = self.missed.lock().iter().map(|(of, count)| (*of, *count)).collect();
        let durable = Stream::ALL.map(|stream| (stream, self.durable[stream as usize].load(Relaxed)));
        Standing { instance, durable, missed, waiting: self.waiting.load(Relaxed), trouble }
    }
}
