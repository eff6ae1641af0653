//! Came: what came of what was asked of the store, as it is counted.

/// What came of a look-up, or of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Hit,
    Miss,
    /// It was not what had been written.
    Garbage,
    /// It is dated after now.
    Ahead,
    /// It took longer than it may.
    Slow,
    /// The server, or the way to it, failed.
    Failed,
    /// Its breaker was open.
    Open,
    /// No connection stood.
    Down,
    Written,
    WriteFailed,
    /// There was no place in the queue.
    WriteDropped,
}

impl Came {
    /// Everything that may come.
    pub(crate) const ALL: [Self; 11] = [
        Self::Hit,
        Self::Miss,
        Self::Garbage,
        Self::Ahead,
        Self::Slow,
        Self::Failed,
        Self::Open,
        Self::Down,
        Self::Written,
        Self::WriteFailed,
        Self::WriteDropped,
    ];

    /// Returns the word of metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Garbage => "garbage",
            Self::Ahead => "ahead",
            Self::Slow => "slow",
            Self::Failed => "failed",
            Self::Open => "breaker_open",
            Self::Down => "not_connected",
            Self::Written => "written",
            Self::WriteFailed => "write_failed",
            Self::WriteDropped => "write_dropped",
        }
    }
}
