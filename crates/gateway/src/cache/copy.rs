//! Copy: what was sent of a stream, in case it may be kept once its end is verified.

use bytes::Bytes;

use crate::path::Chunk;

/// The longest stream that is copied, in bytes.
const MOST: usize = 8 << 20;

/// What was sent of a stream, within a bound.
#[derive(Debug)]
pub(crate) struct Copy {
    events: Vec<Bytes>,
    left: usize,
    /// There was more of it than may be kept.
    over: bool,
}

impl Copy {
    /// Begins to copy a stream that may have so many bytes.
    pub(crate) fn of(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // A stream says in some two hundred bytes what a whole answer says in five.
        Self { events: Vec::new(), left: most.saturating_mul(32).min(MOST), over: false }
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, chunk: &Chunk) {
        match self.left.checked_sub(chunk.event.data.len()) {
            Some(left) => {
                self.left = left;
                // Of its own: a slice would hold on to all that was read with it.
                self.events.push(Bytes::copy_from_slice(&chunk.event.data));
            }
            None => {
                self.over = true;
                self.events = Vec::new();
            }
        }
    }

    /// Gives up what was copied; none where it was too much.
    pub(crate) fn take(&mut self) -> Option<Vec<Bytes>> {
        Some(std::mem::take(&mut self.events)).filter(|_| !self.over)
    }
}
