//! Stream: twelve gamblers on the places of one scalar's rows.

use super::discount;
use crate::eproc::{Bets, Every, Form, Given, Wealth};

/// The parts of their purses that gamblers bet.
const BETS: [f64; 3] = [0.25, 0.5, 0.75];

/// What a stream is, which says how much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A confidence or a predicted label: they show a shift first.
    Output,
    /// The row score.
    RowScore,
    /// Anything else: a feature, a number of a text, a length, a latency.
    Other,
}

/// Returns the weight of each stream: outputs share a quarter, row scores a quarter, all others a half; a group that is not there
/// leaves its part to those that are. They sum to 1.
pub fn weights(groups: &[Group]) -> Vec<f64> {
    let part = |group| if group == Group::Other { 2.0 } else { 1.0 };
    let all = [Group::Output, Group::RowScore, Group::Other];
    let there: f64 = all.iter().filter(|it| groups.contains(it)).map(|it| part(*it)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of streams")]
    let alike = |group| groups.iter().filter(|it| **it == group).count() as f64;
    groups.iter().map(|it| part(*it) / there / alike(*it)).collect()
}

/// One scalar's evidence.
///
/// # Cost
/// A dozen additions and multiplications a row, as `bench/signals/updates` counts them; 350 bytes, the reference is shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    form: Form,
    bets: Bets<12>,
    rows: u64,
    /// The time of the latest row, ns; 0 before the first.
    as_of: u64,
}

/// What the bets pay for one reference: `1 / (1 + λδ)` for each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Paid([f64; 3]);

impl Paid {
    pub(crate) fn of(discount: f64) -> Self {
        Self(BETS.map(|bet| 1.0 / (1.0 + bet * discount)))
    }
}

/// A row of streams of one form: what it gives of T, which is the same for all whose last row was the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    form: Form,
    /// Its time, ns.
    at: u64,
    /// The parts that are bet, with their signs: as data the compiler does two of them at a time, as constants it does not.
    bets: [f64; 12],
    /// The last row of the stream that was given last, and what it was given.
    last: (u64, Given),
}

impl Round {
    #[inline]
    pub(crate) fn new(form: Form, at: u64) -> Self {
        let bets = std::array::from_fn(|at| if at % 2 == 0 { BETS[at / 4] } else { -BETS[at / 4] });
        Self { form, at, bets, last: (at, given(form, at, at)) }
    }

    /// Returns what a stream is given whose last row was at `since`.
    #[inline(always)]
    fn given(&mut self, since: u64) -> Given {
        if self.last.0 != since {
            self.last = (since, given(self.form, since, self.at));
        }
        self.last.1
    }
}

/// Returns what a row gives each purse of a stream whose last row was at `since`.
#[inline(never)]
fn given(form: Form, since: u64, at: u64) -> Given {
    let deposit = match form {
        Form::Plain => 0.0,
        Form::Sr(every) | Form::Cusum(every) => every.deposit(Some(since), at),
    };
    Bets::<12>::each(at, deposit)
}

impl Stream {
    /// A stream without a row. The form `plain` of a test that never starts again is not meant, but possible.
    pub fn new(form: Form) -> Self {
        Self { form, bets: Bets::new(form), rows: 0, as_of: 0 }
    }

    /// Bets on a place among a reference of so many rows.
    pub fn update(&mut self, at: u64, place: f64, reference: u64) {
        self.bet(&mut Round::new(self.form, at), place, &Paid::of(discount(reference)));
    }

    /// Bets on a place. Returns the wealth as a double.
    #[inline(always)]
    pub(crate) fn bet(&mut self, round: &mut Round, place: f64, paid: &Paid) -> f64 {
        let at = round.at;
        // A first row is given nothing of a clock, as one at the time of the row before.
        let given = round.given(if self.rows == 0 { at } else { self.as_of });
        let (u, v) = (2.0 * place, 2.0 * (2.0 * place.abs() - 0.5));
        // Up and down, to the edges and to the middle.
        let bets = &round.bets;
        let factor = move |at: usize| (1.0 + bets[at] * if at % 4 < 2 { u } else { v }) * paid.0[at / 4];
        let wealth = self.bets.play(round.form, given, factor);
        self.rows += 1;
        self.as_of = self.as_of.max(at);
        if self.bets.is_far() { self.wealth().number() } else { wealth }
    }

    /// Returns the wealth W.
    #[inline]
    pub fn wealth(&self) -> Wealth {
        self.bets.wealth()
    }

    /// Returns since about when the fullest purse wins, ns.
    pub fn since(&self) -> u64 {
        self.bets.since()
    }

    /// Returns the rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the time of the latest row, ns; none before the first.
    pub fn as_of(&self) -> Option<u64> {
        (self.rows > 0).then_some(self.as_of)
    }

    /// Empties the purses, after an alarm.
    pub fn restart(&mut self) {
        self.bets = Bets::new(self.form);
    }

    /// Averages with a replica's stream, which counts as much as `theirs` replicas where this one counts as `ours`.
    pub(crate) fn average(&mut self, other: &Self, (ours, theirs): (u32, u32)) {
        self.bets.average(&other.bets, ours, theirs);
        self.rows += other.rows;
        self.as_of = self.as_of.max(other.as_of);
    }
}

/// T in rows or time, with the form: later and surer where something acts on it.
pub(crate) fn form(every: Every, enforced: bool) -> Form {
    if enforced { Form::Cusum(every) } else { Form::Sr(every) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wealth after each place, T = 100 rows.
    fn wealth(form: Form, discount: f64, places: &[f64]) -> Vec<f64> {
        let mut stream = Stream::new(form);
        let each = |place: &f64| {
            stream.bet(&mut Round::new(form, 0), *place, &Paid::of(discount));
            stream.wealth().number()
        };
        places.iter().map(each).collect()
    }

    #[test]
    fn wealth_is_that_of_the_oracles() {
        let (sr, cusum) = (Form::Sr(Every::Rows(100)), Form::Cusum(Every::Rows(100)));
        for (form, delta, expected) in [
            (sr, 0.0, [0.01, 0.020_875, 0.029_416_7]),
            (cusum, 0.0, [0.01, 0.012_187_5, 0.012_561_3]),
            (sr, discount(1_000), [0.009_734_6, 0.020_028_6, 0.027_901_1]),
        ] {
            for (found, expected) in wealth(form, delta, &[0.4, 0.3, -0.2]).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-7, "{form:?} {delta}: {found} {expected}");
            }
        }
    }

    #[test]
    fn the_same_place_at_the_edge_alarms_at_the_row_of_the_oracle() {
        for (every, row) in [(100, 10), (10_000, 19)] {
            let all = wealth(Form::Sr(Every::Rows(every)), 0.0, &[0.49; 40]);
            assert_eq!(all.iter().position(|it| *it >= 1.0).map(|it| it + 1), Some(row), "T = {every}");
        }
    }

    #[test]
    fn groups_share_their_part_and_leave_it_where_they_are_not() {
        use Group::{Other, Output, RowScore};
        assert_eq!(weights(&[Output, Output, RowScore, Other, Other]), [0.125, 0.125, 0.25, 0.25, 0.25]);
        assert_eq!(weights(&[Other, Other]), [0.5, 0.5]);
        assert_eq!(weights(&[Output, RowScore]), [0.5, 0.5]);
        assert_eq!(weights(&[]), Vec::<f64>::new());
    }
}
