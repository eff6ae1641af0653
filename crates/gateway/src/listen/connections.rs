//! Connections: how many are open, and when the last of them is gone.
//!
//! # Invariants
//! - `SEAT-1`: whoever takes a seat gives it back, however it ends; no more than were allowed are taken (F-087).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// A count of what is open.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: AtomicUsize,
    changed: Notify,
}

/// One that is open, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Connections>);

impl Connections {
    /// Takes a seat, unless `most` are taken.
    pub(crate) fn enter(self: &Arc<Self>, most: usize) -> Option<Seat> {
        let room = |open| (open < most).then_some(open + 1);
        self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, room).ok()?;
        Some(Seat(self.clone()))
    }

    /// Waits until nothing is open.
    pub(crate) async fn gone(&self) {
        loop {
            let changed = self.changed.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn f_087_seats_are_bounded_and_the_last_one_that_leaves_is_heard() {
        let connections = Arc::new(Connections::default());
        let seats: Vec<_> = (0..2).map(|_| connections.enter(2).expect("there is room")).collect();
        assert!(connections.enter(2).is_none(), "SEAT-1");
        tokio::join!(connections.gone(), async { drop(seats) });
        assert!(connections.enter(1).is_some());
    }
}
