//! Hold: what a stream has said before its commit point (F-120).
//!
//! # Invariants
//! - `HOLD-1`: at most 256 KiB are held, with what each event costs besides. At that size a stream that has spoken is
//!   committed (`hold_limit`, F-023); one that has only given signs of life has failed.

use crate::{protocol::openai::envelope::Envelope, sse::Event};

/// Bytes that are held at most.
const MOST: usize = 256 << 10;
/// What an event costs besides its bytes.
const OVERHEAD: usize = size_of::<(Event, Envelope)>();

/// No more can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There is reasoning in it.
    Spoken,
    /// There is nothing in it.
    Silent,
}

/// Events that wait for the commit.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    events: Vec<(Event, Envelope)>,
    size: usize,
    spoken: bool,
}

impl Hold {
    /// Keeps an event; says whether no more may be kept.
    pub(crate) fn keep(&mut self, event: (Event, Envelope), spoken: bool) -> Option<Full> {
        self.size += event.0.data.len() + OVERHEAD;
        self.spoken |= spoken;
        self.events.push(event);
        let full = if self.spoken { Full::Spoken } else { Full::Silent };
        (self.size >= MOST).then_some(full)
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

    fn event(size: usize) -> (Event, Envelope) {
        let mut scanner = Scanner::default();
        scanner.push(format!("data: {}\n\n", "x".repeat(size)).as_bytes());
        (scanner.event().expect("small").expect("whole"), Envelope::default())
    }

    #[test]
    fn f_023_a_hold_is_bounded_and_gives_back_in_order() {
        let mut hold = Hold::default();
        let mut keep = |size| hold.keep(event(size), size == 5);
        assert_eq!([keep(5), keep(100 << 10), keep(100 << 10)], [None; 3]);
        assert_eq!(keep(100 << 10), Some(Full::Spoken), "HOLD-1");
        assert_eq!(hold.take()[0].0.data, "xxxxx");
        assert!(hold.take().is_empty());
    }

    #[test]
    fn up_17_signs_of_life_fill_a_hold_and_are_no_answer() {
        let mut hold = Hold::default();
        let full = (0..10_000).find_map(|_| hold.keep(event(2), false));
        assert_eq!(full, Some(Full::Silent));
    }
}
