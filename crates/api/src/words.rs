//! How numbers and names of the core are written.

use evenkeel_core::{End, Nanos, Signal};

/// Returns the name of an episode.
pub(crate) fn episode(number: u32) -> String {
    format!("ep-{number:04}")
}

/// Returns a number that was compared, as compared: a decimal string (G-110). The largest number stands for none.
pub(crate) fn number(value: u64) -> String {
    if value == u64::MAX { "unbounded".into() } else { value.to_string() }
}

/// Returns the name under which a record shows a signal.
pub(crate) fn signal(signal: Signal) -> &'static str {
    signal.name()
}

/// Returns the name of how a request ended.
pub(crate) fn end(end: End) -> &'static str {
    match end {
        End::Answered => "answered",
        End::Error(_) => "error",
        End::Broken(_) => "broken",
        End::Refused(_) => "refused",
    }
}

/// Returns microseconds.
pub(crate) fn micros(nanos: Nanos) -> u64 {
    nanos / 1_000
}
