//! Bets: L purses, each with the time at which what is in it was laid down.

use super::{Form, Wealth};

/// The purses of one engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bets<const L: usize> {
    purses: [Wealth; L],
    /// Per purse the time of its deposits, ns, weighed by what has become of them: since about when it wins.
    since: [f64; L],
}

impl<const L: usize> Bets<L> {
    pub(crate) fn new(form: Form) -> Self {
        let start = match form {
            Form::Plain => 1.0 / Self::count(),
            Form::Sr(_) | Form::Cusum(_) => 0.0,
        };
        Self { purses: [Wealth::of(start); L], since: [0.0; L] }
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
            Form::Plain => self.purses.iter_mut().zip(factors).for_each(|(it, factor)| *it = it.times(*factor)),
            Form::Sr(_) => {
                for ((purse, since), factor) in self.purses.iter_mut().zip(&mut self.since).zip(factors) {
                    let full = purse.plus_number(share);
                    if share > 0.0 {
                        *since += (at - *since) * (share / full.number());
                    }
                    *purse = full.times(*factor);
                }
            }
            Form::Cusum(_) => {
                let share = Wealth::of(share);
                for ((purse, since), factor) in self.purses.iter_mut().zip(&mut self.since).zip(factors) {
                    if *purse <= share {
                        (*purse, *since) = (share, at);
                    }
                    *purse = purse.times(*factor);
                }
            }
        }
    }

    /// Returns what all purses hold together.
    #[inline]
    pub(crate) fn wealth(&self) -> Wealth {
        self.purses.iter().fold(Wealth::default(), |sum, it| sum.plus(*it))
    }

    /// Returns since about when the fullest purse wins, ns.
    pub(crate) fn since(&self) -> u64 {
        let fuller = |best: usize, it: usize| if self.purses[it] > self.purses[best] { it } else { best };
        let best = (1..L).fold(0, fuller);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in ns")]
        (self.since[best].max(0.0) as u64)
    }

    /// Averages with another's, who counts `theirs` times where we count `ours` times.
    pub(crate) fn average(&mut self, other: &Self, ours: u32, theirs: u32) {
        let (ours, theirs) = (f64::from(ours), f64::from(theirs));
        let (our, their) = (ours / (ours + theirs), theirs / (ours + theirs));
        for at in 0..L {
            let both = [self.purses[at].times(our), other.purses[at].times(their)];
            let sum = both[0].plus(both[1]);
            self.since[at] += (other.since[at] - self.since[at]) * both[1].part_of(sum);
            self.purses[at] = sum;
        }
    }

    /// Multiplies with another's, who saw other rows: as if one had seen all.
    pub(crate) fn multiply(&mut self, other: &Self) {
        for (ours, theirs) in self.purses.iter_mut().zip(&other.purses) {
            *ours = ours.product(*theirs).times(Self::count());
        }
    }
}
