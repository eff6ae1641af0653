//! Vote calibration: what an ensemble has learnt from rows whose truth is known: P(right) per member, trust in each, and what the
//! share of a vote means.

use std::collections::BTreeSet;

use super::{Calibrator, CalibratorState, Incompatible, Kind, Reading, Row, Teacher};
use crate::votes::{Ballot, Bounds, Lesson, Tally, trust, trusted, weight};

/// Parts of the rows: what is learnt about votes is learnt from votes of calibrators that had not seen their row.
const FOLDS: usize = 5;

/// Members of whose votes each part is learnt by itself, at most.
const PARTS: usize = 8;
/// Rows that teach what the votes of a part of the members mean, at most.
const PART_ROWS: usize = 4_000;

/// What one member said: its answer in canonical form, and how sure it was on its own scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The answer.
    pub label: String,
    /// The confidence; none where the member gives none.
    pub confidence: Option<f64>,
}

/// One input that all members were asked about, and what is true. None where a member abstained, failed or was late.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Per member, in the order of the tier.
    pub said: Vec<Option<Said>>,
    /// What is true.
    pub truth: String,
}

/// What an ensemble has learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct VoteCalibration {
    classes: u32,
    members: Vec<Calibrator>,
    trust: Vec<f64>,
    shares: Calibrator,
    /// The same where only a part of the members votes, by who: one bit a member. A vote that lacks one means something else.
    parts: Vec<(u64, Calibrator)>,
}

/// A vote calibration as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct VoteState {
    /// How many answers are possible.
    pub classes: u32,
    /// Per member, in the order of the tier: its calibrator and the trust in it.
    pub members: Vec<(CalibratorState, f64)>,
    /// The calibrator of the leader's share.
    pub shares: CalibratorState,
    /// The same where only a part of the members votes, by who, ascending: one bit a member, the first the lowest.
    pub parts: Vec<(u64, CalibratorState)>,
}

impl VoteCalibration {
    /// Learns from rows of one time. How many answers are possible is taken from them.
    ///
    /// # Errors
    /// There are no rows, or not all have as many members.
    pub fn taught(teacher: Teacher, at: u64, rows: &[Asked]) -> Result<Self, Incompatible> {
        let members = rows.first().map_or(0, |it| it.said.len());
        if members == 0 || rows.iter().any(|it| it.said.len() != members) {
            return Err(Incompatible::Counts);
        }
        let said = rows.iter().flat_map(|it| it.said.iter().flatten().map(|it| it.label.as_str()));
        let labels: BTreeSet<&str> = said.chain(rows.iter().map(|it| it.truth.as_str())).collect();
        let classes = u32::try_from(labels.len()).map_err(|_| Incompatible::Counts)?;

        let fold = |fold: usize, inside: bool| {
            let rows = rows.iter().enumerate();
            rows.filter(move |(at, _)| (at % FOLDS == fold) == inside).map(|it| it.1).collect::<Vec<_>>()
        };
        let mut lessons = Vec::new();
        for number in 0..FOLDS {
            let untouched = calibrators((teacher, at), &fold(number, false), members);
            lessons.extend(fold(number, true).into_iter().map(|it| lesson(&untouched, it, (at, classes))));
        }
        let trust = trust(&lessons, classes);
        let all: Vec<_> = lessons.iter().collect();
        let shares = shares((teacher, at), &all, (&trust, classes));
        let parts = parts((teacher, at), &lessons, (&trust, classes));
        let all: Vec<_> = rows.iter().collect();
        Ok(Self { classes, members: calibrators((teacher, at), &all, members), trust, shares, parts })
    }

    /// Returns how many answers are possible.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// Returns how many members there are.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Returns how likely a member's answer is right: 0.5 for a member that is not known.
    pub fn p(&self, now: u64, member: usize, said: &Said) -> f64 {
        self.members.get(member).map_or(0.5, |it| it.read(now, &said.label, said.confidence).p)
    }

    /// Returns what a member's vote weighs, in millionths. A member that is not known weighs nothing.
    pub fn weight(&self, now: u64, member: usize, said: &Said) -> i64 {
        self.trust.get(member).map_or(0, |it| trusted(weight(self.p(now, member, said), self.classes), *it))
    }

    /// Returns the least and the most that a member's vote can weigh, whatever it says and however sure it is.
    pub fn bounds(&self, now: u64, member: usize) -> Bounds {
        let (Some(calibrator), Some(trust)) = (self.members.get(member), self.trust.get(member)) else {
            return Bounds::exactly(0);
        };
        let (least, most) = calibrator.range(now);
        let weight = |p: f64| trusted(weight(p, self.classes), *trust);
        Bounds { least: weight(least), most: weight(most) }
    }

