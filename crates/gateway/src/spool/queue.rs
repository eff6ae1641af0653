//! Queue: what waits to be written, bounded by number and by bytes; never waits for whoever takes it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use evenkeel_api::evidence::{Stream, Why};
use parking_lot::{Condvar, Mutex};

use super::entry::Entry;

/// The most that waits.
pub(super) const MOST: usize = 16_384;
/// The most bytes of it. Records that are among the last 10,000 are in memory anyway.
const MOST_BYTES: usize = 64 << 20;
/// With so many there is nothing to wait for.
const HURRY: usize = 2_048;

/// What waits to be written.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    news: Condvar,
}

#[derive(Default)]
struct Inner {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// What found no room since the last entry.
    missed: BTreeMap<(Stream, Why), u64>,
    /// Why the queue is not being emptied, where that is known.
    trouble: Option<Why>,
    ends: bool,
    /// Requests that were open when it ended: what comes of them was declared as missing.
    given_up: u64,
}

impl Inner {
    /// Puts holes where they are among the lines.
    fn place_holes(&mut self) {
        let missed = std::mem::take(&mut self.missed);
        self.entries.extend(missed.into_iter().map(|((stream, why), count)| Entry::Hole { stream, why, count }));
    }
}

impl Queue {
    /// Takes an entry in.
    ///
    /// # Errors
    /// There is no room for it, for this reason; it is counted.
    pub(super) fn push(&self, entry: Entry) -> Result<(), Why> {
        let (stream, weight) = (entry.stream(), entry.weight());
        let mut it = self.inner.lock();
        if it.ends && it.given_up > 0 && stream == Stream::Decisions {
            it.given_up -= 1;
            return Ok(());
        }
        if it.ends || it.entries.len() >= MOST || it.bytes + weight > MOST_BYTES {
            let why = it.trouble.unwrap_or(if it.ends { Why::UncleanStop } else { Why::QueueFull });
            *it.missed.entry((stream, why)).or_default() += 1;
            return Err(why);
        }
        it.place_holes();
        it.entries.push_back(entry);
        it.bytes += weight;
        // Others are told by the one before them.
        if it.entries.len() == 1 || it.entries.len() == HURRY {
            self.news.notify_one();
        }
        Ok(())
    }

    /// Waits until something is there, the time is over, or it ends.
    pub(super) fn wait(&self, most: Option<Duration>) {
        let mut it = self.inner.lock();
        if it.entries.is_empty() && it.missed.is_empty() && !it.ends {
            match most {
                Some(most) => _ = self.news.wait_for(&mut it, most),
                None => self.news.wait(&mut it),
            }
        }
    }

    /// Waits, whatever comes meanwhile, unless it ends.
    pub(super) fn pause(&self, most: Duration) {
        let mut it = self.inner.lock();
        if !it.ends {
            self.news.wait_for(&mut it, most);
        }
    }

    /// Lets more come, where something is there and not yet many.
    pub(super) fn gather(&self, most: Duration) {
        let mut it = self.inner.lock();
        if !it.entries.is_empty() && it.entries.len() < HURRY && !it.ends {
            self.news.wait_for(&mut it, most);
        }
    }

    /// Takes out what came first, this many at most.
    pub(super) fn take(&self, most: usize) -> Vec<Entry> {
        let mut it = self.inner.lock();
        let many = it.entries.len().min(most);
        let mut taken: Vec<_> = it.entries.drain(..many).collect();
        if it.entries.is_empty() {
            it.place_holes();
            taken.extend(it.entries.drain(..));
        }
        // Whoever hands on waits for this lock; what something weighs takes its time.
        drop(it);
        let weight = taken.iter().map(Entry::weight).sum::<usize>();
        self.inner.lock().bytes -= weight;
        taken
    }

    /// Takes note of why nothing is taken out.
    pub(super) fn trouble(&self, why: Option<Why>) {
        self.inner.lock().trouble = why;
    }

    /// Takes nothing in any more, and counts requests of which nothing will come in time; says whether it has not ended before.
    pub(super) fn end(&self, open: u64) -> bool {
        let mut it = self.inner.lock();
        let first = !std::mem::replace(&mut it.ends, true);
        if first && open > 0 {
            it.given_up = open;
            *it.missed.entry((Stream::Decisions, Why::UncleanStop)).or_default() += open;
        }
        drop(it);
        self.news.notify_one();
        first
    }

    pub(super) fn ends(&self) -> bool {
        self.inner.lock().ends
    }

    pub(super) fn is_empty(&self) -> bool {
        let it = self.inner.lock();
        it.entries.is_empty() && it.missed.is_empty()
    }
}
