//! The one clock of the data plane: monotonic nanoseconds since the driver started.

use evenkeel_core::Nanos;
use tokio::time::Instant;

/// Where time comes from; paused with tokio's own clock in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub(crate) fn now(self) -> Nanos {
        self.0.elapsed().as_nanos() as Nanos
    }
}