    /// Returns what the leader's share means: the probability that the vote is right, with its n and kind. None where nobody voted, or
    /// where nothing is known of votes of just these members.
    pub fn confidence(&self, now: u64, tally: &Tally) -> Option<Reading> {
        let share = tally.raw_share(self.classes)?;
        if tally.voters() as usize == self.members.len() {
            return Some(self.shares.read(now, &tally.leader()?.class, Some(share)));
        }
        let who = tally.who();
        let part = self.parts.binary_search_by_key(&who, |it| it.0).ok()?;
        Some(self.parts[part].1.read(now, ANY, Some(share))).filter(|it| it.kind != Kind::None)
    }

    /// Says what a confidence is worth of which no row has faded.
    pub fn kind(&self) -> Kind {
        self.shares.read(0, "", None).kind
    }

    /// Returns what is to be kept.
    pub fn state(&self) -> VoteState {
        let members = self.members.iter().zip(&self.trust).map(|(member, trust)| (member.state(), *trust));
        let parts = self.parts.iter().map(|(who, it)| (*who, it.state())).collect();
        VoteState { classes: self.classes, members: members.collect(), shares: self.shares.state(), parts }
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// A calibrator cannot be one, or trust is no number from 0 to 3.
    pub fn of(state: &VoteState) -> Result<Self, Incompatible> {
        let sound = state.members.iter().all(|it| (0.0..=3.0).contains(&it.1)) && state.classes >= 1;
        if !sound || !state.parts.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(Incompatible::Counts);
        }
        Ok(Self {
            classes: state.classes,
            members: state.members.iter().map(|it| Calibrator::of(&it.0)).collect::<Result<_, _>>()?,
            trust: state.members.iter().map(|it| it.1).collect(),
            shares: Calibrator::of(&state.shares)?,
            parts: state.parts.iter().map(|(who, it)| Ok((*who, Calibrator::of(it)?))).collect::<Result<_, _>>()?,
        })
    }
}

fn calibrators((teacher, at): (Teacher, u64), rows: &[&Asked], members: usize) -> Vec<Calibrator> {
    let of = |member: usize| {
        let row = |it: &&'_ Asked| {
            let said = it.said[member].clone()?;
            let right = said.label == it.truth;
            Some((said, right))
        };
        let rows: Vec<_> = rows.iter().filter_map(row).collect();
        let rows: Vec<_> =
            rows.iter().map(|(it, right)| Row { label: &it.label, confidence: it.confidence, right: *right }).collect();
        Calibrator::taught(teacher, at, &rows)
    };
    (0..members).map(of).collect()
}

fn lesson(members: &[Calibrator], asked: &Asked, (at, classes): (u64, u32)) -> Lesson {
    let vote = |(member, said): (&Calibrator, &Option<Said>)| {
        let said = said.as_ref()?;
        Some((said.label.clone(), weight(member.read(at, &said.label, said.confidence).p, classes)))
    };
    Lesson { votes: members.iter().zip(&asked.said).map(vote).collect(), truth: asked.truth.clone() }
}

/// Calibrates the leader's share.
fn shares((teacher, at): (Teacher, u64), lessons: &[&Lesson], (trust, classes): (&[f64], u32)) -> Calibrator {
    let rows: Vec<_> = lessons.iter().filter_map(|it| share(it, u64::MAX, (trust, classes))).collect();
    let rows: Vec<_> = rows.iter().map(|it| Row { label: &it.0, confidence: Some(it.1), right: it.2 }).collect();
    Calibrator::taught(teacher, at, &rows)
}

/// The label of all answers where they are not told apart.
const ANY: &str = "";

/// Calibrates the leader's share where only some vote, by rows in which they did: as if the others had said nothing.
fn parts((teacher, at): (Teacher, u64), lessons: &[Lesson], learnt: (&[f64], u32)) -> Vec<(u64, Calibrator)> {
    let members = learnt.0.len();
    if members > PARTS {
        return Vec::new();
    }
    let of = |who: u64| {
        let voted = |it: &&Lesson| (0..members).all(|at| who >> at & 1 == 0 || it.votes[at].is_some());
        let all: Vec<_> = lessons.iter().filter(voted).collect();
        let rows = all.iter().step_by(all.len().div_ceil(PART_ROWS).max(1));
        let rows: Vec<_> = rows.filter_map(|it| share(it, who, learnt)).collect();
        let rows: Vec<_> = rows.iter().map(|it| Row { label: ANY, confidence: Some(it.1), right: it.2 }).collect();
        (who, Calibrator::taught(teacher, at, &rows))
    };
    (1..(1_u64 << members) - 1).map(of).collect()
}

