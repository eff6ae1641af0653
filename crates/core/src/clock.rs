//! Time as the core knows it: nanoseconds of a monotonic clock that the shell supplies.
//!
//! Not wall time, and never read here: `now` is an argument.

/// Nanoseconds: a point on the shell's monotonic clock, or a length of time.
pub type Nanos = u64;

/// One microsecond.
pub const MICROSECOND: Nanos = 1_000;
/// One millisecond.
pub const MILLISECOND: Nanos = 1_000_000;
/// One second.
pub const SECOND: Nanos = 1_000_000_000;
