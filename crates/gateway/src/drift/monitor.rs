//! Monitor: the watcher of a route in a running gateway: rows wait for it in a queue, and what it says is told to the core.
//!
//! # Invariants
//! - `MON-1`: a request never waits for it: what finds no room is left out, and counted.
//! - `MON-2`: what is left out is drawn by a hash of the request, never by what it brings: so the promise of the panel stands.
//! - `MON-3`: the core is told within a second when the state changes, and every ten seconds in any case.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use evenkeel_config::{Answered, Answers, Confidence, Drift};
use evenkeel_core::{Nanos, SECOND};
use evenkeel_signals::{
    drift::{Evidence, Hold, Refused, Settings, State},
    eproc::Every,
    reference::Reference,
};
use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    answer::Output,
    history::History,
    plan::{Of, Plan},
    row::{Lot, Row, drawn},
    watcher::{Seen, StreamState, Watcher},
};
use crate::events;

/// Rows that wait to be looked at.
const WAITING: usize = 4_096;
/// Bytes of them, about; a text is as long as its client made it.
const BYTES: usize = 32 << 20;
/// Rows that are looked at before others get their turn.
const TOGETHER: usize = 64;
/// How long rows are let come together.
const PAUSE: Duration = Duration::from_millis(10);
/// What is unchanged is told again after this long; the core takes silence for ignorance after a minute.
const AGAIN: Nanos = 10 * SECOND;

/// What a monitor was made of: as long as that stays, it goes on over reloads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) route: String,
    /// The digest of the reference.
    pub(crate) reference: [u8; 32],
    pub(crate) drift: Drift,
    /// The name of the first tier.
    pub(crate) primary: String,
    /// The answers of the first tier are tensors, with outputs.
    pub(crate) tensors: bool,
    /// How sure the first tier is, where it says so.
    pub(crate) sure: Option<Confidence>,
}

/// A route that is watched.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) made: Made,
    /// The outputs of the first tier that are compared.
    pub(crate) outputs: Vec<Output>,
    /// The text of its answers is.
    pub(crate) text: bool,
    rows: Sender<Row>,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    watcher: Mutex<Watcher>,
    /// Bytes of the rows that wait in the queue, and of those that wait for the end of a minute.
    bytes: AtomicUsize,
    minute: AtomicUsize,
    dropped: AtomicU64,
    told: Mutex<Told>,
    history: Mutex<History>,
}

/// What was said last, and when.
#[derive(Debug, Default)]
struct Told {
    /// The value, and that outputs alone have moved.
    value: Option<(u64, bool)>,
    at: Nanos,
    /// An alarm stands, and its end is to be told.
    alarm: bool,
}

/// How a watched route stands, for people and programs.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) seen: Option<Seen>,
    pub(crate) streams: Vec<StreamState>,
    /// The last alarm, while it stands.
    pub(crate) alarm: Option<Evidence>,
    pub(crate) dropped: u64,
    /// What is not watched for want of rows of the reference.
    pub(crate) too_few: Vec<(String, u64)>,
    /// When each minute of the last hour began, and its strongest score.
    pub(crate) history: Vec<(u64, i64)>,
}

impl Monitor {
    /// Starts to watch a route; it ends when it is dropped.
    ///
    /// # Errors
    /// The reference has nothing that can be watched.
    pub(crate) fn start(made: Made, reference: &Reference) -> Result<Arc<Self>, Refused> {
        let Drift { every, hold: (nanos, rows), enforced, watch } = made.drift;
        let seasons = reference.seasons().cloned();
        let settings = Settings { every: Every::Nanos(every), enforced, hold: Hold { nanos, rows }, seasons };
        let answers = Answers { tensors: made.tensors, sure: made.sure.is_some() };
        let of = Of { reference, watch, primary: &made.primary, answers };
        let (plan, panel) = Plan::new(of, settings)?;
        let (outputs, text) = (plan.outputs.clone(), plan.text.is_some());
        let (sender, receiver) = channel(WAITING);
        let inner = Arc::new(Inner {
            watcher: Mutex::new(Watcher::new(plan, panel)),
            bytes: AtomicUsize::new(0),
            minute: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            told: Mutex::default(),
            history: Mutex::default(),
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with the monitor, which holds the other end of the queue"
        )]
        tokio::spawn(work(made.route.clone(), receiver, inner.clone()));
        Ok(Arc::new(Self { made, outputs, text, rows: sender, inner }))
    }

    /// Says whether it compares something of the words of a chat.
    pub(crate) fn reads_words(&self) -> bool {
        self.text || self.outputs.iter().any(|it| matches!(it.is, Answered::Finish | Answered::Refusal))
    }

