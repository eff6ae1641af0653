//! Entry: what waits to be written. It is rendered where it is written, off the way of requests.

use std::sync::Arc;

use evenkeel_api::evidence::{Jcs, Stream, Why};
use jiff::Timestamp;
use serde_json::Value;

/// Something of which a line is kept.
pub(crate) trait Line: Send + Sync {
    /// Returns about how many bytes of memory it holds.
    fn weight(&self) -> usize;

    /// Writes it, whole or in a line, without the end of the line.
    ///
    /// # Errors
    /// It has no form in which it can be kept.
    fn write(&self, whole: bool, jcs: &mut Jcs, to: &mut Vec<u8>) -> Result<(), serde_json::Error>;
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) at: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) actor: String,
    pub(crate) data: Value,
}

/// What waits.
pub(super) enum Entry {
    /// A request that is over.
    Decision { of: Arc<dyn Line>, whole: bool },
    /// Something else.
    Event(Noted),
    /// Lines that found no room here.
    Hole { stream: Stream, why: Why, count: u64 },
}

/// What an event is counted as: there are few, and they are small.
const EVENT: usize = 1_024;

impl Entry {
    pub(super) fn stream(&self) -> Stream {
        match self {
            Self::Decision { .. } => Stream::Decisions,
            Self::Event(_) => Stream::Events,
            Self::Hole { stream, .. } => *stream,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Decision { of, .. } => of.weight(),
            Self::Event(_) => EVENT,
            Self::Hole { .. } => 0,
        }
    }
}