/// The winner of a row in which these members voted, its share, and whether it was right.
fn share(lesson: &Lesson, who: u64, (trust, classes): (&[f64], u32)) -> Option<(String, f64, bool)> {
    let ballot = |(voter, vote): (usize, &Option<(String, i64)>)| {
        let (class, weight) = vote.clone().filter(|_| voter >= PARTS || who >> voter & 1 == 1)?;
        Some(Ballot { voter, weight: trusted(weight, trust[voter]), class })
    };
    let tally = Tally::of(&lesson.votes.iter().enumerate().filter_map(ballot).collect::<Vec<_>>());
    let class = tally.leader()?.class.clone();
    let right = class == lesson.truth;
    Some((class, tally.raw_share(classes)?, right))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two classes: the first member is right on 9 of 10, the others always err together, on 4 of 10.
    fn rows(n: usize) -> Vec<Asked> {
        let said = |right: bool| {
            let label = if right { "yes" } else { "no" };
            Some(Said { label: label.to_owned(), confidence: None })
        };
        let row = |at: usize| {
            let both = (at / 10) % 10 < 6;
            Asked { said: vec![said(!at.is_multiple_of(10)), said(both), said(both)], truth: "yes".into() }
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn a_good_member_is_not_outvoted_by_two_that_err_together() {
        let learnt = VoteCalibration::taught(Teacher::Labels, 7, &rows(2_000)).expect("rows");
        let said = |label: &str| Said { label: label.into(), confidence: None };
        let vote = |said: [Said; 3]| {
            let ballot = |(voter, it): (usize, &Said)| Ballot {
                voter,
                weight: learnt.weight(7, voter, it),
                class: it.label.clone(),
            };
            Tally::of(&said.iter().enumerate().map(ballot).collect::<Vec<_>>())
        };
        let tally = vote([said("yes"), said("no"), said("no")]);
        assert_eq!(tally.leader().map(|it| it.class.as_str()), Some("yes"), "{:?}", learnt.trust);
        let reading = learnt.confidence(7, &tally).expect("a vote");
        assert_eq!((reading.n.round(), reading.as_of, reading.kind), (2_000.0, 7, Kind::Calibrated));
        assert_eq!((learnt.weight(7, 9, &said("yes")), learnt.members(), learnt.classes()), (0, 3, 2));
        assert_eq!(learnt.bounds(7, 9), Bounds::exactly(0));
    }

    #[test]
    fn vote_2_no_answer_weighs_more_or_less_than_its_bounds_and_some_answer_reaches_each() {
        let row = |at: usize| {
            let said = |label: &str, part: usize| {
                Some(Said {
                    label: label.into(),
                    confidence: (!part.is_multiple_of(7)).then_some((part % 7) as f64 / 7.0),
                })
            };
            let label = |turn: usize| ["a", "b", "c"][(at / turn) % 3];
            Asked {
                said: vec![said(label(1), at), said(label(2), at / 3)],
                truth: label(if at.is_multiple_of(4) { 5 } else { 1 }).into(),
            }
        };
        let learnt = VoteCalibration::taught(Teacher::Labels, 0, &(0..600).map(row).collect::<Vec<_>>()).expect("rows");
        for member in 0..2 {
            let confidences = (0..=40).map(|it| Some(f64::from(it) / 40.0)).chain([None, Some(f64::NAN)]);
            let labels = ["a", "b", "c", "never seen"];
            let said = confidences.flat_map(|confidence| labels.map(|it| Said { label: it.into(), confidence }));
            let weights: Vec<_> = said.map(|it| learnt.weight(0, member, &it)).collect();
            let Bounds { least, most } = learnt.bounds(0, member);
            assert_eq!((weights.iter().min(), weights.iter().max()), (Some(&least), Some(&most)), "member {member}");
            assert!(least < most, "or it would show nothing");
        }
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let learnt = VoteCalibration::taught(Teacher::Labels, 7, &rows(300)).expect("rows");
        let state = learnt.state();
        assert_eq!(VoteCalibration::of(&state).expect("sound").state(), state);
        assert_eq!(VoteCalibration::of(&VoteState { classes: 0, ..state.clone() }), Err(Incompatible::Counts));
        let mut doubted = state;
        doubted.members[0].1 = f64::NAN;
        assert_eq!(VoteCalibration::of(&doubted), Err(Incompatible::Counts));
        assert_eq!(VoteCalibration::taught(Teacher::Labels, 7, &[]), Err(Incompatible::Counts));
    }
}