    /// Says whether it compares something of the answers themselves: a chat's words, or tensors.
    pub(crate) fn reads_answers(&self) -> bool {
        self.reads_words() || self.outputs.iter().any(|it| it.is == Answered::Tensor)
    }

    /// Takes the row of a request, if there is room for it.
    pub(crate) fn offer(&self, entropy: u64, row: impl FnOnce() -> Row) {
        let held = self.inner.bytes.load(Relaxed) + self.inner.minute.load(Relaxed);
        let waits = held < BYTES && keeps(drawn(entropy, Lot::Room), self.rows.capacity());
        if !waits {
            self.inner.dropped.fetch_add(1, Relaxed);
            return;
        }
        let row = row();
        let bytes = row.bytes();
        self.inner.bytes.fetch_add(bytes, Relaxed);
        if self.rows.try_send(row).is_err() {
            self.inner.bytes.fetch_sub(bytes, Relaxed);
            self.inner.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Lets time pass, on the wall and on the clock of the gateway; returns what the core is to be told now, if anything.
    pub(crate) fn tick(&self, wall: u64, now: Nanos) -> Option<Seen> {
        let (alarms, seen) = {
            let mut watcher = self.inner.watcher.lock();
            let alarms = watcher.pass(wall);
            self.inner.minute.store(watcher.waiting(), Relaxed);
            (alarms, watcher.read(wall))
        };
        self.inner.alarmed(&self.made.route, &alarms);
        let seen = seen?;
        self.inner.history.lock().note(wall, seen.score);
        let mut told = self.inner.told.lock();
        if told.alarm && seen.state != State::Drift {
            told.alarm = false;
            events::drift_over(&self.made.route, &seen);
        }
        let value = Some((seen.value, seen.outputs_alone));
        let due = told.value != value || now.saturating_sub(told.at) >= AGAIN;
        due.then(|| {
            (told.value, told.at) = (value, now);
            seen
        })
    }

    /// Reads everything.
    pub(crate) fn standing(&self, wall: u64) -> Standing {
        let watcher = self.inner.watcher.lock();
        let seen = watcher.read(wall);
        let stands = seen.as_ref().is_some_and(|it| it.state == State::Drift);
        Standing {
            streams: watcher.streams(wall),
            alarm: watcher.evidence().filter(|_| stands).cloned(),
            dropped: self.inner.dropped.load(Relaxed) + watcher.left_out(),
            too_few: watcher.plan().too_few.clone(),
            history: self.inner.history.lock().read(),
            seen,
        }
    }
}

impl Inner {
    /// Looks at rows.
    fn look(&self, route: &str, rows: impl Iterator<Item = Row>) {
        let (mut bytes, mut alarms) = (0, Vec::new());
        {
            let mut watcher = self.watcher.lock();
            for row in rows {
                bytes += row.bytes();
                alarms.extend(watcher.take(row));
            }
            self.minute.store(watcher.waiting(), Relaxed);
        }
        self.bytes.fetch_sub(bytes, Relaxed);
        self.alarmed(route, &alarms);
    }

    /// Tells of alarms that are new.
    fn alarmed(&self, route: &str, alarms: &[Evidence]) {
        for alarm in alarms.iter().filter(|it| it.new) {
            self.told.lock().alarm = true;
            events::drift_alarm(route, alarm);
        }
    }
}

/// Looks at the rows, some together: to be woken for each of them would cost as much as to look at it.
async fn work(route: String, mut rows: Receiver<Row>, inner: Arc<Inner>) {
    let mut together = Vec::new();
    loop {
        match rows.recv_many(&mut together, TOGETHER).await {
            0 => return,
            all => {
                inner.look(&route, together.drain(..));
                // Where more wait, they have come together already.
                if all == TOGETHER { tokio::task::yield_now().await } else { tokio::time::sleep(PAUSE).await }
            }
        }
    }
}

/// Says whether a row is kept by the bits that it is drawn with: where half of the places are taken, ever fewer are (MON-2).
fn keeps(drawn: u64, free: usize) -> bool {
    let share = (free as u128 * 2).min(WAITING as u128);
    u128::from(drawn) * (WAITING as u128) < share << 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mon_2_where_there_is_less_room_fewer_rows_are_kept_whatever_they_bring() {
        let kept = |free: usize| (0..10_000).filter(|n| keeps(drawn(*n, Lot::Room), free)).count();
        assert_eq!([kept(WAITING), kept(WAITING / 2), kept(0)], [10_000, 10_000, 0]);
        let half = kept(WAITING / 4);
        assert!((4_800..=5_200).contains(&half), "{half}");
        // Who is kept with little room is kept with more.
        assert!(
            (0..10_000).all(|n| !keeps(drawn(n, Lot::Room), WAITING / 8) || keeps(drawn(n, Lot::Room), WAITING / 4))
        );
    }
}
