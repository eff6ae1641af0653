//! Queue: what is to happen, in the order of its time; of equal times, in the order in which it was caused.

use std::{cmp::Ordering, collections::BinaryHeap};

use evenkeel_core::Nanos;

/// Events by time.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    caused: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Nanos,
    caused: u64,
    what: T,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::with_capacity(64), caused: 0 }
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, at: Nanos, what: T) {
        self.caused += 1;
        self.heap.push(Entry { at, caused: self.caused, what });
    }

    /// Counts the events that are to come.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Returns the time of the next event.
    pub(crate) fn next(&self) -> Option<Nanos> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes the next event.
    pub(crate) fn take(&mut self) -> Option<(Nanos, T)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}

// The heap gives its greatest entry first: the soonest is the greatest.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.caused).cmp(&(self.at, self.caused))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pr_02_events_of_one_time_come_in_the_order_of_their_causes() {
        let mut queue = Queue::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            queue.add(at, what);
        }
        assert_eq!(queue.next(), Some(1));
        let order: String = std::iter::from_fn(|| queue.take()).map(|(_, what)| what).collect();
        assert_eq!(order, "abcd");
    }
}
