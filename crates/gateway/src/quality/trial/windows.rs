//! Windows: answers in the order in which they were asked for, some at a time, until it is known of each whether it will ever be told
//! what it lost.
//!
//! # Why windows
//! Labels come in an order of their own: those of wrong answers first, or those of one tier. Whoever bets as they come bets on that. So
//! what belongs together by its time is bet on together, when all of it is known that will be; and what the last model answered is
//! weighed by how many of the others *in the same window* are known, so that it does not matter when how many are copied, or labelled.

use std::collections::VecDeque;

use super::SECOND;

/// Answers of cheaper models that a window has.
pub(super) const TOGETHER: usize = 32;
/// How long the copy of an answer is waited for, ns.
pub(super) const COPY: u64 = 600 * SECOND;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::quality) enum By {
    /// A model before the last.
    Cheaper,
    /// The last, with which the certificate compares: it has lost nothing, whatever its label will be.
    Last,
}

/// What becomes of an answer of a cheaper model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::quality) enum Fate {
    /// The last model has answered a copy.
    Copied,
    /// How much more was lost than by the last model.
    Lost(f64),
    /// Nobody will ever tell what it lost.
    Never,
}

/// An answer, as it is named: its id, and when it was asked for, ns.
pub(in crate::quality) type Named = (u128, u64);

/// Windows, the oldest first; the last of them may be open.
#[derive(Debug, Default)]
pub(super) struct Windows(VecDeque<Window>);

#[derive(Debug, Default)]
struct Window {
    /// When the last of its answers was asked for, ns.
    until: u64,
    /// No more are asked for.
    closed: bool,
    /// Answers of the last model.
    last: u64,
    cheaper: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    named: Named,
    copied: bool,
    /// None while that is awaited: what it lost, where that was ever told.
    known: Option<Option<f64>>,
}

/// A window of which all is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    /// Answers of the last model, and of cheaper ones.
    pub(super) last: u64,
    pub(super) cheaper: u64,
    /// What those of the cheaper ones have lost of which it is known.
    pub(super) losses: Vec<f64>,
}

impl Windows {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Puts an answer into the window of its time: where that is over, into the oldest that is left.
    pub(super) fn answered(&mut self, named: Named, by: By) {
        let place = self.place(named.1);
        if place == self.0.len() {
            self.0.push_back(Window::default());
        }
        let window = &mut self.0[place];
        window.until = window.until.max(named.1);
        match by {
            By::Last => window.last += 1,
            By::Cheaper => window.cheaper.push(Waiting { named, copied: false, known: None }),
        }
        window.closed |= window.cheaper.len() >= TOGETHER;
    }

    /// Hears of an answer; the first that tells what it lost counts (TRIAL-1).
    pub(super) fn hear(&mut self, named: Named, fate: Fate) {
        let place = self.place(named.1);
        let mut waiting = self.0.get_mut(place).into_iter().flat_map(|it| &mut it.cheaper);
        let Some(waiting) = waiting.find(|it| it.named == named) else { return };
        match fate {
            Fate::Copied => waiting.copied = true,
            Fate::Lost(loss) => _ = waiting.known.get_or_insert(Some(loss)),
            Fate::Never => _ = waiting.known.get_or_insert(None),
        }
    }

    /// Takes the oldest window, where all of it is known, or too old to be told after `delay`, ns.
    pub(super) fn next(&mut self, now: u64, delay: u64) -> Option<Settled> {
        let is_settled = |it: &Waiting| {
            let age = now.saturating_sub(it.named.1);
            it.known.is_some() || age > delay || (!it.copied && age > COPY)
        };
        let window = self.0.pop_front_if(|it| it.closed && it.cheaper.iter().all(is_settled))?;
        let losses = window.cheaper.iter().filter_map(|it| it.known.flatten()).collect();
        Some(Settled { last: window.last, cheaper: window.cheaper.len() as u64, losses })
    }

    /// Returns the place of the window of a time: the first that is open or not yet over then.
    fn place(&self, at: u64) -> usize {
        self.0.partition_point(|it| it.closed && it.until < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u128 = 1;

    fn filled(windows: &mut Windows, from: u64) {
        (0..TOGETHER as u64).for_each(|at| windows.answered((ID, from + at), By::Cheaper));
    }

    #[test]
    fn a_window_waits_until_all_of_it_is_told_or_too_old_and_later_ones_wait_for_it() {
        let mut windows = Windows::default();
        filled(&mut windows, 100);
        filled(&mut windows, 200);
        windows.answered((ID, 150), By::Last);
        windows.answered((ID, 99), By::Last);
        for at in (200..200 + TOGETHER as u64).chain(101..100 + TOGETHER as u64) {
            windows.hear((ID, at), Fate::Copied);
            windows.hear((ID, at), if at == 102 { Fate::Never } else { Fate::Lost(0.0) });
            windows.hear((ID, at), Fate::Lost(1.0));
        }
        windows.hear((ID, 100), Fate::Copied);
        let delay = 2 * COPY;
        assert_eq!([100, 99 + delay, 100 + delay].map(|now| windows.next(now, delay)), [None, None, None]);
        let mut uncopied = Windows(windows.0.drain(1..).collect());
        let first = windows.next(101 + delay, delay).expect("too old");
        assert_eq!(
            (first.last, first.cheaper, first.losses),
            (1, 32, vec![0.0; 30]),
            "neither the silent nor the first"
        );
        assert_eq!(uncopied.next(300, delay).map(|it| (it.last, it.losses.len())), Some((1, 32)), "it waited for that");
        filled(&mut uncopied, 1_000);
        assert_eq!(uncopied.next(1_000 + COPY, delay), None);
        let copyless = uncopied.next(1_032 + COPY, delay).expect("no copy will come");
        assert_eq!(copyless, Settled { last: 0, cheaper: 32, losses: Vec::new() });
        assert_eq!(uncopied.next(u64::MAX, delay), None);
    }

    #[test]
    fn an_open_window_is_not_settled_and_what_comes_late_is_put_into_the_oldest_that_is_left() {
        let mut windows = Windows::default();
        windows.answered((ID, 10), By::Cheaper);
        assert_eq!(windows.next(u64::MAX, 0), None);
        filled(&mut windows, 20);
        windows.answered((ID, 5), By::Cheaper);
        windows.hear((ID, 5), Fate::Lost(1.0));
        let settled = windows.next(u64::MAX, 0).expect("too old");
        assert_eq!((settled.cheaper, settled.losses), (33, vec![1.0]), "the last of the second filling stands open");
        assert_eq!(windows.0.len(), 1);
    }
}
