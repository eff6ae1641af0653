//! The one clock of the data plane: monotonic nanoseconds since the driver started.

use evenkeel_core::Nanos;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Where time comes from; paused with tokio's own clock in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// What the wall clock said at the start: read once, so that a moment has one name.
    wall: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), wall: Timestamp::now() }
    }

    /// Returns the time since the start.
    pub(crate) fn now(self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    /// Returns a moment of this clock as people name it.
    pub(crate) fn wall(self, at: Nanos) -> Timestamp {
        let since = SignedDuration::from_nanos(i64::try_from(at).unwrap_or(i64::MAX));
        self.wall.saturating_add(since).unwrap_or(Timestamp::MAX)
    }
}
