//! Shape: what everything that watches rows has in common: how it is read, and why two of a kind may not become one.
//!
//! All of them have `update(at, …)`, `read(now)`, `merge(&other)` and `quantise`: rows go in with their time, a reading comes out
//! with how many rows stand behind it, and replicas are put together.

/// What is read of something that watches.
///
/// # Units
/// `value`, `lo` and `hi` are in the watcher's own unit; `as_of` is the time of the latest row, ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<S> {
    /// The number.
    pub value: f64,
    /// The lower end of its interval; the number itself where there is none.
    pub lo: f64,
    /// The upper end likewise.
    pub hi: f64,
    /// The rows that stand behind it.
    pub samples: u64,
    /// The time of the latest of them, ns; 0 before the first.
    pub as_of: u64,
    /// What it amounts to.
    pub state: S,
}

/// Why two watchers cannot be made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incompatible {
    /// They compare with different references.
    Reference,
    /// Their cells or buckets differ.
    Grid,
    /// They test for something else, or with another clock.
    Setting,
}
