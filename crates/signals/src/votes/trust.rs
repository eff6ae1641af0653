//! Trust: how much of its weight each member keeps, because members err together.
//!
//! Log-odds may be added where members err apart from each other. They do not: three that were trained alike outvote the one that is
//! right. So each member's log-odds are multiplied by a number that makes the votes of rows whose truth is known most likely; a member
//! that says what another says already keeps little.
//!
//! # Why it is here
//! On one of six sets of real services the plain sum of log-odds lost to the best of them; with trust it wins on all
//! (`docs/quality.md`).
//!
//! # Source
//! A logarithmic opinion pool (Genest and Zidek 1986) whose exponents are fitted, as in stacking (Wolpert 1992).

use std::collections::BTreeMap;

use crate::{math, quantise};

/// Bounds of trust. Above 1: the member is surer than it says, or others lean on it.
const BOUNDS: (f64, f64) = (0.0, 3.0);
/// What pulls trust to 1: as much as about ten rows do.
const PULL: f64 = 10.0;
/// Rounds of descent at most, and the step below which it ends.
const ROUNDS: usize = 100;
const STILL: f64 = 1e-6;

/// One row that all members were asked about, and what was true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Per member, in the order of the tier: the class it voted for and its weight in millionths; none where it abstained.
    pub votes: Vec<Option<(String, i64)>>,
    /// The class that was right.
    pub truth: String,
}

/// Returns the weight of a vote whose voter keeps this much of it, in millionths.
pub fn trusted(weight: i64, trust: f64) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "millionths within ±2^53")]
    let weight = weight as f64;
    quantise(weight * trust, 1).unwrap_or(0)
}

/// Returns the trust in each member, by rows whose weights come from calibrators that had not seen them. 1 for all where there are none.
///
/// # Cost
/// O(rows × members²) a round, about ten rounds; offline.
pub fn trust(lessons: &[Lesson], classes: u32) -> Vec<f64> {
    let members = lessons.iter().map(|it| it.votes.len()).max().unwrap_or(0);
    let rows: Vec<_> = lessons.iter().map(|it| Sums::of(it, classes)).collect();
    let mut trust = vec![1.0; members];
    for _ in 0..ROUNDS {
        let mut moved = 0.0_f64;
        for member in 0..members {
            let (mut slope, mut bend) = (PULL * (trust[member] - 1.0), PULL);
            for row in &rows {
                let (a, b) = row.derivatives(&trust, member);
                slope += a;
                bend += b;
            }
            let next = (trust[member] - slope / bend).clamp(BOUNDS.0, BOUNDS.1);
            moved = moved.max((next - trust[member]).abs());
            trust[member] = next;
        }
        if moved < STILL {
            break;
        }
    }
    // Thousandths: what is kept, shown and used is one number.
    trust.iter().map(|it| (it * 1e3).round_ties_even() / 1e3).collect()
}

/// One row: per class that was voted for, the log-odds of each of its voters.
struct Sums {
    /// Votes as (member, log-odds), by class.
    classes: Vec<Vec<(usize, f64)>>,
    /// Which class was right, if anybody voted for it.
    truth: Option<usize>,
    unseen: f64,
}

impl Sums {
    fn of(lesson: &Lesson, classes: u32) -> Self {
        let mut by_class: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
        for (member, vote) in lesson.votes.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "millionths within ±2^53")]
            if let Some((class, weight)) = vote {
                by_class.entry(class).or_default().push((member, *weight as f64 / 1e6));
            }
        }
        let truth = by_class.keys().position(|it| *it == lesson.truth);
        #[expect(clippy::cast_precision_loss, reason = "a count of classes")]
        let unseen = (classes.max(2) as usize).saturating_sub(by_class.len()) as f64;
        Self { classes: by_class.into_values().collect(), truth, unseen }
    }

    /// Slope and bend of the log-loss in one member's trust.
    fn derivatives(&self, trust: &[f64], member: usize) -> (f64, f64) {
        let own = |votes: &[(usize, f64)]| votes.iter().find(|it| it.0 == member).map_or(0.0, |it| it.1);
        let (mut all, mut first, mut second) = (self.unseen, 0.0, 0.0);
        for votes in &self.classes {
            let sum: f64 = votes.iter().map(|it| trust[it.0] * it.1).sum();
            let (odds, own) = (math::exp(sum.clamp(-500.0, 500.0)), own(votes));
            all += odds;
            first += odds * own;
            second += odds * own * own;
        }
        let mean = first / all;
        (mean - self.truth.map_or(0.0, |it| own(&self.classes[it])), (second / all - mean * mean).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of two classes: what each member says, and what is true.
    fn lesson(said: [&str; 3], truth: &str) -> Lesson {
        let votes = said.iter().map(|it| Some(((*it).to_owned(), 1_386_294))).collect();
        Lesson { votes, truth: truth.to_owned() }
    }

    #[test]
    fn two_that_always_say_the_same_keep_half_each() {
        // The first errs apart from the others, which are one member seen twice; all are right on 80 of 100.
        let mut lessons = Vec::new();
        for (rows, said, truth) in [
            (640, ["a", "a", "a"], "a"),
            (160, ["b", "a", "a"], "a"),
            (160, ["a", "b", "b"], "a"),
            (40, ["b", "b", "b"], "a"),
        ] {
            lessons.extend((0..rows).map(|_| lesson(said, truth)));
        }
        let found = trust(&lessons, 2);
        assert!((found[0] - 1.0).abs() < 0.02, "{found:?}");
        assert!((found[1] + found[2] - 1.0).abs() < 0.05, "pulled a little: {found:?}");
        assert_eq!(trusted(1_386_294, 0.5), 693_147);
    }

    #[test]
    fn without_rows_all_are_trusted_and_a_silent_member_stays_at_one() {
        assert_eq!(trust(&[], 2), Vec::<f64>::new());
        let silent = Lesson { votes: vec![Some(("a".into(), 2_000_000)), None], truth: "a".into() };
        assert_eq!(trust(&vec![silent; 20], 2)[1], 1.0);
        let wrong = Lesson { votes: vec![Some(("a".into(), 2_000_000))], truth: "b".into() };
        assert_eq!(trust(&vec![wrong; 500], 2), [0.0], "never below nothing");
    }
}
