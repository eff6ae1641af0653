//! Bets: L purses, each with the time at which what is in it was laid down.
//!
//! Of that time the product with the purse is kept, so that a row multiplies and adds, and nothing is divided before somebody asks.

use super::{Form, Wealth, wealth::RANGE};

/// The least factor of a row: nobody bets more than 0.8 of a purse, or pays more than that again.
const LEAST: f64 = 0.1;

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

/// What a row gives each purse, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Given {
    /// The share of T.
    share: f64,
    /// That times the time of the row, ns.
    laid: f64,
    /// The time.
    at: f64,
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

    /// Returns what each purse is given of a deposit, the share of T that goes to all of them together.
    #[inline]
    pub(crate) fn each(at: u64, deposit: f64) -> Given {
        #[expect(clippy::cast_precision_loss, reason = "a time to some 256 ns")]
        let (at, share) = (at as f64, deposit / Self::count());
        Given { share, laid: at * share, at }
    }

    /// Plays one row: each purse is given its share and multiplied by its factor, which is [`LEAST`] or more. Returns the sum of the
    /// mantissas, which is what all hold where none is far from 1.
    #[inline(always)]
    pub(crate) fn play(&mut self, form: Form, given: Given, factor: impl Fn(usize) -> f64) -> f64 {
        let sum = match form {
            Form::Plain => return self.play_plain(factor),
            Form::Sr(_) if !self.far => self.row(|purse, laid| (purse + given.share, laid + given.laid), factor),
            Form::Cusum(_) if !self.far => {
                self.give_best(given);
                self.row(|purse, laid| (purse, laid), factor)
            }
            Form::Sr(_) | Form::Cusum(_) => {
                self.give_far(form, given);
                self.row(|purse, laid| (purse, laid), factor)
            }
        };
        // Each holds its share or more, times its factor; and none holds more than all together.
        if self.far || !(given.share * LEAST >= RANGE.start && sum < RANGE.end) {
            self.settle();
        }
        sum
    }

    /// Plays one row of the plain form, in which nothing is given.
    #[inline]
    fn play_plain(&mut self, factor: impl Fn(usize) -> f64) -> f64 {
        self.mantissas.iter_mut().enumerate().for_each(|(at, purse)| *purse *= factor(at));
        if !self.mantissas.iter().all(|it| RANGE.contains(it)) {
            self.settle();
        }
        self.sum()
    }

    /// Has each purse `give` and multiplies it, in one pass; returns the sum.
    ///
    /// A call of its own: together with what comes before and after it is shuffled by the compiler rather than done two at a time.
    #[inline(never)]
    fn row(&mut self, give: impl Fn(f64, f64) -> (f64, f64), factor: impl Fn(usize) -> f64) -> f64 {
        for (at, (purse, laid)) in self.mantissas.iter_mut().zip(&mut self.laid).enumerate() {
            let (factor, given) = (factor(at), give(*purse, *laid));
            (*purse, *laid) = (given.0 * factor, given.1 * factor);
        }
        self.sum()
    }

    /// Returns the sum of the mantissas, in four fixed lanes: the order of additions is a part of the result.
    #[inline]
    fn sum(&self) -> f64 {
        let mut lanes: [f64; 4] = std::array::from_fn(|at| self.mantissas[at]);
        self.mantissas.iter().enumerate().skip(4).for_each(|(at, it)| lanes[at % 4] += it);
        (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    }

    /// Starts each purse anew that holds no more than what it is given.
    fn give_best(&mut self, given: Given) {
        for (purse, laid) in self.mantissas.iter_mut().zip(&mut self.laid) {
            let new = *purse <= given.share;
            *laid = if new { given.laid } else { *laid };
            *purse = if new { given.share } else { *purse };
        }
    }

    /// Gives the deposits where a purse is far from 1.
    #[cold]
    fn give_far(&mut self, form: Form, Given { share, at, .. }: Given) {
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

    /// Brings mantissas back into their range, where one has left it.
    #[cold]
    fn settle(&mut self) {
        if !self.mantissas.iter().all(|it| RANGE.contains(it)) {
            self.set(self.purses(), self.times());
        }
    }

    /// Returns what all purses hold together.
    #[inline]
    pub(crate) fn wealth(&self) -> Wealth {
        if self.far {
            return self.purses().into_iter().fold(Wealth::default(), Wealth::plus);
        }
        Wealth::of(self.sum())
    }

    /// Says whether a purse is far from 1.
    #[inline]
    pub(crate) fn is_far(&self) -> bool {
        self.far
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eproc::Every;

    #[test]
    fn a_row_has_the_bits_of_its_steps_one_after_the_other() {
        for form in [Form::Sr(Every::Rows(100)), Form::Cusum(Every::Rows(100))] {
            let (mut bets, mut purses, mut laid) = (Bets::<12>::new(form), [0.0_f64; 12], [0.0_f64; 12]);
            for row in 0_u32..200 {
                let (at, given) = (f64::from(row) * 1e3 + 7.0, 0.01 / 12.0);
                let factor = |purse: usize| 0.3 + ((row as usize * 31 + purse * 17) % 137) as f64 / 100.0;
                let sum = bets.play(form, Bets::<12>::each(u64::from(row) * 1_000 + 7, 0.01), factor);
                for (purse, laid) in purses.iter_mut().zip(&mut laid) {
                    match form {
                        Form::Sr(_) => (*purse, *laid) = (*purse + given, *laid + at * given),
                        _ if *purse <= given => (*purse, *laid) = (given, at * given),
                        _ => {}
                    }
                }
                for (at, (purse, laid)) in purses.iter_mut().zip(&mut laid).enumerate() {
                    (*purse, *laid) = (*purse * factor(at), *laid * factor(at));
                }
                assert_eq!((bets.mantissas, bets.laid), (purses, laid), "{form:?}, row {row}");
                let lanes = [0, 1, 2, 3].map(|it| purses[it] + purses[it + 4] + purses[it + 8]);
                assert_eq!(sum, (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]), "{form:?}, row {row}");
            }
        }
    }
}
