//! Workload: clients of one kind, and when their requests arrive.
//!
//! It is not the clients' conduct while they wait: that is `world/clients`.

use evenkeel_core::{Features, MICROSECOND, Nanos, Operation, RouteId};

use crate::{dice::Dice, spread::Spread};

/// From one request of a burst to the next.
const WITHIN: Nanos = MICROSECOND;

/// Clients of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) route: RouteId,
    /// What is asked for in one piece, and as a stream.
    pub(crate) operations: [Operation; 2],
    /// Between arrivals, or between bursts.
    pub(crate) gap: Spread,
    /// Requests that come at once.
    pub(crate) together: u32,
    pub(crate) from: Nanos,
    pub(crate) until: Option<Nanos>,
    /// The share of streams, in thousandths.
    pub(crate) streams: u16,
    pub(crate) prompt: Spread,
    /// What they need beyond plain text, and the share that does, in thousandths.
    pub(crate) needs: [(Features, u16); 2],
    /// Rows of a request, and the share of those that are set apart, in thousandths.
    pub(crate) rows: (u32, u16),
    /// The share whose input the guards of their route find unlike the reference, in thousandths.
    pub(crate) unlike: u16,
    /// Different questions; 0 where each is its own.
    pub(crate) questions: u32,
    /// The share that changes something, in thousandths.
    pub(crate) effects: u16,
    pub(crate) patience: Option<Nanos>,
    /// The share that has no more patience than that, in thousandths.
    pub(crate) impatient: u16,
    pub(crate) retries: u32,
    pub(crate) pause: Nanos,
    pub(crate) heeds: bool,
    pub(crate) deadline: Option<Nanos>,
    pub(crate) max_tier: Option<u8>,
}

/// When the requests of a load arrive.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    next: Nanos,
    /// Requests of this burst that are still to come.
    left: u32,
}

impl Arrivals {
    /// Starts a load; the first comes after one gap, so that nothing comes in step.
    pub(crate) fn start(load: &Load, dice: &mut Dice) -> Self {
        Self { next: load.from + load.gap.draw(dice.roll()), left: load.together }
    }

    /// Returns the next arrival, if there is one, and moves on.
    pub(crate) fn next(&mut self, load: &Load, dice: &mut Dice) -> Option<Nanos> {
        let at = self.next;
        self.left -= 1;
        self.next += match self.left {
            0 => {
                self.left = load.together;
                load.gap.draw(dice.roll())
            }
            _ => WITHIN,
        };
        load.until.is_none_or(|until| at < until).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_core::SECOND;

    use super::*;
    use crate::dice::Purpose;

    fn load(gap: Spread, together: u32) -> Load {
        let operations = [Operation::Chat, Operation::ChatStream];
        let (from, until) = (SECOND, Some(11 * SECOND));
        let prompt = Spread::fixed(1);
        Load {
            route: RouteId(0),
            operations,
            gap,
            together,
            from,
            until,
            streams: 0,
            prompt,
            needs: [(Features::NONE, 0); 2],
            rows: (0, 0),
            unlike: 0,
            questions: 0,
            effects: 0,
            patience: None,
            impatient: 0,
            retries: 0,
            pause: 0,
            heeds: false,
            deadline: None,
            max_tier: None,
        }
    }

    #[test]
    fn arrivals_keep_their_rate_and_their_time() {
        for (load, expected) in [
            (load(Spread::fixed(SECOND / 10), 1), 99..=100),
            (load(Spread::exponential(SECOND / 10), 1), 70..=130),
            (load(Spread::fixed(SECOND), 10), 90..=100),
        ] {
            let mut dice = Dice::new(3, Purpose::Arrivals);
            let mut arrivals = Arrivals::start(&load, &mut dice);
            let times: Vec<_> = std::iter::from_fn(|| arrivals.next(&load, &mut dice)).collect();
            assert!(expected.contains(&times.len()), "{} in 10 s", times.len());
            assert!(times.is_sorted() && times[0] >= SECOND);
        }
    }
}
