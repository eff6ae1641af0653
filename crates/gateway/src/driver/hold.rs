//! Hold: what a stream has said before its commit point (F-120).
//!
//! # Invariants
//! - `HOLD-1`: at most 256 KiB are held; at that size the stream is committed (F-023).

use crate::{protocol::openai::envelope::Envelope, sse::Event};

/// Bytes that are held at most.
const MOST: usize = 256 << 10;

/// Events that wait for the commit.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    events: Vec<(Event, Envelope)>,
    size: usize,
}

impl Hold {
    /// Keeps an event; says whether no more may be kept.
    pub(crate) fn keep(&mut self, event: Event, envelope: Envelope) -> bool {
        self.size += event.data.len();
        self.events.push((event, envelope));
        self.size >= MOST
    }

    /// Gives everything up, in order.
    pub(crate) fn take(&mut self) -> Vec<(Event, Envelope)> {
        self.size = 0;
        std::mem::take(&mut self.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::Scanner;

    fn event(size: usize) -> Event {
        let mut scanner = Scanner::default();
        scanner.push(format!("data: {}\n\n", "x".repeat(size)).as_bytes());
        scanner.event().expect("small").expect("whole")
    }

    #[test]
    fn f_023_a_hold_is_bounded_and_gives_back_in_order() {
        let mut hold = Hold::default();
        let mut keep = |size| hold.keep(event(size), Envelope::default());
        assert_eq!([keep(5), keep(100 << 10), keep(100 << 10), keep(100 << 10)], [false, false, false, true], "HOLD-1");
        assert_eq!(hold.take()[0].0.data, "xxxxx");
        assert!(hold.take().is_empty());
    }
}
