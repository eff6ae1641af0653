//! Bets: L purses, each with the time at which what is in it was laid down.
//!
//! Of that time the product with the purse is kept, so that a row multiplies and adds, and nothing is divided before somebody asks.

use super::{Form, Wealth, wealth::RANGE};

/// The purses of one engine.
///
/// Mantissas and exponents lie apart, and as long as no exponent is in use a row is plain arithmetic on arrays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bets<const L: usize> {
    mantissas: [f64; L],
    /// Powers of two, as [`Wealth`] has them.
    exponents: [i64; L],
    /// One of them is not 0.
    far: bool,
    /// Per purse its mantissa times the time of its deposits, ns, weighed by what has become of them: since about when it wins.
    laid: [f64; L],
}

impl<const L: usize> Bets<L> {
    pub(crate) fn new(form: Form) -> Self {
        let start = match form {
            Form::Plain => 1.0 / Self::count(),
            Form::Sr(_) | Form::Cusum(_) => 0.0,
        };
        Self { mantissas: [start; L], exponents: [0; L], far: false, laid: [0.0; L] }
    }

    /// How many there are.
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    fn count() -> f64 {
        L as f64
    }

    /// Plays one row: `deposit` is the share of T that goes to all purses together.
    #[inline]
    pub(crate) fn play(&mut self, form: Form, (at, deposit): (u64, f64), factors: &[f64; L]) {
        let share = deposit / Self::count();
        #[expect(clippy::cast_precision_loss, reason = "a time to some 256 ns")]
        let at = at as f64;
        match form {
            Form::Plain => {}
            Form::Sr(_) | Form::Cusum(_) if self.far => self.give_far(form, at, share),
            Form::Sr(_) if share > 0.0 => {
                for (purse, laid) in self.mantissas.iter_mut().zip(&mut self.laid) {
                    *purse += share;
                    *laid += at * share;
                }
            }
            Form::Sr(_) => {}
            Form::Cusum(_) => {
                for (purse, laid) in self.mantissas.iter_mut().zip(&mut self.laid) {
                    let new = *purse <= share;
                    *laid = if new { at * share } else { *laid };
                    *purse = if new { share } else { *purse };
                }
            }
        }
        let mut near = true;
        for ((purse, laid), factor) in self.mantissas.iter_mut().zip(&mut self.laid).zip(factors) {
            *purse *= factor;
            *laid *= factor;
            near &= RANGE.contains(purse);
        }
        if !near {
            self.settle();
        }
    }

    /// Gives the deposits where a purse is far from 1.
    #[cold]
    fn give_far(&mut self, form: Form, at: f64, share: f64) {
        let (mut purses, mut times, given) = (self.purses(), self.times(), Wealth::of(share));
        for (purse, since) in purses.iter_mut().zip(&mut times) {
            if matches!(form, Form::Sr(_)) {
                *purse = purse.plus(given);
                *since += (at - *since) * given.part_of(*purse);
            } else if *purse <= given {
                (*purse, *since) = (given, at);
            }
        }
        self.set(purses, times);
    }

    /// Brings mantissas back into their range.
    #[cold]
    fn settle(&mut self) {
        self.set(self.purses(), self.times());
    }

    /// Returns what all purses hold together.
    #[inline]
    pub(crate) fn wealth(&self) -> Wealth {
        if self.far {
            return self.purses().into_iter().fold(Wealth::default(), Wealth::plus);
        }
        // In four fixed lanes.
        let mut lanes = [0.0; 4];
        self.mantissas.iter().enumerate().for_each(|(at, it)| lanes[at % 4] += it);
        Wealth::of((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
    }

    /// Returns since about when the fullest purse wins, ns.
    pub(crate) fn since(&self) -> u64 {
        let purses = self.purses();
        let fuller = |best: usize, it: usize| if purses[it] > purses[best] { it } else { best };
        let best = (1..L).fold(0, fuller);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in ns")]
        (self.times()[best].max(0.0) as u64)
    }

    /// Averages with another's, who counts `theirs` times where we count `ours` times.
    pub(crate) fn average(&mut self, other: &Self, ours: u32, theirs: u32) {
        let (ours, theirs) = (f64::from(ours), f64::from(theirs));
        let (our, their) = (ours / (ours + theirs), theirs / (ours + theirs));
        let (mut purses, others) = (self.purses(), other.purses());
        let (mut times, their_times) = (self.times(), other.times());
        for at in 0..L {
            let (ours, theirs) = (purses[at].times(our), others[at].times(their));
            purses[at] = ours.plus(theirs);
            times[at] += (their_times[at] - times[at]) * theirs.part_of(purses[at]);
        }
        self.set(purses, times);
    }

    /// Multiplies with another's, who saw other rows: as if one had seen all.
    pub(crate) fn multiply(&mut self, other: &Self) {
        let (mut purses, others) = (self.purses(), other.purses());
        for (ours, theirs) in purses.iter_mut().zip(others) {
            *ours = ours.product(theirs).times(Self::count());
        }
        self.set(purses, self.times());
    }

    fn purses(&self) -> [Wealth; L] {
        std::array::from_fn(|at| Wealth::of_parts(self.mantissas[at], self.exponents[at]).unwrap_or_default())
    }

    /// Since about when each wins, ns.
    fn times(&self) -> [f64; L] {
        let time = |at: usize| if self.mantissas[at] > 0.0 { self.laid[at] / self.mantissas[at] } else { 0.0 };
        std::array::from_fn(time)
    }

    fn set(&mut self, purses: [Wealth; L], times: [f64; L]) {
        self.mantissas = purses.map(|it| it.parts().0);
        self.laid = std::array::from_fn(|at| self.mantissas[at] * times[at]);
        self.exponents = purses.map(|it| it.parts().1);
        self.far = self.exponents.iter().any(|it| *it != 0);
    }
}
