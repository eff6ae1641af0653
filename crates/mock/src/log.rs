//! Log: what the mock saw and did, so that others can judge a gateway from the provider's side too.
//!
//! It is not a metric and not a file: it lives in memory, is read whole, and ends with the mock.
//!
//! # Invariants
//! - `LOG-1`: attempts stand in the order in which their requests were complete.
//! - `LOG-2`: it is bounded: the oldest of more than `MAX_ATTEMPTS` are forgotten, bodies beyond `MAX_BODIES` keep only
//!   their digest. Counts are of all, forgotten ones too.
//! - `LOG-3`: a credential never stands in it, only that there was one.

mod attempt;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

pub use attempt::{Attempt, Ending};
pub(crate) use attempt::{Progress, Seen, Ticket};

use attempt::Entry;

use crate::protocol::Work;

/// How many attempts are kept: an outage bench of half a minute fits three times.
const MAX_ATTEMPTS: usize = 100_000;
/// How many bytes of request bodies are kept.
const MAX_BODIES: usize = 64 * 1024 * 1024;
/// How many models are counted by name; the rest are counted together.
const MAX_MODELS: usize = 1_000;
/// The name under which the rest are counted.
const OTHERS: &str = "(others)";

/// The time since the mock started; all times of the log are by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// How many attempts a model saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// All attempts.
    pub attempts: u64,
    /// Those among them that asked for no work, such as probes of readiness.
    pub probes: u64,
    /// Those that met a fault.
    pub faulted: u64,
}

/// The attempts of a mock since its start or the last reset.
#[derive(Debug)]
pub(crate) struct Log {
    clock: Clock,
    limits: Limits,
    state: Mutex<State>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
struct Limits {
    attempts: usize,
    bodies: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    total: Count,
    by_model: BTreeMap<String, Count>,
    body_bytes: usize,
    /// The first entry whose body may still be there.
    with_body: u64,
}

impl Log {
    pub(crate) fn new(clock: Clock) -> Log {
        Log { clock, limits: Limits { attempts: MAX_ATTEMPTS, bodies: MAX_BODIES }, state: Mutex::default() }
    }

    /// Writes down a request that is about to be answered.
    pub(crate) fn begin(&self, seen: Seen, body: Bytes) -> Ticket {
        let progress = Arc::new(Progress::new(self.clock));
        let mut state = self.state.lock();
        let number = state.total.attempts;
        state.count(&seen);
        state.body_bytes += body.len();
        state.entries.push_back(Entry::new(number, seen, body, progress.clone()));
        state.trim(self.limits);
        Ticket(progress)
    }

    /// Returns progress that nobody reads, for answers of the mock about itself.
    pub(crate) fn unlogged(&self) -> Progress {
        Progress::new(self.clock)
    }

    /// Returns the attempts from a number on, of one model or of all.
    pub(crate) fn attempts(&self, since: u64, model: Option<&str>) -> Vec<Attempt> {
        let wanted = |entry: &&Entry| entry.number >= since && model.is_none_or(|model| entry.model() == model);
        // Digests are made outside the lock: they take a while, and requests wait for it.
        let entries: Vec<Entry> = self.state.lock().entries.iter().filter(wanted).cloned().collect();
        entries.iter().map(Entry::snapshot).collect()
    }

    /// Returns all attempts that were counted, by model too, and how many of them are forgotten.
    pub(crate) fn counts(&self) -> (Count, BTreeMap<String, Count>, u64) {
        let state = self.state.lock();
        let forgotten = state.total.attempts - state.entries.len() as u64;
        (state.total, state.by_model.clone(), forgotten)
    }

    /// Forgets everything. Attempts under way go on unlogged.
    pub(crate) fn clear(&self) {
        *self.state.lock() = State::default();
    }
}

impl State {
    fn count(&mut self, seen: &Seen) {
        let known = self.by_model.len() < MAX_MODELS || self.by_model.contains_key(&seen.model);
        let name = if known { seen.model.as_str() } else { OTHERS };
        if !self.by_model.contains_key(name) {
            self.by_model.insert(name.to_owned(), Count::default());
        }
        let model = self.by_model.get_mut(name).expect("it was inserted above");
        for count in [model, &mut self.total] {
            count.attempts += 1;
            count.probes += u64::from(seen.work == Work::Probe);
            count.faulted += u64::from(seen.fault.is_some());
        }
    }

    fn trim(&mut self, limits: Limits) {
        while self.entries.len() > limits.attempts {
            let oldest = self.entries.pop_front().expect("there are more than the limit");
            self.body_bytes -= oldest.body_len();
        }
        let first = self.entries.front().map_or(0, |entry| entry.number);
        self.with_body = self.with_body.max(first);
        while self.body_bytes > limits.bodies {
            let index = usize::try_from(self.with_body - first).expect("entries are fewer than memory has bytes");
            let Some(entry) = self.entries.get_mut(index) else { break };
            self.body_bytes -= entry.body_len();
            entry.forget_body();
            self.with_body += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Head;

    fn seen(log: &Log, model: &str) -> Seen {
        let head = Head { method: "POST".to_owned(), target: "/".to_owned(), old: false, headers: Vec::new() };
        Seen {
            at: log.clock.now(),
            connection: 0,
            reused: false,
            head: Arc::new(head),
            model: model.to_owned(),
            work: Work::Infer,
            fault: None,
        }
    }

    #[test]
    fn log_2_the_oldest_attempts_and_bodies_are_forgotten_but_counted() {
        let mut log = Log::new(Clock::start());
        log.limits = Limits { attempts: 4, bodies: 20 };
        for number in 0..10 {
            drop(log.begin(seen(&log, "m"), Bytes::from(vec![number; 9])));
        }
        let kept = log.attempts(0, None);
        assert_eq!(kept.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [6, 7, 8, 9]);
        let bodies: Vec<_> = kept.iter().map(|attempt| attempt.body.is_some()).collect();
        assert_eq!(bodies, [false, false, true, true], "two bodies of nine bytes fit into twenty");
        assert!(kept.iter().all(|attempt| attempt.body_bytes == 9 && attempt.body_sha256.len() == 64));
        let (total, by_model, forgotten) = log.counts();
        assert_eq!((total.attempts, by_model["m"].attempts, forgotten), (10, 10, 6));
        log.clear();
        drop(log.begin(seen(&log, "m"), Bytes::from(vec![0; 9])));
        assert_eq!((log.attempts(0, None)[0].attempt, log.attempts(1, None).len()), (0, 0));
    }

    #[test]
    fn log_2_models_beyond_the_limit_are_counted_together() {
        let log = Log::new(Clock::start());
        for number in 0..=MAX_MODELS {
            drop(log.begin(seen(&log, &number.to_string()), Bytes::new()));
        }
        let (_, by_model, _) = log.counts();
        assert_eq!((by_model.len(), by_model[OTHERS].attempts), (MAX_MODELS + 1, 1));
    }

    #[test]
    fn a_ticket_that_is_dropped_early_says_that_the_mock_was_stopped() {
        let log = Log::new(Clock::start());
        let ticket = log.begin(seen(&log, "m"), Bytes::new());
        assert_eq!(log.attempts(0, None)[0].ending, Ending::Open);
        drop(ticket);
        assert_eq!(log.attempts(0, None)[0].ending, Ending::Stopped);
    }
}
